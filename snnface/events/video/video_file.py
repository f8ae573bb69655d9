"""A video file as a source of frames, decoded by FFmpeg through PyAV.

Why PyAV and not OpenCV, which uses FFmpeg too. On files made for the comparison (H.264,
HEVC, VP9, MPEG-2, MPEG-4, WMV, FFV1; irregular times, B-frames, edit lists, rotation, odd
sizes) both give exact times in MP4, MOV, MKV and WebM. OpenCV gives wrong ones in AVI with
B-frames, in MPEG program streams and in raw H.264, without a word, where PyAV gives the
right ones, or none at all. OpenCV turns a mirrored picture instead of mirroring it, takes
deep and HDR pictures for plain 8-bit ones, and ends at a damaged place as at the end of the file.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snnface.errors import DataError
from snnface.events.video.source import FrameSource, native_resolution
from snnface.events.window import Resolution

if TYPE_CHECKING:
    import av

__all__ = ["VideoFile"]

logger = logging.getLogger(__name__)

# Formats that are one file. Play lists would make FFmpeg open other files and addresses.
FORMATS = (
    "apng,asf,avi,dv,flv,gif,h264,hevc,ivf,m4v,matroska,mjpeg,mov,mpeg,mpegts,mpegvideo,mxf,nut,obu,ogg,rm,yuv4mpegpipe"
)
OPTIONS = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
# Transfer functions of HDR video. Source: ITU-T H.273, table 3.
HDR_TRANSFERS = {16: "PQ", 18: "HLG"}
# EBML: the element of a Matroska file that holds all the rest.
SEGMENT_ID = 0x18538067


class VideoFile(FrameSource):
    """The first video stream of a file; rotation and mirroring in its header are followed.

    Times are the presentation times of the stream, rounded to microseconds. Limited range
    and the stream's colour matrix are undone. More than 8 bits are rounded to 8; pictures
    with an HDR transfer function (PQ, HLG) or float samples are refused.

    Raises:
        DataError: if it is no video, is damaged, has no times, or a frame is of another size.
    """

    def __init__(self, path: Path, resolution: Resolution | None, *, fps: float | None) -> None:
        self.fps = fps
        with _container(path) as container, _damage(path, 0):
            stream = container.streams.video[0]
            codec = stream.codec_context
            stored = native_resolution(path, codec.height, codec.width)
            self.is_compressed = codec.codec.lossy or not codec.codec.lossless
            self.num_frames = stream.frames or None
            self.duration_us = self._duration_us(container, stream)
            codec.thread_count = 1
            first = next(container.decode(stream), None)
            if first is None:
                raise DataError(f"{path} should hold frames; none can be decoded. It is empty or damaged.")
            _require_plain(path, first)
            self._turn = _turn(path, first)
            if first.interlaced_frame:
                logger.warning("%s is interlaced: moving edges look like combs and give false events.", path)
            aspect = stream.sample_aspect_ratio
        pixel_aspect = float(aspect) if aspect else 1.0
        self._stored = stored
        is_transposed = self._turn[0]
        native = Resolution(height=stored.width, width=stored.height) if is_transposed else stored
        super().__init__(path, native, resolution, pixel_aspect=1 / pixel_aspect if is_transposed else pixel_aspect)

    def _pictures(self) -> Iterator[tuple[np.ndarray, int]]:
        first_pts = None
        index = 0
        with _container(self.path) as container:
            stream = container.streams.video[0]
            # Many files at a time go to many processes; threads within one would only compete.
            stream.codec_context.thread_count = 1
            for frame in self._decoded(container, stream):
                if frame.pts is None and self.fps is None:
                    raise DataError(f"{self.path}: frame {index} has no time; give the frame rate (fps).")
                first_pts = frame.pts if first_pts is None else first_pts
                yield self._upright(frame, index), self._time_us(frame, index, first_pts)
                index += 1
        _require_whole(self.path, index)

    def _decoded(self, container: "av.container.InputContainer", stream: Any) -> Iterator["av.VideoFrame"]:
        """Frames in order of presentation, up to the first damage."""
        index = 0
        packets = container.demux(stream)
        while True:
            with _damage(self.path, index):
                packet = next(packets, None)
                frames = [] if packet is None else packet.decode()
            if packet is None:
                return
            for frame in frames:
                if frame.is_corrupt:
                    raise _damaged(self.path, index, "its data do not decode")
                yield frame
                index += 1
            # The frames before it are whole; what follows is guessed by the decoder.
            if packet.is_corrupt:
                raise _damaged(self.path, index, "its data are cut off")

    def _time_us(self, frame: "av.VideoFrame", index: int, first_pts: int | None) -> int:
        if self.fps is not None:
            return round(index * 1e6 / self.fps)
        assert first_pts is not None
        return round((frame.pts - first_pts) * Fraction(frame.time_base) * 1_000_000)

    def _upright(self, frame: "av.VideoFrame", index: int) -> np.ndarray:
        if (frame.height, frame.width) != (self._stored.height, self._stored.width):
            raise DataError(
                f"{self.path}: frame {index} should be {self._stored} pixels like the first; it is "
                f"{frame.width}x{frame.height}. Split the file there."
            )
        with _damage(self.path, index):
            if _bits(frame) > 8:
                deep = frame.to_ndarray(format="rgb48le").astype(np.uint32)
                rgb = ((deep + 128) // 257).astype(np.uint8)
            else:
                rgb = frame.to_ndarray(format="rgb24")
        is_transposed, step_y, step_x = self._turn
        return (rgb.transpose(1, 0, 2) if is_transposed else rgb)[::step_y, ::step_x]

    def _duration_us(self, container: Any, stream: Any) -> int | None:
        if self.fps is not None:
            return round((self.num_frames - 1) * 1e6 / self.fps) if self.num_frames else None
        if stream.duration is not None:
            return round(stream.duration * Fraction(stream.time_base) * 1_000_000)
        # In FFmpeg's own unit, which is a microsecond.
        return container.duration


@contextmanager
def _container(path: Path) -> Iterator["av.container.InputContainer"]:
    import av

    try:
        # An absolute path cannot be taken for an address.
        container = av.open(str(path.resolve()), options=OPTIONS)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise DataError(
            f"{path} should be a video, or an array in a .npy or .npz; it cannot be opened ({_cause(error)}). "
            "It is damaged, or of another kind."
        ) from error
    with container:
        if not container.streams.video:
            raise DataError(f"{path} should hold a video stream; it holds none.")
        yield container


@contextmanager
def _damage(path: Path, index: int) -> Iterator[None]:
    import av

    try:
        yield
    except (av.FFmpegError, OSError) as error:
        raise _damaged(path, index, _cause(error)) from error


def _damaged(path: Path, index: int, cause: str) -> DataError:
    return DataError(f"{path}: frame {index} cannot be decoded ({cause}). The file is damaged; copy it again.")


def _cause(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _require_plain(path: Path, frame: "av.VideoFrame") -> None:
    transfer = HDR_TRANSFERS.get(int(frame.color_trc))
    if transfer or "f32" in frame.format.name or "f16" in frame.format.name:
        kind = f"HDR ({transfer})" if transfer else f"float ({frame.format.name})"
        raise DataError(f"{path} is {kind} video; luminance in 0..255 is needed. Convert it to SDR (BT.709) first.")


def _bits(frame: "av.VideoFrame") -> int:
    return max(component.bits for component in frame.format.components)


def _turn(path: Path, frame: "av.VideoFrame") -> tuple[bool, int, int]:
    """How to bring a picture upright: whether to transpose it, then the steps (1 or -1) through rows and columns.

    The display matrix sends column x and row y to column a x + c y and row b x + d y; its
    first five entries are a, b, u, c, d.
    """
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return False, 1, 1
    a, b, _, c, d = (int(entry) for entry in np.frombuffer(bytes(data), np.int32)[:5])
    if b == c == 0 and a and d:
        return False, 1 if d > 0 else -1, 1 if a > 0 else -1
    if a == d == 0 and b and c:
        return True, 1 if b > 0 else -1, 1 if c > 0 else -1
    raise DataError(f"{path} should be turned by a multiple of 90 degrees; its header says otherwise. Convert it.")


def _require_whole(path: Path, num_frames: int) -> None:
    """FFmpeg takes the end of a Matroska file that was cut off for its regular end."""
    end = _matroska_end(path)
    size = path.stat().st_size
    if end is not None and end > size:
        raise _damaged(path, num_frames, f"the file should have {end} bytes and has {size}")


def _matroska_end(path: Path) -> int | None:
    """Where the Segment of a Matroska or WebM file ends; None if it is another format, or open-ended.

    Source: RFC 8794, sec. 4 and 5 (variable-size integers); RFC 9559, sec. 5.1.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    if head[:4] != b"\x1a\x45\xdf\xa3":
        return None
    size, start = _variable_size(head, 4)
    place = start + (size or 0)
    if int.from_bytes(head[place : place + 4], "big") != SEGMENT_ID:
        return None
    size, start = _variable_size(head, place + 4)
    return None if size is None else start + size


def _variable_size(data: bytes, place: int) -> tuple[int | None, int]:
    """An EBML size and the place behind it; all ones mean unknown."""
    length = 9 - data[place].bit_length() if place < len(data) and data[place] else 8
    mask = (1 << 7 * length) - 1
    value = int.from_bytes(data[place : place + length], "big") & mask
    return None if value == mask else value, place + length
