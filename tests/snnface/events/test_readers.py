"""Recognising formats by content, refusing what cannot be read, and cheap imports."""

import subprocess
import sys
from pathlib import Path

import pytest

from snnface.errors import DataError, DatasetNotFoundError
from snnface.events import open_events, read

EVT3_EVENT = b"\x01\x80\x00\x60\x02\x00\x03\x28"  # high 1, low 0, row 2, column 3 ON


def test_importing_events_loads_no_heavy_package() -> None:
    code = "import sys, snnface.events; print(sorted({'numba', 'h5py', 'aedat', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_name_of_a_file_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "recording.hdf5"
    path.write_bytes(b"% evt 3.0\n% geometry 20x10\n% end\n" + EVT3_EVENT)
    assert read(path).events.t_us.tolist() == [4096]


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
