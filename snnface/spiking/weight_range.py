"""Which integers a Loihi-like chip holds as the weights of one connection.

A connection has one sign mode. Where all weights are of one sign, the bit of the sign is one
more of magnitude; with b bits, and s the sign mode's distance of neighbouring integers:

    mixed         -256 .. 256 - s   in steps of s = 2^(9 - b)
    excitatory       0 .. 256 - s   in steps of s = 2^(8 - b)
    inhibitory   s - 256 .. 0       the same, negative

Source: lava-nc 0.10.0, lava/utils/weightutils.py.
"""

from typing import Literal, NamedTuple

import numpy as np

__all__ = ["Sign", "WeightRange", "sign_of", "weight_range"]

Sign = Literal["mixed", "excitatory", "inhibitory"]


class WeightRange(NamedTuple):
    """Integers from `low` to `high`, `step` apart."""

    low: int
    high: int
    step: int

    @property
    def largest(self) -> int:
        """The magnitude that every sign of this mode reaches."""
        return min(self.high, -self.low) or max(self.high, -self.low)


def sign_of(weight: np.ndarray) -> Sign:
    """Excitatory if no weight is negative (all zero included), else inhibitory if none is positive, else mixed."""
    if weight.min(initial=0) >= 0:
        return "excitatory"
    return "inhibitory" if weight.max(initial=0) <= 0 else "mixed"


def weight_range(sign: Sign, weight_bits: int) -> WeightRange:
    """The integers of a sign mode.

    >>> [weight_range(sign, 8) for sign in ("excitatory", "mixed")]
    [WeightRange(low=0, high=255, step=1), WeightRange(low=-256, high=254, step=2)]
    """
    if sign == "mixed":
        step = 2 ** (9 - weight_bits)
        return WeightRange(-256, 256 - step, step)
    step = 2 ** (8 - weight_bits)
    return WeightRange(0, 256 - step, step) if sign == "excitatory" else WeightRange(step - 256, 0, step)
