"""Small integer networks, and the Lava environment where there is one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from conversion.graph import INPUT, Connection, LinearSynapse, Readout
from conversion.integer_graph import IntegerGraph, IntegerNeuron, IntegerPopulation
from hardware.backends.lava import find_lava_python

GraphMaker = Callable[..., IntegerGraph]


@pytest.fixture(scope="session")
def lava_python() -> Path:
    """The interpreter of Lava's environment; tests that use it skip where it is absent."""
    python = find_lava_python()
    if python is None:
        pytest.skip("Lava's Python 3.10 environment is not there (make lava)")
    return python


@pytest.fixture
def single_neuron() -> GraphMaker:
    """One neuron behind one weight: `single_neuron(weight, vth=..., ...)`."""

    def make(weight: int, *, input_bits: int = 0, **neuron: int) -> IntegerGraph:
        numbers = {"du": 4095, "dv": 0, "vth": 1, "bias_exp": 0, **neuron}
        bias = np.array([numbers.pop("bias_mant", 0)])
        population = IntegerPopulation(
            "cell",
            (1,),
            IntegerNeuron(bias_mant=bias, **numbers),
            (Connection(INPUT, LinearSynapse(np.array([[weight]]))),),
        )
        return IntegerGraph((1,), input_bits, (population,), Readout("cell", np.ones((1, 1)), np.zeros(1)))

    return make
