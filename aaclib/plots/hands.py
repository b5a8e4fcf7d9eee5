"""What a hand can turn in a notebook: knobs on `aaclib.play`, a place to drop recordings, dots that tell captions.

Thin: each shows numbers that others compute. Where nobody looks on (the runner) there is a picture in their place, or
nothing; ipywidgets and plotly are imported only where somebody does.
"""

from __future__ import annotations

import html
import io
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from textwrap import shorten, wrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from aaclib import audio, play, screen
from aaclib.errors import message
from aaclib.escape import NO_MATH
from aaclib.names import printable
from aaclib.plots.style import AUDIO, DOUBLE, GREY, TEXT, drawable, figure, named_rows, show, styled
from aaclib.plots.world import player, spectrogram

if TYPE_CHECKING:
    from aaclib.captioner import Captioner
    from aaclib.run import Run

WIDTH = "44em"


def bench(run: Run, target: str, seed: int | None = None, clip: int = 7, name: str = "05_bench") -> Any:
    """Knobs for one target: the clip (heard and seen), the decoder among those that are trained, the inference part,
    tau and the size of the memory; the caption, its neighbours in memory and their weights follow at once. Where nobody
    looks on: the figure `name` of that clip, by projection.

    >>> plots.bench(run, "soundscapes-long")
    """
    there = play.Bench(run, target, seed)
    clip = min(clip, len(there.clips) - 1)
    if not screen.looked_at():
        return show(still(there, clip), run, f"{target}/{name}")
    return knobs(there, clip)


def still(there: play.Bench, clip: int, **how: Any) -> Figure:
    """The clip's spectrogram, and beside it the captions nearest to it in memory with their weights in what the decoder
    was given; its caption above. `how`: as `play.Bench.say`."""
    said = there.say(clip, **{"training": there.trainings[0], **how})
    near = said.neighbours
    with styled():
        fig, ((left, right),) = figure(DOUBLE, 2.1, 1, 2)
        spectrogram(left, *there.wave(clip))
        left.set(xlabel="time (s)", ylabel="frequency (kHz)", title=f"Clip {clip}")
        right.barh(range(len(near)), near.weight.fillna(0), color=TEXT)
        named_rows(right, [shorten(caption, 44, placeholder=" …") for caption in near.caption])
        right.set(xlabel="weight", title=f"captions mixed: {said.effective:.1f}")
        fig.suptitle(f"{said.row}: {shorten(drawable(said.caption), 110, placeholder=' …')}", x=0.01, ha="left")
    return fig


def knobs(there: play.Bench, clip: int = 0) -> Any:
    """The widgets of `bench`, an ipywidgets.VBox with the attributes `knobs` (by name) and `said` (the HTML)."""
    import ipywidgets

    widgets: Any = ipywidgets

    def knob(kind: Any, label: str, **options: Any) -> Any:
        style = {"description_width": "6em"}
        return kind(description=label, style=style, layout={"width": WIDTH}, **options)

    m = len(there.captions)
    sizes = sorted({*np.unique(np.geomspace(1, m, 12).round().astype(int)).tolist(), m})
    turned = {
        "clip": knob(widgets.IntSlider, "clip", value=clip, min=0, max=len(there.clips) - 1, continuous_update=False),
        "training": knob(widgets.Dropdown, "decoder", options=there.trainings),
        "inference": knob(widgets.Dropdown, "strategy", options=list(play.WAYS), value="projection"),
        "tau": knob(
            widgets.FloatLogSlider, "τ", value=there.context.tau, min=-3, max=0, step=0.1, readout_format=".3g"
        ),
        "memory": knob(widgets.SelectionSlider, "memory", options=sizes, value=m),
    }
    sound = widgets.Audio(value=b"", format="wav", autoplay=False, loop=False)
    picture, said = widgets.Image(format="png", width=440), widgets.HTML(layout={"width": WIDTH})

    def listen(*_: Any) -> None:
        wave, rate = there.wave(turned["clip"].value)
        sound.value, picture.value = player(wave, rate).data, _png(wave, rate)

    def say(*_: Any) -> None:
        how = {name: one.value for name, one in turned.items()}
        said.value = _html(there, turned["clip"].value, there.say(**how))

    turned["clip"].observe(listen, "value")
    for one in turned.values():
        one.observe(say, "value")
    listen()
    say()
    box = widgets.VBox([*turned.values(), widgets.HBox([sound]), picture, said])
    box.knobs, box.said = turned, said
    return box


def _png(wave: np.ndarray, rate: int) -> bytes:
    with styled():
        fig, ((ax,),) = figure(DOUBLE / 1.5, 1.6)
        spectrogram(ax, wave, rate)
        ax.set(xlabel="time (s)", ylabel="frequency (kHz)")
        with io.BytesIO() as file:
            fig.savefig(file, format="png")
            return file.getvalue()


