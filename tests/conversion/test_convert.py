"""From a trained ANN to spikes: methods, their choice, the report, and what is refused."""

import numpy as np
import pytest
import torch
from bar_pictures import bar_pictures, trained_ann
from torch import nn
from torch.nn import functional

from conversion.ann.reduction import network_of
from conversion.ann.torch_reader import read_module
from conversion.calibration.methods import choice
from conversion.convert import ConvertConfig, convert
from conversion.normalise import CONVERTED_NEURON, PORTABLE_NEURON
from conversion.simulate import constant_input, simulate
from snnface.errors import CalibrationError, ConfigError, DataError, ShapeError, UnsupportedLayerError

FREE = ("percentile", "channel-percentile", "mmse", "balance")


@pytest.fixture(scope="module")
def judged():
    return bar_pictures(300, 2)


@pytest.mark.parametrize("method", FREE)
@pytest.mark.parametrize("bias_correction", [True, False])
def test_accuracy_at_sixteen_steps_is_within_two_points_of_the_ann(judged, method, bias_correction):
    config = ConvertConfig(steps=16, method=method, bias_correction=bias_correction, report_steps=(4, 16))
    report = convert(trained_ann(), bar_pictures(128, 1)[0], config, evaluation=judged[0], labels=judged[1]).report
    assert report.ann.accuracy > 0.9
    assert report.at(16).answers.accuracy >= report.ann.accuracy - 0.02
    assert report.at(16).answers.answer_error < report.at(4).answers.answer_error
    assert (report.method, report.reason) == (method, "it was asked for")
    assert all(0 < rate < 0.6 for rate in report.at(16).rates.values())


def test_the_correction_for_four_steps_brings_four_steps_nearer(judged):
    plain, corrected = (
        convert(
            trained_ann(),
            bar_pictures(256, 1)[0],
            ConvertConfig(steps=4, bias_correction=on, report_steps=(4,)),
            evaluation=judged[0],
        ).report
        for on in (False, True)
    )
    assert corrected.at(4).answers.answer_error < plain.at(4).answers.answer_error
    assert corrected.is_for_its_steps_only


def test_training_samples_choose_qcfs_and_four_steps_then_do(judged):
    training, labels = bar_pictures(512, 0)
    config = ConvertConfig(steps=4, epochs=4, report_steps=(1, 4, 16))
    converted = convert(
        trained_ann(),
        training[:128],
        config,
        training=training,
        training_labels=labels,
        evaluation=judged[0],
        labels=judged[1],
    )
    report = converted.report
    assert report.method == "qcfs"
    assert report.reason.startswith("4 steps are few and there are training samples")
    assert report.at(4).answers.accuracy >= report.ann.accuracy - 0.02
    assert report.quantised_ann.accuracy >= report.ann.accuracy - 0.02
    assert (report.num_calibration, report.num_training) == (128, 512)
    assert converted.graph.metadata == {"made_by": "convert", "steps": 4, "method": "qcfs", "neuron": "soft"}


def test_the_method_depends_on_the_steps_and_on_training_samples():
    def method(can_train: bool, **options: object) -> str:
        return choice(ConvertConfig(**options), can_train=can_train).method

    assert [method(True, steps=steps) for steps in (1, 32, 33)] == ["qcfs", "qcfs", "mmse"]
    assert [method(False, steps=steps) for steps in (1, 64)] == ["mmse", "mmse"]
    assert method(True, neuron="hard", steps=64) == "steps"
    assert method(True, method="balance") == "balance"


def test_hard_reset_is_tuned_through_its_steps_and_is_the_plain_neuron(judged):
    training, _ = bar_pictures(512, 0)
    config = ConvertConfig(steps=4, neuron="hard", epochs=4, learning_rate=3e-3, report_steps=(4,))
    converted = convert(
        trained_ann(), training[:128], config, training=training, evaluation=judged[0], labels=judged[1]
    )
    assert {population.neuron for population in converted.graph.populations} == {PORTABLE_NEURON}
    assert converted.report.method == "steps"
    assert converted.report.is_for_its_steps_only
    assert converted.report.at(4).answers.accuracy >= converted.report.ann.accuracy - 0.06


