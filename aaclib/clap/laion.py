"""LAION-CLAP checkpoints (.pt) in the laion-clap package's own model.

The package is imported only here and only when asked for, because it loads three tokenizers while it is imported. Its
own ways of loading a checkpoint and a batch are not used: the first unpickles anything, the second keeps the autograd
graph of all files in memory. `aaclib.clap.convert` turns a checkpoint into a folder for `hf:`, without the package.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import io
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch

from aaclib import pretrained
from aaclib.clap import checkpoint
from aaclib.clap.base import BackendError
from aaclib.clap.hf import LaionModel
from aaclib.clap.mel import LogMel
from aaclib.paths import home_path, raw_dir

REPOSITORY = "lukewys/laion_clap"
NAMES = (
    "630k-best",
    "630k-audioset-best",
    "630k-fusion-best",
    "630k-audioset-fusion-best",
    "music_audioset_epoch_15_esc_90.14",
    "music_speech_epoch_15_esc_89.25",
    "music_speech_audioset_epoch_15_esc_89.98",
)
AUDIO = {96: "HTSAT-tiny", 128: "HTSAT-base", 256: "HTSAT-large"}  # width of the first stage -> the package's name


class LaionClap(LaionModel):
    """A checkpoint of laion-clap: 48 kHz, windows of 10 s, 512 dimensions. Raises BackendError."""

    dim, sample_rate, window_s, quantise = 512, 48000, 10.0, True

    def __init__(self, name: str, device: Any = None, tokenizer: str = "roberta-base"):
        """`name`: a .pt file or one of NAMES. `tokenizer`: RoBERTa's tokenizer files, a folder or an id."""
        super().__init__(device)
        path = find(name)
        state = checkpoint.state_dict(checkpoint.load(path), "state_dict", path=path)
        form = architecture(state, path)
        self.name, self.fusion = f"laion:{Path(name).name}", form.fusion
        self.tokenizer = pretrained.tokenizer(
            tokenizer, BackendError, len(state["text_branch.embeddings.word_embeddings.weight"])
        )
        self.model: Any = build(form, state)  # the package has no types
        checkpoint.load_strictly(self.model, state, path)
        self.model = self.model.to(self.device).eval()
        self.mel = LogMel(48000, 1024, 480, 64, 50, 14000, "htk" if self.fusion else "slaney").to(self.device)
        if not self.fusion:  # the same numbers as the package's front end, at a third of the time
            self.model.audio_branch.spectrogram_extractor = torch.nn.Identity()
            self.model.audio_branch.logmel_extractor = torch.nn.Identity()
        self.digest = checkpoint.digest(state, sorted(self.tokenizer.get_vocab().items()), self.fusion)

    def mel_batch(self, mel: torch.Tensor, longer: torch.Tensor) -> torch.Tensor:
        inputs = {"mel_fusion": mel, "longer": longer} if self.fusion else {"waveform": mel}
        return self.model.audio_projection(self.model.encode_audio(inputs, device=self.device)["embedding"])

    def text_batch(self, texts: list[str]) -> torch.Tensor:
        batch = self.tokenizer(texts, padding=True, truncation=True, max_length=77, return_tensors="pt")
        return self.model.encode_text(batch, device=self.device)


def find(name: str) -> Path:
    """The checkpoint file: `name` itself, or NAME.pt in data/raw/clap, in the package's folder (where it downloads to),
    in the Hugging Face cache, or from the hub. BackendError says where it was looked for."""
    path = home_path(name)
    if path.is_file():
        return path
    stem = path.name.removesuffix(".pt")
    if stem not in NAMES:
        raise BackendError(f"There is no checkpoint file {path}. Names instead of a file: {', '.join(NAMES)}.")
    file, spec = f"{stem}.pt", importlib.util.find_spec("laion_clap")
    for folder in (raw_dir() / "clap", *(spec and spec.submodule_search_locations or ())):
        if Path(folder, file).is_file():
            return Path(folder, file)
    from huggingface_hub import hf_hub_download

    try:
        load = functools.partial(hf_hub_download, filename=file)
        return Path(pretrained.find(load, REPOSITORY, file, BackendError))
    except BackendError as error:
        raise BackendError(f"{error} A copy of {file} in {raw_dir() / 'clap'} is found as well.") from error


