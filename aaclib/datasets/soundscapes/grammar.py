"""Captions: several people's sentences about one scene.

A sentence is built in two steps. Each event becomes a clause ('a dog barks twice'), a progressive one, or a noun phrase
('the distant barking of a dog'), with those attributes that its writer cares to mention; then joints put the events in
their order. All choices are weighted: by the world's style, and by its taste, a fixed preference for single words.
"""

from __future__ import annotations

import re
from bisect import bisect
from functools import cache, lru_cache
from itertools import accumulate
from random import Random

import numpy as np

from aaclib import seeds
from aaclib.datasets.soundscapes.english import finish, gerund, is_plural, join, plural, third, with_adjective
from aaclib.datasets.soundscapes.lexicon import JOINTS, MANY, NUMBER, ONLY, PAUSES, PLURAL, SAID, SEVERAL, TIMES, WORDS
from aaclib.datasets.soundscapes.scenes import DATA_SEED, Event, Scene, weighted
from aaclib.datasets.soundscapes.sounds import CLASSES
from aaclib.datasets.soundscapes.worlds import World, get

HEARER = ("one can hear", "you can hear", "we hear", "someone has recorded", "the microphone picks up")
LOOSE = ("distant", "faraway", "nearby", "loud", "quiet")  # may stand before who makes the sound


