"""Energy estimates: exact counts times published constants, always as a range, never a measurement.

Four models, each reported on its own (joules per inference):

    M0  compute only   arithmetic at 45 nm; leaves memory out, which usually dominates
    M1  with memory    arithmetic, addressing and on-chip memory accesses at 45 nm, int32
    M2  platform       synaptic events, neuron updates and spikes of a neuromorphic chip
    M3  equal bits     M0 and M1 with int8 weights, beside an ANN whose activations have as
                       many bits as the spike counts carry

They are never mixed; `hardware.energy.ratio` compares a spiking network and an ANN inside one of them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hardware.counts.ann_operations import AnnOperations
from hardware.counts.operation_counts import NetworkOperations
from hardware.energy.compute import (
    ann_compute_energy,
    ann_parity_compute_energy,
    snn_compute_energy,
    snn_parity_compute_energy,
)
from hardware.energy.constants import LOIHI1_ENERGY, LOIHI1_KERAS_SPIKING
from hardware.energy.estimate import EnergyEstimate, Workload
from hardware.energy.memory import (
    ann_memory_energy,
    ann_parity_memory_energy,
    snn_memory_energy,
    snn_parity_memory_energy,
)
from hardware.energy.platform import platform_energy

__all__ = ["EnergyEstimate", "EnergyRange", "energy_estimates", "energy_ranges", "parity_bits"]


def energy_estimates(snn: NetworkOperations, ann: AnnOperations | None = None) -> tuple[EnergyEstimate, ...]:
    """Every model that applies: M0 in fp32 and int8, M1, M3 beside an ANN, and M2 for the spiking network."""
    found = []
    for precision in ("fp32", "int8"):
        found.append(snn_compute_energy(snn, precision))
        found += [] if ann is None else [ann_compute_energy(ann, precision)]
    found.append(snn_memory_energy(snn))
    found += [] if ann is None else [ann_memory_energy(ann)]
    if ann is not None:
        bits = parity_bits(max(1, round(float(snn.steps.mean()))))
        found += [snn_parity_compute_energy(snn, bits), ann_parity_compute_energy(ann, bits)]
        found += [snn_parity_memory_energy(snn, bits), ann_parity_memory_energy(ann, bits)]
    return (*found, platform_energy(snn, LOIHI1_ENERGY), platform_energy(snn, LOIHI1_KERAS_SPIKING))


def parity_bits(num_steps: int) -> int:
    """Bits that a rate code of `num_steps` steps carries at most: its fair partner is an ANN of this width.

    Source: Yan et al. 2024, arXiv:2409.08290.

    >>> [parity_bits(steps) for steps in (1, 3, 4, 75)]
    [1, 2, 3, 7]
    """
    return math.ceil(math.log2(num_steps + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyRange:
    """What can be said of one network in one node, whatever the details of the chip.

    Attributes:
        low_j: the low bound of M0 in int8: arithmetic alone, everything idle skipped.
        central_j: of M1.
        high_j: the high bound of M1: every word a whole access.
    """

    workload: Workload
    node: str
    low_j: float
    central_j: float
    high_j: float


def energy_ranges(estimates: Sequence[EnergyEstimate]) -> tuple[EnergyRange, ...]:
    """One range a network, where both models are there."""
    found = []
    for workload in ("SNN", "ANN"):
        own = [e for e in estimates if e.workload == workload]
        narrow = next((e for e in own if e.model.startswith("M0") and e.precision == "int8"), None)
        memory = next((e for e in own if e.model.startswith("M1")), None)
        if narrow is not None and memory is not None:
            found.append(
                EnergyRange(
                    workload=memory.workload,
                    node=memory.node,
                    low_j=min(narrow.low_j, memory.low_j),
                    central_j=memory.central_j,
                    high_j=memory.high_j,
                )
            )
    return tuple(found)
