"""One subject, one take: events and/or frames with an identity."""

from dataclasses import dataclass

from snnface.errors import DataError
from snnface.events.frames import FrameClip
from snnface.events.stream import EventStream
from snnface.events.window import TimeWindow

__all__ = ["Recording"]


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Events and/or frames of one subject in one take; all share one clock (microseconds).

    Attributes:
        recording_id: unique in its data set.
        subject: who is seen; splits keep subjects apart by this name.

    Raises:
        DataError: if there are neither events nor frames.
    """

    recording_id: str
    subject: str
    events: EventStream | None = None
    frames: FrameClip | None = None

    def __post_init__(self) -> None:
        if self.events is None and self.frames is None:
            raise DataError(f"recording {self.recording_id!r} needs events or frames; it has neither.")

    def required_events(self) -> EventStream:
        """The events, for whoever cannot do without.

        Raises:
            DataError: if there are frames only.
        """
        if self.events is None:
            raise DataError(
                f"recording {self.recording_id!r} holds frames only; events are needed here. "
                "Emulate them first, or choose a representation of frames."
            )
        return self.events

    @property
    def window(self) -> TimeWindow:
        """The smallest window that holds every event and every frame time."""
        spans = [] if self.events is None or self.events.is_empty else [self.events.window]
        if self.frames is not None and len(self.frames):
            spans.append(TimeWindow(int(self.frames.t_us[0]), int(self.frames.t_us[-1]) + 1))
        if not spans:
            return TimeWindow(0, 0)
        return TimeWindow(min(s.start_us for s in spans), max(s.end_us for s in spans))
