"""What all representations of events share: the events are cut into slices, and each slice is drawn."""

from abc import ABC, abstractmethod
from typing import Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Float32

from snnface.events.stream import EventStream
from snnface.events.window import Resolution, TimeWindow
from snnface.recording import Recording
from snnface.representations.event_steps import EventSteps, event_steps
from snnface.representations.slicing import Cutter, Slices, Slicing

__all__ = ["EventPictures", "EventPicturesConfig"]


@runtime_checkable
class EventPicturesConfig(Protocol):
    """What the settings of every representation of events say."""

    @property
    def resolution(self) -> Resolution: ...

    @property
    def step_us(self) -> int: ...

    @property
    def slicing(self) -> Slicing: ...


C = TypeVar("C", bound=EventPicturesConfig)


class EventPictures(ABC, Generic[C]):
    """A representation of events; a kind of picture is a subclass that draws slices.

    Called with a recording and a window it gives all pictures at once; a `PictureStream`
    gives each as soon as its events have come, with the same loops and so the same bits.
    """

    def __init__(self, config: C, *, num_channels: int) -> None:
        self.config = config
        self._num_channels = num_channels

    @property
    def num_channels(self) -> int:
        return self._num_channels

    @property
    def resolution(self) -> Resolution:
        return self.config.resolution

    @property
    def step_us(self) -> int:
        return self.config.step_us

    def __call__(self, recording: Recording, window: TimeWindow) -> Float32[np.ndarray, "T C H W"]:
        """The pictures of `window`, in memory of their own.

        Raises:
            DataError: if the recording has no events.
        """
        events = recording.required_events().between(window)
        slices = self.cutter(window.start_us).cut(np.asarray(events.t_us), window.end_us)
        return self.drawn(events, slices, memory=self.new_memory(), held=None)

    def cutter(self, start_us: int) -> Cutter:
        """A cutter of this representation's slices, the first of which begins at `start_us`."""
        return Cutter(self.config.slicing, step_us=self.step_us, start_us=start_us)

    def drawn(
        self,
        events: EventStream,
        slices: Slices,
        *,
        memory: np.ndarray | None,
        held: Float32[np.ndarray, "C H W"] | None,
    ) -> Float32[np.ndarray, "T C H W"]:
        """The pictures that `slices` show.

        Args:
            memory: from `new_memory`; it is written to.
            held: the picture to show before the first of these slices; None: zero.
        """
        size = self.resolution
        # Zeros that were never written cost nothing: the system hands out such memory on first use.
        flat = np.zeros((slices.num_slices, self.num_channels, size.num_pixels), np.float32)
        self.draw(flat, event_steps(events, slices, size), memory)
        pictures = flat.reshape(-1, self.num_channels, size.height, size.width)
        return pictures if slices.each_is_shown_once else _shown(pictures, slices.shown, held)

    def new_memory(self) -> np.ndarray | None:
        """What one slice leaves behind for those after it, before the first; None: nothing."""
        return None

    @abstractmethod
    def draw(
        self, pictures: Float32[np.ndarray, "slices C pixels"], steps: EventSteps, memory: np.ndarray | None
    ) -> None:
        """Draw every slice into its picture, which is zero before."""


def _shown(pictures: np.ndarray, shown: np.ndarray, held: np.ndarray | None) -> np.ndarray:
    repeated = np.zeros((len(shown), *pictures.shape[1:]), np.float32)
    is_new = shown >= 0
    repeated[is_new] = pictures[shown[is_new]]
    if held is not None:
        repeated[~is_new] = held
    return repeated
