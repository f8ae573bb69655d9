"""Clips of different lengths in one batch."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snnface.datasets.clip import Clip, Sample, collate
from snnface.datasets.padding import PaddedSamples, pad_in_front
from snnface.datasets.samples import batches
from snnface.errors import ConfigError, DataError
from snnface.events.stream import EventStream
from snnface.events.window import Resolution, TimeWindow
from snnface.recording import Recording
from snnface.representations.histogram import HistogramConfig, PolarityHistogram


def sample(length: int) -> Sample:
    return Sample(
        clip_id="a",
        inputs=torch.ones(length, 2, 3, 3),
        targets={"alpha": torch.ones(length, 4), "seen": torch.ones(length, dtype=torch.bool), "unit": torch.tensor(3)},
    )


@given(length=st.integers(1, 6))
def test_zeros_come_first_and_the_clip_last(length: int) -> None:
    padded = pad_in_front(sample(length), num_steps=6, over_time=("alpha", "seen"))
    own = [False] * (6 - length) + [True] * length
    assert padded.targets["step_present"].tolist() == own
    assert padded.targets["seen"].tolist() == own
    assert padded.inputs.mean(dim=(1, 2, 3)).tolist() == [float(flag) for flag in own]
    assert padded.targets["alpha"].sum(dim=1).tolist() == [4.0 * flag for flag in own]
    assert padded.targets["unit"] == 3


def test_samples_of_any_length_make_one_batch() -> None:
    batch = collate([pad_in_front(sample(n), num_steps=4, over_time=("alpha", "seen")) for n in (1, 3, 4)])
    assert batch.inputs.shape == (4, 3, 2, 3, 3)
    assert batch.targets["alpha"].shape == (3, 4, 4)
    assert batch.targets["step_present"].sum(dim=1).tolist() == [1, 3, 4]


def test_a_clip_that_is_too_long_is_refused() -> None:
    with pytest.raises(DataError, match="'a' has 5 steps, more than the 4"):
        pad_in_front(sample(5), num_steps=4, over_time=())


def test_labels_over_time_need_a_row_a_step() -> None:
    other = Sample(clip_id="a", inputs=torch.ones(2, 1, 1, 1), targets={"alpha": torch.ones(3, 4)})
    with pytest.raises(DataError, match="2 steps and 3 rows of 'alpha'"):
        pad_in_front(other, num_steps=4, over_time=("alpha",))


class OneRecording:
    """A data set of clips of one second of one recording."""

    name, is_synthetic, class_names = "one", True, {}

    def __init__(self) -> None:
        self.clips = tuple(
            Clip(
                clip_id=f"c{steps}",
                recording_id="r",
                subject="s",
                window=TimeWindow(0, steps * 100_000),
                labels={"alpha": np.ones((steps, 4), np.float32), "unit": 1, "both": np.ones(2, np.float32)},
                label_t_us=np.arange(steps, dtype=np.int64) * 100_000,
                over_time=frozenset({"alpha"}),
            )
            for steps in (2, 5)
        )

    def recording(self, recording_id: str) -> Recording:
        events = EventStream(
            x=np.zeros(1, np.uint16),
            y=np.zeros(1, np.uint16),
            t_us=np.zeros(1, np.int64),
            polarity=np.ones(1, np.bool_),
            resolution=Resolution(height=4, width=4),
        )
        return Recording(recording_id=recording_id, subject="s", events=events)


def test_padded_samples_go_into_the_usual_batches() -> None:
    dataset = OneRecording()
    pictures = PolarityHistogram(HistogramConfig(step_ms=100, resolution=Resolution(height=4, width=4)))
    samples = PaddedSamples(dataset, dataset.clips, pictures, num_steps=5)
    (batch,) = batches(samples, batch_size=2)
    assert batch.inputs.shape[:2] == (5, 2)
    assert batch.targets["step_present"].tolist() == [[False, False, False, True, True], [True] * 5]
    assert batch.targets["alpha"][0, :, 0].tolist() == [0, 0, 0, 1, 1]
    # Two numbers for the whole clip, which has two steps.
    assert batch.targets["both"].tolist() == [[1, 1], [1, 1]]
    # The one event, at time 0, lies in the clip's first step.
    assert batch.inputs.sum(dim=(2, 3, 4)).T.tolist() == [[0, 0, 0, 1, 0], [1, 0, 0, 0, 0]]


def test_at_least_one_step_is_needed() -> None:
    dataset = OneRecording()
    pictures = PolarityHistogram(HistogramConfig(resolution=Resolution(height=4, width=4)))
    with pytest.raises(ConfigError, match="num_steps = 0"):
        PaddedSamples(dataset, dataset.clips, pictures, num_steps=0)
