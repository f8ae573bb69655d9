"""Which neurons the events of a step reach: those that a chip updates because something came in."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from conversion.graph import Connection, Conv2dSynapse, LinearSynapse, Synapse
from hardware.counts.event_trains import EventTrain
from snnface.jit import jit

__all__ = ["num_reached", "reached"]

# Frames looked at together; bounds memory.
FRAME_CHUNK = 64


def num_reached(
    connections: Sequence[Connection], trains: Sequence[EventTrain], shape: tuple[int, ...]
) -> Int64[np.ndarray, " B"]:
    """Neuron-steps of each sample in which at least one event comes in, through weights of zero too.

    Args:
        connections: into one population.
        trains: what each of them reads.
        shape: of the population.
    """
    delayed = [
        _delayed_reach(connection.delay, train).reshape(-1, shape[0], 1)
        for connection, train in zip(connections, trains, strict=True)
        if connection.delay is not None
    ]
    prompt = [pair for pair in zip(connections, trains, strict=True) if pair[0].delay is None]
    synapses = [connection.synapse for connection, _ in prompt]
    channels, steps = shape[0] if delayed else _channels_told_apart(synapses), trains[0].per_step
    found = np.zeros(steps.size, np.int64)
    for start in range(0, steps.size, FRAME_CHUNK):
        chunk = slice(start, start + FRAME_CHUNK)
        marks = np.zeros((len(found[chunk]), channels, math.prod(shape[1:])), np.uint8)
        for synapse, (_, train) in zip(synapses, prompt, strict=True):
            if isinstance(synapse, LinearSynapse):
                marks[train.per_step.reshape(-1)[chunk] > 0] = 1
            else:
                _mark(synapse, train.events.reshape(-1, *train.events.shape[2:])[chunk], marks)
        for late in delayed:
            marks |= late[chunk]
        found[chunk] = marks.sum(axis=(1, 2), dtype=np.int64) * (shape[0] // channels)
    return np.asarray(found.reshape(steps.shape).sum(axis=0))


def _delayed_reach(delay: Int64[np.ndarray, "O I"], train: EventTrain) -> UInt8[np.ndarray, "T B O"]:
    """Outputs that an event reaches at each step, so many steps after it was sent as its weight says."""
    events = train.events.reshape(*train.events.shape[:2], -1).astype(np.float32)
    marks = np.zeros((*events.shape[:2], len(delay)), np.uint8)
    for steps in np.unique(delay):
        if steps < len(events):
            marks[steps:] |= (events[: len(events) - steps] @ (delay == steps).T.astype(np.float32) > 0).astype(
                np.uint8
            )
    return marks


def reached(synapse: Synapse, events: UInt8[np.ndarray, "F *input"]) -> Bool[np.ndarray, "F N"]:
    """Neurons that the events of each of F steps reach through one connection."""
    shape = synapse.output_shape(events.shape[1:])
    channels = _channels_told_apart([synapse])
    marks = np.zeros((len(events), channels, math.prod(shape[1:])), np.uint8)
    if isinstance(synapse, LinearSynapse):
        marks[events.reshape(len(events), -1).any(axis=1)] = 1
    else:
        _mark(synapse, np.ascontiguousarray(events), marks)
    return np.asarray(marks.repeat(shape[0] // channels, axis=1).reshape(len(events), -1) > 0)


def _channels_told_apart(synapses: Sequence[Synapse]) -> int:
    """Channels of one group are reached by the same events; so many groups must be kept apart."""
    return math.lcm(*(synapse.groups if isinstance(synapse, Conv2dSynapse) else 1 for synapse in synapses))


def _mark(
    synapse: Conv2dSynapse, events: UInt8[np.ndarray, "F C H W"], marks: UInt8[np.ndarray, "F G positions"]
) -> None:
    size = synapse.output_shape(events.shape[1:])[1:]
    kernel = synapse.weight.shape[2:]
    numbers = np.array([*size, *kernel, *synapse.stride, *synapse.padding, *synapse.dilation], np.int64)
    _mark_frames(events, marks, synapse.groups, numbers)


@jit
def _mark_frames(
    events: UInt8[np.ndarray, "F C H W"],
    marks: UInt8[np.ndarray, "F G positions"],
    groups: int,
    numbers: Int64[np.ndarray, " 10"],
) -> None:
    """Set the marks of each group of channels where any event lies under the kernel."""
    rows, columns, high, wide, step_y, step_x, pad_y, pad_x, far_y, far_x = numbers
    num_frames, channels, height, width = events.shape
    per_group, copies = channels // groups, marks.shape[1] // groups
    pictures = events.reshape(num_frames, channels, height * width)
    any_channel = np.zeros(height * width, np.uint8)
    any_row = np.zeros(width, np.uint8)
    line = np.zeros(columns, np.uint8)
    # The columns whose tap lies inside the picture.
    offsets = np.arange(wide) * far_x - pad_x
    firsts = np.maximum(0, -(offsets // step_x))
    afters = np.minimum(columns, (width - 1 - offsets) // step_x + 1)
    for frame in range(num_frames):
        for group in range(groups):
            any_channel[:] = 0
            for channel in range(group * per_group, (group + 1) * per_group):
                _add(any_channel, pictures[frame, channel])
            for row in range(rows):
                any_row[:] = 0
                for tap in range(high):
                    y = row * step_y - pad_y + tap * far_y
                    if 0 <= y < height:
                        for x in range(width):
                            any_row[x] |= any_channel[y * width + x]
                line[:] = 0
                for tap in range(wide):
                    offset = offsets[tap]
                    for column in range(firsts[tap], afters[tap]):
                        line[column] |= any_row[column * step_x + offset]
                for copy in range(group * copies, (group + 1) * copies):
                    for column in range(columns):
                        marks[frame, copy, row * columns + column] |= np.uint8(line[column] != 0)


@jit
def _add(target: UInt8[np.ndarray, " N"], events: UInt8[np.ndarray, " N"]) -> None:
    """Bits of both."""
    for i in range(target.size):
        target[i] |= events[i]
