"""The page of a report: which sections there are, and the numbers to see first."""

from hardware.report.chip import chip_name
from hardware.report.report import Report
from hardware.report.sections import report_sections
from snnface.pages.blocks import Tile
from snnface.pages.numbers import compact, grouped, percent, si, significant
from snnface.pages.page import Page, page_html

__all__ = ["report_page"]

FOOTER = (
    "Energy figures are estimates from counts and published constants; nothing on this page was measured on a chip."
)


def report_page(report: Report) -> str:
    """The whole HTML page, plotly.js included once if there is a figure to draw."""
    return page_html(
        Page(
            title=report.title,
            data=report.data,
            is_synthetic=report.is_synthetic,
            verdict=report.verdict,
            notices=report.notices,
            tiles=tuple(_tiles(report)),
            sections=report_sections(report),
            footer=FOOTER,
        )
    )


def _tiles(report: Report) -> list[Tile]:
    tiles = []
    if report.recording is not None:
        recording = report.recording
        tiles.append(Tile("events", compact(recording.num_events), f"in {si(recording.duration_s, 's')}"))
        tiles.append(Tile("mean event rate", si(recording.event_rate, "/s"), f"sensor {recording.sensor}"))
    for row in report.accuracy[:1]:
        interval = "" if row.top1_interval is None else " to ".join(percent(bound) for bound in row.top1_interval)
        tiles.append(Tile("top-1 accuracy", percent(row.top1), f"{row.name}; {interval}" if interval else row.name))
    if report.operations is not None:
        totals, kappa = report.operations.totals, significant(report.operations.kappa)
        rate = percent(report.operations.rate)
        tiles.append(Tile("spikes per inference", compact(totals["spikes"].mean), f"{rate} of neuron-steps"))
        work = totals["synops"].mean + totals["macs"].mean
        tiles.append(Tile("synaptic operations per inference", compact(work), f"κ = {kappa} per connection"))
    for estimate in [e for e in report.energy if e.workload == "SNN" and e.model.startswith("M1")]:
        bounds = f"{si(estimate.low_j, 'J')} to {si(estimate.high_j, 'J')}"
        tiles.append(Tile("energy, estimated", si(estimate.central_j, "J"), f"{bounds}; {estimate.model}"))
    return tiles + [
        Tile(
            f"one {chip_name(fit.target)} chip",
            fit.verdict,
            f"at least {grouped(fit.cores)} {'core' if fit.cores == 1 else 'cores'}",
        )
        for fit in report.chip_fits
        if fit.cores_per_chip is not None
    ]
