"""Data sets of faces as data sets of tonic."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snnface.datasets import Clip
from snnface.datasets.tonic_dataset import tonic_dataset
from snnface.errors import BackendUnavailableError, ConfigError, DataError
from snnface.events import EventStream, FrameClip, Resolution, TimeWindow
from snnface.recording import Recording


class TwoTakes:
    """One recording of 4 events, cut into two clips."""

    name = "two takes"
    is_synthetic = True
    class_names: Mapping[str, tuple[str, ...]] = {"mood": ("calm", "glad")}
    clips = (
        Clip("early", "take", "someone", TimeWindow(100, 200), {"mood": 1}),
        Clip("late", "take", "someone", TimeWindow(200, 300), {"mood": 0}),
    )

    def recording(self, recording_id: str) -> Recording:
        if recording_id == "frames":
            return Recording(
                "frames",
                "someone",
                frames=FrameClip(pixels=np.zeros((1, 4, 4, 1), np.uint8), t_us=np.array([0])),
            )
        events = EventStream.from_arrays(
            x=[1, 2, 3, 4],
            y=[0, 1, 2, 0],
            t_us=[105, 199, 200, 300],
            polarity=[1, 0, 1, 1],
            resolution=Resolution(3, 5),
        )
        return Recording(recording_id, "someone", events=events)


def made(**options: Any) -> Any:
    pytest.importorskip("tonic", reason="tonic is not installed; `make test` installs it")
    data = TwoTakes()
    return tonic_dataset(data, data.clips, target="mood", **options)


def test_items_are_events_of_the_clip_with_its_label() -> None:
    data = made()
    assert len(data) == 2
    events, label = data[0]
    assert events.tolist() == [(1, 0, 5, True), (2, 1, 99, False)]
    assert label == 1
    assert [(events.tolist(), label) for events, label in (data[1],)] == [([(3, 2, 0, True)], 0)]


def test_it_describes_itself_as_the_sets_of_tonic_do() -> None:
    import tonic

    data = made()
    assert isinstance(data, tonic.Dataset)
    assert data.sensor_size == (5, 3, 2)
    assert data.ordering == ("x", "y", "t", "p")
    assert data.classes == ["calm", "glad"]


def test_transforms_are_applied_in_the_order_of_tonic() -> None:
    data = made(
        transform=lambda events: len(events),
        target_transform=lambda label: label + 10,
        transforms=lambda number, label: (number * 2, label * 2),
    )
    assert data[0] == (4, 22)


def test_it_works_with_the_caches_and_slicers_of_tonic(tmp_path: Path) -> None:
    tonic = pytest.importorskip("tonic", reason="tonic is not installed; `make test` installs it")
    frames = tonic.transforms.ToFrame(sensor_size=(5, 3, 2), event_count=100, include_incomplete=True)
    cached = tonic.DiskCachedDataset(made(transform=frames), cache_path=str(tmp_path))
    first, again = cached[0], cached[0]
    assert first[0].shape == (1, 2, 3, 5)
    np.testing.assert_array_equal(first[0], again[0])
    sliced = tonic.SlicedDataset(made(), slicer=tonic.slicers.SliceByEventCount(event_count=1))
    assert len(sliced) == 3


def test_a_clip_without_the_label_is_named() -> None:
    pytest.importorskip("tonic", reason="tonic is not installed; `make test` installs it")
    data = TwoTakes()
    clips = [data.clips[0], replace(data.clips[1], labels={})]
    with pytest.raises(DataError, match=r"needs the label 'mood'; 1 lack it, such as 'late'. Leave those clips out"):
        tonic_dataset(data, clips, target="mood")


def test_no_clips_make_no_data_set() -> None:
    pytest.importorskip("tonic", reason="tonic is not installed; `make test` installs it")
    with pytest.raises(ConfigError, match="at least one clip; the split is empty"):
        tonic_dataset(TwoTakes(), [], target="mood")


def test_a_recording_of_frames_is_refused_when_it_is_reached() -> None:
    pytest.importorskip("tonic", reason="tonic is not installed; `make test` installs it")
    data = TwoTakes()
    mixed = tonic_dataset(data, [data.clips[0], replace(data.clips[1], recording_id="frames")], target="mood")
    with pytest.raises(DataError, match="recording 'frames' holds frames only; events are needed here"):
        mixed[1]


def test_without_tonic_it_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tonic", None)
    data = TwoTakes()
    with pytest.raises(BackendUnavailableError, match=r"needs the package tonic.*pip install 'snnface\[tonic\]'"):
        tonic_dataset(data, data.clips, target="mood")
