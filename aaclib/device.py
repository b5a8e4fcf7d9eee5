"""What computes: which device, how much of its memory is free, and how exact it is."""

from __future__ import annotations

import os

import torch

from aaclib.config import TF32

# for every process that computes; a decoder's training is made fast by bfloat16 instead (aaclib.train)
torch.backends.cudnn.allow_tf32 = TF32
torch.set_float32_matmul_precision("high" if TF32 else "highest")


def pick_device(device: str | torch.device | None = None) -> torch.device:
    """The device asked for; else cuda, mps or cpu, whichever is there first."""
    if device:
        return torch.device(device)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def free_bytes(device: torch.device) -> int:
    """Memory that is free on a GPU, or on the machine for any other device; 2 GiB where the system does not tell."""
    try:
        if device.type == "cuda":
            return torch.cuda.mem_get_info(device)[0]
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return 2**31
