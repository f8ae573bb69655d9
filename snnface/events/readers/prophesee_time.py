"""Counters of microseconds that wrap, counted on."""

from snnface.jit import jit

__all__ = ["counted_on"]

# After a longer step, the next value may show that it was a mistake.
CLOSE_US = 1 << 20


@jit
def counted_on(before, latest, value, num_bits, reach_us):  # type: ignore[no-untyped-def]
    """The whole time behind a counter of `num_bits` bits that shows `value`, and the `before` to give next.

    The time lies in the turn of `latest`, or in the next or last one if the way across the
    wrap is the shorter one and no longer than `reach_us`.

    A damaged value must not leave all that follows a turn too late. So if the last step,
    from `before` to `latest`, was one of more than a second, and `value` goes on where that
    step began, `latest` is forgotten. With steps of less than half a turn, two good ones
    never look like that. Nothing lies before zero; a negative `latest` means that nothing
    is known yet.

    Returns:
        the next `before`, and the time.
    """
    if latest < 0:
        return value, value
    turn = 1 << num_bits
    ahead = (value - before) & (turn - 1)
    if ahead <= CLOSE_US and abs(latest - before) > CLOSE_US:
        return before + ahead, before + ahead
    ahead = ((value - latest + turn // 2 - 1) & (turn - 1)) - (turn // 2 - 1)
    if abs(ahead) > reach_us:
        return latest, latest & ~(turn - 1) | value
    return latest, max(latest + ahead, 0)
