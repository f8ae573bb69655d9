"""The page of a report: which sections there are, and the HTML around them."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
import plotly.io
from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from hardware.report import Report
from hardware.report_blocks import Block, Figure
from hardware.report_costs import chip_name
from hardware.report_format import compact, grouped, percent, si, significant
from hardware.report_parts import ClipPicture
from hardware.report_sections import report_sections

__all__ = ["report_page"]


@dataclass(frozen=True, slots=True)
class _Tile:
    """One number to see first."""

    label: str
    value: str
    detail: str = ""


def report_page(report: Report) -> str:
    """The whole HTML page, plotly.js included once if there is a figure to draw."""
    environment = Environment(
        loader=PackageLoader("hardware"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["picture"] = _picture
    sections = report_sections(report)
    figures = _figures([block for section in sections for block in section.blocks])
    return environment.get_template("report.html.jinja").render(
        report=report,
        tiles=_tiles(report),
        sections=sections,
        figures=figures,
        plotly_js=get_plotlyjs() if figures else "",
    )


def _figures(blocks: Sequence[Block]) -> dict[str, str]:
    return {block.name: _figure_html(block.name, block.figure) for block in blocks if isinstance(block, Figure)}


def _figure_html(name: str, figure: go.Figure) -> str:
    # plotly escapes <, > and / inside its JSON, so names from outside cannot end the script.
    return str(
        plotly.io.to_html(
            figure,
            full_html=False,
            include_plotlyjs=False,
            div_id=f"plot-{name}",
            default_height=f"{figure.layout.height}px",
            config={"displaylogo": False, "responsive": True, "displayModeBar": False},
        )
    )


def _picture(clip: ClipPicture) -> str:
    return "data:image/png;base64," + base64.b64encode(clip.png).decode("ascii")


def _tiles(report: Report) -> list[_Tile]:
    tiles = []
    if report.recording is not None:
        recording = report.recording
        tiles.append(_Tile("events", compact(recording.num_events), f"in {si(recording.duration_s, 's')}"))
        tiles.append(_Tile("mean event rate", si(recording.event_rate, "/s"), f"sensor {recording.sensor}"))
    for row in report.accuracy[:1]:
        interval = "" if row.top1_interval is None else " to ".join(percent(bound) for bound in row.top1_interval)
        tiles.append(_Tile("top-1 accuracy", percent(row.top1), f"{row.name}; {interval}" if interval else row.name))
    if report.operations is not None:
        totals, kappa = report.operations.totals, significant(report.operations.kappa)
        rate = percent(report.operations.rate)
        tiles.append(_Tile("spikes per inference", compact(totals["spikes"].mean), f"{rate} of neuron-steps"))
        work = totals["synops"].mean + totals["macs"].mean
        tiles.append(_Tile("synaptic operations per inference", compact(work), f"κ = {kappa} per connection"))
    for estimate in [e for e in report.energy if e.workload == "SNN" and e.model.startswith("M1")]:
        bounds = f"{si(estimate.low_j, 'J')} to {si(estimate.high_j, 'J')}"
        tiles.append(_Tile("energy, estimated", si(estimate.central_j, "J"), f"{bounds}; {estimate.model}"))
    return tiles + [
        _Tile(
            f"one {chip_name(fit.target)} chip",
            fit.verdict,
            f"at least {grouped(fit.cores)} {'core' if fit.cores == 1 else 'cores'}",
        )
        for fit in report.chip_fits
    ]
