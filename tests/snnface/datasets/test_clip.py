"""What a clip says of its labels over time."""

from collections.abc import Mapping

import numpy as np
import pytest

from snnface.datasets.clip import Clip, Label
from snnface.errors import DataError
from snnface.events.window import TimeWindow


def clip(labels: Mapping[str, Label], t_us: list[int] | None, *over_time: str) -> Clip:
    times = None if t_us is None else np.array(t_us, np.int64)
    return Clip("c", "c", "s", TimeWindow(0, 10), labels, times, frozenset(over_time))


def test_labels_over_time_are_those_that_are_named() -> None:
    labels = {"mood": np.zeros((2, 3)), "units": np.zeros(2)}
    assert clip(labels, [0, 5], "mood").over_time == {"mood"}


@pytest.mark.parametrize(
    ("t_us", "over_time", "message"),
    [
        ([0, 5], (), "label times and the names of the labels over time, or neither; got 2 times and no names"),
        (None, ("mood",), "or neither; got no times and mood"),
        ([5, 5], ("mood",), "label times of clip 'c' must rise"),
        ([0, 5, 9], ("mood",), r"'mood' of clip 'c' should have a row for each of 3 label times; got .* \[2, 3\]"),
        ([0, 5], ("unit",), r"'unit' of clip 'c' .* 2 label times; got the shape \[\]"),
        ([0, 5], ("smell",), "'smell' of clip 'c' .* 2 label times; got no such label"),
    ],
)
def test_labels_over_time_that_do_not_fit_are_refused(
    t_us: list[int] | None, over_time: tuple[str, ...], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        clip({"mood": np.zeros((2, 3)), "unit": 1}, t_us, *over_time)
