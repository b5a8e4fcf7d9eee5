"""What every CLAP backend shares: decoding, windows, batching, averaging and unit length.

Your own CLAP is ten lines. Put them in a module that Python can import and load it by `my_module:MyClap`, or in a
notebook's cell and call `aaclib.clap.register("mine", MyClap)`:

    class MyClap(Backend):
        name, dim, sample_rate, window_s = "my-clap", 512, 44100, 7.0

        def __init__(self, device=None):
            super().__init__(device)
            self.model = torch.jit.load("my_clap.pt", map_location=self.device).eval()
            self.digest = file_digest("my_clap.pt")        # names the artefacts made with it

        def audio_batch(self, waves):                      # (B, samples) float32 on the device, each one window
            return self.model.audio(waves)                 # (B, dim), any length

        def text_batch(self, texts):
            return self.model.text(texts)                  # (B, dim)
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch

from aaclib import audio
from aaclib.device import free_bytes, pick_device


class BackendError(RuntimeError):
    """A CLAP that cannot be loaded or gives unusable numbers; the message says which file and what to do."""


class Backend:
    """A frozen CLAP. A subclass sets the attributes and implements `audio_batch` and `text_batch`.

    `digest` identifies weights, front end and text treatment; with `settings()` it goes into the keys of embeddings.
    """

    name: str = ""
    recipe: dict = {}  # what aaclib.clap.load was called with: how a worker elsewhere loads the same one
    precomputed: bool = False  # True: embeddings are looked up, nothing is computed
    fusion: bool = False  # whether `long_batch` is there
    dim: int = 0
    sample_rate: int = 48000  # Hz, of what `audio_batch` gets
    window_s: float = 10.0  # seconds, of what `audio_batch` gets
    digest: str = ""
    source: str = ""  # of a class that is not this package's: its code names its embeddings, too
    training_data: str = "Its authors' description of the training data is not known to this package."
    short: str = "repeatpad"  # audio.FILLINGS: what happens to audio shorter than a window
    shortest_s: float = 0.0  # with short='keep': audio below this is repeated up to it
    long_audio: str = "windows"  # audio.POLICIES: what happens to longer audio
    seed: int = 0  # of long_audio='random'
    quantise: bool = False  # samples through 16 bits, as LAION-CLAP does
    window_mib: float = 40.0  # device memory for one window, measured; decides the batch size
    amp: torch.dtype | None = None  # autocast on CUDA; None = float32 throughout

    def __init__(self, device: str | torch.device | None = None):
        self.device = pick_device(device)

    def __repr__(self) -> str:
        about = f"dim={self.dim}, {self.sample_rate} Hz, windows of {self.window_s:g} s"
        return f"{type(self).__name__}({self.name!r}, {about}, {self.device})"

    # --- what a subclass gives ---------------------------------------------------------------------------------

    def audio_batch(self, waves: torch.Tensor) -> torch.Tensor:
        """(B, samples) float32 on the device, each exactly one window -> (B, dim), any length."""
        raise NotImplementedError

    def text_batch(self, texts: list[str]) -> torch.Tensor:
        """B captions -> (B, dim), any length."""
        raise NotImplementedError

    def long_batch(self, waves: list[np.ndarray]) -> torch.Tensor:
        """Whole recordings longer than a window -> (B, dim). Only models with a fusion of their own have it."""
        raise BackendError(f"{self.name} has no fusion for long audio. Choose windows, first, centre or random.")

    # --- what everybody calls ----------------------------------------------------------------------------------

    def embed_audio(
        self,
        recordings: Sequence[str | Path | np.ndarray],
        sample_rate: int | None = None,
        batch_size: int | None = None,
    ) -> np.ndarray:
        """Files, or 1-D float arrays at `sample_rate` Hz, -> float32 (n, dim), unit rows, in the same order.

        Longer and shorter recordings than a window follow `long_audio` and `short`. Several windows are embedded one
        by one, averaged as unit vectors and brought to unit length again. Raises audio.AudioError for unusable audio,
        BackendError for embeddings without a direction.

            z_a = clap.embed_audio(["rain.wav", "dog.flac"])      # (2, dim)
        """
        if isinstance(recordings, (str, Path, np.ndarray)):
            raise TypeError("embed_audio takes a list of files or of 1-D arrays; put a single one in brackets.")
        waves = (self.wave(item, sample_rate, f"recording {i}") for i, item in enumerate(recordings))
        return self.embed_waves(waves, batch_size)

    def embed_text(self, texts: Sequence[str], batch_size: int | None = None) -> np.ndarray:
        """Captions -> float32 (n, dim), unit rows, in the same order; equal ones are embedded once. Raises ValueError
        for an empty caption.

            z_t = clap.embed_text(["rain falls", "a dog barks"])      # (2, dim); z_a @ z_t.T are their cosines
        """
        if isinstance(texts, str):
            raise TypeError("embed_text takes a list of captions; put a single one in brackets.")
        check_captions(texts)
        unique, order = distinct(texts)
        size = batch_size or self.text_batch_size()
        rows = np.empty((len(unique), self.dim), np.float32)
        for start in range(0, len(unique), size):
            batch = unique[start : start + size]
            with self._context():
                rows[start : start + size] = self._unit(self.text_batch(batch), len(batch))
        return rows[order]

    # --- used by the extraction engine -------------------------------------------------------------------------

    def wave(self, item: str | Path | np.ndarray, sample_rate: int | None = None, name: str = "audio") -> np.ndarray:
        """One recording as float32 (samples,) at the backend's sample rate. Raises audio.AudioError."""
        if isinstance(item, (str, Path)):
            wave = audio.load(item, self.sample_rate)
        elif sample_rate is None:
            raise ValueError("Arrays need their sample_rate (Hz).")
        else:
            item = item.detach().cpu().numpy() if isinstance(item, torch.Tensor) else item
            wave = audio.resample(audio.check(item, sample_rate, name), sample_rate, self.sample_rate, name)
        return audio.quantise(wave) if self.quantise else wave

    def embed_waves(self, waves: Iterable[np.ndarray], batch_size: int | None = None) -> np.ndarray:
        """Recordings at the backend's sample rate -> float32 (n, dim), unit rows. A few batches are in memory."""
        size = batch_size or self.audio_batch_size()
        total: list[np.ndarray] = []
        waiting: dict[int, list[tuple[int, np.ndarray]]] = {}  # length of the window -> (recording, window)

        def run(length: int) -> None:
            batch = waiting.pop(length)
            with self._context():
                if length < 0:
                    rows = self._unit(self.long_batch([window for _, window in batch]), len(batch))
                else:
                    tensor = torch.from_numpy(np.stack([window for _, window in batch]))
                    if self.device.type == "cuda":
                        tensor = tensor.pin_memory()
                    rows = self._unit(self.audio_batch(tensor.to(self.device, non_blocking=True)), len(batch))
            for (owner, _), row in zip(batch, rows, strict=True):
                total[owner] += row

        for owner, wave in enumerate(waves):
            total.append(np.zeros(self.dim))
            for length, window in self._windows(wave):
                waiting.setdefault(length, []).append((owner, window))
                if len(waiting[length]) >= size:
                    run(length)
            while sum(map(len, waiting.values())) >= 8 * size:  # many lengths (short='keep'): memory stays bounded
                run(max(waiting, key=lambda key: len(waiting[key])))
        for length in sorted(waiting):
            run(length)
        return _unit_rows(np.array(total).reshape(len(total), self.dim), self.name)

    def settings(self) -> dict[str, object]:
        """What decides the numbers beside `digest`: part of the key of embeddings."""
        return {
            "digest": self.digest,
            "long_audio": self.long_audio,
            "short": self.short,
            "window_s": self.window_s,
            "sample_rate": self.sample_rate,
            "quantise": self.quantise,
            "seed": self.seed if self.long_audio == "random" else None,
            **({"source": self.source} if self.source else {}),
            "device": self.device.type,
            "dtype": str(self._half() or torch.float32).removeprefix("torch."),
        }

    def describe(self) -> dict[str, str]:
        """What notebook 02 shows of the backend."""
        return {
            "name": self.name,
            "dimension": str(self.dim),
            "sample rate": f"{self.sample_rate} Hz",
            "window": f"{self.window_s:g} s",
            "longer audio": self.long_audio,
            "shorter audio": self.short,
            "device": str(self.device),
            "digest": self.digest,
            "what this CLAP saw in training": self.training_data,
        }

    def audio_batch_size(self) -> int:
        """Windows per batch, from the free memory of the device (a quarter of it, 1..256; at most 16 on a CPU)."""
        return _fitting(self.window_mib, self.device, 16)

    def text_batch_size(self) -> int:
        """Captions per batch, from the same memory; at most 64 on a CPU."""
        return _fitting(4.0, self.device, 64)

    # --- inside ------------------------------------------------------------------------------------------------

    def _windows(self, wave: np.ndarray) -> Iterable[tuple[int, np.ndarray]]:
        size = round(self.window_s * self.sample_rate)
        if wave.size > size and self.long_audio == "fusion":
            return [(-1, wave)]
        if self.short == "keep" and wave.size < self.shortest_s * self.sample_rate:
            wave = audio.fill(wave, round(self.shortest_s * self.sample_rate), "repeat")
        if wave.size > size:
            return ((size, window) for window in audio.cuts(wave, size, self.long_audio, self.seed))
        window = audio.fill(wave, size, self.short)
        return [(window.size, window)]

    def _half(self) -> torch.dtype | None:
        return self.amp if self.device.type == "cuda" else None

    @contextlib.contextmanager
    def _context(self):
        half = torch.autocast("cuda", self._half(), enabled=self._half() is not None)
        with torch.inference_mode(), half:
            yield

    def _unit(self, rows: torch.Tensor, n: int) -> np.ndarray:
        if rows.shape != (n, self.dim):
            raise BackendError(f"{self.name}: expected embeddings of shape {(n, self.dim)}, found {tuple(rows.shape)}.")
        return _unit_rows(rows.float().cpu().numpy(), self.name)


