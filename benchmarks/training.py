"""A training step at the paper's size, against the published way and against its bare forward and backward pass.

    python benchmarks/training.py [--captions FILE.csv] [--rounds 3] [--threads 2]

4 layers, 4 heads, width 768, 64 captions a step; with all 30,522 tokens of bert-base-uncased 52 M parameters. FILE.csv
has columns `caption...`, as Clotho's has; without it captions of the synthetic world are read, which are longer.

The published way (zelaki/wsac), restated: shuffled captions, padded to 22 tokens and encoded by a BERT-base at every
step, GPT-2's output layer of 50,257 and its activation in several kernels, AdamW one parameter after the other. Weights
are random and the word pieces are trained here: time depends on neither. The ways take turns; each has the least of its
mean times a step.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aaclib import config, seeds, text, train
from aaclib.bridge import unit
from aaclib.datasets.soundscapes import captions as written
from aaclib.datasets.soundscapes import get, scene
from aaclib.decoder import CaptionDecoder, pad

BERT_TOKENS, GPT2_TOKENS, DIM = 30522, 50257, 1024
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PAPER = config.load("paper")


def rows(captions: Sequence[str] = (), rounds: int = 3, threads: int = 2, steps: int = 6) -> list[dict[str, Any]]:
    """A row for the suite's own form (`decoder.tokens = seen`) and one for all tokens: name, ours_s, published_s,
    bare_s (forward and backward alone), ratio = published_s / ours_s; seconds are those of a step."""
    captions = list(captions) or synthetic()
    with tempfile.TemporaryDirectory() as folder, seeds.threads(threads):
        whole = text.pretrained(word_pieces(Path(folder), captions))
        z = unit(np.random.default_rng(0).standard_normal((len(captions), DIM), dtype=np.float32))
        ours = {tokens: Ours(whole, captions, z, tokens, steps) for tokens in ("seen", "all")}
        shuffled = seeds.rng(0, "published").permutation(len(captions))  # whatever their lengths
        batches = [shuffled[i * PAPER.train.batch_size :][: PAPER.train.batch_size] for i in range(steps)]
        published = Published(Path(folder), captions, batches)
        ways: dict[str, Callable[[], float]] = {"published": published.step_s}
        for tokens, one in ours.items():
            ways |= {tokens: one.step_s, f"{tokens}, bare": one.bare_s}
        best = dict.fromkeys(ways, np.inf)
        for _ in range(rounds):
            best = {name: min(best[name], way()) for name, way in ways.items()}
    return [
        {
            "name": f"training step, {one.model.tokenizer.vocabulary_size:,} of {whole.vocabulary_size:,} tokens",
            "ours_s": best[tokens],
            "published_s": best["published"],
            "bare_s": best[f"{tokens}, bare"],
            "ratio": best["published"] / best[tokens],
        }
        for tokens, one in ours.items()
    ]


class Ours:
    """The package's own step."""

    def __init__(self, whole: text.Tokenizer, captions: Sequence[str], z: np.ndarray, tokens: str, steps: int):
        tokenizer = whole.narrowed(captions) if tokens == "seen" else whole
        self.model = CaptionDecoder(replace(PAPER.decoder, tokens=tokens), DIM, tokenizer).train()
        self.optimizer = train.adamw(self.model, PAPER.train)
        self.z, self.ids = z, tokenizer.encode(captions, PAPER.decoder.max_tokens)
        batches = list(train._batches(self.ids, PAPER.train.batch_size, seeds.rng(0, "benchmark")))
        batches.sort(key=lambda batch: sum(len(self.ids[i]) for i in batch))
        # of short, middling and long captions alike, so that a few batches cost what an epoch costs on average
        self.batches = [batches[int((i + 0.5) * len(batches) / steps)] for i in range(steps)]

    def step_s(self) -> float:
        return mean_s(lambda batch: train.step(self.model, self.optimizer, self.z, self.ids, batch), self.batches)

    def bare_s(self) -> float:
        def bare(batch: np.ndarray) -> None:
            self.model.zero_grad()
            self.model(torch.from_numpy(self.z[batch]), pad([self.ids[i] for i in batch])).backward()

        return mean_s(bare, self.batches)


