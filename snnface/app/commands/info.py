"""`snnface info FILE`"""

import json
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console
from rich.table import Table

from snnface.app.options import Maybe, SensorSize, parse
from snnface.app.recording_info import RecordingInfo, recording_info, sparkline
from snnface.events import Resolution

__all__ = ["main"]

MAX_HOT_PIXELS = 5
SPARKLINE_WIDTH = 60


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a recording holds: format, sensor, rates over time, polarity balance, hot pixels, losses."""

    file: tyro.conf.Positional[Path]
    """A recording of an event camera; its format is recognised by content."""
    resolution: SensorSize = None
    """Height and width of the sensor, where the file does not state them."""
    recover: bool = False
    """Leave out what is damaged, and say what, instead of stopping there."""
    json: bool = False
    """Print everything as JSON, the rate curve included."""
    plot: Maybe[Path] = None
    """Also draw the rate and a map of the events; .html or .png."""


def main(arguments: list[str]) -> None:
    options = parse(Options, arguments, verb="info")
    resolution = None if options.resolution is None else Resolution(*options.resolution)
    if options.plot is not None:
        from snnface.app.recording_plot import require_plot

        require_plot(options.plot)
    info = recording_info(options.file, resolution=resolution, recover=options.recover)
    if options.plot is not None:
        from snnface.app.recording_plot import write_plot

        write_plot(info, options.plot)
    if options.json:
        print(json.dumps(info.values(), indent=2))
    else:
        _print(info)
        if options.plot is not None:
            print(options.plot)


def _print(info: RecordingInfo) -> None:
    statistics = info.statistics
    fraction = statistics.on_fraction
    _, on, off = statistics.rates()
    rows = [
        ("format", info.format),
        ("sensor", f"{info.resolution}"),
        ("events", f"{statistics.num_events:,}"),
        ("time", f"{statistics.start_us:,} to {statistics.end_us:,} us ({statistics.duration_us / 1e6:.6f} s)"),
        ("rate", f"{statistics.mean_rate:,.0f} events/s; peak {statistics.peak_rate:,.0f} in {_bin(info)}"),
        ("", sparkline(on + off, width=SPARKLINE_WIDTH)),
        (
            "polarity",
            "no events" if fraction is None else f"{100 * fraction:.1f} % ON, {100 - 100 * fraction:.1f} % OFF",
        ),
        ("active pixels", f"{info.num_active_pixels:,} of {info.resolution.num_pixels:,}"),
        ("hot pixels", _hot(info)),
    ]
    extras = (
        ("triggers", info.extras.num_triggers),
        ("frames", info.extras.num_frames),
        ("IMU samples", info.extras.num_imu_samples),
    )
    rows += [(name, f"{number:,}") for name, number in extras if number is not None]
    rows += [("left out", loss) for loss in info.losses]
    table = Table(title=info.name, title_style="", show_header=False)
    for row in rows:
        table.add_row(*row)
    Console(markup=False, highlight=False).print(table)


def _bin(info: RecordingInfo) -> str:
    return f"{info.statistics.bin_us / 1000:g} ms"


def _hot(info: RecordingInfo) -> str:
    if not info.hot_pixels:
        return "none"
    worst = [f"({pixel.x}, {pixel.y}) {pixel.num_events:,}" for pixel in info.hot_pixels[:MAX_HOT_PIXELS]]
    return f"{len(info.hot_pixels):,}; (x, y) events: {', '.join(worst)}"
