"""What a page of a paper asks of a figure."""

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from aaclib import plots
from aaclib.plots import style


def check(fig: Figure, name: str) -> None:
    """Column width, no higher than a page, text of 6 to 9 points, nothing outside; or AssertionError with the name."""
    assert fig.get_figwidth() in (plots.SINGLE, plots.DOUBLE) and fig.get_figheight() <= style.PAGE, name
    style.mark(fig)
    with plots.styled():
        fig.draw_without_rendering()
        canvas = FigureCanvasAgg(fig)
        canvas.draw()
        drawn = fig.get_tightbbox(canvas.get_renderer())  # inches, of everything visible
    assert drawn.x0 > -0.01 and drawn.y0 > -0.01, f"{name} leaves the page: {drawn}"
    assert drawn.x1 < fig.get_figwidth() + 0.01 and drawn.y1 < fig.get_figheight() + 0.01, f"{name}: {drawn}"
    for text in fig.findobj(Text):
        assert not text.get_text() or 6 <= text.get_fontsize() <= 9, f"{name}: '{text.get_text()}'"
