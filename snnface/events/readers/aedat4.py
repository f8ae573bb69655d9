"""AEDAT4 files of iniVation cameras, decoded by the `aedat` package."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aedat
import numpy as np

from snnface.errors import DataError
from snnface.events.readers.aedat4_container import container, packet_end
from snnface.events.readers.assembly import Assembly
from snnface.events.readers.base import Extras
from snnface.events.readers.frame_collection import collected_frames
from snnface.events.readers.pieces import EventColumns, PieceFile
from snnface.events.sensor_data import ImuSamples, SensorData, Triggers
from snnface.events.stream import EventStream
from snnface.events.window import Resolution

__all__ = ["Aedat4File"]

# Codes that start something (an external edge or pulse, a generator edge, a frame, an
# exposure); the others end it. Source: iniVation dv-processing, enum TriggerType.
RISING_CODES = (1, 3, 4, 6, 8)
AXES = "xyz"


class Aedat4File(PieceFile):
    """An AEDAT4 file with one stream of events.

    Conventions: the time of a frame is the middle of its exposure, as the format has it
    (field `t`); colour frames are RGB, an alpha channel is dropped. A trigger's channel
    is the format's own code; `rising` is True for the codes that start something. The
    inertial sensor's samples have the format's units: g, degrees a second, degrees Celsius.
    Recovering, what stands before the first damaged packet is kept.

    Raises:
        DataError: if the file is damaged, or holds no or several streams of events.
    """

    def __init__(self, path: Path, *, resolution: Resolution | None = None, recover: bool = False) -> None:
        with _decoding(path):
            self._container = container(path)
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

    def extras(self) -> Extras:
        counts = {"triggers": 0, "frame": 0, "imus": 0}
        for packet, _ in self._packets(self._assembly()):
            for kind in counts.keys() & packet.keys():
                counts[kind] += 1 if kind == "frame" else len(packet[kind])
        known = {kind: count if kind in self._kinds else None for kind, count in counts.items()}
        return Extras(num_triggers=known["triggers"], num_frames=known["frame"], num_imu_samples=known["imus"])

    def _pieces(self, columns: EventColumns, assembly: Assembly, others: list[Any]) -> Iterator[int | None]:
        for packet, at_byte in self._packets(assembly):
            if "events" in packet:
                rows = packet["events"]
                columns.append(x=rows["x"], y=rows["y"], t_us=rows["t"].view(np.int64), polarity=rows["on"])
                yield at_byte
            else:
                others.append(packet)

    def _sensor_data(self, events: EventStream, others: list[Any], assembly: Assembly) -> SensorData:
        frames = [packet["frame"] for packet in others if "frame" in packet]
        return SensorData(
            events=events,
            frames=collected_frames(assembly, [frame["pixels"] for frame in frames], [frame["t"] for frame in frames]),
            triggers=_triggers(others) if "triggers" in self._kinds else None,
            imu=_imu(others) if "imus" in self._kinds else None,
        )

    def _packets(self, assembly: Assembly) -> Iterator[tuple[dict[str, Any], int]]:
        """Every packet and where it begins; recovering, those before the first damaged one."""
        with _decoding(self.path):
            decoder = aedat.Decoder(self.path)
        start = self._container.data_start
        with self.path.open("rb") as file:
            while start < self._container.data_end:
                try:
                    end = packet_end(self._container, file, start)
                    with _decoding(self.path):
                        packet = next(decoder, None)
                    if packet is None:
                        raise DataError("the decoder stops before the data end")
                except DataError as error:
                    assembly.damage(
                        f"a packet cannot be decoded: {error.__cause__ or error}. The file is truncated or damaged. "
                        "Copy it again, or keep what comes before (recover=True, --recover).",
                        dropped="damaged packet, with all that follows it",
                        at_byte=start,
                    )
                    return
                yield packet, start
                start = end


def _triggers(others: list[dict[str, Any]]) -> Triggers:
    packets = [packet["triggers"] for packet in others if "triggers" in packet]
    t_us = np.concatenate([np.empty(0, np.uint64), *(packet["t"] for packet in packets)])
    channel = np.concatenate([np.empty(0, np.uint8), *(packet["source"] for packet in packets)])
    return Triggers(t_us=t_us.view(np.int64), channel=channel, rising=np.isin(channel, RISING_CODES))


def _imu(others: list[dict[str, Any]]) -> ImuSamples:
    packets = [packet["imus"] for packet in others if "imus" in packet]

    def column(name: str, dtype: type[np.generic] = np.float32) -> np.ndarray:
        return np.concatenate([np.empty(0, dtype), *(packet[name] for packet in packets)])

    return ImuSamples(
        t_us=column("t", np.uint64).view(np.int64),
        acceleration_g=np.stack([column(f"accelerometer_{axis}") for axis in AXES], axis=1),
        rotation_deg_s=np.stack([column(f"gyroscope_{axis}") for axis in AXES], axis=1),
        temperature_c=column("temperature"),
    )


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