class Writer:
    """One person who writes one caption: his own level of detail, the world's taste."""

    def __init__(self, world: World, rng: Random, lean: float = 1.0):
        self.world, self.style, self.rng = world, world.style, rng
        self.detail = min(max(rng.gauss(world.style.detail, 0.2), 0.1), 0.95) * lean

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    def pick(self, options):
        """One of the options, after the world's taste."""
        if len(options) == 1:
            return options[0]
        edges = _edges(self.world.name, self.style.taste, tuple(options))
        return options[bisect(edges, self.rng.random() * edges[-1], 0, len(options) - 1)]

    # ---- one event -------------------------------------------------------------------------------------------------

    def mentioned(self, event: Event) -> list[tuple[str, str]]:
        """The attributes that this writer mentions, in an order of his own."""
        attributes = [(a, getattr(event, a)) for a in ("level", "distance", "speed", "pitch") if getattr(event, a)]
        said = [pair for pair in attributes if self.chance(self.detail)]
        if event.count and self.chance(self.detail * (0.75 if CLASSES[event.kind].counts == (1,) else 1.0)):
            said.append(("count", str(event.count)))
        if event.span and event.role == "main" and self.chance(0.4 * self.detail):
            said.append(("span", event.span))
        self.rng.shuffle(said)
        return said

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
                out.append(self.pick(SAID[attribute, value]["adverbs"]))
        out = out[:3]
        if len(out) > 1 and all(word.endswith("ly") and " " not in word for word in out[:2]):
            out[:2] = [f"{out[0]} and {out[1]}"]
        return out

    def split_said(self, said: list[tuple[str, str]], share: float) -> tuple[str, list[tuple[str, str]]]:
        """One attribute as an adjective, where one can be; the others remain."""
        for i, (attribute, value) in enumerate(said):
            adjectives = SAID.get((attribute, value), {}).get("adjectives")
            if adjectives and self.chance(share):
                return self.pick(adjectives), said[:i] + said[i + 1 :]
        return "", said

    def subject(self, event: Event) -> tuple[str, bool, str]:
        """Subject, whether it is a plural, and a verb that goes with it."""
        entry = WORDS[event.kind]
        who = self.pick(entry.who)
        verb = self.pick(ONLY.get(f"{who}/{event.kind}") or ONLY.get(who) or entry.does)
        return who.lstrip("+"), who.startswith("+"), verb

    def clause(self, event: Event, place: str = "") -> str:
        entry, said = WORDS[event.kind], self.mentioned(event)
        frame = weighted(self.rng, {k: w for k, w in self.style.frames.items() if k != "passive" or entry.done})
        if frame in ("nominal", "there", "hear"):
            return self.nominal(event, frame, said, place)
        if frame == "passive":
            patient, participle = self.pick(entry.done)
            be = self.pick(("are being", "are")) if is_plural(patient) else self.pick(("is being", "is"))
            return join(patient, be, participle, *self.adverbs(said, event), place)
        adjective, said = self.split_said(said, 0.15) if frame != "heard" else ("", said)
        who, many, verb = self.subject(event)
        if adjective in LOOSE and not who.startswith("some"):  # not 'a high dog' or 'a loud someone'
            who = with_adjective(who, adjective)
        elif adjective:
            said = [*said, _back(adjective)]
        adverbs = self.adverbs(said, event)
        if frame == "simple":
            return join(who, verb if many else third(verb), *adverbs, place)
        if frame == "progressive":
            return join(who, "are" if many else "is", gerund(verb), *adverbs, place)
        heard = self.pick(("can be heard", "are heard" if many else "is heard", "could be heard"))
        return join(who, heard, gerund(verb), *adverbs, place)

    def nominal(self, event: Event, frame: str, said: list[tuple[str, str]], place: str) -> str:
        """A clause around a noun phrase."""
        noun, many = self.noun(event, said)
        be = "are" if many else "is"
        if frame == "there":
            return join("there", be, noun, place)
        if frame == "hear":
            return join(self.pick(HEARER), noun, place)
        end = self.pick(("can be heard", f"{be} heard", f"{be} audible", f"{be} present", "can be made out"))
        return join(noun, end, place)

    def noun(self, event: Event, said: list[tuple[str, str]] | None = None) -> tuple[str, bool]:
        """A noun phrase and whether it is a plural."""
        entry = WORDS[event.kind]
        said = self.mentioned(event) if said is None else said
        ways = {"name": 3.0, "doing": 2.5, "sound": 1.5}
        if entry.done:
            ways["done"] = 0.8
        if entry.once and ("count", str(event.count)) in said:
            ways["once"] = 5.0
        way = weighted(self.rng, ways)
        if way == "once":
            return self.counted(event, [s for s in said if s[0] != "count"])
        if way == "name":
            name = self.pick(entry.name)
            adjective, said = self.split_said(said, 0.75)
            text = with_adjective(name, adjective) if adjective else name
            return join(text, *self.adverbs(said, event)), is_plural(name)
        if way == "done":
            patient, participle = self.pick(entry.done)
            return join(patient, "being", participle, *self.adverbs(said, event)), is_plural(patient)
        who, many, verb = self.subject(event)
        if way == "doing":
            return join(who, gerund(verb), *self.adverbs(said, event)), many
        adjective, said = self.split_said(said, 0.6)
        head = self.pick(("the sound of", "the noise of", "sounds of"))
        head = with_adjective(head, adjective) if adjective else head
        return join(head, who, gerund(verb), *self.adverbs(said, event)), head.endswith("sounds of")

    def counted(self, event: Event, said: list[tuple[str, str]]) -> tuple[str, bool]:
        """Three loud barks of a dog."""
        entry = WORDS[event.kind]
        one, _, several = self.pick(entry.once).partition("/")
        vague = event.count >= 3 and self.chance(0.25)
        number = self.pick(MANY if vague else NUMBER[event.count])
        adjective, said = self.split_said(said, 0.75)
        many = event.count > 1
        phrase = join(number, adjective, (several or plural(one)) if many else one)
        source = self.pick(entry.by) if self.chance(0.8) else ""
        return join(phrase, source, *self.adverbs(said, event)), many

    # ---- several events --------------------------------------------------------------------------------------------

    def caption(self, scene: Scene) -> str:
        events = list(scene.events)
        if events[-1].role == "behind" and self.chance(self.style.omit):
            events.pop()
        place = ""
        if scene.room and self.chance(self.style.room):
            place = self.pick(SAID["room", scene.room]["adverbs"])
        front = bool(place) and self.chance(0.3)
        tail = "" if front else place
        mains = [e for e in events if e.role == "main"]
        if len(events) == len(mains):
            text = self.joined(mains, scene.layout, tail)
        else:
            text = self.behind(mains, events[-1], scene.layout, tail)
        if front:
            text = f"{place}, {text}" if self.chance(0.6) else f"{place} {text}"
        return finish(text, self.style.capital, self.style.ending)

    def joined(self, events: list[Event], layout: str, tail: str) -> str:
        if len(events) == 1:
            if self.chance(self.style.nouns):
                return join(self.noun(events[0])[0], tail)
            return self.clause(events[0], tail)
        if len(events) == 3:
            return join(self.fill(self.pick(JOINTS["three"]), **dict(zip("abc", events, strict=True))), tail)
        a, b = events
        if layout == "overlap" and self.chance(0.5):
            a, b = b, a
        nouns = self.chance(0.3 + 0.5 * self.style.nouns)
        after, along = (JOINTS["before_noun"], JOINTS["with_noun"]) if nouns else (JOINTS["before"], JOINTS["with"])
        return join(self.fill(self.pick(after if layout == "sequence" else along), a=a, b=b), tail)

    def behind(self, mains: list[Event], event: Event, layout: str, tail: str) -> str:
        """The main events, and one behind them."""
        if len(mains) > 1:
            joint, text = self.pick(JOINTS["late_behind"]), self.joined(mains, layout, "")
        elif self.chance(self.style.nouns):
            joint, text = self.pick(JOINTS["bare_behind"]), self.noun(mains[0])[0]
        else:
            joint, text = (
                self.pick(JOINTS["behind"] if self.chance(0.3) else JOINTS["behind_noun"]),
                self.clause(mains[0]),
            )
        return join(self.fill(joint, a=text, b=event), tail)

    def fill(self, joint: str, **parts: Event | str) -> str:
        """The joint with a clause for {key} and a noun phrase for {nkey}; a part that is a text stands as it is."""
        texts = {}
        for key, part in parts.items():
            if f"{{{key}}}" in joint:
                texts[key] = part if isinstance(part, str) else self.clause(part)
            if f"{{n{key}}}" in joint and not isinstance(part, str):
                texts[f"n{key}"], many = self.noun(part)
                if many and joint.startswith(f"{{n{key}}}"):
                    joint = re.sub(rf"\b({'|'.join(PLURAL)})\b", lambda m: PLURAL[m[1]], joint)
        return joint.format(**texts)


