"""Event frames as small pictures: ON and OFF in two colours on white."""

import io

import numpy as np
from jaxtyping import Float, Shaped, UInt8
from PIL import Image

from snnface.errors import ShapeError
from snnface.events.pictures import WHITE
from snnface.representations.histogram import ON_CHANNEL

__all__ = ["event_montage", "png_bytes"]

# As in the figures: blue for ON, vermilion for OFF.
_ON, _OFF = np.array(WHITE.on, np.float32), np.array(WHITE.off, np.float32)
_GAP = 4
_STEP_PX = 96


def event_montage(
    frames: Shaped[np.ndarray, "T C H W"], *, on_channel: int = ON_CHANNEL, num_steps: int = 8, scale: int | None = None
) -> UInt8[np.ndarray, "rows columns 3"]:
    """The `num_steps` consecutive steps of a clip that hold the most events, side by side.

    The count at which a colour is full is the 99th percentile of the counts that are not
    zero, over the whole clip, so that steps can be compared.

    Args:
        frames: events per pixel, two polarity channels, or one channel (shown as ON).
        on_channel: which channel counts ON events.
        scale: screen pixels per sensor pixel; None makes a step about 96 wide.

    Raises:
        ShapeError: if there are more than two channels or no step.
    """
    if not len(frames) or frames.shape[1] not in (1, 2):
        raise ShapeError(f"event pictures need [T, 1 or 2, H, W] with T >= 1; got {list(frames.shape)}.")
    scale = scale or max(1, round(_STEP_PX / frames.shape[3]))
    counts = np.abs(frames.astype(np.float32))
    chosen = _busiest_run(counts.sum(axis=(1, 2, 3)), min(num_steps, len(frames)))
    seen = counts[counts > 0]
    full = float(np.quantile(seen, 0.99)) if seen.size else 1.0
    strength = np.clip(counts[chosen] / full, 0, 1) ** 0.5
    on = strength[:, min(on_channel, strength.shape[1] - 1)]
    off = strength[:, 1 - on_channel] if strength.shape[1] == 2 else np.zeros_like(on)
    colours = 255.0 - on[..., None] * (255.0 - _ON) - off[..., None] * (255.0 - _OFF)
    pictures = np.clip(colours, 0, 255).astype(np.uint8).repeat(scale, axis=1).repeat(scale, axis=2)
    height, width = pictures.shape[1:3]
    sheet = np.full((height, (width + _GAP) * len(pictures) - _GAP, 3), 228, np.uint8)
    for index, picture in enumerate(pictures):
        sheet[:, index * (width + _GAP) : index * (width + _GAP) + width] = picture
    return sheet


def _busiest_run(totals: Float[np.ndarray, " T"], length: int) -> slice:
    """The run of `length` steps with the greatest sum; the first of equal ones."""
    sums = np.convolve(totals, np.ones(length), mode="valid")
    start = int(sums.argmax())
    return slice(start, start + length)


def png_bytes(picture: UInt8[np.ndarray, "rows columns 3"]) -> bytes:
    """A picture as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
