"""AEDAT 2.0: the address layouts of DAVIS and DVS128, triggers, frames, inertial sensor, times, headers, damage."""

import contextlib
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import event_streams

from snnface.errors import DataError, EventOrderError
from snnface.events import EventStream, Resolution, open_events, read
from snnface.events.readers import aedat2

HEADER = b"#!AER-DAT2.0\r\n# This is a raw AE data file\r\n"
DAVIS346 = HEADER + b"# AEChip: eu.seebetter.ini.chips.davis.Davis346blue\r\n"
DVS128 = HEADER + b"# AEChip: ch.unizh.ini.jaer.chip.retina.DVS128\r\n"
APS, TRIGGER, ON = 1 << 31, 1 << 10, 1 << 11
IMU, SIGNAL = APS | 3 << 10, 1 << 10
SMALL = Resolution(height=2, width=3)
PIXELS = [(x, y) for x in range(3) for y in range(2)]


def recording(folder: Path, words: list[tuple[int, int]], header: bytes = DAVIS346) -> Path:
    """A file of (address, time) pairs."""
    path = folder / "a.aedat"
    path.write_bytes(header + b"".join(struct.pack(">Ii", address, t_us) for address, t_us in words))
    return path


def davis(x: int, y: int) -> int:
    """The address of a pixel given from the upper left of a 346x260 image."""
    return (345 - x) << 12 | (259 - y) << 22


def test_davis_addresses_count_from_the_lower_right(tmp_path: Path) -> None:
    events = read(recording(tmp_path, [(0, 5), (345 << 12 | 259 << 22 | ON, 6)])).events
    assert (events.x.tolist(), events.y.tolist()) == ([345, 0], [259, 0])
    assert (events.t_us.tolist(), events.polarity.tolist()) == ([5, 6], [False, True])
    assert events.resolution == Resolution(height=260, width=346)


def test_samples_of_frames_and_of_the_inertial_sensor_are_no_events(tmp_path: Path) -> None:
    imu = APS | 3 << 28 | ON | TRIGGER
    words = [(APS | davis(1, 1), 4), (davis(3, 4), 5), (imu, 6), (APS | TRIGGER, 7), (davis(5, 6), 8)]
    assert read(recording(tmp_path, words)).events.x.tolist() == [3, 5]


def sample(x: int, y: int, kind: int, value: int) -> int:
    """The address of a sample of a frame: columns from the left, rows from below, of a 3x2 image."""
    return APS | x << 12 | (1 - y) << 22 | kind | value


def frame_words(t_us: int, light: int, exposure_us: int = 100) -> list[tuple[int, int]]:
    """A frame of a global shutter: all resets at 900, then all signals; pixel (x, y) has light + 40 x + 20 y."""
    resets = [(sample(x, y, 0, 900), t_us + k) for k, (x, y) in enumerate(PIXELS)]
    after = t_us + len(PIXELS) - 1 + exposure_us
    signals = [(sample(x, y, SIGNAL, 900 - light - 40 * x - 20 * y), after + k) for k, (x, y) in enumerate(PIXELS)]
    return resets + signals


def imu_words(t_us: int, values: list[int]) -> list[tuple[int, int]]:
    return [(IMU | code << 28 | (value & 0xFFFF) << 12, t_us) for code, value in enumerate(values)]


def test_a_frame_is_reset_less_signal_at_the_middle_of_the_exposure(tmp_path: Path) -> None:
    words = frame_words(1000, 100)
    words.insert(3, (0, 1002))
    data = read(recording(tmp_path, words), resolution=SMALL)
    assert data.frames is not None
    # 100, 140, 180 and 120, 160, 200 of 1023, their upper 8 of 10 bits.
    assert data.frames.pixels[0, :, :, 0].tolist() == [[25, 35, 45], [30, 40, 50]]
    assert data.frames.t_us.tolist() == [1005 + 50]
    assert (data.events.x.tolist(), data.events.y.tolist()) == ([2], [1])


