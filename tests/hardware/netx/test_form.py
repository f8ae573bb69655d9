"""What a netx file can hold, checked against what lava-dl was seen to make of it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from conversion.graph import INPUT, Connection, LinearSynapse, Readout
from conversion.integer_graph import IntegerGraph, IntegerNeuron, IntegerPopulation, TernaryNeuron
from hardware.netx.form import netx_form, netx_weight
from snnface.errors import HardwareError, PrecisionError

ZERO = np.zeros((), dtype=np.int64)
NEURON = IntegerNeuron(du=4095, dv=100, vth=50, bias_mant=ZERO)


def chain(*matrices: list[list[int]], neuron: Any = NEURON, **connection: Any) -> IntegerGraph:
    """Full matrices one behind the other; the keywords go to the first connection."""
    populations, source = [], INPUT
    for number, rows in enumerate(matrices):
        synapse = LinearSynapse(np.array(rows, dtype=np.int64))
        options = connection if number == 0 else {}
        link = Connection(source, synapse, **options)
        populations.append(IntegerPopulation(f"p{number}", (len(rows),), neuron, (link,)))
        source = f"p{number}"
    width = len(matrices[-1])
    return IntegerGraph((len(matrices[0][0]),), 0, tuple(populations), Readout(source, np.eye(width), np.zeros(width)))


@pytest.mark.parametrize(
    ("weight", "acting"),
    [
        ([255, 3], [255, 3]),
        ([1, -1], [1, -1]),
        ([253, -1], [253, -1]),
        ([254, -256], [254, -256]),
        ([-255, -3], [-255, -3]),
        ([300, 5], [0, 0]),
        ([300, -5], [254, -5]),
        ([-64, -32], [-32, -32]),
        ([-64], [0]),
        ([-128, -3], [-127, -3]),
        ([0, -64], [0, -32]),
        ([0, -1], [0, -0.5]),
    ],
)
def test_a_matrix_acts_as_lava_dl_was_seen_to_make_it_act(weight: list[int], acting: list[float]) -> None:
    found = netx_weight(np.array([weight]))
    assert found is not None
    assert found.tolist() == [acting]


def test_an_all_zero_matrix_cannot_be_read() -> None:
    assert netx_weight(np.zeros((2, 3), dtype=np.int64)) is None


@given(arrays(np.int64, (2, 3), elements=st.integers(-128, 127)))
def test_even_weights_with_one_above_zero_always_act_as_they_stand(half: np.ndarray) -> None:
    weight = 2 * half
    weight[0, 0] = abs(weight[0, 0]) or 2
    acting = netx_weight(np.minimum(weight, 254))
    assert np.array_equal(acting, np.minimum(weight, 254))


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (chain([[0, 0]]), "'p0': all weights of its full matrix are 0"),
        (
            chain([[-64, -32]]),
            r"'p0': netx would act on other weights.*-64 would act as -32, 1 of 2.*no weight above 0",
        ),
        (chain([[2, 4]], [[0], [-64]]), r"'p1'.*-64 would act as -32"),
        (chain([[2, 4]], delay=np.array([[0, 63]])), "'p0': netx holds delays up to 62 steps"),
        (chain([[2, 4]], weight_exp=1), "'p0' has the weight exponent 1"),
        (chain([[2, 4]], neuron=TernaryNeuron(4095, 0, 5, -5, ZERO)), "'p0' has TernaryNeuron neurons"),
        (replace(chain([[2]], [[2]]), readout=Readout("p0", np.eye(1), np.zeros(1))), r"reads 'p0'; the host.*'p1'"),
        (
            replace(chain([[2]]), populations=(), readout=Readout(INPUT, np.eye(1), np.zeros(1))),
            "reads 'input'; the host",
        ),
    ],
)
def test_what_netx_would_run_otherwise_is_refused_by_name(graph: IntegerGraph, message: str) -> None:
    with pytest.raises(HardwareError, match=message):
        netx_form(graph)


def test_residuals_and_forks_are_refused_by_name() -> None:
    graph = chain([[2]], [[2]])
    first, second = graph.populations
    adding = replace(second, inputs=(second.inputs[0], Connection("p0", LinearSynapse(np.array([[4]])))))
    with pytest.raises(HardwareError, match=r"'p1' adds the connections from \['p0', 'p0'\] \(a residual\)"):
        netx_form(replace(graph, populations=(first, adding)))
    skipping = replace(second, inputs=(Connection(INPUT, LinearSynapse(np.array([[4]]))),))
    with pytest.raises(HardwareError, match="'p1' reads 'input', not 'p0' before it"):
        netx_form(replace(graph, populations=(first, skipping)))


def test_weights_beyond_the_chip_are_refused_as_everywhere() -> None:
    with pytest.raises(PrecisionError, match="1 would become 0"):
        netx_form(chain([[1, -2]]))


def test_a_bias_keeps_its_value_under_the_exponent_of_netx() -> None:
    bias = np.array([3, -5, 0])
    neuron = replace(NEURON, bias_mant=bias * 32, bias_exp=1)
    held = netx_form(chain([[2], [2], [2]], neuron=neuron))
    assert held.graph.populations[0].neuron.bias_mant.tolist() == [3, -5, 0]
    assert held.graph.populations[0].neuron.bias_exp == 6
    assert held.rounded_biases == ()


def test_a_bias_between_multiples_is_refused_with_what_rounding_would_change_or_rounded_and_told() -> None:
    graph = chain([[2], [2], [2]], neuron=replace(NEURON, bias_mant=np.array([100, 64, 33])))
    with pytest.raises(
        HardwareError, match=r"2 of 3 are none, and rounding would change them by up to 31 of a threshold of 3200"
    ):
        netx_form(graph)
    held = netx_form(graph, round_biases=True)
    assert held.graph.populations[0].neuron.bias_mant.tolist() == [2, 1, 1]
    (told,) = held.rounded_biases
    assert (told.population, told.num_rounded, told.largest_change) == ("p0", 2, 31)
    assert str(told) == "population 'p0': 2 biases were rounded to multiples of 64, by up to 31 of a threshold of 3200"


def test_a_bias_beyond_13_bits_of_64_is_refused() -> None:
    with pytest.raises(PrecisionError, match=r"holds biases of -4096\.\.4095 times 64; these are 0\.\.8190 times"):
        netx_form(chain([[2], [2]], neuron=replace(NEURON, bias_mant=np.array([4095, 0]), bias_exp=7)))


def test_a_graph_in_netx_form_stays_as_it_is() -> None:
    graph = chain([[2], [2], [2]], [[2, 4, 6]], neuron=replace(NEURON, bias_mant=np.array([100]), bias_exp=2))
    form = netx_form(graph, round_biases=True)
    again = netx_form(form.graph)
    assert len(form.rounded_biases) == 2
    assert again.rounded_biases == ()
    for one, other in zip(form.graph.populations, again.graph.populations, strict=True):
        assert np.array_equal(one.neuron.bias_mant, other.neuron.bias_mant)
