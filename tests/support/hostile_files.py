"""Files made to harm a reader: counts that no memory holds, bombs, chunks of garbage, paths that lead elsewhere."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable

import h5py
import numpy as np
from event_files import EVENT_FILES, SENSOR, small_columns

__all__ = ["HOSTILE_FILES"]

TRILLION = 10**12


def _dsec(column: Callable[[h5py.Group, str], None]) -> bytes:
    """A file in the DSEC layout whose columns are made by `column`."""
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        events = file.create_group("events")
        events.attrs.update({"height": SENSOR.height, "width": SENSOR.width})
        for name in "xytp":
            column(events, name)
    return memory.getvalue()


def _packed(length: int, chunk: int, stored: bytes) -> Callable[[h5py.Group, str], None]:
    """A compressed column that claims `length` values and stores these bytes as its first chunk."""

    def column(events: h5py.Group, name: str) -> None:
        values = events.create_dataset(name, (length,), "u1", chunks=(chunk,), compression="gzip")
        values.id.write_direct_chunk((0,), stored)

    return column


def _bomb(num_bytes: int) -> bytes:
    """A deflate stream that unpacks to about this many zeros: one compressed part, over and over."""
    part_bytes = 1 << 23
    packer = zlib.compressobj(9)
    # After a full flush a part depends on nothing before it.
    head = packer.compress(bytes(part_bytes)) + packer.flush(zlib.Z_FULL_FLUSH)
    part = packer.compress(bytes(part_bytes)) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + part * (num_bytes // part_bytes) + packer.flush()


def _stores_nothing(events: h5py.Group, name: str) -> None:
    events.create_dataset(name, (TRILLION,), "u4", chunks=(1 << 16,))


def _stores_a_little(events: h5py.Group, name: str) -> None:
    events.create_dataset(name, (TRILLION,), "u4", chunks=(1 << 16,))[:1] = 1


def _virtual(events: h5py.Group, name: str) -> None:
    layout = h5py.VirtualLayout((TRILLION,), "u1")
    layout[:] = h5py.VirtualSource("elsewhere.h5", name, (TRILLION,))
    events.create_virtual_dataset(name, layout)


def _external(events: h5py.Group, name: str) -> None:
    events.create_dataset(name, (TRILLION,), "u1", external=[("/dev/zero", 0, TRILLION)])


def _ring(events: h5py.Group, name: str) -> None:
    events[name] = h5py.SoftLink(f"/events/{name}")


def _elsewhere(events: h5py.Group, name: str) -> None:
    events[name] = h5py.ExternalLink("/dev/zero", name)


def _unknown_filter(events: h5py.Group, name: str) -> None:
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((16,))
    plist.set_filter(32_099, h5py.h5z.FLAG_OPTIONAL)
    space = h5py.h5s.create_simple((16,))
    dataset = h5py.h5d.create(events.id, name.encode(), h5py.h5t.NATIVE_UINT16, space, dcpl=plist)
    dataset.write_direct_chunk((0,), bytes(range(32)))


def _ecf(length: int, stored: bytes) -> bytes:
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((1 << 14,))
        plist.set_filter(0x8ECF, h5py.h5z.FLAG_OPTIONAL)
        table = h5py.h5t.py_create(np.dtype([("x", "<u2"), ("y", "<u2"), ("p", "<i2"), ("t", "<i8")]))
        space = h5py.h5s.create_simple((length,), (h5py.h5s.UNLIMITED,))
        dataset = h5py.h5d.create(file.create_group("CD").id, b"events", table, space, dcpl=plist)
        dataset.write_direct_chunk((0,), stored)
        file.attrs["geometry"] = str(SENSOR)
    return memory.getvalue()


def _npy(shape: str, values: bytes, *, x: str = "'<u2'", t: str = "'<i8'") -> bytes:
    text = f"{{'descr': [('x', {x}), ('y', '<u2'), ('t', {t}), ('p', '?')], 'fortran_order': False, 'shape': {shape}}}"
    text = text.ljust(127 - len(text) % 64 + len(text) // 64 * 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode("ascii") + values


def _npz(values: bytes, shape: str) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("events.npy", _npy(shape, values))
    return memory.getvalue()


def _aedat4_claiming(count: int) -> bytes:
    data = bytearray(EVENT_FILES["aedat4"](small_columns()))
    struct.pack_into("<I", data, data.index(b"EVTS\0\0") + 20, count)
    return bytes(data)


def _aedat3_claiming(count: int) -> bytes:
    data = bytearray(EVENT_FILES["aedat3"](small_columns()))
    struct.pack_into("<iii", data, data.index(b"END-HEADER\r\n") + 12 + 16, count, count, count)
    return bytes(data)


def _half_a_header() -> bytes:
    data = bytearray(EVENT_FILES["npy"](small_columns()))
    data[60] ^= 1 << 6
    return bytes(data)


HOSTILE_FILES: dict[str, Callable[[], bytes]] = {
    "hdf5: 10^12 events, none stored": lambda: _dsec(_stores_nothing),
    "hdf5: 10^12 events, one chunk stored": lambda: _dsec(_stores_a_little),
    "hdf5: 10^12 events of a virtual data set": lambda: _dsec(_virtual),
    "hdf5: 10^12 events of another file": lambda: _dsec(_external),
    "hdf5: links in a ring": lambda: _dsec(_ring),
    "hdf5: links to a device": lambda: _dsec(_elsewhere),
    "hdf5: a chunk of 1 GB": lambda: _dsec(_packed(1 << 30, 1 << 30, zlib.compress(bytes(1 << 16)))),
    "hdf5: a bomb": lambda: _dsec(_packed(1 << 16, 1 << 16, _bomb(3 << 30))),
    "hdf5: a chunk that unpacks to too little": lambda: _dsec(_packed(64, 64, zlib.compress(bytes(8)))),
    "hdf5: a chunk of 16 MB that unpacks to 8 bytes": lambda: _dsec(_packed(1 << 24, 1 << 24, zlib.compress(bytes(8)))),
    "hdf5: a garbage chunk": lambda: _dsec(_packed(64, 64, bytes(range(200)))),
    "hdf5: an unknown filter": lambda: _dsec(_unknown_filter),
    "ecf: 10^12 events": lambda: _ecf(TRILLION, struct.pack("<IQ", 16 << 2 | 2, 5)),
    "ecf: a chunk of 2^30 events": lambda: _ecf(16, b"\xff" * 4 + bytes(60)),
    "ecf: a garbage chunk": lambda: _ecf(16, bytes(range(64, 164))),
    "ecf: a run longer than the chunk": lambda: _ecf(16, struct.pack("<IQBH", 16 << 2, 5, 0x0F, 60_000) + bytes(60)),
    "ecf: a step of 36,000 years": lambda: _ecf(16, struct.pack("<IQ", 16 << 2 | 2, 5) + b"\xff" * 15 + b"\x01" * 99),
    "npy: 10^12 events": lambda: _npy("(1000000000000,)", bytes(130)),
    "npy: a negative number of events": lambda: _npy("(-5,)", bytes(130)),
    "npy: an expression for a shape": lambda: _npy("(__import__('os').getpid(),)", bytes(130)),
    "npy: a field of eight times": lambda: _npy("(2,)", bytes(150), t="'<i8', (8,)"),
    "npy: a field of text": lambda: _npy("(10,)", bytes(130), x="'S2'"),
    "npy: half a header": _half_a_header,
    "npz: 10^12 events": lambda: _npz(bytes(130), "(1000000000000,)"),
    "npz: a bomb": lambda: _npz(bytes(300 << 20), f"({(300 << 20) // 13},)"),
    "npz: a bomb behind its events": lambda: _npz(bytes(600 << 20), "(16,)"),
    "aedat4: 2^32 - 1 events in a packet": lambda: _aedat4_claiming(0xFFFF_FFFF),
    "aedat3: 2^31 - 1 events in a packet": lambda: _aedat3_claiming(0x7FFF_FFFF),
    "aedat3: a negative number of events": lambda: _aedat3_claiming(-1),
    "aedat3: an empty packet of triggers": lambda: (
        b"#!AER-DAT3.1\r\n#Source 1: DAVIS346\r\n#!END-HEADER\r\n" + struct.pack("<hhiiiiii", 0, 1, 0, 4, 0, 0, 0, 0)
    ),
    "csv: a line of 300 MB": lambda: b"t,x,y,p\n" + b"1" * (300 << 20),
    "csv: numbers without end": lambda: b"# 20x10\nt,x,y,p\n" + b"9" * 5_000 + b",1,1,1\n5,1,1,1e999999999\n",
}
