"""Checkpoints of every protocol and layout are read; what would run code is refused, and nothing of it runs."""

from __future__ import annotations

import os
import pickle
import zipfile

import numpy as np
import pytest
import torch

from aaclib.clap import checkpoint, unpickle
from aaclib.clap.checkpoint import CheckpointError

LAYOUTS = [(protocol, new) for protocol in (2, 3, 4, 5) for new in (True, False)]


class Evil:
    """Runs a command when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


class Hidden(Evil):
    """The same by way of a function that a whitelist by module would let pass."""

    def __reduce__(self):
        return torch.hub.load_state_dict_from_url, ("http://127.0.0.1:9/x.pt",)


class Scalar:
    """NumPy's scalar with an object type: a place where a nested pickle has been hidden."""

    def __reduce__(self):
        return np.float32(0).__reduce__()[0], (np.dtype("O"), pickle.dumps(Evil("x")))


def weights():
    base = torch.arange(24, dtype=torch.float32)
    state = {
        "a": base.view(4, 6).T,
        "view": base[3:9],
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "half": torch.randn(3).half(),
        "bf": torch.randn(3).bfloat16(),
        "long": torch.arange(5),
        "bool": torch.tensor([True, False]),
        "scalar": torch.tensor(2.5),
        "none": torch.empty(0),
        "text.position_ids": torch.arange(4)[None],
    }
    return {f"module.{name}": value for name, value in state.items()}


@pytest.mark.parametrize(("protocol", "new"), LAYOUTS)
def test_every_layout(tmp_path, protocol, new):
    content = {
        "epoch": np.int64(3),
        "loss": np.float64(0.25),
        "name": "x",
        "state_dict": weights(),
        "optimizer": {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"betas": (0.9, 0.99)}]},
    }
    path = tmp_path / "c.pt"
    torch.save(content, path, pickle_protocol=protocol, _use_new_zipfile_serialization=new)
    loaded = checkpoint.load(path)
    assert loaded["epoch"] == 3 and loaded["loss"] == 0.25
    assert loaded["optimizer"]["param_groups"][0]["betas"] == (0.9, 0.99)
    state = checkpoint.state_dict(loaded, "state_dict")
    wanted = {name.removeprefix("module."): value for name, value in content["state_dict"].items()}
    assert state.keys() == wanted.keys() - {"text.position_ids"}
    for name, value in state.items():
        assert value.dtype == wanted[name].dtype and torch.equal(value, wanted[name])


def test_bare_weights_and_safetensors(tmp_path):
    import safetensors.torch

    state = {"a": torch.randn(2, 3), "b": torch.arange(3)}
    torch.save(state, tmp_path / "a.pt")
    safetensors.torch.save_file(state, tmp_path / "a.safetensors")
    digests = {
        checkpoint.digest(checkpoint.state_dict(checkpoint.load(tmp_path / f"a.{suffix}"), "state_dict"))
        for suffix in ("pt", "safetensors")
    }
    assert len(digests) == 1
    assert checkpoint.digest({**state, "b": torch.tensor([0, 1, 3])}) not in digests
    assert checkpoint.digest(state, "another front end") not in digests


@pytest.mark.parametrize(("protocol", "new"), LAYOUTS)
@pytest.mark.parametrize("kind", [Evil, Hidden])
def test_malicious_files_are_refused(tmp_path, protocol, new, kind):
    mark = tmp_path / "it-ran"
    torch.save(
        {"state_dict": weights(), "x": kind(mark)},
        tmp_path / "evil.pt",
        pickle_protocol=protocol,
        _use_new_zipfile_serialization=new,
    )
    with pytest.raises(CheckpointError, match=r"evil.pt was refused: it holds more than weights"):
        checkpoint.load(tmp_path / "evil.pt")
    assert not mark.exists()


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_plain_pickle_is_refused(tmp_path, protocol):
    mark = tmp_path / "it-ran"
    (tmp_path / "evil.pt").write_bytes(pickle.dumps({"state_dict": Evil(mark)}, protocol=protocol))
    with pytest.raises(CheckpointError):
        checkpoint.load(tmp_path / "evil.pt")
    assert not mark.exists()


def test_an_object_hidden_in_a_numpy_scalar_is_refused(tmp_path):
    torch.save({"x": Scalar()}, tmp_path / "evil.pt", pickle_protocol=4)
    with pytest.raises(CheckpointError, match="damaged|refused"):
        checkpoint.load(tmp_path / "evil.pt")


def test_a_tensor_beyond_its_bytes_is_refused():
    storage = unpickle._Storage(torch.float32, 4, 99)
    assert unpickle._tensor(storage, 0, (2, 2), (2, 1)).shape == (2, 2)
    for offset, size, stride in ((1, (2, 2), (2, 1)), (0, (5,), (1,)), (-1, (2,), (1,)), (0, (2,), (-1,))):
        with pytest.raises(pickle.UnpicklingError):
            unpickle._tensor(storage, offset, size, stride)


def test_damaged_and_other_files(tmp_path):
    parts = {"empty.pt": b"", "text.pt": b"<html>404</html>"}
    for protocol, new in LAYOUTS:
        torch.save(
            {"a": torch.randn(1000)},
            tmp_path / "whole.pt",
            pickle_protocol=protocol,
            _use_new_zipfile_serialization=new,
        )
        content = (tmp_path / "whole.pt").read_bytes()
        parts[f"cut{protocol}{new}.pt"] = content[: len(content) // 2]
    for name, part in parts.items():
        (tmp_path / name).write_bytes(part)
        with pytest.raises(CheckpointError, match=f"{name} is damaged or no PyTorch checkpoint"):
            checkpoint.load(tmp_path / name)
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a.txt", "hello")
    with pytest.raises(CheckpointError, match="no PyTorch checkpoint"):
        checkpoint.load(tmp_path / "other.zip")
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="bad.safetensors"):
        checkpoint.load(tmp_path / "bad.safetensors")
    with pytest.raises(CheckpointError, match="There is no checkpoint"):
        checkpoint.load(tmp_path / "none.pt")
    with pytest.raises(CheckpointError, match="expected weights by name, or under model; found epoch"):
        checkpoint.state_dict({"epoch": 3}, "model")


def test_load_strictly_names_what_does_not_fit():
    model = torch.nn.Linear(2, 3)
    good = {"weight": torch.ones(3, 2), "bias": torch.zeros(3)}
    checkpoint.load_strictly(model, good, "x.pt")
    assert model.weight.sum() == 6
    for change, message in (
        ({"more": torch.ones(1)}, "has unknown more"),
        ({"bias": None}, "lacks bias"),
        ({"weight": torch.ones(2, 3)}, r"weight \(2, 3\) instead of \(3, 2\)"),
    ):
        state = {name: value for name, value in {**good, **change}.items() if value is not None}
        with pytest.raises(CheckpointError, match=message):
            checkpoint.load_strictly(model, state, "x.pt")
