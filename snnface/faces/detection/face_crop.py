"""Square crops that follow a face, the same for frames and events.

The boxes may come from the frames of the same sensor (a DAVIS), from another camera after
its coordinates were mapped, or from a file of landmarks: whatever gives a `BoxTrack`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64, UInt8

from snnface.errors import ConfigError
from snnface.events.filters import BoxTrack, crop_to_track
from snnface.events.frames import FrameClip
from snnface.events.stream import EventStream
from snnface.events.window import Resolution
from snnface.faces.detection.smoothing import smoothed

__all__ = ["FaceCrop", "cropped_events", "cropped_frames", "face_squares"]

# Samples a side; as many as a picture has pixels at most. A larger square shows hardly more than edges.
_MAX_SAMPLES = 8192


@dataclass(frozen=True, kw_only=True)
class FaceCrop:
    """Settings of a crop.

    Attributes:
        size: rows and columns of the result.
        margin: side of the square, as a multiple of the longer side of the box around the 68 points.
        is_moving: the square follows the face. Otherwise it rests at the median place, in the largest
            size: motion of the head then stays visible and no events come from the crop's own motion.
        smoothing_ms: width of the running mean over the moving square, see `smoothed`.
        is_causal: smooth with the past only, as a stream must.

    Source: 64 x 64 crops: Mastropasqua et al. 2025, sec. 5; margin and smoothing are ours.
    """

    size: int = 64
    margin: float = 1.3
    is_moving: bool = True
    smoothing_ms: float = 100.0
    is_causal: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.size <= 65535 or not 0.1 <= self.margin <= 10:
            raise ConfigError(f"a crop needs 1..65535 pixels a side and a margin of 0.1..10; got {self}.")
        if not 0 <= self.smoothing_ms < float("inf"):
            raise ConfigError(f"smoothing_ms must be at least 0; got {self.smoothing_ms}.")
        if self.is_causal and not self.is_moving:
            raise ConfigError("a square that rests is placed by the whole track; is_causal needs is_moving.")


def face_squares(track: BoxTrack, crop: FaceCrop) -> BoxTrack:
    """The square around each box, smoothed over time, or one that rests."""
    boxes = np.asarray(track.boxes)
    centre, side = boxes[:, :2] + boxes[:, 2:] / 2, crop.margin * boxes[:, 2:].max(1, keepdims=True)
    if not crop.is_moving:
        centre, side = np.median(centre, 0, keepdims=True), side.max(0, keepdims=True)
        return BoxTrack(track.t_us[:1].copy(), np.hstack([centre - side / 2, side, side]))
    calm = smoothed(
        np.hstack([centre, side]), np.asarray(track.t_us), width_ms=crop.smoothing_ms, causal=crop.is_causal
    )
    centre, side = calm[:, :2], calm[:, 2:]
    return BoxTrack(track.t_us.copy(), np.hstack([centre - side / 2, side, side]))


def cropped_events(stream: EventStream, track: BoxTrack, crop: FaceCrop) -> EventStream:
    """The events inside the square at their own time, `crop.size` pixels a side.

    An event goes to the pixel of the crop that the middle of its own pixel lies in, as its
    brightness does in `cropped_frames`.

    Args:
        track: boxes around the 68 points, in this sensor's coordinates and on its clock.
    """
    squares = face_squares(track, crop)
    # `crop_to_track` asks where a pixel's upper left corner lies.
    middles = BoxTrack(squares.t_us, squares.boxes - [0.5, 0.5, 0.0, 0.0])
    return crop_to_track(stream, middles, Resolution(height=crop.size, width=crop.size))


def cropped_frames(clip: FrameClip, track: BoxTrack, crop: FaceCrop) -> FrameClip:
    """Every frame's square, `crop.size` pixels a side, at the place that events of its time are cut at.

    Between the track's times the square moves linearly (a stream knows the next one a frame
    later), before and after it rests: which frames really show the face is told by
    `TrackedLandmarks.present_at`. Area averages where
    the square is reduced, bilinear where it is enlarged; beyond the picture its edge goes on.
    """
    squares = _boxes_at(face_squares(track, crop), np.asarray(clip.t_us))
    shape = (len(clip), crop.size, crop.size, clip.pixels.shape[3])
    pixels = np.empty(shape, dtype=np.uint8)
    for frame, square, result in zip(clip.pixels, squares, pixels, strict=True):
        result[:] = _cut(frame, square, crop.size)
    return FrameClip(pixels=pixels, t_us=clip.t_us)


def _boxes_at(track: BoxTrack, t_us: Int64[np.ndarray, " T"]) -> Float64[np.ndarray, "T 4"]:
    return np.stack([np.interp(t_us, track.t_us, column) for column in np.asarray(track.boxes).T], 1)


def _cut(frame: UInt8[np.ndarray, "H W C"], square: Float64[np.ndarray, " 4"], size: int) -> UInt8[np.ndarray, "S S C"]:
    """Through a grid of samples, as many a pixel as it covers, and their mean."""
    import cv2

    step = float(square[2]) / size
    samples = max(1, min(int(np.ceil(step)), _MAX_SAMPLES // size))
    fine = step / samples
    # Box coordinates count from the pixel's corner, cv2's from its centre.
    start = square[:2] + fine / 2 - 0.5
    cut = cv2.warpAffine(
        np.ascontiguousarray(frame),
        np.array([[fine, 0, start[0]], [0, fine, start[1]]]),
        (size * samples, size * samples),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    if samples > 1:
        cut = cv2.resize(cut, (size, size), interpolation=cv2.INTER_AREA)
    return cut.reshape(size, size, -1)
