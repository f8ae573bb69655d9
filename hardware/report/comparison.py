"""Several deployed networks on one page, a row each, in the order given."""

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hardware.counts.operation_summary import OperationsSummary
from hardware.energy.models import EnergyEstimate, energy_ranges
from hardware.energy.ratio import energy_ratios
from hardware.mapping.resources import ChipFit
from hardware.report import figures
from hardware.report.chip import chip_name
from hardware.report.markdown import markdown_of_sections
from hardware.report.page import FOOTER
from hardware.report.parts import Agreement
from hardware.report.report import plain_values, require_page
from snnface.errors import ConfigError
from snnface.files import write_text
from snnface.pages.blocks import Block, Figure, Grid, Paragraph, Points, Section, columns
from snnface.pages.numbers import compact, grouped, percent, si, significant
from snnface.pages.page import Page, page_html

__all__ = ["ComparedRun", "ComparedScore", "comparison_notices", "comparison_sections", "write_comparison"]

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedScore:
    """One metric of the trained network, and of its answers from the chip; 95 % intervals where known."""

    metric: str
    value: float
    interval: Interval | None = None
    on_chip: float | None = None
    on_chip_interval: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRun:
    """What a deployed run has to say.

    Attributes:
        data, split: what it was judged on, in words; runs that differ in them are named in a notice.
        num_clips: that it was judged on.
        target: the chip whose integers were counted.
        agreement: the steps of its deployment.
    """

    name: str
    data: str
    is_synthetic: bool
    split: str
    num_clips: int
    target: str
    scores: tuple[ComparedScore, ...]
    operations: OperationsSummary
    energy: tuple[EnergyEstimate, ...]
    fits: tuple[ChipFit, ...]
    agreement: tuple[Agreement, ...]

    @property
    def num_parameters(self) -> int:
        return sum(layer.parameters for layer in self.operations.layers if layer.kind != "relay")


def write_comparison(runs: Sequence[ComparedRun], path: Path) -> Path:
    """Write the page (or Markdown, where `path` ends in .md), and its values as JSON beside it.

    Returns:
        The path of the JSON file.

    Raises:
        ConfigError: if there are fewer than two runs, two have one name, or `path` is no page.
    """
    require_page(path)
    names = [run.name for run in runs]
    if len(runs) < 2 or len(set(names)) < len(names):
        raise ConfigError(f"a comparison needs two or more runs of different names; got {', '.join(names) or 'none'}.")
    runs = [dataclasses.replace(run, name=name) for run, name in zip(runs, _short_names(names), strict=True)]
    title, notices, sections = "Networks compared", comparison_notices(runs), comparison_sections(runs)
    data, is_synthetic = runs[0].data, all(run.is_synthetic for run in runs)
    if path.suffix == ".md":
        shown = "synthetic data" if is_synthetic else data
        quoted = [line for notice in notices for line in (f"> {notice}", "")]
        text = "\n".join([f"# {title}", "", *quoted, *markdown_of_sections(sections, shown), "---", FOOTER, ""])
    else:
        text = page_html(
            Page(title=title, data=data, is_synthetic=is_synthetic, notices=notices, sections=sections, footer=FOOTER)
        )
    values = path.with_suffix(".json")
    write_text(values, json.dumps(_values(runs, notices), indent=2, allow_nan=False, ensure_ascii=False) + "\n")
    write_text(path, text)
    return values


def comparison_notices(runs: Sequence[ComparedRun]) -> tuple[str, ...]:
    """Why numbers of some runs cannot stand beside those of the first."""
    first = runs[0]
    found = []
    for run in runs[1:]:
        for what, own, other in (("data", run.data, first.data), ("another split", run.split, first.split)):
            if own != other:
                said = "other data" if what == "data" else what
                found.append(f"{run.name} was judged on {said} ({own}) than {first.name} ({other}).")
        if run.num_clips != first.num_clips:
            found.append(f"{run.name} was judged on {run.num_clips} clips, {first.name} on {first.num_clips}.")
    return tuple(found)


def comparison_sections(runs: Sequence[ComparedRun]) -> tuple[Section, ...]:
    """Accuracy, counts, energy, chips and agreement."""
    sections: tuple[tuple[str, str, Callable[[Sequence[ComparedRun]], Iterator[Block]]], ...] = (
        ("accuracy", "Accuracy", _accuracy),
        ("operations", "Operations", _operations),
        ("energy", "Energy", _energy),
        ("chip", "Chip fit", _chips),
        ("agreement", "Agreement", _agreement),
    )
    return tuple(Section(anchor, title, tuple(build(runs))) for anchor, title, build in sections)


