"""The page of a conversion: what was made, how right it is after T steps, what it costs in time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from conversion.conversion_report import AnswerQuality, ConversionReport, StepQuality
from conversion.graph import SpikingGraph
from conversion.report_values import Conversion, mean_rate, served_quality
from snnface.pages.blocks import Block, Figure, Grid, Heading, Paragraph, Points, Section, Tile, columns
from snnface.pages.figures import MUTED, SERIES, empty_figure
from snnface.pages.numbers import compact, grouped, percent, significant
from snnface.pages.page import Page, page_html

__all__ = ["conversion_page"]

_FOOTER = "Rates and answers are of this project's simulator; nothing on this page was measured on a chip."


@dataclass(frozen=True, slots=True)
class _Measure:
    """What the curve and the tiles show of an answer's quality.

    Attributes:
        is_of_labels: not of the ANN's answers, which the ANN itself would give without a fault.
    """

    name: str
    is_share: bool
    is_of_labels: bool

    def value(self, quality: AnswerQuality) -> float:
        if self.name == "accuracy":
            return quality.accuracy or 0.0
        if self.name == "CCC":
            return float(np.mean(quality.ccc or (0.0,)))
        return quality.agreement or 0.0 if self.name.startswith("agreement") else quality.answer_error

    def text(self, quality: AnswerQuality) -> str:
        value = self.value(quality)
        return percent(value) if self.is_share else significant(value)


def conversion_page(conversion: Conversion) -> str:
    """One HTML page that needs no other file."""
    report = conversion.report
    measure = _measure(report.ann)
    parts: tuple[tuple[str, str, Iterator[Block]], ...] = (
        ("steps", "Answers over steps", _steps(conversion, measure)),
        ("method", "Method", _method(report)),
        ("layers", "Layers", _layers(conversion)),
        ("portable", "Portable network", _portable(conversion)),
        ("more", "Other neurons", _others(report, conversion.graph)),
        ("changed", "What changed", _changed(conversion)),
        ("files", "Files", _files(conversion)),
    )
    built = [Section(anchor, title, tuple(blocks)) for anchor, title, blocks in parts]
    return page_html(
        Page(
            title=f"{conversion.name} as a spiking network",
            data=conversion.data,
            is_synthetic=conversion.is_synthetic,
            verdict=_verdict(report, measure),
            notices=report.falls,
            tiles=_tiles(conversion, measure),
            sections=tuple(section for section in built if section.blocks),
            footer=_FOOTER,
        )
    )


def _measure(ann: AnswerQuality) -> _Measure:
    if ann.accuracy is not None:
        return _Measure("accuracy", True, True)
    if ann.ccc is not None:
        return _Measure("CCC", False, True)
    if ann.agreement is not None:
        return _Measure("agreement with the ANN", True, False)
    return _Measure("mean difference to the ANN's answers", False, False)


def _verdict(report: ConversionReport, measure: _Measure) -> str:
    served = served_quality(report)
    ann = f"; the ANN itself: {measure.text(report.ann)}" if measure.is_of_labels else ""
    return f"After {served.num_steps} steps: {measure.name} {measure.text(served.answers)}{ann}."


def _tiles(conversion: Conversion, measure: _Measure) -> tuple[Tile, ...]:
    report, graph = conversion.report, conversion.graph
    served = served_quality(report)
    neurons = sum(population.num_neurons for population in graph.populations)
    rate = mean_rate(served, graph)
    of_ann = (Tile(f"{measure.name}, ANN", measure.text(report.ann)),) if measure.is_of_labels else ()
    return (
        *of_ann,
        Tile(f"{measure.name}, T = {served.num_steps}", measure.text(served.answers), f"method {report.method}"),
        Tile(
            "latency",
            f"{served.latency} steps",
            f"{served.pipelined_latency} where every layer adds a step",
        ),
        Tile("neurons", compact(neurons), f"in {len(graph.populations)} layers"),
        Tile("spikes a sample", compact(rate * neurons * served.num_steps), f"{percent(rate)} of neuron-steps"),
    )


def _steps(conversion: Conversion, measure: _Measure) -> Iterator[Block]:
    report = conversion.report
    yield Figure(
        "steps",
        _curve(conversion, measure),
        f"{measure.name[0].upper()}{measure.name[1:]} after T steps; the dashed line is the ANN's.",
    )
    yield _quality_grid("Answers after T steps", report.qualities, report, conversion.graph)
    if conversion.scores:
        metrics = list(dict.fromkeys(name for found in conversion.scores.values() for name in found))
        rows = tuple(
            (network, *(significant(found[name]) if name in found else "" for name in metrics))
            for network, found in conversion.scores.items()
        )
        yield Grid(
            "In the metrics of the run's own task",
            columns("network", *(f"{name} #" for name in metrics)),
            rows,
            "Over the whole test set, as `snnface evaluate` has them.",
        )


def _curve(conversion: Conversion, measure: _Measure) -> go.Figure:
    report = conversion.report
    steps = [quality.num_steps for quality in report.qualities]
    figure = empty_figure(320, legend=conversion.portable is not None)
    values = [measure.value(quality.answers) for quality in report.qualities]
    figure.add_scatter(x=steps, y=values, mode="lines+markers", name="resets by subtraction", line={"color": SERIES[0]})
    if conversion.portable is not None:
        made = served_quality(conversion.portable)
        figure.add_scatter(
            x=[made.num_steps],
            y=[measure.value(made.answers)],
            mode="markers",
            name="portable, resets to zero",
            marker={"color": SERIES[1], "size": 10, "symbol": "diamond"},
        )
    figure.add_hline(y=measure.value(report.ann), line={"dash": "dash", "color": MUTED})
    figure.update_xaxes(type="log", tickvals=steps, ticktext=[str(step) for step in steps], title_text="steps T")
    figure.update_yaxes(title_text=measure.name, tickformat=".0%" if measure.is_share else None)
    return figure


def _quality_grid(
    caption: str, qualities: Sequence[StepQuality], report: ConversionReport, graph: SpikingGraph
) -> Grid:
    ann = report.ann
    shown: dict[str, Any] = {}
    if ann.accuracy is not None:
        shown["accuracy"] = lambda answers: percent(answers.accuracy)
    if ann.rmse is not None:
        shown["RMSE"] = lambda answers: ", ".join(map(significant, answers.rmse))
        shown["CCC"] = lambda answers: ", ".join(map(significant, answers.ccc))
    if ann.agreement is not None:
        shown["agreement with the ANN"] = lambda answers: percent(answers.agreement)
    shown["mean |Δ answer|"] = lambda answers: significant(answers.answer_error)
    is_regression = report.task == "regression"
    further = ("spikes per neuron and step #", "latency #", "pipelined #", *(("one spike #",) if is_regression else ()))
    rows = [("ANN", *(text(ann) for text in shown.values()), *[""] * len(further))]
    if report.quantised_ann is not None:
        rounded = report.quantised_ann
        rows.append(("ANN, rounded (QCFS)", *(text(rounded) for text in shown.values()), *[""] * len(further)))
    for quality in qualities:
        costs = [percent(mean_rate(quality, graph)), str(quality.latency)]
        costs.append(str(quality.pipelined_latency))
        costs += [significant(quality.resolution or 0.0)] if is_regression else []
        rows.append((f"T = {quality.num_steps}", *(text(quality.answers) for text in shown.values()), *costs))
    note = "Latency in steps, where spikes pass all layers within one step; pipelined where every layer adds one."
    if is_regression:
        note += " One spike: the most that a single spike changes an answer by."
    return Grid(caption, columns("network", *(f"{name} #" for name in shown), *further), tuple(rows), note)


def _method(report: ConversionReport) -> Iterator[Block]:
    neuron = (
        "integrate and fire, reset by subtraction, half-threshold start"
        if report.neuron == "soft"
        else "integrate and fire, reset to zero"
    )
    scope = "its number of steps only" if report.is_for_its_steps_only else "any number of steps"
    rows = (
        ("method", f"{report.method}: {report.reason}"),
        ("neuron", neuron),
        ("made for", f"{report.steps} steps; biases or weights were fitted to {scope}"),
        ("calibration samples", grouped(report.num_calibration)),
        ("training samples", grouped(report.num_training) if report.num_training else "none; nothing was trained"),
    )
    yield Grid("How the network was made", (("", "text"), ("", "text")), rows)


def _layers(conversion: Conversion) -> Iterator[Block]:
    graph, served = conversion.graph, served_quality(conversion.report)
    rows = []
    for population in graph.populations:
        threshold = conversion.report.thresholds.get(population.name)
        channels = isinstance(threshold, tuple)
        rows.append(
            (
                population.name,
                " x ".join(map(str, population.shape)),
                grouped(population.num_neurons),
                grouped(sum(link.synapse.weight.size for link in population.inputs)),
                ", ".join(link.source for link in population.inputs),
                "" if threshold is None else significant(float(np.mean(threshold))) + (" (mean)" if channels else ""),
                percent(served.rates[population.name]),
            )
        )
    readout = graph.readout
    rows.append(("readout", str(len(readout.weight)), "", grouped(readout.weight.size), readout.source, "", ""))
    headings = ("layer", "shape", "neurons #", "weights #", "reads", "one spike stands for #", "rate #")
    yield Grid(
        f"Layers in order, rates at T = {served.num_steps}",
        columns(*headings),
        tuple(rows),
        "Thresholds and spikes are 1: what a spike stands for is folded into the weights. A layer that reads several "
        "adds their currents. The first layer reads the input as it is: its products are computed once a sample where "
        "the input is held, and are sums where it is events.",
    )


def _portable(conversion: Conversion) -> Iterator[Block]:
    report = conversion.portable
    if report is None:
        return
    yield Paragraph(
        "portable.nir holds NIR's plain IF, which other tools read with the same spikes. Its weights were tuned "
        f"through {report.steps} steps, and are right at that number alone."
    )
    yield _quality_grid("The portable network at its own steps", (served_quality(report),), report, conversion.graph)


def _others(report: ConversionReport, graph: SpikingGraph) -> Iterator[Block]:
    if report.two_phase is not None:
        yield _quality_grid("With a first phase that calibrates every sample", report.two_phase, report, graph)
    for kind, qualities in report.loihi2.items():
        yield _quality_grid(f"With {kind} messages, which of all chips only Loihi 2 can send", qualities, report, graph)


def _changed(conversion: Conversion) -> Iterator[Block]:
    if found := (*conversion.report.removed, *conversion.notes):
        yield Points(found)


def _files(conversion: Conversion) -> Iterator[Block]:
    if conversion.files:
        yield Grid("What lies beside this page", columns("file", "holds"), tuple(conversion.files.items()))
    if conversion.differing_bins:
        rows = tuple((name, grouped(count)) for name, count in conversion.differing_bins.items())
        yield Grid(
            "model.nir, read again and run beside the network",
            columns("layer", "differing spikes #"),
            rows,
            "Neurons and steps in which one of the two fires and the other does not, on the first samples.",
        )
    if conversion.provenance:
        yield Heading("Provenance")
        yield Grid("How this page came about", (("", "text"), ("", "text")), tuple(conversion.provenance.items()))
