"""The Loihi neuron in integers: the bit-accurate LIF of Lava, step for step.

With D(x, d) = sign(x) ((|x| (4096 - d)) >> 12), a the summed synaptic input of a step,
theta = vth << 6 and beta = bias_mant << bias_exp:

    u' = int32(D(u, du + 1) + int32(a << 6))      may wrap at 32 bits
    u  = fold(u')
    v  = clip(D(v, dv) + u + beta, -(2^23 - 1), 2^23 - 1)
    s  = v > theta;   v = 0 where s

`fold` brings u back into 24 bits. Lava adds or subtracts 2^24 at most once and keeps both
ends, so that 2^23 stays, -2^23 becomes 2^23, and anything beyond 1.5 * 2^24 stays outside
(`overflow="lava"`); `overflow="mod24"` is the clean modulo. A network that never leaves 24
bits is the same under both.

Source: lava-nc 0.10.0, lava/proc/lif/models.py (PyLifModelBitAcc, PyPeriodicResetModelBitAcc).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32, Int64

from conversion.integer_graph import IntegerNeuron, TernaryNeuron
from hardware.backends.neuron_run import NeuronRun, NeuronState, Overflow, PeriodicReset
from hardware.backends.spike_train import SpikeTrain
from snnface.errors import PrecisionError
from snnface.jit import jit

__all__ = [
    "LifNeurons",
    "decayed",
    "lif_run",
    "lif_run_by_definition",
    "state_bias",
    "subthreshold_step",
    "wrapped",
]

HALF = 1 << 23  # u and v have 24 bits with sign
WHOLE = 1 << 24

# The kernel works on this many neurons at a time, and looks for spikes only in blocks that have some.
BLOCK = 256


@dataclass(frozen=True, slots=True, eq=False)
class LifNeurons:
    """One population of LIF neurons.

    Attributes:
        bias: beta of each neuron, see `state_bias`; the bias of `neuron` itself is not read.
    """

    neuron: IntegerNeuron
    bias: Int32[np.ndarray, " N"]
    overflow: Overflow = "lava"

    def zero_state(self) -> NeuronState:
        return NeuronState.zero(len(self.bias))

    def run(
        self,
        activation: Int32[np.ndarray, "T N"],
        state: NeuronState,
        *,
        reset: PeriodicReset | None = None,
        first_step: int = 1,
    ) -> NeuronRun:
        """See `Neurons.run`; numbers beyond their bits (mode "lava" only) take the slow definition."""
        try:
            self.neuron.check("")
            advance = lif_run
        except PrecisionError:
            advance = lif_run_by_definition
        return advance(
            activation,
            state,
            neuron=self.neuron,
            bias=self.bias,
            overflow=self.overflow,
            reset=reset,
            first_step=first_step,
        )


def lif_run(
    activation: Int32[np.ndarray, "T N"],
    state: NeuronState,
    *,
    neuron: IntegerNeuron,
    bias: Int32[np.ndarray, " N"],
    overflow: Overflow = "lava",
    reset: PeriodicReset | None = None,
    first_step: int = 1,
) -> NeuronRun:
    """Advance N neurons by T steps; `neuron`'s numbers must fit their bits (`IntegerNeuron.check`).

    Args:
        activation: the summed synaptic input a of each step.
        bias: beta of each neuron, see `state_bias`; the bias of `neuron` itself is not read.
        first_step: the number of the first step, which `reset` counts from.
    """
    num_steps, num_neurons = activation.shape
    current, voltage = state.current.copy(), state.voltage.copy()
    offsets = np.zeros(num_steps + 1, dtype=np.int64)
    index = np.empty(num_steps * num_neurons + 1, dtype=np.int32)  # one to spare, see _lif_steps
    num_folds, num_saturations = _lif_steps(
        activation,
        current,
        voltage,
        bias,
        np.int32(4095 - neuron.du),
        np.int32(4096 - neuron.dv),
        np.int32(neuron.vth << 6),
        overflow == "mod24",
        reset.interval if reset else 0,
        reset.offset % reset.interval if reset else 0,
        first_step,
        index,
        offsets,
    )
    index = index[: offsets[-1]].copy()
    train = SpikeTrain(offsets, index, np.ones(len(index), dtype=np.int32), num_neurons)
    return NeuronRun(train, NeuronState(current, voltage), num_folds, num_saturations)


def lif_run_by_definition(
    activation: Int32[np.ndarray, "T N"],
    state: NeuronState,
    *,
    neuron: IntegerNeuron,
    bias: Int32[np.ndarray, " N"],
    overflow: Overflow = "lava",
    reset: PeriodicReset | None = None,
    first_step: int = 1,
) -> NeuronRun:
    """The same as `lif_run`, in plain NumPy: the definition that the fast loop is tested against.

    It also takes thresholds and biases beyond their bits, with the 32-bit wraps of Lava.
    """
    u, v = state.current.astype(np.int64), state.voltage.astype(np.int64)
    theta = wrapped(np.int64(neuron.vth << 6), 32)
    raster = np.zeros(activation.shape, dtype=np.int32)
    num_folds = num_saturations = 0
    for step, a in enumerate(activation.astype(np.int64)):
        if reset is not None and reset.happens_at(first_step + step):
            u, v = np.zeros_like(u), np.zeros_like(v)
        u, v, folds, saturations = subthreshold_step(a, u, v, neuron=neuron, bias=bias, overflow=overflow)
        raster[step] = v > theta
        v = np.where(raster[step] > 0, 0, v)
        num_folds += folds
        num_saturations += saturations
    end = NeuronState(u.astype(np.int32), v.astype(np.int32))
    return NeuronRun(SpikeTrain.from_dense(raster), end, num_folds, num_saturations)


def subthreshold_step(
    activation: Int64[np.ndarray, " N"],
    u: Int64[np.ndarray, " N"],
    v: Int64[np.ndarray, " N"],
    *,
    neuron: IntegerNeuron | TernaryNeuron,
    bias: Int32[np.ndarray, " N"],
    overflow: Overflow,
) -> tuple[Int64[np.ndarray, " N"], Int64[np.ndarray, " N"], int, int]:
    """u and v of one step before the comparison with a threshold; then folds of u and saturations of v."""
    unfolded = wrapped(decayed(u, neuron.du + 1) + wrapped(activation << 6, 32), 32)
    u = _folded(unfolded, overflow)
    unclipped = wrapped(decayed(v, neuron.dv) + u + bias, 32)
    v = np.clip(unclipped, -(HALF - 1), HALF - 1)
    return u, v, int(np.count_nonzero(u != unfolded)), int(np.count_nonzero(np.abs(unclipped) > HALF - 1))


def decayed(x: Int64[np.ndarray, "*N"], d: int) -> Int64[np.ndarray, "*N"]:
    """D(x, d): x times (4096 - d) / 4096, rounded towards zero."""
    return np.asarray(np.sign(x) * ((np.abs(x) * (4096 - d)) >> 12))


def state_bias(neuron: IntegerNeuron | TernaryNeuron, shape: tuple[int, ...]) -> Int64[np.ndarray, "*N"]:
    """beta = bias_mant << bias_exp for every neuron of a population of this shape.

    A negative exponent shifts to the right, as in Lava; no chip has one.
    """
    mantissa = np.broadcast_to(neuron.bias_mant, shape).astype(np.int64)
    exponent = int(neuron.bias_exp)
    return mantissa << exponent if exponent >= 0 else mantissa >> -exponent


def _folded(x: Int64[np.ndarray, "*N"], overflow: Overflow) -> Int64[np.ndarray, "*N"]:
    if overflow == "mod24":
        return wrapped(x, 24)
    return np.where(x > HALF, x - WHOLE, np.where(x <= -HALF, x + WHOLE, x))


def wrapped(x: Int64[np.ndarray, "*N"] | np.int64, bits: int) -> Int64[np.ndarray, "*N"]:
    """x as a signed integer of so many bits."""
    half = 1 << (bits - 1)
    return np.asarray(((x + half) & ((1 << bits) - 1)) - half)


@jit
def _lif_steps(  # type: ignore[no-untyped-def]
    activation, current, voltage, bias, keep_u, keep_v, theta, is_modular, interval, phase, first_step, index, offsets
):
    """Advance all neurons, write the spiking ones to `index` and `offsets`; returns (folds, saturations)."""
    num_folds = 0
    num_saturations = 0
    found = 0
    spikes = np.zeros(BLOCK, dtype=np.uint8)
    words = spikes.view(np.uint64)
    num_neurons = current.size
    for step in range(activation.shape[0]):
        if interval > 0 and (first_step + step) % interval == phase:
            current[:] = 0
            voltage[:] = 0
        row = activation[step]
        for start in range(0, num_neurons, BLOCK):
            stop = min(num_neurons, start + BLOCK)
            num_spikes, folds, saturations = _lif_block(
                row[start:stop],
                current[start:stop],
                voltage[start:stop],
                bias[start:stop],
                keep_u,
                keep_v,
                theta,
                is_modular,
                spikes[: stop - start],
            )
            num_folds += folds
            num_saturations += saturations
            if num_spikes > 0:
                spikes[stop - start :] = 0
                for word in range(words.size):
                    if words[word] == 0:
                        continue
                    for n in range(8 * word, 8 * word + 8):
                        index[found] = start + n  # overwritten unless this one spiked: no branch to mispredict
                        found += spikes[n]
        offsets[step + 1] = found
    return num_folds, num_saturations


@jit
def _lif_block(a, u, v, bias, keep_u, keep_v, theta, is_modular, spikes):  # type: ignore[no-untyped-def]
    """One step of one block. Every number is cast to int32, so that the loop compiles to vector code."""
    num_folds = np.int32(0)
    num_saturations = np.int32(0)
    num_spikes = np.int32(0)
    half = np.int32(1 << 23)
    whole = np.int32(1 << 24)
    for n in range(u.size):
        x = np.int32(_decayed32(u[n], keep_u) + np.int32(a[n] << np.int32(6)))
        if is_modular:
            folded = np.int32((np.int32(x + half) & np.int32(0xFFFFFF)) - half)
        else:
            folded = np.int32(x - whole) if x > half else (np.int32(x + whole) if x <= -half else x)
        num_folds = np.int32(num_folds + np.int32(folded != x))
        u[n] = folded
        y = np.int32(np.int32(_decayed32(v[n], keep_v) + folded) + bias[n])
        clipped = np.int32(min(max(y, np.int32(1 - half)), np.int32(half - 1)))
        num_saturations = np.int32(num_saturations + np.int32(clipped != y))
        fires = clipped > theta
        spikes[n] = np.uint8(fires)
        num_spikes = np.int32(num_spikes + np.int32(fires))
        v[n] = np.int32(0) if fires else clipped
    return num_spikes, num_folds, num_saturations


@jit
def _decayed32(x, keep):  # type: ignore[no-untyped-def]
    """sign(x) ((|x| keep) >> 12) without a 64-bit product.

    With |x| = 4096 h + l the product is 4096 h keep + l keep, whose first part loses nothing in
    the shift, and l keep < 2^24.
    """
    size = np.int32(abs(x))
    high = np.int32(np.int32(size >> np.int32(12)) * keep)
    low = np.int32(np.int32(np.int32(size & np.int32(4095)) * keep) >> np.int32(12))
    total = np.int32(high + low)
    return np.int32(-total) if x < 0 else total
