"""Published energies of single operations, each with its source. None was measured by this project."""

from dataclasses import dataclass

import numpy as np

from snnface.errors import unknown_name

__all__ = [
    "ACCUMULATOR",
    "ARITHMETIC_45NM",
    "HOROWITZ",
    "LOIHI1_ENERGY",
    "LOIHI1_KERAS_SPIKING",
    "SRAM_ACCESS_J",
    "ArithmeticEnergy",
    "PlatformEnergy",
    "accumulating",
    "arithmetic",
    "narrowed",
    "sram_access_j",
]

PJ = 1e-12

HOROWITZ = "Horowitz 2014, ISSCC, fig. 1.1.9 (45 nm, 0.9 V)"


@dataclass(frozen=True, slots=True)
class ArithmeticEnergy:
    """Joules of one addition and one multiplication."""

    add_j: float
    multiply_j: float

    @property
    def mac_j(self) -> float:
        """Multiply, then accumulate."""
        return self.add_j + self.multiply_j


ARITHMETIC_45NM = {
    "int8": ArithmeticEnergy(0.03 * PJ, 0.2 * PJ),
    "int32": ArithmeticEnergy(0.1 * PJ, 3.1 * PJ),
    "fp16": ArithmeticEnergy(0.4 * PJ, 1.1 * PJ),
    "fp32": ArithmeticEnergy(0.9 * PJ, 3.7 * PJ),
}
"""Precision -> energies. Source: see `HOROWITZ`."""

ACCUMULATOR = {"int8": "int32", "int32": "int32", "fp16": "fp32", "fp32": "fp32"}
"""The precision in which sums of many products are kept without overflow."""

SRAM_ACCESS_J = {"8 KiB": 10 * PJ, "32 KiB": 20 * PJ, "1 MiB": 100 * PJ, "external": 1300 * PJ}
"""64-bit accesses to memories of the published sizes; external memory at the low end of its range. Source: see
`HOROWITZ`."""

_SRAM_BYTES = np.array([8, 32, 1024]) * 1024.0
_SRAM_J = np.array([SRAM_ACCESS_J[name] for name in ("8 KiB", "32 KiB", "1 MiB")])


def arithmetic(precision: str) -> ArithmeticEnergy:
    """Energies of operations in `precision`.

    Raises:
        ConfigError: if there is no such precision.
    """
    if precision not in ARITHMETIC_45NM:
        raise unknown_name("precision", precision, ARITHMETIC_45NM)
    return ARITHMETIC_45NM[precision]


def accumulating(precision: str) -> ArithmeticEnergy:
    """Products in `precision`, sums in the accumulator's.

    Raises:
        ConfigError: if there is no such precision.
    """
    return ArithmeticEnergy(arithmetic(ACCUMULATOR.get(precision, precision)).add_j, arithmetic(precision).multiply_j)


def narrowed(bits: int) -> float:
    """Joules of the product of an 8-bit weight and an activation of `bits` bits.

    An array multiplier has a cell for each pair of bits, so energy goes with the product of the widths; between the
    published 8 and 32 bits it does so within 4 %.

    >>> round(narrowed(4) * 1e12, 9)
    0.1
    """
    return arithmetic("int8").multiply_j * bits / 8


def sram_access_j(num_bytes: int) -> float:
    """Joules of one 64-bit access to an on-chip memory of `num_bytes`.

    Linear between the published sizes. Below 8 KiB it is that of 8 KiB; above 1 MiB the
    last slope goes on up to the energy of an access to external memory (1300 pJ, the low
    end of the published range).

    Source: see `HOROWITZ`; interpolation after Lemaire et al. 2022, arXiv:2210.13107.

    >>> round(sram_access_j(20 * 1024) * 1e12, 9)
    15.0
    """
    if num_bytes <= _SRAM_BYTES[-1]:
        return float(np.interp(num_bytes, _SRAM_BYTES, _SRAM_J))
    slope = (_SRAM_J[2] - _SRAM_J[1]) / (_SRAM_BYTES[2] - _SRAM_BYTES[1])
    return float(min(_SRAM_J[2] + slope * (num_bytes - _SRAM_BYTES[2]), SRAM_ACCESS_J["external"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformEnergy:
    """Joules per event of a neuromorphic chip.

    Attributes:
        synop_j: per synaptic event.
        update_active_j, update_idle_j: per neuron and step, with and without input.
        spike_j: per spike inside its tile.
        hop_low_j, hop_high_j: per spike and hop between tiles, in the cheap and the dear direction.
        grade: how the figures were obtained.
    """

    name: str
    node: str
    synop_j: float
    update_active_j: float
    update_idle_j: float
    spike_j: float
    hop_low_j: float
    hop_high_j: float
    source: str
    grade: str


LOIHI1_ENERGY = PlatformEnergy(
    name="Loihi 1",
    node="14 nm",
    synop_j=23.6 * PJ,
    update_active_j=81 * PJ,
    update_idle_j=52 * PJ,
    spike_j=1.7 * PJ,
    hop_low_j=3.0 * PJ,
    hop_high_j=4.0 * PJ,
    source="Davies et al. 2018, IEEE Micro 38(1), table 2",
    grade="simulated before silicon at 0.75 V",
)

LOIHI1_KERAS_SPIKING = PlatformEnergy(
    name="Loihi 1, as KerasSpiking counts",
    node="14 nm",
    synop_j=(23.6 + 3.5) * PJ,
    update_active_j=81 * PJ,
    update_idle_j=81 * PJ,
    spike_j=0.0,
    hop_low_j=0.0,
    hop_high_j=0.0,
    source="KerasSpiking, ModelEnergy device 'loihi', after Davies et al. 2018",
    grade="assumed from the same table; given for comparison with other reports",
)
