"""The parts that strategies are named by, each whole in one entry: what it does, what it needs, how it is shown.

First the paper's, then what was published after it. What names are made of them, and what a strategy does, stands in
aaclib.bridge; a part of one's own is added by `bridge.register`.
"""

from __future__ import annotations

from dataclasses import dataclass

from aaclib import beyond, steps
from aaclib.steps import Step


@dataclass(frozen=True)
class Part:
    """A part of a strategy's name, whole: what it does, what it needs, and how it is shown."""

    training: tuple[Step, ...] = ()  # what z_t passes while training, in this order
    noise: tuple[Step, ...] = ()  # at training, before those: what memory text never passes at inference
    inference: tuple[Step, ...] = ()  # what z_a passes at inference
    reads: tuple[str, ...] = ()  # fields of Context that they read at training: these name the decoder
    reads_at_inference: tuple[str, ...] = ()
    hears: str = "text"  # what a training learns from: "text", the target's "audio", or "both"
    lands: str = "audio"  # where an inference part ends: among "text" (a memory's), or still among "audio"
    decoder: bool = True  # whether a control's captions are written by a decoder
    given: str = "audio"  # what a control is given: the clip's "audio", or its "reference"
    colour: str = "#56B4E9"  # of a training, in every figure
    prompt: str = ""  # what a decoder reads before it writes: the nearest "captions" of the memory, or "labels"
    about: str = ""  # one line for a reader
    source: str = ""  # of the steps of a part that was registered from outside: it names its decoders as well


BOUND = "supervised+text"  # the training with paired audio that is given its best
TRAINING: dict[str, Part] = {
    "text": Part(colour="#0072B2"),  # of the rows whose name has no training part
    "noise": Part((), (steps.add_noise,), reads=("sigma",), colour="#D55E00"),
    "shift": Part((steps.add_gap,), reads=("gap",), colour="#009E73"),
    "shift (published)": Part((steps.add_gap,), (steps.add_published_noise,), reads=("gap",), colour="#F0E442"),
    "noise+shift": Part(
        (steps.add_gap,), (steps.add_residual_noise,), reads=("gap", "sigma_without_gap"), colour="#CC79A7"
    ),
    "c3": Part(
        (steps.centre_text,),
        (steps.add_residual_noise,),
        (steps.centre_audio,),
        reads=("text_mean", "sigma_without_gap"),
        reads_at_inference=("audio_mean",),
        colour="#E69F00",
    ),
    "supervised": Part(hears="audio", colour="#5A5A5A"),  # not black, as the intervals are
    # its examples are text and audio, each centred on its own mean already
    BOUND: Part((), (), (steps.centre_on_own_audio,), (), ("own_audio_mean",), hears="both", colour="#8C8C8C"),
    # after the paper
    "realign": Part(
        (beyond.realign_to_audio,),
        reads=("pair_audio", "text_mean", "audio_mean", "memory"),
        colour="#332288",
        about="text given audio's mean and spread while training (ReAlign), by statistics that need no pairs",
    ),
    "procrustes (text)": Part(
        (beyond.turn_to_audio,),
        reads=("pair_audio", "pair_text"),
        colour="#882255",
        about="text turned towards audio while training, as the pairs say",
    ),
    "ridge (text)": Part(
        (beyond.ridge_to_audio,),
        reads=("pair_audio", "pair_text"),
        colour="#44AA99",
        about="text mapped to audio by ridge regression while training",
    ),
    "plshead": Part(
        (beyond.text_axes,),
        (),
        (beyond.audio_axes,),
        reads=("pair_audio", "pair_text", "axes"),
        reads_at_inference=("pair_audio", "pair_text", "axes"),
        colour="#117733",
        about="both modalities by their coordinates on the axes that they share (PLS head of COMET)",
    ),
    "related": Part(
        (), (beyond.to_related,), colour="#999933", about="the embedding of a related caption instead of the own one"
    ),
    "prompt": Part(
        prompt="captions", colour="#661100", about="the nearest captions of the memory stand before the caption (DRCap)"
    ),
    "noise+prompt": Part(
        (), (steps.add_noise,), reads=("sigma",), prompt="captions", colour="#AA4466", about="the same, with noise"
    ),
    "labels+noise": Part(
        (),
        (steps.add_noise,),
        reads=("sigma",),
        prompt="labels",
        colour="#6699CC",
        about="noise, and the nearest sound labels before the caption (SoftHard)",
    ),
}
INFERENCE: dict[str, Part] = {
    "nearest": Part(inference=(steps.to_nearest,), reads_at_inference=("memory",), lands="text"),
    "projection": Part(inference=(steps.to_projection,), reads_at_inference=("memory", "tau"), lands="text"),
    # after the paper
    "back-shift": Part(
        inference=(beyond.take_gap_away,),
        reads_at_inference=("gap",),
        lands="text",
        about="the gap vector taken from the audio embedding, instead of added while training",
    ),
    "back-realign": Part(
        inference=(beyond.realign_to_text,),
        reads_at_inference=("pair_audio", "text_mean", "audio_mean", "memory"),
        lands="text",
        about="ReAlign from audio to text, at inference",
    ),
    "procrustes": Part(
        inference=(beyond.turn_to_text,),
        reads_at_inference=("pair_audio", "pair_text"),
        lands="text",
        about="audio turned towards text, as the pairs say",
    ),
    "ridge": Part(
        inference=(beyond.ridge_to_text,),
        reads_at_inference=("pair_audio", "pair_text"),
        lands="text",
        about="audio mapped to text by ridge regression on the pairs",
    ),
    "mlp": Part(
        inference=(beyond.mlp_to_text,),
        reads_at_inference=("pair_audio", "pair_text"),
        lands="text",
        about="audio mapped to text by ridge regression and a small network on top",
    ),
    "noisy mlp": Part(
        inference=(beyond.noisy_mlp_to_text,),
        reads_at_inference=("pair_audio", "pair_text", "sigma"),
        lands="text",
        about="the same, fitted with noise on the audio side",
    ),
    "projection (top 32)": Part(
        inference=(beyond.to_top_projection,),
        reads_at_inference=("memory", "tau"),
        lands="text",
        about="projection onto the 32 nearest captions alone",
    ),
    "santa": Part(
        inference=(beyond.to_blend,),
        reads_at_inference=("memory",),
        about="audio blended with its neighbours in the nearest cluster of the memory (Santa)",
    ),
}
# rows that are no strategy but tell how to read the others
CONTROLS: dict[str, Part] = {
    "copy": Part(decoder=False, about="the nearest memory caption itself, no decoder"),
    "reconstruction": Part(
        given="reference", about="the decoder on the embedding of a reference, one that no training caption repeats"
    ),
    "look-up": Part(
        decoder=False,
        given="reference",
        about="the memory caption nearest to that embedding, no decoder: what reconstruction has to pass",
    ),
    "shuffled": Part(decoder=False, about="the projection row's captions, each on another clip: chance"),
    "human": Part(
        decoder=False,
        about="each reference against the others of its clip: one reference fewer than the systems have",
    ),
}
