"""A neuron's configuration as the C++ kernels read it."""

import ctypes

__all__ = ["NeuronParams", "neuron_params"]


class NeuronParams(ctypes.Structure):
    """`struct NeuronParams` of neuron.h."""

    _fields_ = (
        *((name, ctypes.c_double) for name in ("threshold", "v_reset", "alpha")),
        *((name, ctypes.c_int32) for name in ("subtract", "decay_input", "fires_on_equality")),
        *((name, ctypes.c_int32) for name in ("surrogate", "detach_reset", "unused")),
    )


def neuron_params(options: list[float]) -> NeuronParams:
    """The structure, from `options_of` a configuration."""
    return NeuronParams(*options[:3], *map(int, options[3:]), 0)