def _accuracy(runs: Sequence[ComparedRun]) -> Iterator[Block]:
    rows = tuple(
        (
            run.name,
            score.metric,
            significant(score.value),
            _interval(score.interval),
            "" if score.on_chip is None else significant(score.on_chip),
            _interval(score.on_chip_interval),
            grouped(run.num_clips),
        )
        for run in runs
        for score in run.scores
    )
    headings = columns("run", "metric", "trained #", "95 % interval #", "on the chip #", "95 % interval #", "clips #")
    note = "Intervals over test subjects. On the chip: the integers, in the fixed-point simulator."
    yield Grid("Answers to the test clips", headings, rows, note)


def _operations(runs: Sequence[ComparedRun]) -> Iterator[Block]:
    rows = []
    for run in runs:
        totals = run.operations.totals
        work = totals["synops"]
        rows.append(
            (
                run.name,
                compact(run.num_parameters),
                grouped(run.operations.steps),
                compact(totals["spikes"].mean),
                percent(run.operations.rate),
                compact(work.mean),
                compact(work.std),
                f"{compact(work.low)} to {compact(work.high)}",
                compact(totals["macs"].mean),
                significant(run.operations.kappa),
            )
        )
    headings = columns(
        "run", "parameters #", "steps #", "spikes #", "rate #", "synaptic operations #", "standard deviation #",
        "95 % interval #", "multiplications #", "κ #",
    )  # fmt: skip
    note = "Exact counts, means per inference; κ: events per connection and inference, relays left out."
    yield Grid("What each network does, per inference", headings, tuple(rows), note)


def _energy(runs: Sequence[ComparedRun]) -> Iterator[Block]:
    yield Paragraph(
        "Estimates: counts times published constants, never a measurement. Rows of one model may be compared; rows of "
        "different models, nodes or precisions must not."
    )
    found = [(run, estimate) for run in runs for estimate in run.energy if estimate.workload == "SNN"]
    order = list(dict.fromkeys((e.model, e.precision) for _, e in found))
    found.sort(key=lambda pair: order.index((pair[1].model, pair[1].precision)))
    yield Figure(
        "energy",
        figures.energy_ranges(
            [f"{run.name}: {e.model}{'' if e.precision == '-' else f', {e.precision}'}" for run, e in found],
            [(e.low_j, e.central_j, e.high_j) for _, e in found],
            [e.workload for _, e in found],
        ),
        "Energy per inference of the spiking networks: low, central and high estimate, model by model.",
    )
    rows = tuple(
        (e.model, run.name, e.node, e.precision, si(e.low_j, "J"), si(e.central_j, "J"), si(e.high_j, "J"), e.grade)
        for run, e in found
    )
    headings = columns("model", "run", "node", "precision", "low #", "central #", "high #", "grade")
    yield Grid("Energy per inference, estimated", headings, rows)
    sentences = tuple(f"{run.name}: {ratio.sentence}" for run in runs for ratio in energy_ratios(run.energy))
    if sentences:
        yield Points(sentences)


def _chips(runs: Sequence[ComparedRun]) -> Iterator[Block]:
    rows = tuple(
        (
            run.name,
            chip_name(fit.target),
            fit.verdict,
            grouped(fit.neurons),
            grouped(fit.cores),
            "not known" if fit.cores_per_chip is None else grouped(fit.chips),
            "; ".join(fit.reasons),
        )
        for run in runs
        for fit in run.fits
    )
    headings = columns("run", "chip", "verdict", "neurons #", "cores at least #", "chips at least #", "why")
    yield Grid("Do they fit", headings, rows)


def _agreement(runs: Sequence[ComparedRun]) -> Iterator[Block]:
    rows = []
    for run in runs:
        for step in run.agreement:
            states = "" if step.num_differing_states is None else grouped(step.num_differing_states)
            verdict = "not run" if step.not_run else "identical" if step.is_identical else "differs"
            counts = ("", "", "") if step.not_run else (grouped(step.num_spikes), grouped(step.num_differing), states)
            rows.append((run.name, step.step, verdict, *counts, step.not_run or step.note))
    headings = columns("run", "step", "result", "spikes #", "differing bins #", "differing states #", "note")
    yield Grid("Agreement of spikes, step by step", headings, tuple(rows))


def _values(runs: Sequence[ComparedRun], notices: tuple[str, ...]) -> dict[str, Any]:
    return {
        "runs": [
            {
                **plain_values({field.name: getattr(run, field.name) for field in dataclasses.fields(run)}),
                "parameters": run.num_parameters,
                "ranges": plain_values(energy_ranges(run.energy)),
                "ratios": [{**plain_values(r), "sentence": r.sentence} for r in energy_ratios(run.energy)],
            }
            for run in runs
        ],
        "notices": list(notices),
        "energy_is_estimated_not_measured": True,
    }


def _short_names(names: Sequence[str]) -> list[str]:
    """Folders without the parents that all of them share."""
    parts = [name.split("/") for name in names]
    while min(map(len, parts)) > 1 and len({first for first, *_ in parts}) == 1:
        parts = [rest for _, *rest in parts]
    return ["/".join(part) for part in parts]


def _interval(interval: Interval | None) -> str:
    return "" if interval is None else " to ".join(significant(bound) for bound in interval)