def test_event_bins_with_the_same_mean_give_nearly_the_same_answer():
    graph = convert(trained_ann(), bar_pictures(64, 1)[0], ConvertConfig(steps=64, report_steps=(8,))).graph
    sample = bar_pictures(8, 5)[0].astype(np.float64)
    held = simulate(graph, constant_input(sample, 64)).answers
    bins = (np.random.default_rng(0).random((64, *sample.shape)) < sample).astype(np.float64)
    binned = simulate(graph, bins).answers
    assert np.mean(held.argmax(1) == binned.argmax(1)) == 1.0


class Residual(nn.Module):
    """A block with an identity beside it, functional ReLUs and a global mean: nothing that a Sequential could say."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 6, 3, padding=1)
        self.conv = nn.Conv2d(6, 6, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.answers = nn.Linear(6, 2)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        stem = functional.relu(self.stem(inputs))
        return self.answers(functional.relu(stem + self.norm(self.conv(stem))).mean((2, 3)))


@pytest.fixture
def regression():
    """A residual regressor, samples for it, and values that are nearly its answers."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = Residual().eval()
    inputs = np.random.default_rng(0).random((64, 1, 6, 6)).astype(np.float32)
    with torch.no_grad():
        values = model(torch.tensor(inputs)).double().numpy()
    return model, inputs, values


def test_a_residual_regressor_is_judged_in_its_own_units(regression):
    model, inputs, values = regression
    config = ConvertConfig(
        task="regression", method="percentile", percentile=100.0, bias_correction=False, report_steps=(4, 32, 256)
    )
    report = convert(model, inputs, config, labels=values).report
    assert report.ann.rmse == pytest.approx((0, 0), abs=1e-5)
    assert report.ann.ccc == pytest.approx((1, 1), abs=1e-5)
    assert max(report.at(256).answers.rmse) < 0.2 * max(report.at(4).answers.rmse)
    assert report.at(32).resolution == pytest.approx(report.at(4).resolution / 8)
    assert report.at(4).answers.accuracy is None
    assert report.falls == ()


def test_every_value_between_the_layers_is_zero_or_one(regression):
    model, inputs, _ = regression
    for config in (ConvertConfig(report_steps=(8,)), ConvertConfig(method="channel-percentile", report_steps=(8,))):
        graph = convert(model, inputs, config).graph
        assert {population.neuron for population in graph.populations} == {CONVERTED_NEURON}
        assert [len(population.inputs) for population in graph.populations] == [1, 2]
        run = simulate(graph, constant_input(inputs, 8))
        assert all(set(np.unique(train)) == {0, 1} for train in run.spikes.values())


def test_what_a_reader_made_converts_as_the_module_does(regression):
    model, inputs, _ = regression
    graph = read_module(model, (1, 6, 6))
    config = ConvertConfig(report_steps=(8,))
    reports = [convert(one, inputs, config).report for one in (model, graph, network_of(graph))]
    assert reports[0] == reports[1]
    assert reports[2].at(8).answers.answer_error == pytest.approx(reports[0].at(8).answers.answer_error, abs=1e-5)


def test_averages_for_maxima_are_asked_for_and_told(regression):
    inputs = regression[1]
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 2))
    with pytest.raises(UnsupportedLayerError, match=r"[Mm]ax"):
        convert(model, inputs)
    report = convert(model, inputs, ConvertConfig(max_pool="average", report_steps=(64,))).report
    assert any("average" in line for line in report.removed)
    # Compared with the ANN as it was, whose maxima are larger.
    assert report.at(64).answers.answer_error > 0.01


