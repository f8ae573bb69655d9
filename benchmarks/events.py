"""Readers, representations and the emulator beside their peers, in one run.

    python benchmarks/events.py [--events 6000000] [--long-events 50000000] [--rounds 5] [--only readers ...]

In millions of events, or frames, per CPU-second (all threads of a contender together); medians;
contenders take turns in each round, as machines are noisy. Every recording is drawn and written here.
A peer that is not installed is named; `make bench` installs them (benchmarks/requirements-events.txt).
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
from peers.clock import Measured, interleaved
from peers.decoders import PEERS, decoders
from peers.emulators import Film, emulators
from peers.pictures import pictures
from peers.recordings import FORMATS, HD, bursty_stream, write_long_file

from snnface.errors import SnnfaceError
from snnface.events import EventStream, Resolution, TimeWindow, open_events, read
from snnface.events.emulator import EMULATOR_PRESETS, Emulator
from snnface.recording import Recording
from snnface.representations import (
    AtLeast,
    FixedCount,
    HistogramConfig,
    PictureStream,
    PolarityHistogram,
    Representation,
    TemporalBinary,
    TemporalBinaryConfig,
    TimeSurface,
    TimeSurfaceConfig,
    VoxelGrid,
    VoxelGridConfig,
)

OURS = "snnface"
DAVIS = Resolution(height=260, width=346)
# What this project asks of itself, in the units of the tables.
READER_BARS = {"EVT3": 75, "EVT2": 170, "EVT2.1": 35, "DAT": 250, "ECF": 120, "AEDAT4": 30}
PICTURE_BARS = {"polarity histogram": 70, "temporal binary": 80}
EMULATOR_BARS = {DAVIS: 2000, HD: 200}
MEMORY_BAR_MB = 300


def table(
    title: str,
    amount: float,
    unit: str,
    results: Mapping[str, Measured | str],
    *,
    wanted: int | None = None,
    bar: int | None = None,
) -> None:
    """One block: who, how much in a CPU-second, how many times slower than the first."""
    print(f"\n{title}" + (f"   (bar: {bar})" if bar else ""))
    first = next(iter(results.values()))
    for name, result in results.items():
        if isinstance(result, str):
            print(f"  {name:34} failed: {result}")
            continue
        rate = amount / result.seconds
        slower = (
            f"{result.seconds / first.seconds:7.1f}x" if isinstance(first, Measured) and result is not first else ""
        )
        differs = f"   {result.answer:,} instead of {wanted:,}!" if wanted not in (None, result.answer) else ""
        print(f"  {name:34}{rate:10.1f} {unit}{slower}{differs}")


def counted(slices: Iterable[EventStream]) -> int:
    """How many events all slices hold."""
    return sum(map(len, slices))


def readers(stream: EventStream, folder: Path, rounds: int) -> None:
    """Every format: this project's reader, whole and in slices, and the peers'."""
    for name, (file_name, write) in FORMATS.items():
        path = folder / file_name
        try:
            write(stream, path)
            found = read(path).events
            if not all(np.array_equal(getattr(found, c), getattr(stream, c)) for c in ("x", "y", "t_us", "polarity")):
                raise SystemExit(f"{name}: what was written is not what is read.")
        except SnnfaceError as error:
            print(f"\n{name}: left out: {error}")
            continue
        contenders: dict[str, Callable[[], int]] = {
            OURS: lambda path=path: len(read(path).events),
            f"{OURS}, in slices of 33 ms": lambda path=path: counted(open_events(path).slices(33_000)),
        }
        results = interleaved(contenders | decoders(name, path), rounds)
        title = f"read {name}, {path.stat().st_size / 1e6:.0f} MB"
        table(title, len(stream) / 1e6, "M events", results, wanted=len(stream), bar=READER_BARS.get(name))
        path.unlink()


def representations(stream: EventStream, rounds: int) -> None:
    """Every kind of picture at full size, 33 ms a step (40 ms for N = 8 bins of 5 ms)."""
    events = stream.between(TimeWindow(0, int(stream.t_us[0]) + 240_000))
    recording = Recording(recording_id="drawn", subject="nobody", events=events)
    hold, count = AtLeast(min_events=100_000), FixedCount(num_events=300_000)
    kinds: dict[str, tuple[Representation, int]] = {
        "polarity histogram": (PolarityHistogram(HistogramConfig(resolution=HD)), 1),
        "temporal binary": (TemporalBinary(TemporalBinaryConfig(resolution=HD)), 8),
        "voxel grid": (VoxelGrid(VoxelGridConfig(resolution=HD)), 5),
        "exponential surface": (TimeSurface(TimeSurfaceConfig(resolution=HD)), 1),
        "linear surface": (TimeSurface(TimeSurfaceConfig(resolution=HD, decay="linear")), 1),
        "histogram, 300,000 events each": (PolarityHistogram(HistogramConfig(resolution=HD, slicing=count)), 1),
        "histogram, held to 100,000 events": (PolarityHistogram(HistogramConfig(resolution=HD, slicing=hold)), 1),
        "polarity histogram, 64x64": (PolarityHistogram(HistogramConfig()), 1),
    }
    for kind, (representation, num_bins) in kinds.items():
        contenders: dict[str, Callable[[], int]] = {
            OURS: lambda made=representation: len(made(recording, events.window)),
            f"{OURS}, from pieces of 1 ms": lambda made=representation: in_pieces(made, events),
        }
        peers = pictures(kind, events, step_us=representation.step_us, num_bins=num_bins)
        results = interleaved(contenders | peers, rounds)
        title = f"{kind}, {len(events):,} events, {HD}"
        table(title, len(events) / 1e6, "M events", results, bar=PICTURE_BARS.get(kind))


def in_pieces(representation: Representation, events: EventStream) -> int:
    """The same pictures as events come."""
    pictures = PictureStream(representation, events.resolution)
    borders = np.searchsorted(events.t_us, np.arange(events.t_us[0], events.t_us[-1] + 1001, 1000)).tolist()
    number = sum(len(pictures.push(events[i:j])) for i, j in pairwise(borders))
    return number + len(pictures.finish())


def emulator(rounds: int) -> None:
    """A grating that drifts in an eighth of the picture and stands still in the rest, at 1 kHz."""
    for size, num_frames in ((DAVIS, 200), (HD, 40)):
        frames = np.full((num_frames, size.height, size.width), 100.0, np.float32)
        for index in range(num_frames):
            frames[index, : size.height // 8] = 100 + 60 * np.sin((np.arange(size.width) - 0.5 * index) / 6)
        for name, config in EMULATOR_PRESETS.items():
            film = Film(frames)
            camera = Emulator(config, size)
            contenders = {OURS: lambda camera=camera, film=film: len(camera.push(film.frames, film.next_times()))}
            results = interleaved(contenders | emulators(film, config), rounds)
            ours = results[OURS]
            number = f"{ours.answer // num_frames:,} events a frame" if isinstance(ours, Measured) else ""
            bar = EMULATOR_BARS[size] if name == "noisy" else None
            table(f"emulator, preset {name}, {size}, {number}", num_frames, "frames", results, bar=bar)


def memory(stream: EventStream, folder: Path, num_events: int) -> None:
    """Peak memory of a process that goes through a long file in slices of 33 ms."""
    print(f"\npeak memory of reading in slices   (bar: {MEMORY_BAR_MB} MB)")
    script = Path(__file__).with_name("peers") / "peak_memory.py"
    for name in ("evt3", "evt2", "dat", "hdf5", "aedat4"):
        path = folder / f"long.{name}"
        try:
            count = write_long_file(path, name, stream, -(-num_events // len(stream)))
        except SnnfaceError as error:
            print(f"  {name:8} left out: {error}")
            continue
        answer = subprocess.run([sys.executable, str(script), str(path)], capture_output=True, text=True, check=True)
        found, peak_mb = map(int, answer.stdout.split())
        differs = "" if found == count else f"   {found:,} instead of {count:,}!"
        print(f"  {name:8} {count:,} events, {path.stat().st_size / 1e6:.0f} MB: {peak_mb} MB{differs}")
        path.unlink()


def print_peers() -> None:
    """Who takes part, and who is missing."""
    for package, module in (*((name, name) for name in PEERS), ("v2e", "v2ecore")):
        try:
            found = version(package) if find_spec(module) else "not installed here"
        except PackageNotFoundError:
            found = "installed, version unknown"
        print(f"  {package:14} {found}")


def main() -> None:
    parts = ("readers", "representations", "emulator", "memory")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=6_000_000)
    parser.add_argument("--long-events", type=int, default=50_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=parts, default=parts)
    options = parser.parse_args()
    print("per CPU-second, peers after ours with how many times slower they are:")
    print_peers()
    stream = bursty_stream(options.events)
    print(f"{len(stream):,} events in {stream.window.duration_us / 1e6:.2f} s on {stream.resolution}")
    with tempfile.TemporaryDirectory() as folder:
        if "readers" in options.only:
            readers(stream, Path(folder), options.rounds)
        if "representations" in options.only:
            representations(stream, options.rounds)
        if "emulator" in options.only:
            emulator(options.rounds)
        if "memory" in options.only:
            memory(stream, Path(folder), options.long_events)


if __name__ == "__main__":
    main()
