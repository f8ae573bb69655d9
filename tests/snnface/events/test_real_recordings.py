"""Real recordings, decoded to exactly the events that several independent readers agree on."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from snnface.errors import DataError
from snnface.events import EventStream, open_events, read

pytestmark = pytest.mark.data

FILES = (
    "gen31_640x480_evt3_triggers.raw",
    "imx636_1280x720_evt3_trigger.raw",
    "gen31_640x480_evt2.raw",
    "gen31_640x480_evt21.raw",
    "gen31_640x480_dat2.dat",
    "davis346_346x260.aedat4",
    "davis346b_346x260_lz4.aedat4",
    "davis346b_346x260.aedat",
    "gen31_640x480_ecf.hdf5",
    "imx636_1280x720_ecf.hdf5",
    "own_dense_640x480_ecf.hdf5",
    "own_rows_640x480_ecf.hdf5",
)


def digest(events: EventStream) -> str:
    columns = (
        events.t_us.astype("<i8"),
        events.x.astype("<u2"),
        events.y.astype("<u2"),
        events.polarity.astype(np.uint8),
    )
    return hashlib.sha256(b"".join(column.tobytes() for column in columns)).hexdigest()


@pytest.mark.parametrize("file", FILES)
def test_the_events_are_those_of_the_other_readers(shared_events: Path, file: str) -> None:
    truth = json.loads((shared_events / "ground_truth.json").read_text())[file]
    events = read(shared_events / file).events
    assert (events.resolution.width, events.resolution.height) == (truth["width"], truth["height"])
    assert len(events) == truth["n"]
    assert int(events.polarity.sum()) == truth["on"]
    assert digest(events) == truth["sha256"]


@pytest.mark.parametrize("file", FILES)
def test_recovering_an_undamaged_file_leaves_nothing_out(shared_events: Path, file: str) -> None:
    truth = json.loads((shared_events / "ground_truth.json").read_text())[file]
    data = read(shared_events / file, recover=True)
    assert digest(data.events) == truth["sha256"]
    assert data.losses == ()


@pytest.mark.parametrize("file", [file for file in FILES if file.startswith(("gen31", "imx636")) and "ecf" not in file])
@pytest.mark.parametrize("recover", [False, True])
def test_small_blocks_give_the_same_events_and_triggers(
    shared_events: Path, monkeypatch: pytest.MonkeyPatch, file: str, recover: bool
) -> None:
    whole = read(shared_events / file)
    monkeypatch.setattr("snnface.events.readers.prophesee_file.BLOCK_BYTES", 1000)
    data = read(shared_events / file, recover=recover)
    assert digest(data.events) == digest(whole.events)
    if whole.triggers is not None:
        assert data.triggers is not None
        for name in ("t_us", "channel", "rising"):
            np.testing.assert_array_equal(getattr(data.triggers, name), getattr(whole.triggers, name))


@pytest.mark.parametrize("file", FILES)
def test_slices_join_to_the_whole(shared_events: Path, file: str) -> None:
    whole = read(shared_events / file).events
    slices = list(open_events(shared_events / file).slices(5_000))
    assert len(slices) == (whole.window.duration_us - 1) // 5_000 + 1
    for name in ("x", "y", "t_us", "polarity"):
        np.testing.assert_array_equal(np.concatenate([getattr(part, name) for part in slices]), getattr(whole, name))


def test_evt3_triggers_are_all_there(shared_events: Path) -> None:
    data = read(shared_events / "gen31_640x480_evt3_triggers.raw")
    assert data.triggers is not None
    assert len(data.triggers) == 4157
    assert set(data.triggers.channel.tolist()) == {6}
    assert int(data.triggers.rising.sum()) == 2079
    assert int(data.events.t_us.sum()) + int(data.triggers.t_us.sum()) == 2885601049874
    other = read(shared_events / "imx636_1280x720_evt3_trigger.raw").triggers
    assert other is not None
    assert other.channel.tolist() == [0, 0]
    assert sorted(other.rising.tolist()) == [False, True]


def test_aedat4_frames_and_triggers_are_all_there(shared_events: Path) -> None:
    data = read(shared_events / "davis346_346x260.aedat4")
    assert data.frames is not None
    assert data.triggers is not None
    assert data.frames.pixels.shape == (3, 260, 346, 1)
    assert data.frames.t_us.tolist() == [1633953690978904, 1633953691018904, 1633953691058904]
    assert data.frames.pixels.astype(np.int64).sum(axis=(1, 2, 3)).tolist() == [4587151, 4603536, 4618543]
    # The frame begins, its exposure begins and ends, it ends: 6, 8, 9, 7.
    assert data.triggers.channel[:3].tolist() == [8, 9, 7]
    assert data.triggers.rising[:3].tolist() == [True, False, False]


def test_aedat4_samples_of_the_inertial_sensor_are_all_there(shared_events: Path) -> None:
    imu = read(shared_events / "davis346_346x260.aedat4").imu
    assert imu is not None
    assert len(imu) == 130
    assert imu.t_us[:2].tolist() == [1633953690976628, 1633953690977628]
    np.testing.assert_allclose(imu.acceleration_g[0], [-0.0604248, -0.99121094, -0.09741211], rtol=1e-6)
    np.testing.assert_allclose(imu.rotation_deg_s[0], [6.4544673, 2.578735, -0.16784666], rtol=1e-6)
    np.testing.assert_allclose(imu.temperature_c[0], 27.752941, rtol=1e-6)
    # At rest on a table the sensor feels 1 g.
    np.testing.assert_allclose(np.linalg.norm(imu.acceleration_g, axis=1), 1, atol=0.02)
    assert open_events(shared_events / "davis346_346x260.aedat4").extras().num_imu_samples == 130


@pytest.mark.parametrize("num_bytes", [4_000, 300_000, 1_000_000])
def test_what_comes_before_the_cut_of_an_aedat4_file_is_recovered(
    shared_events: Path, tmp_path: Path, num_bytes: int
) -> None:
    whole = read(shared_events / "davis346_346x260.aedat4").events
    path = tmp_path / "cut.aedat4"
    path.write_bytes((shared_events / "davis346_346x260.aedat4").read_bytes()[:num_bytes])
    data = read(path, recover=True)
    assert data.losses == ("1 damaged packet, with all that follows it",)
    np.testing.assert_array_equal(data.events.t_us, whole.t_us[: len(data.events)])


def test_frames_come_one_by_one_as_they_come_at_once(shared_events: Path) -> None:
    path = shared_events / "davis346_346x260.aedat4"
    whole, one_by_one = read(path).frames, list(open_events(path).frames())
    assert whole is not None
    assert [t_us for _, t_us in one_by_one] == whole.t_us.tolist()
    np.testing.assert_array_equal(np.stack([picture for picture, _ in one_by_one]), whole.pixels)


def test_aedat4_without_frames_or_triggers_has_none(shared_events: Path) -> None:
    data = read(shared_events / "davis346b_346x260_lz4.aedat4")
    assert data.frames is None
    assert data.triggers is None


@pytest.mark.parametrize("num_bytes", [100, 1_000, 4_000, 300_000, 1_000_000])
def test_a_truncated_aedat4_file_is_refused(shared_events: Path, tmp_path: Path, num_bytes: int) -> None:
    path = tmp_path / "cut.aedat4"
    path.write_bytes((shared_events / "davis346_346x260.aedat4").read_bytes()[:num_bytes])
    with pytest.raises(DataError, match=r"cut\.aedat4 .*cannot be decoded.*Copy it again"):
        read(path)


@pytest.mark.parametrize(
    ("name", "extras"),
    [
        ("gen31_640x480_evt3_triggers.raw", (4157, None)),
        ("imx636_1280x720_evt3_trigger.raw", (2, None)),
        ("davis346b_346x260_lz4.aedat4", (None, None)),
    ],
)
def test_triggers_and_frames_are_counted(shared_events: Path, name: str, extras: tuple[int | None, int | None]) -> None:
    assert open_events(shared_events / name).extras()[:2] == extras


def test_frames_of_a_frame_camera_are_counted(shared_events: Path) -> None:
    assert open_events(shared_events / "davis346_346x260.aedat4").extras().num_frames == 3
