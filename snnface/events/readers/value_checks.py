"""Columns of numbers that people wrote, brought to the types of events; impossible values are told or left out."""

from collections.abc import Mapping
from typing import TypedDict

import numpy as np

from snnface.events.readers.assembly import Assembly

__all__ = ["MAX_T_US", "CheckedColumns", "checked_columns", "possible_rows"]

# Half of what int64 holds, so that offsets and windows cannot wrap.
MAX_T_US = 1 << 62
SECONDS = 1_000_000


class CheckedColumns(TypedDict):
    """What `EventColumns.append` takes."""

    x: np.ndarray
    y: np.ndarray
    t_us: np.ndarray
    polarity: np.ndarray


def checked_columns(
    assembly: Assembly,
    *,
    x: np.ndarray,
    y: np.ndarray,
    t: np.ndarray,
    p: np.ndarray,
    is_seconds: bool = False,
    t_offset: int = 0,
) -> CheckedColumns:
    """Columns as they stand in a file, checked.

    Conventions: seconds are rounded to the nearest microsecond; other floats must be whole numbers.
    Polarity is ON above zero.

    Args:
        x, y, t, p: [N] each, integers, floats or (p) booleans.
        is_seconds: whether times are seconds; else they are microseconds.
        t_offset: added to the times, in microseconds.

    Raises:
        DataError: unless recovering, if a coordinate does not fit 16 bits, a polarity lies outside
            -1..1, a time outside +-2^62 us, or a number is not whole or not finite where it must be.
    """
    if is_seconds:
        with np.errstate(invalid="ignore", over="ignore"):
            t = np.rint(t.astype(np.float64, copy=False) * SECONDS)
    limit = MAX_T_US - abs(t_offset) if abs(t_offset) < MAX_T_US else -1
    bounds = {"x": (x, 0, 65535), "y": (y, 0, 65535), "p": (p, -1, 1), "t": (t, -limit, limit)}
    possible = possible_rows(assembly, bounds, dropped="events with impossible values")
    if not possible.all():
        x, y, t, p = x[possible], y[possible], t[possible], p[possible]
    t_us = t.astype(np.int64, copy=False)
    return CheckedColumns(x=x, y=y, t_us=t_us + t_offset if t_offset else t_us, polarity=p)


def possible_rows(
    assembly: Assembly, bounds: Mapping[str, tuple[np.ndarray, int, int]], *, dropped: str
) -> np.ndarray | np.bool_:
    """Which rows hold whole numbers within bounds in every column.

    Args:
        bounds: by name, a column [N] and the lowest and highest of its possible values.
        dropped: what the other rows are, for the losses.

    Returns:
        a bool for each row; a single one where all are possible.

    Raises:
        DataError: unless recovering, if there are other rows.
    """
    possible: np.ndarray | np.bool_ = np.True_
    causes = []
    for name, (column, lowest, highest) in bounds.items():
        found = _possible(column, lowest, highest)
        if not found.all():
            worst = column[int(np.argmin(found))]
            causes.append(f"column {name} must hold whole numbers in {lowest}..{highest}; it holds {worst}")
            possible = possible & found
    if causes:
        assembly.damage(
            f"{causes[0]}. Mend the file, or leave such {dropped.split()[0]} out (recover=True, --recover).",
            dropped=dropped,
            count=int(np.count_nonzero(~possible)),
        )
    return possible


def _possible(column: np.ndarray, lowest: int, highest: int) -> np.ndarray | np.bool_:
    if column.dtype.kind == "b" or _fits(column.dtype, lowest, highest):
        return np.True_
    # Extremes first: a column is nearly always right, and they cost less than a mask.
    if not len(column) or (lowest <= column.min() and column.max() <= highest and _is_whole(column)):
        return np.True_
    possible = (column >= lowest) & (column <= highest)
    if column.dtype.kind == "f":
        possible &= np.rint(column) == column
    return possible


def _fits(dtype: np.dtype, lowest: int, highest: int) -> bool:
    """Whether no value of this type can lie outside."""
    return dtype.kind in "iu" and lowest <= np.iinfo(dtype).min and np.iinfo(dtype).max <= highest


def _is_whole(column: np.ndarray) -> bool:
    return column.dtype.kind != "f" or bool((np.rint(column) == column).all())
