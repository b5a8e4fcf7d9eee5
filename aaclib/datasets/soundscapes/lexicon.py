"""Which words go together, and the words for attributes; those for the sounds themselves are in words.py."""

from __future__ import annotations

from aaclib.datasets.soundscapes.words import WORDS, split

__all__ = ["MANY", "NUMBER", "ONLY", "PAUSES", "SAID", "SEVERAL", "TIMES", "WORDS"]

# A subject that does not go with every verb of its class: subject -> the verbs it takes.
ONLY = {
    "a shower of rain": ("fall", "pour down", "come down"),
    "the sea": ("break on the shore", "surge", "wash ashore"),
    "a tap": ("drip", "drip into a sink", "leak"),
    "a leaky faucet": ("drip", "drip into a sink", "leak"),
    "+water drops": ("drip", "drip into a sink", "drop into a bucket"),
    "a driver": ("honk", "toot", "honk the horn"),
    "an angry driver": ("honk", "toot", "honk the horn"),
    "a car horn": ("honk", "beep", "toot"),
    "a hammer": ("pound on a nail", "strike metal"),
    "a hand saw": ("saw", "cut a board", "saw through a plank"),
    "a door": ("slam", "bang shut", "slam shut"),
    "a heavy door": ("slam", "bang shut", "slam shut"),
    "a wooden door": ("slam", "bang shut", "slam shut"),
    "someone/door": ("shut a door",),
    "someone with a vacuum cleaner": ("suck up dust", "clean a carpet"),
    "a worker with a drill": ("drill into a wall", "bore a hole"),
    "a piano": ("play", "play notes"),
    "a siren": ("wail", "blare", "wail up and down"),
    "glass": ("shatter", "break", "smash", "fall and break into pieces"),
    "a smoke detector": ("beep", "go off", "bleep", "sound beeps"),
    "+hooves": ("clop on the pavement", "clatter past"),
    "a drum kit": ("play",),
    "+rotor blades": ("whir", "chop the air"),
    "a bull": ("moo", "bellow", "moo in a field"),
    "+train wheels": ("clatter over the rails", "rattle along the tracks", "clack past"),
}

# ---- attributes: (adverbials, adjectives) by attribute and value ---------------------------------------------------

SAID = {
    said: (split(adverbs), split(adjectives))
    for said, (adverbs, adjectives) in {
        ("level", "loud"): (
            "loudly, noisily, very loudly, at full volume, at high volume, forcefully",
            "loud, very loud, strong",
        ),
        ("level", "faint"): (
            "faintly, softly, quietly, very quietly, at low volume, barely audibly",
            "faint, soft, quiet, barely audible",
        ),
        ("distance", "far"): (
            "in the distance, far away, from afar, a long way off, far off, at a distance",
            "distant, faraway, far off",
        ),
        ("distance", "near"): (
            "nearby, close by, up close, at close range, right here, close to the microphone",
            "nearby, close",
        ),
        ("speed", "fast"): ("rapidly, quickly, fast, at a fast pace, at high speed, swiftly", "rapid, fast, quick"),
        ("speed", "slow"): (
            "slowly, at a slow pace, at a leisurely pace, unhurriedly, very slowly, at low speed",
            "slow, unhurried",
        ),
        ("pitch", "high"): (
            "at a high pitch, in a high tone, shrilly, in a high register, with a high sound",
            "high pitched, shrill, high",
        ),
        ("pitch", "low"): (
            "at a low pitch, in a low tone, deeply, in a low register, with a deep sound",
            "low pitched, deep, low",
        ),
        ("span", "whole"): (
            "continuously, without stopping, the whole time, constantly, steadily, without a break, on and on",
            "continuous, steady, constant",
        ),
        ("span", "part"): (
            "for a while, for a moment, briefly, for some time, for a short time, for a few seconds",
            "brief, short",
        ),
        ("room", "hall"): (
            "in a large room, in an echoing hall, indoors, inside a big hall, with a strong echo, "
            "with long reverberation, in an empty hall, in a reverberant space, inside a large building",
            "",
        ),
        ("room", "outdoors"): (
            "outdoors, outside, in the open air, out in the open, in the open, under the open sky",
            "",
        ),
    }.items()
}
PAUSES = {
    "fast": ("in quick succession", "with hardly a pause", "one right after another"),
    "slow": ("with long pauses", "at long intervals", "with pauses in between"),
}
TIMES = {
    1: ("once", "a single time", "one time", "just once"),
    2: ("twice", "two times", "two times in a row"),
    3: ("three times", "three times in a row"),
    4: ("four times", "four times in a row"),
    5: ("five times", "five times in a row"),
}
SEVERAL = ("several times", "repeatedly", "again and again", "over and over", "a few times")
NUMBER = {1: ("a single", "one"), 2: ("two", "a pair of"), 3: ("three",), 4: ("four",), 5: ("five",)}
MANY = ("several", "a few", "repeated", "a series of")
