"""What an audio file's container says of itself: whether the file is whole, and what it is where it cannot be decoded.

libsndfile reads half of a cut file without a word, finds nothing where a pipe could not know the length, and takes AAC
for MP3. Only headers are read here, from chunk to chunk, so the length of the file does not matter. A cut stays unseen
in MP3, PVF, PAF and IRCAM where nothing says how long they are, and in AVR, MAT5, XI, SDS and MPC2K.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import stat
import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

FOREIGN = (  # (place, the bytes there, what it is): what libsndfile does not decode
    (4, b"ftyp", "MPEG-4 audio (AAC or ALAC)"),
    (0, b"ADIF", "AAC audio"),
    (0, b"#!AMR", "AMR audio"),
    (0, b"0&\xb2u\x8ef\xcf\x11", "Windows Media audio"),
    (0, b"\x1aE\xdf\xa3", "a Matroska or WebM file"),
    (0, b"\x0bw", "AC-3 audio"),
    (0, b"\x7f\xfe\x80\x01", "DTS audio"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"wvPk", "WavPack audio"),
    (0, b"TTA1", "True Audio"),
    (0, b"MPCK", "Musepack audio"),
    (0, b"MP+", "Musepack audio"),
    (0, b".RMF", "RealAudio"),
    (0, b".ra\xfd", "RealAudio"),
    (0, b"DSD ", "DSD audio"),
    (0, b"FRM8", "DSD audio"),
    (0, b"MThd", "MIDI"),
    (28, b"\x7fFLAC", "FLAC in OGG"),
    (28, b"Speex", "Speex audio"),
)


class Layout(NamedTuple):
    """How a container of chunks is built."""

    header: str  # struct of a chunk's name and length
    data: bytes = b"data"  # the chunk that holds the samples
    first: int = 12  # where the first chunk begins
    align: int = 2
    own: int = 0  # bytes of the chunk's header that its length counts
    empty: int = 0  # the length where there are no samples


LAYOUTS = {
    b"RIFFWAVE": Layout("<4sI"),
    b"RIFXWAVE": Layout(">4sI"),
    b"RF64WAVE": Layout("<4sI"),
    b"FORMAIFF": Layout(">4sI", b"SSND", empty=8),
    b"FORMAIFC": Layout(">4sI", b"SSND", empty=8),
    b"FORM8SVX": Layout(">4sI", b"BODY"),
    b"FORM16SV": Layout(">4sI", b"BODY"),
    b"caff": Layout(">4sQ", first=8, align=1),
    b"riff": Layout("<16sQ", b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0O\x8e\xdb\x8a", 40, 8, 24),  # W64
}


class Unusable(ValueError):
    """A file that is cut short, or holds what cannot be decoded; the message is a phrase without the file's name."""


class Spliced(io.FileIO):
    """A file read as if its first `skip` bytes were `head`.

    With `frames`, the bytes that its MP3 frames begin with, it does not tell where it ends: then libsndfile counts the
    frames, and does not guess their number from the bit rate of the first.
    """

    def __init__(self, path: Path, head: bytes, skip: int, frames: bytes = b""):
        super().__init__(path)
        self.head, self.shift, self.frames, self.at, self.reached = head, len(head) - skip, frames, 0, 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        end = 0 if self.frames else super().seek(0, io.SEEK_END) + self.shift
        self.at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: end}[whence]
        return self.at

    def tell(self) -> int:
        return self.at

    def readinto(self, buffer: bytearray) -> int:
        view = memoryview(buffer)
        part = self.head[self.at : self.at + len(view)]
        view[: len(part)] = part
        super().seek(max(0, self.at + len(part) - self.shift))
        n = len(part) + super().readinto(view[len(part) :])
        self.at += n
        self.reached = max(self.reached, self.at)
        return n

    def frames_behind(self) -> bool:
        """Whether frames of an MP3 are left behind what could be read: there is something else in its middle."""
        super().seek(self.reached - self.shift)
        return bool(self.frames) and super().read(1 << 20).count(self.frames) > 2


