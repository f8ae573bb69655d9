"""The report: what was found, as plain values and a few pictures, and the one page that shows it.

Every part is optional; a part that is absent leaves no trace on the page. One `Report`
serves a trained and deployed network as well as the analysis of a single recording.
"""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conversion.quantize import QuantizedLayer
from hardware.counts.operation_summary import AnnSummary, OperationsSummary
from hardware.energy.models import EnergyEstimate, EnergyRange, energy_ranges
from hardware.energy.ratio import EnergyRatio, energy_ratios
from hardware.mapping.resources import ChipFit
from hardware.report.parts import (
    AccuracyRow,
    Agreement,
    ClipPicture,
    Confusion,
    Latency,
    Meta,
    Raster,
    RecordingSummary,
    Table,
    Trace,
)
from snnface.errors import ConfigError
from snnface.files import write_text

__all__ = ["Report", "plain_values", "report_values", "require_page", "write_report"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that the page shows.

    Attributes:
        title: what was done, in a few words.
        data: the name of the data set or recording; stands beside every table.
        is_synthetic: whether that data was made by a program. Stands beside every table too.
        verdict: one line that says how it went.
        notices: what a reader must know before believing anything, one sentence each.
        provenance: name -> value: seeds, versions, commands, the date (given by the caller).
        meta: what was counted, of a deployed network.
        energy: estimates; ratios between them and ranges over them are formed by the report.
        parity: how far other tools agree, tables of the caller's own; likewise `rounding`, what it cost.
        not_counted: what no estimate contains, beyond what the estimates say themselves.
        warnings: everything that was approximated, left out or doubtful.
    """

    title: str
    data: str
    is_synthetic: bool
    verdict: str = ""
    notices: tuple[str, ...] = ()
    provenance: Mapping[str, str | int | float] = field(default_factory=dict)
    meta: Meta | None = None
    recording: RecordingSummary | None = None
    predictions: Table | None = None
    traces: tuple[Trace, ...] = ()
    accuracy: tuple[AccuracyRow, ...] = ()
    confusion: Confusion | None = None
    clips: tuple[ClipPicture, ...] = ()
    raster: Raster | None = None
    operations: OperationsSummary | None = None
    ann: AnnSummary | None = None
    energy: tuple[EnergyEstimate, ...] = ()
    latency: Latency | None = None
    agreement: tuple[Agreement, ...] = ()
    parity: tuple[Table, ...] = ()
    quantisation: tuple[QuantizedLayer, ...] = ()
    rounding: tuple[Table, ...] = ()
    chip_fits: tuple[ChipFit, ...] = ()
    tables: tuple[Table, ...] = ()
    not_counted: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def ratios(self) -> tuple[EnergyRatio, ...]:
        return energy_ratios(self.energy)

    @property
    def ranges(self) -> tuple[EnergyRange, ...]:
        return energy_ranges(self.energy)

    @property
    def all_warnings(self) -> tuple[str, ...]:
        """The caller's, those of graded events, the baseline's and the quantiser's, each once."""
        found = list(self.warnings)
        found += () if self.operations is None else self.operations.warnings
        found += self.ann.warnings if self.ann is not None else ()
        found += [sentence for layer in self.quantisation for sentence in layer.warnings]
        return tuple(dict.fromkeys(found))


def write_report(report: Report, path: Path) -> Path:
    """Write `report` as one HTML file, or as Markdown, and its values as JSON beside it.

    The page needs no network and no other file. Both files are written whole or not at all.

    Args:
        path: ends in .html, or in .md for Markdown; the values go to the same name with .json.

    Returns:
        The path of the JSON file.

    Raises:
        ConfigError: if `path` ends in neither.
    """
    # Plotly takes a second to import and most users of `Report` never write one.
    from hardware.report.markdown import report_markdown
    from hardware.report.page import report_page

    require_page(path)
    page = report_markdown(report) if path.suffix == ".md" else report_page(report)
    values = path.with_suffix(".json")
    write_text(values, json.dumps(report_values(report), indent=2, allow_nan=False, ensure_ascii=False) + "\n")
    write_text(path, page)
    return values


def require_page(path: Path) -> None:
    """Check that a report can be written to `path`, before the work is done.

    Raises:
        ConfigError: if `path` ends neither in .html nor in .md, or is a folder.
    """
    if path.suffix not in (".html", ".md") or path.is_dir():
        name = path.stem or "report"
        raise ConfigError(
            f"a report is an .html file; got {path.name!r}. Name it {name}.html, or {name}.md for Markdown."
        )


def report_values(report: Report) -> dict[str, Any]:
    """The report as JSON-able values; pictures stay on the page, numbers that are not finite become None."""
    values = {name: value for name, value in plain_values(report).items() if value not in (None, [], {}, "")}
    return {
        **values,
        "ranges": [plain_values(each) for each in report.ranges],
        "ratios": [{**plain_values(ratio), "sentence": ratio.sentence} for ratio in report.ratios],
        "warnings": list(report.all_warnings),
        "energy_is_estimated_not_measured": True,
    }


def plain_values(value: Any) -> Any:
    """Dataclasses as objects, without pictures; numbers that are not finite as None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return {name: plain_values(entry) for name, entry in fields.items() if not isinstance(entry, bytes)}
    if isinstance(value, Mapping):
        return {str(key): plain_values(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain_values(entry) for entry in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
