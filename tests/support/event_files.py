"""One small file for every format that is read: the same events in each, as bytes."""

import io
import struct
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np

from snnface.events import EventStream, Resolution, create_events

__all__ = ["EVENT_FILES", "SENSOR", "Columns", "small_columns"]

SENSOR = Resolution(height=10, width=20)

# x, y, time in microseconds, polarity; unchecked, so that files can be made that no writer would make.
Columns = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def small_columns() -> Columns:
    """A dozen events: the four corners, ties in time, a row of neighbours, both polarities, a gap of 10 ms."""
    x = [0, 19, 0, 19, 5, 6, 7, 9, 3, 3, 3, 12]
    y = [0, 0, 9, 9, 4, 4, 4, 4, 8, 8, 8, 1]
    t = [5_000, 5_000, 5_001, 5_063, 5_064, 5_064, 5_064, 5_064, 5_070, 5_071, 15_000, 15_001]
    on = [1, 0, 1, 0, 1, 1, 1, 1, 0, 1, 0, 1]
    return np.array(x, np.uint16), np.array(y, np.uint16), np.array(t, np.int64), np.array(on, np.bool_)


def _written(name: str) -> Callable[[Columns], bytes]:
    """By a writer of the project, past the checks that it makes."""

    def write(columns: Columns) -> bytes:
        with TemporaryDirectory() as folder:
            path = Path(folder, "events")
            with create_events(path, SENSOR, format=name) as writer:
                x, y, t_us, polarity = columns
                # As long as the ends are in order and inside, nothing else is looked at.
                writer.append(EventStream.of_checked(x, y, t_us, polarity, SENSOR))
            return path.read_bytes()

    return write


def _evt21(columns: Columns) -> bytes:
    words = []
    for x, y, t, on in zip(*(column.tolist() for column in columns), strict=True):
        words.append((8 << 28 | t >> 6) << 32)
        words.append(((int(on) << 28 | (t & 63) << 22 | x << 11 | y) << 32) | 1)
    return b"% evt 2.1\n% format EVT21;height=10;width=20\n% end\n" + np.array(words, "<u8").tobytes()


def _aedat2(columns: Columns) -> bytes:
    """DAVIS addresses: bits 22.. row, 12.. column, 11 polarity, both counted from the lower right."""
    records = b"".join(
        struct.pack(">II", (SENSOR.height - 1 - y) << 22 | (SENSOR.width - 1 - x) << 12 | int(on) << 11, t)
        for x, y, t, on in zip(*(column.tolist() for column in columns), strict=True)
    )
    return (
        b"#!AER-DAT2.0\r\n# This is a raw AE data file\r\n# AEChip: eu.seebetter.ini.chips.davis.DAVIS346\r\n" + records
    )


def _aedat3(columns: Columns) -> bytes:
    """One packet of polarity events: bit 0 valid, 1 polarity, 2.. row, 17.. column."""
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    events = b"".join(struct.pack("<II", 1 | int(on) << 1 | y << 2 | x << 17, t) for x, y, t, on in rows)
    head = struct.pack("<hhiiiiii", 1, 1, 8, 4, 0, len(rows), len(rows), len(rows))
    return b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DAVIS346\r\n#!END-HEADER\r\n" + head + events


def _in_hdf5(fill: Callable[[h5py.File, Columns], None]) -> Callable[[Columns], bytes]:
    def write(columns: Columns) -> bytes:
        memory = io.BytesIO()
        with h5py.File(memory, "w") as file:
            fill(file, columns)
        return memory.getvalue()

    return write


def _dsec(file: h5py.File, columns: Columns) -> None:
    for name, column in zip("xytp", columns, strict=True):
        file[f"events/{name}"] = column
    file["events"].attrs.update({"height": SENSOR.height, "width": SENSOR.width})


def _v2e(file: h5py.File, columns: Columns) -> None:
    x, y, t, on = columns
    file["events"] = np.stack([t, x, y, on], axis=1).astype(np.uint32)
    file["frame"] = np.zeros((1, SENSOR.height, SENSOR.width), np.uint8)


def _ecf(file: h5py.File, columns: Columns) -> None:
    """One chunk of the codec: a run of one for each time, then four events in three words."""
    x, y, t, on = (column.astype(np.int64) for column in columns)
    data = bytearray(struct.pack("<IQ", len(t) << 2 | 2, int(t[0])))
    for step in np.diff(t, prepend=t[0]).tolist():
        nibbles = step - min(step, 14)
        while nibbles > 0:
            data.append(0xF0 | nibbles & 15)
            nibbles >>= 4
        data.append(min(step, 14) << 4 | 1)
    fields = np.resize(y << 12 | x << 1 | on, -(-len(t) // 4) * 4).reshape(-1, 4).tolist()
    for a, b, c, d in fields:
        data += struct.pack("<III", a << 8 | b & 0xFF, b >> 8 << 16 | c & 0xFFFF, c >> 16 << 24 | d)
    table = np.dtype([("x", "<u2"), ("y", "<u2"), ("p", "<i2"), ("t", "<i8")])
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((16,))
    plist.set_filter(0x8ECF, h5py.h5z.FLAG_OPTIONAL)
    space = h5py.h5s.create_simple((len(t),), (h5py.h5s.UNLIMITED,))
    group = file.create_group("CD")
    dataset = h5py.h5d.create(group.id, b"events", h5py.h5t.py_create(table), space, dcpl=plist)
    dataset.write_direct_chunk((0,), bytes(data))
    file.attrs["geometry"] = str(SENSOR)


def _table(columns: Columns) -> np.ndarray:
    table = np.zeros(len(columns[2]), [("x", "<u2"), ("y", "<u2"), ("t", "<i8"), ("p", "?")])
    for name, column in zip("xytp", columns, strict=True):
        table[name] = column
    return table


def _npy(columns: Columns) -> bytes:
    memory = io.BytesIO()
    np.save(memory, _table(columns))
    return memory.getvalue()


def _npz(columns: Columns) -> bytes:
    memory = io.BytesIO()
    np.savez_compressed(memory, **dict(zip("xytp", columns, strict=True)))
    return memory.getvalue()


def _txt(columns: Columns) -> bytes:
    """Seconds first, as in the data sets of Mueggler et al. 2017."""
    return "".join(
        f"{t // 1_000_000}.{t % 1_000_000:06d} {x} {y} {int(on)}\n"
        for x, y, t, on in zip(*(column.tolist() for column in columns), strict=True)
    ).encode("ascii")


EVENT_FILES: dict[str, Callable[[Columns], bytes]] = {
    "evt3": _written("evt3"),
    "evt2": _written("evt2"),
    "evt21": _evt21,
    "dat": _written("dat"),
    "aedat4": _written("aedat4"),
    "aedat3": _aedat3,
    "aedat2": _aedat2,
    "own hdf5": _written("hdf5"),
    "dsec": _in_hdf5(_dsec),
    "v2e": _in_hdf5(_v2e),
    "ecf": _in_hdf5(_ecf),
    "csv": _written("csv"),
    "txt": _txt,
    "npy": _npy,
    "npz": _npz,
}
