"""How a population is cut into boxes, one for each core that holds a part of it.

The fewest boxes are looked for that keep the limits: neurons, input axons and output axons of a core,
and, where a proof is wanted, memory for weights too. A neuron takes one output axon for every core that
it must reach, so readers must have been cut before.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby, product
from math import prod

import numpy as np
from jaxtyping import Int64

from hardware.mapping.core_needs import ConnectionNeeds

__all__ = ["Boxes", "Limits", "cut_into_boxes"]

Sides = tuple[int, ...]
Cut = tuple[int, Sides]
"""How many boxes, and their sides."""
Reach = Int64[np.ndarray, "*shape"]
"""Cores that each neuron of a population must reach."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one core has; None where that is not known, or shall not count."""

    neurons: int | None
    input_axons: int | None = None
    output_axons: int | None = None
    synapse_bits: int | None = None


@dataclass(frozen=True, slots=True)
class Boxes:
    """A population in boxes of `sides`; the last along an axis may be smaller.

    Attributes:
        input_axons, output_axons: of the boxes that need most.
        number_for_inputs: boxes that there would be if output axons and memory had no limit.
    """

    sides: Sides
    number: int
    number_for_inputs: int
    input_axons: int
    output_axons: int


def cut_into_boxes(
    needs: list[ConnectionNeeds], shape: Sides, reach: Reach, limits: Limits, *, at_least: int = 1
) -> Boxes | None:
    """The fewest boxes that keep the limits, of those the one that hears the fewest inputs; None if there are none.

    Args:
        at_least: boxes that there must be.
    """
    candidates = [(number, box) for number, box in _candidates(shape, limits.neurons) if number >= at_least]

    def hears(box: Sides) -> bool:
        return limits.input_axons is None or _input_axons(needs, box) <= limits.input_axons

    def holds(box: Sides) -> bool:
        return limits.synapse_bits is None or sum(need.own_bits(box) for need in needs) <= limits.synapse_bits

    def sends(box: Sides) -> bool:
        return limits.output_axons is None or _most_sent(reach, box) <= limits.output_axons

    hearing = _fewest(candidates, needs, hears)
    if hearing is None:
        return None
    least = hearing[0]
    if limits.output_axons is not None:
        least = max(least, -(-int(reach.sum()) // limits.output_axons))
    enough = [(number, box) for number, box in candidates if number >= least]
    found = _fewest(enough, needs, lambda box: hears(box) and sends(box) and holds(box))
    if found is None:
        return None
    number, sides = found
    return Boxes(sides, number, hearing[0], _input_axons(needs, sides), _most_sent(reach, sides))


def _candidates(shape: Sides, neurons: int | None) -> list[Cut]:
    """Every way to cut evenly into boxes of at most so many neurons, fewest boxes first."""
    if neurons is None:
        return [(1, shape)]
    axes = [sorted({-(-size // parts) for parts in range(1, size + 1)}) for size in shape]
    cuts = [(prod(-(-size // side) for size, side in zip(shape, box, strict=True)), box) for box in product(*axes)]
    return sorted(cut for cut in cuts if prod(cut[1]) <= neurons)


def _fewest(cuts: Iterable[Cut], needs: list[ConnectionNeeds], is_allowed: Callable[[Sides], bool]) -> Cut | None:
    for _, equal in groupby(cuts, key=lambda cut: cut[0]):
        allowed = [cut for cut in equal if is_allowed(cut[1])]
        if allowed:
            return min(allowed, key=lambda cut: _input_axons(needs, cut[1]))
    return None


def _input_axons(needs: list[ConnectionNeeds], sides: Sides) -> int:
    return sum(need.input_axons(sides) for need in needs)


def _most_sent(reach: Reach, sides: Sides) -> int:
    """Output axons of the box that needs most."""
    sums = reach
    for axis, side in enumerate(sides):
        sums = np.add.reduceat(sums, np.arange(0, sums.shape[axis], side), axis=axis)
    return int(sums.max(initial=0))
