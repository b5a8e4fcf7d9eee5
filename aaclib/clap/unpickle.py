"""PyTorch's checkpoint files (.pt, .pth, .bin, .ckpt), read without running what they may hold and without taking much
more memory than they have bytes.

`torch.load(weights_only=True)` does neither for all of them: it cannot read pickle protocols 3 to 5, which some
checkpoints were saved with, and unpacks a zip file of 2 MB to 2 GB. The unpickler here knows tensors and plain
containers and refuses everything else.
"""

from __future__ import annotations

import collections
import io
import math
import mmap
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aaclib.clap.base import BackendError

DTYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
}
# what Python raises over content that makes no sense
NONSENSE = (EOFError, LookupError, TypeError, ValueError, RuntimeError, AttributeError, ArithmeticError, AssertionError)
MAGIC = 0x1950A86A20F9469CFC6C  # a file of the layout before PyTorch 1.6 begins with it


class CheckpointError(BackendError):
    """A checkpoint that is missing, damaged, of another kind, or refused because it would run code."""


def unpickled(path: Path) -> Any:
    """What the file holds, tensors on the CPU. Raises CheckpointError."""
    try:
        return _zip(path) if zipfile.is_zipfile(path) else _old_layout(path)
    except (*NONSENSE, pickle.UnpicklingError, zipfile.BadZipFile, struct.error, MemoryError, OSError) as error:
        if isinstance(error, CheckpointError) or getattr(error, "filename", None):  # one may not be opened
            raise
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise CheckpointError(
            f"{path} is damaged or no PyTorch checkpoint ({reason}). Compare its size with the "
            "original's and fetch it again."
        ) from error


# ---- the files -------------------------------------------------------------------------------------------------------


def _zip(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        name = next((name for name in archive.namelist() if name.endswith("/data.pkl")), None)
        if name is None:
            raise CheckpointError(f"{path} is a zip file but no PyTorch checkpoint: it has no data.pkl.")
        reader = _Weights(io.BytesIO(_stored(archive, name, path)), path)
        content = reader.load()
        for key, storage in reader.storages.items():
            storage.fill(_stored(archive, f"{name.removesuffix('data.pkl')}data/{key}", path))
        return content


def _stored(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    """A member as it lies in the file: PyTorch compresses none, and a compressed one may be a thousand times larger."""
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise CheckpointError(
            f"{path} was refused: its parts are compressed, which PyTorch never does, and unpacked "
            "they may fill the memory. Take the file as PyTorch saved it."
        )
    return archive.read(name)


def _old_layout(path: Path) -> Any:
    """The layout before PyTorch 1.6: a magic number, a version and a description of the machine, then the object, the
    names of its storages, and each one's length and bytes."""
    with open(path, "rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as file:
        if _Weights(file, path).load() != MAGIC:
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


# ---- what may stand in a pickle --------------------------------------------------------------------------------------


class _Storage:
    """The values of one tensor or several; they are filled in after the object that refers to them was read. `most`: no
    tensor may have more bytes, however often it repeats these values."""

    def __init__(self, dtype: torch.dtype, length: int, most: int):
        self.values, self.most = torch.zeros(length, dtype=dtype), most

    def fill(self, content: bytes) -> None:
        if len(content) != self.values.nbytes:
            raise pickle.UnpicklingError(f"{len(content)} bytes of {self.values.nbytes} are there")
        if content:
            self.values.copy_(torch.frombuffer(bytearray(content), dtype=self.values.dtype))


def _tensor(storage: _Storage, offset: int, size: tuple, stride: tuple, *rest: Any) -> torch.Tensor:
    return _view(storage, storage.values, offset, size, stride)


def _tensor_v3(
    storage: _Storage, offset: int, size: tuple, stride: tuple, grad: bool, hooks: Any, dtype: torch.dtype, *rest: Any
) -> torch.Tensor:
    return _view(storage, storage.values.view(dtype), offset, size, stride)


def _view(storage: _Storage, values: torch.Tensor, offset: int, size: tuple, stride: tuple) -> torch.Tensor:
    if not isinstance(storage, _Storage) or offset < 0 or any(step < 0 for step in stride):
        raise pickle.UnpicklingError("no tensor")
    if len(size) > 64:
        raise pickle.UnpicklingError("a tensor of more dimensions than there are")
    reach = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) + 1 if all(size) else 0
    if reach > len(values) or math.prod(size) * values.itemsize > storage.most:
        raise pickle.UnpicklingError("a tensor reaches beyond its bytes")
    return values.as_strided(tuple(size), tuple(stride), offset)


def _from_type(function: Any, kind: Any, arguments: tuple, *rest: Any) -> torch.Tensor:
    return function(*arguments)


def _scalar(dtype: np.dtype, content: bytes = b"") -> Any:
    if not isinstance(dtype, np.dtype) or dtype.hasobject:
        raise pickle.UnpicklingError("a NumPy scalar that holds an object")
    return np.frombuffer(content, dtype)[0]


def _dtype(name: str, *rest: Any) -> np.dtype:
    result = np.dtype(name if isinstance(name, str) and len(name) < 9 else "O")
    if result.kind not in "?biufcSU":
        raise pickle.UnpicklingError("a NumPy type that holds more than a number or a text")
    return result


def _same(value: Any = (), *rest: Any) -> Any:
    """A parameter is its tensor, a size or a set the items it was made of."""
    return value


def _encode(text: str, encoding: str = "latin1") -> bytes:
    return text.encode("latin1")


def _ordered(pairs: Any = ()) -> collections.OrderedDict:
    return collections.OrderedDict((_key(key), value) for key, value in pairs)


def _key(key: Any) -> Any:
    """A key of a dictionary: to hash a tuple of tuples may take for ever, or end the process."""
    if not isinstance(key, (str, bytes, int, float, type(None))):
        raise pickle.UnpicklingError(f"a key that is a {type(key).__name__}")
    return key


ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): _ordered,
    ("torch._utils", "_rebuild_tensor_v3"): _tensor_v3,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _same,
    ("torch._utils", "_rebuild_parameter_with_state"): _same,
    ("torch._tensor", "_rebuild_from_type_v2"): _from_type,
    ("torch.nn.parameter", "Parameter"): _same,
    ("torch", "Tensor"): _same,
    ("torch", "Size"): _same,
    ("torch", "device"): torch.device,
    ("numpy", "dtype"): _dtype,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("_codecs", "encode"): _encode,
    ("torch.storage", "UntypedStorage"): torch.uint8,
    **{(module, "set"): _same for module in ("builtins", "__builtin__")},  # nobody here needs one
    **{("torch", name): dtype for name, dtype in DTYPES.items()},
    **{("torch", name): dtype for name, dtype in vars(torch).items() if isinstance(dtype, torch.dtype)},
}


