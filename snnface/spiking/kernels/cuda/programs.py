"""The Triton programs of neurons: over time, and their adjoint.

Memory is [T, B, H, W, C] throughout (channels_last, steps outermost). A program owns a tile
of pooling windows x neighbouring channels and walks through all T steps with the membranes
in registers. A thread holds all pixels ("places", row-major) of a window, as a tuple of
tiles, so pooling needs no exchange between threads; neighbouring threads read neighbouring
channels. `STEPS` steps are loaded before they are computed, so that many loads are in flight.

Every operation is written as the definition writes it, and is launched without contraction of
a product and a sum into one rounding, so spikes and voltages are the definition's to the bit.
Sums over tiles are written out per program and added up afterwards: no atomics, the same
result in every run.
"""

import inspect
from collections.abc import Callable
from typing import Any

import triton
import triton.language as tl

__all__ = ["backward", "forward", "jit"]

# Triton's own language: tuples grow by `+`, `if` on a constant is a choice at compile time, values have no Python type.
# ruff: noqa: RUF005, SIM108
# mypy: disable-error-code="no-untyped-def, assignment, var-annotated"


def jit(function: Callable[..., Any]) -> Any:
    """`triton.jit` of the bare function: run-time checking (on in the tests) wraps it, and Triton reads its source."""
    return triton.jit(inspect.unwrap(function))


