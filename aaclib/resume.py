"""The state of a training that may be killed: weights, optimizer and place in one file, which never disagree."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from aaclib import store


def save(
    path: Path,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    place: dict[str, Any] | None = None,
) -> None:
    """Writes the state, whole or not at all. `place`: how far the training has come, JSON values."""
    tensors = {f"model.{name}": tensor for name, tensor in _tensors(model).items()}
    for i, state in (optimizer.state_dict()["state"] if optimizer else {}).items():
        tensors |= {f"optimizer.{i}.{name}": torch.as_tensor(value) for name, value in state.items()}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    where = json.dumps(place)
    with store.replacing(path) as temporary:
        save_file(tensors, str(temporary), {"place": where, "checksum": _checksum(tensors, where)})


def restore(
    path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer | None = None, needs: Sequence[Path] = ()
) -> dict[str, Any]:
    """As `load`, but {} where there is no such file, and where it is damaged or, once its history has an epoch, one of
    the states that it `needs`; that is said, and the training begins anew."""
    if not path.is_file():
        return {}
    try:
        saved, place = _read(path)
        for other in needs if place.get("history") else ():
            _read(other)
        _put(path, saved, model, optimizer)
        return place
    except store.Damaged as error:
        error.made_again()
        return {}


def load(path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer | None = None) -> dict[str, Any]:
    """Puts a saved state back and returns its place. Raises Damaged, before anything is changed, for a file
    that is damaged or of another model."""
    saved, place = _read(path)
    _put(path, saved, model, optimizer)
    return place


def _put(
    path: Path, saved: dict[str, torch.Tensor], model: torch.nn.Module, optimizer: torch.optim.Optimizer | None
) -> None:
    own = _tensors(model)
    shapes = {name.removeprefix("model."): saved[name].shape for name in saved if name.startswith("model.")}
    if shapes != {name: tensor.shape for name, tensor in own.items()}:
        raise store.Damaged(path, "it belongs to another model")
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(saved[f"model.{name}"])
    if optimizer:
        states: dict[int, dict[str, torch.Tensor]] = {}
        for name in saved:
            if name.startswith("optimizer."):
                _, i, key = name.split(".", 2)
                states.setdefault(int(i), {})[key] = saved[name]
        optimizer.load_state_dict({"state": states, "param_groups": optimizer.state_dict()["param_groups"]})


def _read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The tensors and the place of a file that fits its checksum; else Damaged."""
    try:
        with safe_open(str(path), "pt") as file:
            saved = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
            about = file.metadata() or {}
        if about.get("checksum") != _checksum(saved, about.get("place", "")):
            raise ValueError("its checksum does not fit")
        return saved, json.loads(about["place"])
    except (SafetensorError, OSError, ValueError) as error:
        raise store.Damaged(path, error) from None


def _checksum(tensors: dict[str, torch.Tensor], place: str) -> str:
    """safetensors has none of its own."""
    found = hashlib.sha256(place.encode())
    for name, tensor in sorted(tensors.items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.flatten().view(torch.uint8).numpy().data)
    return found.hexdigest()


def _tensors(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Parameters and buffers, a shared one (GPT-2's tied output layer) once."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}
