"""Chips as data: bit widths and capacities, each with its source."""

from dataclasses import dataclass

__all__ = ["LOIHI1", "LOIHI2", "TARGETS", "HardwareTarget"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareTarget:
    """Limits of one neuromorphic chip.

    Attributes:
        weight_bits: bits of a synaptic weight, sign included for mixed signs.
        input_bits: bits of a graded input message; 0 means that only binary spikes exist.
        neurons_per_core, cores_per_chip: published counts.
        synapse_bytes_per_core: memory for weights.
        input_axons_per_core: None where it is not published.
        source: where the numbers come from.
    """

    name: str
    weight_bits: int
    input_bits: int
    neurons_per_core: int
    cores_per_chip: int
    synapse_bytes_per_core: int
    input_axons_per_core: int | None
    source: str


LOIHI1 = HardwareTarget(
    name="loihi1",
    weight_bits=8,
    input_bits=0,
    neurons_per_core=1024,
    cores_per_chip=128,
    synapse_bytes_per_core=128 * 1024,
    input_axons_per_core=4096,
    source="Davies et al. 2018, IEEE Micro 38(1); axon limit from nengo-loihi",
)

LOIHI2 = HardwareTarget(
    name="loihi2",
    weight_bits=8,
    input_bits=8,
    neurons_per_core=8192,
    cores_per_chip=128,
    synapse_bytes_per_core=128 * 1024,
    input_axons_per_core=None,
    source="Intel, Loihi 2 technology brief 2021; of 192 KiB a core, 128 KiB for weights are assumed",
)

TARGETS = {target.name: target for target in (LOIHI1, LOIHI2)}
