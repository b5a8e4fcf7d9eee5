"""Extraction: time a clip and peak memory, against laion_clap.get_audio_embedding_from_filelist.

    python benchmarks/extraction.py --audio FOLDER [--files 400] [--theirs 64]

The model is LAION-CLAP at its full size (153 M parameters) with random weights, so nothing is downloaded; time and
memory do not depend on the values. Each measurement runs in a process of its own; on a busy machine compare the CPU
seconds. The original takes all files as one batch and keeps the autograd graph, which is why it gets fewer files.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "parity"))
TOKENS = 50265


def make(folder: Path) -> None:
    """A checkpoint of the true size, and tokenizer files of the true length."""
    import clap_fixtures as made
    import torch

    made.VOCABULARY = 1000
    files = made.roberta_tokenizer(folder / "tokenizer")
    words = json.loads((files / "vocab.json").read_text())
    words |= {f"<filler{i}>": i for i in range(len(words), TOKENS)}
    (files / "vocab.json").write_text(json.dumps(words))
    module = original(folder)
    made.save_laion(module, folder / "630k-random.pt")
    print(f"{sum(p.numel() for p in module.model.parameters()) / 1e6:.1f} M parameters, torch {torch.__version__}")


def original(folder: Path):
    import clap_fixtures as made

    return made.laion_module(folder / "tokenizer", layers=12)


def child(what: str, folder: Path, files: list[str]) -> dict:
    import numpy as np

    from aaclib import clap, embeddings
    from aaclib.store import Store

    if what == "theirs":
        model = original(folder)
        start, work, before = time.perf_counter(), time.process_time(), reset_peak()
        rows = model.get_audio_embedding_from_filelist(files)
    else:
        spec = (
            f"laion:{folder / '630k-random.pt'}?tokenizer={folder / 'tokenizer'}"
            if what == "laion"
            else f"hf:{folder / 'hf'}"
        )
        backend = clap.load(spec, "cpu")
        start, work, before = time.perf_counter(), time.process_time(), reset_peak()
        rows = embeddings.embed_audio(backend, files, Store(tempfile.mkdtemp(dir=folder)))
    seconds = time.perf_counter() - start
    return {
        "what": what,
        "files": len(files),
        "seconds_a_clip": round(seconds / len(files), 3),
        "cpu_seconds_a_clip": round((time.process_time() - work) / len(files), 3),
        "model_mib": round(before),
        "peak_mib": round(peak()),
        "above_the_model_mib": round(peak() - before),
        "rows": list(np.shape(rows)),
    }


def peak() -> float:
    """The most memory held since `reset_peak`, in MiB."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def reset_peak() -> float:
    """Forgets what loading the model took at its worst (Linux only); returns what is held now, in MiB."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--audio", type=Path, default=ROOT.parent / "shared" / "data" / "esc10" / "audio")
    parser.add_argument("--files", type=int, default=400)
    parser.add_argument("--theirs", type=int, default=64)
    parser.add_argument("--child", nargs=3, metavar=("WHAT", "FOLDER", "N"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    files = sorted(str(path) for path in args.audio.iterdir())
    if args.child:
        print("RESULT " + json.dumps(child(args.child[0], Path(args.child[1]), files[: int(args.child[2])])))
        return
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder)
        from aaclib.clap import convert

        print(convert.convert(folder / "630k-random.pt", folder / "hf", str(folder / "tokenizer")))
        for what, n in (("theirs", args.theirs), ("laion", args.theirs), ("hf", args.theirs), ("hf", args.files)):
            command = [sys.executable, __file__, "--audio", str(args.audio), "--child", what, name, str(n)]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
            print(*(line.removeprefix("RESULT ") for line in output if line.startswith("RESULT ")), flush=True)


if __name__ == "__main__":
    main()
