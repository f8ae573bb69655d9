"""Damaged and hostile files of every format: valid events or a DataError that names the file; never worse."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from event_files import EVENT_FILES, SENSOR, Columns, small_columns
from examination import examine_strict_and_recovering
from hostile_files import HOSTILE_FILES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snnface.errors import DataError, EventOrderError
from snnface.events import Resolution, open_events, read
from snnface.events.readers import FORMATS

NAMES = sorted(EVENT_FILES)
BATTERY = Path(__file__).resolve().parents[2] / "support" / "hostile_battery.py"

# What stands before the data, so that random bytes behind it come to be decoded.
HEADS = {
    "evt3": b"% evt 3.0\n% format EVT3;height=10;width=20\n% end\n",
    "evt2": b"% evt 2.0\n% format EVT2;height=10;width=20\n% end\n",
    "evt21": b"% evt 2.1\n% format EVT21;height=10;width=20\n% end\n",
    "dat": b"% Data file containing CD events\n% Version 2\n% Width 20\n% Height 10\n\x0c\x08",
    "aedat2": b"#!AER-DAT2.0\r\n# This is a raw AE data file\r\n",
    "aedat3": b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DAVIS346\r\n#!END-HEADER\r\n",
    "csv": b"# 20x10\nt,x,y,p\n",
    "txt": b"0.000001 1 1 1\n",
}


def run_battery(*arguments: str) -> dict[str, dict]:
    """The battery's lines by name. A finding of memory, time or a crash ends only that process."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "NUMBA_NUM_THREADS": "1"}
    command = [sys.executable, str(BATTERY), *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, timeout=600, stdin=subprocess.DEVNULL
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    last = lines[-1] if lines else {}
    assert done.returncode == 0, f"{last} ended the process with {done.returncode}: {done.stderr[-2000:]}"
    return {line["name"]: line for line in lines if "name" in line}


@pytest.fixture(scope="module")
def damaged_files() -> dict[str, dict]:
    return run_battery("damaged", *NAMES)


@pytest.fixture(scope="module")
def hostile_files() -> dict[str, dict]:
    return run_battery("hostile")


def file_of(folder: Path, name: str, columns: Columns | None = None) -> Path:
    path = folder / "events"
    path.write_bytes(EVENT_FILES[name](small_columns() if columns is None else columns))
    return path


def test_there_is_a_file_for_every_format_that_is_read(tmp_path: Path) -> None:
    found = set()
    for name in NAMES:
        path = file_of(tmp_path, name)
        head = path.read_bytes()[: 1 << 16]
        found.add(next(known.name for known in FORMATS if known.matches(path, head)))
    assert found == {known.name for known in FORMATS if known.open is not None}


@pytest.mark.parametrize("name", NAMES)
def test_the_small_file_holds_the_events_it_should(tmp_path: Path, name: str) -> None:
    events = read(file_of(tmp_path, name), resolution=SENSOR).events
    for column, expected in zip(("x", "y", "t_us", "polarity"), small_columns(), strict=True):
        np.testing.assert_array_equal(getattr(events, column), expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_file_cut_or_changed_anywhere_gives_valid_events_or_a_data_error(
    damaged_files: dict[str, dict], name: str
) -> None:
    assert damaged_files[name]["num_files"] > 600
    assert damaged_files[name]["findings"][:3] == []


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("hdf5: 10^12 events, none stored", "claims 1000000000000 values but stores none"),
        ("hdf5: 10^12 events, one chunk stored", "claims 1000000000000 values in 15258790 chunks but stores 1"),
        ("hdf5: 10^12 events of a virtual data set", "does not store its values but points to other files"),
        ("hdf5: 10^12 events of another file", "does not store its values but points to other files"),
        ("hdf5: links in a ring", "cannot be read"),
        ("hdf5: links to a device", "should hold the columns events/x"),
        ("hdf5: a chunk of 1 GB", "has chunks of 1073741824 bytes"),
        ("hdf5: a bomb", "is missing or larger than what it packs"),
        ("hdf5: a chunk that unpacks to too little", "does not unpack to its 64 bytes"),
        ("hdf5: a chunk of 16 MB that unpacks to 8 bytes", "does not unpack to its 16777216 bytes"),
        ("hdf5: a garbage chunk", "cannot be unpacked"),
        ("hdf5: an unknown filter", "If a filter is missing, install and import hdf5plugin"),
        ("ecf: 10^12 events", "claims 1000000000000 events in 8828 bytes, more than the codec can pack"),
        ("ecf: a chunk of 2^30 events", "claims more events than a chunk holds"),
        ("ecf: a garbage chunk", "chunk 0 of CD/events cannot be decoded"),
        ("ecf: a run longer than the chunk", "a run in it is longer than its number of events"),
        ("ecf: a step of 36,000 years", "its times lie outside"),
        ("npy: 10^12 events", "claims 1000000000000 events in 280 bytes; reading it whole would take 13000.0 GB"),
        ("npy: a negative number of events", "should hold the columns"),
        ("npy: an expression for a shape", "is a NumPy file but cannot be read"),
        ("npy: a field of eight times", "must hold single numbers; these hold others: {'t': "),
        ("npy: a field of text", "must hold single numbers; these hold others: {'x': "),
        ("npy: half a header", "is a NumPy file but cannot be read"),
        ("npz: 10^12 events", "claims 1000000000000 events"),
        ("npz: a bomb", "claims 24197907 events"),
        ("npz: a bomb behind its events", ""),
        ("aedat4: 2^32 - 1 events in a packet", "a packet cannot be decoded"),
        ("aedat3: 2^31 - 1 events in a packet", "a packet claims 17179869176 bytes"),
        ("aedat3: a negative number of events", "a packet header holds impossible values"),
        ("aedat3: an empty packet of triggers", ""),
        ("csv: a line of 300 MB", "a line of more than 4 MB is no event"),
        ("csv: numbers without end", "should be an event of 4 columns"),
    ],
)
def test_a_file_made_to_harm_is_refused_with_its_cause(hostile_files: dict[str, dict], name: str, error: str) -> None:
    assert hostile_files[name]["findings"] == []
    assert error in hostile_files[name]["error"]


