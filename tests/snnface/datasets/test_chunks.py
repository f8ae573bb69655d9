"""Long clips cut into short ones."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnface.datasets.chunks import chunked
from snnface.datasets.clip import Clip
from snnface.errors import ConfigError, DataError
from snnface.events.window import TimeWindow


def clip(num_labels: int, name: str = "a") -> Clip:
    """Labels every 40 ms from the start on; row s holds s."""
    rows = np.arange(num_labels)
    return Clip(
        name,
        name,
        "subject",
        TimeWindow(0, 40_000 * num_labels),
        {"valence_arousal": np.stack([rows, -rows], axis=1), "valence_arousal_present": rows >= 0, "emotion": 3},
        40_000 * rows,
        frozenset({"valence_arousal", "valence_arousal_present"}),
    )


def test_chunks_are_windows_with_their_rows() -> None:
    first, second = chunked([clip(4)], num_labels=2)
    assert (first.clip_id, second.clip_id, second.recording_id, second.subject) == ("a+0", "a+2", "a", "subject")
    assert (first.window, second.window) == (TimeWindow(0, 80_000), TimeWindow(80_000, 160_000))
    assert np.asarray(second.labels["valence_arousal"]).tolist() == [[2, -2], [3, -3]]
    assert second.labels["emotion"] == 3
    assert second.label_t_us is not None
    assert second.label_t_us.tolist() == [80_000, 120_000]


def test_a_label_of_as_many_values_as_label_times_is_not_cut() -> None:
    """Four action units at the apex, and four label times."""
    whole = clip(4)
    units = np.array([True, False, False, True])
    second = chunked([replace(whole, labels={**whole.labels, "action_unit_active": units})], num_labels=2)[1]
    assert np.asarray(second.labels["action_unit_active"]).tolist() == units.tolist()
    assert np.asarray(second.labels["valence_arousal"]).tolist() == [[2, -2], [3, -3]]


def test_the_last_chunk_begins_earlier_and_loses_nothing() -> None:
    chunks = chunked([clip(7)], num_labels=3)
    assert [chunk.clip_id for chunk in chunks] == ["a+0", "a+3", "a+4"]
    assert chunks[-1].window == TimeWindow(160_000, 280_000)


@given(st.integers(1, 30), st.integers(1, 30))
def test_every_label_is_in_a_chunk_and_chunks_are_equally_long(num_labels: int, length: int) -> None:
    if length > num_labels:
        with pytest.raises(DataError, match=rf"a: {num_labels} label times, {length} are needed"):
            chunked([clip(num_labels)], num_labels=length)
        return
    chunks = chunked([clip(num_labels)], num_labels=length)
    rows = [np.asarray(chunk.labels["valence_arousal"])[:, 0].tolist() for chunk in chunks]
    assert {row for part in rows for row in part} == set(range(num_labels))
    assert {len(part) for part in rows} == {length}


def test_short_clips_are_left_out_only_when_asked(caplog: pytest.LogCaptureFixture) -> None:
    both = [clip(2, "short"), clip(6, "long")]
    with pytest.raises(DataError, match=r"1 clips of AFEW-VA cannot be used .short: .*on_short='leave-out'"):
        chunked(both, num_labels=6, dataset="AFEW-VA")
    assert [chunk.clip_id for chunk in chunked(both, num_labels=6, on_short="leave-out")] == ["long+0"]
    assert "short: 2 label times, 6 are needed" in caplog.text


def test_clips_without_labels_over_time_cannot_be_cut() -> None:
    with pytest.raises(DataError, match="clip 'a' has no labels over time"):
        chunked([Clip("a", "a", "s", TimeWindow(0, 10), {})], num_labels=1)
    with pytest.raises(ConfigError, match="at least 1 label time; got num_labels = 0"):
        chunked([clip(2)], num_labels=0)
