"""Whether recordings give the same embeddings in every format that libsndfile writes.

    python benchmarks/formats.py --clap tiny:FOLDER [--audio FOLDER] [--all 20] [--save FILE] [--against FILE]

Each recording is made a 16-bit WAV, which is written in the other formats: in those of WIDE for every recording, in
all others (about 110) for the first `--all`. Lossless formats must give its embedding to 1e-5; of lossy ones the
cosines are shown. `--save` keeps what was read; `--against` names what was read then and is refused now. To judge
another version, run this file with that version's folder in PYTHONPATH.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "unit"))
WIDE = [
    ("WAV", "PCM_16"),
    ("WAV", "FLOAT"),
    ("RF64", "PCM_24"),
    ("W64", "PCM_16"),
    ("AIFF", "PCM_16"),
    ("FLAC", "PCM_16"),
    ("OGG", "VORBIS"),
    ("OGG", "OPUS"),
    ("MP3", "MPEG_LAYER_III"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clap", required=True)
    parser.add_argument("--audio", type=Path, default=ROOT.parent / "shared" / "data" / "esc10" / "audio")
    parser.add_argument("--all", type=int, default=20)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--against", type=Path)
    args = parser.parse_args()
    import formats

    import aaclib
    from aaclib import clap

    print(f"aaclib of {Path(aaclib.__file__).parent}")
    backend, read = clap.load(args.clap, "cpu"), {}
    print(f"{'format':<22}{'n':>5}{'refused':>9}{'largest difference':>20}{'cosine, least':>15}{'median':>9}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = sorted(args.audio.iterdir())
        masters = [formats.master(source, folder / f"{source.stem}.wav") for source in sources]
        rows = backend.embed_audio(masters)  # (n, d)
        read["original"] = report("original", backend, list(zip(rows, sources, strict=True)))
        for kind, subtype in formats.KINDS:
            n = len(masters) if (kind, subtype) in WIDE else args.all
            paths = [formats.convert(original, folder, kind, subtype) for original in masters[:n]]
            pairs = [(row, path) for row, path in zip(rows, paths, strict=False) if path]
            if pairs:
                label = f"{kind} {subtype}"
                read[label] = report(label, backend, pairs, formats.lossless(kind, subtype))
            for _, path in pairs:
                path.unlink()
    if args.save:
        args.save.write_text(json.dumps(read, indent=1))
    before = json.loads(args.against.read_text()) if args.against else {}
    for label, n in before.items():
        if read.get(label, 0) < n:
            print(f"READ BEFORE AND REFUSED NOW: {n - read.get(label, 0)} recordings in {label}")


def report(label: str, backend, pairs: list[tuple[np.ndarray, Path]], lossless: bool = False) -> int:
    """Prints a line of the table; returns how many were read."""
    import formats

    found, refused = [], Counter()
    for row, path in pairs:
        try:
            found.append(formats.distance(row, backend.embed_audio([path])[0]))
        except (ValueError, RuntimeError) as error:  # older versions raised more than AudioError
            refused[f"{type(error).__name__}: {str(error).removeprefix(f'{path}: ')}"] += 1
    line = f"{label:<22}{len(pairs):>5}{refused.total():>9}"
    if found:
        most, cosine = np.array(found).T
        line += f"{most.max():>20.1e}{cosine.min():>15.4f}{np.median(cosine):>9.4f}"
        line += "  MORE THAN 1e-5" if lossless and most.max() > 1e-5 else ""
    print(line, *(f"  {n} x {reason}" for reason, n in refused.most_common(1)), flush=True)
    return len(found)


if __name__ == "__main__":
    main()
