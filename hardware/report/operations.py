"""The sections about what a network does: its spikes and its operations, and those of the baseline."""

from collections.abc import Iterator, Sequence

from hardware.counts.operation_summary import OperationsSummary
from hardware.report import figures
from hardware.report.blocks import layer_name
from hardware.report.parts import Latency
from hardware.report.report import Report
from snnface.pages.blocks import Block, Figure, Grid, Paragraph, columns
from snnface.pages.numbers import compact, grouped, percent, si, significant

__all__ = ["activity_blocks", "operations_blocks"]


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
        f"{grouped(operations.steps)} steps. A synaptic operation is one spike through one existing connection; "
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
    if report.latency is not None:
        yield _per_second(operations, report.latency)
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
    textbook, exact = totals["synops_textbook"].mean, totals["synops"].mean + totals["macs"].mean
    note = (
        f"Events per connection and inference (relays left out): κ = {significant(operations.kappa)}. "
        f"{percent(operations.activation_sparsity)} of neuron-steps are silent, "
        f"{percent(operations.connection_sparsity)} of the weights are zero. Counted as if every event met "
        f"⌈kernel / stride⌉ weights per axis, operations would be {compact(textbook)} "
        f"({percent(textbook / exact - 1 if exact else 0.0)} more than there are)."
    )
    yield Grid("Spread over clips", headings, spread, note)


def _sizes(operations: OperationsSummary, names: Sequence[str]) -> Grid:
    fields = ("neurons", "parameters", "zero_weights", "dense", "dense_pad")
    stored = ("weight_bytes", "state_bytes", "event_bytes")
    rows: list[tuple[str, ...]] = [
        (
            name,
            "×".join(map(str, layer.shape)),
            *(compact(getattr(layer, field)) for field in fields),
            *(si(getattr(layer, field), "B") for field in stored),
        )
        for name, layer in zip(names, operations.layers, strict=True)
    ]
    sums = {field: sum(getattr(layer, field) for layer in operations.layers) for field in (*fields, *stored)}
    totals = (*(compact(sums[field]) for field in fields), *(si(sums[field], "B") for field in stored))
    headings = columns(
        "layer", "shape", "neurons #", "parameters #", "weights 0 #", "connections #", "with padding #",
        "weight memory #", "state memory #", "event memory #",
    )  # fmt: skip
    note = (
        "Connections: input-output pairs that exist; with padding: as textbooks count multiplications. Event memory: "
        "addresses (and values, where graded) of the busiest step's events."
    )
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


def _per_second(operations: OperationsSummary, latency: Latency) -> Grid:
    """A stream never ends: what one second of it costs."""
    seconds = operations.steps * latency.step_us / 1e6
    counted = (
        ("in_events", "events in, all layers"),
        ("spikes", "spikes"),
        ("synops", "synaptic operations"),
        ("macs", "multiplications (graded input)"),
        ("updates_dense", "neuron updates"),
    )
    rows = tuple((label, si(operations.totals[name].mean / seconds, "/s")) for name, label in counted)
    note = f"Means over the clips, at steps of {si(latency.step_us / 1e6, 's')}."
    return Grid("Per second of a stream", columns("", "rate #"), rows, note)


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
