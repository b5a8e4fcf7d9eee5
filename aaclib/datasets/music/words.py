"""What people write about a piece of music, and what a caption says: a small grammar and its way back."""

from __future__ import annotations

import random

from aaclib.datasets.music.pieces import Piece
from aaclib.datasets.soundscapes.english import finish, join
from aaclib.text import letters

# instrument -> its names, and who plays it
NAMES = {
    "piano": (("piano", "grand piano"), ("a pianist", "someone at the piano")),
    "flute": (("flute",), ("a flautist", "somebody on the flute")),
    "violin": (("violin", "fiddle"), ("a violinist", "a fiddle")),
    "guitar": (("guitar", "acoustic guitar"), ("a guitarist", "a guitar")),
    "trumpet": (("trumpet",), ("a trumpeter", "a trumpet")),
    "organ": (("organ", "church organ"), ("an organist", "an organ")),
    "bells": (("glockenspiel", "set of bells"), ("a glockenspiel", "someone on the bells")),
}
BESIDE = {
    "drums": ("with drums", "over a drum beat", "accompanied by drums", "with percussion"),
    "bass": ("with a bass", "over a bass line", "accompanied by a bass"),
    "strings": ("with strings", "over sustained strings", "accompanied by an orchestra of strings"),
}
ADJECTIVES = {
    "slow": ("slow", "leisurely", "unhurried"),
    "moderate": ("steady", "moderate"),
    "fast": ("fast", "quick", "lively"),
    "major": ("happy", "cheerful", "bright"),
    "minor": ("sad", "melancholy", "dark"),
    "soft": ("soft", "gentle", "quiet"),
    "loud": ("loud", "powerful"),
}
ADVERBS = {
    "slow": ("slowly", "at a slow tempo"),
    "moderate": ("at a moderate tempo", "at a steady pace"),
    "fast": ("quickly", "at a fast tempo", "in a rapid tempo"),
    "major": ("in a major key", "in major"),
    "minor": ("in a minor key", "in minor"),
    "soft": ("softly", "quietly"),
    "loud": ("loudly", "with great force"),
    "rising": ("getting louder", "growing louder and louder", "in a crescendo"),
    "falling": ("fading away", "getting quieter", "growing fainter"),
}
TUNES = ("melody", "tune", "piece", "song", "theme")
FRAMES = (
    "{a} {tune} on the {name} {beside} {adverbs}",
    "{who} plays {a} {tune} {beside} {adverbs}",
    "{a} {tune} is played on the {name} {beside} {adverbs}",
    "{adjectives} {name} music {beside} {adverbs}",
    "the {name} plays {adverbs} {beside}",
    "music for {name} {beside} {adverbs}",
)
# attribute -> value -> the words that say it
TELLING = {
    "instrument": {
        "piano": {"piano", "pianist"},
        "flute": {"flute", "flautist"},
        "violin": {"violin", "fiddle", "violinist"},
        "guitar": {"guitar", "guitarist"},
        "trumpet": {"trumpet", "trumpeter"},
        "organ": {"organ", "organist"},
        "bells": {"glockenspiel", "bells"},
        "drums": {"drums", "drum", "percussion"},
        "bass": {"bass"},
        "strings": {"strings"},
    },
    "tempo": {
        "slow": {"slow", "slowly", "leisurely", "unhurried"},
        "moderate": {"moderate", "steady"},
        "fast": {"fast", "quick", "quickly", "lively", "rapid"},
    },
    "mode": {"major": {"major", "happy", "cheerful", "bright"}, "minor": {"minor", "sad", "melancholy", "dark"}},
    "dynamics": {
        "soft": {"soft", "softly", "gentle", "quiet", "quietly"},
        "loud": {"loud", "loudly", "powerful", "force"},
        "rising": {"louder", "crescendo"},
        "falling": {"fading", "quieter", "fainter"},
    },
}


def captions(piece: Piece, number: int, detail: float, seed: int) -> tuple[str, ...]:
    """What `number` people write, no two of them the same; each attribute that they could mention they mention with
    the probability `detail`."""
    rng, written = random.Random(seed), {}
    while len(written) < number:
        written.setdefault(_caption(piece, detail, rng), None)
    return tuple(written)


def _caption(piece: Piece, detail: float, rng: random.Random) -> str:
    frame = rng.choice(FRAMES)
    said = [value for value in (piece.tempo, piece.mode, piece.dynamics) if rng.random() < detail]
    rng.shuffle(said)
    room = 2 if "{a}" in frame or "{adjectives}" in frame else 0
    first = [value for value in said if value in ADJECTIVES and rng.random() < 0.6][:room]
    adjectives = " ".join(rng.choice(ADJECTIVES[value]) for value in first)
    adverbs = " and ".join(rng.choice(ADVERBS[value]) for value in said if value not in first)
    names, players = NAMES[piece.lead]
    tune = rng.choice(TUNES)
    beside = rng.choice(BESIDE[piece.beside]) if piece.beside and rng.random() < (1 + detail) / 2 else ""
    article = "an" if (adjectives or tune)[0] in "aeiou" else "a"
    text = frame.format(
        a=join(article, adjectives),
        adjectives=adjectives,
        tune=tune,
        name=rng.choice(names),
        who=rng.choice(players),
        beside=beside,
        adverbs=adverbs,
    )
    return finish(text, True, ".")


def named(caption: str) -> dict[str, set[str]]:
    """Attribute -> the values that a caption says.

    >>> named("A slow tune on the piano, in a minor key")
    {'instrument': {'piano'}, 'tempo': {'slow'}, 'mode': {'minor'}, 'dynamics': set()}
    """
    words = set(letters(caption))
    return {about: {value for value, ways in values.items() if ways & words} for about, values in TELLING.items()}
