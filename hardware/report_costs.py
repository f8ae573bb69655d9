"""The sections about what a network costs: spikes, operations, energy, chip."""

import re
from collections.abc import Iterator, Mapping, Sequence

from hardware import figures
from hardware.energy_ratio import parity_bits
from hardware.operation_summary import OperationsSummary
from hardware.report import Report
from hardware.report_blocks import layer_name
from snnface.pages.blocks import Block, Figure, Grid, Heading, Paragraph, Points, columns
from snnface.pages.numbers import compact, grouped, percent, si, significant

__all__ = ["activity_blocks", "chip_fit_blocks", "chip_name", "energy_blocks", "operations_blocks"]


def activity_blocks(report: Report) -> Iterator[Block]:
    """Firing rates and the raster."""
    if report.operations is not None:
        layers = [layer for layer in report.operations.layers if layer.neurons]
        figure = figures.firing_rates(
            [layer_name(layer.name, layer.kind) for layer in layers],
            mean=[layer.rate_mean for layer in layers],
            median=[layer.rate_p50 for layer in layers],
            p99=[layer.rate_p99 for layer in layers],
            largest=[layer.rate_max for layer in layers],
        )
        yield Figure("rates", figure, "Firing rate of the neurons of each layer, over all clips counted.")
        rows = tuple(
            (
                layer_name(layer.name, layer.kind),
                grouped(layer.neurons),
                compact(layer.counts["spikes"]),
                percent(layer.rate_mean),
                percent(layer.rate_p50),
                percent(layer.rate_p99),
                percent(layer.rate_max),
                percent(layer.silent),
                percent(layer.saturated),
            )
            for layer in layers
        )
        headings = columns(
            "layer",
            "neurons #",
            "spikes #",
            "rate #",
            "median #",
            "99th percentile #",
            "largest #",
            "silent #",
            "saturated #",
        )
        note = (
            "Spikes are means per inference. Rates are spikes per neuron and step; silent neurons never fired on any "
            "clip, saturated ones fired at every step."
        )
        yield Grid("Firing rates", headings, rows, note)
    if report.raster is not None:
        raster = report.raster
        shown = [(layer.name, layer.steps) for layer in raster.layers]
        sizes = ", ".join(
            f"{layer.name} {len(layer.neurons)} of {grouped(layer.num_neurons)}" for layer in raster.layers
        )
        caption = f"Spikes of clip {raster.clip_id}; neurons shown, evenly spaced among those that fired: {sizes}."
        yield Figure("raster", figures.spike_raster(shown, num_steps=raster.num_steps), caption)


def operations_blocks(report: Report) -> Iterator[Block]:
    """Exact counts of the spiking network and of the baseline."""
    if report.operations is not None:
        yield from _snn_operations(report)
    if report.ann is not None:
        yield from _ann_operations(report)


def _snn_operations(report: Report) -> Iterator[Block]:
    operations = report.operations
    assert operations is not None
    yield Paragraph(
        f"Exact counts, means per inference over {grouped(operations.num_samples)} clips of "
        f"{significant(operations.steps)} steps. A synaptic operation is one spike through one existing connection; "
        "connections to padding are not counted. Graded input costs multiplications instead."
    )
    names = [layer_name(layer.name, layer.kind) for layer in operations.layers]
    figure = figures.operations_per_layer(
        names,
        synops=[layer.counts["synops"] + layer.counts["macs"] for layer in operations.layers],
        updates=[layer.counts["updates_dense"] for layer in operations.layers],
    )
    yield Figure("operations", figure, "Synaptic operations and neuron updates of each layer, per inference.")
    yield _sizes(operations, names)
    yield _counts(operations, names)
    totals = operations.totals
    spread = tuple(
        (
            label,
            compact(totals[name].mean),
            compact(totals[name].std),
            f"{compact(totals[name].low)} to {compact(totals[name].high)}",
        )
        for name, label in (
            ("spikes", "spikes"),
            ("synops", "synaptic operations"),
            ("macs", "multiplications (graded input)"),
            ("updates_dense", "neuron updates"),
        )
    )
    headings = columns("per inference", "mean #", "standard deviation #", "95 % interval of the mean #")
    note = f"Events per connection and inference (relays left out): κ = {significant(operations.kappa)}."
    yield Grid("Spread over clips", headings, spread, note)


def _sizes(operations: OperationsSummary, names: Sequence[str]) -> Grid:
    fields = ("neurons", "parameters", "zero_weights", "dense", "dense_pad")
    rows: list[tuple[str, ...]] = [
        (
            name,
            "×".join(map(str, layer.shape)),
            *(compact(getattr(layer, field)) for field in fields),
            si(layer.weight_bytes, "B"),
            si(layer.state_bytes, "B"),
        )
        for name, layer in zip(names, operations.layers, strict=True)
    ]
    sums = {
        field: sum(getattr(layer, field) for layer in operations.layers)
        for field in (*fields, "weight_bytes", "state_bytes")
    }
    totals = (*(compact(sums[field]) for field in fields), si(sums["weight_bytes"], "B"), si(sums["state_bytes"], "B"))
    headings = columns(
        "layer", "shape", "neurons #", "parameters #", "weights 0 #", "connections #", "with padding #",
        "weight memory #", "state memory #",
    )  # fmt: skip
    note = "Connections: input-output pairs that exist; with padding: as textbooks count multiplications."
    return Grid("Size of the spiking network", headings, (*rows, ("total", "", *totals)), note)


