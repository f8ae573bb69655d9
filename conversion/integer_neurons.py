"""The neurons of a Loihi-like chip in integers: their parameters, and the bits that these must fit.

What each of them does with its parameters stands beside the code that does it: LIF in
`hardware.backends.loihi_neuron`, the ternary neuron in `ternary_neuron`, the sigma-delta
family in `sigma_delta_neuron`. They are the neurons of lava-nc 0.10.0 of the same names.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from snnface.errors import PrecisionError

__all__ = ["ChipNeuron", "DeltaNeuron", "IntegerNeuron", "SigmaDeltaNeuron", "SigmaNeuron", "TernaryNeuron"]


@dataclass(frozen=True, slots=True, eq=False)
class IntegerNeuron:
    """Parameters of one population of fixed-point LIF neurons; they send 0 or 1.

    Attributes:
        du: decay of the current, 0..4095; 4095 means no memory.
        dv: decay of the voltage, 0..4095; 0 means no leak.
        vth: threshold mantissa, 0..131071; the voltage is compared with vth << 6.
        bias_mant: -4096..4095, int64, broadcastable to the population's shape
            ([C, 1, 1] for a convolution, [N] for a linear layer, or a 0-d array).
        bias_exp: 0..7.
        is_relay: as in the float graph.
    """

    is_binary: ClassVar[bool] = True
    largest_message: ClassVar[int | None] = 1

    du: int
    dv: int
    vth: int
    bias_mant: np.ndarray
    bias_exp: int = 0
    is_relay: bool = False

    def check(self, name: str) -> None:
        """Check that every number fits its bits.

        Raises:
            PrecisionError: names the population, the parameter, the value and the range.
        """
        _require_ranges(name, {**_lif_ranges(self), "vth": (self.vth, 0, 131071)})


@dataclass(frozen=True, slots=True, eq=False)
class TernaryNeuron:
    """Parameters of one population of fixed-point ternary LIF neurons; they send -1, 0 or 1.

    Attributes:
        du, dv, bias_mant, bias_exp: as in `IntegerNeuron`.
        vth_high: -131071..131071; sends 1 and resets where v > vth_high << 6.
        vth_low: -131071..vth_high; sends -1 and resets where v < vth_low << 6.
    """

    is_binary: ClassVar[bool] = False
    largest_message: ClassVar[int | None] = 1
    is_relay: ClassVar[bool] = False

    du: int
    dv: int
    vth_high: int
    vth_low: int
    bias_mant: np.ndarray
    bias_exp: int = 0

    def check(self, name: str) -> None:
        """As `IntegerNeuron.check`."""
        thresholds = {"vth_high": (self.vth_high, -131071, 131071), "vth_low": (self.vth_low, -131071, self.vth_high)}
        _require_ranges(name, {**_lif_ranges(self), **thresholds})


@dataclass(frozen=True, slots=True, eq=False)
class DeltaNeuron:
    """Parameters of delta encoders: they send by how much their input changed, once that is enough.

    Attributes:
        vth: a change of at least vth << (spike_exp + state_exp), in units of the state, is sent.
        spike_exp, state_exp: 0..7; the input is shifted up by both, a message down by state_exp.
        accumulates_error: compare the sum of the changes since the last message, not the last change.
    """

    is_binary: ClassVar[bool] = False
    largest_message: ClassVar[int | None] = None
    is_relay: ClassVar[bool] = False

    vth: int
    spike_exp: int = 0
    state_exp: int = 0
    accumulates_error: bool = False

    @property
    def exponent(self) -> int:
        """By how many bits the threshold (and a bias) is shifted up."""
        return self.spike_exp + self.state_exp

    def check(self, name: str) -> None:
        """As `IntegerNeuron.check`; the shifted threshold must fit the 24 bits of the state."""
        _require_ranges(name, _delta_ranges(self))


@dataclass(frozen=True, slots=True, eq=False)
class SigmaDeltaNeuron:
    """Parameters of sigma-delta neurons: they sum changes up, add a bias, rectify, and send changes again.

    Attributes:
        vth, spike_exp, state_exp, accumulates_error: as in `DeltaNeuron`, but the input is not shifted.
        bias: int64, broadcastable to the population's shape; added as bias << (spike_exp + state_exp).
        rectifies: the activation is max(sum + bias, 0), not the sum itself.
    """

    is_binary: ClassVar[bool] = False
    largest_message: ClassVar[int | None] = None
    is_relay: ClassVar[bool] = False

    vth: int
    bias: np.ndarray
    spike_exp: int = 0
    state_exp: int = 0
    rectifies: bool = True
    accumulates_error: bool = False

    @property
    def exponent(self) -> int:
        """By how many bits threshold and bias are shifted up."""
        return self.spike_exp + self.state_exp

    def check(self, name: str) -> None:
        """As `IntegerNeuron.check`; shifted threshold and bias must fit the 24 bits of the state."""
        largest = _largest_mantissa(self)
        _require_ranges(name, {**_delta_ranges(self), "bias": (self.bias, -largest, largest)})


@dataclass(frozen=True, slots=True)
class SigmaNeuron:
    """Sums up the changes that arrive, and sends the sum at every step: the end of a sigma-delta network."""

    is_binary: ClassVar[bool] = False
    largest_message: ClassVar[int | None] = None
    is_relay: ClassVar[bool] = False

    def check(self, name: str) -> None:
        """Nothing to check: it has no parameters."""


ChipNeuron = IntegerNeuron | TernaryNeuron | DeltaNeuron | SigmaDeltaNeuron | SigmaNeuron
"""Any of them. `is_binary` says that messages are 0 or 1; `largest_message` is the greatest magnitude
of a message, or None where only the run can tell."""

Range = tuple[np.ndarray | int, int, int]


def _lif_ranges(neuron: IntegerNeuron | TernaryNeuron) -> dict[str, Range]:
    return {
        "du": (neuron.du, 0, 4095),
        "dv": (neuron.dv, 0, 4095),
        "bias_mant": (neuron.bias_mant, -4096, 4095),
        "bias_exp": (neuron.bias_exp, 0, 7),
    }


def _delta_ranges(neuron: DeltaNeuron | SigmaDeltaNeuron) -> dict[str, Range]:
    return {
        "spike_exp": (neuron.spike_exp, 0, 7),
        "state_exp": (neuron.state_exp, 0, 7),
        "vth": (neuron.vth, 0, _largest_mantissa(neuron)),
    }


def _largest_mantissa(neuron: DeltaNeuron | SigmaDeltaNeuron) -> int:
    """What still fits 24 bits with sign once it is shifted up."""
    return ((1 << 23) - 1) >> max(neuron.exponent, 0)


def _require_ranges(name: str, ranges: dict[str, Range]) -> None:
    for parameter, (given, low, high) in ranges.items():
        value = np.asarray(given)
        if value.size and (value.min() < low or value.max() > high):
            raise PrecisionError(
                f"population {name!r}: {parameter} must lie in {low}..{high}; got {value.min()}..{value.max()}. "
                "Choose a smaller scale for this layer."
            )
