"""The model card of an exported captioner: what it is, what it learned from, what that means for its user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aaclib import bridge, roles
from aaclib.escape import markdown

if TYPE_CHECKING:
    from aaclib.captioner import Captioner

# whose captions these are -> what binds who passes them on; what stands here is where to look, not legal advice
TERMS = {
    "soundscapes": "written by a grammar of this suite, which is under the MIT licence",
    "clotho": "Clotho's, by the licence in its record at Zenodo (4783391)",
    "audiocaps": "AudioCaps', by the licence in its repository (github.com/cdjkim/audiocaps)",
    "wavcaps": "WavCaps', by the licence at its data set on the hub (cvssp/WavCaps)",
    "folder": "those of the person who made this captioner: ask them",
}
SYNTHETIC = (
    "**Synthetic: it learned from rendered sound scenes, not from real recordings. Of these it may say anything.**"
)


def about(captioner: Captioner) -> dict[str, Any]:
    """What a captioner of a run learned from, as JSON values."""
    run, target, row = captioner.run, captioner.target, captioner.row
    assert run is not None
    dataset, data = run.dataset(target), run.config.data
    sources = list(data.text_of) if target == roles.TEXT else [target]
    pairs = data.pairs if run.gap(captioner.seed).n and bridge.reads(row) & READ_OF_PAIRS else ""
    return {
        "run": run.config.name,
        "target": target,
        "title": dataset.title,
        "sources": sources,
        "strategy": row.name,
        "training": row.training,
        "weakly_supervised": row.weakly_supervised,
        "seed": captioner.seed,
        "captions": len(run.texts(target, "train", captioner.seed).captions),
        "memory": len(captioner.memory),
        "pairs": pairs,
        "n_pairs": run.gap(captioner.seed).n if pairs else 0,
        "clap": captioner.clap.name,
        "clap_digest": captioner.clap.digest,
        "clap_training_data": captioner.clap.training_data,
        "clap_inside": captioner.clap.recipe["spec"].startswith("tiny:"),
        "synthetic": captioner.synthetic,
    }


READ_OF_PAIRS = bridge.MEASURED_ON_PAIRS | {"sigma", "sigma_without_gap"}


def text(about: dict[str, Any]) -> str:
    """The card of a captioner of which `about` is known, as Markdown."""
    title, clap = markdown(about["title"]), markdown(about["clap"])
    learned = f"{about['captions']:,} captions of {title} (training part)"
    heard = "no recording of them" if about["weakly_supervised"] else "**and the recordings that they describe**"
    pairs = f"{about['n_pairs']} audio-caption pairs of {markdown(about['pairs'])}" if about["pairs"] else "none"
    where = "in `clap/`" if about["clap_inside"] else f"named, not included: digest `{about['clap_digest']}`"
    families = dict.fromkeys(name.partition("-")[0] for name in about["sources"])
    terms = "; ".join(TERMS.get(family, f"those of {markdown(family)}: ask its makers") for family in families)
    return f"""# Captioner: {markdown(about["strategy"])}, text of {title}

Describes recordings in a sentence each. Made by aaclib, after *Weakly-supervised Automated Audio Captioning via text
only training* (arXiv 2309.12242).
{f"{chr(10)}{SYNTHETIC}{chr(10)}" if about["synthetic"] else ""}
## Use

```python
import aaclib

captioner = aaclib.Captioner.load("THIS-FOLDER")
captioner.caption(["dog.wav", "rain.ogg"])
```

```bash
aaclib caption --captioner THIS-FOLDER recordings/ --out captions.csv
```

On a CPU or a GPU. The files are checked by their sha256 when the folder is opened; this card may be edited.

## What it learned from

- Decoder: {learned}, {heard}. Training `{about["training"]}`, seed {about["seed"]}, run `{markdown(about["run"])}`.
- Memory: {about["memory"]:,} of these captions, word for word in `memory.json`.
- Pairs of sound and caption that gap or noise were measured on: {pairs}.
- CLAP: {clap}, {where}. What it heard: {markdown(about["clap_training_data"])}

## What to expect

It can only say what its CLAP hears and its text has words for, and it is as sure of a wrong caption as of a right one:
see how near a caption lies to its recording, and what captions of other recordings reach (notebook 14).

## Licences

- The captions in `memory.json`, and what the decoder keeps of them: {terms}.
- CLAP's weights: {"made by the run, as above" if about["clap_inside"] else "those of their makers"}.
- aaclib itself: MIT.
"""