def test_two_phases_and_what_only_loihi_2_can_send_are_judged_apart(judged):
    config = ConvertConfig(
        method="channel-percentile",
        bias_correction=False,
        two_phase="shift",
        first_steps=8,
        loihi2=("ternary", "graded"),
        levels=16,
        report_steps=(4,),
    )
    report = convert(trained_ann(), bar_pictures(128, 1)[0], config, evaluation=judged[0], labels=judged[1]).report
    four = report.at(4).answers.answer_error
    (shifted,) = report.two_phase
    assert (report.at(4).latency, shifted.latency) == (4, 12)
    assert shifted.answers.answer_error < four
    assert set(report.loihi2) == {"ternary", "graded"}
    assert report.loihi2["ternary"][0].answers.answer_error != four
    assert report.loihi2["graded"][0].answers.answer_error < four
    assert report.loihi2["graded"][0].answers.agreement > 0.98


def test_the_defaults_report_names_what_was_found():
    converted = convert(trained_ann(), bar_pictures(64, 1)[0], ConvertConfig(report_steps=(8,)))
    report = converted.report
    assert set(report.thresholds) == {population.name for population in converted.graph.populations}
    assert all(isinstance(threshold, float) for threshold in report.thresholds.values())
    assert report.method == "mmse"
    assert "no training samples" in report.reason
    assert any("5" in line for line in report.removed)
    assert report.ann.accuracy is None
    assert report.at(8).answers.accuracy is None
    with pytest.raises(ConfigError, match="judges after 8 steps, not after 3"):
        report.at(3)
    assert (report.two_phase, report.loihi2) == (None, {})


def test_channels_thresholds_are_told_one_by_one():
    config = ConvertConfig(method="channel-percentile", report_steps=(8,))
    thresholds = convert(trained_ann(), bar_pictures(64, 1)[0], config).report.thresholds
    assert [len(threshold) for threshold in thresholds.values()] == [8, 16, 32]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps must be at least 1"),
        ({"levels": 0}, "levels must be at least 1"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"first_steps": 0}, "first_steps must be at least 1"),
        ({"percentile": 101.0}, "percentile must lie"),
        ({"learning_rate": 0.0}, "learning_rate must be positive"),
        ({"report_steps": ()}, "report_steps"),
        ({"report_steps": (4, 0)}, "report_steps"),
        ({"neuron": "hard", "method": "mmse"}, "must be tuned through its steps; method is 'mmse'"),
    ],
)
def test_impossible_settings_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        ConvertConfig(**options)


@pytest.mark.parametrize(
    "config", [ConvertConfig(method="qcfs"), ConvertConfig(method="steps"), ConvertConfig(neuron="hard")]
)
def test_methods_that_tune_need_training_samples(config):
    with pytest.raises(ConfigError, match=r"needs training samples; pass `training`"):
        convert(trained_ann(), bar_pictures(8, 1)[0], config)


def test_samples_and_labels_that_do_not_fit_are_refused():
    samples = bar_pictures(8, 1)[0]
    with pytest.raises(DataError, match=r"samples that are judged must be 8 class indices below 6; got int64 \[3\]"):
        convert(trained_ann(), samples, labels=np.zeros(3, dtype=np.int64))
    with pytest.raises(DataError, match="training samples must be 8 class indices"):
        convert(trained_ann(), samples, training=samples, training_labels=np.full(8, 6))
    with pytest.raises(ShapeError, match="input to judge on must have the axes"):
        convert(trained_ann(), samples, evaluation=np.zeros((2, 1, 12, 11)))
    with pytest.raises(ShapeError, match="training samples must have the axes"):
        convert(trained_ann(), samples, training=np.zeros((2, 1, 12, 11)))
    with pytest.raises(DataError, match="calibration input must hold at least one sample"):
        convert(trained_ann(), samples[:0])
    with pytest.raises(CalibrationError, match=r"gets the threshold 0\.0"):
        convert(trained_ann(), samples, ConvertConfig(method="percentile", percentile=1.0))