def _html(there: play.Bench, clip: int, said: play.Said) -> str:
    references = "<br>".join(html.escape(caption) for caption in there.clips[clip].captions)
    near = said.neighbours.assign(weight=(100 * said.neighbours.weight).map("{:.1f} %".format, na_action="ignore"))
    mixed = f"{said.effective:.1f} captions mixed" if np.isfinite(said.effective) else "the memory is not read"
    return (
        f"<div {NO_MATH}><p><b>{html.escape(said.row)}</b>: <b>{html.escape(said.caption)}</b></p>"
        f"<p>{mixed}. The nearest in memory:</p>{_table(near)}<p><i>people wrote:</i><br>{references}</p></div>"
    )


def _table(frame: pd.DataFrame) -> str:
    return frame.to_html(index=False, float_format="{:.3f}".format, na_rep="–", border=0)  # escapes its cells


def drop(
    captioners: Mapping[str, Captioner],
    others: Sequence[str] = (),
    told: Callable[[pd.DataFrame], Any] | None = None,
) -> Any:
    """A place in the browser to drop recordings: each is played and described by every captioner (row -> captioner),
    with its confidence against the captions `others` of other recordings, and its nearest captions. `told` gets
    the table as well. Where nobody looks on: a line that says so.

    >>> plots.drop({"projection": captioner})
    """
    if not screen.looked_at():
        return print("Nobody looks on, so there is nothing to drop recordings on: open this notebook in JupyterLab.")
    import ipywidgets

    widgets: Any = ipywidgets
    place = widgets.FileUpload(description="Recordings", multiple=True, layout={"width": "16em"})
    shown = widgets.VBox([])

    def describe(change: Any) -> None:
        shown.children = [part for file in change["new"] for part in _dropped(widgets, file, captioners, others, told)]

    place.observe(describe, "value")
    box = widgets.VBox([place, shown])
    box.place, box.shown = place, shown
    return box


def _dropped(
    widgets: Any, file: Mapping[str, Any], captioners: Mapping[str, Captioner], others: Any, told: Any
) -> list[Any]:
    """What is shown of one file: its name, a player and the table; or why there is none."""
    name = html.escape(printable(file["name"]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(file["name"]).name
        path.write_bytes(bytes(file["content"]))
        try:
            frame, (wave, rate) = play.described(captioners, [path], others), audio.read(path)
        except Exception as error:  # whatever a file raises is told of that file alone
            why = error.reason if isinstance(error, audio.AudioError) else message(error)
            return [widgets.HTML(f"<p {NO_MATH}><b>{name}</b>: {html.escape(why)}</p>")]
    if told:
        told(frame)
    heard = widgets.Audio(value=player(wave, rate).data, format="wav", autoplay=False, loop=False)
    table = _table(frame.drop(columns="recording"))
    return [widgets.HTML(f"<p {NO_MATH}><b>{name}</b></p>"), heard, widgets.HTML(f"<div {NO_MATH}>{table}</div>")]


def hover(maps: Mapping[str, tuple[np.ndarray, np.ndarray]], captions: Sequence[str]) -> None:
    """Shows maps of the two modalities whose dots tell their captions under the pointer; a menu chooses the map.

    maps: name -> (given (n, 2), learned (n, 2)), row i of both belongs to captions[i]. Where nobody looks on nothing is
    shown: the figure beside it is the static one.

    >>> plots.hover({"baseline": (a, t)}, captions)
    """
    if not screen.looked_at():
        return
    hovering(maps, captions).show(renderer="plotly_mimetype")  # the points alone: JupyterLab has the code to draw them


def hovering(maps: Mapping[str, tuple[np.ndarray, np.ndarray]], captions: Sequence[str]) -> Any:
    """The plotly figure of `hover`: two traces a map, of which one map is seen at a time."""
    import plotly.graph_objects as go

    words = ["<br>".join(map(html.escape, wrap(caption, 60))) for caption in captions]
    fig, names = go.Figure(), list(maps)
    for number, (given, learned) in enumerate(maps.values()):
        sides = (("given, from audio", given, AUDIO, "circle"), ("learned, from text", learned, TEXT, "triangle-up"))
        for label, points, colour, symbol in sides:
            x, y = np.asarray(points, np.float32).round(2).T.tolist()
            marker = {"color": colour, "symbol": symbol, "size": 7}
            fig.add_scatter(x=x, y=y, text=words, name=label, mode="markers", marker=marker, visible=number == 0)
    fig.update_traces(hovertemplate="%{text}<extra></extra>")
    seen = [[i // 2 == number for i in range(2 * len(names))] for number in range(len(names))]
    buttons = [{"label": n, "method": "restyle", "args": [{"visible": s}]} for n, s in zip(names, seen, strict=True)]
    bare = {"visible": False}
    fig.update_layout(
        width=720,
        height=480,
        margin={"l": 10, "r": 10, "t": 50, "b": 10},
        plot_bgcolor="white",
        xaxis=bare,
        yaxis=bare,
        legend={"orientation": "h", "y": -0.02},
        font={"color": GREY},
        updatemenus=[{"buttons": buttons, "x": 0, "xanchor": "left", "y": 1.12}],
    )
    return fig
