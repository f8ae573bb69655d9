"""What a representation is: a recording and a time window in, pictures out."""

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32

from snnface.events.window import Resolution, TimeWindow
from snnface.recording import Recording

__all__ = ["Representation"]


@runtime_checkable
class Representation(Protocol):
    """`Recording` + `TimeWindow` -> float32 [T, C, H, W].

    Event pictures and plain frames alike. The sensor is scaled to `resolution` as a
    whole: pixel x goes to column floor(x * W / sensor width), rows likewise. Crop the
    recording first where only a part (the face) is wanted.

    The pictures lie in memory of their own, writable and in order, so that
    `torch.from_numpy(representation(recording, window))` is a tensor without a copy.
    """

    @property
    def num_channels(self) -> int: ...

    @property
    def resolution(self) -> Resolution: ...

    @property
    def step_us(self) -> int:
        """Duration of one step of the T axis, in microseconds; nominal where a slice is a number of events."""
        ...

    def __call__(self, recording: Recording, window: TimeWindow) -> Float32[np.ndarray, "T C H W"]:
        """T = window.num_steps(step_us); a shorter rest at the window's end is left out.

        Where a slice is a number of events, T is how many such slices the window holds.

        Raises:
            DataError: if the recording lacks what the representation needs.
        """
        ...
