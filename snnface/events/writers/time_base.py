"""The words by which RAW files tell the upper part of the time, and how they lead through a gap."""

from snnface.jit import jit

__all__ = ["max_high_words", "write_high_words"]


def max_high_words(first_unit: int, last_unit: int, num_bits: int) -> int:
    """A bound for the words that `write_high_words` writes besides one for each new value."""
    return 3 * ((last_unit - first_unit >> num_bits) + 2)


@jit
def write_high_words(words, n, before, unit, num_bits, kind):  # type: ignore[no-untyped-def]
    """Write TIME_HIGH words behind the first `n` that lead from `before` to `unit`; returns the new number.

    A word carries the lowest `num_bits` of a count that goes on for ever: a reader has to
    see each turn of this cyclic counter. Through a gap, words stand at the middle, the last
    and the first value of every turn, so that no step is longer than half a turn (which
    could as well lie back), and each wrap is the step from the last value to zero that
    every decoder takes for one, however narrow the steps that it expects.

    Args:
        before: the count of the last word; -1 at the start of a file, from which a reader counts the first turn.
        kind: the bits above the count that make the word a TIME_HIGH.
    """
    turn = 1 << num_bits
    place = min(unit, turn - 2) if before < 0 else before
    while True:
        start = place & ~(turn - 1)
        if place - start < turn >> 1:
            place = start + (turn >> 1)
        elif place - start < turn - 1:
            place = start + turn - 1
        else:
            place = start + turn
        if place >= unit:
            break
        words[n] = kind | (place & (turn - 1))
        n += 1
    words[n] = kind | (unit & (turn - 1))
    return n + 1
