"""What a report says, section by section, in reading order."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence

from hardware.report import figures
from hardware.report.blocks import grid_of
from hardware.report.chip import chip_fit_blocks
from hardware.report.energy import energy_blocks
from hardware.report.operations import activity_blocks, operations_blocks
from hardware.report.parts import Table
from hardware.report.report import Report
from snnface.pages.blocks import Block, Clips, Figure, Grid, Heading, Paragraph, Points, Section, columns
from snnface.pages.numbers import compact, grouped, percent, si, significant

__all__ = ["report_sections"]


def report_sections(report: Report) -> tuple[Section, ...]:
    """The sections for which `report` has something to say."""
    sections: tuple[tuple[str, str, Callable[[Report], Iterator[Block]]], ...] = (
        ("provenance", "Provenance", _provenance),
        ("recording", "Recording", _recording),
        ("answers", "Answers", _answers),
        ("accuracy", "Accuracy", _accuracy),
        ("clips", "Clips", _clips),
        ("activity", "Activity", activity_blocks),
        ("operations", "Operations", operations_blocks),
        ("energy", "Energy", energy_blocks),
        ("agreement", "Agreement", _agreement),
        ("quantisation", "Quantisation", _quantisation),
        ("chip", "Chip fit", chip_fit_blocks),
        ("more", "Further results", _further),
        ("warnings", "Warnings", _warnings),
    )
    counts = {"warnings": len(report.all_warnings)}
    built = [Section(anchor, title, tuple(build(report)), counts.get(anchor)) for anchor, title, build in sections]
    return tuple(section for section in built if section.blocks)


def _provenance(report: Report) -> Iterator[Block]:
    rows = [("data", f"{report.data} ({'synthetic' if report.is_synthetic else 'recorded'})")]
    if report.meta is not None:
        meta = report.meta
        rows += [
            ("model", meta.model),
            ("weights", f"SHA-256 {meta.weights[:16]}"),
            ("counted on", f"{meta.split}: {grouped(meta.num_samples)} clips of {meta.num_steps} steps"),
            ("encoding", meta.encoding),
            ("neurons", f"{meta.neuron}; {meta.reset}"),
            ("precision", meta.precision),
            ("counted by", meta.tool),
        ]
    rows += [(str(name), str(value)) for name, value in report.provenance.items()]
    if report.latency is not None:
        latency = report.latency
        rows.append(
            (
                "latency",
                f"{latency.num_steps} steps of the clip and {latency.depth} of the pipeline, "
                f"{si(latency.step_us / 1e6, 's')} each: {significant(latency.milliseconds)} ms "
                "(steps, not a measured time)",
            )
        )
    yield Grid("How this page came about", (("", "text"), ("", "text")), tuple(rows))


def _recording(report: Report) -> Iterator[Block]:
    recording = report.recording
    if recording is None:
        return
    known = (("triggers", recording.num_triggers), ("frames", recording.num_frames))
    rows = (
        ("name", recording.name),
        ("sensor", f"{recording.sensor} pixels"),
        ("events", grouped(recording.num_events)),
        ("duration", f"{significant(recording.duration_s)} s"),
        ("mean event rate", f"{compact(recording.event_rate)} events per second"),
        ("ON events", "no events" if recording.on_fraction is None else percent(recording.on_fraction)),
        *((name, grouped(number)) for name, number in known if number is not None),
    )
    yield Grid("What the recording holds", (("", "text"), ("", "text")), rows)
    if recording.num_events:
        rates = {"ON": recording.on_rate, "OFF": recording.off_rate}
        figure = figures.event_rate(recording.seconds, rates)
        yield Figure("event-rate", figure, "Event rate over time, ON (brighter) and OFF (darker) events apart.")


def _answers(report: Report) -> Iterator[Block]:
    if report.predictions is not None:
        yield grid_of(report.predictions)
    for index, trace in enumerate(report.traces):
        figure = figures.time_traces(trace.seconds, trace.series, unit=trace.unit)
        yield Figure(f"trace-{index}", figure, " ".join(filter(None, (f"{trace.title}.", trace.note))))


def _accuracy(report: Report) -> Iterator[Block]:
    if report.accuracy:
        rows = tuple(
            (
                row.name,
                percent(row.top1),
                _interval(row.top1_interval),
                "" if row.top3 is None else percent(row.top3),
                _interval(row.top3_interval),
                grouped(row.num_clips),
                row.note,
            )
            for row in report.accuracy
        )
        headings = columns("model", "top-1 #", "95 % interval #", "top-3 #", "95 % interval #", "clips #", "note")
        yield Grid("Accuracy on clips that training never saw", headings, rows)
        figure = figures.accuracy_intervals(
            [row.name for row in report.accuracy],
            [row.top1 for row in report.accuracy],
            [row.top1_interval for row in report.accuracy],
        )
        yield Figure("accuracy", figure, "Top-1 accuracy with 95 % intervals; overlapping intervals settle nothing.")
    if report.confusion is None:
        return
    names, counts = report.confusion.class_names, report.confusion.counts
    yield Heading(f"Class by class: {report.confusion.model}")
    figure = figures.confusion_heatmap(names, counts)
    yield Figure("confusion", figure, "Confusion matrix: a row for each true class, a column for each predicted class.")
    per_class = tuple(
        (
            name,
            grouped(sum(row)),
            percent(row[index] / sum(row)) if sum(row) else "no clips",
            _most_confused(names, row, index),
        )
        for index, (name, row) in enumerate(zip(names, counts, strict=True))
    )
    yield Grid("Accuracy per class", columns("class", "clips #", "recognised #", "most often taken for"), per_class)


def _clips(report: Report) -> Iterator[Block]:
    if report.clips:
        yield Paragraph(
            "Each strip shows the busiest steps of one clip, one after the other: blue where it became brighter (ON), "
            "orange where it became darker (OFF). Beside it the network's highest answers."
        )
        yield Clips(report.clips)


def _agreement(report: Report) -> Iterator[Block]:
    for table in report.parity:
        yield grid_of(table)
    if not report.agreement:
        return
    yield Paragraph(
        "Spikes before and after each step of deployment, compared bin by bin (step, clip, neuron), "
        "and final currents and voltages where both sides have them."
    )
    rows: list[tuple[str, ...]] = []
    for step in report.agreement:
        if step.not_run:
            rows.append((step.step, "not run", "", "", "", "", step.not_run))
        else:
            before, after = sum(c.num_spikes_a for c in step.comparisons), sum(c.num_spikes_b for c in step.comparisons)
            verdict = "identical" if step.is_identical else "differs"
            states = "" if step.num_differing_states is None else grouped(step.num_differing_states)
            counts = (grouped(before), grouped(after), grouped(step.num_differing), states)
            rows.append((step.step, verdict, *counts, step.note))
    headings = columns("step", "result", "spikes before #", "after #", "differing bins #", "differing states #", "note")
    yield Grid("Agreement of spikes, step by step", headings, tuple(rows))
    for step in report.agreement:
        if step.num_differing:
            parts = tuple(
                (
                    c.population,
                    grouped(c.num_spikes_a),
                    grouped(c.num_spikes_b),
                    grouped(c.num_differing),
                    percent(c.mismatch),
                    "" if c.first_step is None else grouped(c.first_step),
                )
                for c in step.comparisons
            )
            headings = columns(
                "population", "before #", "after #", "differing bins #", "per spike before #", "first at step #"
            )
            yield Grid(f"Where spikes differ: {step.step}", headings, parts)


def _quantisation(report: Report) -> Iterator[Block]:
    if report.quantisation:
        names = [field.name for field in dataclasses.fields(report.quantisation[0])]
        # Too many columns for one table: sizes first, then what rounding did to each number.
        first = names.index("weight_error")
        for title, chosen in (
            ("From float weights to integers, layer by layer", names[:first]),
            ("How far the integers are off, layer by layer", [names[0], *names[first:]]),
        ):
            table = Table(
                title=title,
                columns=("population", *(name.replace("num_", "").replace("_", " ") for name in chosen[1:])),
                rows=tuple(tuple(getattr(layer, name) for name in chosen) for layer in report.quantisation),
                note="Scale: integer weight per float weight. Errors are relative to the weights or to the threshold.",
            )
            yield grid_of(table)
    for table in report.rounding:
        yield grid_of(table)


def _further(report: Report) -> Iterator[Block]:
    for table in report.tables:
        yield grid_of(table)


def _warnings(report: Report) -> Iterator[Block]:
    if report.all_warnings:
        yield Points(report.all_warnings)


def _interval(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else " to ".join(percent(bound) for bound in interval)


def _most_confused(names: Sequence[str], row: Sequence[int], index: int) -> str:
    others = [(count, -other) for other, count in enumerate(row) if other != index and count]
    if not others:
        return ""
    count, other = max(others)
    return f"{names[-other]} ({grouped(count)})"
