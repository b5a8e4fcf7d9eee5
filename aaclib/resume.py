"""The state of a training that may be killed: weights, optimizer and place in one file, which never disagree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from aaclib import store


def save(path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer | None = None,
         place: dict[str, Any] | None = None) -> None:
    """Writes the state, whole or not at all. `place`: how far the training has come, JSON values."""
    tensors = {f"model.{name}": tensor for name, tensor in _tensors(model).items()}
    for i, state in (optimizer.state_dict()["state"] if optimizer else {}).items():
        tensors |= {f"optimizer.{i}.{name}": torch.as_tensor(value) for name, value in state.items()}
    with store.replacing(path) as temporary:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, str(temporary),
                  {"place": json.dumps(place)})


def restore(path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer | None = None) -> dict[str, Any]:
    """Puts a saved state back and returns its place, {} where there is no file. Raises StoreError for a file that is
    damaged or of another model."""
    if not path.is_file():
        return {}
    try:
        with safe_open(str(path), "pt") as file:
            saved = {name: file.get_tensor(name) for name in file.keys()}      # noqa: SIM118 - no mapping
            place = json.loads(file.metadata()["place"])
        own = _tensors(model)
        if {f"model.{name}" for name in own} != {name for name in saved if name.startswith("model.")}:
            raise KeyError("it belongs to another model")
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(saved[f"model.{name}"])
    except (SafetensorError, KeyError, TypeError, RuntimeError) as error:
        raise store.StoreError(f"{path} is damaged ({error}). Delete it and run again.") from error
    if optimizer:
        states: dict[int, dict[str, torch.Tensor]] = {}
        for name in saved:
            if name.startswith("optimizer."):
                _, i, key = name.split(".", 2)
                states.setdefault(int(i), {})[key] = saved[name]
        optimizer.load_state_dict({"state": states, "param_groups": optimizer.state_dict()["param_groups"]})
    return place


def _tensors(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Parameters and buffers, a shared one (GPT-2's tied output layer) once."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}
