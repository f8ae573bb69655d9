"""A recording as something to look at: a video, an animation, or a sheet of its event frames."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from snnface.app.movies import MIN_WIDTH_PX, MOVIE_SUFFIXES, create_movie, enlarged
from snnface.errors import ConfigError, DataError
from snnface.events import EventStream, Resolution, open_events
from snnface.events.pictures import DARK, WHITE, EventColours, event_picture
from snnface.files import atomic_path

__all__ = ["View", "require_view", "view"]

# A sheet shows 9 to 16 event frames of a long recording.
MAX_TILES = 16
TILE_WIDTH_PX, GAP_PX, TEXT_PX = 320, 8, 18
# 55 minutes of event frames of 33 ms.
MAX_STEPS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What was drawn.

    Attributes:
        num_steps: event frames that were looked at.
        num_shown: those that are in the file.
        speed: how fast it is played; 1 is real time, None for a sheet.
        losses: what a recovering read left out, a phrase each.
    """

    num_steps: int
    num_shown: int
    num_events: int
    speed: float | None
    losses: tuple[str, ...]


def require_view(path: Path) -> None:
    """Check that pictures can be written to `path`, before the work is done.

    Raises:
        ConfigError: if its name does not end in .mp4, .gif or .png, or it is a folder.
    """
    if path.suffix.lower() not in (*MOVIE_SUFFIXES, ".png") or path.is_dir():
        raise ConfigError(
            f"a view is an .mp4, .gif or .png file; got {path.name!r}. Name it {path.stem or 'view'}.mp4."
        )


def view(
    path: str | Path,
    out: Path,
    *,
    step_us: int = 33_000,
    max_seconds: float | None = None,
    dark: bool = False,
    resolution: Resolution | None = None,
    recover: bool = False,
) -> View:
    """Draw a recording as event frames of `step_us`, in bounded memory; see `event_picture`.

    A video or animation (.mp4, .gif) shows every event frame, in real time as far as players can
    follow (60 and 50 pictures a second), else slower. A sheet (.png) shows 9 to 16 of them, evenly
    spaced, with their times from the first event (all of them, if there are fewer).

    Args:
        max_seconds: of the recording; None: the whole.
        dark: on a dark background.
        resolution, recover: as in `snnface.events.open_events`.

    Raises:
        ConfigError: as `require_view`; if the step or the time is not positive.
        DatasetNotFoundError, DataError: as `snnface.events.open_events`; if there are no events, or more
            than MAX_STEPS event frames.
    """
    require_view(out)
    if max_seconds is not None and not max_seconds > 0:
        raise ConfigError(f"the time to show must be positive; got {max_seconds} s.")
    file = open_events(path, resolution=resolution, recover=recover)
    steps = _Steps(Path(path), file.slices(step_us), None if max_seconds is None else max_seconds * 1e6 / step_us)
    colours = DARK if dark else WHITE
    if out.suffix.lower() == ".png":
        num_shown, speed = _write_sheet(steps, out, colours, step_us), None
    else:
        fps = _write_movie(steps, out, colours, step_us)
        num_shown, speed = steps.num_steps, float(fps) * step_us / 1e6
    return View(
        num_steps=steps.num_steps, num_shown=num_shown, num_events=steps.num_events, speed=speed, losses=file.losses
    )


class _Steps:
    """Event frames on their way to a picture, counted; at least one, at most MAX_STEPS."""

    def __init__(self, path: Path, slices: Iterator[EventStream], limit: float | None) -> None:
        self.path, self.num_steps, self.num_events = path, 0, 0
        self._slices, self._limit = slices, limit

    def __iter__(self) -> Iterator[EventStream]:
        for events in self._slices:
            if self._limit is not None and self.num_steps >= self._limit:
                break
            if self.num_steps == MAX_STEPS:
                raise DataError(
                    f"{self.path} has more than {MAX_STEPS:,} steps, which is more than is drawn; perhaps its times "
                    "jump. Draw a part (max_seconds=, --max-seconds), or longer steps (step_us=, --step-ms)."
                )
            self.num_steps += 1
            self.num_events += len(events)
            yield events
        if not self.num_steps:
            raise DataError(f"{self.path} holds no events; there is nothing to draw.")


def _write_movie(steps: _Steps, out: Path, colours: EventColours, step_us: int) -> Fraction:
    min_width = MIN_WIDTH_PX[out.suffix.lower()]
    pictures = (enlarged(event_picture(events, colours), min_width) for events in steps)
    first = next(pictures)
    size = Resolution(height=first.shape[0], width=first.shape[1])
    with create_movie(out, size, fps=Fraction(1_000_000, step_us)) as movie:
        movie.append(first)
        for picture in pictures:
            movie.append(picture)
    return movie.fps


def _write_sheet(steps: _Steps, out: Path, colours: EventColours, step_us: int) -> int:
    """Every `stride`-th event frame is kept; when there are too many, every second one goes."""
    tiles: list[tuple[float, Image.Image]] = []
    stride = 1
    for index, events in enumerate(steps):
        if index % stride:
            continue
        if len(tiles) == MAX_TILES:
            tiles, stride = tiles[::2], 2 * stride
            if index % stride:
                continue
        tiles.append((index * step_us / 1e6, _tile(event_picture(events, colours))))
    with atomic_path(out) as temporary:
        _sheet(tiles, colours).save(temporary, format="PNG", optimize=True)
    return len(tiles)


def _tile(picture: np.ndarray) -> Image.Image:
    tile = Image.fromarray(enlarged(picture, TILE_WIDTH_PX))
    height = max(1, round(TILE_WIDTH_PX * tile.height / tile.width))
    # Averaged: a lone event stays as a faint dot.
    return tile.resize((TILE_WIDTH_PX, height), Image.Resampling.BOX)


def _sheet(tiles: list[tuple[float, Image.Image]], colours: EventColours) -> Image.Image:
    columns = min(4, len(tiles))
    rows = -(-len(tiles) // columns)
    width, height = tiles[0][1].width + GAP_PX, tiles[0][1].height + TEXT_PX + GAP_PX
    dark = sum(colours.background) < 384
    ink, ground = ((225, 230, 235), (45, 52, 60)) if dark else ((31, 41, 51), (228, 231, 235))
    sheet = Image.new("RGB", (columns * width + GAP_PX, rows * height + GAP_PX), ground)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for index, (start_s, tile) in enumerate(tiles):
        left, top = GAP_PX + index % columns * width, GAP_PX + index // columns * height
        draw.text((left, top), f"{start_s:.3f} s", fill=ink, font=font)
        sheet.paste(tile, (left, top + TEXT_PX))
    _draw_legend(draw, colours, ink, right=GAP_PX + tiles[0][1].width)
    return sheet


def _draw_legend(draw: ImageDraw.ImageDraw, colours: EventColours, ink: tuple[int, int, int], *, right: float) -> None:
    """What the colours mean, above the first tile and at its right end."""
    font, side = ImageFont.load_default(13), TEXT_PX // 2
    for name, colour in (("OFF", colours.off), ("ON", colours.on)):
        right -= draw.textlength(name, font=font)
        draw.text((right, GAP_PX), name, fill=ink, font=font)
        right -= side + 4
        draw.rectangle((right, GAP_PX + 4, right + side, GAP_PX + 4 + side), fill=colour)
        right -= 10
