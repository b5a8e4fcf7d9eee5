"""Captions: several people's sentences about one scene.

A sentence is built in two steps. Each event becomes a clause ('a dog barks twice'), a progressive one, or a noun phrase
('the distant barking of a dog'), with those attributes that its writer cares to mention; then joints put the events in
their order. All choices are weighted: by the world's style, and by its taste, a fixed preference for single words.
"""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np

from aaclib import seeds
from aaclib.datasets.soundscapes.lexicon import MANY, NUMBER, ONLY, PAUSES, SAID, SEVERAL, TIMES, WORDS
from aaclib.datasets.soundscapes.scenes import DATA_SEED, Event, Scene
from aaclib.datasets.soundscapes.sounds import CLASSES
from aaclib.datasets.soundscapes.worlds import World, get

DOUBLED = {"chug", "drum", "hum", "run", "snap", "strum", "tap", "rap", "yap", "shut", "sit", "trot", "clop", "chop", "drip", "rev", "get", "cut", "drop", "slam", "pop", "step"}
BEFORE = ("{a}, then {b}", "{a} and then {b}", "{a} before {b}", "first {a}, then {b}", "{a}, and afterwards {b}",
          "{a}, after which {b}", "{a}, and after that {b}", "first {a} and next {b}", "{a}, and finally {b}", "{a} until {b}")
BEFORE_NOUN = ("{a} followed by {nb}", "{a}, followed by {nb}", "after {na}, {b}", "{a}, then {nb}", "{b} after {na}",
               "following {na}, {b}", "{a}, and then {nb}", "{na}, then {nb}", "{na} and then {nb}", "{na} is followed by {nb}",
               "{na} gives way to {nb}", "{na} comes before {nb}", "{na}, with {nb} after it", "{nb} comes after {na}")
WITH = ("{a} while {b}", "{a} as {b}", "{a} and {b} at the same time", "{a}, and meanwhile {b}", "while {a}, {b}", "as {a}, {b}",
        "at the same time {a} and {b}", "{a} and {b} at once", "{a}, while at the same time {b}")
WITH_NOUN = ("{a} along with {nb}", "{a} together with {nb}", "{na} and {nb} at the same time", "{na} mixed with {nb}",
             "both {na} and {nb}", "{a} during {nb}", "{na} mixes with {nb}", "{na} over {nb}", "{a} amid {nb}", "{a}, joined by {nb}")
BEHIND = ("{a} while {b} in the background", "{a} as {b} in the background", "in the background {b} while {a}", "{a}, and {b} behind it")
BEHIND_NOUN = ("{a} with {nb} in the background", "{nb} in the background as {a}", "with {nb} in the background, {a}",
               "{a} against a background of {nb}", "{a} over {nb} in the background", "{a}, with {nb} behind it",
               "behind it all is {nb} as {a}", "{a}, accompanied by {nb} in the background", "{a} in front of {nb}")


