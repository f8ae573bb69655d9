"""Some frames of a long video, in colour, without decoding what comes before them."""

from pathlib import Path

import numpy as np

from snnface.datasets.layout.pictures import MAX_BYTES, frame_times
from snnface.errors import DataError
from snnface.events.frames import FrameClip
from snnface.events.video.source import native_resolution
from snnface.events.video.video_file import FORMATS

__all__ = ["video_part"]

# One file, and no address: play lists would make FFmpeg open other things.
OPTIONS = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}


def video_part(path: Path, start: int, stop: int, *, fps: float) -> FrameClip:
    """Frames start..stop - 1 of a video of constant rate, RGB; frame k is at k / fps.

    The video is entered at the last key frame before `start`, so a part costs as much as its
    own frames and those since the key frame.

    Raises:
        DataError: if it is no video, is damaged, ends before `stop`, or the part takes more than 16 GiB.
    """
    import av

    try:
        with av.open(str(path.resolve()), options=OPTIONS) as container:
            if not container.streams.video:
                raise DataError(f"{path} should hold a video stream; it holds none.")
            pictures = _decoded(path, container, start, stop)
    except (av.FFmpegError, OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{path}: frames {start} to {stop - 1} cannot be decoded ({error}). Copy the file again."
        ) from error
    missing = [index for index in range(start, stop) if index not in pictures]
    if missing:
        raise DataError(
            f"{path} should have frames {start} to {stop - 1}; {len(missing)} are missing, the first is {missing[0]}. "
            "The file was cut, or the labels belong to another one."
        )
    pixels = np.stack([pictures[index] for index in range(start, stop)])
    return FrameClip(pixels=pixels, t_us=frame_times(stop, fps)[start:])


def _decoded(path: Path, container: "av.container.InputContainer", start: int, stop: int) -> dict[int, np.ndarray]:  # type: ignore[name-defined]
    stream = container.streams.video[0]
    stream.codec_context.thread_count = 1
    size = native_resolution(path, stream.codec_context.height, stream.codec_context.width)
    if (stop - start) * size.num_pixels * 3 > MAX_BYTES:
        raise DataError(f"{path}: {stop - start} frames of {size} take more than 16 GiB. Take shorter clips.")
    rate, base, origin = stream.average_rate, stream.time_base, stream.start_time or 0
    if not rate:
        raise DataError(f"{path} should have a constant frame rate; its header states none. Write it anew.")
    container.seek(origin + int(start / rate / base), stream=stream, backward=True)
    pictures = {}
    for frame in container.decode(stream):
        if frame.pts is None:
            raise DataError(f"{path}: a frame has no time, by which it could be found. Write the file anew.")
        index = round((frame.pts - origin) * base * rate)
        if index >= stop:
            break
        if index >= start:
            pictures[index] = frame.to_ndarray(format="rgb24")
    return pictures
