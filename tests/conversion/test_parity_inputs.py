"""What both sides of a parity check are shown."""

from dataclasses import dataclass

import numpy as np
import pytest

from conversion.parity_inputs import InputConfig, inputs_for, shown_to
from snnface.errors import ConfigError, DataError, DatasetNotFoundError, ShapeError


@dataclass(frozen=True)
class Shown:
    """A runner that is asked only what it can be shown."""

    input_shape: tuple[int, ...] = (2, 3)
    has_steps: bool = True
    num_steps: int | None = None

    def run(self, inputs):
        raise AssertionError("is not run here")


ANN = Shown(has_steps=False)


def saved(tmp_path, array) -> InputConfig:
    np.savez(tmp_path / "x.npz", inputs=array)
    return InputConfig(inputs=tmp_path / "x.npz")


def test_random_spikes_have_the_rate_and_come_back_with_their_seed():
    config = InputConfig(steps=50, samples=8, rate=0.3, seed=7)
    spikes = inputs_for(Shown(), Shown(), config)
    assert spikes.shape == (50, 8, 2, 3)
    assert set(np.unique(spikes)) == {0, 1}
    assert abs(spikes.mean() - 0.3) < 0.04
    np.testing.assert_array_equal(spikes, inputs_for(Shown(), Shown(), config))


def test_two_anns_are_shown_pictures_and_an_ann_beside_a_spiking_network_the_mean_of_its_steps():
    pictures = inputs_for(ANN, ANN, InputConfig(samples=3))
    assert pictures.shape == (3, 2, 3)
    spikes = inputs_for(ANN, Shown(), InputConfig(steps=4))
    np.testing.assert_array_equal(shown_to(ANN, spikes), spikes.mean(axis=0))
    np.testing.assert_array_equal(shown_to(Shown(), spikes), spikes)


def test_pictures_of_a_file_are_held_for_every_step_and_an_ann_sees_them_as_they_are(tmp_path):
    pictures = np.random.default_rng(0).normal(size=(5, 2, 3))
    config = saved(tmp_path, pictures)
    held = inputs_for(Shown(num_steps=6), ANN, config)
    assert held.shape == (6, 5, 2, 3)
    np.testing.assert_array_equal(held[4], pictures)
    np.testing.assert_array_equal(shown_to(ANN, held), pictures)


def test_steps_of_a_file_are_taken_from_the_first(tmp_path):
    frames = np.arange(24.0).reshape(4, 1, 2, 3)
    config = saved(tmp_path, frames)
    np.testing.assert_array_equal(inputs_for(Shown(), Shown(), config), frames)
    few = InputConfig(inputs=config.inputs, steps=2)
    np.testing.assert_array_equal(inputs_for(Shown(), Shown(), few), frames[:2])
    with pytest.raises(ConfigError, match="has 4 steps; 9 were asked for"):
        inputs_for(Shown(), Shown(), InputConfig(inputs=config.inputs, steps=9))


def test_what_does_not_fit_is_refused(tmp_path):
    with pytest.raises(ShapeError, match=r"must read one shape; got \(2, 3\) and \(4,\)"):
        inputs_for(Shown(), Shown((4,)), InputConfig())
    with pytest.raises(ConfigError, match=r"say \[3, 5\]"):
        inputs_for(Shown(num_steps=3), Shown(), InputConfig(steps=5))
    with pytest.raises(ShapeError, match=r"must be \[B, 2, 3\] or \[T, B, 2, 3\]; got \[4, 3\]"):
        inputs_for(Shown(), Shown(), saved(tmp_path, np.zeros((4, 3))))
    with pytest.raises(DatasetNotFoundError, match="no file"):
        inputs_for(Shown(), Shown(), InputConfig(inputs=tmp_path / "none.npz"))
    np.savez(tmp_path / "y.npz", pictures=np.zeros(3))
    with pytest.raises(DataError, match="called `inputs`; it holds pictures"):
        inputs_for(Shown(), Shown(), InputConfig(inputs=tmp_path / "y.npz"))
    with pytest.raises(ConfigError, match="rate is a probability; got 2"):
        InputConfig(rate=2.0)
    with pytest.raises(ConfigError, match="at least 1"):
        InputConfig(samples=0)