def _counts(operations: OperationsSummary, names: Sequence[str]) -> Grid:
    counted = ("in_events", "synops", "synops_nonzero", "macs", "updates_dense", "updates_active", "bias_adds")
    rows = [
        (name, layer.event_type, *(compact(layer.counts[count]) for count in counted))
        for name, layer in zip(names, operations.layers, strict=True)
    ]
    totals = ("total", "", *(compact(operations.totals[count].mean) for count in counted))
    headings = columns(
        "layer", "events", "events in #", "synaptic operations #", "weight not 0 #", "multiplications #",
        "updates #", "updates reached #", "bias adds #",
    )  # fmt: skip
    note = (
        "Weight not 0: synaptic operations through weights that are not zero. Updates: neurons × steps; reached: those "
        "with at least one input event. Leaky neurons may need more than those."
    )
    return Grid("What the spiking network does, per inference", headings, (*rows, totals), note)


def _ann_operations(report: Report) -> Iterator[Block]:
    ann = report.ann
    assert ann is not None
    rows: list[tuple[str, ...]] = [
        (
            layer.name,
            layer.kind,
            compact(layer.parameters),
            compact(layer.dense),
            compact(layer.dense_pad),
            compact(layer.effective),
            percent(layer.input_sparsity),
        )
        for layer in ann.layers
    ]
    totals = (ann.parameters, ann.dense.mean, ann.dense_pad.mean, ann.effective.mean)
    rows.append(("total", "", *(compact(value) for value in totals), percent(ann.activation_sparsity)))
    headings = columns(
        "layer", "kind", "parameters #", "multiplications #", "with padding #", "zeros skipped #", "inputs that are 0 #"
    )
    note = (
        "Means per inference. Zeros skipped: what an accelerator does that leaves out inputs that are exactly zero. "
        "The total share of zeros is over all layers but the first."
    )
    yield Grid("ANN baseline, per inference", headings, tuple(rows), note)


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
    figure = figures.energy_ranges(
        [f"{e.model}{'' if e.precision == '-' else f', {e.precision}'}, {e.workload}" for e in report.energy],
        [(e.low_j, e.central_j, e.high_j) for e in report.energy],
        [e.workload for e in report.energy],
    )
    yield Figure("energy", figure, "Energy per inference: low, central and high estimate of each model.")
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


def _parity_note(report: Report) -> str:
    if report.operations is None or report.ann is None:
        return ""
    steps = max(1, round(report.operations.steps))
    return (
        f"A rate code of {steps} steps carries at most {parity_bits(steps)} bits per activation: an ANN quantised to "
        "that width is the fair partner, at its own accuracy (Yan et al. 2024, arXiv:2409.08290)."
    )


def chip_fit_blocks(report: Report) -> Iterator[Block]:
    """What each chip would have to hold."""
    for fit in report.chip_fits:
        chip = chip_name(fit.target)
        yield Heading(f"{chip}: {fit.verdict}")
        parts = [*(f"{reason[:1].upper()}{reason[1:]}." for reason in fit.reasons)]
        if parts:
            yield Points(tuple(parts))
        rows: list[tuple[str, ...]] = [
            (
                row.name,
                grouped(row.neurons),
                compact(row.synapses),
                si(row.synapse_bits_shared / 8, "B"),
                "not published" if row.synapse_bits_unshared is None else si(row.synapse_bits_unshared / 8, "B"),
                "not published" if row.input_axons is None else grouped(row.input_axons),
                grouped(row.cores),
                row.binding,
                row.verdict,
            )
            for row in fit.populations
        ]
        rows.append(("total", grouped(fit.neurons), "", "", "", "", grouped(fit.cores), "", fit.verdict))
        headings = columns(
            "population", "neurons #", "connections #", "memory, shared #", "unshared #", "input axons #", "cores #",
            "limit", "verdict",
        )  # fmt: skip
        note = f"An estimate; cores are a lower bound. Not checked: {', '.join(fit.not_checked)}. Source: {fit.source}."
        yield Grid(f"Needs on {chip} ({fit.cores_per_chip} cores a chip)", headings, tuple(rows), note)


def _shares(parts: Mapping[str, float]) -> str:
    total = sum(parts.values())
    ordered = sorted(parts.items(), key=lambda part: -part[1])
    return ", ".join(
        f"{name} {percent(joules / total)}" for name, joules in ordered if total and joules / total >= 0.005
    )


def chip_name(target: str) -> str:
    """A target's name as it is written in prose.

    >>> chip_name("loihi2")
    'Loihi 2'
    """
    return re.sub(r"(?<=[a-z])(?=\d)", " ", target).capitalize()
