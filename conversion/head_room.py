"""How near the integers of a network come to their limits on real input, and how often a threshold is met exactly.

The worst case of `QuantizedLayer` has every input at its peak at once; here is what a set of samples really reaches.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from conversion.graph import INPUT
from conversion.integer_graph import IntegerGraph, IntegerNeuron, IntegerPopulation
from conversion.simulate import apply_synapse
from snnface.errors import UnsupportedLayerError

__all__ = ["HeadRoom", "head_room", "joined_head_room"]

_STATE_LIMIT = 2**23


@dataclass(frozen=True, slots=True)
class HeadRoom:
    """What the neurons of one population reached.

    Attributes:
        peak_current: largest |u|, before it would be folded into 24 bits.
        peak_voltage: largest |v|, before it would stop at its limit and before the reset.
        num_ties: bins (step, sample, neuron) in which v was the threshold exactly; the chip does not fire there,
            a neuron that was trained to fire on equality would.
        num_bins: all bins.
    """

    population: str
    peak_current: int
    peak_voltage: int
    num_ties: int
    num_bins: int

    @property
    def current_share(self) -> float:
        """Of the 24 bits that u has; above 1 it folded."""
        return self.peak_current / _STATE_LIMIT

    @property
    def voltage_share(self) -> float:
        """Of the 24 bits that v has; above 1 it saturated."""
        return self.peak_voltage / _STATE_LIMIT


def head_room(graph: IntegerGraph, inputs: np.ndarray, spikes: Mapping[str, np.ndarray]) -> tuple[HeadRoom, ...]:
    """Every population's peaks in a run.

    Args:
        inputs: what was shown, [T, B, *input_shape].
        spikes: what the populations then did, [T, B, *shape]; of a run by the fixed-point backend.

    Raises:
        UnsupportedLayerError: if a population is not of LIF neurons.
    """
    trains = {INPUT: inputs, **spikes}
    return tuple(
        joined_head_room([_of_sample(population, trains, sample) for sample in range(inputs.shape[1])])
        for population in graph.populations
    )


def joined_head_room(parts: Sequence[HeadRoom]) -> HeadRoom:
    """That of several sets of samples as one; of one population."""
    return HeadRoom(
        population=parts[0].population,
        peak_current=max(part.peak_current for part in parts),
        peak_voltage=max(part.peak_voltage for part in parts),
        num_ties=sum(part.num_ties for part in parts),
        num_bins=sum(part.num_bins for part in parts),
    )


def _of_sample(population: IntegerPopulation, trains: Mapping[str, np.ndarray], sample: int) -> HeadRoom:
    neuron = population.neuron
    if not isinstance(neuron, IntegerNeuron):
        raise UnsupportedLayerError(
            f"population {population.name!r} has neurons of the kind {type(neuron).__name__}; head-room is measured of "
            "LIF neurons."
        )
    fired = trains[population.name][:, sample] != 0
    current = _summed(population, trains, sample)
    bias = np.broadcast_to(neuron.bias_mant, population.shape).astype(np.int64) << neuron.bias_exp
    u = v = np.zeros(population.shape, dtype=np.int64)
    peak_current = peak_voltage = num_ties = 0
    for incoming, spikes in zip(current, fired, strict=True):
        u = _decayed(u, neuron.du + 1) + incoming
        peak_current = max(peak_current, int(np.abs(u).max(initial=0)))
        # As Lava folds; what leaves 24 bits goes on from the other end.
        u = np.where(u > _STATE_LIMIT, u - 2 * _STATE_LIMIT, np.where(u <= -_STATE_LIMIT, u + 2 * _STATE_LIMIT, u))
        v = _decayed(v, neuron.dv) + u + bias
        peak_voltage = max(peak_voltage, int(np.abs(v).max(initial=0)))
        num_ties += int(np.count_nonzero(v == neuron.vth << 6))
        v = np.where(spikes, 0, np.clip(v, 1 - _STATE_LIMIT, _STATE_LIMIT - 1))
    return HeadRoom(population.name, peak_current, peak_voltage, num_ties, fired.size)


def _summed(population: IntegerPopulation, trains: Mapping[str, np.ndarray], sample: int) -> np.ndarray:
    """a << 6 of every step, int64 [T, *shape]; float64 holds the whole numbers of such sums exactly."""
    total = np.zeros((len(trains[population.name]), *population.shape))
    for link in population.inputs:
        source = torch.tensor(trains[link.source][:, sample], dtype=torch.float64)
        total += apply_synapse(link.synapse, source).numpy()
    return np.asarray(total.round(), dtype=np.int64) << 6


def _decayed(x: np.ndarray, rate: int) -> np.ndarray:
    return np.asarray(np.sign(x) * ((np.abs(x) * (4096 - rate)) >> 12))
