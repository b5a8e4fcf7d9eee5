"""Weights out of other people's checkpoint files, without ever running what such a file may hold.

`torch.load(weights_only=True)` does it for most. It cannot read pickle protocols 3 to 5, which some checkpoints were
saved with; for those there is an unpickler here that knows tensors and plain containers and refuses everything else.
"""

from __future__ import annotations

import collections
import hashlib
import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aaclib.clap.base import BackendError

DTYPES = {"FloatStorage": torch.float32, "DoubleStorage": torch.float64, "HalfStorage": torch.float16,
          "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32,
          "ShortStorage": torch.int16, "CharStorage": torch.int8, "ByteStorage": torch.uint8, "BoolStorage": torch.bool}


class CheckpointError(BackendError):
    """A checkpoint that is missing, damaged, of another kind, or refused because it would run code."""


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
        except Exception as error:       # safetensors raises types of its own making for a damaged file
            raise CheckpointError(f"{path} is damaged or no safetensors file ({error}).") from error
    if _protocol(path) >= 3:
        return _load_whitelisted(path)
    try:
        with torch.serialization.safe_globals(_numpy_globals()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        signs = ("GLOBAL", "Trying to", "Can only", "nsupported class")
        reason = next((line.strip() for line in str(error).splitlines() if any(sign in line for sign in signs)), "")
        if not reason:
            raise _damaged(path, error) from error
        raise CheckpointError(f"{path} was refused: it holds more than weights, and reading that could run code. "
                              f"{reason}") from error
    except (RuntimeError, EOFError, ValueError, OSError, LookupError, zipfile.BadZipFile) as error:
        raise _damaged(path, error) from error


def state_dict(content: Any, *keys: str, path: str | Path = "the checkpoint") -> dict[str, torch.Tensor]:
    """The weights in `content`: under the first of `keys` that is there, or `content` itself; without the 'module.'
    that DataParallel puts before every name, and without position_ids, which newer transformers do not keep."""
    if isinstance(content, Mapping):
        content = next((content[key] for key in keys if isinstance(content.get(key), Mapping)), content)
    if not isinstance(content, Mapping) or not any(isinstance(value, torch.Tensor) for value in content.values()):
        found = ", ".join(map(str, list(content)[:8])) if isinstance(content, Mapping) else type(content).__name__
        raise CheckpointError(f"{path}: expected weights by name{', or under ' if keys else ''}"
                              f"{' or '.join(keys)}; found {found}.")
    state = {str(name): value for name, value in content.items() if isinstance(value, torch.Tensor)}
    if all(name.startswith("module.") for name in state):
        state = below(state, "module.")
    return {name: value for name, value in state.items() if not name.endswith(".position_ids")}


def below(state: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """The weights whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def text_settings(state: Mapping[str, torch.Tensor]) -> dict[str, int]:
    """The settings of transformers' BertConfig, RobertaConfig or ClapTextConfig that fit a text tower's weights."""
    words = state["embeddings.word_embeddings.weight"]
    return {"vocab_size": len(words), "hidden_size": words.shape[1],
            "num_hidden_layers": len({name.split(".")[2] for name in state if name.startswith("encoder.layer.")}),
            "num_attention_heads": max(1, words.shape[1] // 64),
            "intermediate_size": len(state["encoder.layer.0.intermediate.dense.weight"]),
            "max_position_embeddings": len(state["embeddings.position_embeddings.weight"])}


def load_strictly(model: torch.nn.Module, state: Mapping[str, torch.Tensor], path: str | Path) -> None:
    """`model.load_state_dict` where every name and shape fits; else CheckpointError naming those that do not."""
    own = model.state_dict()
    missing, extra = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    shapes = [f"{name} {tuple(state[name].shape)} instead of {tuple(own[name].shape)}"
              for name in sorted(own.keys() & state.keys()) if own[name].shape != state[name].shape]
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
            total.update(memoryview(tensor.reshape(-1).view(torch.uint8).numpy()))
    total.update(repr(more).encode())
    return total.hexdigest()[:16]


def _damaged(path: Path, error: Exception) -> CheckpointError:
    reason = next(iter(str(error).splitlines()), "") or type(error).__name__
    return CheckpointError(f"{path} is damaged or no PyTorch checkpoint ({reason}). Compare its size with the "
                           "original's and fetch it again.")


# --- pickle protocols 3 to 5 ------------------------------------------------------------------------------------


def _protocol(path: Path) -> int:
    """The pickle protocol of a checkpoint, a zip file or the older layout; 0 for what is no checkpoint at all."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(_pickle_name(archive, path)) as file:
            head = file.read(2)
    except zipfile.BadZipFile:
        with open(path, "rb") as file:
            head = file.read(2)
    return head[1] if len(head) == 2 and head[:1] == b"\x80" else 0


def _pickle_name(archive: zipfile.ZipFile, path: Path) -> str:
    for name in archive.namelist():
        if name.endswith("/data.pkl"):
            return name
    raise CheckpointError(f"{path} is a zip file but no PyTorch checkpoint: it has no data.pkl.")


def _load_whitelisted(path: Path) -> Any:
    try:
        if not zipfile.is_zipfile(path):
            return _load_old_layout(path)
        with zipfile.ZipFile(path) as archive:
            name = _pickle_name(archive, path)
            with archive.open(name) as file:
                reader = _Weights(file, path)
                content = reader.load()
            for key, storage in reader.storages.items():
                storage.fill(archive.read(f"{name.removesuffix('data.pkl')}data/{key}"))
            return content
    except (pickle.UnpicklingError, zipfile.BadZipFile, EOFError, LookupError, TypeError, ValueError, RuntimeError,
            AttributeError, struct.error) as error:
        if isinstance(error, CheckpointError):
            raise
        raise _damaged(path, error) from error


def _load_old_layout(path: Path) -> Any:
    """The layout before PyTorch 1.6: a magic number, a version and a description of the machine, then the object, the
    names of its storages, and each one's length and bytes."""
    with open(path, "rb") as file:
        if _Weights(file, path).load() != 0x1950A86A20F9469CFC6C:
            raise pickle.UnpicklingError("no PyTorch checkpoint")
        for _ in range(2):
            _Weights(file, path).load()
        reader = _Weights(file, path)
        content = reader.load()
        for key in _Weights(file, path).load():
            storage = reader.storages[key]
            if struct.unpack("<q", file.read(8))[0] != len(storage.values):
                raise pickle.UnpicklingError(f"storage {key} has another length than announced")
            storage.fill(file.read(storage.values.nbytes))
    return content


class _Storage:
    """The values of one tensor or several; they are filled in after the object that refers to them was read."""

    def __init__(self, dtype: torch.dtype, length: int):
        self.values = torch.zeros(length, dtype=dtype)

    def fill(self, content: bytes) -> None:
        if len(content) != self.values.nbytes:
            raise pickle.UnpicklingError(f"{len(content)} bytes of {self.values.nbytes} are there")
        if content:
            self.values.copy_(torch.frombuffer(bytearray(content), dtype=self.values.dtype))


def _tensor(storage: _Storage, offset: int, size: tuple, stride: tuple, *rest: Any) -> torch.Tensor:
    if not isinstance(storage, _Storage) or offset < 0 or any(step < 0 for step in stride):
        raise pickle.UnpicklingError("no tensor")
    reach = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) + 1 if all(size) else 0
    if reach > len(storage.values):
        raise pickle.UnpicklingError("a tensor reaches beyond its bytes")
    return storage.values.as_strided(tuple(size), tuple(stride), offset)


def _parameter(data: torch.Tensor, *rest: Any) -> torch.Tensor:
    return data


def _scalar(dtype: np.dtype, content: bytes = b"") -> Any:
    if not isinstance(dtype, np.dtype) or dtype.hasobject:
        raise pickle.UnpicklingError("a NumPy scalar that holds an object")
    return np.frombuffer(content, dtype)[0]


def _dtype(name: Any, *rest: Any) -> np.dtype:
    result = np.dtype(name)
    if result.hasobject:
        raise pickle.UnpicklingError("a NumPy type that holds objects")
    return result


def _encode(text: str, encoding: str = "latin1") -> bytes:
    return text.encode("latin1")


ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch", "Size"): tuple,
    ("numpy", "dtype"): _dtype,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("_codecs", "encode"): _encode,
    **{("torch", name): dtype for name, dtype in DTYPES.items()},
}