@jit
def _tile(H, W, C, ROWS, POOL: tl.constexpr, WINDOWS: tl.constexpr, CHANNELS: tl.constexpr):
    """Where this program's tile lies in a step: per place offsets and which neurons exist; the same for pooled ones."""
    across = (W + POOL - 1) // POOL
    down = (H + POOL - 1) // POOL
    row = tl.program_id(0) * WINDOWS + tl.arange(0, WINDOWS)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    sample = row // (across * down)
    y = row // across % down
    x = row % across
    corner = ((sample * H + y * POOL) * W + x * POOL)[:, None] * C + channel[None, :]
    offsets = ()
    exists = ()
    for place in tl.static_range(POOL * POOL):
        offsets = offsets + (corner + ((place // POOL) * W + place % POOL) * C,)
        inside = (row < ROWS) & (y * POOL + place // POOL < H) & (x * POOL + place % POOL < W)
        exists = exists + (inside[:, None] & (channel < C)[None, :],)
    # Floor mode: neurons left over at the far borders belong to no pixel of the pooled picture.
    pooled = (row < ROWS) & (y < H // POOL) & (x < W // POOL)
    pooled_exists = pooled[:, None] & (channel < C)[None, :]
    pooled_offsets = ((sample * (H // POOL) + y) * (W // POOL) + x)[:, None] * C + channel[None, :]
    return offsets, exists, pooled_offsets, pooled_exists, channel


@jit
def _per_channel(pointer, channel, C, PER_CHANNEL: tl.constexpr):
    """One number a channel, or one for all, to spread over a tile."""
    if PER_CHANNEL:
        value = tl.load(pointer + channel, mask=channel < C, other=0.0)
    else:
        value = tl.load(pointer + channel * 0)
    return value[None, :]


@jit
def _start(voltage_in, offsets, exists, V_RESET: tl.constexpr, HAS_VOLTAGE: tl.constexpr, PLACES: tl.constexpr):
    voltages = ()
    for place in tl.static_range(PLACES):
        if HAS_VOLTAGE:
            voltages = voltages + (tl.load(voltage_in + offsets[place], mask=exists[place], other=0.0),)
        else:
            voltages = voltages + (tl.zeros_like(offsets[place]).to(tl.float32) + V_RESET,)
    return voltages


@jit
def _alive(exists, time, T, EVEN: tl.constexpr):
    """Which neurons exist at this step; `EVEN` if the chunks of steps end with the clip."""
    alive = exists
    if not EVEN:
        alive = exists & (tl.full([1, 1], time, tl.int32) < T)
    return alive


@jit
def _charge(voltage, current, leak, V_RESET: tl.constexpr, DECAY_INPUT: tl.constexpr):
    if DECAY_INPUT:
        current = leak * current
    return voltage - leak * (voltage - V_RESET) + current


@jit
def _fired(charged, THRESHOLD: tl.constexpr, ON_EQUALITY: tl.constexpr):
    distance = charged - THRESHOLD
    if ON_EQUALITY:
        fired = distance >= 0
    else:
        fired = distance > 0
    return fired


@jit
def _reset(charged, THRESHOLD: tl.constexpr, V_RESET: tl.constexpr, SUBTRACT: tl.constexpr, ON_EQUALITY: tl.constexpr):
    spikes = tl.where(_fired(charged, THRESHOLD, ON_EQUALITY), 1.0, 0.0)
    if SUBTRACT:
        voltage = charged - spikes * (THRESHOLD - V_RESET)
    else:
        voltage = charged * (1.0 - spikes) + spikes * V_RESET
    return voltage


@jit
def _derivative(distance, SURROGATE: tl.constexpr, ALPHA: tl.constexpr):
    """See `snnface.spiking.surrogate.derivative`."""
    if SURROGATE == "atan":
        slope = 1.5707963267948966 * ALPHA * distance
        result = (ALPHA / 2) / (1.0 + slope * slope)
    elif SURROGATE == "sigmoid":
        smooth = 1.0 / (1.0 + tl.exp(-ALPHA * distance))
        result = ALPHA * smooth * (1.0 - smooth)
    elif SURROGATE == "triangle":
        result = ALPHA * tl.maximum(1.0 - ALPHA * tl.abs(distance), 0.0)
    else:
        tl.static_assert(SURROGATE == "superspike")
        width = 1.0 + ALPHA * tl.abs(distance)
        result = 1.0 / (width * width)
    return result


@jit
def forward(
    currents, leak_in, voltage_in, scale_in, shift_in, spikes_out, voltage_out, counts_out,
    T, H, W, C, ROWS, STEP, POOLED_STEP,
    THRESHOLD: tl.constexpr, V_RESET: tl.constexpr, DECAY_INPUT: tl.constexpr, SUBTRACT: tl.constexpr,
    ON_EQUALITY: tl.constexpr, LEAK_PER_CHANNEL: tl.constexpr, HAS_VOLTAGE: tl.constexpr, HAS_SCALE: tl.constexpr,
    POOL: tl.constexpr, WINDOWS: tl.constexpr, CHANNELS: tl.constexpr, STEPS: tl.constexpr, EVEN: tl.constexpr,
):  # fmt: skip
    """Spikes of all steps (pooled), the last voltage, and this program's number of spikes."""
    offsets, exists, pooled_offsets, pooled_exists, channel = _tile(H, W, C, ROWS, POOL, WINDOWS, CHANNELS)
    leak = _per_channel(leak_in, channel, C, LEAK_PER_CHANNEL)
    if HAS_SCALE:
        scale = _per_channel(scale_in, channel, C, True)
        shift = _per_channel(shift_in, channel, C, True)
    voltages = _start(voltage_in, offsets, exists, V_RESET, HAS_VOLTAGE, POOL * POOL)
    count = tl.zeros([WINDOWS, CHANNELS], tl.float32)
    for chunk in range((T + STEPS - 1) // STEPS):
        loaded = ()
        for step in tl.static_range(STEPS):
            for place in tl.static_range(POOL * POOL):
                alive = _alive(exists[place], chunk * STEPS + step, T, EVEN)
                loaded = loaded + (tl.load(currents + step * STEP + offsets[place], mask=alive, other=0.0),)
        for step in tl.static_range(STEPS):
            pooled = tl.zeros([WINDOWS, CHANNELS], tl.float32)
            after = ()
            for place in tl.static_range(POOL * POOL):
                current = loaded[step * POOL * POOL + place].to(tl.float32)
                if HAS_SCALE:
                    current = current * scale + shift
                charged = _charge(voltages[place], current, leak, V_RESET, DECAY_INPUT)
                alive = _alive(exists[place], chunk * STEPS + step, T, EVEN)
                spikes = tl.where(alive & _fired(charged, THRESHOLD, ON_EQUALITY), 1.0, 0.0)
                count += spikes
                pooled = tl.maximum(pooled, spikes)
                voltage = _reset(charged, THRESHOLD, V_RESET, SUBTRACT, ON_EQUALITY)
                if not EVEN:
                    voltage = tl.where(alive, voltage, voltages[place])
                after = after + (voltage,)
            voltages = after
            alive = _alive(pooled_exists, chunk * STEPS + step, T, EVEN)
            here = spikes_out + step * POOLED_STEP + pooled_offsets
            tl.store(here, pooled.to(spikes_out.dtype.element_ty), mask=alive)
        currents += STEPS * STEP
        spikes_out += STEPS * POOLED_STEP
    for place in tl.static_range(POOL * POOL):
        tl.store(voltage_out + offsets[place], voltages[place], mask=exists[place])
    total = tl.sum(tl.sum(count, axis=1), axis=0)
    tl.store(counts_out + tl.program_id(0) * tl.num_programs(1) + tl.program_id(1), total)


@jit
def _charge_chunk(
    currents, voltages, offsets, exists, first_step, leak, scale, shift, T, STEP,
    THRESHOLD: tl.constexpr, V_RESET: tl.constexpr, DECAY_INPUT: tl.constexpr, SUBTRACT: tl.constexpr,
    ON_EQUALITY: tl.constexpr, HAS_SCALE: tl.constexpr, PLACES: tl.constexpr, STEPS: tl.constexpr, EVEN: tl.constexpr,
):  # fmt: skip
    """`STEPS` steps forward: the voltages before reset [step * place], and those after the last reset."""
    loaded = ()
    for step in tl.static_range(STEPS):
        for place in tl.static_range(PLACES):
            alive = _alive(exists[place], first_step + step, T, EVEN)
            loaded = loaded + (tl.load(currents + step * STEP + offsets[place], mask=alive, other=0.0),)
    history = ()
    for step in tl.static_range(STEPS):
        after = ()
        for place in tl.static_range(PLACES):
            current = loaded[step * PLACES + place].to(tl.float32)
            if HAS_SCALE:
                current = current * scale + shift
            charged = _charge(voltages[place], current, leak, V_RESET, DECAY_INPUT)
            history = history + (charged,)
            after = after + (_reset(charged, THRESHOLD, V_RESET, SUBTRACT, ON_EQUALITY),)
        voltages = after
    return history, voltages


@jit
def backward(
    d_spikes, d_count_in, currents, leak_in, voltage_in, scale_in, shift_in, pivot_in,
    d_currents, d_voltage_io, sums_out, kept,
    T, H, W, C, ROWS, STEP, POOLED_STEP, NUM_SUMS,
    THRESHOLD: tl.constexpr, V_RESET: tl.constexpr, DECAY_INPUT: tl.constexpr, SUBTRACT: tl.constexpr,
    ON_EQUALITY: tl.constexpr, SURROGATE: tl.constexpr, ALPHA: tl.constexpr, DETACH_RESET: tl.constexpr,
    LEAK_PER_CHANNEL: tl.constexpr, HAS_VOLTAGE: tl.constexpr, HAS_SCALE: tl.constexpr, CARRIES: tl.constexpr,
    POOL: tl.constexpr, WINDOWS: tl.constexpr, CHANNELS: tl.constexpr, STEPS: tl.constexpr, EVEN: tl.constexpr,
):  # fmt: skip
    """Gradient to what enters the neurons; this program's sums per channel for leak, shift and scale.

    The sum for the scale is that of dy (currents - pivot). With `CARRIES` the gradient to the last voltage is
    read from `d_voltage_io`, where that to the first one is put.

    First forward, keeping the voltages at the start of each chunk of `STEPS` steps but the
    last (in `kept`: 1 / STEPS of the currents); then chunk by chunk from the last to the
    first: forward again with the voltages before reset in registers, and back.
    """
    PLACES: tl.constexpr = POOL * POOL
    offsets, exists, pooled_offsets, pooled_exists, channel = _tile(H, W, C, ROWS, POOL, WINDOWS, CHANNELS)
    leak = _per_channel(leak_in, channel, C, LEAK_PER_CHANNEL)
    scale = leak
    shift = leak
    pivot = leak
    if HAS_SCALE:
        scale = _per_channel(scale_in, channel, C, True)
        shift = _per_channel(shift_in, channel, C, True)
        pivot = _per_channel(pivot_in, channel, C, True)
    d_count = tl.load(d_count_in)
    voltages = _start(voltage_in, offsets, exists, V_RESET, HAS_VOLTAGE, PLACES)
    num_chunks = (T + STEPS - 1) // STEPS
    for chunk in range(num_chunks - 1):
        for place in tl.static_range(PLACES):
            tl.store(kept + offsets[place], voltages[place], mask=exists[place])
        _, voltages = _charge_chunk(
            currents, voltages, offsets, exists, chunk * STEPS, leak, scale, shift, T, STEP,
            THRESHOLD, V_RESET, DECAY_INPUT, SUBTRACT, ON_EQUALITY, HAS_SCALE, PLACES, STEPS, True,
        )  # fmt: skip
        currents += STEPS * STEP
        d_currents += STEPS * STEP
        d_spikes += STEPS * POOLED_STEP
        kept += STEP
    tl.debug_barrier()
    d_voltages = _start(d_voltage_io, offsets, exists, 0.0, CARRIES, PLACES)
    d_leak = tl.zeros([WINDOWS, CHANNELS], tl.float32)
    d_shift = tl.zeros([WINDOWS, CHANNELS], tl.float32)
    d_scale = tl.zeros([WINDOWS, CHANNELS], tl.float32)
    for chunks_done in range(num_chunks):
        first_step = (num_chunks - 1 - chunks_done) * STEPS
        history, _ = _charge_chunk(
            currents, voltages, offsets, exists, first_step, leak, scale, shift, T, STEP,
            THRESHOLD, V_RESET, DECAY_INPUT, SUBTRACT, ON_EQUALITY, HAS_SCALE, PLACES, STEPS, EVEN,
        )  # fmt: skip
        for back in tl.static_range(1, STEPS + 1):
            alive = _alive(pooled_exists, first_step + STEPS - back, T, EVEN)
            here = d_spikes + (STEPS - back) * POOLED_STEP + pooled_offsets
            # What is left for the places to come: the gradient goes to the first spike of the window, ...
            left = tl.load(here, mask=alive, other=0.0).to(tl.float32)
            silent = exists[0]
            for place in tl.static_range(PLACES):
                silent = silent & (_fired(history[(STEPS - back) * PLACES + place], THRESHOLD, ON_EQUALITY) == 0)
            before = ()
            for place in tl.static_range(PLACES):
                alive = _alive(exists[place], first_step + STEPS - back, T, EVEN)
                charged = history[(STEPS - back) * PLACES + place]
                fired = _fired(charged, THRESHOLD, ON_EQUALITY)
                takes = fired
                if place == 0:
                    takes = fired | silent  # ... or to the first place if none fired.
                d_spike = tl.where(takes, left, 0.0) + d_count
                left = tl.where(takes, 0.0, left)
                if not DETACH_RESET:
                    if SUBTRACT:
                        d_spike -= d_voltages[place] * (THRESHOLD - V_RESET)
                    else:
                        d_spike += d_voltages[place] * (V_RESET - charged)
                d_charged = d_voltages[place]
                if not SUBTRACT:
                    d_charged = tl.where(fired, 0.0, d_charged)
                d_charged += d_spike * _derivative(charged - THRESHOLD, SURROGATE, ALPHA)
                d_charged = tl.where(alive, d_charged, 0.0)
                if back < STEPS:
                    pull = V_RESET - _reset(
                        history[(STEPS - 1 - back) * PLACES + place], THRESHOLD, V_RESET, SUBTRACT, ON_EQUALITY
                    )
                else:
                    pull = V_RESET - voltages[place]
                d_current = d_charged
                if DECAY_INPUT:
                    d_current = leak * d_charged
                if DECAY_INPUT or HAS_SCALE:
                    # Read a moment ago: from the cache.
                    stored = tl.load(currents + (STEPS - back) * STEP + offsets[place], mask=alive, other=0.0)
                    stored = stored.to(tl.float32)
                    if HAS_SCALE:
                        d_shift += d_current
                        d_scale += d_current * (stored - pivot)
                        if DECAY_INPUT:
                            pull += stored * scale + shift
                    else:
                        pull += stored
                d_leak += d_charged * pull
                here = d_currents + (STEPS - back) * STEP + offsets[place]
                tl.store(here, d_current.to(d_currents.dtype.element_ty), mask=alive)
                before = before + (d_charged - leak * d_charged,)
            d_voltages = before
        currents -= STEPS * STEP
        d_currents -= STEPS * STEP
        d_spikes -= STEPS * POOLED_STEP
        kept -= STEP
        earlier = ()
        for place in tl.static_range(PLACES):
            alive = exists[place] & (tl.full([1, 1], first_step, tl.int32) > 0)
            earlier = earlier + (tl.load(kept + offsets[place], mask=alive, other=0.0),)
        voltages = earlier
    if CARRIES:
        for place in tl.static_range(PLACES):
            tl.store(d_voltage_io + offsets[place], d_voltages[place], mask=exists[place])
    sums = sums_out + tl.program_id(0) * C + channel
    tl.store(sums, tl.sum(d_leak, axis=0), mask=channel < C)
    if HAS_SCALE:
        tl.store(sums + NUM_SUMS, tl.sum(d_shift, axis=0), mask=channel < C)
        tl.store(sums + 2 * NUM_SUMS, tl.sum(d_scale, axis=0), mask=channel < C)