def test_columns_of_frames_are_not_mirrored_as_those_of_events_are(tmp_path: Path) -> None:
    # The same address in an event and in the only bright sample.
    at = 2 << 12 | 1 << 22
    words = [(APS | x << 12 | y << 22 | kind | 500, t) for t, kind in enumerate((0, SIGNAL)) for x, y in PIXELS]
    words[words.index((APS | at | SIGNAL | 500, 1))] = (APS | at | SIGNAL | 100, 1)
    data = read(recording(tmp_path, [*words, (at, 5)]), resolution=SMALL)
    assert data.frames is not None
    assert data.frames.pixels[0, :, :, 0].tolist() == [[0, 0, 100], [0, 0, 0]]
    assert (data.events.x.tolist(), data.events.y.tolist()) == ([0], [0])


def test_a_signal_above_its_reset_is_black(tmp_path: Path) -> None:
    data = read(recording(tmp_path, frame_words(0, -60)), resolution=SMALL)
    assert data.frames is not None
    assert data.frames.pixels[0, :, :, 0].tolist() == [[0, 0, 5], [0, 0, 10]]


def test_a_rolling_shutter_gives_frames_too(tmp_path: Path) -> None:
    # Columns are reset at 0, 10, 20 and read at 15, 25, 35: the middle one is exposed from 10 to 25.
    steps = [(0, 0), (10, 0), (15, SIGNAL), (20, 0), (25, SIGNAL), (35, SIGNAL)]
    columns = [0, 1, 0, 2, 1, 2]
    words = [
        (sample(x, y, kind, 400 if kind else 800), start + t_us)
        for start in (0, 1000)
        for x, (t_us, kind) in zip(columns, steps, strict=True)
        for y in (0, 1)
    ]
    data = read(recording(tmp_path, words), resolution=SMALL)
    assert data.frames is not None
    assert data.frames.t_us.tolist() == [17, 1017]
    assert np.unique(data.frames.pixels).tolist() == [100]


@pytest.mark.parametrize("start", range(13))
@pytest.mark.parametrize("stop", range(24, 37))
def test_frames_that_the_ends_of_a_recording_cut_are_left_out(tmp_path: Path, start: int, stop: int) -> None:
    words = [word for k in range(3) for word in frame_words(1000 * k, 100 * k)]
    path = recording(tmp_path, words[start:stop])
    whole = [k for k in range(3) if start <= 12 * k and 12 * (k + 1) <= stop]
    data = read(path, resolution=SMALL)
    assert data.frames is not None
    assert data.frames.t_us.tolist() == [1000 * k + 55 for k in whole]
    assert data.frames.pixels[:, 0, 0, 0].tolist() == [25 * k for k in whole]


@pytest.mark.parametrize("lost", range(12))
def test_a_lost_sample_costs_one_frame_and_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture, lost: int) -> None:
    words = [word for k in range(4) for word in frame_words(1000 * k, 100 * k)]
    del words[12 + lost]
    path = recording(tmp_path, words)
    data = read(path, resolution=SMALL)
    assert data.frames is not None
    assert data.frames.t_us.tolist() == [55, 2055, 3055]
    assert data.frames.pixels[:, 0, 0, 0].tolist() == [0, 50, 75]
    assert "a.aedat: left out 1 frames that lack samples" in caplog.text
    assert read(path, resolution=SMALL, recover=True).losses == ("1 frames that lack samples",)


def test_a_file_without_frames_has_none(tmp_path: Path) -> None:
    # A reset again and again, signals without a reset, samples of another read or beyond the sensor.
    words = [
        (sample(0, 0, 0, 9), 1),
        (sample(0, 0, 0, 9), 2),
        (sample(1, 1, SIGNAL, 9), 3),
        (sample(1, 1, 2 << 10, 9), 4),
    ]
    data = read(recording(tmp_path, [*words, (sample(5, 0, 0, 9), 5), (APS | 7 << 22, 6)]), resolution=SMALL)
    assert data.frames is None
    assert data.imu is not None
    assert len(data.imu) == 0


