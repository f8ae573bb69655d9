"""Frames in: a video file, a folder of pictures or an array, one grey frame at a time with its time."""

import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from snnface.errors import ConfigError, DataError, DatasetNotFoundError, EventOrderError
from snnface.events.video.compression import Deblocking, deblock
from snnface.events.window import Resolution

__all__ = ["FrameSource", "luma", "open_frames"]

logger = logging.getLogger(__name__)

# 8192x8192: greater pictures are taken for a damaged or hostile header.
MAX_PIXELS = 1 << 26
MAX_FPS = 1_000_000
NPY_MAGIC, ZIP_MAGIC = b"\x93NUMPY", b"PK\x03\x04"


class FrameSource(ABC):
    """Grey frames with their times, read one at a time: memory does not grow with the length.

    Iterating gives `(luma uint8 [H, W], t_us)`; a second iteration starts anew. The file is
    closed when the iteration ends or is given up.

    - Time is in microseconds from the first frame, so it begins at 0 and rises. A frame with
      the time of the one before (a container that rounds to milliseconds) is left out and
      counted in the log; a time that runs backwards is an error.
    - Colour becomes luma, see `luma`.
    - With a resolution, the greatest centred part of the picture that has the sensor's aspect
      ratio, to the nearest whole pixel, is resized by area averaging. There are no bars and no distortion.
      Pixels that are not square (DVD, DV) count with their displayed shape.

    Attributes:
        path: file or folder.
        resolution: of the frames that it gives.
        num_frames: as the header tells, for progress bars; None if it does not.
        duration_us: the same.
        start_us: the time of the first frame, where an array tells it; else 0.
        is_compressed: whether the pictures went through a lossy codec.
        deblocking: the filter that goes over the pictures in their own size; None: none.
    """

    num_frames: int | None = None
    duration_us: int | None = None
    start_us: int = 0
    is_compressed: bool = False
    deblocking: Deblocking | None = None

    def __init__(self, path: Path, native: Resolution, resolution: Resolution | None, *, pixel_aspect: float = 1.0):
        self.path = path
        self.native = native
        self.resolution = resolution or native
        self._rows, self._columns = _centred_part(native, resolution, pixel_aspect)

    @property
    def name(self) -> str:
        """The file's or folder's name without its suffix."""
        return self.path.stem if self.path.is_file() else self.path.name

    def __iter__(self) -> Iterator[tuple[UInt8[np.ndarray, "H W"], int]]:
        for frame, t_us in self.native_frames():
            yield self._fitted(frame), t_us

    def native_frames(self) -> Iterator[tuple[UInt8[np.ndarray, "H W"], int]]:
        """The frames as they are stored, in their own size and not deblocked."""
        start_us, last_us, num_repeated = 0, -1, 0
        for index, (picture, time_us) in enumerate(self._pictures()):
            start_us = time_us if index == 0 else start_us
            t_us = time_us - start_us
            if t_us < last_us:
                raise EventOrderError(
                    f"{self.path}: frame times must rise; frame {index} at {t_us} us comes after {last_us} us. "
                    "Write the file anew, or give a frame rate (fps) to count the frames instead."
                )
            if t_us == last_us:
                num_repeated += 1
                continue
            last_us = t_us
            yield (picture if picture.ndim == 2 else luma(picture)), t_us
        if last_us < 0:
            raise DataError(f"{self.path} should hold frames; it has none. It is empty or damaged.")
        if num_repeated:
            logger.warning("%s: left out %d frames with the time of the frame before.", self.path, num_repeated)

    @abstractmethod
    def _pictures(self) -> Iterator[tuple[np.ndarray, int]]:
        """uint8 [H, W] or [H, W, 3] (RGB) in native size, and times in microseconds from any zero."""

    def _fitted(self, frame: np.ndarray) -> np.ndarray:
        if self.deblocking is not None:
            frame = deblock(frame, self.deblocking)
        part = np.ascontiguousarray(frame[self._rows, self._columns])
        size = (self.resolution.width, self.resolution.height)
        if part.shape == size[::-1]:
            return part
        import cv2

        return cv2.resize(part, size, interpolation=cv2.INTER_AREA)


