"""Small files in the Prophesee formats, encoded word by word in plain Python, for tests of the readers."""

from collections.abc import Callable, Sequence
from pathlib import Path

from hypothesis import strategies as st

from snnface.events import EventStream

__all__ = ["ENCODERS", "HEADERS", "WORD_BYTES", "dat_file", "junk", "rows_of", "words_file"]

HEADERS = {
    "EVT2": b"% evt 2.0\n% format EVT2;height=720;width=1280\n% end\n",
    "EVT21": b"% evt 2.1\n% format EVT21;height=720;width=1280\n% end\n",
    "EVT21 legacy": b"% evt 2.1\n% format EVT21;height=720;width=1280;endianness=legacy\n% end\n",
    "EVT3": b"% evt 3.0\n% format EVT3;height=720;width=1280\n% end\n",
    "DAT": b"% Data file containing CD events\n% Version 2\n% Width 1280\n% Height 720\n\x0c\x08",
}
WORD_BYTES = {"EVT2": 4, "EVT21": 8, "EVT21 legacy": 8, "EVT3": 2, "DAT": 8}

Rows = list[tuple[int, int, int, bool]]


def rows_of(events: EventStream) -> Rows:
    """The events as (t, x, y, on)."""
    columns = (events.t_us.tolist(), events.x.tolist(), events.y.tolist(), events.polarity.tolist())
    return list(zip(*columns, strict=True))


def words_file(
    path: Path, encoding: str, words: Sequence[int], *, header: bytes | None = None, rest: bytes = b""
) -> Path:
    """A file of the encoding's header, the words, and `rest`."""
    data = b"".join(word.to_bytes(WORD_BYTES[encoding], "little") for word in words)
    path.write_bytes((HEADERS[encoding] if header is None else header) + data + rest)
    return path


def dat_file(path: Path, rows: Rows) -> Path:
    return words_file(path, "DAT", _dat(rows))


def junk(encoding: str) -> st.SearchStrategy[list[int]]:
    """Any words, with more of those that mean something than chance would give."""
    bits = 8 * WORD_BYTES[encoding]
    kind_from = {"EVT21 legacy": 28, "DAT": bits}.get(encoding, bits - 4)
    typed = st.tuples(st.integers(0, (1 << bits) - 1), st.sampled_from((0, 1, 2, 3, 4, 5, 6, 8, 8, 10))).map(
        lambda pair: (pair[0] & ~(15 << kind_from) | pair[1] << kind_from) & ((1 << bits) - 1)
    )
    return st.lists(st.integers(0, (1 << bits) - 1) | typed, max_size=80)


def _evt2(rows: Rows) -> list[int]:
    words: list[int] = []
    high = -1
    for t, x, y, on in rows:
        if t >> 6 != high:
            high = t >> 6
            words.append(8 << 28 | high & 0xFFFFFFF)
        words.append(int(on) << 28 | (t & 63) << 22 | x << 11 | y)
    return words


def _evt21(rows: Rows) -> list[int]:
    """One event a word, at one of the 32 places; the mask is the lower half."""
    return [
        word << 32 if word >> 28 == 8 else (word & ~(31 << 11)) << 32 | 1 << (word >> 11 & 31) for word in _evt2(rows)
    ]


def _evt21_legacy(rows: Rows) -> list[int]:
    return [(word >> 32) | (word & 0xFFFFFFFF) << 32 for word in _evt21(rows)]


def _evt3(rows: Rows) -> list[int]:
    """Each part only where it changes; TIME_LOW always follows TIME_HIGH."""
    words: list[int] = []
    last_t, last_y = -1, -1
    for t, x, y, on in rows:
        if t >> 12 != last_t >> 12:
            words.append(0x8000 | t >> 12 & 0xFFF)
        if t != last_t:
            words.append(0x6000 | t & 0xFFF)
        if y != last_y:
            words.append(y)
        words.append(0x2000 | int(on) << 11 | x)
        last_t, last_y = t, y
    return words


def _dat(rows: Rows) -> list[int]:
    return [t & 0xFFFFFFFF | (x | y << 14 | int(on) << 28) << 32 for t, x, y, on in rows]


ENCODERS: dict[str, Callable[[Rows], list[int]]] = {
    "EVT2": _evt2,
    "EVT21": _evt21,
    "EVT21 legacy": _evt21_legacy,
    "EVT3": _evt3,
    "DAT": _dat,
}