class _Weights(pickle.Unpickler):
    """Knows only the names in ALLOWED, each of which stands for a function above that can do no harm."""

    def __init__(self, file: Any, path: Path):
        super().__init__(file)
        self.path, self.most = path, path.stat().st_size
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise CheckpointError(f"{self.path} was refused: it holds more than weights ({module}.{name}), and reading "
                                  "that could run code. Ask whoever made it for the weights alone, as .safetensors.")
        return ALLOWED[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _, length, *view = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype) or any(view):
            raise pickle.UnpicklingError(f"an unknown kind of storage: {kind}, {dtype}")
        if not 0 <= length * dtype.itemsize <= self.most:
            raise pickle.UnpicklingError(f"a storage of {length} values in a file of {self.most} bytes")
        if key not in self.storages:
            self.storages[key] = _Storage(dtype, length)
        return self.storages[key]


def _numpy_globals() -> list[Any]:
    """What older checkpoints hold beside weights: epochs and losses as NumPy scalars."""
    scalar = np.float32(0).__reduce__()[0]       # the same function under NumPy 1's and NumPy 2's name
    return [(scalar, "numpy.core.multiarray.scalar"), (scalar, "numpy._core.multiarray.scalar"), np.dtype,
            *(type(np.dtype(kind)) for kind in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"))]
