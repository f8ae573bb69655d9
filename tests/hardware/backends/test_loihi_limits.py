"""What is refused before a run, neuron by neuron; what Lava itself could not hold is refused in every mode."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from conversion.integer_graph import (
    ChipNeuron,
    DeltaNeuron,
    IntegerGraph,
    IntegerNeuron,
    SigmaDeltaNeuron,
    TernaryNeuron,
)
from hardware.backends.loihi_limits import prepared_graph
from hardware.target import LOIHI2
from snnface.errors import HardwareError, PrecisionError

GraphMaker = Callable[..., IntegerGraph]
ZERO = np.zeros((), dtype=np.int64)


def with_neuron(graph: IntegerGraph, neuron: ChipNeuron) -> IntegerGraph:
    return replace(graph, populations=(replace(graph.populations[0], neuron=neuron),))


@pytest.mark.parametrize(
    ("neuron", "message"),
    [
        (TernaryNeuron(0, 0, 1 << 17, -3, ZERO), r"'cell': vth_high must lie in .* Choose a smaller scale"),
        (SigmaDeltaNeuron(1, np.array([1 << 20]), 2, 2), r"'cell': bias must lie in"),
        (DeltaNeuron(3, 7, 8), r"'cell': state_exp must lie in 0\.\.7; got 8"),
    ],
)
def test_numbers_that_only_lava_holds_are_refused_unless_lava_is_asked_for(
    single_neuron: GraphMaker, neuron: ChipNeuron, message: str
) -> None:
    graph = with_neuron(single_neuron(1), neuron)
    for mode in ("strict", "hardware"):
        with pytest.raises(PrecisionError, match=message):
            prepared_graph(graph, LOIHI2, mode)
    assert prepared_graph(graph, LOIHI2, "lava").num_altered_weights == {"cell": 0}


@pytest.mark.parametrize(
    ("neuron", "message"),
    [
        (IntegerNeuron(0, 0, 1 << 25, ZERO), r"'cell': even Lava holds vth only below 2\^25.*got \[33554432\]"),
        (TernaryNeuron(0, 0, 5, -(1 << 25), ZERO), "even Lava holds vth only below"),
        (TernaryNeuron(0, 4096, 5, -5, ZERO), "dv must lie in"),
        (DeltaNeuron(1 << 20, 7, 5), "'cell': even Lava holds vth and bias, shifted by .* = 12, only in 32 bits"),
        (SigmaDeltaNeuron(1, np.array([0, -(1 << 28)]), 3, 0), "even Lava holds vth and bias"),
        (DeltaNeuron(1, 0, -1), "even Lava holds vth and bias"),
    ],
)
def test_numbers_that_even_lava_cannot_hold_are_refused(
    single_neuron: GraphMaker, neuron: ChipNeuron, message: str
) -> None:
    with pytest.raises(PrecisionError, match=message):
        prepared_graph(with_neuron(single_neuron(1), neuron), LOIHI2, "lava")


@pytest.mark.parametrize(
    "neuron", [TernaryNeuron(0, 0, 5, -5, np.zeros(3, int)), SigmaDeltaNeuron(1, np.zeros(3, int))]
)
def test_a_bias_that_does_not_spread_over_the_population_is_refused(
    single_neuron: GraphMaker, neuron: ChipNeuron
) -> None:
    with pytest.raises(HardwareError, match=r"population 'cell': .*\(3,\)"):
        prepared_graph(with_neuron(single_neuron(1), neuron), LOIHI2, "strict")


def test_a_weight_exponent_counts_for_the_32_bits_of_a_sum(single_neuron: GraphMaker) -> None:
    graph = replace(single_neuron(255, input_bits=8), input_bits=8)
    inputs = (replace(graph.populations[0].inputs[0], weight_exp=7),)
    population = replace(graph.populations[0], inputs=inputs)
    prepared_graph(replace(graph, populations=(population,)), LOIHI2, "strict")
    wide = replace(graph, input_bits=17, populations=(population,))
    with pytest.raises(PrecisionError, match=r"sums over .* could reach 4278157440 and leave 32 bits"):
        prepared_graph(wide, replace(LOIHI2, input_bits=17), "strict")