class Published:
    """The published step: BERT-base and a projection encode, GPT-2 reads a prefix token and 22 tokens."""

    def __init__(self, folder: Path, captions: Sequence[str], batches: Sequence[np.ndarray]):
        from transformers import AutoTokenizer, BertConfig, BertModel, GPT2Config, GPT2LMHeadModel

        self.captions, self.batches, self.words = captions, batches, AutoTokenizer.from_pretrained(folder)
        width = PAPER.decoder.width
        self.bert = BertModel(BertConfig(), add_pooling_layer=False).eval()
        self.joint = torch.nn.Sequential(torch.nn.Linear(768, DIM), torch.nn.ReLU(), torch.nn.Linear(DIM, DIM)).eval()
        self.gpt = GPT2LMHeadModel(
            GPT2Config(n_embd=width, n_layer=PAPER.decoder.layers, n_head=PAPER.decoder.heads, vocab_size=GPT2_TOKENS)
        ).train()
        self.mapping = torch.nn.Linear(DIM, width)
        weights = [*self.mapping.parameters(), *self.gpt.parameters()]
        self.optimizer = torch.optim.AdamW(weights, lr=1e-5, weight_decay=0.02, foreach=False)

    def step_s(self) -> float:
        return mean_s(self.step, self.batches)

    def step(self, batch: np.ndarray) -> None:
        captions = [self.captions[i] for i in batch]
        with torch.no_grad():
            read = self.words(captions, padding="longest", truncation=True, max_length=30, return_tensors="pt")
            z = torch.nn.functional.normalize(self.joint(self.bert(**read).last_hidden_state[:, 0]), dim=-1)
        noisy = torch.nn.functional.normalize(z + 0.013**0.5 * torch.randn_like(z), dim=-1)
        told = self.words(captions, padding="max_length", truncation=True, max_length=22, return_tensors="pt")
        ids, mask = told["input_ids"], told["attention_mask"]
        sequence = torch.cat([self.mapping(noisy)[:, None], self.gpt.transformer.wte(ids)], dim=1)
        mask = torch.cat([torch.ones(len(ids), 1, dtype=mask.dtype), mask], dim=1)
        logits = self.gpt(inputs_embeds=sequence, attention_mask=mask).logits[:, :-1]
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, GPT2_TOKENS), ids.flatten(), ignore_index=0)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        loss.item()


def mean_s(step: Callable[[np.ndarray], object], batches: Sequence[np.ndarray]) -> float:
    """Seconds a step, once the first has had its memory from the system. Of one thread its CPU seconds, which others on
    the machine change little."""
    step(batches[0])
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    started = clock()
    for batch in batches:
        step(batch)
    return (clock() - started) / len(batches)


def word_pieces(folder: Path, captions: Sequence[str]) -> Path:
    """Tokenizer files of bert-base-uncased's form and size, with word pieces of these captions."""
    from tokenizers import BertWordPieceTokenizer
    from transformers import PreTrainedTokenizerFast

    core = BertWordPieceTokenizer()
    core.train_from_iterator(captions, vocab_size=BERT_TOKENS, min_frequency=2, show_progress=False)
    core.add_tokens([f"[unused{i}]" for i in range(BERT_TOKENS - core.get_vocab_size())])
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=core._tokenizer, **names).save_pretrained(folder)
    return folder


def synthetic(clips: int = 2000) -> list[str]:
    world = get("long")
    return [caption for i in range(clips) for caption in written(scene(world, "train", i))]


def read(path: Path) -> list[str]:
    """All columns of a table whose names begin with `caption`."""
    with open(path, encoding="utf-8", newline="") as file:
        return [row[name] for row in csv.DictReader(file) for name in row if name.startswith("caption") and row[name]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captions", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    for row in rows(read(options.captions) if options.captions else (), options.rounds, options.threads):
        print(
            f"{row['name']:<46} {row['ours_s']:.2f} s; published {row['published_s']:.2f} s, {row['ratio']:.1f}x; "
            f"bare {row['bare_s']:.2f} s, ours is {row['ours_s'] / row['bare_s']:.2f}x that"
        )


if __name__ == "__main__":
    main()
