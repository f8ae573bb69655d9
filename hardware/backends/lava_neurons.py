"""The project's neurons as processes of Lava: which process, its parameters, and what its states are called."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32

from conversion.integer_graph import (
    ChipNeuron,
    DeltaNeuron,
    IntegerNeuron,
    SigmaNeuron,
    TernaryNeuron,
)

__all__ = ["LavaNeuron", "lava_neuron", "lava_states"]

States = dict[str, Int32[np.ndarray, "S *shape"]]


@dataclass(frozen=True, slots=True, eq=False)
class LavaNeuron:
    """A neuron for the worker's manifest.

    Attributes:
        kind: as the worker calls the process.
        parameters: of the process, plain numbers and strings.
        arrays: further parameters, one value per neuron.
        states: of Lava's model.
    """

    kind: str
    parameters: Mapping[str, int | bool | str]
    arrays: Mapping[str, np.ndarray]
    states: tuple[str, ...]


def lava_neuron(neuron: ChipNeuron) -> LavaNeuron:
    """The process of Lava that is this neuron."""
    if isinstance(neuron, SigmaNeuron):
        return LavaNeuron("sigma", {}, {}, ("sigma",))
    if isinstance(neuron, IntegerNeuron | TernaryNeuron):
        shared = {"du": int(neuron.du), "dv": int(neuron.dv), "bias_exp": int(neuron.bias_exp)}
        arrays = {"bias_mant": neuron.bias_mant}
        if isinstance(neuron, IntegerNeuron):
            return LavaNeuron("lif", {**shared, "vth": int(neuron.vth)}, arrays, ("u", "v"))
        thresholds = {"vth_hi": int(neuron.vth_high), "vth_lo": int(neuron.vth_low)}
        return LavaNeuron("ternary", {**shared, **thresholds}, arrays, ("u", "v"))
    delta: dict[str, int | bool | str] = {
        "vth": int(neuron.vth),
        "spike_exp": int(neuron.spike_exp),
        "state_exp": int(neuron.state_exp),
        "cum_error": neuron.accumulates_error,
    }
    if isinstance(neuron, DeltaNeuron):
        return LavaNeuron("delta", delta, {}, ("act", "residue", "error"))
    mode = "RELU" if neuron.rectifies else "UNIT"
    states = ("sigma", "act", "residue", "error")
    return LavaNeuron("sigma_delta", {**delta, "act_mode": mode}, {"bias": neuron.bias}, states)


def lava_states(states: States) -> tuple[np.ndarray, np.ndarray, States]:
    """Lava's states as the current, the voltage and the others of `neuron_run.NeuronState`."""
    if "u" in states:
        return states["u"], states["v"], {}
    if "act" not in states:
        return states["sigma"], states["sigma"], {}
    others = {name: states[name] for name in ("residue", "error")}
    return states.get("sigma", np.zeros_like(states["act"])), states["act"], others
