"""The HDF5 store as it is written: the DSEC layout, its index, its time columns."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import event_streams

from snnface.errors import DataError
from snnface.events import EventStream, Resolution, create_events, read, write_hdf5
from snnface.events.writers import base, hdf5

SENSOR = Resolution(height=10, width=20)


def stream_at(times: list[int]) -> EventStream:
    zeros = [0] * len(times)
    return EventStream.from_arrays(x=zeros, y=zeros, t_us=times, polarity=zeros, resolution=SENSOR)


@settings(max_examples=30)
@given(stream=event_streams(max_gap_us=20_000), block_events=st.integers(1, 30), index_piece=st.integers(1, 50))
def test_the_index_gives_the_first_event_at_or_after_each_millisecond(
    tmp_path_factory: pytest.TempPathFactory, stream: EventStream, block_events: int, index_piece: int
) -> None:
    path = tmp_path_factory.mktemp("hdf5") / "events.hdf5"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "BLOCK_EVENTS", block_events)
        patch.setattr(hdf5, "INDEX_PIECE", index_piece)
        write_hdf5(stream, path)
    with h5py.File(path) as file:
        index, offset = file["ms_to_idx"][:], int(file["t_offset"][()])
    milliseconds = offset + np.arange(len(index)) * 1000
    np.testing.assert_array_equal(index, np.searchsorted(stream.t_us, milliseconds))
    assert index[-1] == len(stream)
    assert len(index) == (stream.window.duration_us - 1) // 1000 + 2


def test_the_layout_is_that_of_dsec(tmp_path: Path) -> None:
    write_hdf5(stream_at([1_000_000, 1_000_999, 1_002_000]), tmp_path / "a.hdf5")
    with h5py.File(tmp_path / "a.hdf5") as file:
        dtypes = {name: file["events"][name].dtype for name in ("x", "y", "t", "p")}
        assert dtypes == {"x": np.uint16, "y": np.uint16, "t": np.uint32, "p": np.uint8}
        assert file["events"]["t"][:].tolist() == [0, 999, 2000]
        assert file["t_offset"][()] == 1_000_000
        assert file["ms_to_idx"][:].tolist() == [0, 2, 2, 3]
        assert dict(file["events"].attrs) == {"height": 10, "width": 20}
        assert (file["events"]["x"].compression, file["events"]["x"].shuffle) == ("gzip", True)


def test_a_recording_without_events_has_an_index_of_one_entry(tmp_path: Path) -> None:
    write_hdf5(stream_at([]), tmp_path / "a.hdf5")
    with h5py.File(tmp_path / "a.hdf5") as file:
        assert file["ms_to_idx"][:].tolist() == [0]
        assert file["t_offset"][()] == 0
    assert read(tmp_path / "a.hdf5").events.is_empty


def test_times_turn_to_64_bits_when_32_no_longer_hold_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "BLOCK_EVENTS", 2)
    times = [5, 6, 7 + (1 << 32) - 3, 5 + (1 << 32), 6 + (1 << 32)]
    with create_events(tmp_path / "a.hdf5", SENSOR) as writer:
        for time in times:
            writer.append(stream_at([time]))
    assert read(tmp_path / "a.hdf5").events.t_us.tolist() == times
    with h5py.File(tmp_path / "a.hdf5") as file:
        assert sorted(file["events"]) == ["p", "t", "x", "y"]
        assert file["events"]["t"].dtype == np.int64


def test_the_last_time_that_fits_32_bits_is_stored_in_them(tmp_path: Path) -> None:
    for times, dtype in (([5, 4 + (1 << 32)], np.uint32), ([5, 5 + (1 << 32)], np.int64)):
        write_hdf5(stream_at(times), tmp_path / "a.hdf5")
        with h5py.File(tmp_path / "a.hdf5") as file:
            assert file["events"]["t"].dtype == dtype
        assert read(tmp_path / "a.hdf5").events.t_us.tolist() == times


def test_many_days_are_refused_at_once_and_in_pieces(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"less than 74 hours .* spans 277 hours. Write parts of it"):
        write_hdf5(stream_at([0, 10**12]), tmp_path / "a.hdf5")
    assert list(tmp_path.iterdir()) == []
    with create_events(tmp_path / "a.hdf5", SENSOR) as writer:
        writer.append(stream_at([0]))
        with pytest.raises(DataError, match="spans 277 hours"):
            writer.append(stream_at([10**12]))
        writer.append(stream_at([3]))
    assert read(tmp_path / "a.hdf5").events.t_us.tolist() == [0, 3]