def captions(scene: Scene, number: int | None = None) -> tuple[str, ...]:
    """What `number` people write about the scene (the world's own number by default), no two of them the same words."""
    world = get(scene.world)
    rng = Random(seeds.derive(DATA_SEED, "soundscapes", "captions", scene.world, scene.split, scene.index))
    number = world.captions[scene.split] if number is None else number
    wanted = rng.randint(1, 3) if number == 0 else number
    sentences: dict[str, str] = {}
    while len(sentences) < wanted:
        text = _fitting(scene, world, rng)
        sentences.setdefault(bare(text), text)
    return tuple(sentences.values())


def _fitting(scene: Scene, world: World, rng: Random, tries: int = 6) -> str:
    """A caption of as many words as the world's writers are asked for (Clotho's: 8 to 20). Who wrote too much says less
    the next time, who wrote too little says more; after some tries the one that came nearest has to do."""
    (least, most), lean, drafts = world.style.words, 1.0, []
    for _ in range(tries):
        text = Writer(world, rng, lean).caption(scene)
        words = text.count(" ") + 1
        if least <= words <= most:
            return text
        drafts.append((max(least - words, words - most), text))
        lean = lean * 0.6 if words > most else min(2.0, lean * 1.6)
    return min(drafts)[1]


def bare(caption: str) -> str:
    """The words alone: lower case, punctuation stripped."""
    return " ".join(re.findall(r"[a-z0-9']+", caption.lower()))


@cache
def _back(adjective: str) -> tuple[str, str]:
    """The attribute that an adjective stands for."""
    return next(key for key, said in SAID.items() if adjective in said.get("adjectives", ()))


@lru_cache(maxsize=8192)
def _edges(world: str, taste: float, options: tuple[str, ...]) -> list[float]:
    """Cumulated weights: log-normal, fixed for a world and a word: a preference holds wherever the word could stand."""
    return list(accumulate(_liking(world, taste, str(o)) for o in options))


@cache
def _liking(world: str, taste: float, option: str) -> float:
    return float(np.exp(seeds.rng(0, "soundscapes", "taste", world, option).normal(0, taste)))
