"""Writing event streams to disk: one table of formats."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from snnface.errors import DataError, unknown_name
from snnface.events.stream import EventStream
from snnface.events.window import Resolution
from snnface.events.writers.base import EventWriter

__all__ = ["WRITABLE_FORMATS", "EventWriter", "create_events", "write_events", "write_hdf5"]


def write_events(stream: EventStream, path: str | Path, *, format: str | None = None) -> None:  # noqa: A002
    """Write a whole stream to a file; `read` gives exactly the same stream back.

    Args:
        format: a name of WRITABLE_FORMATS; without it the path's suffix decides (`.hdf5`, `.h5`,
            `.raw` for EVT3, `.dat`, `.aedat4`, `.csv`).

    Raises:
        ConfigError: if there is no such format.
        DataError: if the suffix tells no format, the format cannot hold the stream, or the disk
            refuses the file. Nothing half-written is left.
    """
    with create_events(path, stream.resolution, format=format) as writer:
        writer.append(stream)


def create_events(path: str | Path, resolution: Resolution, *, format: str | None = None) -> EventWriter:  # noqa: A002
    """A file to append streams to, in bounded memory; see `EventWriter`.

        with create_events("face.raw", Resolution(height=720, width=1280)) as writer:
            for events in open_events("face.hdf5").slices(1_000_000):
                writer.append(events)

    Args, Raises: as `write_events`.
    """
    path = Path(path)
    name = _named_by(path.suffix.lower(), path) if format is None else format
    if name not in WRITABLE_FORMATS:
        raise unknown_name("format to write events in", name, WRITABLE_FORMATS)
    return WRITABLE_FORMATS[name].open(path, resolution)


def write_hdf5(stream: EventStream, path: str | Path) -> None:
    """Write a stream as HDF5 in the DSEC layout; `read` gives exactly the same stream back.

    The file appears under its name only when it is complete. A memory-mapped stream is copied
    block by block.

    Raises:
        DataError: if the stream spans more than 74 hours, or the disk refuses the file.
    """
    write_events(stream, path, format="hdf5")


@dataclass(frozen=True, slots=True)
class WritableFormat:
    """One row of the table.

    Attributes:
        suffixes: of the paths that mean this format if none is named.
        open: (path, resolution) -> the writer; imports the format's own module.
    """

    suffixes: tuple[str, ...]
    open: Callable[[Path, Resolution], EventWriter]


def _named_by(suffix: str, path: Path) -> str:
    for name, known in WRITABLE_FORMATS.items():
        if suffix in known.suffixes:
            return name
    suffixes = ", ".join(suffix for known in WRITABLE_FORMATS.values() for suffix in known.suffixes)
    raise DataError(
        f"{path} should end in one of {suffixes}, so that its format is known "
        f"(in Python, format= names it: {', '.join(WRITABLE_FORMATS)})."
    )


def _hdf5(path: Path, resolution: Resolution) -> EventWriter:
    from snnface.events.writers.hdf5 import Hdf5Writer

    return Hdf5Writer(path, resolution)


def _evt3(path: Path, resolution: Resolution) -> EventWriter:
    from snnface.events.writers.evt3 import Evt3Writer

    return Evt3Writer(path, resolution)


def _evt2(path: Path, resolution: Resolution) -> EventWriter:
    from snnface.events.writers.evt2 import Evt2Writer

    return Evt2Writer(path, resolution)


def _dat(path: Path, resolution: Resolution) -> EventWriter:
    from snnface.events.writers.dat import DatWriter

    return DatWriter(path, resolution)


def _aedat4(path: Path, resolution: Resolution) -> EventWriter:
    from snnface.events.writers.aedat4 import Aedat4Writer

    return Aedat4Writer(path, resolution)


def _csv(path: Path, resolution: Resolution) -> EventWriter:
    from snnface.events.writers.csv import CsvWriter

    return CsvWriter(path, resolution)


# A new format is one module and one row.
WRITABLE_FORMATS = {
    "hdf5": WritableFormat((".hdf5", ".h5"), _hdf5),
    "evt3": WritableFormat((".raw",), _evt3),
    "evt2": WritableFormat((), _evt2),
    "dat": WritableFormat((".dat",), _dat),
    "aedat4": WritableFormat((".aedat4",), _aedat4),
    "csv": WritableFormat((".csv",), _csv),
}
