"""The ECF codec: how Prophesee's HDF5 files pack the events of one chunk.

    4 bytes   number of events << 2 | how x, y and p are packed (2 bits)
    8 bytes   time of reference
    runs      times: a byte (step << 4 | count), step 0..14; the count 15 stands for the 16 bits that follow.
              Bytes 0xF0 | nibble before it give a longer step, lowest nibble first.
    then      packing 2, 3: y, x and p of one event in 24 bits, four events in three 32-bit words
              packing 1: runs of y, then x and p of one event in 12 bits, four events in three 16-bit words
              packing 0: runs of y, words (x << 5 | mask) with a bit for each of x + 1 .. x + 5, runs of p

All numbers are little endian. A run of y is a word (y << 5 | count), the count 31 standing for the
word that follows; a run of p a byte (p << 7 | count), 127 standing for the two bytes that follow.

Source: Prophesee, hdf5_ecf (the maker's codec).
"""

import numpy as np

from snnface.jit import jit

__all__ = ["CAUSES", "HEADER_BYTES", "MAX_CHUNK_BYTES", "MAX_CHUNK_EVENTS", "decode_chunk"]

HEADER_BYTES = 12
# The codec's own limit.
MAX_CHUNK_EVENTS = 65535
# An event takes at most 17 bytes of times, 4 of y and 3 of x and p; more is no chunk of this codec.
MAX_CHUNK_BYTES = HEADER_BYTES + 24 * MAX_CHUNK_EVENTS

# What `decode_chunk` found wrong.
SHORT, OVERFULL, TIME, NUMBER = -1, -2, -3, -4
CAUSES = {
    SHORT: "its data end too early",
    OVERFULL: "a run in it is longer than its number of events",
    TIME: "its times lie outside 0..2^56 us",
    NUMBER: "it claims more events than a chunk holds",
}
# A nibble here or higher makes a step of 2,000 years or more, which is refused.
MAX_SHIFT = np.int64(56)
MAX_T_US = 1 << 56

# Places are unsigned in the loops: for signed ones numba would first ask of each whether it counts from the end.
ONE, TWO, FOUR, SIX, SIXTEEN = (np.uint64(number) for number in (1, 2, 4, 6, 16))


@jit
def decode_chunk(data, x, y, t_us, polarity):  # type: ignore[no-untyped-def]
    """Decode one stored chunk into the columns, from the front.

    Whatever the bytes say, no place outside `data` is read and none outside the columns is
    written: each loop below checks both before it touches them.

    Args:
        data: uint8 [B], the chunk as stored.
        x, y, t_us, polarity: room for the chunk's events.

    Returns:
        The number of events and 0; or one of CAUSES, and the byte of `data` where it was found.
    """
    if len(data) < HEADER_BYTES:
        return SHORT, len(data)
    header = _word(data, np.uint64(0)) | _word(data, TWO) << 16
    n = header >> 2
    if n > len(t_us):
        return NUMBER, 0
    at = _times(data, t_us[:n])
    if at >= 0:
        if header & 2:
            at = _packed_24(data, at, x[:n], y[:n], polarity[:n])
        else:
            at = _runs_of_y(data, at, y[:n])
            if at >= 0 and header & 1:
                at = _packed_12(data, at, x[:n], polarity[:n])
            elif at >= 0:
                at = _masked_x(data, at, x[:n])
                if at >= 0:
                    at = _runs_of_polarity(data, at, polarity[:n])
    if at < 0:
        return -(-at & 7), -at >> 3
    return n, 0


@jit
def _failed(cause, at):  # type: ignore[no-untyped-def]
    """Cause and place in one negative number."""
    return -(np.int64(at) << 3 | -cause)


@jit
def _word(data, at):  # type: ignore[no-untyped-def]
    return np.int64(data[at]) | np.int64(data[at + ONE]) << 8


@jit
def _times(data, t_us):  # type: ignore[no-untyped-def]
    n, size = np.uint64(len(t_us)), np.uint64(len(data))
    event, at = np.uint64(0), np.uint64(HEADER_BYTES)
    now = np.int64(0)
    for byte in range(8):
        now |= np.int64(data[FOUR + np.uint64(byte)]) << 8 * byte
    if now < 0 or now >= MAX_T_US:
        return _failed(TIME, at)
    step, shift = np.int64(0), np.int64(0)
    # Most runs are short and of unpredictable kind: no branch on the kind while there is room for
    # two writes at a time, for the 14 events of a short run, and for two more bytes.
    last_event, last_at = max(n, SIXTEEN) - SIXTEEN, size - TWO
    while event < last_event and at < last_at:
        value = np.int64(data[at])
        count, high = value & 15, value >> 4
        at += ONE
        is_end = np.int64(high == 15) - 1  # all bits set, or for a nibble of a longer step none
        now += (step + high) & is_end
        step = (step | count << shift) & ~is_end
        shift = min(shift + 4, MAX_SHIFT) & ~is_end
        count &= is_end
        t_us[event] = now
        t_us[event + ONE] = now
        if count > 2:
            if count == 15:
                count = _word(data, at)
                at += TWO
                if np.uint64(count) > n - event:
                    return _failed(OVERFULL, at)
            for place in range(event + TWO, event + np.uint64(count)):
                t_us[place] = now
        event += np.uint64(count)
    while event < n:
        if at >= size:
            return _failed(SHORT, at)
        value = np.int64(data[at])
        count, high = value & 15, value >> 4
        at += ONE
        if high == 15:
            step |= count << shift
            shift = min(shift + 4, MAX_SHIFT)
            continue
        if count == 15:
            if at + TWO > size:
                return _failed(SHORT, at)
            count = _word(data, at)
            at += TWO
        if np.uint64(count) > n - event:
            return _failed(OVERFULL, at)
        now += step + high
        step, shift = np.int64(0), np.int64(0)
        for place in range(event, event + np.uint64(count)):
            t_us[place] = now
        event += np.uint64(count)
    # Times only grow, so the last one tells for all. Sums that wrapped 64 bits stepped back, which no stream accepts.
    if now < 0 or now >= MAX_T_US:
        return _failed(TIME, at)
    return np.int64(at)


