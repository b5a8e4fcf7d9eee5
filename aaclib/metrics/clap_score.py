"""Judging captions without references, by a CLAP: does a caption fit its audio, and does it find it among all?

The judge should be another CLAP than the one that the captions were made with, or the number flatters; `Backend.name`
belongs beside it. Human captions are the yardstick (R@1 36 % on AudioCaps, 15.5 % on Clotho in arXiv 2502.05435).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from aaclib.metrics.result import Result, means
from aaclib.retrieval import telling, text_to_audio_ranks


def clap_score(z_audio: np.ndarray, z_text: np.ndarray) -> Result:
    """Cosine of each clip's audio and caption, -1 to 1. z_audio, z_text: (n, d) unit rows; a NaN row has no score.
    Raises ValueError for unequal shapes.

        clap_score(np.eye(2), np.eye(2)).per_clip      # array([1., 1.])
    """
    z_audio, z_text = np.asarray(z_audio, np.float64), np.asarray(z_text, np.float64)
    if z_audio.shape != z_text.shape or z_audio.ndim != 2:
        raise ValueError(f"Expected one caption per clip, two arrays (n, d); found {z_audio.shape} and {z_text.shape}.")
    values = np.einsum("nd,nd->n", z_audio, z_text)
    return means(values, {int(i): "no embedding" for i in np.flatnonzero(np.isnan(values))})


def self_retrieval(z_audio: np.ndarray, z_text: np.ndarray) -> dict[str, Result]:
    """self_r@1, self_r@5, self_r@10: whether each caption's own clip is among the k nearest of all clips. A k at
    which chance finds more than a third is left out: among fewer than 30 clips there is no self_r@10, among two none.
    z_audio, z_text: (n, d) unit rows. A clip whose caption has no embedding (NaN row) was not found: 0. Ties count
    against the caption (as in `aaclib.retrieval`).

        self_retrieval(np.eye(3), np.eye(3))["self_r@1"].per_clip      # array([1., 1., 1.])
    """
    z_text = np.asarray(z_text)
    known = np.flatnonzero(~np.isnan(z_text).any(axis=1))
    ranks = np.full(len(z_text), math.inf)
    if len(known):
        ranks[known] = text_to_audio_ranks(z_audio, z_text[known], known)
    return {f"self_r@{k}": means((ranks <= k).astype(np.float64)) for k in telling(len(z_text))}


def judge(
    embed_text: Callable[[list[str]], np.ndarray], z_audio: np.ndarray, captions: Sequence[str]
) -> dict[str, Result]:
    """clap_score and self_r@k of one caption per clip; `embed_text` (a Backend's, or one that keeps what it made) and
    `z_audio`, (n, d) unit rows of the clips, are the judge's. An empty caption has no embedding: no clap_score, and it
    finds nothing."""
    said = [i for i, caption in enumerate(captions) if caption.strip()]
    z_text = np.full(np.shape(z_audio), np.nan, np.float32)
    if said:
        z_text[said] = embed_text([captions[i] for i in said])
    return {"clap_score": clap_score(z_audio, z_text), **self_retrieval(z_audio, z_text)}
