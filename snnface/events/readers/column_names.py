"""Which column is which, in formats that leave it to people: by name, or by the one order that the values allow."""

from collections.abc import Sequence

import numpy as np

from snnface.events.window import Resolution

__all__ = ["ORDERS", "axes_of_names", "orders_that_fit"]

AXES = ("t", "x", "y", "p")
NAMES = {
    "t": ("t", "ts", "time", "times", "timestamp", "timestamps", "t_us", "time_us", "timestamp_us", "t_s", "time_s"),
    "x": ("x", "xs"),
    "y": ("y", "ys"),
    "p": ("p", "ps", "pol", "polarity", "polarities", "on"),
}

# t x y p: the text files of the Event-Camera Dataset, of e2vid and v2e. x y p t: Prophesee's csv files.
# x y t p: arrays of the ESIM and EST code.
ORDERS = ("txyp", "xypt", "xytp")


def axes_of_names(names: Sequence[str]) -> dict[str, int] | None:
    """The place of each of t, x, y, p among column names, whatever their case; None unless each is there once."""
    lower = [name.strip().lower() for name in names]
    places = {axis: [place for place, name in enumerate(lower) if name in NAMES[axis]] for axis in AXES}
    if any(len(found) != 1 for found in places.values()):
        return None
    return {axis: found[0] for axis, found in places.items()}


def orders_that_fit(rows: np.ndarray, resolution: Resolution | None) -> list[str]:
    """The known orders in which rows [N, 4] can be events.

    A row fits if its polarity is -1, 0 or 1, its coordinates are whole numbers inside the sensor (or
    in 0..65535), and its time is not before that of the row above. The orders in which the most rows
    fit are returned, none unless that is more than half: what is wrong with a few rows is told later.
    """
    width, height = (65536, 65536) if resolution is None else (resolution.width, resolution.height)
    num_fitting = {}
    for order in ORDERS:
        t, x, y, p = (rows[:, order.index(axis)] for axis in AXES)
        fits = np.isin(p, (-1, 0, 1))
        for column, size in ((x, width), (y, height)):
            fits &= (column >= 0) & (column < size) & (np.rint(column) == column)
        fits[1:] &= t[1:] >= t[:-1]
        num_fitting[order] = int(np.count_nonzero(fits))
    most = max(num_fitting.values())
    return [order for order, number in num_fitting.items() if number == most and 2 * most > len(rows)]