def check_captions(texts: Sequence[str]) -> None:
    """Raises ValueError naming (by its position) the first caption that is empty or no text."""
    for i, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"Caption {i} of {len(texts)} is empty ({text!r}): it has no embedding.")


def distinct(texts: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """The different texts, similar lengths together, and (n,) int64: where among them each of `texts` is.

    distinct(["rain", "dog", "rain"])      # (['dog', 'rain'], array([1, 0, 1]))
    """
    unique = sorted(set(texts), key=lambda text: (len(text), text))
    place = {text: i for i, text in enumerate(unique)}
    return unique, np.array([place[text] for text in texts], np.int64)


def _unit_rows(rows: np.ndarray, name: str) -> np.ndarray:
    norms = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    bad = np.flatnonzero(~np.isfinite(norms[:, 0]) | (norms[:, 0] < 1e-12))
    if len(bad):
        raise BackendError(
            f"{name} gave an embedding without a direction (NaN, infinite or zero) at row {bad[0]} of "
            f"{len(rows)}: its weights or its input are damaged."
        )
    return (rows / norms).astype(np.float32)


def _fitting(mib: float, device: torch.device, cpu_most: int) -> int:
    most = 256 if device.type == "cuda" else cpu_most
    return max(1, min(most, int(free_bytes(device) / 4 / (mib * 2**20))))
