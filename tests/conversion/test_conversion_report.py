"""What a report says of answers, by hand."""

import numpy as np
import pytest

from conversion.conversion_report import (
    AnswerQuality,
    StepQuality,
    answer_quality,
    answers_held,
    falls,
    quality_per_step,
)
from conversion.graph import INPUT, Connection, LinearSynapse, Population, Readout, SpikingGraph
from conversion.normalise import CONVERTED_NEURON
from snnface.errors import ConfigError, DataError, ShapeError


@pytest.fixture
def graph() -> SpikingGraph:
    """Two neurons that copy two inputs, read as 2 and 3 times their rates."""
    link = Connection(INPUT, LinearSynapse(np.eye(2), np.zeros(2)))
    return SpikingGraph(
        (2,), (Population("copy", (2,), CONVERTED_NEURON, (link,)),), Readout("copy", np.diag([2.0, 3.0]), np.zeros(2))
    )


def test_classes_are_judged_by_accuracy_and_agreement():
    answers = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 1.0], [1.0, 3.0]])
    ann = np.array([[1.0, 0.0], [1.0, 0.5], [2.0, 1.0], [1.0, 3.0]])
    quality = answer_quality(answers, ann, labels=np.array([0, 1, 1, 1]), task="classification")
    assert quality == AnswerQuality(accuracy=0.75, rmse=None, ccc=None, agreement=0.75, answer_error=1.5 / 8)


def test_values_are_judged_by_rmse_and_ccc():
    answers, labels = np.array([[0.0], [1.0], [2.0]]), np.array([[1.0], [2.0], [3.0]])
    quality = answer_quality(answers, answers + 0.5, labels=labels, task="regression")
    assert quality.rmse == pytest.approx((1.0,))
    # 2 cov / (var + var + 1) with cov = var = 2/3
    assert quality.ccc == pytest.approx((4 / 7,))
    assert (quality.accuracy, quality.agreement, quality.answer_error) == (None, None, 0.5)
    assert answer_quality(answers, answers, labels=None, task="regression").rmse is None


def test_steps_rates_latency_and_resolution_are_those_of_the_graph(graph):
    inputs = np.array([[1.0, 0.0], [0.5, 0.25]])
    four, eight = quality_per_step(graph, inputs, np.array([[2.0, 0.0], [1.0, 0.75]]), task="regression", steps=(4, 8))
    assert (four.num_steps, four.latency, four.pipelined_latency) == (4, 4, 5)
    assert four.rates == {"copy": (4 + 2 + 1) / (4 * 2 * 2)}
    assert four.answers.answer_error == 0.0
    assert (four.resolution, eight.resolution) == (0.75, 0.375)
    assert quality_per_step(graph, inputs, np.zeros((2, 2)), steps=(1,))[0].resolution is None


def test_pieces_do_not_matter(graph, monkeypatch):
    inputs = np.random.default_rng(0).random((9, 2))
    ann = inputs * [2.0, 3.0]
    whole = quality_per_step(graph, inputs, ann, steps=(2, 4))
    monkeypatch.setattr("conversion.conversion_report._CHUNK_BYTES", 4 * 2 * 4)
    assert quality_per_step(graph, inputs, ann, steps=(2, 4)) == whole


def test_a_run_may_be_another_simulation(graph):
    calls = []

    def run(graph, samples, steps):
        calls.append(len(samples))
        return answers_held(graph, samples, steps)

    quality_per_step(graph, np.zeros((3, 2)), np.zeros((3, 2)), steps=(1,), run=run)
    assert sum(calls) == 3


def at(num_steps: int, accuracy: float | None) -> StepQuality:
    return StepQuality(num_steps, num_steps, num_steps, AnswerQuality(accuracy, None, None, None, 0.0), None, {})


def test_a_fall_of_accuracy_is_told_and_small_ones_are_not():
    steady = [at(1, 0.2), at(2, 0.9), at(4, 0.896), at(8, 0.98), at(16, 0.976)]
    assert falls(steady) == ()
    assert falls([at(8, 0.98), at(16, 0.97), at(4, 0.9)]) == ("accuracy falls by 1.0 points from 8 to 16 steps",)
    # Slow falls add up.
    assert len(falls([at(1, 0.9), at(2, 0.896), at(4, 0.892)])) == 1
    assert falls([at(1, None), at(2, None)]) == ()


def test_inputs_answers_and_labels_that_do_not_fit_are_refused(graph):
    two = np.zeros((2, 2))
    with pytest.raises(ConfigError, match="steps must name"):
        quality_per_step(graph, two, two, steps=(0,))
    with pytest.raises(ConfigError, match="steps must name"):
        quality_per_step(graph, two, two, steps=())
    with pytest.raises(ShapeError, match="input to judge on must have the axes"):
        quality_per_step(graph, np.zeros((2, 3)), two)
    with pytest.raises(DataError, match=r"needs its ANN answer; got \[2, 2\] answers and \[3, 2\]"):
        quality_per_step(graph, two, np.zeros((3, 2)))
    with pytest.raises(DataError, match=r"samples that are judged must be 2 class indices below 2; got int64 \[3\]"):
        quality_per_step(graph, two, two, labels=np.zeros(3, dtype=np.int64))
