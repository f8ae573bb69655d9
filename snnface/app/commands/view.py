"""`snnface view FILE`"""

from dataclasses import dataclass
from pathlib import Path

import tyro

from snnface.app.options import Maybe, SensorSize, parse, step_us_from_ms
from snnface.app.viewing import view
from snnface.events import Resolution
from snnface.events.pictures import DARK, WHITE

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """A recording as a video, an animation, or a sheet of its event frames."""

    file: tyro.conf.Positional[Path]
    """A recording of an event camera; its format is recognised by content."""
    out: Path
    """What to write: .mp4 (video), .gif (animation) or .png (a sheet of event frames)."""
    step_ms: float = 33.0
    """Duration of an event frame in milliseconds."""
    max_seconds: Maybe[float] = None
    """Show so much of the recording at most; default: all of it."""
    dark: bool = False
    """On a dark background."""
    resolution: SensorSize = None
    """Height and width of the sensor, where the file does not state them."""
    recover: bool = False
    """Leave out what is damaged, and say what, instead of stopping there."""


def main(arguments: list[str]) -> None:
    options = parse(Options, arguments, verb="view")
    drawn = view(
        options.file,
        options.out,
        step_us=step_us_from_ms(options.step_ms),
        max_seconds=options.max_seconds,
        dark=options.dark,
        resolution=None if options.resolution is None else Resolution(*options.resolution),
        recover=options.recover,
    )
    speed = "" if drawn.speed is None or abs(drawn.speed - 1) < 0.01 else f", at {drawn.speed:.2g} x real time"
    print(
        f"{options.out}: {drawn.num_shown} of {drawn.num_steps} event frames of {options.step_ms:g} ms{speed}; "
        f"{(DARK if options.dark else WHITE).legend}"
    )
    for loss in drawn.losses:
        print(f"left out: {loss}")
