"""The section about energy: estimates, what may be said about them, and what they leave out."""

from collections.abc import Iterator, Mapping

from hardware.energy.models import parity_bits
from hardware.report import figures
from hardware.report.report import Report
from snnface.pages.blocks import Block, Figure, Grid, Heading, Paragraph, Points, columns
from snnface.pages.numbers import compact, percent, si, significant

__all__ = ["energy_blocks"]


def energy_blocks(report: Report) -> Iterator[Block]:
    """Estimates, what may be said about them, and what they leave out."""
    if not report.energy:
        return
    yield Paragraph(
        "Estimates: the counts above times published constants, never a measurement. Each model stands for itself; "
        "figures of different models, nodes or precisions must not be compared."
    )
    if report.ratios:
        yield Points(tuple(ratio.sentence for ratio in report.ratios), is_strong=True)
    yield from _sizes_apart(report)
    figure = figures.energy_ranges(
        [f"{e.model}{'' if e.precision == '-' else f', {e.precision}'}, {e.workload}" for e in report.energy],
        [(e.low_j, e.central_j, e.high_j) for e in report.energy],
        [e.workload for e in report.energy],
    )
    yield Figure("energy", figure, "Energy per inference: low, central and high estimate of each model.")
    yield from _overall(report)
    rows = tuple(
        (
            e.model,
            e.workload,
            e.node,
            e.precision,
            si(e.low_j, "J"),
            si(e.central_j, "J"),
            si(e.high_j, "J"),
            _shares(e.parts),
        )
        for e in report.energy
    )
    headings = columns("model", "network", "node", "precision", "low #", "central #", "high #", "central is made of")
    yield Grid("Energy per inference, estimated", headings, rows, _parity_note(report))
    models = {(e.model, e.workload): e for e in report.energy}
    origins = tuple((model, workload, e.scope, e.grade, e.source) for (model, workload), e in models.items())
    yield Grid("Where the constants come from", columns("model", "network", "scope", "grade", "source"), origins)
    yield Heading("What is not counted")
    missing = dict.fromkeys(item for e in report.energy for item in e.not_counted)
    everywhere = [item for item in missing if all(item in e.not_counted for e in report.energy)]
    points = [f"In no model: {', '.join([*everywhere, *report.not_counted])}."]
    for (model, workload), e in models.items():
        own = [item for item in e.not_counted if item not in everywhere]
        if own:
            points.append(f"{model} ({workload}): {', '.join(own)}.")
    yield Points(tuple(points))


def _sizes_apart(report: Report) -> Iterator[Block]:
    """A ratio of two networks of different size says as much about their sizes as about spikes."""
    if not report.ratios or report.operations is None or report.ann is None:
        return
    spiking = sum(layer.dense for layer in report.operations.layers if layer.kind != "relay")
    times = report.ann.dense.mean / max(spiking, 1)
    yield Paragraph(
        f"The ratios compare these two networks, at the accuracies above. The ANN multiplies {compact(times)} times as "
        f"often in an inference as an ANN of the spiking network's own shape would in one pass "
        f"({compact(report.ann.dense.mean)} and {compact(spiking)}); what remains of a ratio beside that is "
        "due to spikes, steps and memory."
    )


def _overall(report: Report) -> Iterator[Block]:
    if report.ranges:
        rows = tuple(
            (each.workload, each.node, si(each.low_j, "J"), si(each.central_j, "J"), si(each.high_j, "J"))
            for each in report.ranges
        )
        note = (
            "Low: arithmetic alone in int8, whatever is idle skipped. Central: with memory, int32 (M1). High: every "
            "access a whole 64-bit word. Both ends span different models, so no ratio is formed from this table."
        )
        yield Grid(
            "What can be said of one chip, whatever its details",
            columns("network", "node", "low #", "central #", "high #"),
            rows,
            note,
        )


def _parity_note(report: Report) -> str:
    if report.operations is None or report.ann is None:
        return ""
    steps = max(1, round(report.operations.steps))
    return (
        f"A rate code of {steps} steps carries at most {parity_bits(steps)} bits per activation: an ANN quantised to "
        "that width is the fair partner (M3), at its own accuracy (Yan et al. 2024, arXiv:2409.08290). Published "
        "break-evens lie at κ of 0.15 to 1.38 (Dampfhoffer et al. 2023) or a rate below 6.4 % for 5 to 10 steps "
        f"(Yan et al., version 3); here κ = {significant(report.operations.kappa)} and the rate is "
        f"{percent(report.operations.rate)}."
    )


def _shares(parts: Mapping[str, float]) -> str:
    total = sum(parts.values())
    ordered = sorted(parts.items(), key=lambda part: -part[1])
    return ", ".join(
        f"{name} {percent(joules / total)}" for name, joules in ordered if total and joules / total >= 0.005
    )