def examine(path: Path) -> Spliced | None:
    """None for a file that can be decoded as it is, else what is to be decoded in its place.

    Raises Unusable for a file that is cut short or cannot be decoded, and OSError where there is none.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise Unusable(f"this is a {'folder' if path.is_dir() else 'device or pipe'}, not a file")
    with open(path, "rb") as file:
        size, head = os.fstat(file.fileno()).st_size, file.read(4096)
        if size == 0:
            raise Unusable("empty: the file has 0 bytes")
        if path.suffix.lower() == ".raw":
            raise Unusable("raw samples, and nothing says at what rate and in what form; save it as WAV")
        tag = 0
        if head[:3] == b"ID3" and len(head) >= 10:
            tag = 10 + sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
            file.seek(tag)
            head = file.read(4096)
        kind = next((what for place, magic, what in FOREIGN if head.startswith(magic, place)), "")
        if kind or (head[:1] == b"\xff" and head[1:2] and head[1] & 0xF6 == 0xF0):  # an MPEG frame of no layer
            target = path.with_suffix(".flac" if path.suffix == ".wav" else ".wav")
            raise Unusable(
                f"it holds {kind or 'AAC audio'}, which cannot be decoded here; convert it: "
                f"ffmpeg -i {shlex.quote(path.name)} {shlex.quote(target.name)}"
            )
        if layout := LAYOUTS.get(head[:4] + head[8:12]) or LAYOUTS.get(head[:4]):
            return _chunks(file, path, size, head, layout)
        if head[:4] in (b".snd", b"dns.") and len(head) >= 12:
            order = ">" if head[:1] == b"." else "<"
            start, length = struct.unpack(order + "II", head[4:12])
            return _samples(file, path, size, (8, order + "I"), start, length, unclosed=length == 0)
        if head[:4] == b"OggS":
            _ogg(file, size)
        elif head[:7] == b"NIST_1A":
            _nist(size, head)
        elif head[:4] == b"fLaC":
            _flac(file, size, head)
        elif head[:1] == b"\xff" and head[1:2] and head[1] & 0xE6 == 0xE2:  # MPEG layer III
            return _mp3(file, path, size, head, tag)
        elif not any(byte > 126 or (byte < 32 and byte not in b"\t\r\n\f") for byte in head):
            raise Unusable("not audio: the file is text")
    return None


# ---- containers of chunks -------------------------------------------------------------------------------------------


def _chunks(file: BinaryIO, path: Path, size: int, head: bytes, layout: Layout) -> Spliced | None:
    place, width, long = layout.first, struct.calcsize(layout.header), 0
    while place + width <= size:
        file.seek(place)
        name, length = struct.unpack(layout.header, file.read(width))
        start, order = place + width, layout.header[0]
        if name == b"ds64":
            long = start + 8  # where RF64 keeps the length of its samples
        if name == layout.data:
            field = start - struct.calcsize(layout.header[-1]), order + layout.header[-1]
            if long and length == 0xFFFFFFFF:
                field = long, "<Q"
                file.seek(long)
                (length,) = struct.unpack("<Q", file.read(8).ljust(8, b"\0"))
            end = 8 + struct.unpack(order + "I", head[4:8])[0]
            unclosed = layout.first == 12 and length <= layout.empty and not start + layout.empty < end <= size
            return _samples(file, path, size, field, start, length, layout.own, unclosed)
        if length < layout.own or not name[:4].isascii():
            return None  # no chunk: libsndfile says what it makes of it
        place = start + length - layout.own
        place += -place % layout.align
    raise Unusable("truncated: the file ends before its samples begin")


def _samples(
    file: BinaryIO,
    path: Path,
    size: int,
    field: tuple[int, str],
    start: int,
    length: int,
    own: int = 0,
    unclosed: bool = False,
) -> Spliced | None:
    """`field`: place and struct of the length of the samples, which begin at `start`. What writes to a pipe
    (0xFFFFFFFF, 0x7FFFF000, -1 ...), or was stopped before it knew (0, `unclosed`), means: to the end."""
    there = size - start + own
    if there < own:
        raise Unusable("truncated: the file ends before its samples begin")
    endless = length >= 2**62 or any(0 <= limit - length < 2**16 for limit in (2**31, 2**32))
    if (unclosed and there > own) or (endless and length > there):
        file.seek(0)
        head = bytearray(file.read(start))
        struct.pack_into(field[1], head, field[0], there)
        return Spliced(path, bytes(head), start)
    if length > there:
        raise Unusable(f"truncated: {there} of {length} bytes of samples are there")
    return None


def _nist(size: int, head: bytes) -> None:
    have = {name: int(value) for name, value in re.findall(rb"(\w+) -\w+ (\d+)", head)}
    names = (b"sample_count", b"channel_count", b"sample_n_bytes")
    if all(name in have for name in names) and b"shorten" not in head:
        length = have[names[0]] * have[names[1]] * have[names[2]]
        if size - 1024 < length:
            raise Unusable(f"truncated: {size - 1024} of {length} bytes of samples are there")


# ---- containers of frames -------------------------------------------------------------------------------------------


def _ogg(file: BinaryIO, size: int) -> None:
    """A page that is not whole is a cut; a missing last page is not, nor is padding behind it."""
    place, streams, begun = 0, 0, False
    while place < size:
        file.seek(place)
        page = file.read(27 + 255)
        if page[:4] != b"OggS"[: len(page)]:
            break
        place += 27 + page[26] + sum(page[27 : 27 + page[26]]) if len(page) > 26 else 27
        if place > size:
            raise Unusable("truncated: its last OGG page is cut")
        streams += bool(begun and page[5] & 2)  # a stream that begins behind the data of another
        begun = not page[5] & 2
    if streams:
        raise Unusable(
            f"{streams + 1} OGG streams stand one behind the other, and only the first can be decoded; "
            f"join them: ffmpeg -i FILE.ogg FILE.wav"
        )


def _flac(file: BinaryIO, size: int, head: bytes) -> None:
    """Where the header does not say how many samples there are, the last frame's checksum shows whether it is whole."""
    if len(head) < 42 or int.from_bytes(head[18:26], "big") & (2**36 - 1):
        return
    file.seek(max(0, size - (1 << 17)))
    tail = file.read()
    starts = [match.start() for match in re.finditer(rb"\xff[\xf8\xf9]", tail)]
    if not any(_crc16(tail[start:]) == 0 for start in reversed(starts)):
        raise Unusable("truncated: this FLAC does not say how long it is, and its last frame is not whole")


