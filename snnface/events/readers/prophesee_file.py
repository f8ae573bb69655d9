"""What the Prophesee formats share: a text header, then binary words of one size, decoded block by block."""

import io
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from snnface.errors import DataError
from snnface.events.readers.assembly import Assembly
from snnface.events.readers.base import Extras
from snnface.events.readers.pieces import EventColumns, PieceFile
from snnface.events.readers.prophesee_header import HEAD_BYTES, prophesee_header, second_header
from snnface.events.sensor_data import SensorData, Triggers
from snnface.events.stream import EventStream
from snnface.events.window import Resolution
from snnface.jit import jit

__all__ = ["FIRST_RESERVED", "NUM_RESERVED", "NUM_SHARED", "NUM_TRIGGERS", "Columns", "PropheseeFile"]

# A block and what it is decoded to stay in the processor's second cache.
BLOCK_BYTES = 1 << 18
# A loop may write up to this many places behind its last event before it knows that they are not used.
SLACK = 12

# Places in a decoder's state that all decoders share; its own follow from NUM_SHARED on.
NUM_TRIGGERS, NUM_RESERVED, FIRST_RESERVED, NUM_SHARED = range(4)

Columns = tuple[np.ndarray, ...]


class PropheseeFile(PieceFile):
    """A RAW or DAT file; a format adds its decoder and the size of its words.

    Class attributes:
        encoding, word_type: name and size of the words.
        padding: words that are put behind each block, for a loop that looks ahead.
        byte_orders: as in `PropheseeHeader`.

    A loop of a decoder writes without checking bounds. It is safe because the places it
    gets are counted for the very words that it decodes: `_max_events` of them, and SLACK.

    Raises:
        DataError: if the header names another format, a byte order that is not read, or
            no sensor size where none is given.
    """

    encoding: ClassVar[str]
    word_type: ClassVar[type[np.unsignedinteger[Any]]]
    padding: ClassVar[tuple[int, ...]] = ()
    byte_orders: ClassVar[tuple[str, ...]] = ("little",)

    def __init__(self, path: Path, *, resolution: Resolution | None = None, recover: bool = False) -> None:
        with path.open("rb") as file:
            header = prophesee_header(path, file.read(HEAD_BYTES))
        if header is None or header.encoding != self.encoding:
            raise DataError(f"{path} should begin with the text header of a file in {self.encoding}; it does not.")
        if header.byte_order not in self.byte_orders:
            raise DataError(
                f"{path}: the header states the byte order {header.byte_order!r}; "
                f"{self.encoding} is read in {' or '.join(self.byte_orders)}."
            )
        resolution = resolution or header.resolution
        if resolution is None:
            raise DataError(
                f"{path}: the header does not state the sensor's size; give it, as in "
                "resolution=Resolution(height=720, width=1280)."
            )
        super().__init__(path, resolution, recover=recover)
        self._header = header
        self._data_start = header.num_bytes

    def extras(self) -> Extras:
        columns, triggers, num_triggers = EventColumns(), list[Triggers](), 0
        for _ in self._pieces(columns, self._assembly(), triggers):
            num_triggers += sum(map(len, triggers))
            triggers.clear()
            columns.clear()
        return Extras(num_triggers=num_triggers if self._has_triggers else None)

    @abstractmethod
    def _max_events(self, words: np.ndarray) -> int:
        """An upper bound of the events in `words`."""

    @abstractmethod
    def _decode(self, words: np.ndarray, state: np.ndarray, events: Columns, triggers: Columns) -> int:
        """Decode `words` into `events` and `triggers`; returns the number of events, the rest goes into `state`."""

    @abstractmethod
    def _new_state(self) -> np.ndarray:
        """The decoder's state at the start of the data."""

    @property
    def _has_triggers(self) -> bool:
        """Whether the file can hold triggers."""
        return True

    def _finish(self, state: np.ndarray) -> None:
        """Called after the last block."""

    def _pieces(self, columns: EventColumns, assembly: Assembly, others: list[Any]) -> Iterator[int | None]:
        state = self._new_state()
        scratch = tuple(np.empty(BLOCK_BYTES, dtype) for dtype in (np.int64, np.uint8, np.bool_))
        file_bytes = self.path.stat().st_size
        for words, at_byte in self._words(assembly):
            progress = min((at_byte + words.nbytes) / file_bytes, 1.0)
            places = columns.space(self._max_events(words) + SLACK, progress=progress)
            state[[NUM_TRIGGERS, NUM_RESERVED]] = 0
            columns.keep(self._decode(words, state, places, scratch))
            self._report_reserved(assembly, state, at_byte)
            if state[NUM_TRIGGERS]:
                t_us, channel, rising = (column[: state[NUM_TRIGGERS]].copy() for column in scratch)
                others.append(Triggers(t_us=t_us, channel=channel, rising=rising))
            yield at_byte
        self._finish(state)

    def _sensor_data(self, events: EventStream, others: list[Any], assembly: Assembly) -> SensorData:
        return SensorData(events=events, triggers=_joined(others) if self._has_triggers else None)

    def _words(self, assembly: Assembly) -> Iterator[tuple[np.ndarray, int]]:
        """Blocks of words and where in the file they begin; all in one buffer, each valid until the next."""
        word_bytes = np.dtype(self.word_type).itemsize
        max_words = max(BLOCK_BYTES // word_bytes, 1)
        buffer = np.empty(max_words + len(self.padding), self.word_type)
        at_byte = self._data_start
        with self.path.open("rb", buffering=0) as file:
            file.seek(at_byte)
            while num_bytes := _filled(file, buffer[:max_words].data.cast("B")):
                again = _second_header(buffer.view(np.uint8)[:num_bytes])
                num_words, rest = divmod(num_bytes if again is None else again[0], word_bytes)
                buffer[num_words : num_words + len(self.padding)] = self.padding
                if num_words:
                    yield buffer[: num_words + len(self.padding)], at_byte
                if again is not None:
                    self._report_header(assembly, again[1] - again[0] + rest, at_byte + again[0])
                    at_byte += again[1]
                    file.seek(at_byte)
                    continue
                at_byte += num_words * word_bytes
                if rest:
                    self._report_rest(assembly, rest, at_byte)

    def _report_header(self, assembly: Assembly, num_bytes: int, at_byte: int) -> None:
        assembly.damage(
            "a second text header begins here: recordings were put one behind another. Split the file there, or leave "
            "out the header (recover=True, --recover).",
            dropped="bytes of further headers",
            count=num_bytes,
            at_byte=at_byte,
        )

    def _report_rest(self, assembly: Assembly, num_bytes: int, at_byte: int) -> None:
        assembly.damage(
            f"the data end in the middle of a {8 * np.dtype(self.word_type).itemsize}-bit word: the file is truncated. "
            "Copy it again, or read the whole words (recover=True, --recover).",
            dropped="bytes behind the last whole word",
            count=num_bytes,
            at_byte=at_byte,
        )

    def _report_reserved(self, assembly: Assembly, state: np.ndarray, at_byte: int) -> None:
        if state[NUM_RESERVED]:
            assembly.damage(
                f"a word has a type that {self.encoding} does not define: the file is damaged or holds an extension. "
                "Leave out such words (recover=True, --recover).",
                dropped="words of undefined type",
                count=int(state[NUM_RESERVED]),
                at_byte=at_byte + int(state[FIRST_RESERVED]) * np.dtype(self.word_type).itemsize,
            )


def _second_header(data: np.ndarray) -> tuple[int, int] | None:
    return second_header(data.tobytes()) if _may_hold_header(data) else None


@jit
def _may_hold_header(data):  # type: ignore[no-untyped-def]
    """Whether `% e` or `% f` is among the bytes; a loop without a branch, for speed."""
    found = False
    for index in range(len(data) - 2):
        found |= (
            (data[index] == 0x25) & (data[index + 1] == 0x20) & ((data[index + 2] == 0x65) | (data[index + 2] == 0x66))
        )
    return found


def _filled(file: io.RawIOBase, buffer: memoryview) -> int:
    """Read until the buffer is full or the file ends; returns the number of bytes."""
    num_bytes = 0
    while num_bytes < len(buffer) and (num_read := file.readinto(buffer[num_bytes:])):
        num_bytes += num_read
    return num_bytes


def _joined(parts: list[Triggers]) -> Triggers:
    return Triggers(
        t_us=np.concatenate([np.empty(0, np.int64), *(part.t_us for part in parts)]),
        channel=np.concatenate([np.empty(0, np.uint8), *(part.channel for part in parts)]),
        rising=np.concatenate([np.empty(0, np.bool_), *(part.rising for part in parts)]),
    )
