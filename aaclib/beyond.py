"""Steps of the strategies that came after the paper. Each is a step as in aaclib.steps: f(z, context, rng) -> z.

What is fitted is fitted on the run's external pairs or on the target's text, never on the target's audio.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from aaclib import maps
from aaclib import memory as memories
from aaclib.maps import made_once
from aaclib.steps import Context, unit

RELATED = 5  # a caption's nearest others, among which one stands in for it
TOP = 32
CLUSTERS, BLEND, WARMTH = 100, 0.3, 0.1  # of Santa: k-means clusters, the memory's part, temperature of its weights
Rng = np.random.Generator | None


# ---- from audio to text, at inference


def take_gap_away(z: np.ndarray, context: Context, rng: Rng = None) -> np.ndarray:
    return z - context.need("gap")


def turn_to_text(z: np.ndarray, context: Context, rng: Rng = None) -> np.ndarray:
    return made_once(maps.procrustes, context.need("pair_audio"), context.need("pair_text"))(z)


def ridge_to_text(z: np.ndarray, context: Context, rng: Rng = None) -> np.ndarray:
    return made_once(maps.ridge, context.need("pair_audio"), context.need("pair_text"))(z)


def mlp_to_text(z: np.ndarray, context: Context, rng: Rng = None) -> np.ndarray:
    return made_once(maps.mlp, context.need("pair_audio"), context.need("pair_text"))(z)


def noisy_mlp_to_text(z: np.ndarray, context: Context, rng: Rng = None) -> np.ndarray:
    return made_once(maps.mlp, context.need("pair_audio"), context.need("pair_text"), noise=context.sigma)(z)


def realign_to_text(z: np.ndarray, context: Context, rng: Rng = None) -> np.ndarray:
    text = context.need("memory")
    mean = context.need("text_mean")
    # the pairs' audio, moved onto what is known of the target's: its own is never looked at
    pairs = context.need("pair_audio") - context.need("pair_audio").mean(0) + context.need("audio_mean")
    return maps.realign(pairs, context.need("audio_mean"), mean, maps.spread(text, mean))(z)


# ---- from text to audio, while training


def realign_to_audio(z: np.ndarray, context: Context, rng: Rng = None) -> np.ndarray:
    spread = maps.spread(context.need("pair_audio"))
    return maps.realign(context.need("memory"), context.need("text_mean"), context.need("audio_mean"), spread)(z)


def turn_to_audio(z: np.ndarray, context: Context, rng: Rng = None) -> np.ndarray:
    return made_once(maps.procrustes, context.need("pair_text"), context.need("pair_audio"))(z)


def ridge_to_audio(z: np.ndarray, context: Context, rng: Rng = None) -> np.ndarray:
    return made_once(maps.ridge, context.need("pair_text"), context.need("pair_audio"))(z)


# ---- both to what they share


def text_axes(z: np.ndarray, context: Context, rng: Rng = None) -> np.ndarray:
    return _axes(context)[0](z)


def audio_axes(z: np.ndarray, context: Context, rng: Rng = None) -> np.ndarray:
    return _axes(context)[1](z)


def _axes(context: Context) -> tuple[maps.Map, maps.Map]:
    return made_once(maps.shared_axes, context.need("pair_text"), context.need("pair_audio"), context.axes)


# ---- neighbours


def to_related(z: np.ndarray, context: Context, rng: Rng = None) -> np.ndarray:
    """Each row replaced by one of its nearest others, or by itself (instance replacement, Zhang et al. 2024)."""
    if rng is None:
        raise ValueError("a related caption is drawn by a seeded generator: pass rng")
    near = made_once(_related, z)
    return z[near[np.arange(len(z)), rng.integers(min(RELATED, len(z)), size=len(z))]]


def _related(z: np.ndarray) -> np.ndarray:
    return memories.nearest_few(z, z, RELATED)


def to_top_projection(z: np.ndarray, context: Context, rng: Rng = None) -> np.ndarray:
    """Projection onto the TOP nearest rows of the memory: what lies further adds no noise."""
    memory = context.need("memory")
    return _weighted(z, memory, memories.nearest_few(z, memory, TOP), context.tau)


def to_blend(z: np.ndarray, context: Context, rng: Rng = None) -> np.ndarray:
    """(1 - BLEND) z + BLEND times the weighted sum of the TOP nearest rows in the nearest cluster of the memory (Santa,
    MATS, Wang et al. 2025; without the fresh noise of its code, so the same audio gives the same caption)."""
    memory = context.need("memory")
    labels, used, centres = made_once(_clusters, memory)
    nearest = used[memories.nearest_index(z, centres)]
    blended = np.array(z, dtype=np.float32)
    for cluster in np.unique(nearest):
        rows, members = nearest == cluster, memory[labels == cluster]
        neighbours = _weighted(z[rows], members, memories.nearest_few(z[rows], members, TOP), WARMTH)
        blended[rows] = (1 - BLEND) * z[rows] + BLEND * neighbours
    return blended


def _clusters(memory: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each row of the memory (m, d) its cluster, the clusters that have any, and their centres as unit rows."""
    from sklearn.cluster import KMeans

    kinds: Any = KMeans  # whose types are wrong
    clusters = kinds(min(CLUSTERS, len(memory)), n_init=1, random_state=0).fit(memory)
    used = np.unique(clusters.labels_)  # captions of one embedding leave some empty
    return clusters.labels_, used, unit(clusters.cluster_centers_[used])


def _weighted(z: np.ndarray, memory: np.ndarray, few: np.ndarray, tau: float) -> np.ndarray:
    """The softmax(<z, m> / tau)-weighted sum of few rows of the memory each, at unit length; few: (n, k) indices."""
    rows = memory[few]  # (n, k, d)
    scores = np.einsum("nd,nkd->nk", z, rows, dtype=np.float64) / tau
    weights = np.exp(scores - scores.max(1, keepdims=True))
    return unit(np.einsum("nk,nkd->nd", weights, rows))
