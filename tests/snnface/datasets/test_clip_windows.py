import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnface.datasets.clip import Clip
from snnface.datasets.clip_windows import alike_labels, clip_part, labelled_steps, windows_of, with_step_label
from snnface.errors import DataError
from snnface.events import TimeWindow


def a_clip(*, t_us: list[int], num_steps: int = 4, mask: list[bool] | None = None) -> Clip:
    """Steps of 10 us; the mood of label k is k + 1."""
    mood = np.arange(1, len(t_us) + 1, dtype=np.float32)
    over_time = {"mood": mood} | ({} if mask is None else {"mood_present": np.array(mask)})
    return Clip(
        clip_id="a",
        recording_id="a",
        subject="s",
        window=TimeWindow(100, 100 + 10 * num_steps),
        labels={"unit": 3, **over_time},
        label_t_us=np.array(t_us, np.int64),
        over_time=frozenset(over_time),
    )


def test_every_step_has_the_label_nearest_to_its_time_in_its_middle() -> None:
    clip = labelled_steps(a_clip(t_us=[100, 112, 124, 136]), np.array([104.0, 119.0, 121.0, 139.0]), step_us=10)
    # 119 is 7 from 112 and 5 from 124.
    assert np.asarray(clip.labels["mood"]).tolist() == [1, 3, 3, 4]
    assert np.asarray(clip.labels["mood_present"]).tolist() == [True] * 4
    assert clip.label_t_us is not None
    assert clip.label_t_us.tolist() == [105, 115, 125, 135]
    assert clip.labels["unit"] == 3


def test_of_two_labels_equally_near_the_earlier_is_taken() -> None:
    clip = labelled_steps(a_clip(t_us=[100, 110], num_steps=1), np.array([105.0]), step_us=10)
    assert np.asarray(clip.labels["mood"]).tolist() == [1]


def test_a_gap_in_the_labels_stays_a_gap_and_holds_zeros() -> None:
    clip = labelled_steps(a_clip(t_us=[100, 110]), np.array([104.0, 114.0, 124.0, 134.0]), step_us=10)
    # Labels are 10 us apart and reach as far: 114 is 4 away, 124 is 14 away.
    assert np.asarray(clip.labels["mood_present"]).tolist() == [True, True, False, False]
    assert np.asarray(clip.labels["mood"]).tolist() == [1, 2, 0, 0]


def test_a_masked_label_is_no_label() -> None:
    masked = a_clip(t_us=[100, 110, 120, 130], mask=[True, False, True, True])
    clip = labelled_steps(masked, np.array([100, 110, 120, 130]), step_us=10)
    assert np.asarray(clip.labels["mood_present"]).tolist() == [True, False, True, True]
    assert np.asarray(clip.labels["mood"]).tolist() == [1, 0, 3, 4]


def test_labels_can_be_left_out_with_their_masks() -> None:
    masked = a_clip(t_us=[100, 110], mask=[True, False])
    clip = labelled_steps(masked, np.full(4, 104.0), step_us=10, without=("mood",))
    assert dict(clip.labels) == {"unit": 3}
    assert clip.label_t_us is None


def test_as_many_times_as_steps_are_needed() -> None:
    with pytest.raises(DataError, match="has 4 steps and needs as many times; got 2"):
        labelled_steps(a_clip(t_us=[100]), np.array([104.0, 114.0]), step_us=10)


def test_a_clip_without_a_label_that_others_have_gets_masked_zeros() -> None:
    with_mood = labelled_steps(a_clip(t_us=[100, 110]), np.full(4, 104.0), step_us=10)
    without = labelled_steps(a_clip(t_us=[100]), np.full(4, 104.0), step_us=10, without=("mood",))
    first, second = alike_labels([with_mood, without], 10)
    assert first is with_mood
    assert np.asarray(second.labels["mood"]).tolist() == [0, 0, 0, 0]
    assert not np.asarray(second.labels["mood_present"]).any()
    assert second.over_time == {"mood", "mood_present"}


def test_a_part_keeps_its_name_and_the_labels_inside() -> None:
    clip = with_step_label(
        a_clip(t_us=[105, 115, 125, 135]), "shape", np.eye(4, dtype=np.float32), np.ones(4, np.bool_), 10
    )
    part = clip_part(clip, TimeWindow(100, 120), clip_id="a")
    assert part.clip_id == "a"
    assert np.asarray(part.labels["shape"]).tolist() == np.eye(4)[:2].tolist()


@given(num_steps=st.integers(1, 12), width=st.integers(1, 12))
def test_windows_hold_every_label_of_their_steps_once(num_steps: int, width: int) -> None:
    clip = labelled_steps(
        a_clip(t_us=list(range(100, 100 + 10 * num_steps, 10)), num_steps=num_steps),
        np.arange(num_steps) * 10 + 100,
        step_us=10,
    )
    windows = list(windows_of(clip, 10 * width))
    assert len(windows) == num_steps // width
    joined = [value for window in windows for value in np.asarray(window.labels["mood"]).tolist()]
    assert joined == np.asarray(clip.labels["mood"]).tolist()[: len(windows) * width]
    assert len({window.clip_id for window in windows}) == len(windows)
