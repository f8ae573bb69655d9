"""A neuron's configuration in the form that an operator of torch takes: a list of numbers."""

from typing import get_args

from snnface.spiking.neurons import NeuronConfig
from snnface.spiking.surrogate import Surrogate

__all__ = ["SURROGATES", "decays_input", "options_of"]

SURROGATES: tuple[str, ...] = get_args(Surrogate)
"""In the order of `enum Surrogate` in neuron.h."""


def options_of(config: NeuronConfig) -> list[float]:
    """Threshold, v_reset, alpha, subtract, decay_input, fires_on_equality, surrogate, detach_reset.

    In the order of the fields of `struct NeuronParams` in neuron.h.
    """
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


def decays_input(options: list[float]) -> bool:
    """Whether inputs are multiplied by the leak."""
    return bool(options[4])
