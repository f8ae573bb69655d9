"""The loop that reads lines of numbers: four of the columns are an event."""

import numpy as np

from snnface.jit import jit

__all__ = ["parse_lines"]

TAB, NEWLINE, RETURN, BLANK, HASH, PERCENT, PLUS, COMMA, MINUS, DOT, ZERO, SEMICOLON, LARGE_E, SMALL_E = (
    b"\t\n\r #%+,-.0;Ee"
)
# A mantissa stops growing here: 18 digits are more than any time needs, and fit 64 bits.
MAX_MANTISSA = 10**17
# Half of what int64 holds.
MAX_VALUE = 1 << 62
# Larger exponents are no time either.
MAX_EXPONENT = np.int64(9999)
NO_NUMBER = np.iinfo(np.int64).min


@jit
def parse_lines(data, axis_of_column, time_scale, x, y, t_us, polarity):  # type: ignore[no-untyped-def]
    """Read whole lines into columns that have room for them.

    Returns:
        the numbers of events and of lines that are none, and where the first of these begins.
    """
    n, num_bad, bad_at, at = 0, 0, -1, 0
    values = np.zeros(4, np.int64)
    while at < len(data):
        start = at
        while at < len(data) and data[at] in (BLANK, TAB, RETURN):
            at += 1
        if at == len(data):
            break
        if data[at] == NEWLINE:
            at += 1
            continue
        is_good = data[at] != HASH and data[at] != PERCENT
        is_comment = not is_good
        for column in range(len(axis_of_column)):
            if not is_good:
                break
            axis = axis_of_column[column]
            scale = time_scale if axis == 0 else 0
            if axis < 0:
                at = _end_of_cell(data, at)
            else:
                values[axis], at = _number(data, at, scale)
                is_good = values[axis] != NO_NUMBER
            is_last = column == len(axis_of_column) - 1
            at, num_separators = _next_cell(data, at)
            if is_good:
                is_good = (at == len(data) or data[at] == NEWLINE) if is_last else num_separators > 0
        if is_good:
            t, column_x, row_y, p = values[0], values[1], values[2], values[3]
            is_good = 0 <= column_x <= 65535 and 0 <= row_y <= 65535 and -1 <= p <= 1 and n < len(t_us)
        if is_good:
            x[n], y[n], t_us[n], polarity[n] = column_x, row_y, t, p > 0
            n += 1
        elif not is_comment:
            bad_at = start if num_bad == 0 else bad_at
            num_bad += 1
        while at < len(data) and data[at] != NEWLINE:
            at += 1
        at += 1
    return n, num_bad, bad_at


@jit
def _end_of_cell(data, at):  # type: ignore[no-untyped-def]
    while at < len(data) and data[at] not in (BLANK, TAB, COMMA, SEMICOLON, RETURN, NEWLINE):
        at += 1
    return at


@jit
def _next_cell(data, at):  # type: ignore[no-untyped-def]
    """Pass blanks with at most one comma or semicolon among them; returns where, and how many bytes that were."""
    start, has_mark = at, False
    while at < len(data):
        if data[at] in (COMMA, SEMICOLON):
            if has_mark:
                break
            has_mark = True
        elif data[at] not in (BLANK, TAB, RETURN):
            break
        at += 1
    return at, at - start


@jit
def _number(data, at, scale):  # type: ignore[no-untyped-def]
    """The decimal number at `at` times 10^scale, and where it ends.

    NO_NUMBER if it is none, does not fit, or (for scale 0) is not whole; scaled, it is rounded.
    """
    sign, mantissa, power, num_digits, has_dot = 1, np.int64(0), scale, 0, False
    if at < len(data) and data[at] in (MINUS, PLUS):
        sign = -1 if data[at] == MINUS else 1
        at += 1
    while at < len(data):
        digit = np.int64(data[at]) - ZERO
        if 0 <= digit <= 9:
            num_digits += 1
            if mantissa < MAX_MANTISSA:
                mantissa = 10 * mantissa + digit
                power -= has_dot
            elif scale == 0 and digit:
                return NO_NUMBER, at
            else:
                power += not has_dot
        elif data[at] == DOT and not has_dot:
            has_dot = True
        else:
            break
        at += 1
    if num_digits == 0:
        return NO_NUMBER, at
    if at < len(data) and data[at] in (SMALL_E, LARGE_E):
        exponent, at = _exponent(data, at + 1)
        if exponent == NO_NUMBER:
            return NO_NUMBER, at
        power += exponent
    for _ in range(power):
        if mantissa >= MAX_VALUE // 10:
            return NO_NUMBER, at
        if mantissa == 0:
            break
        mantissa *= 10
    remainder = np.int64(0)
    for step in range(-power):
        if scale == 0 and mantissa % 10:
            return NO_NUMBER, at
        if mantissa == 0 and step:
            remainder = np.int64(0)
            break
        mantissa, remainder = mantissa // 10, mantissa % 10
    return sign * (mantissa + (remainder >= 5)), at


@jit
def _exponent(data, at):  # type: ignore[no-untyped-def]
    sign, value, num_digits = 1, np.int64(0), 0
    if at < len(data) and data[at] in (MINUS, PLUS):
        sign = -1 if data[at] == MINUS else 1
        at += 1
    while at < len(data) and 0 <= np.int64(data[at]) - ZERO <= 9:
        value = min(10 * value + np.int64(data[at]) - ZERO, MAX_EXPONENT)
        num_digits += 1
        at += 1
    return (sign * value if num_digits else NO_NUMBER), at
