"""Arrays and iterators of the Metavision SDK, and its reader against a stand-in with the same interface.

The stand-in is made from the SDK's documentation: `EventsIterator(input_path, start_ts, mode, delta_t, n_events, ...)`
yields arrays of EventCD, can be gone through once, and knows `get_size()` (height, width) and, after that,
`get_ext_trigger_events()`.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from strategies import event_streams

from snnface.errors import BackendUnavailableError, ConfigError, DataError, DatasetNotFoundError, EventOrderError
from snnface.events import EventStream, Resolution
from snnface.events.metavision import (
    EVENT_CD,
    EventSource,
    MetavisionFile,
    from_metavision,
    streams_from_iterator,
    to_metavision,
)

SENSOR = Resolution(height=3, width=4)
EXT_TRIGGER = np.dtype(
    {"names": ["p", "t", "id"], "formats": ["<i2", "<i8", "<i2"], "offsets": [0, 8, 16], "itemsize": 24}
)


def event_cd(*rows: tuple[int, int, int, int]) -> np.ndarray:
    return np.array(list(rows), EVENT_CD)


FILES = {
    "good.raw": event_cd((3, 2, 1, 5), (0, 0, 0, 7), (1, 1, 1, 7)),
    "old.dat": event_cd((1, 0, 1, 2)),
    "outside.raw": event_cd((3, 2, 1, 5), (4, 0, 0, 7)),
    "backwards.raw": event_cd((3, 2, 1, 5), (0, 0, 0, 4), (0, 0, 1, 6)),
    "sizeless.raw": event_cd((3, 2, 1, 5)),
    "broken.raw": event_cd((3, 2, 1, 5)),
}


class EventsIterator:
    def __init__(
        self, input_path: str, start_ts: int = 0, mode: str = "delta_t", delta_t: int = 10000, n_events: int = 10000
    ) -> None:
        assert mode == "n_events"
        self.name = Path(input_path).name
        if self.name not in FILES:
            raise OSError(f"Incorrect raw input file : {input_path} !")
        self._ran = False
        self._buffer = np.zeros(2, EVENT_CD)

    def get_size(self) -> tuple[int | None, int | None]:
        return (None, None) if self.name == "sizeless.raw" else (3, 4)

    def __iter__(self) -> Iterator[np.ndarray]:
        assert not self._ran, "Can not iterate twice over the same EventIterator!"
        self._ran = True
        events = FILES[self.name]
        for start in range(0, len(events), 2):
            # The SDK may use one buffer again and again.
            part = self._buffer[: len(events[start : start + 2])]
            part[:] = events[start : start + 2]
            yield part
        yield np.zeros(0, EVENT_CD)
        if self.name == "broken.raw":
            raise RuntimeError("Error 103001: data is corrupted")

    def get_ext_trigger_events(self) -> np.ndarray:
        if self.name.endswith(".dat"):
            raise RuntimeError("this reader does not handle ext_trigger events (EventDatReader)")
        return np.array([(1, 6, 0), (0, 9, 6)], EXT_TRIGGER)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files, and the stand-in where the SDK would be."""
    package, module = ModuleType("metavision_core"), ModuleType("metavision_core.event_io")
    module.EventsIterator = EventsIterator  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "metavision_core", package)
    monkeypatch.setitem(sys.modules, "metavision_core.event_io", module)
    for name in (*FILES, "foreign.raw"):
        (tmp_path / name).write_bytes(b"% the stand-in looks at the name only\n")
    return tmp_path


def columns(stream: EventStream) -> list[tuple[int, int, int, bool]]:
    return list(
        zip(*(c.tolist() for c in (stream.x, stream.y, stream.t_us, stream.polarity)), strict=True),
    )


def test_an_event_lies_in_sixteen_bytes_as_in_the_sdk() -> None:
    stream = EventStream.from_arrays(x=[3], y=[2], t_us=[258], polarity=[1], resolution=SENSOR)
    expected = bytes([3, 0, 2, 0, 1, 0, 0, 0]) + (258).to_bytes(8, "little")
    assert to_metavision(stream).tobytes() == expected


@given(stream=event_streams())
def test_there_and_back_is_the_identity(stream: EventStream) -> None:
    back = from_metavision(to_metavision(stream), stream.resolution)
    assert columns(back) == columns(stream)


def test_buffers_of_an_iterator_become_streams_one_for_one(folder: Path) -> None:
    source = EventsIterator(str(folder / "good.raw"), mode="n_events")
    assert isinstance(source, EventSource)
    streams = list(streams_from_iterator(source))
    assert [columns(stream) for stream in streams] == [[(3, 2, 5, True), (0, 0, 7, False)], [(1, 1, 7, True)], []]
    assert {stream.resolution for stream in streams} == {SENSOR}


def test_an_iterator_without_a_size_needs_one(folder: Path) -> None:
    source = EventsIterator(str(folder / "sizeless.raw"), mode="n_events")
    with pytest.raises(ConfigError, match="does not know the sensor's size; give it, as in resolution="):
        streams_from_iterator(source)
    assert next(streams_from_iterator(source, Resolution(5, 6))).resolution == Resolution(5, 6)


def test_a_file_is_read_through_the_sdk_with_its_triggers(folder: Path) -> None:
    data = MetavisionFile(folder / "good.raw").read()
    assert columns(data.events) == [(3, 2, 5, True), (0, 0, 7, False), (1, 1, 7, True)]
    assert data.triggers is not None
    assert data.triggers.t_us.tolist() == [6, 9]
    assert data.triggers.channel.tolist() == [0, 6]
    assert data.triggers.rising.tolist() == [True, False]


def test_a_file_without_triggers_says_none(folder: Path) -> None:
    assert MetavisionFile(folder / "old.dat").read().triggers is None


def test_a_file_can_be_gone_through_in_slices_and_again(folder: Path) -> None:
    file = MetavisionFile(folder / "good.raw")
    assert file.resolution == SENSOR
    for _ in range(2):
        assert [columns(part) for part in file.slices(2)] == [
            [(3, 2, 5, True)],
            [(0, 0, 7, False), (1, 1, 7, True)],
        ]


def test_errors_of_the_sdk_name_the_file(folder: Path) -> None:
    with pytest.raises(DataError, match=r"the Metavision SDK cannot read .*foreign.raw: Incorrect raw input file"):
        MetavisionFile(folder / "foreign.raw")
    with pytest.raises(DataError, match=r"cannot read .*broken.raw: Error 103001: data is corrupted"):
        MetavisionFile(folder / "broken.raw").read()


def test_damage_is_an_error_or_counted(folder: Path) -> None:
    with pytest.raises(DataError, match=r"outside.raw: event 1 .*outside the 4x3 sensor"):
        MetavisionFile(folder / "outside.raw").read()
    with pytest.raises(EventOrderError, match="must not run backwards"):
        MetavisionFile(folder / "backwards.raw").read()
    mended = MetavisionFile(folder / "outside.raw", recover=True).read()
    assert columns(mended.events) == [(3, 2, 5, True)]
    assert mended.losses == ("1 events outside the sensor",)


def test_a_missing_file_is_named_before_the_sdk_takes_it_for_a_camera(folder: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match=r"there is no file .*absent.raw"):
        MetavisionFile(folder / "absent.raw")


def test_without_the_sdk_it_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "metavision_core", None)
    monkeypatch.delitem(sys.modules, "metavision_core.event_io", raising=False)
    path = tmp_path / "face.raw"
    path.write_bytes(b"%\n")
    with pytest.raises(BackendUnavailableError, match=r"needs its Python package metavision_core.*Install the SDK"):
        MetavisionFile(path)
