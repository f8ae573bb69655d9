"""The largest square in the middle of what a camera sees, of events and of frames."""

from snnface.events.filters import centre_square, crop
from snnface.events.frames import FrameClip
from snnface.events.stream import EventStream

__all__ = ["square_events", "square_frames"]


def square_events(events: EventStream) -> EventStream:
    """The events in the middle square of their sensor."""
    size = events.resolution
    return events if size.height == size.width else crop(events, centre_square(size))


def square_frames(frames: FrameClip) -> FrameClip:
    """The middle square of every frame."""
    box = centre_square(frames.resolution)
    rows, columns = slice(box.top, box.top + box.height), slice(box.left, box.left + box.width)
    return FrameClip(pixels=frames.pixels[:, rows, columns], t_us=frames.t_us)
