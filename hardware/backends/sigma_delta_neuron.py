"""Sigma-delta neurons in integers: layers that send each other only by how much they changed.

With a the summed synaptic input, e = spike_exp + state_exp, and everything in 32 bits that wrap:

    sigma      = sigma + a                                    (delta encoders: none)
    activation = max(sigma + (bias << e), 0)                  (delta encoders: a << e)
    delta      = activation - last activation + residue
    error      = error + delta                                (where errors accumulate)
    message    = delta where |delta| (or |error|) >= vth << e, else 0
    error      = 0 where message
    residue    = delta - message
    sent       = message >> state_exp

A sigma neuron alone sends sigma at every step. Messages are signed integers of any size. Lava keeps
sigma in 32 bits though it declares 24; how often it leaves 24 is counted as a fold.

Source: lava-nc 0.10.0, lava/proc/sdn/models.py (PySigmaModelFixed, PyDeltaModelFixed,
PySigmaDeltaModelFixed). Lava resets none of them; a periodic reset makes all their states zero here.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32

from conversion.integer_graph import DeltaNeuron, SigmaDeltaNeuron
from hardware.backends.neuron_run import NeuronRun, NeuronState, PeriodicReset
from hardware.backends.spike_train import SpikeTrain

__all__ = ["DeltaNeurons", "SigmaDeltaNeurons", "SigmaNeurons"]

LARGEST_24_BITS = (1 << 23) - 1


@dataclass(frozen=True, slots=True, eq=False)
class SigmaDeltaNeurons:
    """One population of sigma-delta neurons.

    Attributes:
        bias: of each neuron, already shifted.
    """

    neuron: SigmaDeltaNeuron
    bias: Int32[np.ndarray, " N"]

    def zero_state(self) -> NeuronState:
        return NeuronState.zero(len(self.bias), ("residue", "error"))

    def run(
        self,
        activation: Int32[np.ndarray, "T N"],
        state: NeuronState,
        *,
        reset: PeriodicReset | None = None,
        first_step: int = 1,
    ) -> NeuronRun:
        """See `Neurons.run`."""
        messages = np.zeros(activation.shape, dtype=np.int32)
        num_folds = 0
        for step, a in enumerate(activation):
            if reset is not None and reset.happens_at(first_step + step):
                state = self.zero_state()
            sigma = state.current + a
            reached = np.maximum(sigma + self.bias, 0) if self.neuron.rectifies else sigma + self.bias
            messages[step], state = _encoded(reached, state, self.neuron)
            state = NeuronState(sigma, state.voltage, state.others)
            num_folds += _num_outside(sigma)
        return NeuronRun(SpikeTrain.from_dense(messages), state, num_folds, 0)


@dataclass(frozen=True, slots=True, eq=False)
class DeltaNeurons:
    """One population of delta encoders."""

    neuron: DeltaNeuron
    num_neurons: int

    def zero_state(self) -> NeuronState:
        return NeuronState.zero(self.num_neurons, ("residue", "error"))

    def run(
        self,
        activation: Int32[np.ndarray, "T N"],
        state: NeuronState,
        *,
        reset: PeriodicReset | None = None,
        first_step: int = 1,
    ) -> NeuronRun:
        """See `Neurons.run`."""
        messages = np.zeros(activation.shape, dtype=np.int32)
        for step, a in enumerate(activation):
            if reset is not None and reset.happens_at(first_step + step):
                state = self.zero_state()
            messages[step], state = _encoded(a << np.int32(self.neuron.exponent), state, self.neuron)
        return NeuronRun(SpikeTrain.from_dense(messages), state, 0, 0)


@dataclass(frozen=True, slots=True)
class SigmaNeurons:
    """One population of decoders; both states are the sum that they send."""

    num_neurons: int

    def zero_state(self) -> NeuronState:
        return NeuronState.zero(self.num_neurons)

    def run(
        self,
        activation: Int32[np.ndarray, "T N"],
        state: NeuronState,
        *,
        reset: PeriodicReset | None = None,
        first_step: int = 1,
    ) -> NeuronRun:
        """See `Neurons.run`."""
        sums = np.zeros(activation.shape, dtype=np.int32)
        sigma = state.current
        for step, a in enumerate(activation):
            if reset is not None and reset.happens_at(first_step + step):
                sigma = np.zeros_like(sigma)
            sums[step] = sigma = sigma + a
        return NeuronRun(SpikeTrain.from_dense(sums), NeuronState(sigma, sigma), _num_outside(sums), 0)


def _encoded(
    activation: Int32[np.ndarray, " N"], state: NeuronState, neuron: DeltaNeuron | SigmaDeltaNeuron
) -> tuple[Int32[np.ndarray, " N"], NeuronState]:
    """What is sent, and the state after it with the current as it was."""
    delta = activation - state.voltage + state.others["residue"]
    error = state.others["error"] + delta if neuron.accumulates_error else state.others["error"]
    compared = error if neuron.accumulates_error else delta
    message = np.where(np.abs(compared) >= neuron.vth << neuron.exponent, delta, np.int32(0))
    error = np.where(message != 0, np.int32(0), error)
    others = {"residue": delta - message, "error": error}
    return message >> np.int32(neuron.state_exp), NeuronState(state.current, activation, others)


def _num_outside(sums: Int32[np.ndarray, "*N"]) -> int:
    """How many do not fit 24 bits with sign."""
    return int(np.count_nonzero((sums > LARGEST_24_BITS) | (sums < -LARGEST_24_BITS - 1)))
