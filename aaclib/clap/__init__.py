"""CLAP backends behind one small protocol (`base.Backend`); each is imported only when it is asked for."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable
from typing import TYPE_CHECKING

from aaclib import own

if TYPE_CHECKING:
    from aaclib.clap.base import Backend

# the word before the colon -> (its class, what stands after the colon)
BACKENDS = {
    "tiny": ("aaclib.clap.tiny:TinyClap", "tiny:FOLDER, a tiny CLAP trained by this package (a run trains its own)"),
    "hf": ("aaclib.clap.hf:HFClap", "hf:ID-OR-FOLDER, a transformers.ClapModel such as hf:laion/clap-htsat-unfused"),
    "laion": ("aaclib.clap.laion:LaionClap", "laion:FILE-OR-NAME, a checkpoint of laion-clap such as laion:630k-best"),
    "wavcaps": ("aaclib.clap.wavcaps:WavCapsClap", "wavcaps:FILE, a retrieval checkpoint of WavCaps"),
    "embeddings": ("aaclib.clap.precomputed:Precomputed", "embeddings:FOLDER, embeddings that you computed yourself"),
}


def load(spec: str, device=None, *, long_audio: str = "windows", **options) -> Backend:
    """The CLAP that `spec` names: 'tiny:FOLDER', 'hf:...', 'laion:...', 'wavcaps:...', 'embeddings:FOLDER', or
    'my_module:MyClass' for a class of your own (see aaclib.clap.base), or what `register` was given.

    `device`: None = cuda, mps or cpu, whichever is there first. `long_audio`: what happens to recordings longer than
    the model's window (windows, first, centre, random, fusion). Other options are the backend's own, and may stand in
    `spec` as well: 'hf:FOLDER?settings=own'. `autocast=bfloat16` (or float16) lets a GPU compute in half
    precision, which moves the embeddings a little (their key says so); without it everything is float32.
    Raises ValueError for an unknown name and BackendError where the model cannot be loaded.

        model = load("hf:laion/clap-htsat-unfused", "cpu", long_audio="centre")
        model.embed_text(["a dog barks"]).shape      # (1, 512): model.dim numbers of unit length
    """
    from aaclib import audio

    if long_audio not in audio.POLICIES:
        raise ValueError(f"Unknown policy for long audio '{long_audio}'. Known: {', '.join(audio.POLICIES)}.")
    recipe = {"spec": spec, "long_audio": long_audio, **options}
    spec, _, query = spec.partition("?")
    options |= dict(pair.split("=", 1) for pair in query.split("&") if pair)
    autocast = options.pop("autocast", "")
    if autocast not in ("", "float16", "bfloat16"):
        raise ValueError(f"autocast is float16 or bfloat16, found '{autocast}'.")
    kind, _, name = spec.partition(":")
    if kind in own.CLAPS:
        backend = own.CLAPS[kind].make(*filter(None, [name]), device=device, **options)
        backend.source = own.CLAPS[kind].source
    elif kind not in BACKENDS:
        backend = _own(spec)(device=device, **options)
        backend.source = own.source(type(backend))
    elif name:
        backend = pkgutil.resolve_name(BACKENDS[kind][0])(name, device, **options)
    else:
        from aaclib.clap.base import BackendError

        raise BackendError(f"'{kind}' needs the folder, file or name of a model: {BACKENDS[kind][1]}.")
    if not backend.digest:
        raise ValueError(
            f"'{spec}' has no digest: set self.digest to what changes with its weights, for its embeddings."
        )
    if long_audio == "fusion" and not backend.fusion:
        raise ValueError(f"{backend.name} has no fusion for long audio. Choose windows, first, centre or random.")
    backend.long_audio, backend.recipe = long_audio, recipe
    if autocast:
        import torch

        backend.amp = getattr(torch, autocast)
    return backend


def register(kind: str, make: Callable[..., Backend]) -> str:
    """Adds a CLAP of your own to what `load` and the setting `clap.backend` know, in this process and its workers.

    `make`: a subclass of `base.Backend`, or a function that returns one. 'kind' calls make(device=...), 'kind:NAME'
    make(NAME, device=...), 'kind:NAME?key=value' besides with key="value". Its source and the backend's `digest` name
    the embeddings made with it, so a changed one gets new ones. Registering a name again replaces it; ValueError for a
    name of this suite's own. A command in a shell (`run_all.sh`) knows only 'my_module:MyClass'.

        clap.register("mine", MyClap)
        run = aaclib.Run.load("quick", {"clap.backend": "mine"})
    """
    own.CLAPS[own.plain(kind, BACKENDS)] = own.Own(make, own.source(make))
    return kind


@functools.lru_cache(maxsize=2)
def from_recipe(recipe: tuple) -> Backend:
    """The CLAP of a `Backend.recipe` (as sorted items), kept for the next call in this process."""
    return load(**dict(recipe))


def _own(spec: str) -> type[Backend]:
    module, _, name = spec.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ModuleNotFoundError, AttributeError, ValueError) as error:
        known = "; ".join([*(text for _, text in BACKENDS.values()), *own.CLAPS])
        raise ValueError(
            f"Unknown CLAP '{spec}' ({error}). Known: {known}; or my_module:MyClass. What another process registered "
            "is unknown in this one."
        ) from error