@jit
def _packed_24(data, at, x, y, polarity):  # type: ignore[no-untyped-def]
    n, num_groups = len(x), (len(x) + 3) // 4
    if at + 12 * num_groups > len(data):
        return _failed(SHORT, len(data))
    stored, values = data[at : at + 12 * num_groups], np.empty(4 * num_groups, np.uint32)
    for group in range(num_groups):
        # The bytes that each of four events is spread over.
        b, e = 12 * group, 4 * group
        values[e] = np.uint32(stored[b + 3]) << 16 | np.uint32(stored[b + 2]) << 8 | stored[b + 1]
        values[e + 1] = np.uint32(stored[b + 7]) << 16 | np.uint32(stored[b + 6]) << 8 | stored[b]
        values[e + 2] = np.uint32(stored[b + 11]) << 16 | np.uint32(stored[b + 5]) << 8 | stored[b + 4]
        values[e + 3] = np.uint32(stored[b + 10]) << 16 | np.uint32(stored[b + 9]) << 8 | stored[b + 8]
    for event in range(n):
        y[event] = values[event] >> 12 & 0x7FF
        x[event] = values[event] >> 1 & 0x7FF
        polarity[event] = values[event] & 1
    return at + 12 * num_groups


@jit
def _packed_12(data, at, x, polarity):  # type: ignore[no-untyped-def]
    n, num_groups = len(x), (len(x) + 3) // 4
    if at + 6 * num_groups > len(data):
        return _failed(SHORT, len(data))
    stored, values = data[at : at + 6 * num_groups], np.empty(4 * num_groups, np.uint16)
    for group in range(num_groups):
        b, e = 6 * group, 4 * group
        values[e] = stored[b + 1] << 4 | stored[b] >> 4
        values[e + 1] = stored[b + 3] << 4 | stored[b] & 0xF
        values[e + 2] = stored[b + 5] >> 4 << 8 | stored[b + 2]
        values[e + 3] = (stored[b + 5] & 0xF) << 8 | stored[b + 4]
    for event in range(n):
        x[event] = values[event] >> 1
        polarity[event] = values[event] & 1
    return at + 6 * num_groups


@jit
def _runs_of_y(data, start, y):  # type: ignore[no-untyped-def]
    n, size, event, at = np.uint64(len(y)), np.uint64(len(data)), np.uint64(0), np.uint64(start)
    while event < n:
        if at + TWO > size:
            return _failed(SHORT, at)
        value = _word(data, at)
        count = value & 31
        at += TWO
        if count == 31:
            if at + TWO > size:
                return _failed(SHORT, at)
            count = _word(data, at)
            at += TWO
        if np.uint64(count) > n - event:
            return _failed(OVERFULL, at)
        for place in range(event, event + np.uint64(count)):
            y[place] = value >> 5
        event += np.uint64(count)
    return np.int64(at)


@jit
def _masked_x(data, start, x):  # type: ignore[no-untyped-def]
    n, size, event, at = np.uint64(len(x)), np.uint64(len(data)), np.uint64(0), np.uint64(start)
    while event < n:
        if at + TWO > size:
            return _failed(SHORT, at)
        value = _word(data, at)
        at += TWO
        base = value >> 5
        x[event] = base
        event += ONE
        if event + SIX <= n:
            # Written before it is known whether the place is used.
            for bit in range(5):
                x[event] = base + bit + 1
                event += np.uint64(value >> 4 - bit & 1)
        else:
            # The maker's encoder may set bits beyond its last event; they mean nothing.
            for bit in range(5):
                if event < n and value >> 4 - bit & 1:
                    x[event] = base + bit + 1
                    event += ONE
    return np.int64(at)


@jit
def _runs_of_polarity(data, start, polarity):  # type: ignore[no-untyped-def]
    n, size, event, at = np.uint64(len(polarity)), np.uint64(len(data)), np.uint64(0), np.uint64(start)
    while event < n:
        if at >= size:
            return _failed(SHORT, at)
        value = np.int64(data[at])
        count = value & 127
        at += ONE
        if count == 127:
            if at + TWO > size:
                return _failed(SHORT, at)
            count = _word(data, at)
            at += TWO
        if np.uint64(count) > n - event:
            return _failed(OVERFULL, at)
        for place in range(event, event + np.uint64(count)):
            polarity[place] = value >> 7
        event += np.uint64(count)
    return np.int64(at)
