"""The modality gap: its vector, its width, and the sigma of the noise that stands for it.

All functions take unit-norm embeddings, float32 (n, d), row i of `z_a` and of `z_t` belonging together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from aaclib.reprs import brief

METHODS = ("rms", "linf", "caption", "residual")


@dataclass(frozen=True)
class Estimate:
    """What 50 audio-caption pairs of a data set other than the target tell about the gap."""

    n: int  # pairs
    dim: int  # d
    chosen: str  # the estimator of `sigma_value`, or "given"
    sigma_value: float  # sigma of the noise, per coordinate (not its square)
    sigma: dict[str, float]  # every estimator
    vector: np.ndarray | None  # (d,) mean(z_a) - mean(z_t); None where there are no pairs
    audio_mean: np.ndarray | None  # (d,)
    text_mean: np.ndarray | None  # (d,)
    note: str = ""  # why it is not what the profile asked for

    def __repr__(self) -> str:
        return brief(self, **vars(self))

    @property
    def noise_length(self) -> float:
        """d * sigma^2: the expected squared length of the noise, beside the embedding's 1."""
        return self.dim * self.sigma_value**2

    def value(self, sigma: str) -> float:
        """sigma by one of the estimators, or the number itself. Raises ValueError where these pairs cannot tell it."""
        if sigma in self.sigma:
            return self.sigma[sigma]
        if sigma in METHODS:
            why = self.note or (
                "it needs several captions a clip, and the pairs have one; use rms or linf"
                if sigma == "caption"
                else "there are no pairs"
            )
            raise ValueError(f"sigma = {sigma} cannot be estimated: {why}")
        return float(sigma)


def gap_vector(z_a: np.ndarray, z_t: np.ndarray) -> np.ndarray:
    """mean(z_a) - mean(z_t), (d,). The two need not be paired."""
    return (_rows(z_a).mean(0) - _rows(z_t).mean(0)).astype(np.float32)


def estimate_sigma(z_a: np.ndarray, z_t: np.ndarray, method: str = "rms", groups: np.ndarray | None = None) -> float:
    """sigma (a standard deviation per coordinate, not a variance) from pairs.

    - `rms`: root mean square of z_a - z_t over pairs and coordinates, gap included: the variance the noise stands for.
    - `linf`: mean infinity norm of z_a - z_t (NoAudioCaptioning, Deshmukh et al. 2024).
    - `caption`: mean infinity norm between captions of one clip (CapDec, Nukrai et al. 2022), so without audio;
      `groups` (n,) says which rows of z_t describe the same clip.
    - `residual`: as `rms`, once each modality's own mean is taken away: what is left where the gap is taken away.
    They differ up to twentyfold in sigma^2: always name the one used.
    """
    z_t = _rows(z_t)
    if method == "caption":
        if groups is None:
            raise ValueError("sigma = caption needs `groups`: which captions describe the same clip")
        return _caption_spread(z_t, groups)
    difference = _paired(z_a, z_t)
    if method == "rms":
        return float(np.sqrt(np.mean(np.square(difference, dtype=np.float64))))
    if method == "residual":
        return estimate_sigma(z_a - np.mean(z_a, 0), z_t - z_t.mean(0), "rms")
    if method == "linf":
        return float(np.abs(difference).max(axis=1).mean())
    raise ValueError(f"expected a method of {METHODS}, found {method!r}")


def estimate(
    z_a: np.ndarray,
    z_t: np.ndarray,
    sigma: str = "rms",
    captions: tuple[np.ndarray, np.ndarray] | None = None,
) -> Estimate:
    """Everything the strategies need. `sigma`: one of METHODS, or a number given as text. `captions`: for the method
    `caption`, the embeddings of several captions a clip (m, d) and the clip of each (m,)."""
    z_a, z_t = _rows(z_a), _rows(z_t)
    found = {method: estimate_sigma(z_a, z_t, method) for method in ("rms", "linf", "residual")}
    if captions is not None:
        found["caption"] = _caption_spread(*captions)
    about = Estimate(
        n=len(z_a),
        dim=z_a.shape[1],
        chosen=sigma if sigma in METHODS else "given",
        sigma_value=0.0,
        sigma=found,
        vector=gap_vector(z_a, z_t),
        audio_mean=z_a.mean(0),
        text_mean=z_t.mean(0),
    )
    return replace(about, sigma_value=about.value(sigma))


def given(sigma: str, dim: int, note: str) -> Estimate:
    """Where no pairs are at hand: the sigma that the profile gives, no gap vector and no means."""
    about = Estimate(0, dim, "given", 0.0, {}, None, None, None, note)
    return replace(about, sigma_value=about.value(sigma))


def statistics(z_a: np.ndarray, z_t: np.ndarray) -> dict[str, float]:
    """How the two modalities lie: distance of the centroids, cosines of matched and mismatched pairs, spread of
    each cone (mean cosine to its own centroid), and how well one threshold on the gap's direction separates them."""
    z_a, z_t = _rows(z_a), _rows(z_t)
    matched = float((_paired(z_a, z_t) ** 2).sum(1).mean())
    mean_a, mean_t = z_a.mean(0), z_t.mean(0)
    n = len(z_a)
    all_cosines = float(mean_a @ mean_t) * n * n  # the sum over every audio-text pair
    paired = float((z_a * z_t).sum())
    along = (mean_a - mean_t) / max(float(np.linalg.norm(mean_a - mean_t)), 1e-12)
    middle = float((mean_a + mean_t) @ along) / 2
    return {
        "centroid_distance": float(np.linalg.norm(mean_a - mean_t)),
        "matched_cosine": paired / n,
        "mismatched_cosine": (all_cosines - paired) / max(n * n - n, 1),
        "matched_squared_distance": matched,
        "audio_concentration": float(np.linalg.norm(mean_a)),
        "text_concentration": float(np.linalg.norm(mean_t)),
        "separable": float(((z_a @ along > middle).mean() + (z_t @ along <= middle).mean()) / 2),
    }


def _caption_spread(z_t: np.ndarray, groups: np.ndarray) -> float:
    distances = []
    for group in np.unique(groups):
        rows = z_t[np.asarray(groups) == group]
        distances += [float(np.abs(rows[i] - rows[j]).max()) for i in range(len(rows)) for j in range(i)]
    if not distances:
        raise ValueError("sigma = caption needs clips with several captions, and every clip here has one")
    return float(np.mean(distances))


def _paired(z_a: np.ndarray, z_t: np.ndarray) -> np.ndarray:
    z_a, z_t = _rows(z_a), _rows(z_t)
    if z_a.shape != z_t.shape:
        raise ValueError(f"expected pairs of one shape, found audio {z_a.shape} and text {z_t.shape}")
    return z_a - z_t


def _rows(z: np.ndarray) -> np.ndarray:
    z = np.asarray(z, dtype=np.float32)
    if z.ndim != 2 or not len(z):
        raise ValueError(f"expected embeddings (n, d) with n > 0, found shape {z.shape}")
    return z
