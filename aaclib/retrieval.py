"""Cross-modal retrieval from embeddings: pure maths on arrays, blocked.

The check that every use of CLAP begins with: does a caption find its clip, and a clip one of its captions? The
conventions are those of language-based audio retrieval (Koepke et al., https://arxiv.org/abs/2112.09418): each of a
clip's captions is a query of its own; a clip counts as found when any one of its captions is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

KS = (1, 5, 10)
TIE = 1e-6  # similarities closer than this are ties: float32 products differ by 1e-7 with their order
BLOCK_CELLS = 1 << 24  # cells of the similarity matrix held at a time: 64 MiB in float32


def text_to_audio_ranks(audio: np.ndarray, text: np.ndarray, clip: np.ndarray) -> np.ndarray:
    """The rank of each caption's clip among all clips, 1 = best.

    audio: (n, d) unit rows; text: (m, d) unit rows; clip: (m,) int, text row -> its row of `audio`. Returns (m,) int64.
    Ties count against the right clip, so embeddings that have collapsed to a point score as chance would at worst,
    not as perfect. Raises ValueError for shapes that do not fit.
    """
    audio, text, clip = _checked(audio, text, clip)
    ranks = np.empty(len(text), np.int64)
    for rows in _blocks(len(text), len(audio)):
        similarity = text[rows] @ audio.T  # (b, n)
        own = np.take_along_axis(similarity, clip[rows, None], axis=1)  # (b, 1)
        ranks[rows] = (similarity >= own - TIE).sum(axis=1)  # the right one counts: 1 = best
    return ranks


def audio_to_text_ranks(audio: np.ndarray, text: np.ndarray, clip: np.ndarray) -> np.ndarray:
    """The rank of each clip's best caption among all captions of other clips and itself, 1 = best.

    Arguments as in `text_to_audio_ranks`; every clip needs a caption. Returns (n,) int64. The clip's other captions
    never stand in its way; captions of other clips that tie with its best one do.
    """
    audio, text, clip = _checked(audio, text, clip)
    if without := np.setdiff1d(np.arange(len(audio)), clip).tolist():
        raise ValueError(f"{len(without)} clips have no caption, for example row {without[0]}: leave them out first.")
    ranks = np.empty(len(audio), np.int64)
    for rows in _blocks(len(audio), len(text)):
        similarity = audio[rows] @ text.T  # (b, m)
        mine = clip[None, :] == np.arange(len(audio))[rows, None]  # (b, m)
        best = np.where(mine, similarity, -np.inf).max(axis=1, keepdims=True)  # (b, 1)
        ranks[rows] = 1 + ((similarity >= best - TIE) & ~mine).sum(axis=1)
    return ranks


def telling(n: int, ks: Sequence[int] = KS) -> tuple[int, ...]:
    """Those k at which recall among `n` clips tells something: where chance, k / n, is at most a third. (From audio to
    text it is never higher: a clip with c of m captions is found with at most k c / m, and c / m is 1 / n on average.)
    """
    return tuple(k for k in ks if 3 * k <= n)


def recall_at_k(audio: np.ndarray, text: np.ndarray, clip: np.ndarray, ks: Sequence[int] = KS) -> dict[str, float]:
    """Recall at k and median rank, both ways; a k that tells nothing among so few clips is left out (`telling`).

    Arguments as in `text_to_audio_ranks`. Returns {"text_to_audio_r@1": ..., "text_to_audio_median_rank": ...,
    "audio_to_text_r@1": ..., "audio_to_text_median_rank": ...}; recalls are fractions.
    """
    scores: dict[str, float] = {}
    ks = telling(len(audio), ks)
    for way, function in (("text_to_audio", text_to_audio_ranks), ("audio_to_text", audio_to_text_ranks)):
        ranks = function(audio, text, clip)
        scores |= {f"{way}_r@{k}": float(np.mean(ranks <= k)) for k in ks}
        scores[f"{way}_median_rank"] = float(np.median(ranks))
    return scores


def chance(n: int, captions_per_clip: int, k: int) -> dict[str, float]:
    """Recall at k of random embeddings, as many captions for each clip: {"text_to_audio": ..., "audio_to_text": ...}

    Audio to text: 1 - P(none of the clip's c captions among k drawn from n * c without replacement).
    """
    total = n * captions_per_clip
    missed = 1.0
    for i in range(min(k, total)):
        missed *= max(total - captions_per_clip - i, 0) / (total - i)
    return {"text_to_audio": min(k / n, 1.0), "audio_to_text": 1.0 - missed}


def confidence(audio: np.ndarray, text: np.ndarray, wrong: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """How well each caption fits its recording, and how that compares with captions of other recordings.

    audio, text: (n, d) unit rows, of one recording and its caption each; a row of `text` may be NaN (a caption without
    an embedding). wrong: (m, d), captions of other recordings; by default those of the others among these. Equal
    captions count once, and a caption is never compared with itself.

    Returns (n,) float64 arrays. own: the cosine of caption and recording. beats: the share of wrong captions that fit
    the recording less well, 0.5 for a caption as good as any. z: `own` in standard deviations above their mean. NaN
    where there is no caption, or none to compare it with (z: fewer than two, or all alike).

        retrieval.confidence(z_a, clap.embed_text(captions))["beats"]      # 1.0: no other caption fits as well
    """
    audio, text = np.asarray(audio, np.float32), np.asarray(text, np.float32)
    if audio.ndim != 2 or audio.shape != text.shape:
        raise ValueError(f"Expected audio and text of one shape (n, d), found {audio.shape} and {text.shape}.")
    others = text if wrong is None else np.asarray(wrong, np.float32).reshape(-1, audio.shape[1])
    others = np.unique(others[np.isfinite(others).all(1)], axis=0)  # (k, d)
    found = {name: np.full(len(audio), np.nan) for name in ("own", "beats", "z")}
    found["own"] = (audio.astype(float) * text).sum(1)
    for rows in _blocks(len(audio), max(len(others), 1)):
        fits = audio[rows].astype(float) @ others.T.astype(float)  # (b, k)
        other = ~(text[rows] @ others.T > 1 - TIE)  # (b, k) what says something else
        for i, fit, those in zip(range(rows.start, rows.stop), fits, other, strict=True):
            own, fit = found["own"][i], fit[those]
            if np.isfinite(own) and len(fit):
                found["beats"][i] = ((fit < own - TIE) + 0.5 * (abs(fit - own) <= TIE)).mean()
            if np.isfinite(own) and len(fit) > 1 and fit.std() > TIE:
                found["z"][i] = (own - fit.mean()) / fit.std()
    return found


def _checked(audio: np.ndarray, text: np.ndarray, clip: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    audio, text, clip = np.asarray(audio, np.float32), np.asarray(text, np.float32), np.asarray(clip)
    if audio.ndim != 2 or text.ndim != 2 or audio.shape[1] != text.shape[1]:
        raise ValueError(f"Expected audio (n, d) and text (m, d), found {audio.shape} and {text.shape}.")
    if clip.shape != (len(text),) or not np.issubdtype(clip.dtype, np.integer):
        raise ValueError(
            f"Expected one whole number per caption, shape ({len(text)},), found {clip.dtype} {clip.shape}."
        )
    if len(clip) == 0 or clip.min() < 0 or clip.max() >= len(audio):
        raise ValueError(f"`clip` must name rows of audio, 0 to {len(audio) - 1}.")
    if not (np.isfinite(audio).all() and np.isfinite(text).all()):
        raise ValueError("The embeddings hold values that are not finite.")
    return audio, text, clip


def _blocks(rows: int, columns: int) -> list[slice]:
    step = max(1, BLOCK_CELLS // max(columns, 1))
    return [slice(start, min(start + step, rows)) for start in range(0, rows, step)]
