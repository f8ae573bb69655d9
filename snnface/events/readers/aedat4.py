"""AEDAT4 files of iniVation cameras, decoded by the `aedat` package."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import aedat
import numpy as np

from snnface.errors import DataError
from snnface.events.frames import FrameClip
from snnface.events.readers.base import EventFile, Extras, checked_stream
from snnface.events.sensor_data import SensorData, Triggers
from snnface.events.stream import EventStream
from snnface.events.window import Resolution

__all__ = ["Aedat4File"]

SIGNATURE_BYTES = 14  # "#!AER-DAT4.0\r\n"
MAX_HEADER_BYTES = 1 << 24

# Codes that start something (an external edge or pulse, a generator edge, a frame, an
# exposure); the others end it. Source: iniVation dv-processing, enum TriggerType.
RISING_CODES = (1, 3, 4, 6, 8)


class Aedat4File(EventFile):
    """An AEDAT4 file with one stream of events.

    Conventions: the time of a frame is the middle of its exposure, as the format has it
    (field `t`); colour frames are RGB, an alpha channel is dropped. A trigger's channel
    is the format's own code; `rising` is True for the codes that start something.

    Raises:
        DataError: if the file is damaged, or holds no or several streams of events.
    """

    def __init__(self, path: Path, *, resolution: Resolution | None = None, recover: bool = False) -> None:
        with _decoding(path):
            _check_header(path)
            streams = list(aedat.Decoder(path).id_to_stream().values())
        event_streams = [stream for stream in streams if stream["type"] == "events"]
        if len(event_streams) != 1:
            raise DataError(
                f"{path} should hold one stream of events; it holds {len(event_streams)} among its streams "
                f"{sorted(stream['type'] for stream in streams)}. Export one camera a file."
            )
        if resolution is None:
            with _decoding(path):
                resolution = Resolution(height=event_streams[0]["height"], width=event_streams[0]["width"])
        super().__init__(path, resolution, recover=recover)
        self._kinds = {stream["type"] for stream in streams}

    def chunks(self) -> Iterator[EventStream]:
        for packet in self._packets():
            if "events" in packet:
                yield self._stream([packet["events"]])

    def read(self) -> SensorData:
        events: list[np.ndarray] = []
        triggers: list[np.ndarray] = []
        frames: list[dict[str, Any]] = []
        for packet in self._packets():
            for key, found in (("events", events), ("triggers", triggers), ("frame", frames)):
                if key in packet:
                    found.append(packet[key])
        return SensorData(
            events=self._stream(events),
            frames=self._frames(frames) if frames else None,
            triggers=_triggers(triggers) if "triggers" in self._kinds else None,
        )

    def extras(self) -> Extras:
        num_triggers = num_frames = 0
        for packet in self._packets():
            num_triggers += len(packet["triggers"]) if "triggers" in packet else 0
            num_frames += "frame" in packet
        return Extras(
            num_triggers=num_triggers if "triggers" in self._kinds else None,
            num_frames=num_frames if "frame" in self._kinds else None,
        )

    def _packets(self) -> Iterator[dict[str, Any]]:
        with _decoding(self.path):
            decoder = aedat.Decoder(self.path)
        while True:
            with _decoding(self.path):
                packet = next(decoder, None)
            if packet is None:
                return
            yield packet

    def _stream(self, packets: list[np.ndarray]) -> EventStream:
        """The packets' events; joined column by column, which is ten times as fast as joining the records."""
        if not packets:
            return EventStream.empty(self.resolution)
        x, y, t_us, polarity = (np.concatenate([packet[name] for packet in packets]) for name in ("x", "y", "t", "on"))
        return checked_stream(
            self.path, x=x, y=y, t_us=t_us.view(np.int64), polarity=polarity, resolution=self.resolution
        )

    def _frames(self, frames: list[dict[str, Any]]) -> FrameClip:
        pixels = [frame["pixels"] for frame in frames]
        shapes = {f"{picture.dtype} {list(picture.shape)}" for picture in pixels}
        if len(shapes) > 1:
            raise DataError(f"{self.path}: all frames must have one size and format; it has {sorted(shapes)}.")
        stack = np.stack(pixels)
        stack = stack[..., np.newaxis] if stack.ndim == 3 else stack[..., :3]
        try:
            return FrameClip(pixels=stack, t_us=np.array([frame["t"] for frame in frames], dtype=np.int64))
        except DataError as error:
            raise type(error)(f"{self.path}: {error}") from error


def _triggers(packets: list[np.ndarray]) -> Triggers:
    t_us = np.concatenate([np.empty(0, np.uint64), *(packet["t"] for packet in packets)])
    channel = np.concatenate([np.empty(0, np.uint8), *(packet["source"] for packet in packets)])
    return Triggers(t_us=t_us.view(np.int64), channel=channel, rising=np.isin(channel, RISING_CODES))


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    """Turn whatever the decoder throws at a damaged file into one sentence."""
    try:
        yield
    except DataError:
        raise
    except BaseException as error:
        # The package is written in Rust. Its panics derive from BaseException, and their
        # class cannot be imported; interrupts must pass.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise DataError(
            f"{path} begins like an AEDAT4 file but cannot be decoded ({error}): it is truncated or damaged. "
            "Copy it again."
        ) from error


def _check_header(path: Path) -> None:
    """Refuse a damaged header before the decoder sees it.

    The decoder aborts the whole process on a header whose XML is not UTF-8. The header
    is a flatbuffer with a size before it; its third field is the XML text.

    Raises:
        Exception: any, if an offset, the text or the XML is invalid.
    """
    with path.open("rb") as file:
        file.seek(SIGNATURE_BYTES)
        size = struct.unpack("<I", file.read(4))[0]
        if size > MAX_HEADER_BYTES:
            raise DataError(f"{path}: the AEDAT4 header claims {size} bytes; it is damaged. Copy the file again.")
        header = file.read(size)
    table = _unpacked("<I", header, 0)
    fields = table - _unpacked("<i", header, table)
    text = table + _unpacked("<H", header, fields + 8)
    text += _unpacked("<I", header, text)
    length = _unpacked("<I", header, text)
    xml = header[text + 4 : text + 4 + length]
    if len(xml) < length:
        raise ValueError("the header's text is cut off")
    ElementTree.fromstring(xml.decode("utf-8"))


def _unpacked(form: str, data: bytes, offset: int) -> int:
    if offset < 0:
        raise ValueError("an offset in the header points before its start")
    return int(struct.unpack_from(form, data, offset)[0])
