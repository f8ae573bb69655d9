"""What was sent over time, as the counters read it: one pass over the messages, everything that adds up."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, Shaped, UInt8

from hardware.counts.operation_counts import EventType
from snnface.jit import jit

__all__ = ["EventTrain"]

# Elements summed over all steps before the next ones are looked at: their sums stay in the first cache.
BLOCK = 4096


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class EventTrain:
    """Messages of a population, or of the input; whatever is not 0 is an event.

    Attributes:
        events: [T, B, *shape], 0 where nothing was sent.
        per_element: events of each element over all steps, [B, I].
        per_step: events of each step, [T, B].
        low, high: the smallest and the largest message.
        is_constant: every one of several steps sent the same.
    """

    events: UInt8[np.ndarray, "T B *shape"]
    per_element: Int64[np.ndarray, "B I"]
    per_step: Int64[np.ndarray, "T B"]
    low: int
    high: int
    is_constant: bool

    @classmethod
    def of(cls, messages: Shaped[np.ndarray, "T B *shape"]) -> "EventTrain":
        """From integer messages of any type, or booleans."""
        is_constant = len(messages) > 1 and all(np.array_equal(messages[0], step) for step in messages[1:])
        if messages.dtype == np.uint8:
            low, high = 0, 0
            events = np.ascontiguousarray(messages)
        else:
            low, high = (int(messages.min()), int(messages.max())) if messages.size else (0, 0)
            events = np.ascontiguousarray(messages != 0).view(np.uint8)
        per_element, per_step, largest = _count(events.reshape(*events.shape[:2], -1))
        if messages.dtype == np.uint8:
            high = int(largest)
        return cls(
            events=events, per_element=per_element, per_step=per_step, low=low, high=high, is_constant=is_constant
        )

    @property
    def event_type(self) -> EventType:
        """What the values are, whatever was declared."""
        if self.low == self.high == 0:
            return "none"
        if self.low >= 0:
            return "binary" if self.high == 1 else "graded"
        return "signed" if self.low == -1 and self.high <= 1 else "graded"

    @property
    def num_events(self) -> Int64[np.ndarray, " B"]:
        return np.asarray(self.per_step.sum(axis=0))


@jit
def _count(
    events: UInt8[np.ndarray, "T B I"],
) -> tuple[Int64[np.ndarray, "B I"], Int64[np.ndarray, "T B"], np.uint8]:
    """Events of each element and of each step, and the largest value."""
    num_steps, num_samples, num_elements = events.shape
    per_element = np.zeros((num_samples, num_elements), np.int64)
    per_step = np.zeros((num_steps, num_samples), np.int64)
    sums = np.zeros(BLOCK, np.int32)
    bits = np.uint8(0)
    largest = np.zeros(BLOCK, np.uint8)
    for sample in range(num_samples):
        for start in range(0, num_elements, BLOCK):
            size = min(BLOCK, num_elements - start)
            for i in range(size):
                sums[i] = 0
            for step in range(num_steps):
                row = events[step, sample, start : start + size]
                found = np.int32(0)
                for i in range(size):
                    is_event = np.int32(row[i] != 0)
                    sums[i] += is_event
                    found += is_event
                    largest[i] = max(largest[i], row[i])
                per_step[step, sample] += found
            for i in range(size):
                per_element[sample, start + i] = sums[i]
    for i in range(BLOCK):
        bits = max(bits, largest[i])
    return per_element, per_step, bits
