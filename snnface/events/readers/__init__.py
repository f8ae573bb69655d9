"""Reading recordings of event cameras: one table of formats, recognised by content."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from snnface.errors import DataError, DatasetNotFoundError
from snnface.events.readers.base import EventFile
from snnface.events.readers.prophesee_header import prophesee_header
from snnface.events.sensor_data import SensorData
from snnface.events.window import Resolution

__all__ = ["FORMATS", "EventFile", "Format", "open_events", "read"]

# Enough for any text header; the rest of a file is never needed to recognise it.
HEAD_BYTES = 1 << 16
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def read(path: str | Path, *, resolution: Resolution | None = None, recover: bool = False) -> SensorData:
    """Read a whole recording: its events, and frames, triggers and IMU where the format has them.

    Args:
        resolution: size of the sensor; needed where the file does not state it, and used
            instead of the file's own where it does.
        recover: leave out what is damaged, and say what in `SensorData.losses` and the log,
            instead of raising. A file in which nothing can be read is an error all the same.

    Raises:
        DatasetNotFoundError: if there is no such file.
        DataError: if the file is empty, damaged, or in a format that is not read here.
        EventOrderError: if the events' times run backwards.
    """
    data = open_events(path, resolution=resolution, recover=recover).read()
    if data.losses and not any(map(len, (data.events, data.frames or (), data.triggers or (), data.imu or ()))):
        raise DataError(
            f"{path}: nothing in it could be read; left out were {', '.join(data.losses)}. Copy the file again, and "
            "see that its sensor has the size that you give."
        )
    return data


def open_events(path: str | Path, *, resolution: Resolution | None = None, recover: bool = False) -> EventFile:
    """Open a recording to go through it in time slices, in bounded memory.

    The format is recognised by the file's content, never by its name.

        for events in open_events("face.raw").slices(33_000):
            ...

    Args, Raises: as `read`.
    """
    path = Path(path)
    head = _head(path)
    for known in FORMATS:
        if known.matches(path, head):
            if known.open is None:
                raise DataError(
                    f"{path} is in the format {known.name}, which is recognised but not read. "
                    f"Convert it to one of: {_readable()}."
                )
            file = known.open(path, resolution, recover)
            file.format_name = known.name
            return file
    raise DataError(
        f"{path} is no event recording in a known format; it begins with {head[:12]!r}. Readable are: {_readable()}."
    )


@dataclass(frozen=True, slots=True)
class Format:
    """One row of the table of formats.

    Attributes:
        name: for messages.
        matches: (path, first bytes) -> whether the file is in this format.
        open: (path, resolution, recover) -> the open file; imports the format's own module, so
            that a reader costs nothing until it is used. None: known, but not read.
    """

    name: str
    matches: Callable[[Path, bytes], bool]
    open: Callable[[Path, Resolution | None, bool], EventFile] | None


def _head(path: Path) -> bytes:
    if path.is_dir():
        raise DataError(f"{path} is a folder; give the path of one recording in it.")
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except FileNotFoundError as error:
        raise DatasetNotFoundError(f"there is no file {path}; check the path of the recording.") from error
    if not head:
        raise DataError(f"{path} is empty (0 bytes); copy or record it again.")
    return head


def _readable() -> str:
    return ", ".join(known.name for known in FORMATS if known.open is not None)


def _is_prophesee(*encodings: str) -> Callable[[Path, bytes], bool]:
    def matches(path: Path, head: bytes) -> bool:
        header = prophesee_header(path, head)
        return header is not None and header.encoding in encodings

    return matches


def _begins_with(*signatures: bytes) -> Callable[[Path, bytes], bool]:
    return lambda path, head: head.startswith(signatures)


def _is_ecf(path: Path, head: bytes) -> bool:
    if not head.startswith(HDF5_SIGNATURE):
        return False
    from snnface.events.readers.hdf5_dataset import holds

    return holds(path, "CD/events")


def _is_numpy(path: Path, head: bytes) -> bool:
    if not head.startswith((b"\x93NUMPY", b"PK\x03\x04")):
        return False
    from snnface.events.readers.numpy_arrays import holds_arrays

    return holds_arrays(path, head)


def _is_text(path: Path, head: bytes) -> bool:
    from snnface.events.readers.text_head import looks_like_text_events

    return looks_like_text_events(head)


def _open_evt2(path: Path, resolution: Resolution | None, recover: bool) -> EventFile:
    from snnface.events.readers.evt2 import Evt2File

    return Evt2File(path, resolution=resolution, recover=recover)


def _open_evt21(path: Path, resolution: Resolution | None, recover: bool) -> EventFile:
    from snnface.events.readers.evt21 import Evt21File

    return Evt21File(path, resolution=resolution, recover=recover)


def _open_dat(path: Path, resolution: Resolution | None, recover: bool) -> EventFile:
    from snnface.events.readers.dat import DatFile

    return DatFile(path, resolution=resolution, recover=recover)


def _open_evt3(path: Path, resolution: Resolution | None, recover: bool) -> EventFile:
    from snnface.events.readers.evt3 import Evt3File

    return Evt3File(path, resolution=resolution, recover=recover)


def _open_aedat4(path: Path, resolution: Resolution | None, recover: bool) -> EventFile:
    from snnface.events.readers.aedat4 import Aedat4File

    return Aedat4File(path, resolution=resolution, recover=recover)


def _open_aedat3(path: Path, resolution: Resolution | None, recover: bool) -> EventFile:
    from snnface.events.readers.aedat3 import Aedat3File

    return Aedat3File(path, resolution=resolution, recover=recover)


def _open_aedat2(path: Path, resolution: Resolution | None, recover: bool) -> EventFile:
    from snnface.events.readers.aedat2 import Aedat2File

    return Aedat2File(path, resolution=resolution, recover=recover)


def _open_ecf(path: Path, resolution: Resolution | None, recover: bool) -> EventFile:
    from snnface.events.readers.ecf import EcfFile

    return EcfFile(path, resolution=resolution, recover=recover)


def _open_numpy(path: Path, resolution: Resolution | None, recover: bool) -> EventFile:
    from snnface.events.readers.numpy_arrays import NumpyFile

    return NumpyFile(path, resolution=resolution, recover=recover)


def _open_text(path: Path, resolution: Resolution | None, recover: bool) -> EventFile:
    from snnface.events.readers.text import TextFile

    return TextFile(path, resolution=resolution, recover=recover)


def _open_hdf5(path: Path, resolution: Resolution | None, recover: bool) -> EventFile:
    from snnface.events.readers.hdf5 import Hdf5File

    return Hdf5File(path, resolution=resolution, recover=recover)


# The first row that matches decides. A new format is one module and one row.
FORMATS = (
    Format("Prophesee EVT3 RAW", _is_prophesee("EVT3"), _open_evt3),
    Format("Prophesee EVT2 RAW", _is_prophesee("EVT2"), _open_evt2),
    Format("Prophesee EVT2.1 RAW", _is_prophesee("EVT21"), _open_evt21),
    Format("Prophesee EVT4 RAW", _is_prophesee("EVT4"), None),
    Format("Prophesee DAT", _is_prophesee("DAT"), _open_dat),
    Format("AEDAT4", _begins_with(b"#!AER-DAT4."), _open_aedat4),
    Format("AEDAT 3.1", _begins_with(b"#!AER-DAT3.1"), _open_aedat3),
    Format("AEDAT 2.0", _begins_with(b"#!AER-DAT2."), _open_aedat2),
    Format("AEDAT 1 or 3.0", _begins_with(b"#!AER-DAT"), None),
    Format("Prophesee HDF5 (ECF)", _is_ecf, _open_ecf),
    Format("HDF5 with plain columns (DSEC, e2vid, v2e)", _begins_with(HDF5_SIGNATURE), _open_hdf5),
    Format("ROS bag", _begins_with(b"#ROSBAG"), None),
    Format("NumPy arrays (npy, npz)", _is_numpy, _open_numpy),
    # Last: anything may be text.
    Format("text (csv, txt)", _is_text, _open_text),
)
