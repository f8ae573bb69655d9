"""The ternary LIF neuron in integers: it sends 1 above one threshold and -1 below another.

u and v as in `loihi_neuron`; then

    s = +1 where v > vth_high << 6,  -1 where v < vth_low << 6,  else 0;   v = 0 where s

Source: lava-nc 0.10.0, lava/proc/lif/models.py (PyTernLifModelFixed). Lava has no ternary neuron
with a periodic reset; here it resets as LIFReset does.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32

from conversion.integer_graph import TernaryNeuron
from hardware.backends.loihi_neuron import subthreshold_step
from hardware.backends.neuron_run import NeuronRun, NeuronState, Overflow, PeriodicReset
from hardware.backends.spike_train import SpikeTrain

__all__ = ["TernaryNeurons"]


@dataclass(frozen=True, slots=True, eq=False)
class TernaryNeurons:
    """One population of ternary neurons.

    Attributes:
        bias: of each neuron, see `loihi_neuron.state_bias`.
    """

    neuron: TernaryNeuron
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
        """See `Neurons.run`."""
        u, v = state.current.astype(np.int64), state.voltage.astype(np.int64)
        messages = np.zeros(activation.shape, dtype=np.int32)
        num_folds = num_saturations = 0
        for step, a in enumerate(activation.astype(np.int64)):
            if reset is not None and reset.happens_at(first_step + step):
                u, v = np.zeros_like(u), np.zeros_like(v)
            u, v, folds, saturations = subthreshold_step(
                a, u, v, neuron=self.neuron, bias=self.bias, overflow=self.overflow
            )
            messages[step] = (v > self.neuron.vth_high << 6).astype(np.int32) - (v < self.neuron.vth_low << 6)
            v = np.where(messages[step] != 0, 0, v)
            num_folds += folds
            num_saturations += saturations
        end = NeuronState(u.astype(np.int32), v.astype(np.int32))
        return NeuronRun(SpikeTrain.from_dense(messages), end, num_folds, num_saturations)
