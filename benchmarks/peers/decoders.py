"""Every peer's own documented way to read a whole file fast; each answers with the number of events."""

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

__all__ = ["PEERS", "decoders"]

# What is compared with, under the names of their packages.
PEERS = ("evlib", "faery", "expelliarmus", "evt3", "aedat", "tonic", "dv_processing")


def decoders(file_format: str, path: Path) -> dict[str, Callable[[], int]]:
    """The peers that read this format and are installed."""
    found = {name: read for name, (formats, read) in READERS.items() if file_format in formats}
    installed = {name: read for name, read in found.items() if find_spec(name) is not None}
    return {name: lambda read=read: read(path, file_format) for name, read in installed.items()}


def _evlib(path: Path, file_format: str) -> int:
    import evlib

    return len(evlib.load_events(str(path), sort=False).collect(engine="streaming"))


def _faery(path: Path, file_format: str) -> int:
    import faery

    version = {"EVT2": "evt2", "EVT2.1": "evt2.1", "EVT3": "evt3", "DAT": "dat2"}.get(file_format)
    # Lines that are no events, as a comment before the names of the columns, are skipped.
    csv = replace(faery.CsvProperties.default(), skip_errors=True)
    packets = faery.events_stream_from_file(path, version_fallback=version, csv_properties=csv)
    return sum(len(packet) for packet in packets)


def _expelliarmus(path: Path, file_format: str) -> int:
    from expelliarmus import Wizard

    return len(Wizard(encoding=file_format.lower(), fpath=path).read())


def _evt3(path: Path, file_format: str) -> int:
    import evt3

    return len(evt3.decode_file(str(path)))


def _aedat(path: Path, file_format: str) -> int:
    import aedat

    return sum(len(packet["events"]) for packet in aedat.Decoder(path) if "events" in packet)


def _tonic(path: Path, file_format: str) -> int:
    import tonic

    return len(tonic.io.read_aedat4(str(path)))


def _dv_processing(path: Path, file_format: str) -> int:
    import dv_processing

    capture, count = dv_processing.io.MonoCameraRecording(str(path)), 0
    while (batch := capture.getNextEventBatch()) is not None:
        count += len(batch.numpy())
    return count


READERS: dict[str, tuple[tuple[str, ...], Callable[[Path, str], int]]] = {
    "evlib": (("EVT3", "EVT2", "EVT2.1", "ECF", "AEDAT4", "HDF5, DSEC layout"), _evlib),
    "faery": (("EVT3", "EVT2", "EVT2.1", "DAT", "AEDAT4", "csv"), _faery),
    "expelliarmus": (("EVT3", "EVT2", "DAT"), _expelliarmus),
    "evt3": (("EVT3",), _evt3),
    "aedat": (("AEDAT4",), _aedat),
    "tonic": (("AEDAT4",), _tonic),
    "dv_processing": (("AEDAT4",), _dv_processing),
}
