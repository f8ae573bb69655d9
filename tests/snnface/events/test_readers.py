"""Recognising formats by content, refusing what cannot be read, and cheap imports."""

import subprocess
import sys
from pathlib import Path

import pytest

from snnface.errors import DataError, DatasetNotFoundError
from snnface.events import Resolution, open_events, read
from snnface.events.readers.prophesee_header import prophesee_header

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
    with pytest.raises(DataError, match=r"foreign.*(Readable are: Prophesee EVT3 RAW, AEDAT4|does not end)"):
        open_events(path)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"% evt 2.0\n% end\n", "Prophesee EVT2 RAW"),
        (b"% format EVT21;height=480;width=640\n% end\n", "Prophesee EVT2.1 RAW"),
        (b"% evt 4.0\n% end\n", "Prophesee EVT4 RAW"),
        (b"% Version 2\n% Width 640\n% Height 480\n\x0c\x08", "Prophesee DAT"),
        (b"#!AER-DAT2.0\r\n", "AEDAT 1 to 3"),
        (b"#!AER-DAT3.1\r\n", "AEDAT 1 to 3"),
        (b"#ROSBAG V2.0\n", "ROS bag"),
    ],
)
def test_a_known_format_that_is_not_read_is_refused_by_name(tmp_path: Path, content: bytes, name: str) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"in the format {name}, which is recognised but not read. Convert it"):
        read(path)


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("gen31_640x480_evt2.raw", "Prophesee EVT2 RAW"),
        ("gen31_640x480_evt21.raw", "Prophesee EVT2.1 RAW"),
        ("gen31_640x480_dat2.dat", "Prophesee DAT"),
        ("davis346b_346x260.aedat", "AEDAT 1 to 3"),
        ("gen31_640x480_ecf.hdf5", r"Prophesee HDF5 \(ECF\)"),
    ],
)
def test_real_files_of_formats_that_are_not_read_are_refused_by_name(shared_events: Path, file: str, name: str) -> None:
    with pytest.raises(DataError, match=f"in the format {name}, which"):
        read(shared_events / file)


@pytest.mark.parametrize(
    "text",
    [
        b"% evt 3.0\n% format EVT3;height=720;width=1280\n% end\n",
        b"% format EVT3;width=1280;height=720\n",
        b"% evt 3.0\n% geometry 1280x720\n",
        b"% evt 3.0\n% width 1280\n% height 720\n",
        b"% evt 3.0\r\n% Width 1280\r\n% Height 720\r\n% end\r\n",
    ],
)
def test_the_header_states_the_sensor_in_any_of_its_ways(text: bytes) -> None:
    header = prophesee_header(Path("a.raw"), text + b"\x01\x80")
    assert header is not None
    assert (header.encoding, header.resolution, header.num_bytes) == ("EVT3", Resolution(720, 1280), len(text))


def test_data_that_begin_with_a_percent_sign_follow_the_end_line() -> None:
    header = prophesee_header(Path("a.raw"), b"% evt 3.0\n% end\n%\x20 data")
    assert header is not None
    assert header.num_bytes == 16


def test_a_header_that_never_ends_is_refused() -> None:
    with pytest.raises(DataError, match="does not end within 1000 bytes"):
        prophesee_header(Path("a.raw"), b"% evt 3.0".ljust(1000, b" "))


@pytest.mark.parametrize("size", [b"% geometry axb", b"% format EVT3;height=0;width=5", b"% geometry 99999999x2"])
def test_an_impossible_sensor_size_is_refused(size: bytes) -> None:
    with pytest.raises(DataError, match="should state the sensor's width and height in pixels"):
        prophesee_header(Path("a.raw"), b"% evt 3.0\n" + size + b"\n% end\n")


@pytest.mark.parametrize("step_us", [0, -5])
def test_slices_need_a_positive_step(tmp_path: Path, step_us: int) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(b"% evt 3.0\n% geometry 20x10\n% end\n" + EVT3_EVENT)
    with pytest.raises(ValueError, match="at least 1 us"):
        open_events(path).slices(step_us)
