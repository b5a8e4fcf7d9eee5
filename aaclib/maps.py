r"""Maps between the modalities: learned from pairs, or from statistics of each modality alone. Arrays in, arrays out.

    map             fitted on                             what it does to z
    procrustes      pairs                                 turns: (z - mean_x) R + mean_y, R orthogonal
    ridge           pairs                                 (z - mean_x) W + mean_y, W shrunk as leave-one-out asks
    mlp             pairs                                 ridge, and what a small network adds to it
    shared_axes     pairs                                 coordinates along the k directions that both modalities share
    realign         each modality alone, unpaired         centred, scaled to the other's spread, moved onto its mean

Rows are embeddings, float32 (n, d); `x` is where a map starts from, `y` where it ends, row i of both belonging
together. Every map is a function of rows, (m, d) -> (m, d), and the caller brings its result to unit length.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from aaclib.reprs import brief

Map = Callable[[np.ndarray], np.ndarray]
STRENGTHS = np.logspace(-4, 2, 13)  # of ridge, from hardly any shrinking to next to nothing left of W
HIDDEN = 128  # of the small network
_made: dict[tuple, Any] = {}


@dataclass(frozen=True)
class Linear:
    """z -> (z - origin) @ matrix + target"""

    origin: np.ndarray  # (d,)
    matrix: np.ndarray  # (d, d)
    target: np.ndarray  # (d,)

    def __call__(self, z: np.ndarray) -> np.ndarray:
        return ((z - self.origin) @ self.matrix + self.target).astype(np.float32)

    def __repr__(self) -> str:
        return brief(self, **vars(self))


def procrustes(x: np.ndarray, y: np.ndarray) -> Linear:
    """The turn (rotation, perhaps with a reflection) that brings x nearest to y once both are centred (Schoenemann
    1966). n pairs say where n - 1 directions go; the others go somewhere, orthogonally. Raises ValueError for rows that
    are no pairs.

    >>> to_text = maps.procrustes(pairs.z_a, pairs.z_t)
    >>> unit(to_text(z_a))
    """
    from scipy.linalg import orthogonal_procrustes

    x, y = _pairs(x, y)
    mean_x, mean_y = x.mean(0), y.mean(0)
    return Linear(mean_x, orthogonal_procrustes(x - mean_x, y - mean_y)[0], mean_y)


def ridge(x: np.ndarray, y: np.ndarray, strengths: np.ndarray = STRENGTHS) -> Linear:
    """Least squares with a penalty on W, of the strength whose leave-one-out error on the pairs is the smallest
    (scikit-learn's RidgeCV). What few pairs do not tell stays at y's mean. Raises ValueError for rows that are no
    pairs."""
    from sklearn.linear_model import RidgeCV

    x, y = _pairs(x, y)
    mean_x, mean_y = x.mean(0), y.mean(0)
    fit: Any = RidgeCV(alphas=strengths, fit_intercept=False).fit(x - mean_x, y - mean_y)
    return Linear(mean_x, np.atleast_2d(fit.coef_).T, mean_y)


def mlp(x: np.ndarray, y: np.ndarray, seed: int = 0, noise: float = 0.0, hidden: int = HIDDEN) -> Map:
    """Ridge, and a network of one hidden layer that learns what ridge leaves over, stopped early on a tenth of the
    pairs (scikit-learn's MLPRegressor). `noise`: each pair is given ten times, x with noise of this standard deviation
    per coordinate. Raises ValueError for fewer than 20 pairs: there is nothing to stop by."""
    from sklearn.neural_network import MLPRegressor

    x, y = _pairs(x, y)
    if len(x) < 20:
        raise ValueError(f"the map 'mlp' needs 20 pairs, and there are {len(x)}: use ridge, or raise gap.n_pairs")
    if noise:
        rng = np.random.default_rng(seed)
        x, y = np.repeat(x, 10, 0), np.repeat(y, 10, 0)
        x = x + noise * rng.standard_normal(x.shape)
    linear = ridge(x, y)
    network = MLPRegressor(
        hidden_layer_sizes=(hidden,), early_stopping=True, alpha=1e-2, random_state=seed, max_iter=500
    )
    network.fit(x - linear.origin, y - linear(x))
    return lambda z: (linear(z) + network.predict(z - linear.origin)).astype(np.float32)


def shared_axes(x: np.ndarray, y: np.ndarray, k: int) -> tuple[Linear, Linear]:
    """The coordinates of both modalities along the k pairs of directions in which they vary together most: with
    centred pairs X and Y, X'Y = U S V', coordinates (x - mean_x) U_k and (y - mean_y) V_k (the PLS head of COMET, Zhu
    et al. 2026). The other coordinates of the (d,) rows are 0, so a decoder for d reads them. n pairs have at most
    n - 1 such directions. Returns the maps of x and of y. Raises ValueError for rows that are no pairs.

    >>> read_text, read_audio = maps.shared_axes(pairs.z_t, pairs.z_a, k=100)
    """
    x, y = _pairs(x, y)
    mean_x, mean_y = x.mean(0), y.mean(0)
    left, _, right = np.linalg.svd((x - mean_x).T @ (y - mean_y))
    axes = min(k, len(x) - 1, x.shape[1])

    def head(mean: np.ndarray, directions: np.ndarray) -> Linear:
        kept = np.zeros_like(directions)
        kept[:, :axes] = directions[:, :axes]
        return Linear(mean, kept, np.zeros_like(mean))

    return head(mean_x, left), head(mean_y, right.T)


def realign(z: np.ndarray, mean_x: np.ndarray, mean_y: np.ndarray, spread_y: float) -> Map:
    """From x to y by statistics of each alone (ReAlign, arXiv 2602.07026): centred on x's mean, scaled so that x
    spreads as y does, moved onto y's mean, brought to unit length, and moved once more so that the mean of all is y's.

    `z`: (n, d) rows of x, over which spread and last mean are taken; `spread_y`: mean squared distance of y's rows to
    their mean (`spread`).

    >>> to_audio = maps.realign(z_t, z_t.mean(0), audio_mean, maps.spread(pairs.z_a))
    """
    scale = float(np.sqrt(spread_y / max(spread(z, mean_x), 1e-12)))

    def moved(rows: np.ndarray) -> np.ndarray:
        rows = scale * (rows - mean_x) + mean_y
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)

    rest = mean_y - moved(z).mean(0)
    return lambda rows: (moved(rows) + rest).astype(np.float32)


def spread(z: np.ndarray, mean: np.ndarray | None = None) -> float:
    """Mean squared distance of rows (n, d) to `mean` (d,), their own by default: the trace of their covariance."""
    return float(np.square(z - (z.mean(0) if mean is None else mean), dtype=np.float64).sum(1).mean())


def made_once(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """`function(*arguments, **options)`, computed once for these very arrays and these (hashable) values, and kept for
    as long as all the arrays live. Nobody may change them meanwhile, and what comes out must not hold one of them.

    >>> made_once(maps.ridge, context.pair_audio, context.pair_text)
    """
    arrays = [one for one in arguments if isinstance(one, np.ndarray)]
    named = (id(one) if isinstance(one, np.ndarray) else one for one in arguments)
    if (key := (function, *named, *sorted(options.items()))) not in _made:
        _made[key] = function(*arguments, **options)
        for one in arrays:  # before another array can be given the same id
            weakref.finalize(one, _made.pop, key, None)
    return _made[key]


def _pairs(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 2 or len(x) < 2:
        raise ValueError(f"expected at least two pairs (n, d) of one shape, found {x.shape} and {y.shape}")
    return x, y
