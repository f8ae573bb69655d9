"""The Triton programs of batch norm: moments per channel, and the last step of its gradient, over [rows, C]."""

import triton.language as tl

from snnface.spiking.kernels.cuda.programs import jit

__all__ = ["add_affine", "moments"]

# mypy: disable-error-code="no-untyped-def"


@jit
def moments(values, sums_out, NUM_ROWS, ROWS_EACH, C, NUM_SUMS, ROWS: tl.constexpr, CHANNELS: tl.constexpr):
    """Sum and sum of squares per channel of this program's rows of values [rows, C], in float64."""
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    total = tl.zeros([ROWS, CHANNELS], tl.float64)
    squares = tl.zeros([ROWS, CHANNELS], tl.float64)
    first = tl.program_id(0).to(tl.int64) * ROWS_EACH
    values += first * C
    rows_left = tl.minimum(ROWS_EACH, NUM_ROWS - first)
    for start in range(0, ROWS_EACH, ROWS):
        row = start + tl.arange(0, ROWS)
        exists = (row < rows_left)[:, None] & (channel < C)[None, :]
        value = tl.load(values + row[:, None] * C + channel[None, :], mask=exists, other=0.0).to(tl.float64)
        total += value
        squares += value * value
    sums = sums_out + tl.program_id(0) * C + channel
    tl.store(sums, tl.sum(total, axis=0), mask=channel < C)
    tl.store(sums + NUM_SUMS, tl.sum(squares, axis=0), mask=channel < C)


@jit
def add_affine(
    gradient, values, slope_in, value_slope_in, pivot_in, offset_in, NUM_ROWS, C,
    HAS_VALUES: tl.constexpr, ROWS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """gradient := slope * gradient (+ value_slope * (value - pivot) + offset), factors per channel, in place."""
    first = tl.program_id(0).to(tl.int64) * ROWS
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    row = tl.arange(0, ROWS)
    known = channel < C
    exists = (first + row < NUM_ROWS)[:, None] & known[None, :]
    offsets = row[:, None] * C + channel[None, :]
    gradient += first * C
    result = tl.load(gradient + offsets, mask=exists, other=0.0).to(tl.float32)
    result = result * tl.load(slope_in + channel, mask=known, other=0.0)[None, :]
    if HAS_VALUES:
        value = tl.load(values + first * C + offsets, mask=exists, other=0.0).to(tl.float32)
        value = value - tl.load(pivot_in + channel, mask=known, other=0.0)[None, :]
        value = value * tl.load(value_slope_in + channel, mask=known, other=0.0)[None, :]
        result += value + tl.load(offset_in + channel, mask=known, other=0.0)[None, :]
    tl.store(gradient + offsets, result.to(gradient.dtype.element_ty), mask=exists)