class Writer:
    """One person who writes one caption: his own level of detail, the world's taste."""

    def __init__(self, world: World, rng: np.random.Generator):
        self.world, self.style, self.rng = world, world.style, rng
        self.detail = float(np.clip(rng.normal(world.style.detail, 0.2), 0.1, 0.95))

    def chance(self, p: float) -> bool:
        return bool(self.rng.uniform() < p)

    def pick(self, options):
        """One of the options, after the world's taste."""
        if len(options) == 1:
            return options[0]
        edges = _edges(self.world.name, self.style.taste, tuple(options))
        return options[int(np.searchsorted(edges, self.rng.uniform() * edges[-1]))]

    def weighted(self, weights: dict[str, float]) -> str:
        edges = np.cumsum(list(weights.values()))
        return list(weights)[int(np.searchsorted(edges, self.rng.uniform() * edges[-1]))]

    # ---- one event -------------------------------------------------------------------------------------------------

    def mentioned(self, event: Event) -> list[tuple[str, str]]:
        """The attributes that this writer mentions, in an order of his own."""
        found = [(a, getattr(event, a)) for a in ("level", "distance", "speed", "pitch") if getattr(event, a)]
        said = [pair for pair in found if self.chance(self.detail)]
        if event.count and self.chance(0.75 * self.detail if event.count == 1 and max(CLASSES[event.kind].counts) == 1 else self.detail):
            said.append(("count", str(event.count)))
        if event.span and event.role == "main" and self.chance(0.4 * self.detail):
            said.append(("span", event.span))
        self.rng.shuffle(said)
        return [(str(a), str(v)) for a, v in said]

    def adverbs(self, said: list[tuple[str, str]], event: Event) -> list[str]:
        """At most three."""
        out = []
        for attribute, value in said:
            if attribute == "count":
                count = int(value)
                out.append(self.pick(SEVERAL if count >= 3 and self.chance(0.25) else TIMES[count]))
            elif attribute == "speed" and event.count and self.chance(0.5):
                out.append(self.pick(PAUSES[value]))
            else:
                out.append(self.pick(SAID[attribute, value][0]))
        return out[:3]

    def split_said(self, said: list[tuple[str, str]], share: float) -> tuple[str, list[tuple[str, str]]]:
        """One attribute as an adjective, where one can be; the others remain."""
        for i, (attribute, value) in enumerate(said):
            adjectives = SAID.get((attribute, value), ((), ()))[1]
            if adjectives and self.chance(share):
                return self.pick(adjectives), said[:i] + said[i + 1:]
        return "", said

    def subject(self, event: Event) -> tuple[str, bool, str]:
        """Subject, whether it is a plural, and a verb that goes with it."""
        entry = WORDS[event.kind]
        who = self.pick(entry.who)
        verb = self.pick(ONLY.get(f"{who}/{event.kind}") or ONLY.get(who) or entry.does)
        return who.lstrip("+"), who.startswith("+"), verb

    def clause(self, event: Event, place: str = "") -> str:
        entry, said = WORDS[event.kind], self.mentioned(event)
        frames = {k: w for k, w in self.style.frames.items() if k != "passive" or entry.done}
        frame = self.weighted(frames)
        if frame in ("nominal", "there", "hear"):
            return self.nominal(event, frame, said, place)
        if frame == "passive":
            patient, participle = self.pick(entry.done)
            many = patient.endswith("s") and not patient.startswith("a ")
            be = self.pick(("are being", "are")) if many else self.pick(("is being", "is"))
            return _join(patient, be, participle, *self.adverbs(said, event), place)
        adjective, said = self.split_said(said, 0.15) if frame != "heard" else ("", said)
        who, many, verb = self.subject(event)
        if adjective and not who.startswith("some"):
            if _loose(adjective):                      # 'a distant dog', never 'a high dog' or 'a quick someone'
                who = _with(who, adjective)
            else:
                said = said + [_back(adjective)]
        elif adjective:
            said = said + [_back(adjective)]
        adverbs = self.adverbs(said, event)
        if frame == "simple":
            return _join(who, verb if many else third(verb), *adverbs, place)
        if frame == "progressive":
            return _join(who, "are" if many else "is", gerund(verb), *adverbs, place)
        heard = self.pick(("can be heard", "are heard" if many else "is heard", "could be heard"))
        return _join(who, heard, gerund(verb), *adverbs, place)

    def nominal(self, event: Event, frame: str, said: list[tuple[str, str]], place: str) -> str:
        """A clause around a noun phrase."""
        noun, many = self.noun(event, said)
        if frame == "there":
            return _join("there", "are" if many else "is", noun, place)
        if frame == "hear":
            return _join(self.pick(("one can hear", "you can hear", "we hear", "someone has recorded", "the microphone picks up")), noun, place)
        end = self.pick(("can be heard", "are heard" if many else "is heard", "are audible" if many else "is audible",
                         "sound" if many else "sounds", "go on" if many else "goes on", "occur" if many else "occurs"))
        return _join(noun, end, place)

    def noun(self, event: Event, said: list[tuple[str, str]] | None = None) -> tuple[str, bool]:
        """A noun phrase and whether it is a plural."""
        entry = WORDS[event.kind]
        said = self.mentioned(event) if said is None else said
        ways = {"name": 3.0, "doing": 2.5, "sound": 1.5}
        if entry.done:
            ways["done"] = 0.8
        if entry.once and ("count", str(event.count)) in said:
            ways["once"] = 5.0
        way = self.weighted(ways)
        if way == "once":
            return self.counted(event, [s for s in said if s[0] != "count"])
        if way == "name":
            name = self.pick(entry.name)
            adjective, said = self.split_said(said, 0.75)
            text = _with(name, adjective) if adjective else name
            return _join(text, *self.adverbs(said, event)), _plural(name)
        if way == "done":
            patient, participle = self.pick(entry.done)
            return _join(patient, "being", participle, *self.adverbs(said, event)), patient.endswith("s") and not patient.startswith("a ")
        who, many, verb = self.subject(event)
        if way == "doing":
            return _join(who, gerund(verb), *self.adverbs(said, event)), many
        adjective, said = self.split_said(said, 0.6)
        head = self.pick(("the sound of", "the noise of", "sounds of"))
        head = _with(head, adjective) if adjective else head
        return _join(head, who, gerund(verb), *self.adverbs(said, event)), head.endswith("sounds of")

    def counted(self, event: Event, said: list[tuple[str, str]]) -> tuple[str, bool]:
        """Three loud barks of a dog."""
        entry = WORDS[event.kind]
        one, _, several = self.pick(entry.once).partition("/")
        vague = event.count >= 3 and self.chance(0.25)
        number = self.pick(MANY if vague else NUMBER[event.count])
        adjective, said = self.split_said(said, 0.75)
        many = event.count > 1
        phrase = _join(number, adjective, (several or _plural_of(one)) if many else one)
        source = self.pick(entry.by) if self.chance(0.8) else ""
        return _join(phrase, source, *self.adverbs(said, event)), many

    # ---- several events ----------------------------------------------------------------------------------------------

    def caption(self, scene: Scene) -> str:
        events = list(scene.events)
        if events[-1].role == "behind" and self.chance(self.style.omit):
            events.pop()
        place = ""
        if scene.room and self.chance(self.style.room):
            place = self.pick(SAID["room", scene.room][0])
        front = bool(place) and self.chance(0.3)
        tail = "" if front else place
        mains = [e for e in events if e.role == "main"]
        text = self.joined(mains, scene.layout, tail if len(events) == len(mains) else "")
        if len(events) > len(mains):
            text = self.behind(text, events[-1], mains, tail)
        if front:
            text = f"{place}, {text}" if self.chance(0.6) else f"{place} {text}"
        return _finish(text, self.style)

    def joined(self, events: list[Event], layout: str, tail: str) -> str:
        if len(events) == 1:
            if self.chance(self.style.nouns):
                return _join(self.noun(events[0])[0], tail)
            return self.clause(events[0], tail)
        if len(events) == 3:
            return self.three(events, tail)
        a, b = events
        if layout == "overlap" and self.chance(0.5):
            a, b = b, a
        nouns = self.chance(0.3 + 0.5 * self.style.nouns)
        joints = {("sequence", False): BEFORE, ("sequence", True): BEFORE_NOUN, ("overlap", False): WITH, ("overlap", True): WITH_NOUN}
        return _join(self.fill(self.pick(joints[layout, nouns]), a, b), tail)

    def fill(self, joint: str, a: Event, b: Event) -> str:
        parts = {}
        for key, event in (("a", a), ("b", b)):
            if f"{{{key}}}" in joint:
                parts[key] = self.clause(event)
            if f"{{n{key}}}" in joint:
                parts[f"n{key}"], many = self.noun(event)
                if many and joint.startswith(f"{{n{key}}}"):
                    joint = re.sub(r"\b(is followed|gives|comes|mixes)\b", lambda m: _MANY[m[1]], joint)
        return joint.format(**parts)

    def three(self, events: list[Event], tail: str) -> str:
        a, b, c = events
        joint = self.pick(("{a}, then {b}, and finally {c}", "first {a}, then {b}, then {c}", "{a}, {b}, and then {c}",
                           "{a}, followed by {nb} and then {nc}", "{na}, then {nb}, then {nc}", "after {na}, {b}, and then {c}",
                           "{a} before {b}, and then {c}", "{na}, {nb} and finally {nc}", "{a}, then {b} and at the end {c}",
                           "{na} followed by {nb} and {nc}"))
        parts = {}
        for key, event in zip("abc", (a, b, c), strict=True):
            if f"{{{key}}}" in joint:
                parts[key] = self.clause(event)
            if f"{{n{key}}}" in joint:
                parts[f"n{key}"] = self.noun(event)[0]
        return _join(joint.format(**parts), tail)

    def behind(self, text: str, event: Event, mains: list[Event], tail: str) -> str:
        joint = self.pick(BEHIND if self.chance(0.3) else BEHIND_NOUN)
        if len(mains) > 1 and joint.startswith(("in the background", "{nb}", "behind")):
            joint = "{a}, with {nb} in the background"
        if "{nb}" in joint:
            return _join(joint.format(a=text, nb=self.noun(event)[0]), tail)
        return _join(joint.format(a=text, b=self.clause(event)), tail)


