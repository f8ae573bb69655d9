"""The page and the JSON of a conversion, from values made by hand."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from conversion.conversion_report import AnswerQuality, ConversionReport, StepQuality
from conversion.graph import INPUT, Connection, LinearSynapse, Population, Readout, SpikingGraph
from conversion.normalise import CONVERTED_NEURON
from conversion.report_page import conversion_page
from conversion.report_values import Conversion, conversion_values, mean_rate

HOSTILE = '<script>alert("1")</script>'


def a_graph(name: str = "small") -> SpikingGraph:
    """Two layers, of 1 and of 3 neurons."""
    first = Population(name, (1,), CONVERTED_NEURON, (Connection(INPUT, LinearSynapse(np.ones((1, 2)), np.zeros(1))),))
    second = Population("large", (3,), CONVERTED_NEURON, (Connection(name, LinearSynapse(np.ones((3, 1)))),))
    return SpikingGraph((2,), (first, second), Readout("large", np.ones((2, 3)), np.zeros(2)))


def a_step(steps: int, answers: AnswerQuality, name: str = "small") -> StepQuality:
    return StepQuality(steps, steps, steps + 2, answers, 0.5 / steps, {name: 0.8, "large": 0.2})


def values_of(error: float) -> AnswerQuality:
    return AnswerQuality(None, (0.25 + error, 0.125), (0.5 - error, 0.75), None, error)


def classes_of(accuracy: float | None, agreement: float) -> AnswerQuality:
    return AnswerQuality(accuracy, None, None, agreement, 0.1)


def a_report(ann: AnswerQuality, *judged: StepQuality, task: str = "classification", **changes) -> ConversionReport:
    report = ConversionReport(
        task=task,
        method="mmse",
        neuron="soft",
        reason="it was asked for",
        steps=8,
        is_for_its_steps_only=True,
        thresholds={"small": 2.0, "large": (1.0, 2.0, 6.0)},
        removed=("dropout 'd' does nothing when evaluated",),
        num_calibration=1200,
        num_training=0,
        ann=ann,
        quantised_ann=None,
        qualities=judged,
        falls=(),
        two_phase=None,
        loihi2={},
    )
    return replace(report, **changes)


@pytest.fixture(autouse=True)
def short_plotly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snnface.pages.page.get_plotlyjs", lambda: "/* plotly */")


def text_of(page: str) -> str:
    """What a reader sees, in one line."""
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", body)).replace("\u202f", " ")


def test_a_layers_rate_counts_as_much_as_it_has_neurons() -> None:
    # (1 x 0.8 + 3 x 0.2) / 4
    assert mean_rate(a_step(8, classes_of(1.0, 1.0)), a_graph()) == pytest.approx(0.35)


def test_numbers_show_errors_and_what_a_spike_changes() -> None:
    report = a_report(values_of(0.0), a_step(4, values_of(0.25)), a_step(8, values_of(0.125)), task="regression")
    text = text_of(conversion_page(Conversion(name="va", data="faces", graph=a_graph(), report=report)))
    assert "After 8 steps: CCC 0.562; the ANN itself: 0.625." in text
    assert "RMSE CCC mean |Δ answer| spikes per neuron and step latency pipelined one spike" in text
    assert "T = 4 0.500, 0.125 0.250, 0.750 0.250 35.0 % 4 6 0.125" in text
    assert "biases or weights were fitted to its number of steps only" in text
    assert "none; nothing was trained" in text
    assert "small 1 1 2 input 2.00 80.0 %" in text
    assert "large 3 3 3 small 3.00 (mean) 20.0 %" in text


def test_without_labels_the_agreement_is_shown() -> None:
    report = a_report(classes_of(None, 1.0), a_step(8, classes_of(None, 0.875)))
    text = text_of(conversion_page(Conversion(name="net", data="faces", graph=a_graph(), report=report)))
    assert "After 8 steps: agreement with the ANN 87.5 %." in text
    assert "accuracy" not in text


def test_what_was_asked_for_beyond_has_tables_of_its_own() -> None:
    step = a_step(8, classes_of(0.5, 1.0))
    report = a_report(
        classes_of(0.75, 1.0),
        step,
        two_phase=(replace(step, latency=12),),
        loihi2={"ternary": (step,)},
        falls=("accuracy falls by 2.0 points from 8 to 16 steps",),
    )
    shown = Conversion(
        name="net",
        data="faces",
        is_synthetic=True,
        graph=a_graph(),
        report=report,
        portable=replace(report, neuron="hard", method="steps"),
        scores={"ANN": {"top1": 0.75}, "T = 8": {"top1": 0.5, "uf1": 0.25}},
        differing_bins={"small": 0, "large": 3},
        files={"model.nir": "the network"},
        provenance={"seed": "7"},
    )
    text = text_of(conversion_page(shown))
    for expected in (
        "With a first phase that calibrates every sample",
        "With ternary messages, which of all chips only Loihi 2 can send",
        "The portable network at its own steps",
        "accuracy falls by 2.0 points from 8 to 16 steps",
        "Every number on this page comes from synthetic data (faces)",
        "network top1 uf1 ANN 0.750 T = 8 0.500 0.250",
        "layer differing spikes small 0 large 3",
        "seed 7",
    ):
        assert expected in text


def test_names_from_outside_stay_text() -> None:
    report = a_report(classes_of(0.5, 1.0), a_step(8, classes_of(0.5, 1.0), HOSTILE), thresholds={HOSTILE: 1.0})
    shown = Conversion(
        name=HOSTILE, data=HOSTILE, graph=a_graph(HOSTILE), report=report, notes=(HOSTILE,), files={HOSTILE: HOSTILE}
    )
    page = conversion_page(shown)
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page


def test_the_json_has_no_numbers_that_json_does_not_know() -> None:
    constant = AnswerQuality(None, (0.5, 0.5), (float("nan"), 1.0), None, 0.0)
    report = a_report(constant, a_step(8, constant), task="regression")
    values = json.loads(conversion_values(Conversion(name="n", data="d", graph=a_graph(), report=report)))
    assert values["report"]["ann"]["ccc"] == [None, 1.0]
    assert values["report"]["thresholds"]["large"] == [1.0, 2.0, 6.0]
    assert values["graph"]["populations"][1] == {
        "name": "large",
        "shape": [3],
        "neurons": 3,
        "weights": 3,
        "reads": ["small"],
    }
