"""Weights out of other people's checkpoint files, without ever running what such a file may hold."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from aaclib.clap.unpickle import CheckpointError, unpickled


def load(path: str | Path) -> Any:
    """What the checkpoint file holds, tensors on the CPU. Reads .safetensors and PyTorch's .pt, .pth, .bin and .ckpt
    of any pickle protocol. Raises CheckpointError where the file is missing, damaged, or holds more than weights."""
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"There is no checkpoint {path}.")
    if path.suffix == ".safetensors":
        import safetensors.torch

        try:
            return safetensors.torch.load_file(path)
        except Exception as error:  # safetensors raises types of its own making for a damaged file
            raise CheckpointError(f"{path} is damaged or no safetensors file ({error}).") from error
    return unpickled(path)


def state_dict(content: Any, *keys: str, path: str | Path = "the checkpoint") -> dict[str, torch.Tensor]:
    """The weights in `content`: under the first of `keys` that is there, or `content` itself; without the 'module.'
    that DataParallel puts before every name, and without position_ids, which newer transformers do not keep."""
    if isinstance(content, Mapping):
        content = next((content[key] for key in keys if isinstance(content.get(key), Mapping)), content)
    if not isinstance(content, Mapping) or not any(isinstance(value, torch.Tensor) for value in content.values()):
        names = [str(key)[:60] for key in list(content)[:8]] if isinstance(content, Mapping) else []
        contents = ", ".join(names) or type(content).__name__
        raise CheckpointError(
            f"{path}: expected weights by name{', or under ' if keys else ''}{' or '.join(keys)}; found {contents}."
        )
    state = {str(name): value for name, value in content.items() if isinstance(value, torch.Tensor)}
    if all(name.startswith("module.") for name in state):
        state = branch(state, "module.")
    return {name: value for name, value in state.items() if not name.endswith(".position_ids")}


def branch(state: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """The weights whose names begin with `prefix`, without it.

    branch({"text.a": x, "audio.a": y}, "text.")      # {'a': x}
    """
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def text_settings(state: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """The settings of transformers' BertConfig, RobertaConfig or ClapTextConfig that fit a text tower's weights."""
    words = state["embeddings.word_embeddings.weight"]
    return {
        "vocab_size": len(words),
        "hidden_size": words.shape[1],
        "num_hidden_layers": len({name.split(".")[2] for name in state if name.startswith("encoder.layer.")}),
        "num_attention_heads": max(1, words.shape[1] // 64),
        "intermediate_size": len(state["encoder.layer.0.intermediate.dense.weight"]),
        "max_position_embeddings": len(state["embeddings.position_embeddings.weight"]),
    }


def load_strictly(model: torch.nn.Module, state: Mapping[str, torch.Tensor], path: str | Path) -> None:
    """`model.load_state_dict` where every name and shape fits; else CheckpointError naming those that do not."""
    own = model.state_dict()
    missing, extra = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    shapes = [
        f"{name} {tuple(state[name].shape)} instead of {tuple(own[name].shape)}"
        for name in sorted(own.keys() & state.keys())
        if own[name].shape != state[name].shape
    ]
    for what, names in (("lacks", missing), ("has unknown", extra), ("has other shapes:", shapes)):
        if names:
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            raise CheckpointError(f"{path} does not fit the model: it {what} {', '.join(names[:5])}{more}.")
    model.load_state_dict(state)


def digest(state: Mapping[str, torch.Tensor], *more: object) -> str:
    """Sixteen hex digits of names, types, shapes and values of all tensors, and of whatever else is given."""
    total = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        if tensor.numel():
            total.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    total.update(repr(more).encode())
    return total.hexdigest()[:16]
