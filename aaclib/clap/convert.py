"""From a LAION-CLAP checkpoint (.pt) to a folder that transformers reads, so that the laion-clap package may go."""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aaclib import pretrained
from aaclib.clap import checkpoint, laion
from aaclib.clap.base import BackendError
from aaclib.store import write_json

TOLERANCE = 1e-5  # greatest difference of a coordinate of a unit embedding
DROPPED = r"spectrogram_extractor|logmel_extractor|audio_feats_extractor|attn_mask|tscam_conv|^head\."
AUDIO_NAMES = (
    (r"^bn0\.", "batch_norm."),
    (r"\.norm1\.", ".layernorm_before."),
    (r"\.norm2\.", ".layernorm_after."),
    (r"\.attn\.proj\.", ".attention.output.dense."),
    (r"\.attn\.", ".attention.self."),
    (r"\.mlp\.fc1\.", ".intermediate.dense."),
    (r"\.mlp\.fc2\.", ".output.dense."),
)
TEXTS = (
    "a dog barks",
    "birds",
    "Rain falls on a tin roof while thunder rolls in the distance, and a car passes by on a wet road.",
)


def htsat(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """An HTSAT's weights under the names of transformers' ClapAudioEncoder; what only training needs is left out.

    htsat({"layers.0.blocks.0.mlp.fc1.bias": b})      # {'layers.0.blocks.0.intermediate.dense.bias': b}
    """
    result = {}
    for name, value in state.items():
        if re.search(DROPPED, name):
            continue
        for old, new in AUDIO_NAMES:
            name = re.sub(old, new, name)
        if ".qkv." in name:
            for part, block in zip(("query", "key", "value"), value.chunk(3), strict=True):
                result[name.replace("qkv", part)] = block.clone()
        else:
            result[name] = value
    return result


def names(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A LAION-CLAP checkpoint's weights under the names of transformers' ClapModel."""
    audio, text = htsat(checkpoint.branch(state, "audio_branch.")), checkpoint.branch(state, "text_branch.")
    result = {f"audio_model.audio_encoder.{name}": value for name, value in audio.items()}
    result |= {f"text_model.{name}": value for name, value in text.items()}
    for side in ("audio", "text"):
        for old, new in (("0", "linear1"), ("2", "linear2")):
            for kind in ("weight", "bias"):
                result[f"{side}_projection.{new}.{kind}"] = state[f"{side}_projection.{old}.{kind}"]
    return result | {name: state[name] for name in ("logit_scale_a", "logit_scale_t")}


def htsat_settings(state: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """The settings of ClapAudioConfig that fit these (renamed) weights."""
    patch = state["patch_embed.proj.weight"]
    depths = [
        1 + max(int(m[1]) for name in state if (m := re.match(rf"layers\.{i}\.blocks\.(\d+)\.", name)))
        for i in range(4)
    ]
    heads = [state[f"layers.{i}.blocks.0.attention.self.relative_position_bias_table"].shape[1] for i in range(4)]
    fusion = any(name.startswith("patch_embed.fusion_model.") for name in state)
    return {
        "patch_embeds_hidden_size": len(patch),
        "hidden_size": 8 * len(patch),
        "depths": depths,
        "num_attention_heads": heads,
        "enable_fusion": fusion,
        "fusion_type": "aff_2d" if fusion else None,
    }


def convert(src: str | Path, dst: str | Path, tokenizer: str = "roberta-base", check: bool = True) -> dict[str, Any]:
    """Writes the checkpoint `src` (file or name) as a folder `dst` for `hf:`, and returns the parity report, which is
    also kept in the folder as parity.json: the greatest difference between the two models' unit embeddings of five
    signals (10 s, 3 s, 25 s, silence, -60 dB) and three captions.

    `tokenizer`: RoBERTa's tokenizer files, a folder or an id. `check=False` skips the comparison, for a machine without
    the laion-clap package. Raises BackendError where they differ by more than 1e-5; nothing is left behind then.
    """
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

    path, target = laion.find(str(src)), Path(dst)
    if target.exists():
        raise BackendError(f"{target} is there already. Choose another folder or remove it.")
    state = checkpoint.state_dict(checkpoint.load(path), "state_dict", path=path)
    form = laion.architecture(state, path)
    state = names(state)
    audio = htsat_settings(checkpoint.branch(state, "audio_model.audio_encoder."))
    text = {**checkpoint.text_settings(checkpoint.branch(state, "text_model.")), "layer_norm_eps": 1e-5}
    model = ClapModel(ClapConfig(text_config=text, audio_config=audio, projection_dim=512))
    own = model.state_dict()
    state |= {name: own[name] for name in own if name.endswith((".position_ids", ".token_type_ids"))}
    checkpoint.load_strictly(model, state, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        model.save_pretrained(part)
        truncation = "fusion" if form.fusion else "rand_trunc"
        ClapFeatureExtractor(frequency_min=50, truncation=truncation).save_pretrained(part)
        pretrained.tokenizer(tokenizer, BackendError, text["vocab_size"]).save_pretrained(part)
        report = {
            "source": path.name,
            "architecture": form.audio,
            "fusion": form.fusion,
            "parameters": sum(p.numel() for p in model.parameters()),
        }
        report |= parity(str(part), str(path), tokenizer) if check else {"compared": False}
        write_json(part / "parity.json", report)
        if not report.get("equal", True):
            raise BackendError(f"{path} was converted, but the two models differ: {report}. Nothing was written.")
        part.chmod(0o755)
        part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return report


def parity(folder: str, source: str, tokenizer: str = "roberta-base") -> dict[str, Any]:
    """How far `hf:folder` and `laion:source` are apart: greatest differences of unit embeddings, and `equal`."""
    from aaclib import clap

    models = clap.load(f"hf:{folder}", "cpu"), clap.load(f"laion:{source}", "cpu", tokenizer=tokenizer)
    sounds = signals()
    one, other = (model.embed_audio([*sounds.values()], 48000) for model in models)
    audio = dict(zip(sounds, np.abs(one - other).max(axis=1).tolist(), strict=True))
    one, other = (model.embed_text(TEXTS) for model in models)
    text = float(np.abs(one - other).max())
    return {"compared": True, "audio": audio, "text": text, "equal": max(text, *audio.values()) <= TOLERANCE}


def signals(rate: int = 48000) -> dict[str, np.ndarray]:
    """Five test signals: noise with a tone, of 10, 3 and 25 s, silence, and one at -60 dB."""
    rng = np.random.default_rng(7)

    def sound(seconds: float) -> np.ndarray:
        time = np.arange(int(rate * seconds)) / rate
        noise = rng.standard_normal(len(time)) * (0.2 + 0.2 * np.sin(2 * np.pi * 0.7 * time))
        return (0.3 * noise + 0.3 * np.sin(2 * np.pi * (300 + 90 * time) * time)).clip(-1, 1).astype(np.float32)

    return {
        "10 s": sound(10),
        "3 s": sound(3),
        "25 s": sound(25),
        "silence": np.zeros(rate * 5, np.float32),
        "-60 dB": sound(10) * np.float32(1e-3),
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="a LAION-CLAP checkpoint: a .pt file, or a name such as 630k-best")
    parser.add_argument("folder", help="where the converted model goes; it must not exist yet")
    parser.add_argument("--tokenizer", default="roberta-base", help="RoBERTa's tokenizer: a folder or an id")
    parser.add_argument("--no-check", action="store_true", help="do not compare with the laion-clap package")


def run(args: argparse.Namespace) -> int:
    report = convert(args.source, args.folder, args.tokenizer, not args.no_check)
    print(
        f"{report['source']}: {report['architecture']}, {'fusion, ' * report['fusion']}{report['parameters']:,} "
        f"parameters, written to {args.folder}. Use it as clap.backend=hf:{args.folder}"
    )
    if report["compared"]:
        worst = max(report["text"], *report["audio"].values())
        print(f"Compared with laion-clap: unit embeddings differ by {worst:.1e} at most (allowed {TOLERANCE:.0e}).")
    else:
        print("It was not compared with laion-clap.")
    return 0
