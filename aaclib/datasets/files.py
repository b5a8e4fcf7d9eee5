"""The small files of data sets: reading their tables, and finding audio by name."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from aaclib import reading
from aaclib.config import Data
from aaclib.datasets import Clip, DatasetError
from aaclib.names import told_apart
from aaclib.paths import home_path, raw_dir

AUDIO_SUFFIXES = tuple(
    """
    .wav .flac .ogg .mp3 .oga .opus .aif .aiff .wave .bwf .rf64 .w64 .aifc .mpga .mp2 .au .snd .caf .sph .nist .voc
    .sf .ircam .svx .8svx .avr .paf .pvf
    """.split()
)
# recordings as well, which nothing here decodes
FOREIGN_SUFFIXES = tuple(
    """
    .m4a .m4b .mp4 .aac .wma .amr .3gp .ac3 .eac3 .dts .ape .wv .tta .mka .weba .webm .spx .mpc .ra .rm .dsf .dff
    """.split()
)
HIDDEN = (".", "__MACOSX")

# the one reader of tables, whose errors are a data set's here
read_table = reading.raising(DatasetError)(reading.read_table)
read_text = reading.raising(DatasetError)(reading.read_text)
read_lines = reading.raising(DatasetError)(reading.read_lines)
parse_json = reading.raising(DatasetError)(reading.parse_json)


# ---- audio -----------------------------------------------------------------------------------------------------------


def data_folder(data: Data, name: str, must_exist: bool = True) -> Path:
    """The folder that `data.<name>` gives, which has to be there, or else data/raw/<name>, which need not."""
    given = getattr(data, name)
    folder = home_path(given) if given else raw_dir() / name
    if given and must_exist and not folder.is_dir():
        raise DatasetError(f"There is no folder {folder} (data.{name}).")
    return folder


def audio_files(folder: Path) -> list[Path]:
    """All recordings below a folder, sorted, those in linked folders too; hidden files and macOS's leftovers are none.

    What cannot be decoded here (m4a, wma ...) is a recording as well, so that it is named and not forgotten, unless it
    stands there in another format under the same name.
    """
    if not folder.is_dir():
        raise DatasetError(f"There is no folder {folder}.")
    files = list(_files_below(folder))
    decodable = [path for path in files if _suffix(path) in AUDIO_SUFFIXES]
    beside = {path.with_suffix("") for path in decodable}
    foreign = [path for path in files if _suffix(path) in FOREIGN_SUFFIXES and path.with_suffix("") not in beside]
    return sorted(path for path in [*decodable, *foreign] if path.is_file())


def by_stem(folder: Path) -> dict[str, Path]:
    """File name without suffix -> the first recording of that name below a folder, one that can be decoded before one
    that cannot."""
    files = audio_files(folder) if folder.is_dir() else []
    return {file.stem: file for file in sorted(reversed(files), key=lambda file: _suffix(file) in AUDIO_SUFFIXES)}


def _suffix(path: Path) -> str:
    return path.suffix.strip().lower()


def _files_below(folder: Path) -> Iterator[Path]:
    """Each folder once, whatever links lead to it, and under its own name if it has one below `folder`."""
    seen, todo = set(), [folder]
    for start in todo:  # it grows by the links that are met
        for here, folders, names in os.walk(start):
            real = Path(here).resolve()
            folders[:] = [name for name in sorted(folders) if real not in seen and not name.startswith(HIDDEN)]
            if real not in seen:
                seen.add(real)
                yield from (Path(here, name) for name in names if not name.startswith(HIDDEN))
                links = (path for path in (Path(here, name) for name in folders) if path.is_symlink())
                todo += [link for link in links if not real.is_relative_to(link.resolve())]  # that were a loop


def with_audio(clips: Collection[Clip], files: Mapping[str, Path]) -> tuple[list[Clip], tuple[str, ...]]:
    """Those clips that have a file (clip id -> file), each with it, and the ids of the others."""
    here = [replace(clip, audio=files[clip.id]) for clip in clips if clip.id in files]
    return here, tuple(clip.id for clip in clips if clip.id not in files)


def gone(missing: Sequence[str], clips: str) -> list[str]:
    """The note on clips without a file, if there are any; `clips`: of which, as text ("12 clips")."""
    return (
        [f"{len(missing)} of {clips} have no audio file and are left out ({listing(missing, 3)})."] if missing else []
    )


def doubts(doubtful: Mapping[str, Sequence[Path]]) -> list[str]:
    """The note on clips whose name could mean several files (`names.match_names`), if there are any."""
    shown = [f"{name} ({', '.join(files)})" for name, *files in (told_apart([n, *f]) for n, f in doubtful.items())]
    what = f"{len(shown)} clips are left out whose names could each mean several files: {listing(shown, 3)}."
    return [f"{what} Give them exact names, with their folders."] if shown else []


def listing(names: Iterable[object], n: int = 5) -> str:
    """The first few of many names, for a message."""
    written = list(map(str, names))
    return ", ".join(written[:n]) + (f" and {len(written) - n} more" if len(written) > n else "")
