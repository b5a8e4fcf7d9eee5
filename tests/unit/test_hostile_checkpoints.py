"""Small checkpoints that claim to be large: refused by name within little memory and time, whatever they claim."""

from __future__ import annotations

import io
import random
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch

from aaclib.clap import checkpoint
from aaclib.clap.checkpoint import CheckpointError

MEMORY = 150 << 20  # bytes that reading one may take beyond what PyTorch takes itself
READ = f"""
import resource, sys
from pathlib import Path
from aaclib.clap import checkpoint
taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + {MEMORY}, resource.RLIM_INFINITY))
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        state = checkpoint.state_dict(checkpoint.load(path), path=path)
        print(path.name, "read", sum(tensor.numel() for tensor in state.values()), flush=True)
    except checkpoint.CheckpointError as error:
        print(path.name, "refused" if "refused" in str(error) else "damaged", str(path) in str(error), flush=True)
"""


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def number(value: int) -> bytes:
    return b"\x8a\x09" + value.to_bytes(9, "little")


def tensor(name: str, length: int, size: tuple[int, ...], stride: tuple[int, ...]) -> bytes:
    """The pickle of `name: tensor`, whose storage claims `length` values."""
    storage = text("storage") + b"ctorch\nFloatStorage\n" + text(name) + text("cpu") + number(length)
    tuples = b"".join(b"(" + b"".join(map(number, values)) + b"t" for values in (size, stride))
    return (
        text(name)
        + b"ctorch._utils\n_rebuild_tensor_v2\n(("
        + storage
        + b"tQ"
        + number(0)
        + tuples
        + b"\x89ccollections\nOrderedDict\n)RtR"
    )


def saved(path, pickled: bytes, data: dict[str, bytes] | None = None, protocol: int = 2, compressed: bool = False):
    method = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", method, compresslevel=1) as archive:
        archive.writestr("x/data.pkl", b"\x80" + bytes([protocol]) + pickled + b".")
        for name, content in (data or {}).items():
            archive.writestr(f"x/data/{name}", content)
        archive.writestr("x/version", "3\n")


def test_small_files_take_little_memory_whatever_they_claim(tmp_path):
    ten, n, large = {"a": bytes(40)}, 400, 2 * 10**8
    shared = b")" + b"".join(b"q%ch%c\x86" % (k, k) for k in range(60))  # a pair of the pair before, 60 times
    for p in (2, 4):
        saved(tmp_path / f"good{p}", b"}(" + tensor("a", 10, (10,), (1,)) + b"u", ten, p)
        saved(tmp_path / f"storage{p}", b"}(" + tensor("a", 10**12, (10,), (1,)) + b"u", ten, p)
        saved(
            tmp_path / f"storages{p}",
            b"}(" + b"".join(tensor(f"{i}", 25 * n, (1,), (1,)) for i in range(n)) + b"u",
            {f"{i}": bytes(40) for i in range(n)},
            p,
        )
        saved(tmp_path / f"repeated{p}", b"}(" + tensor("a", 10, (10**6, 10**6), (0, 0)) + b"u", ten, p)
        saved(tmp_path / f"dimensions{p}", b"}(" + tensor("a", 10, (2**62,) * 10**5, (0,) * 10**5) + b"u", ten, p)
        saved(tmp_path / f"deep key{p}", b"}()" + b"\x85" * 10**6 + b"Nu", {}, p)
        saved(tmp_path / f"shared key{p}", b"}(" + shared + b"Nu", {}, p)
        saved(tmp_path / f"shared pairs{p}", b"ccollections\nOrderedDict\n((" + shared + b"NtltR", {}, p)
        saved(tmp_path / f"shared storage{p}", shared + b"Q", {}, p)
        saved(tmp_path / f"remembered{p}", b"Nr\xff\xff\xff\x0f", {}, p)
        saved(tmp_path / f"copied{p}", text("a" * 10**6) + b"q\x00" + b"c_codecs\nencode\n(h\x00tR" * 2000, {}, p)
    many = b"}(" + tensor("a", large // 4, (10,), (1,)) + b"u"
    saved(tmp_path / "compressed", many, {"a": bytes(large)}, compressed=True)
    saved(tmp_path / "compressed pickle", b"}(" + text("a" * large) + b"Nu", compressed=True)
    saved(tmp_path / "bytes4", b"\x96" + struct.pack("<Q", 2**34) + b"abc", {}, 4)
    saved(tmp_path / "text4", b"\x8d" + struct.pack("<Q", 2**34) + b"abc", {}, 4)
    saved(tmp_path / "frame4", b"\x95" + struct.pack("<Q", 2**34) + b"abc", {}, 4)
    old = io.BytesIO()
    torch.save({"a": torch.zeros(7)}, old, _use_new_zipfile_serialization=False)
    (tmp_path / "old storage").write_bytes(old.getvalue().replace(b"K\x07N", b"J\xff\xff\xff\x7fN"))
    header = b'{"a":{"dtype":"F32","shape":[1000000,1000000],"data_offsets":[0,4000000000000]}}'
    (tmp_path / "claims.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    (tmp_path / "header.safetensors").write_bytes(struct.pack("<Q", 10 << 30) + b"{}")
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 20e6
    done = subprocess.run([sys.executable, "-c", READ, tmp_path], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr[-2000:]
    found = {line.rsplit(" ", 2)[0]: line.rsplit(" ", 2)[1:] for line in done.stdout.splitlines()}
    assert found.keys() == {path.name for path in tmp_path.iterdir()}
    for name, (said, more) in found.items():
        if name.startswith("good"):
            assert (said, more) == ("read", "10")
        else:
            assert said == ("refused" if name.startswith("compressed") else "damaged") and more == "True", name


@pytest.mark.parametrize(("protocol", "new"), [(p, new) for p in (2, 4) for new in (True, False)])
def test_whatever_byte_is_changed_it_is_read_or_refused(tmp_path, protocol, new):
    file, draw = io.BytesIO(), random.Random(protocol)
    torch.save(
        {"loss": np.float32(1), "state_dict": {"a": torch.randn(4, 3).T}},
        file,
        pickle_protocol=protocol,
        _use_new_zipfile_serialization=new,
    )
    body = file.getvalue()
    for _ in range(150):
        changed = bytearray(body)
        changed[draw.randrange(len(body))] = draw.randrange(256)
        (tmp_path / "c.pt").write_bytes(changed)
        try:
            checkpoint.load(tmp_path / "c.pt")
        except CheckpointError as error:
            assert "c.pt" in str(error)


def test_what_else_pytorch_saves_beside_weights_is_read(tmp_path):
    odd, parameter = torch.ones(3), torch.nn.Parameter(torch.ones(2))
    odd.note = parameter.note = "tensors with attributes are written in another way"
    state = {
        "odd": odd,
        "parameter": parameter,
        "complex": torch.ones(2, dtype=torch.complex64),
        "u16": torch.arange(3).to(torch.uint16),
        "f8": torch.ones(4).to(torch.float8_e4m3fn),
    }
    more = {"set": {1}, "device": torch.device("cpu"), "dtype": torch.float16, "size": torch.Size([1, 2])}
    for protocol in (2, 4):
        torch.save({**more, "state_dict": state}, tmp_path / "c.pt", pickle_protocol=protocol)
        content = checkpoint.load(tmp_path / "c.pt")
        assert [*content["set"]] == [1] and content["size"] == (1, 2) and content["device"] == torch.device("cpu")
        for name, value in checkpoint.state_dict(content, "state_dict").items():
            assert value.dtype == state[name].dtype and value.tolist() == state[name].tolist()
