"""Frames of DAVIS cameras in AEDAT 2.0 files, put together from single samples.

    bits 10..11    read: 0 before the exposure (reset), 1 after it (signal)
    bits 12..21    x, from the left: not mirrored, unlike that of events
    bits 22..30    y, from below, as that of events
    bits 0..9      what the converter measured; light lowers it

Source: iniVation, "AEDAT 2.0" file format; jAER (its extractors decide the directions of x and y).
"""

from typing import NamedTuple

import numpy as np

from snnface.events.window import Resolution
from snnface.jit import jit

__all__ = ["Frame", "FrameBuilder"]

RESET, SIGNAL = 0, 1
# State of a builder. Samples are numbered in the order in which they come: that of the first one of the frame in work,
# of the latest signal, and of the next one; frames given up; times of the latest reset and of the frame's first signal.
FIRST, LATEST_SIGNAL, NEXT, NUM_GIVEN_UP, RESET_US, SIGNAL_US = range(6)


class Frame(NamedTuple):
    """Pixels uint8 [H, W], and the middle of the exposure."""

    pixels: np.ndarray
    t_us: int


class FrameBuilder:
    """Samples in, in file order; whole frames out. Holds one frame in work.

    Conventions:
      * A pixel is its reset sample less its signal sample, not below 0; the upper 8 of 10 bits.
        The samples of a colour camera come as they are, a mosaic of its filters.
      * The time is the middle between the last reset sample and the first signal sample: of the
        exposure of all pixels (global shutter), or of the middle row's or column's (rolling).
      * A frame is whole when the reset and then the signal of every pixel have come, in any order
        of pixels. One that is not whole when the resets of the next come is given up.

    Attributes:
        num_incomplete: frames given up so far, and the one in work if there is one.
    """

    def __init__(self, resolution: Resolution) -> None:
        self._samples = np.zeros((2, resolution.height, resolution.width), np.int16)
        self._numbers = np.full(self._samples.shape, -1, np.int64)
        self._state = np.array([0, -1, 0, 0, 0, 0], np.int64)

    @property
    def num_incomplete(self) -> int:
        return int(self._state[NUM_GIVEN_UP]) + int(self._state[NEXT] > self._state[FIRST])

    def push(self, words: np.ndarray, t_us: np.ndarray) -> list[Frame]:
        """The frames that these samples (uint32 [N], int64 [N]) complete."""
        frames: list[Frame] = []
        start = 0
        while start < len(words):
            start = _collect(words, t_us, start, self._samples, self._numbers, self._state)
            if self._state[NEXT] - self._state[FIRST] == self._samples.size:
                light = np.maximum(self._samples[RESET] - self._samples[SIGNAL], 0) >> 2
                middle = int(self._state[RESET_US] + self._state[SIGNAL_US]) // 2
                frames.append(Frame(light.astype(np.uint8), middle))
                self._state[FIRST] = self._state[NEXT]
        return frames


@jit
def _collect(words, t_us, start, samples, numbers, state):  # type: ignore[no-untyped-def]
    """Take samples until a frame is whole or there are no more; returns the index of the next one."""
    _, height, width = samples.shape
    for index in range(start, len(words)):
        word = np.int64(words[index])
        kind, x, y = word >> 10 & 3, word >> 12 & 0x3FF, height - 1 - (word >> 22 & 0x1FF)
        if kind > SIGNAL or x >= width or y < 0:
            continue
        first, latest_signal, reset = state[FIRST], state[LATEST_SIGNAL], numbers[RESET, y, x]
        if kind == RESET:
            if reset >= first:
                # The next frame; resets since the latest signal were already its.
                state[NUM_GIVEN_UP] += 1
                state[FIRST] = state[NEXT] if reset > latest_signal else latest_signal + 1
            state[RESET_US] = t_us[index]
        elif reset < first or numbers[SIGNAL, y, x] >= first:
            continue
        else:
            if latest_signal < first:
                state[SIGNAL_US] = t_us[index]
            state[LATEST_SIGNAL] = state[NEXT]
        samples[kind, y, x], numbers[kind, y, x] = word & 0x3FF, state[NEXT]
        state[NEXT] += 1
        if state[NEXT] - state[FIRST] == samples.size:
            return index + 1
    return len(words)
