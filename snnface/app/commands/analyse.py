"""`snnface analyse FILE`"""

import json
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import tyro
from rich.console import Console
from rich.table import Table

from hardware.report import require_page, write_report
from snnface.app.analysis import Analysis, analyse
from snnface.app.options import Maybe, SensorSize, console_for, parse
from snnface.app.pretrained import PRETRAINED
from snnface.app.progress import counting_bar
from snnface.app.streaming import FaceStream
from snnface.app.streaming_report import report_stream
from snnface.errors import ConfigError
from snnface.events.window import Resolution

__all__ = ["main"]

MAX_ROWS = 20


@dataclass(frozen=True, kw_only=True)
class Options:
    """A recording of an event camera through the trained network, in float and in Loihi fixed point."""

    file: tyro.conf.Positional[Path]
    """A recording of an event camera, its format recognised by content; or a take folder with davis.aedat4."""
    model: Path = PRETRAINED
    """A run folder; default: the model that ships with the package."""
    stream: bool = False
    """One event frame after the other as a camera gives them, in bounded memory: the running answer, and what each
    frame takes from its last event to the answer. Writes no page."""
    landmarks: Maybe[Path] = None
    """The 68 points of the face in the sensor's pixels (.npz, .npy, .csv, .pts, .txt, a folder); default: found in the
    frames of a camera that takes frames."""
    face_detection: bool = True
    """Follow the face where it can be found; otherwise show the network the middle square of the sensor."""
    resolution: SensorSize = None
    """Height and width of the sensor, where the file does not state them."""
    recover: bool = False
    """Leave out what is damaged, and say what, instead of stopping there."""
    json: bool = False
    """Print JSON for machines; of a stream one object a line, the last of them the summary."""
    out: Maybe[Path] = None
    """The page to write; default: runs/analyse/<file name>.html."""


def main(arguments: list[str]) -> None:
    options = parse(Options, arguments, verb="analyse")
    if options.stream and options.out is not None:
        raise ConfigError(f"a stream writes no page; leave out --out {options.out}, or --stream.")
    resolution = None if options.resolution is None else Resolution(*options.resolution)
    page = options.out or Path("runs/analyse") / f"{options.file.resolve().name}.html"
    if not options.stream:
        require_page(page)
    with counting_bar(console_for(options.json), "frames searched") as on_progress:
        if options.stream:
            stream = FaceStream.open(
                options.file,
                options.model,
                landmarks=options.landmarks,
                finds_face=options.face_detection,
                resolution=resolution,
                recover=options.recover,
                on_progress=on_progress,
            )
        else:
            analysis = analyse(
                options.file,
                options.model,
                landmarks=options.landmarks,
                finds_face=options.face_detection,
                resolution=resolution,
                recover=options.recover,
                date=date.today().isoformat(),
                on_progress=on_progress,
            )
    if options.stream:
        report_stream(stream, as_json=options.json)
        return
    write_report(analysis.report, page)
    if options.json:
        print(json.dumps(_values(analysis, page), indent=2))
        return
    _print(analysis)
    print(page)


def _values(analysis: Analysis, page: Path) -> dict[str, object]:
    summary = analysis.summary
    return {
        "recording": summary.name,
        "num_events": summary.num_events,
        "duration_s": summary.duration_s,
        "shows_face": analysis.shows_face,
        "verdict": analysis.sentence,
        "framing": analysis.framing.sentence,
        "losses": list(analysis.losses),
        "windows": [asdict(window) for window in analysis.windows],
        "page": str(page),
    }


def _print(analysis: Analysis) -> None:
    """The recording in one line, whether it shows a face, and the answers window by window."""
    console, summary = Console(markup=False, highlight=False), analysis.summary
    on_percent = 100 * (summary.on_fraction or 0)
    console.print(
        f"{summary.name}: {summary.num_events:,} events, {summary.sensor}, {summary.duration_s:.3f} s, "
        f"{summary.event_rate:,.0f} events/s, {on_percent:.1f} % ON",
        highlight=False,
    )
    for loss in analysis.losses:
        console.print(f"left out: {loss}", highlight=False)
    console.print(analysis.framing.sentence, highlight=False)
    console.print(analysis.sentence, highlight=False)
    predictions = analysis.report.predictions
    assert predictions is not None
    table = Table(title=predictions.title, title_style="")
    for column in predictions.columns:
        table.add_column(column)
    for row in predictions.rows[:MAX_ROWS]:
        table.add_row(*(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row))
    console.print(table)
    if len(predictions.rows) > MAX_ROWS:
        console.print(f"... and {len(predictions.rows) - MAX_ROWS} more windows; the page has them all")
