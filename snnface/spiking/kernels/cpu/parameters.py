"""A neuron's configuration as the C++ kernels read it."""

import ctypes

from snnface.spiking.neurons import NeuronConfig

__all__ = ["NeuronParams", "neuron_params", "options_of"]

# As `enum Surrogate` in neuron.h.
SURROGATES = ("atan", "sigmoid", "triangle", "superspike")


class NeuronParams(ctypes.Structure):
    """`struct NeuronParams` of neuron.h."""

    _fields_ = (
        *((name, ctypes.c_double) for name in ("threshold", "v_reset", "alpha")),
        *((name, ctypes.c_int32) for name in ("subtract", "decay_input", "fires_on_equality")),
        *((name, ctypes.c_int32) for name in ("surrogate", "detach_reset", "unused")),
    )


def options_of(config: NeuronConfig) -> list[float]:
    """The values of `NeuronParams` in order, in the form that a torch operator takes."""
    return [
        config.threshold,
        config.v_reset,
        config.surrogate_alpha,
        float(config.reset == "subtract"),
        float(config.decay_input),
        float(config.fires_on_equality),
        float(SURROGATES.index(config.surrogate)),
        float(config.detach_reset),
    ]


def neuron_params(options: list[float] | NeuronConfig) -> NeuronParams:
    """The structure, from a configuration or from `options_of` one."""
    values = options_of(options) if isinstance(options, NeuronConfig) else options
    return NeuronParams(*values[:3], *map(int, values[3:]), 0)