def test_seven_words_are_a_sample_of_the_inertial_sensor(tmp_path: Path) -> None:
    # 1 g, -1 g, -4 g; 35 + 2 degrees Celsius; 1, -2, 500 degrees a second.
    words = imu_words(70, [8192, -8192, -32768, 680, 66, -131, 32750])
    words.insert(4, (davis(3, 4), 70))
    data = read(recording(tmp_path, [(IMU | 6 << 28, 60), *words, *imu_words(80, [0] * 6), *imu_words(90, [0] * 7)]))
    assert data.imu is not None
    assert data.imu.t_us.tolist() == [70, 90]
    assert data.imu.acceleration_g.tolist() == [[1, -1, -4], [0, 0, 0]]
    np.testing.assert_allclose(data.imu.rotation_deg_s[0], [66 / 65.5, -2, 500], rtol=1e-6)
    assert data.imu.temperature_c.tolist() == [37, 35]


@pytest.mark.parametrize("records", [1, 2, 5, 7, 1000])
def test_pieces_of_any_size_give_the_same_frames_and_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, records: int
) -> None:
    words = [w for k in range(5) for w in [*frame_words(1000 * k, 50 * k), *imu_words(1000 * k + 500, [k] * 7)]]
    path = recording(tmp_path, [*words, (TRIGGER, 9000)])
    monkeypatch.setattr(aedat2, "PIECE_RECORDS", records)
    data = read(path, resolution=SMALL)
    assert data.frames is not None
    assert data.imu is not None
    assert data.frames.pixels[:, 0, 0, 0].tolist() == [0, 12, 25, 37, 50]
    assert data.imu.t_us.tolist() == [500, 1500, 2500, 3500, 4500]
    extras = open_events(path, resolution=SMALL).extras()
    assert (extras.num_triggers, extras.num_frames, extras.num_imu_samples) == (1, 5, 5)


def test_a_dvs128_has_neither_frames_nor_an_inertial_sensor(tmp_path: Path) -> None:
    path = recording(tmp_path, [(0, 5), (1 << 15, 7)], DVS128)
    data, extras = read(path), open_events(path).extras()
    assert (data.frames, data.imu) == (None, None)
    assert (extras.num_triggers, extras.num_frames, extras.num_imu_samples) == (1, None, None)


def test_a_trigger_falls_where_its_address_says_so(tmp_path: Path) -> None:
    data = read(recording(tmp_path, [(TRIGGER, 6), (TRIGGER | 2, 7), (TRIGGER | 3, 8), (TRIGGER | 4, 9)]))
    assert data.triggers is not None
    assert data.triggers.rising.tolist() == [True, False, True, True]


def test_external_events_are_triggers(tmp_path: Path) -> None:
    path = recording(tmp_path, [(davis(3, 4), 5), (TRIGGER, 6), (davis(5, 6), 7)])
    data = read(path)
    assert data.triggers is not None
    assert data.triggers.t_us.tolist() == [6]
    assert len(data.events) == 2
    assert open_events(path).extras().num_triggers == 1


def test_dvs128_addresses_have_sixteen_bits_and_on_is_zero(tmp_path: Path) -> None:
    words = [(0, 5), (127 << 1 | 127 << 8 | 1, 6), (1 << 15, 7)]
    data = read(recording(tmp_path, words, DVS128))
    assert (data.events.x.tolist(), data.events.y.tolist()) == ([127, 0], [127, 0])
    assert data.events.polarity.tolist() == [True, False]
    assert data.triggers is not None
    assert data.triggers.t_us.tolist() == [7]


def test_addresses_of_another_camera_are_refused(tmp_path: Path) -> None:
    path = recording(tmp_path, [(3, 5), (davis(5, 6), 6)], DVS128)
    with pytest.raises(DataError, match=r"at byte .*1 addresses do not fit 16 bits, as those of a DVS128 do"):
        read(path)
    assert read(path, recover=True).losses == ("1 records with impossible addresses",)


def test_the_time_counts_on_when_its_32_bits_wrap(tmp_path: Path) -> None:
    words = [(davis(1, 1), 2**31 - 1), (davis(1, 1), -(2**31)), (davis(1, 1), -5), (davis(1, 1), 3)]
    times = read(recording(tmp_path, words)).events.t_us.tolist()
    assert times == [2**31 - 1, 2**31, 2**32 - 5, 2**32 + 3]


def test_a_time_that_steps_back_is_refused(tmp_path: Path) -> None:
    path = recording(tmp_path, [(davis(1, 1), 90), (davis(1, 1), 80), (davis(1, 1), 95)])
    with pytest.raises(EventOrderError, match=r"a\.aedat: event 1 .* at 80 us comes after 90 us"):
        read(path)
    assert read(path, recover=True).losses == ("1 events whose time runs backwards",)


