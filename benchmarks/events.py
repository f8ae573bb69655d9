"""Readers, representations and the emulator: events, or frames, per CPU-second of one core.

    python benchmarks/events.py [--recordings FOLDER] [--rounds 7]

Readers are measured on the recordings found in FOLDER (default: ../shared/data/events beside
the checkout); without any, only what needs no file is measured. Medians; the first round,
which compiles, is left out.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from snnface.errors import DataError
from snnface.events import EmulatorConfig, EventStream, Resolution, TimeWindow, emulate, open_events, read
from snnface.recording import Recording
from snnface.representations import HistogramConfig, PolarityHistogram, TemporalBinary, TemporalBinaryConfig

HD = Resolution(height=720, width=1280)
DAVIS = Resolution(height=260, width=346)
RECORDINGS = Path(__file__).resolve().parents[2] / "shared" / "data" / "events"


def cpu_seconds(work: Callable[[], object], rounds: int) -> float:
    """Median processor time of one call, the first left out."""
    times = []
    for _ in range(rounds + 1):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return statistics.median(times[1:])


def line(what: str, amount: float, seconds: float, unit: str) -> None:
    """One row: how much in a CPU-second."""
    print(f"{what:52} {amount / seconds:9.1f} {unit}")


def exhaust(slices: Iterable[EventStream]) -> None:
    """Go through every slice."""
    for _ in slices:
        pass


def readers(folder: Path, rounds: int) -> None:
    """Every recording that can be read, whole and in slices of 33 ms."""
    for path in sorted(folder.glob("*")) if folder.is_dir() else []:
        try:
            millions = len(read(path).events) / 1e6
        except DataError:
            continue
        line(f"read {path.name}", millions, cpu_seconds(lambda path=path: read(path), rounds), "M events")
        seconds = cpu_seconds(lambda path=path: exhaust(open_events(path).slices(33_000)), rounds)
        line("  in slices of 33 ms", millions, seconds, "M events")


def representations(rounds: int) -> None:
    """Two million events on a full-size sensor."""
    generator = np.random.default_rng(0)
    count = 2_000_000
    events = EventStream.from_arrays(
        x=generator.integers(0, HD.width, count),
        y=generator.integers(0, HD.height, count),
        t_us=np.sort(generator.integers(0, 200_000, count)),
        polarity=generator.integers(0, 2, count),
        resolution=HD,
    )
    recording = Recording(recording_id="random", subject="nobody", events=events)
    window = TimeWindow(0, 200_000)
    for name, representation in (
        ("polarity histogram", PolarityHistogram(HistogramConfig(resolution=HD))),
        ("temporal binary", TemporalBinary(TemporalBinaryConfig(resolution=HD))),
    ):
        seconds = cpu_seconds(lambda representation=representation: representation(recording, window), rounds)
        line(f"{name} at {HD}", count / 1e6, seconds, "M events")


def emulator(rounds: int) -> None:
    """A grating that drifts, and stands still in most of the picture, at 1 kHz."""
    for size, num_frames in ((DAVIS, 200), (HD, 40)):
        column = np.arange(size.width)
        frames = np.full((num_frames, size.height, size.width), 100.0, np.float32)
        for index in range(num_frames):
            stripes = 100 + 60 * np.sin((column - 0.5 * index) / 6)
            frames[index, : size.height // 8] = stripes
        times = np.arange(num_frames, dtype=np.int64) * 1000
        count = len(emulate(frames, times, EmulatorConfig()))
        seconds = cpu_seconds(lambda frames=frames, times=times: emulate(frames, times, EmulatorConfig()), rounds)
        line(f"emulator, ideal, {size}, {count // num_frames} events a frame", num_frames, seconds, "frames")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=Path, default=RECORDINGS)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    print("per CPU-second of one core:")
    readers(options.recordings, options.rounds)
    representations(options.rounds)
    emulator(options.rounds)


if __name__ == "__main__":
    main()
