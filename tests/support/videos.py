"""Small video files for tests, with every frame's time chosen."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

__all__ = ["texture", "write_video"]

CLOCK = Fraction(1, 90_000)


def texture(height: int, width: int, *, seed: int = 0) -> np.ndarray:
    """Smooth random luminance with mean 128, float64 [H, W], in 5..250."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    total = np.zeros((height, width))
    for _ in range(24):
        angle, phase = generator.uniform(0, 2 * np.pi, 2)
        turns = 2 * np.pi / generator.uniform(9, 40)
        total += np.sin(turns * (np.cos(angle) * columns + np.sin(angle) * rows) + phase)
    return np.clip(128 + 40 * total / total.std(), 5, 250)


def write_video(
    path: Path,
    frames: Sequence[np.ndarray],
    times_us: Sequence[int],
    *,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    clock: Fraction = CLOCK,
    num_b_frames: int = 2,
    transfer: int | None = None,
    aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    bit_rate: int | None = None,
) -> Path:
    """Encode uint8 [H, W] or [H, W, 3] frames, each presented at its time."""
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream: Any = container.add_stream(codec, rate=25, options=options or {})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixel_format
        stream.time_base = stream.codec_context.time_base = clock
        if codec in ("libx264", "mpeg4"):
            stream.codec_context.max_b_frames = num_b_frames
        if transfer is not None:
            stream.codec_context.color_trc = transfer
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if bit_rate is not None:
            stream.bit_rate = bit_rate
        for frame, t_us in zip(frames, times_us, strict=True):
            rgb = frame if frame.ndim == 3 else np.repeat(frame[..., None], 3, axis=2)
            picture = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=pixel_format)
            picture.pts, picture.time_base = round(t_us / 1_000_000 / clock), clock
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path