def test_a_file_of_v2e_needs_the_size_that_it_does_not_state(tmp_path: Path) -> None:
    # v2e writes: address (345 - x) << 12 | (259 - y) << 22 | on << 11, and no camera.
    path = recording(tmp_path, [(davis(10, 20) | ON, 7)], HEADER)
    with pytest.raises(DataError, match=r"does not state its camera .*resolution=Resolution\(height=260, width=346\)"):
        read(path)
    events = read(path, resolution=Resolution(height=260, width=346)).events
    assert (events.x.tolist(), events.y.tolist(), events.polarity.tolist()) == ([10], [20], [True])


def test_without_a_camera_a_size_of_128_is_a_dvs128(tmp_path: Path) -> None:
    path = recording(tmp_path, [(3 << 1 | 4 << 8, 7)], HEADER)
    assert read(path, resolution=Resolution(height=128, width=128)).events.x.tolist() == [124]


def test_an_unknown_camera_is_refused_by_name(tmp_path: Path) -> None:
    path = recording(tmp_path, [], HEADER + b"# AEChip: eu.seebetter.ini.chips.cochlea.CochleaAMS1c\r\n")
    with pytest.raises(DataError, match=r"recorded by the camera 'eu.*CochleaAMS1c', whose addresses are not known"):
        read(path)


@pytest.mark.parametrize("end", [b"", b"#End Of ASCII Header\r\n"])
def test_data_that_begin_with_the_byte_of_a_header_line_are_data(tmp_path: Path, end: bytes) -> None:
    # '#' is 0x23: rows 140 and above of the address begin with it.
    words = [(0x23 << 24, 5), (davis(1, 1), 10)]
    assert len(read(recording(tmp_path, words, DAVIS346 + end)).events) == 2


def test_a_size_that_is_too_small_is_refused(tmp_path: Path) -> None:
    path = recording(tmp_path, [(300 << 12, 5)])
    with pytest.raises(DataError, match=r"outside the 240x180 sensor"):
        read(path, resolution=Resolution(height=180, width=240))


def test_a_truncated_file_is_refused_and_its_whole_records_recovered(tmp_path: Path) -> None:
    path = recording(tmp_path, [(davis(1, 1), k) for k in range(10)])
    whole = path.read_bytes()
    for cut in range(1, 80):
        path.write_bytes(whole[: len(whole) - cut])
        if cut % 8 == 0:
            assert len(read(path).events) == 10 - cut // 8
            continue
        with pytest.raises(DataError, match=r"a\.aedat at byte \d+: the file ends in the middle of a record"):
            read(path)
        data = open_events(path, recover=True).read()
        assert len(data.events) == (80 - cut) // 8
        assert data.losses == (f"{8 - cut % 8} bytes behind the last whole record",)


@given(
    events=event_streams(resolution=Resolution(height=260, width=346), max_start_us=1 << 30),
    records=st.integers(1, 30),
    step_us=st.integers(100, 9_000),
)
def test_pieces_of_any_size_give_the_same_events(
    tmp_path_factory: pytest.TempPathFactory, events: EventStream, records: int, step_us: int
) -> None:
    columns = (events.x.tolist(), events.y.tolist(), events.polarity.tolist(), events.t_us.tolist())
    words = [(davis(x, y) | (ON if on else 0), t_us) for x, y, on, t_us in zip(*columns, strict=True)]
    path = recording(tmp_path_factory.mktemp("aedat2"), words)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aedat2, "PIECE_RECORDS", records)
        whole = read(path).events
        parts = [events[:0], *open_events(path).slices(step_us)]
    for name in ("x", "y", "t_us", "polarity"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(events, name))
        np.testing.assert_array_equal(np.concatenate([getattr(part, name) for part in parts]), getattr(events, name))


@given(data=st.binary(max_size=300), recover=st.booleans())
def test_random_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes, recover: bool) -> None:
    path = tmp_path_factory.mktemp("aedat2") / "a.aedat"
    path.write_bytes(DAVIS346 + data)
    with contextlib.suppress(DataError):
        assert len(read(path, recover=recover).events) <= len(data) // 8
