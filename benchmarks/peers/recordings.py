"""Recordings to read: a stream like a real one, in every format."""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np

from snnface.events import EventStream, Resolution
from snnface.events.writers import create_events
from snnface.jit import jit

__all__ = ["FORMATS", "HD", "bursty_stream", "write_long_file"]

HD = Resolution(height=720, width=1280)
PIECE_EVENTS = 1_000_000


def bursty_stream(num_events: int, *, resolution: Resolution = HD, seed: int = 0) -> EventStream:
    """Edges that move over the sensor, at a rate that comes and goes, and a tenth of noise.

    As a real sensor does, a row reports several neighbours in one microsecond: runs of about
    four pixels with gaps, one polarity each. About 10 million events a second.
    """
    rng = np.random.default_rng(seed)
    # Enough of them although those beyond the sensor's rim are left out.
    num_runs = num_events // 2
    lengths = np.minimum(rng.geometric(0.3, num_runs), 32)
    lengths[rng.random(num_runs) < 0.25] = 1
    lengths = lengths[: int(np.searchsorted(np.cumsum(lengths), 1.2 * num_events)) + 1]
    num_runs = len(lengths)
    # Waiting times whose mean itself is drawn anew every 2000 runs: bursts and lulls.
    pace = np.repeat(rng.lognormal(-1.8, 1.0, num_runs // 2000 + 1), 2000)[:num_runs]
    t_us = 1000 + np.cumsum(rng.exponential(pace)).astype(np.int64)
    phase = t_us / 3e5
    edge = rng.integers(0, 24, num_runs)
    y = rng.integers(0, resolution.height, num_runs)
    centre = (0.5 + 0.45 * np.sin(edge + phase * (1 + edge % 5) + y / (200 + 20 * edge))) * resolution.width
    is_noise = rng.random(num_runs) < 0.1
    start = np.where(is_noise, rng.integers(0, resolution.width, num_runs), centre + rng.normal(0, 3, num_runs))
    on = np.where(is_noise, rng.integers(0, 2, num_runs), (edge + (phase * 3).astype(int)) % 2)
    return _runs_as_events(t_us, y, start.astype(np.int64), on, lengths, num_events, resolution, rng)


def _runs_as_events(
    t_us: np.ndarray,
    y: np.ndarray,
    start: np.ndarray,
    on: np.ndarray,
    lengths: np.ndarray,
    num_events: int,
    resolution: Resolution,
    rng: np.random.Generator,
) -> EventStream:
    run = np.repeat(np.arange(len(lengths)), lengths)
    gaps = rng.integers(1, 3, len(run))
    steps = np.cumsum(gaps)
    first = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    x = start[run] + steps - steps[first][run]
    inside = np.flatnonzero((x >= 0) & (x < resolution.width))[:num_events]
    run = run[inside]
    return EventStream.from_arrays(x=x[inside], y=y[run], t_us=t_us[run], polarity=on[run], resolution=resolution)


def write_long_file(path: Path, name: str, stream: EventStream, times: int) -> int:
    """The stream over and over again, one after the other, in one file; how many events that is."""
    period = stream.window.duration_us + 50
    with create_events(path, stream.resolution, format=name) as writer:
        for repeat in range(times):
            writer.append(
                EventStream.of_checked(
                    stream.x, stream.y, stream.t_us + repeat * period, stream.polarity, stream.resolution
                )
            )
    return times * len(stream)


def _written(name: str) -> Callable[[EventStream, Path], None]:
    def write(stream: EventStream, path: Path) -> None:
        with create_events(path, stream.resolution, format=name) as writer:
            for piece in _pieces(stream):
                writer.append(piece)

    return write


def _pieces(stream: EventStream) -> Iterator[EventStream]:
    for start in range(0, len(stream), PIECE_EVENTS):
        yield stream[start : start + PIECE_EVENTS]


def _write_evt21(stream: EventStream, path: Path) -> None:
    """One word for the events of 32 neighbouring columns in one microsecond, row and polarity."""
    words = np.empty(2 * len(stream) + 2, np.uint64)
    num_words = _evt21_words(stream.x, stream.y, stream.t_us, stream.polarity, words)
    size = stream.resolution
    head = f"% evt 2.1\n% format EVT21;height={size.height};width={size.width};endianness=little\n% end\n"
    path.write_bytes(head.encode() + words[:num_words].tobytes())


@jit
def _evt21_words(x, y, t_us, polarity, words):  # type: ignore[no-untyped-def]
    place, high, event = 0, np.int64(-1), 0
    while event < len(t_us):
        if t_us[event] >> 6 != high:
            high = t_us[event] >> 6
            words[place] = np.uint64(8 << 28 | high & 0xFFFFFFF) << np.uint64(32)
            place += 1
        first, mask, last = event, np.uint64(0), -1
        column = x[event] & ~31
        while (
            event < len(t_us)
            and t_us[event] == t_us[first]
            and y[event] == y[first]
            and polarity[event] == polarity[first]
            and x[event] & ~31 == column
            and x[event] - column > last
        ):
            last = x[event] - column
            mask |= np.uint64(1) << np.uint64(last)
            event += 1
        address = np.int64(polarity[first]) << 28 | (t_us[first] & 63) << 22 | column << 11 | np.int64(y[first])
        words[place] = np.uint64(address) << np.uint64(32) | mask
        place += 1
    return place


# Events in a chunk of the HDF5 files that Prophesee's own software writes.
ECF_CHUNK = 16384
ECF_FILTER = 0x8ECF


def _write_ecf(stream: EventStream, path: Path) -> None:
    """Chunks of the codec, x, y and p of an event in 24 bits: how its maker packs scattered events."""
    table = np.dtype([("x", "<u2"), ("y", "<u2"), ("p", "<i2"), ("t", "<i8")])
    with h5py.File(path, "w") as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((ECF_CHUNK,))
        plist.set_filter(ECF_FILTER, h5py.h5z.FLAG_OPTIONAL)
        space = h5py.h5s.create_simple((len(stream),), (h5py.h5s.UNLIMITED,))
        group = file.create_group("CD")
        dataset = h5py.h5d.create(group.id, b"events", h5py.h5t.py_create(table), space, dcpl=plist)
        for start in range(0, len(stream), ECF_CHUNK):
            part = stream[start : start + ECF_CHUNK]
            room = np.empty(24 * len(part), np.uint8)
            runs = room[: _ecf_times(part.t_us, room)].tobytes()
            head = struct.pack("<IQ", len(part) << 2 | 2, int(part.t_us[0]))
            h5py.h5d.DatasetID.write_direct_chunk(dataset, (start,), head + runs + _ecf_addresses(part))
        file.attrs["geometry"] = str(stream.resolution)


@jit
def _ecf_times(t_us, room):  # type: ignore[no-untyped-def]
    """One byte for every run of equal times: step since the run before << 4 | number of events."""
    place, event, latest = 0, 0, t_us[0]
    while event < len(t_us):
        count = 1
        while count < 14 and event + count < len(t_us) and t_us[event + count] == t_us[event]:
            count += 1
        step = t_us[event] - latest
        if step > 14:
            while step > 0:
                room[place] = 0xF0 | step & 15
                step >>= 4
                place += 1
        room[place] = step << 4 | count
        place += 1
        latest = t_us[event]
        event += count
    return place


def _ecf_addresses(part: EventStream) -> bytes:
    """24 bits an event, four events in three words, one after the other from the highest bit on."""
    fields = np.zeros(-(-len(part) // 4) * 4, np.uint32)
    fields[: len(part)] = part.y.astype(np.uint32) << 12 | part.x.astype(np.uint32) << 1 | part.polarity
    first, second, third, fourth = fields.reshape(-1, 4).T
    words = (first << 8 | second & 0xFF, second >> 8 << 16 | third & 0xFFFF, third >> 16 << 24 | fourth)
    return np.stack(words, axis=1).tobytes()


# How the benchmark writes each format, and the suffix that peers look at.
FORMATS: dict[str, tuple[str, Callable[[EventStream, Path], None]]] = {
    "EVT3": ("evt3.raw", _written("evt3")),
    "EVT2": ("evt2.raw", _written("evt2")),
    "EVT2.1": ("evt21.raw", _write_evt21),
    "DAT": ("events.dat", _written("dat")),
    "ECF": ("ecf.hdf5", _write_ecf),
    "AEDAT4": ("events.aedat4", _written("aedat4")),
    "HDF5, DSEC layout": ("dsec.h5", _written("hdf5")),
    "csv": ("events.csv", _written("csv")),
}