def architecture(state: Mapping[str, torch.Tensor], path: str | Path) -> SimpleNamespace:
    """Which of laion-clap's models these weights belong to: .audio (its name there) and .fusion. BackendError names an
    architecture that is not supported."""
    if any(name.startswith("audio_branch.conv_block1") for name in state):
        raise BackendError(f"{path} has a PANN audio tower; only HTSAT is supported. Convert it with its own package.")
    patch = state.get("audio_branch.patch_embed.proj.weight")
    if patch is None or "text_projection.0.weight" not in state:
        raise BackendError(
            f"{path} is no LAION-CLAP checkpoint: it has no audio_branch.patch_embed and "
            f"text_projection. Its first names: {', '.join(sorted(state)[:4])}."
        )
    if len(patch) not in AUDIO:
        raise BackendError(f"{path} has an HTSAT audio tower of width {len(patch)}; known are {AUDIO}.")
    places = state.get("text_branch.embeddings.position_embeddings.weight")
    if places is None or len(places) != 514:
        bart = any(".shared." in name for name in state)
        kind = "BERT" if places is not None else "BART" if bart else "CLIP transformer"
        raise BackendError(f"{path} has a text tower of the kind {kind}; only RoBERTa is supported.")
    if patch.shape[1] != 1 or any(name.startswith("audio_branch.mel_conv1d") for name in state):
        raise BackendError(f"{path} has another fusion than aff_2d, the only one supported.")
    fusion = any(name.startswith("audio_branch.patch_embed.fusion_model.") for name in state)
    return SimpleNamespace(audio=AUDIO[len(patch)], fusion=fusion)


def build(form: SimpleNamespace, state: Mapping[str, torch.Tensor]) -> torch.nn.Module:
    """The package's model with weights still to be loaded. It would fetch RoBERTa's weights only to overwrite them."""
    from transformers import RobertaConfig, RobertaModel

    text = checkpoint.text_settings(checkpoint.branch(state, "text_branch."))
    random = RobertaModel(RobertaConfig(**text, type_vocab_size=1, layer_norm_eps=1e-5))
    create = package().create_model
    with (
        mock.patch.object(RobertaModel, "from_pretrained", lambda *args, **options: random),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        model, _ = create(
            form.audio,
            "roberta",
            precision="fp32",
            device=torch.device("cpu"),
            enable_fusion=form.fusion,
            fusion_type="aff_2d" if form.fusion else "None",
        )
    return model


def package() -> Any:
    """laion-clap's module with the models, imported without the network. BackendError where it is not installed."""
    if "clap_module" in sys.modules:
        return sys.modules["clap_module"]
    with _no_tokenizers(), contextlib.redirect_stdout(io.StringIO()):
        try:
            importlib.import_module("laion_clap")
        except ImportError as error:
            raise BackendError(
                f"The package laion-clap cannot be imported ({error}). Install it with `pip install "
                "laion-clap==1.1.7 torchvision`, or convert the checkpoint once where it is installed "
                "(aaclib convert) and load it as hf:FOLDER."
            ) from error
    return sys.modules["clap_module"]


@contextlib.contextmanager
def _no_tokenizers() -> Iterator[None]:
    """The package makes three tokenizers while it is imported, of which we use none: where their files are not in the
    cache, nothing stands in for them, rather than a failing import or minutes of attempts to reach the hub."""
    import transformers

    with contextlib.ExitStack() as stack:
        for kind in (transformers.BertTokenizer, transformers.RobertaTokenizer, transformers.BartTokenizer):
            original = kind.from_pretrained

            def lenient(name: str, *args: Any, original: Any = original, **options: Any) -> Any:
                try:
                    return original(name, *args, local_files_only=True, **options)
                except (OSError, ValueError, TypeError):
                    return None

            stack.enter_context(mock.patch.object(kind, "from_pretrained", lenient))
        yield
