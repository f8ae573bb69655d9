"""The check that every backend makes of the spikes it is given."""

import numpy as np

from snnface.errors import DataError, PrecisionError, ShapeError, unknown_name

__all__ = ["kept_populations", "max_message", "require_spikes"]


def require_spikes(spikes: np.ndarray, input_shape: tuple[int, ...], *, input_bits: int | None) -> None:
    """Check samples before a run.

    Args:
        spikes: should be integers [T, B, *input_shape].
        input_bits: 0 for binary input, otherwise the bits of a graded message; None for no upper limit.

    Raises:
        ShapeError: if the axes differ, or there is no step or no sample.
        DataError: if the numbers are not integers or some are negative.
        PrecisionError: if a number does not fit the bits.
    """
    if spikes.ndim != 2 + len(input_shape) or spikes.shape[2:] != input_shape or 0 in spikes.shape[:2]:
        raise ShapeError(
            f"spikes must have the axes [T, B, {', '.join(map(str, input_shape))}] with at least one step and sample; "
            f"their shape is {list(spikes.shape)}."
        )
    if spikes.dtype != np.bool_ and not np.issubdtype(spikes.dtype, np.integer):
        raise DataError(f"spikes must be integers or bool; got {spikes.dtype}. Round or threshold them first.")
    if spikes.dtype == np.bool_:
        return
    low, high = int(spikes.min()), int(spikes.max())
    if low < 0:
        raise DataError(f"spikes must not be negative; the smallest is {low}.")
    if input_bits is not None and high > max_message(input_bits):
        kind = "binary (0 or 1)" if input_bits == 0 else f"0..{max_message(input_bits)} ({input_bits} bits)"
        raise PrecisionError(
            f"the input of this network is {kind}; the largest spike is {high}. "
            "Clip the counts, or build the graph with more input_bits."
        )


def max_message(input_bits: int) -> int:
    """The largest input message: 1 for binary input."""
    return (1 << input_bits) - 1 if input_bits else 1


def kept_populations(keep: tuple[str, ...] | None, names: tuple[str, ...]) -> tuple[str, ...]:
    """The populations whose spike trains are wanted; None means all.

    Raises:
        ConfigError: if one is not in the graph.
    """
    for name in keep or ():
        if name not in names:
            raise unknown_name("population", name, names)
    return names if keep is None else keep
