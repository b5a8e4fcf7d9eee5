"""Small random-weight checkpoints of the true form, made once a session: no download, no cache of models.

The LAION ones are laion-clap's own HTSAT-tiny (28 M parameters; the package has no smaller one) with a RoBERTa of one
layer and a vocabulary of 400; their tokenizers are trained on a few sentences.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np  # noqa: E402
import torch  # noqa: E402

SENTENCES = [
    "a dog barks while rain falls on a tin roof",
    "birds sing and a car passes by on a wet road",
    "thunder rolls in the distance",
    "a man speaks, then people laugh and clap",
    "water drips into a metal bowl",
]
VOCABULARY = 400


def roberta_tokenizer(folder: Path) -> Path:
    """RoBERTa's tokenizer files (vocab.json, merges.txt), trained on SENTENCES."""
    from tokenizers import ByteLevelBPETokenizer

    folder.mkdir(parents=True)
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(
        SENTENCES * 20,
        vocab_size=VOCABULARY,
        min_frequency=1,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
    )
    tokenizer.save_model(str(folder))
    _config(folder, "roberta", "RobertaTokenizer")
    return folder


def bert_tokenizer(folder: Path) -> Path:
    folder.mkdir(parents=True)
    words = sorted({word.strip(",") for text in SENTENCES for word in text.split()})
    letters = [*"abcdefghijklmnopqrstuvwxyz"]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words, *letters]
    vocabulary = list(dict.fromkeys([*vocabulary, *(f"##{letter}" for letter in letters)]))
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    _config(folder, "bert", "BertTokenizer", do_lower_case=True)
    return folder


def _config(folder: Path, kind: str, name: str, **more) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": kind}))
    settings = {"tokenizer_class": name, "model_max_length": 512, **more}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


@contextlib.contextmanager
def no_hub(tokenizer: Path, layers: int):
    """Whatever name laion-clap asks transformers for, it gets our tokenizer and a random RoBERTa."""
    from transformers import RobertaConfig, RobertaModel, RobertaTokenizer

    vocabulary = json.loads((tokenizer / "vocab.json").read_text())
    config = RobertaConfig(
        vocab_size=len(vocabulary),
        num_hidden_layers=layers,
        max_position_embeddings=514,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        intermediate_size=512 if layers == 1 else 3072,
    )
    original = RobertaTokenizer.from_pretrained
    with (
        mock.patch.object(RobertaModel, "from_pretrained", lambda *a, **k: RobertaModel(config)),
        mock.patch.object(RobertaTokenizer, "from_pretrained", lambda *a, **k: original(str(tokenizer))),
    ):
        yield


def laion_module(tokenizer: Path, fusion: bool = False, seed: int = 0, layers: int = 1, audio: str = "HTSAT-tiny"):
    """laion_clap.CLAP_Module as its users make it, with random weights that tell sounds and captions apart."""
    from aaclib.clap import laion

    laion.package()
    import laion_clap

    torch.manual_seed(seed)
    with no_hub(tokenizer, layers):
        module = laion_clap.CLAP_Module(enable_fusion=fusion, device="cpu", amodel=audio)
    shake(module.model)
    return module


def shake(model: torch.nn.Module) -> None:
    """Initial weights give nearly the same embedding for everything; these do not."""
    generator = torch.Generator().manual_seed(1)
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            buffer.copy_(torch.randn(buffer.shape, generator=generator) * 0.1 - (30 if ".bn0." in f".{name}" else 0))
        elif name.endswith("running_var"):
            buffer.copy_(torch.rand(buffer.shape, generator=generator) + 0.5)
            if ".bn0." in f".{name}":
                buffer.mul_(400)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.requires_grad and name.endswith(".bias"):
                weight.add_(torch.randn(weight.shape, generator=generator) * 0.02)
            elif weight.requires_grad and weight.dim() == 2 and "embeddings" not in name:
                weight.mul_(2.5)


def settle(tower: torch.nn.Module) -> None:
    """Batch norms with the statistics of real input, or a random Cnn14 would give one embedding for everything."""
    from aaclib.clap.convert import signals

    norms = [module for module in tower.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    waves = torch.stack([torch.from_numpy(wave[:96000]) for wave in signals(32000).values()])
    tower.train()
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        tower({"waveform": waves}, device="cpu")
    tower.eval()


def save_laion(
    module, path: Path, *, position_ids: bool = True, wrapped: bool = True, protocol: int = 2, old_layout: bool = False
) -> Path:
    """A checkpoint as LAION's training script leaves it: under 'state_dict', every name behind 'module.'."""
    state = dict(module.model.state_dict())
    state.pop("text_branch.embeddings.position_ids", None)
    if position_ids:
        state["text_branch.embeddings.position_ids"] = torch.arange(514)[None]
    if wrapped:
        state = {
            "epoch": np.int64(15),
            "name": "random",
            "best_loss": np.float64(0.5),
            "state_dict": {f"module.{name}": value for name, value in state.items()},
            "optimizer": {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 1e-4}]},
        }
    torch.save(state, path, pickle_protocol=protocol, _use_new_zipfile_serialization=not old_layout)
    return path


def of_32_khz(kind: str) -> SimpleNamespace:
    """The settings of an audio tower of WavCaps: "HTSAT" or "Cnn14"."""
    return SimpleNamespace(
        sample_rate=32000,
        window_size=1024,
        hop_size=320,
        mel_bins=64,
        fmin=50,
        fmax=14000,
        class_num=527,
        model_type=kind,
        model_name="tiny",
    )


def wavcaps_state(kind: str, vocabulary: int, seed: int = 3) -> dict[str, torch.Tensor]:
    """The weights of a WavCaps checkpoint under its names; Cnn14 and HTSAT come from laion-clap's own classes."""
    from transformers import BertConfig, BertModel

    from aaclib.clap import laion

    laion.package()
    torch.manual_seed(seed)
    if kind == "HTSAT":
        from clap_module.htsat import create_htsat_model

        tower, width = create_htsat_model(of_32_khz(kind)), 768
    else:
        from clap_module.pann_model import Cnn14

        tower, width = Cnn14(32000, 1024, 320, 64, 50, 14000, 527), 2048
    shake(tower)
    if kind == "Cnn14":
        settle(tower)
    settings = BertConfig(vocab_size=vocabulary, num_hidden_layers=1, intermediate_size=256)
    text = BertModel(settings, add_pooling_layer=False)
    shake(text)
    state = {"temp": torch.tensor(0.07), "text_encoder.text_encoder.embeddings.position_ids": torch.arange(512)[None]}
    for name, value in tower.state_dict().items():
        if name.startswith(("fc", "head")):
            continue
        name = name.replace("spectrogram_extractor", "audio_feats_extractor.mel_trans")
        state["audio_encoder.audio_enc." + name.replace("logmel_extractor", "audio_feats_extractor.log_trans")] = value
    if kind == "HTSAT":
        state["audio_encoder.audio_enc.head.weight"] = torch.zeros(527, 527)
    state |= {f"text_encoder.text_encoder.{name}": value for name, value in text.state_dict().items()}
    for side, size in (("audio_proj", width), ("text_proj", 768)):
        for i, inputs in ((0, size), (2, 1024)):
            state[f"{side}.{i}.weight"] = torch.randn(1024, inputs) * inputs**-0.5
            state[f"{side}.{i}.bias"] = torch.randn(1024) * 0.02
    return state
