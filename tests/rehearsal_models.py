"""Small random-weight models of the true class and form, for rehearsing the paper profiles without a hub.

`hf_clap(folder)`: a transformers.ClapModel with its front end and RoBERTa tokenizer, as `hf:` reads it; 2 MB, or of the
published model's full size: 153.5 million parameters, 50,265 tokens.
`bert(folder)`: the files of a BERT tokenizer whose words come from the captions. WavCaps' checkpoint comes from
`parity/clap_fixtures.py`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "parity"))

import clap_fixtures  # noqa: E402

FULL_VOCABULARY = 50_265
TEXT = {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 128}
AUDIO = {
    "patch_embeds_hidden_size": 16,
    "depths": [1, 1, 1, 1],
    "num_attention_heads": [2, 2, 2, 2],
    "hidden_size": 128,
}


def hf_clap(folder: Path, captions: Iterable[str], full: bool = False) -> Path:
    """A folder as the hub has laion/clap-htsat-unfused: config, weights, front end, tokenizer."""
    import torch
    from tokenizers import ByteLevelBPETokenizer
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, RobertaTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    core = ByteLevelBPETokenizer()
    core.train_from_iterator(
        list(captions),
        vocab_size=FULL_VOCABULARY if full else 600,
        min_frequency=1,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
    )
    core.save_model(str(folder))
    if full:  # tokens that no text has, for a table of embeddings of the true size
        words = json.loads((folder / "vocab.json").read_text())
        words |= {f"unused {i}": i for i in range(len(words), FULL_VOCABULARY)}
        (folder / "vocab.json").write_text(json.dumps(words))
    tokenizer = RobertaTokenizerFast.from_pretrained(str(folder), model_max_length=512)
    tokenizer.save_pretrained(folder)
    own = {"vocab_size": len(tokenizer), "layer_norm_eps": 1e-5, "max_position_embeddings": 514}
    config = (
        ClapConfig(text_config=own)
        if full
        else ClapConfig(text_config=own | TEXT, audio_config=AUDIO, projection_dim=32)
    )
    torch.manual_seed(0)
    model = ClapModel(config)
    clap_fixtures.shake(model)
    model.save_pretrained(folder)
    ClapFeatureExtractor(
        feature_size=64, truncation="rand_trunc", padding="repeatpad", frequency_min=50, frequency_max=14000
    ).save_pretrained(folder)
    return folder


def bert(folder: Path, captions: Iterable[str]) -> Path:
    """bert-base-uncased's tokenizer files with a small vocabulary: frequent words, letters, marks."""
    from collections import Counter

    words = Counter(word.strip(".,;:!?\"'()").lower() for caption in captions for word in caption.split())
    letters = [*"abcdefghijklmnopqrstuvwxyz0123456789"]
    vocabulary = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *".,;:!?'\"()-",
        *(word for word, _ in words.most_common(600) if word.isalpha()),
        *letters,
        *("##" + letter for letter in letters),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(dict.fromkeys(vocabulary)) + "\n")
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "BertTokenizer", "model_max_length": 512, "do_lower_case": True})
    )
    return folder