_MANY = {"is followed": "are followed", "gives": "give", "comes": "come", "mixes": "mix"}


def captions(scene: Scene, number: int | None = None, seed: int = DATA_SEED) -> tuple[str, ...]:
    """What `number` people write about the scene (the world's own number by default), no two of them the same words."""
    world = get(scene.world)
    rng = seeds.rng(seed, "soundscapes", "captions", scene.world, scene.split, scene.index)
    number = world.captions[scene.split] if number is None else number
    wanted = int(rng.integers(1, 4)) if number == 0 else number
    found: dict[str, str] = {}
    while len(found) < wanted:
        text = Writer(world, rng).caption(scene)
        found.setdefault(bare(text), text)
    return tuple(found.values())


def bare(caption: str) -> str:
    """The words alone: lower case, punctuation stripped."""
    return " ".join(re.findall(r"[a-z0-9']+", caption.lower()))


def third(verb: str) -> str:
    """Third person of a verb with what follows it: 'bang shut' -> 'bangs shut', 'pop and crackle' -> 'pops and crackles'."""
    return _inflect(verb, _third)


def gerund(verb: str) -> str:
    """'bang shut' -> 'banging shut'."""
    return _inflect(verb, _gerund)


def _inflect(verb: str, how) -> str:
    words = verb.split()
    words[0] = how(words[0])
    if "and" in words[:-1] and len(words) == 3:         # two verbs, not a verb and its object
        words[2] = how(words[2])
    return " ".join(words)