def _crc16(data: bytes) -> int:
    """FLAC's; 0 for a frame with its checksum at the end."""
    value = 0
    for byte in data:
        value = (value << 8 & 0xFFFF) ^ CRC16[value >> 8 ^ byte]
    return value


def _crc16_of(byte: int) -> int:
    value = byte << 8
    for _ in range(8):
        value = value << 1 ^ (0x18005 if value & 0x8000 else 0)
    return value


CRC16 = [_crc16_of(byte) for byte in range(256)]


def _mp3(file: BinaryIO, path: Path, size: int, head: bytes, tag: int) -> Spliced | None:
    place = max(head[:64].find(b"Xing"), head[:64].find(b"Info"))
    if place > 0:
        flags, frames, length = struct.unpack(">III", head[place + 4 : place + 16].ljust(12, b"\0"))
        if flags & 3 == 3 and length > size:
            raise Unusable(f"truncated: {size - tag} of {length} bytes are there")
        file.seek(tag + length)
        if flags & 3 == 3 and file.read(1 << 20).count(head[:2]) > 2:
            raise Unusable(
                "another MP3 (or more of it) stands behind its end and cannot be decoded; join them: "
                "ffmpeg -i FILE.mp3 FILE.wav"
            )
        if flags & 1 and frames:
            return None
    return None if b"VBRI" in head[:64] else Spliced(path, b"", tag, head[:2])