def open_frames(
    path: str | Path,
    *,
    fps: float | None = None,
    resolution: Resolution | None = None,
    deblocking: Deblocking | None = None,
) -> FrameSource:
    """Frames of a video file, a folder of pictures, or a .npy/.npz array.

    A file is recognised by its content, not by its name.

    - Video: any file that FFmpeg knows; times are the stream's presentation times.
    - Folder: its PNG, JPEG, BMP, TIFF, WebP and PNM files in natural order (2 before 10).
    - Array: uint8, or float in digital numbers 0..255 (rounded), [T, H, W] or [T, H, W, 3];
      in a .npz under `frames` (or alone), with `t_us` in microseconds or `frame_t` in seconds.

    Args:
        fps: frames a second. Needed where there are no times; where there are, it replaces
            them, for slow motion that was stored at another rate. Frame k is at k / fps.
        resolution: of the sensor; the pictures' own if left out.
        deblocking: a filter against block edges of lossy video, see `block_edges`.

    Raises:
        DatasetNotFoundError: if there is no such file or folder.
        ConfigError: if the frame rate is not in 0..10^6.
        DataError: if it holds no frames, or something in it is damaged, with file, frame and cause.
    """
    path = Path(path)
    if fps is not None and not (math.isfinite(fps) and 0 < fps <= MAX_FPS):
        raise ConfigError(f"fps must be above 0 and at most {MAX_FPS}; got {fps}.")
    source = _source(path, fps, resolution)
    source.deblocking = deblocking
    return source


def luma(rgb: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "H W"]:
    """Y = 0.299 R + 0.587 G + 0.114 B, rounded half up.

    >>> import numpy as np
    >>> luma(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]]], np.uint8)).tolist()
    [[76, 150, 29, 9]]

    Source: ITU-R BT.601-7, 2.5.1; the weights in thousandths are exact in integers.
    """
    # Compiled loops are imported at the first use: importing this module stays cheap.
    from snnface.events.video.picture_loops import weighted_sum

    return weighted_sum(rgb)


def _source(path: Path, fps: float | None, resolution: Resolution | None) -> FrameSource:
    if path.is_dir():
        from snnface.events.video.picture_folder import PictureFolder

        return PictureFolder(path, resolution, fps=fps)
    if not path.is_file():
        raise DatasetNotFoundError(f"{path} should be a video, a folder of pictures or an array; there is nothing.")
    with path.open("rb") as file:
        magic = file.read(6)
    if not magic:
        raise DataError(f"{path} should hold frames; the file has 0 bytes. Copy or download it again.")
    if magic == NPY_MAGIC or magic[:4] == ZIP_MAGIC:
        from snnface.events.video.frame_array import FrameArray

        return FrameArray(path, resolution, fps=fps)
    from snnface.events.video.video_file import VideoFile

    return VideoFile(path, resolution, fps=fps)


def native_resolution(path: Path, height: int, width: int) -> Resolution:
    """The size of pictures that a file claims to hold, if it can be believed.

    Raises:
        DataError: if a side is none or there are more than 2^26 pixels.
    """
    if not (0 < height <= 65535 and 0 < width <= 65535 and height * width <= MAX_PIXELS):
        raise DataError(
            f"{path} should hold pictures of 1 to {MAX_PIXELS} pixels with sides up to 65535; its header says "
            f"{width}x{height}. It is damaged, or no source of frames."
        )
    return Resolution(height=height, width=width)


def _centred_part(native: Resolution, wanted: Resolution | None, pixel_aspect: float) -> tuple[slice, slice]:
    """Rows and columns of the greatest centred part with the aspect ratio of `wanted`."""
    if wanted is None:
        return slice(0, native.height), slice(0, native.width)
    # In pixels of the picture, which are pixel_aspect times as wide as high.
    aspect = wanted.width / wanted.height / pixel_aspect
    height = min(native.height, max(round(native.width / aspect), 1))
    width = min(native.width, max(round(native.height * aspect), 1))
    top, left = (native.height - height) // 2, (native.width - width) // 2
    return slice(top, top + height), slice(left, left + width)