def _third(word: str) -> str:
    if word.endswith(("s", "sh", "ch", "x", "z", "go")):
        return word + "es"
    return word[:-1] + "ies" if word.endswith("y") and word[-2] not in "aeiou" else word + "s"


def _gerund(word: str) -> str:
    if word in DOUBLED:
        return word + word[-1] + "ing"
    return word[:-1] + "ing" if word.endswith("e") and not word.endswith("ee") else word + "ing"


def _plural_of(word: str) -> str:
    if word.endswith(("by", "lt")):                     # drive by
        return word
    return _third(word)


def _plural(name: str) -> bool:
    """Whether a noun phrase takes 'are': its last word before any 'of', 'on' or 'with' ends in a plural s."""
    head = re.split(r" (?:of|on|with|in) ", name)[0].split()
    return head[0] not in ("a", "an") and (head[-1].endswith("s") and head[-1] not in ("glass", "surf") or head[-1] == "people")


def _with(phrase: str, adjective: str) -> str:
    """The adjective behind the article: 'a dog bark' -> 'a distant dog bark', 'an old gate' -> 'a quiet old gate'."""
    first, _, rest = phrase.partition(" ")
    if first in ("a", "an"):
        return f"{'an' if adjective[0] in 'aeiou' else 'a'} {adjective} {rest}"
    if first in ("the", "many", "several", "some"):
        return f"{first} {adjective} {rest}"
    return f"{adjective} {phrase}"


def _loose(adjective: str) -> bool:
    """Adjectives that may stand before who makes the sound."""
    return adjective in ("distant", "faraway", "nearby", "loud", "noisy", "quiet")


@lru_cache
def _back(adjective: str) -> tuple[str, str]:
    """The attribute that an adjective stands for."""
    return next(key for key, (_, adjectives) in SAID.items() if adjective in adjectives)


@lru_cache(maxsize=8192)
def _edges(world: str, taste: float, options: tuple[str, ...]) -> np.ndarray:
    """Cumulated weights: log-normal, fixed for a world and a word, so that a preference holds wherever the word could stand."""
    return np.cumsum([np.exp(seeds.rng(0, "soundscapes", "taste", world, str(o)).normal(0, taste)) for o in options])


def _join(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _finish(text: str, style) -> str:
    text = " ".join(text.split())
    return (text[0].upper() + text[1:] if style.capital else text) + style.ending
