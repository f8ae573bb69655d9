"""The plot of a recording: its rate over time and where its events came from, as HTML or PNG."""

import base64
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hardware.report.pictures import png_bytes
from snnface.app.recording_info import RecordingInfo, resampled
from snnface.errors import ConfigError
from snnface.events.pictures import WHITE, count_picture
from snnface.files import atomic_path, write_text
from snnface.pages.numbers import compact, percent, si, significant

__all__ = ["require_plot", "write_plot"]

WIDTH_PX = 960
CURVE_PX = 240
MARGIN_PX = 60
# So many bins of the rate curve at most are drawn; more would be a band of one colour.
MAX_CURVE_BINS = 280
STYLE = (
    "body { font-family: system-ui, sans-serif; color: #1f2933; max-width: 960px; margin: 24px auto; padding: 0 16px } "
    "h1 { font-size: 1.25rem } h2 { font-size: 1rem }"
)
INK, GRID = (31, 41, 51), (228, 231, 235)


def require_plot(path: Path) -> None:
    """Check that a plot can be written to `path`, before the work is done.

    Raises:
        ConfigError: if its name does not end in .html or .png, or it is a folder.
    """
    if path.suffix.lower() not in (".html", ".png") or path.is_dir():
        raise ConfigError(f"a plot is an .html or .png file; got {path.name!r}. Name it {path.stem or 'plot'}.html.")


def write_plot(info: RecordingInfo, path: Path) -> None:
    """Write the rate of ON and OFF events over time, and a map of them, to one file.

    HTML needs no network and no other file; there, curves and map can be zoomed.

    Raises:
        ConfigError: as `require_plot`.
    """
    require_plot(path)
    if path.suffix.lower() == ".html":
        write_text(path, _page(info))
        return
    with atomic_path(path) as temporary:
        _drawing(info).save(temporary, format="PNG", optimize=True)


def _title(info: RecordingInfo) -> str:
    statistics = info.statistics
    fraction = "" if statistics.on_fraction is None else f", {percent(statistics.on_fraction)} ON"
    return (
        f"{info.name}: {compact(statistics.num_events)} events, {info.resolution}, "
        f"{significant(statistics.duration_us / 1e6)} s, {si(statistics.mean_rate, '/s')}{fraction}"
    )


def _page(info: RecordingInfo) -> str:
    # Plotly takes a second to import.
    import html

    import plotly.graph_objects as go
    from plotly.offline import get_plotlyjs

    from hardware.report.figures import event_rate

    seconds, on, off, bin_ms = _curves(info)
    rate = event_rate(seconds.tolist(), {"ON": on.tolist(), "OFF": off.tolist()})
    source = "data:image/png;base64," + base64.b64encode(png_bytes(count_picture(info.pixel_counts))).decode("ascii")
    where = go.Figure(go.Image(source=source, hovertemplate="x %{x}, y %{y}<extra></extra>"))
    height = round(WIDTH_PX * info.resolution.height / info.resolution.width)
    where.update_layout(height=max(height, 200), margin={"l": 10, "r": 16, "t": 12, "b": 10})
    figures = [
        figure.to_html(full_html=False, include_plotlyjs=False, config={"displaylogo": False, "responsive": True})
        for figure in (rate, where)
    ]
    title = html.escape(_title(info))
    hot = f"{len(info.hot_pixels)} hot pixels" if info.hot_pixels else "no hot pixels"
    losses = "".join(f"<p>Left out: {html.escape(loss)}.</p>" for loss in info.losses)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        f"<script>{get_plotlyjs()}</script>\n"
        f"<style>{STYLE}</style></head>\n"
        f"<body><h1>{title}</h1>{losses}\n"
        f"<h2>Events per second, in bins of {bin_ms:g} ms</h2>\n{figures[0]}\n"
        f"<h2>Where they came from: {WHITE.legend}, dark both; {hot}</h2>\n{figures[1]}\n</body></html>\n"
    )


def _curves(info: RecordingInfo) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Start of each bin in seconds, ON and OFF events per second in it, length in ms; at most MAX_CURVE_BINS bins."""
    seconds, on, off = info.statistics.rates()
    joined = max(1, -(-len(on) // MAX_CURVE_BINS))
    bin_ms = joined * info.statistics.bin_us / 1000
    return seconds[::joined], resampled(on, MAX_CURVE_BINS), resampled(off, MAX_CURVE_BINS), bin_ms


def _drawing(info: RecordingInfo) -> Image.Image:
    inner = WIDTH_PX - 2 * MARGIN_PX
    picture = Image.fromarray(count_picture(info.pixel_counts))
    scale = inner / picture.width
    # Enlarged pixels stay sharp; a reduced map is averaged, so that no lone pixel is lost.
    resampling = Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.BOX
    picture = picture.resize((inner, max(1, round(picture.height * scale))), resampling)
    sheet = Image.new("RGB", (WIDTH_PX, CURVE_PX + 3 * MARGIN_PX + picture.height), WHITE.background)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN_PX, 16), _title(info).replace("\u202f", " "), fill=INK, font=ImageFont.load_default(15))
    _draw_curves(draw, info, left=MARGIN_PX, top=MARGIN_PX, width=inner)
    top = CURVE_PX + 2 * MARGIN_PX + 10
    where = f"where they came from: {WHITE.legend}, dark both"
    draw.text((MARGIN_PX, top - 18), where, fill=INK, font=ImageFont.load_default(12))
    sheet.paste(picture, (MARGIN_PX, top))
    draw.rectangle((MARGIN_PX - 1, top - 1, MARGIN_PX + inner, top + picture.height), outline=GRID)
    return sheet


def _draw_curves(draw: ImageDraw.ImageDraw, info: RecordingInfo, *, left: int, top: int, width: int) -> None:
    font = ImageFont.load_default(12)
    _, on, off, bin_ms = _curves(info)
    if not len(on):
        draw.text((left, top), "no events", fill=INK, font=font)
        return
    draw.text((left, top - 18), f"events per second, in bins of {bin_ms:g} ms", fill=INK, font=font)
    # The curve ends with its last bin, which may reach beyond the last event.
    last_s = len(on) * bin_ms / 1000
    peak = max(float(on.max()), float(off.max()))
    bottom = top + CURVE_PX
    for share in (0, 0.5, 1):
        height = bottom - share * CURVE_PX
        draw.line((left, height, left + width, height), fill=GRID)
        label = si(share * peak, "/s").replace("\u202f", " ")
        draw.text((left - 6, height), label, fill=INK, font=font, anchor="rm")
    for share in (0, 0.25, 0.5, 0.75, 1):
        label = f"{significant(share * last_s)} s"
        draw.text((left + share * width, bottom + 6), label, fill=INK, font=font, anchor="mt")
    for values, colour in ((off, WHITE.off), (on, WHITE.on)):
        borders = left + np.arange(len(values) + 1) / len(values) * width
        heights = bottom - values / peak * CURVE_PX
        steps = [(float(x), float(y)) for k, y in enumerate(heights) for x in borders[k : k + 2]]
        draw.line(steps, fill=colour, width=2)
    for place, (name, colour) in enumerate((("ON", WHITE.on), ("OFF", WHITE.off))):
        draw.text((left + width - 70 + 36 * place, top - 18), name, fill=colour, font=font)