def test_every_file_made_to_harm_was_read(hostile_files: dict[str, dict]) -> None:
    assert hostile_files.keys() == HOSTILE_FILES.keys()


@pytest.mark.parametrize("name", sorted(HEADS))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=400))
def test_random_bytes_behind_a_sound_head_give_valid_events_or_a_data_error(
    tmp_path: Path, name: str, data: bytes
) -> None:
    (tmp_path / "events").write_bytes(HEADS[name] + data)
    examine_strict_and_recovering(tmp_path / "events", SENSOR)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_flipped_bits_give_valid_events_or_a_data_error(tmp_path: Path, name: str, data: st.DataObject) -> None:
    content = bytearray(EVENT_FILES[name](small_columns()))
    for place in data.draw(st.lists(st.integers(0, 8 * len(content) - 1), min_size=1, max_size=8)):
        content[place // 8] ^= 1 << place % 8
    (tmp_path / "events").write_bytes(content)
    examine_strict_and_recovering(tmp_path / "events", SENSOR)


@pytest.mark.parametrize("suffix", [".raw", ".dat", ".hdf5", ".aedat4", ".csv", ".npz", ".txt", ""])
@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_suffix_changes_nothing(tmp_path: Path, name: str, suffix: str) -> None:
    path = file_of(tmp_path, name).rename(tmp_path / f"wrong{suffix}")
    assert len(read(path, resolution=SENSOR).events) == 12


@pytest.mark.parametrize("recover", [False, True])
@pytest.mark.parametrize("suffix", [".raw", ".hdf5", ".csv", ".npy"])
def test_an_empty_file_is_refused_by_name(tmp_path: Path, suffix: str, recover: bool) -> None:
    (tmp_path / f"empty{suffix}").touch()
    with pytest.raises(DataError, match=rf"empty\{suffix} is empty \(0 bytes\)"):
        open_events(tmp_path / f"empty{suffix}", recover=recover)


# AEDAT2 counts pixels from the lower right: another size of the sensor is another place.
@pytest.mark.parametrize("name", [name for name in NAMES if name != "aedat2"])
def test_events_outside_the_sensor_are_refused_or_left_out_and_counted(tmp_path: Path, name: str) -> None:
    x, y, t_us, polarity = small_columns()
    path = file_of(tmp_path, name, (x, y, t_us, polarity))
    size = Resolution(height=9, width=19)
    with pytest.raises(DataError, match=rf"{path}.* event 1 .*lies at x = 19, y = 0, outside the 19x9 sensor"):
        read(path, resolution=size)
    data = read(path, resolution=size, recover=True)
    inside = (x < 19) & (y < 9)
    assert data.events.t_us.tolist() == t_us[inside].tolist()
    assert data.losses == ("3 events outside the sensor",)


# The codec of ECF has no steps back in time.
@pytest.mark.parametrize("name", [name for name in NAMES if name != "ecf"])
def test_times_that_jump_back_are_refused_or_left_out_and_counted(tmp_path: Path, name: str) -> None:
    x, y, t_us, polarity = small_columns()
    back = t_us + np.where(t_us > t_us[0], 100_000, 0)
    back[5] = 40_000
    path = file_of(tmp_path, name, (x, y, back, polarity))
    with pytest.raises(EventOrderError, match=rf"{path}: event 5 .*at 40000 us comes after 105064 us"):
        read(path, resolution=SENSOR)
    strict, mended = examine_strict_and_recovering(path, SENSOR)
    assert strict.events is None
    assert mended.events is not None
    assert mended.events.t_us.tolist() == np.delete(back, 5).tolist()
    assert mended.losses == ("1 events whose time runs backwards",)


@pytest.mark.parametrize("name", ["evt3", "evt2", "evt21", "dat", "aedat2", "csv", "txt"])
def test_a_file_cut_inside_its_last_event_keeps_all_others(tmp_path: Path, name: str) -> None:
    path = file_of(tmp_path, name)
    path.write_bytes(path.read_bytes()[: -2 if name in ("csv", "txt") else -1])
    strict, mended = examine_strict_and_recovering(path, SENSOR)
    assert strict.events is None
    assert "Copy it again" in strict.error or "recover=True" in strict.error
    assert mended.events is not None
    assert len(mended.events) == 11


def corpus() -> list[Path]:
    return sorted((Path(__file__).resolve().parents[2] / "fuzz" / "corpus").glob("*.aedat4"))


@pytest.mark.parametrize("path", corpus(), ids=lambda path: path.stem)
def test_damaged_compressed_packets_with_frames_and_triggers_break_nothing(tmp_path: Path, path: Path) -> None:
    data = path.read_bytes()
    assert len(read(path).events) == 40
    draw = np.random.default_rng(0)
    for _ in range(150):
        content = bytearray(data)
        for place in draw.integers(0, len(data), 3).tolist():
            content[place] = int(draw.integers(256))
        (tmp_path / "events").write_bytes(content[: int(draw.integers(1, 2 * len(data)))])
        examine_strict_and_recovering(tmp_path / "events")
