from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from snnface.config import from_json, to_json
from snnface.datasets.clip import Clip, FaceDataset
from snnface.datasets.coefficient_samples import Coefficients, CoefficientSamples, CoefficientsConfig
from snnface.datasets.padding import STEP_PRESENT
from snnface.datasets.samples import batches
from snnface.errors import ConfigError, DataError
from snnface.events import EventStream, Resolution, TimeWindow
from snnface.recording import Recording
from snnface.representations import Representation

COEFFICIENTS = Coefficients(CoefficientsConfig(num_coefficients=2, step_ms=1.0))


class NoRecordings:
    """A data set whose recordings are never asked for."""

    name, is_synthetic, class_names = "none", True, {}
    clips: tuple[Clip, ...] = ()

    def recording(self, recording_id: str) -> Recording:
        raise AssertionError("coefficients are labels; no recording is read")


def a_clip(num_steps: int, **labels: Any) -> Clip:
    alpha = np.arange(2 * num_steps, dtype=np.float32).reshape(num_steps, 2) + 1
    over_time = {"alpha": alpha, **labels}
    return Clip(
        clip_id=f"of {num_steps}",
        recording_id="r",
        subject="s",
        window=TimeWindow(0, num_steps * 1000),
        labels={"action_unit": 1, **over_time},
        label_t_us=np.arange(num_steps, dtype=np.int64) * 1000 + 500,
        over_time=frozenset(over_time),
    )


def samples(*clips: Clip, num_steps: int = 3) -> CoefficientSamples:
    dataset = NoRecordings()
    assert isinstance(dataset, FaceDataset)
    return CoefficientSamples(dataset, clips, COEFFICIENTS, num_steps=num_steps)


def test_coefficients_are_channels_of_pictures_of_one_pixel() -> None:
    sample = samples(a_clip(3))[0]
    assert sample.inputs.shape == (3, 2, 1, 1)
    assert sample.inputs[:, :, 0, 0].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert int(sample.targets["action_unit"]) == 1
    assert (COEFFICIENTS.num_channels, COEFFICIENTS.resolution) == (2, Resolution(height=1, width=1))


def test_clips_of_different_length_are_padded_in_front() -> None:
    batch = next(iter(batches(samples(a_clip(3), a_clip(2)), batch_size=2)))
    assert batch.inputs[:, 1, :, 0, 0].tolist() == [[0, 0], [1, 2], [3, 4]]
    assert batch.targets[STEP_PRESENT].tolist() == [[True, True, True], [False, True, True]]


def test_steps_without_coefficients_are_zero() -> None:
    sample = samples(a_clip(3, alpha_present=np.array([True, False, True])))[0]
    assert sample.inputs[:, :, 0, 0].tolist() == [[1, 2], [0, 0], [5, 6]]


def test_a_clip_is_left_as_it_is() -> None:
    clip = a_clip(2)
    samples(clip)[0].inputs.fill_(9)
    torch.testing.assert_close(torch.from_numpy(np.asarray(clip.labels["alpha"])), torch.tensor([[1.0, 2], [3, 4]]))


def test_another_number_of_coefficients_is_refused_with_both_numbers() -> None:
    clip = replace(a_clip(2), labels={"alpha": np.zeros((2, 5), np.float32)}, over_time=frozenset({"alpha"}))
    with pytest.raises(DataError, match=r"2 steps of 2 coefficients; got the shape \[2, 5\]"):
        samples(clip)[0]


def test_a_clip_without_coefficients_is_refused_by_name() -> None:
    clip = replace(a_clip(2), labels={"action_unit": 1}, label_t_us=None, over_time=frozenset())
    with pytest.raises(DataError, match=r"clip 'of 2' should have 'alpha' .* got none"):
        samples(clip)[0]


def test_recordings_have_no_coefficients() -> None:
    assert isinstance(COEFFICIENTS, Representation)
    recording = Recording(recording_id="r", subject="s", events=EventStream.empty(Resolution(height=2, width=2)))
    with pytest.raises(DataError, match="'r' has no coefficients: they are labels of clips"):
        COEFFICIENTS(recording, TimeWindow(0, 1000))


def test_the_config_survives_its_json_and_refuses_nonsense() -> None:
    assert from_json(CoefficientsConfig, to_json(COEFFICIENTS.config)) == COEFFICIENTS.config
    with pytest.raises(ConfigError, match="num_coefficients must be at least 1; got 0"):
        CoefficientsConfig(num_coefficients=0)
    with pytest.raises(ConfigError, match="step_ms"):
        CoefficientsConfig(step_ms=0)
