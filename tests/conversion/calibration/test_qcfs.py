"""QCFS: the activation and its gradient by hand, and fine-tuning that spikes gain from."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conversion.ann.network import AnnLayer, AnnNetwork
from conversion.calibration.fine_tuning import FineTuningConfig, Lesson
from conversion.calibration.qcfs import QcfsActivation, qcfs_network, tuned_by_qcfs
from conversion.calibration.samples import in_pieces
from conversion.calibration.thresholds import measured_activations, mmse_threshold
from conversion.graph import INPUT, Connection, LinearSynapse
from conversion.normalise import CONVERTED_NEURON
from conversion.simulate import run_neurons
from snnface.errors import ConfigError


def test_the_activation_rounds_to_levels_and_clips():
    values = torch.tensor([[-1.0, 0.2, 0.26, 0.74, 1.0, 1.9, 5.0]])
    # lambda 2, L 4: levels 0, 0.5, 1, 1.5, 2
    rounded = QcfsActivation(2.0, 4, None)(values[None])[0, 0]
    torch.testing.assert_close(rounded, torch.tensor([0.0, 0.0, 0.5, 0.5, 1.0, 2.0, 2.0]))


def test_the_gradient_passes_straight_between_zero_and_lambda_alone():
    values = torch.tensor([-1.0, 0.2, 1.0, 1.6, 5.0], requires_grad=True)
    activation = QcfsActivation(2.0, 4, None)
    activation(values[None, None]).sum().backward()
    assert values.grad.tolist() == [0.0, 1.0, 1.0, 1.0, 0.0]
    # h = lambda clip(r / lambda): what is rounded moves by level - z / lambda, what is clipped by 1.
    levels = torch.tensor([0.0, 0.0, 0.5, 0.75, 1.0])
    straight = torch.tensor([0.0, 0.1, 0.5, 0.8, 0.0])
    torch.testing.assert_close(activation.threshold.grad, (levels - straight).sum())


@settings(max_examples=40, deadline=None)
@given(
    current=st.floats(-1, 2, width=32),
    levels=st.integers(1, 16),
)
def test_with_even_input_as_many_steps_as_levels_give_the_activation(current, levels):
    spikes, _ = run_neurons(torch.full((levels, 1, 1), current, dtype=torch.float64), CONVERTED_NEURON)
    count = float(np.clip(np.floor(current * levels + 0.5), 0, levels))
    near_a_step = abs(current * levels + 0.5 - round(current * levels + 0.5)) < 1e-6
    assert near_a_step or float(spikes.sum()) == count


def test_lambda_is_kept_positive_and_below_the_ceiling():
    activation = QcfsActivation(2.0, 4, 6.0)
    activation.threshold.data.fill_(-3.0)
    activation.keep_in_range()
    assert activation.threshold.item() == pytest.approx(2e-3)
    activation.threshold.data.fill_(9.0)
    activation.keep_in_range()
    assert activation.threshold.item() == 6.0


@pytest.fixture
def lesson(residual_ann, samples):
    teacher = in_pieces(residual_ann)(samples)
    return Lesson(samples, teacher, teacher.argmax(1), "classification")


def starting_thresholds(ann, inputs, levels: int) -> dict[str, float]:
    found = measured_activations(ann, inputs, lambda a: mmse_threshold(a, levels))
    return {name: float(layer.threshold) for name, layer in found.items()}


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("is_labelled", [True, False])
def test_tuning_brings_the_quantised_ann_nearer_to_what_it_shall_learn(residual_ann, lesson, task, is_labelled):
    labels = {"classification": lesson.labels, "regression": lesson.teacher + 0.01}[task]
    taught = Lesson(lesson.inputs, lesson.teacher, labels if is_labelled else None, task)
    start = starting_thresholds(residual_ann, lesson.inputs, 2)
    config = FineTuningConfig(epochs=8, learning_rate=3e-3, batch_size=16)
    tuned, thresholds = tuned_by_qcfs(residual_ann, start, taught, levels=2, config=config)

    def loss(ann: AnnNetwork, lambdas: dict[str, float]) -> float:
        with torch.no_grad():
            answers = qcfs_network(ann, lambdas, levels=2)(torch.tensor(lesson.inputs))[0]
        return float(taught.loss(answers, torch.arange(len(lesson.inputs))))

    assert loss(tuned, thresholds) < 0.8 * loss(residual_ann, start)
    assert all(thresholds[name] != start[name] for name in start)


def test_the_same_seed_gives_the_same_weights(residual_ann, lesson):
    start = starting_thresholds(residual_ann, lesson.inputs, 4)

    def weights(seed: int) -> np.ndarray:
        config = FineTuningConfig(epochs=1, batch_size=16, seed=seed)
        return tuned_by_qcfs(residual_ann, start, lesson, levels=4, config=config)[0].layers[0].inputs[0].synapse.weight

    np.testing.assert_array_equal(weights(1), weights(1))
    assert (weights(1) != weights(2)).any()


def test_the_network_that_comes_in_stays_as_it_is(residual_ann, lesson):
    before = residual_ann.layers[1].inputs[0].synapse.weight.copy()
    start = starting_thresholds(residual_ann, lesson.inputs, 4)
    tuned, _ = tuned_by_qcfs(residual_ann, start, lesson, levels=4, config=FineTuningConfig(epochs=1))
    np.testing.assert_array_equal(residual_ann.layers[1].inputs[0].synapse.weight, before)
    assert (tuned.layers[1].inputs[0].synapse.weight != before).any()


def test_no_levels_and_impossible_settings_are_refused(residual_ann, lesson):
    with pytest.raises(ConfigError, match="levels must be at least 1"):
        tuned_by_qcfs(residual_ann, {}, lesson, levels=0, config=FineTuningConfig())
    for wrong in ({"epochs": 0}, {"batch_size": 0}, {"learning_rate": 0.0}, {"learning_rate": float("inf")}):
        with pytest.raises(ConfigError, match="epochs and batch_size must be at least 1"):
            FineTuningConfig(**wrong)


def test_a_clipped_relu_stays_clipped_after_tuning(residual_ann, lesson):
    clipped = replace(residual_ann, layers=tuple(replace(layer, ceiling=0.5) for layer in residual_ann.layers))
    start = starting_thresholds(clipped, lesson.inputs, 4)
    config = FineTuningConfig(epochs=3, learning_rate=0.1, batch_size=16)
    _, thresholds = tuned_by_qcfs(clipped, start, lesson, levels=4, config=config)
    assert max(thresholds.values()) <= 0.5


def test_a_single_layer_learns_by_its_threshold():
    # The readout gives the only activation; with one level it can say 0 or lambda, and 3 is wanted.
    one = LinearSynapse(np.ones((1, 1)), np.zeros(1))
    ann = AnnNetwork((1,), (AnnLayer("only", (1,), (Connection(INPUT, one),)),), "only", one)
    inputs = np.full((8, 1), 2.0)
    lesson = Lesson(inputs, np.full((8, 1), 3.0) + np.linspace(-0.1, 0.1, 8)[:, None], None, "regression")
    config = FineTuningConfig(epochs=100, learning_rate=0.1)
    tuned, thresholds = tuned_by_qcfs(ann, {"only": 2.0}, lesson, levels=1, config=config)
    with torch.no_grad():
        answers = qcfs_network(tuned, thresholds, levels=1)(torch.tensor(inputs, dtype=torch.float32))
    assert answers.mean().item() == pytest.approx(3.0, abs=0.05)
