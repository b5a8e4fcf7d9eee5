"""Caption metrics: one a module, one shape of result, and `evaluate` for all of them at once."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Any

import pandas as pd

from aaclib import aggregates, lost, own
from aaclib.cache import Cache, key
from aaclib.metrics import ptb
from aaclib.metrics.registered import Registered, register
from aaclib.metrics.result import InputError, Lost, MetricError, Result, Scores, Unavailable, packed, unpacked
from aaclib.store import VERSIONS, Store

__all__ = [
    "NAMES",
    "OPTIONAL",
    "STANDARD",
    "Lost",
    "MetricError",
    "Result",
    "Scores",
    "Unavailable",
    "close",
    "evaluate",
    "identity",
    "register",
]

STANDARD = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "meteor", "rouge_l", "cider_d", "spice", "spider")
OPTIONAL = ("sbert_sim", "fer", "fense", "spider_fl")  # need models of their own
NAMES = STANDARD + OPTIONAL

# module -> its metrics; the slow ones first, because each of them has a process of its own that works meanwhile
MODULES = {
    "meteor": ("meteor",),
    "spice": ("spice",),
    "bleu": STANDARD[:4],
    "rouge_l": ("rouge_l",),
    "cider_d": ("cider_d",),
    "sbert_sim": ("sbert_sim",),
    "fer": ("fer",),
}
OWN_PROCESS = ("meteor", "spice")
RAW = ("sbert_sim", "fer")  # take captions as written, not tokens
COMBINED = {"spider": ("cider_d", "spice"), "fense": ("sbert_sim", "fer"), "spider_fl": ("spider", "fer")}


def evaluate(
    candidates: Sequence[str],
    references: Sequence[Sequence[str]],
    metrics: Iterable[str] | None = None,
    tokenize: bool = True,
    store: Store | None | bool = None,
    strict: bool = True,
    cluster: str = "",
) -> Scores:
    """Scores one candidate caption per clip against the clip's references (one or more).

    metrics: names of `NAMES` or of `register`; what was asked for and cannot run raises, or with strict=False is listed
    with its reason in `Scores.missing`. None: everything that can run here, and `Scores.missing` says why the rest is
    absent; what a crash took of it is said on the console, too, and in a run makes the stage run again.
    tokenize: False for text that went through the PTB tokenizer already (doing it twice changes some of it).
    store: where results are kept by content; None is the project's cache, False keeps nothing.
    cluster: as the setting (`aaclib.cluster`), whose workers parse for SPICE; "" = this machine.
    A clip that a metric cannot score is NaN in `per_clip`, and the corpus value is absent with the reason.
    An empty candidate is a caption that says nothing: it is scored (0) and noted.
    Raises InputError (a ValueError) for unequal lengths or a clip without references, MetricError (Unavailable where
    something is not installed, Lost where a process died) for a metric asked for by name. Values are fractions; CIDEr-D
    runs to 10.

        evaluate(["a dog barks"], [["a dog is barking", "a dog barks"]], ["bleu_1"]).corpus      # bleu_1: nearly 1
    """
    candidates, references = check(candidates, references)
    known = (*NAMES, *own.METRICS)
    wanted = list(dict.fromkeys(known if metrics is None else metrics))
    if unknown := [name for name in wanted if name not in known]:
        raise InputError(f"Unknown metric '{unknown[0]}'. Known: {', '.join(known)}.")
    kept = None if store is False else store if isinstance(store, Store) else Store()
    run = _Run(candidates, references, tokenize, kept, cluster)
    run.compute(_modules(wanted))
    if strict and metrics is not None and (broken := [name for name in wanted if name in run.errors]):
        raise run.errors[broken[0]]
    run.tell(wanted)
    return run.scores(wanted)


def kept(candidates: Sequence[str], references: Sequence[Sequence[str]], metrics: Iterable[str], store: Store) -> bool:
    """Whether the store has all that `evaluate` would compute here, but for what cannot be computed."""
    run = _Run(*check(candidates, references), True, store)
    keys = [run._try([module], lambda module=module: run._key(module)) for module in _modules(metrics)]
    return set(filter(None, keys)) <= run.cache.get(filter(None, keys)).keys()


def close() -> None:
    """Ends the processes of METEOR and SPICE, which hold up to 3 GB; the next evaluation starts them again. Where none
    runs, it does nothing."""
    for module in OWN_PROCESS:
        _module(module).worker().stop()


def identity(module: str, tokenize: bool = True) -> dict[str, Any]:
    """What decides a module's values beside the captions: code versions, packages and models, each module's and the
    tokenizer's own statement. Raises Unavailable where a model is not here.

        identity("rouge_l", tokenize=False)      # {'scores': 1}
    """
    tokens = ptb.identity() if tokenize and not _raw(module) else {}
    return {"scores": VERSIONS["scores"], **tokens, **_module(module).identity()}


def check(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """The n captions and n lists of references as lists, or InputError naming the clip (by its position) that cannot be
    scored: no text, or no reference.

        check(("a dog",), [("a dog barks",)])      # (['a dog'], [['a dog barks']])
    """
    candidates, references = list(candidates), list(references)
    if len(candidates) != len(references):
        raise InputError(f"{len(candidates)} candidates but references of {len(references)} clips; as many are needed.")
    if not candidates:
        raise InputError("There is nothing to score: no candidates.")
    for i, (candidate, refs) in enumerate(zip(candidates, references, strict=True)):
        if not isinstance(candidate, str):
            raise InputError(f"Clip {i}: the candidate is {candidate!r}, not text.")
        if isinstance(refs, str) or not all(isinstance(r, str) for r in refs):
            raise InputError(f"Clip {i}: the references must be a list of texts, found {refs!r}.")
        if not any(r.strip() for r in refs):
            raise InputError(f"Clip {i}: no reference caption ('{candidate[:60]}').")
    return candidates, [list(refs) for refs in references]


def _modules(wanted: Iterable[str]) -> list[str]:
    """The modules behind these metrics, in the order to start them."""
    names = set(wanted)
    for name, parts in reversed(COMBINED.items()):  # spider_fl first: it is made of spider
        names |= set(parts) if name in names else set()
    return [module for module in (*MODULES, *own.METRICS) if names & set(_made(module))]


class _Run:
    """One evaluation: what came out of each metric, and what went wrong."""

    def __init__(
        self, candidates: list[str], references: list[list[str]], tokenize: bool, store: Store | None, cluster: str = ""
    ):
        self.candidates, self.references, self.tokenize, self.store = candidates, references, tokenize, store
        self.cluster = {"spice": {"cluster": cluster}} if cluster else {}
        self.cache = Cache("scores", store)
        self.content = key(tokenize, candidates, references).hex()
        self.before = lost.noted()  # not tried again: the stage will run once more
        self.results: dict[str, Result] = {}
        self.errors: dict[str, MetricError] = {}

    def compute(self, modules: list[str]) -> None:
        keys = {module: self._try([module], lambda module=module: self._key(module)) for module in modules}
        blobs = self.cache.get(filter(None, keys.values()))
        for blob in blobs.values():
            self.results |= unpacked(blob)
        todo = [module for module, its in keys.items() if its and its not in blobs]
        for module in todo:
            if why := self.before.get(_made(module)[0]):
                self._fail([module], Lost(why))
        todo = [module for module in todo if module not in self.errors]
        if "meteor" in todo:  # its 10 s of start-up pass while captions are tokenised
            self._try(["meteor"], _module("meteor").warm_up)
        tokens = self._tokens([m for m in todo if not _raw(m) and m not in self.errors])
        todo = [m for m in todo if m not in self.errors]
        with ThreadPoolExecutor(len(OWN_PROCESS)) as pool:
            waiting = [pool.submit(self._run, module, tokens) for module in todo if module in OWN_PROCESS]
            try:
                for module in todo:
                    if module not in OWN_PROCESS:
                        self._run(module, tokens)
                for future in waiting:
                    future.result()
            except BaseException:
                _interrupt(waiting)
                raise
        self._combine()

    def _tokens(self, modules: list[str]) -> tuple[list[str], list[list[str]]] | None:
        if not modules or not self.tokenize:
            return self.candidates, self.references
        flat = self.candidates + [r for refs in self.references for r in refs]
        tokens = self._try(modules, lambda: iter(ptb.tokenise(flat, self.store)))
        return tokens and (
            [next(tokens) for _ in self.candidates],
            [[next(tokens) for _ in refs] for refs in self.references],
        )

    def _run(self, module: str, tokens: Any) -> None:
        captions = (self.candidates, self.references) if _raw(module) else tokens
        kept = {"store": self.store} if module in OWN_PROCESS else {}  # they keep single captions as well
        kept |= self.cluster.get(module, {})
        made = self._try([module], lambda: _module(module).compute(*captions, **kept)) or {}
        self.results |= made
        if made and not any(result.failures for result in made.values()):
            self.cache.put({self._key(module): packed(made)})  # by now a model of the hub is here, and known

    def _try(self, modules: list[str], action: Callable[[], Any]) -> Any:
        """What `action` returns; None where it fails, and these modules and their metrics with it."""
        try:
            return action()
        except MetricError as error:
            return self._fail(modules, error)

    def _fail(self, modules: list[str], error: MetricError) -> None:
        self.errors |= {name: error for module in modules for name in (module, *_made(module))}

    def _key(self, module: str) -> bytes:
        return key(module, identity(module, self.tokenize), self.content)

    def tell(self, wanted: Sequence[str]) -> None:
        """Says which metrics were lost, and notes it for the run, where a module goes by its first metric."""
        names = {*wanted, *(made[0] for made in MODULES.values())} - set(self.before)
        lost.note(
            {
                name: str(self.errors[name])
                for name in NAMES
                if name in names and isinstance(self.errors.get(name), Lost)
            }
        )

    def _combine(self) -> None:
        for name, parts in COMBINED.items():
            if broken := [p for p in parts if p in self.errors]:
                self.errors[name] = self.errors[broken[0]]
            elif all(p in self.results for p in parts):
                self.results |= _module(name).combine(*(self.results[p] for p in parts))

    def scores(self, wanted: list[str]) -> Scores:
        names = [name for name in (*NAMES, *own.METRICS) if name in wanted]
        scores = scores_of({n: self.results[n] for n in names if n not in self.errors}, len(self.candidates))
        scores.missing |= {name: str(self.errors[name]) for name in names if name in self.errors}
        gone = tuple(name for name in names if isinstance(self.errors.get(name), Lost))
        return replace(scores, notes=_notes(self.candidates, self.references), lost=gone)


def _interrupt(waiting: Sequence[Future]) -> None:
    """Ends what works in threads; captions that it has finished are kept."""
    workers = [_module(module).worker() for module in OWN_PROCESS]
    while wait(waiting, timeout=0.05).not_done:  # one may just be starting
        for worker in workers:
            worker.interrupt()
    for worker in workers:
        worker.interrupted = False


def scores_of(results: Mapping[str, Result], n: int) -> Scores:
    """The scores of n clips from each metric's result: a corpus value where every clip has a score, else the reason in
    `Scores.missing`, with the first clip that has none.

        scores_of({"rouge_l": means([0.25, 0.75])}, 2).corpus      # {'rouge_l': 0.5}
    """
    scores = Scores({}, pd.DataFrame({name: r.per_clip for name, r in results.items()}, index=range(n)))
    for name, result in results.items():
        if result.failures:
            (clip, reason), count = next(iter(result.failures.items())), len(result.failures)
            scores.missing[name] = f"{count} of {n} clips have no score; clip {clip}: {reason}"
            continue
        scores.statistics[name] = result.statistics
        scores.corpus[name] = aggregates.corpus(name, result.statistics)
    return scores


def _notes(candidates: list[str], references: list[list[str]]) -> tuple[str, ...]:
    notes = []
    if empty := [i for i, c in enumerate(candidates) if not c.strip()]:
        notes.append(f"{len(empty)} of {len(candidates)} candidates are empty (the first: clip {empty[0]}).")
    if empty := [i for i, refs in enumerate(references) if not all(r.strip() for r in refs)]:
        notes.append(f"{len(empty)} of {len(candidates)} clips have an empty reference (the first: clip {empty[0]}).")
    if len(candidates) == 1:
        notes.append("CIDEr-D of a single clip is 0: its document frequencies need a set of clips.")
    return tuple(notes)


def _module(name: str) -> Any:
    return Registered(name) if name in own.METRICS else importlib.import_module(f"aaclib.metrics.{name}")


def _made(module: str) -> tuple[str, ...]:
    """The metrics that come from a module; one that was registered is a module of its own."""
    return MODULES.get(module, (module,))


def _raw(module: str) -> bool:
    """Whether it takes captions as written, not tokens."""
    return module in RAW or module in own.METRICS and Registered(module).raw
