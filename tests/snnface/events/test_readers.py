"""Recognising formats by content, refusing what cannot be read, and cheap imports."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from snnface.errors import DataError, DatasetNotFoundError
from snnface.events import EventFile, EventStream, Resolution, SensorData, open_events, read
from snnface.events.readers import base

EVT3_EVENT = b"\x01\x80\x00\x60\x02\x00\x03\x28"  # high 1, low 0, row 2, column 3 ON


def test_importing_events_loads_no_heavy_package() -> None:
    code = "import sys, snnface.events; print(sorted({'numba', 'h5py', 'aedat', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_name_of_a_file_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "recording.hdf5"
    path.write_bytes(b"% evt 3.0\n% geometry 20x10\n% end\n" + EVT3_EVENT)
    assert read(path).events.t_us.tolist() == [4096]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"% evt 3.0\n% geometry 20x10\n% end\n" + EVT3_EVENT, "Prophesee EVT3 RAW"),
        (b"# 20x10\nt,x,y,p\n5,1,1,1\n", "text (csv, txt)"),
    ],
)
def test_an_open_file_tells_its_format(tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / "a").write_bytes(content)
    assert open_events(tmp_path / "a").format_name == name


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match=r"no file .*gone\.raw; check the path"):
        read(tmp_path / "gone.raw")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder; give the path of one recording"):
        read(tmp_path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.raw").touch()
    with pytest.raises(DataError, match=r"empty\.raw is empty \(0 bytes\)"):
        read(tmp_path / "empty.raw")


@pytest.mark.parametrize("content", [b"\x00" * 100, b"PK\x03\x04 a zip file", b"hello", b"%", b"% some PDF\n1.4"])
def test_a_foreign_file_is_refused_with_the_formats_that_can_be_read(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "foreign"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"foreign.*(Readable are: Prophesee EVT3 RAW|does not end)"):
        open_events(path)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"% evt 4.0\n% end\n", "Prophesee EVT4 RAW"),
        (b"#ROSBAG V2.0\n", "ROS bag"),
    ],
)
def test_a_known_format_that_is_not_read_is_refused_by_name(tmp_path: Path, content: bytes, name: str) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"in the format {name}, which is recognised but not read. Convert it"):
        read(path)


@pytest.mark.parametrize("step_us", [0, -5])
def test_slices_need_a_positive_step(tmp_path: Path, step_us: int) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(b"% evt 3.0\n% geometry 20x10\n% end\n" + EVT3_EVENT)
    with pytest.raises(ValueError, match="at least 1 us"):
        open_events(path).slices(step_us)


def test_hours_without_events_cost_next_to_nothing_in_slices(tmp_path: Path) -> None:
    path = tmp_path / "a.raw"
    # Two events of EVT2, two hours apart: 28-bit counts of 64 us.
    words = [0x80000000, 0x10000000, 0x80000000 | 7_200_000_000 // 64, 0x10000000]
    path.write_bytes(b"% evt 2.0\n% geometry 20x10\n% end\n" + b"".join(word.to_bytes(4, "little") for word in words))
    lengths = [len(part) for part in open_events(path).slices(10_000)]
    assert len(lengths) == 720_001
    assert [index for index, length in enumerate(lengths) if length] == [0, 720_000]


class Chunked(EventFile):
    """Events at these times, a chunk a row; what a hostile file decodes to."""

    def __init__(self, *times: Sequence[int]) -> None:
        super().__init__(Path("hostile.raw"), Resolution(height=1, width=1))
        self._times = times

    def chunks(self) -> Iterator[EventStream]:
        for times in self._times:
            t_us = np.array(times, np.int64)
            zeros = np.zeros(len(t_us), np.uint16)
            yield EventStream(zeros, zeros, t_us, zeros > 0, self.resolution)

    def read(self) -> SensorData:
        return SensorData(events=EventStream.joined(list(self.chunks()), self.resolution))


def test_a_slice_that_never_ends_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "MAX_SLICE_EVENTS", 100)
    assert [len(part) for part in Chunked([0] * 60, [0] * 40, [7]).slices(5)] == [100, 1]
    slices = Chunked([0], *[[9] * 10] * 50).slices(5)
    assert len(next(slices)) == 1
    with pytest.raises(
        DataError, match=r"hostile\.raw: the slice of 5 us that ends at 10 us holds more than 100 events"
    ):
        next(slices)


def test_a_time_thrown_far_ahead_is_refused_before_the_slices_up_to_it() -> None:
    slices = Chunked([0, 5], [1 << 62]).slices(33_000)
    assert len(next(slices)) == 2
    with pytest.raises(
        DataError,
        match=r"raw: 139748061164465 slices without events .* 3 events, .*gap of 1\.28e\+09 hours from 33000 us",
    ):
        next(slices)


def test_times_that_leap_on_and_on_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "MAX_EMPTY_SLICES", 1000)
    monkeypatch.setattr(base, "EMPTY_PER_EVENT", 8)
    with pytest.raises(DataError, match=r"1001 slices without events come to 92 events"):
        for _ in Chunked(*[[12 * index] for index in range(1000)]).slices(1):
            pass
    # As many, with an event for each eight of them, are a long recording.
    assert sum(1 for _ in Chunked(*[[9 * index] for index in range(1000)]).slices(1)) == 9 * 999 + 1


def test_a_file_of_which_nothing_is_left_is_refused_when_recovering_too(tmp_path: Path) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(b"% evt 3.0\n% end\n" + EVT3_EVENT)
    with pytest.raises(
        DataError, match=r"a\.raw: nothing in it could be read; left out were 1 events outside the sensor"
    ):
        read(path, resolution=Resolution(height=1, width=1), recover=True)
    path.write_bytes(b"% evt 3.0\n% end\n")
    assert len(read(path, resolution=Resolution(height=1, width=1), recover=True).events) == 0


def test_recovering_keeps_what_a_strict_reader_refuses_and_says_what_it_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(b"% evt 3.0\n% geometry 20x10\n% end\n" + EVT3_EVENT + b"\x15\x28" + b"\x00")
    data = read(path, recover=True)
    assert data.events.x.tolist() == [3]
    assert data.losses == ("1 bytes behind the last whole word", "1 events outside the sensor")
    assert "a.raw: left out 1 events outside the sensor." in caplog.text
    file = open_events(path, recover=True)
    assert file.losses == ()
    assert [part.x.tolist() for part in file.slices(1000)] == [[3]]
    assert set(file.losses) == set(data.losses)
