"""What the tiny CLAP's temperature does to the modality gap and to retrieval: `python benchmarks/temperature.py`.

Trains one tiny CLAP for each temperature on `soundscapes-pretrain` (held, or learned as CLIP's is) and measures it on
the validation clips of `soundscapes-dev`, a world that is no target: here settings may be chosen.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import pandas as pd

from aaclib import clap, config, datasets, embeddings, gap, retrieval, store, text
from aaclib.clap import tiny


def measure(setting: str, seed: int, epochs: int) -> dict[str, object]:
    """One training and what came of it. `setting`: a temperature, or 'learned'."""
    profile, kept = config.load("quick"), store.Store()
    held = {"learn_temperature": True} if setting == "learned" else {"temperature": float(setting)}
    pretrain = datasets.load(profile.data.pretrain, profile.data, kept).split("train", audio=True)
    trained = tiny.train(pretrain, replace(profile.clap, epochs=epochs or profile.clap.epochs, **held), seed, kept)
    backend = clap.load(f"tiny:{trained.path}")
    split = datasets.load("soundscapes-dev", profile.data, kept).split("validation", audio=True)
    owner = np.repeat(np.arange(len(split.clips)), [len(clip.captions) for clip in split.clips])
    z_a = embeddings.embed_audio(backend, split.paths, kept)  # (n, d)
    z_t = embeddings.embed_text(backend, text.normalise(split.captions, profile.data.normalise), kept)  # (5n, d)
    found = gap.statistics(z_a, z_t[np.unique(owner, return_index=True)[1]])
    recalls = retrieval.recall_at_k(z_a, z_t, owner)
    return {
        "temperature": setting,
        "seed": seed,
        "ended at": round(backend.temperature, 4),
        "clips": len(z_a),
        **{name: round(float(value), 3) for name, value in found.items()},
        "R@1": round(recalls["text_to_audio_r@1"], 3),
        "R@10": round(recalls["text_to_audio_r@10"], 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("temperatures", nargs="*", default=["learned", "0.05", "0.02", "0.01"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=0, help="0 = the profile's")
    asked = parser.parse_args()
    rows = [measure(setting, asked.seed, asked.epochs) for setting in asked.temperatures]
    print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