class _Weights(pickle._Unpickler):
    """Knows only the names in ALLOWED, each of which stands for a function above that can do no harm. Python's own
    unpickler in Python: the one in C makes room for whatever number of remembered objects a file claims, 4 GB for a
    file of 300 bytes."""

    stack: list[Any]  # Python's own, of which its types do not tell
    append: Callable[[Any], None]
    pop_mark: Callable[[], list[Any]]

    def __init__(self, file: Any, path: Path):
        super().__init__(file)
        self.path, self.most = path, path.stat().st_size
        self.left = self.work = self.most  # what storages may still claim, what functions may still be given
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise CheckpointError(
                f"{self.path} was refused: it holds more than weights ({module[:80]}.{name[:80]}), "
                "and reading that could run code. Ask whoever made it for the weights alone, as "
                ".safetensors."
            )
        return ALLOWED[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _, length, *view = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype) or not isinstance(key, str) or any(view):
            raise pickle.UnpicklingError("an unknown kind of storage")
        if key not in self.storages:
            self.left -= length * dtype.itemsize
            if length < 0 or self.left < 0:
                raise pickle.UnpicklingError(f"a storage of {length} values in a file of {self.most} bytes")
            self.storages[key] = _Storage(dtype, length, self.most)
        return self.storages[key]

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        self.work -= sum(len(a) for a in arguments if isinstance(a, (str, bytes, list, tuple, dict)))
        if self.work < 0:  # a long text, copied over and over
            raise pickle.UnpicklingError("more is made of it than the file holds")
        self.stack[-1] = self.stack[-1](*arguments)

    def set_items(self, items: list) -> None:
        if not isinstance(self.stack[-1], dict):
            raise pickle.UnpicklingError("items of what is no dictionary")
        self.stack[-1].update(_ordered(zip(items[::2], items[1::2], strict=True)))

    def load_dict(self) -> None:
        items = self.pop_mark()
        self.append({})
        self.set_items(items)

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.set_items([key, value])

    def load_setitems(self) -> None:
        self.set_items(self.pop_mark())

    def load_build(self) -> None:
        """Only a NumPy type has a state that matters: the order of its bytes."""
        state = self.stack.pop()
        if isinstance(self.stack[-1], np.dtype) and state[1] == ">":
            self.stack[-1] = self.stack[-1].newbyteorder(">")

    dispatch: dict[int, Callable[[Any], None]] = {
        **pickle._Unpickler.dispatch,
        pickle.DICT[0]: load_dict,
        pickle.SETITEM[0]: load_setitem,
        pickle.SETITEMS[0]: load_setitems,
        pickle.BUILD[0]: load_build,
        pickle.EMPTY_SET[0]: pickle._Unpickler.dispatch[pickle.EMPTY_LIST[0]],
        pickle.ADDITEMS[0]: pickle._Unpickler.dispatch[pickle.APPENDS[0]],
        pickle.FROZENSET[0]: pickle._Unpickler.dispatch[pickle.TUPLE[0]],
        pickle.REDUCE[0]: load_reduce,
    }
    # BYTEARRAY8 makes room before it reads, the others make objects past `load_reduce`
    for _code in (pickle.BYTEARRAY8, pickle.INST, pickle.OBJ, pickle.NEWOBJ, pickle.NEWOBJ_EX):
        del dispatch[_code[0]]
