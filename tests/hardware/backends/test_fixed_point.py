"""The fixed-point backend: against its definitions, and against networks that do not fit."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import hardware.backends.compiled_population as compiled_population
from conversion.graph import (
    INPUT,
    Connection,
    Conv2dSynapse,
    LinearSynapse,
    Neuron,
    Population,
    Readout,
    SpikingGraph,
)
from conversion.integer_graph import IntegerGraph, IntegerNeuron, IntegerPopulation, SigmaDeltaNeuron, SigmaNeuron
from hardware.agreement import agreement
from hardware.backends.base import RunResult
from hardware.backends.fixed_point import FixedPointBackend, FixedPointConfig
from hardware.backends.loihi_neuron import lif_run_by_definition, state_bias
from hardware.backends.loihi_synapse import conv_sums, delayed_sums, dense_sums, prepared_weight
from hardware.backends.neuron_run import NeuronState
from hardware.backends.spike_sums import channels_first
from hardware.random_networks import or_pool, random_network, relay_neuron
from hardware.random_processes import random_processes
from hardware.target import LOIHI1, LOIHI2
from snnface.errors import ConfigError, ConversionError, HardwareError, PrecisionError, ShapeError

GraphMaker = Callable[..., IntegerGraph]


def run(graph: IntegerGraph, spikes: Any, **config: Any) -> RunResult:
    backend = FixedPointBackend(FixedPointConfig(**config))
    return backend.run(backend.compile(graph, LOIHI2), np.asarray(spikes))


def by_definition(graph: IntegerGraph, spikes: np.ndarray) -> RunResult:
    """Layer by layer in int64, nothing shared with the backend but the neuron's definition."""
    trains = {INPUT: spikes.astype(np.int64)}
    voltage, current, folds = {}, {}, {}
    steps, batch = spikes.shape[:2]
    for population in graph.populations:
        sums = np.zeros((steps, batch, *population.shape), dtype=np.int64)
        for connection in population.inputs:
            messages = trains[connection.source]
            flat = messages.reshape(steps * batch, *messages.shape[2:])
            if isinstance(connection.synapse, LinearSynapse):
                part = dense_sums(connection.synapse.weight, flat.reshape(steps * batch, -1))
            else:
                part = conv_sums(connection.synapse, flat)
            sums += part.reshape(sums.shape)
        assert isinstance(population.neuron, IntegerNeuron)
        neurons = sums.reshape(steps, -1).astype(np.int32)  # wraps, as Lava's int32 does
        bias = np.broadcast_to(state_bias(population.neuron, population.shape), (batch, *population.shape))
        result = lif_run_by_definition(
            neurons,
            NeuronState.zero(neurons.shape[1]),
            neuron=population.neuron,
            bias=bias.ravel().astype(np.int32),
        )
        trains[population.name] = result.spikes.dense().reshape(sums.shape)
        voltage[population.name] = result.state.voltage.reshape(batch, *population.shape).astype(np.int64)
        current[population.name] = result.state.current.reshape(batch, *population.shape).astype(np.int64)
        folds[population.name] = result.num_folds
    kept = {name: train.astype(np.uint8) for name, train in trains.items() if name != INPUT}
    return RunResult(
        spikes=kept,
        num_spikes={name: int(train.sum()) for name, train in kept.items()},
        voltage=voltage,
        current=current,
        answers=graph.readout(trains[graph.readout.source]),
        num_folds=folds,
    )


def test_one_neuron_integrates_fires_and_resets(single_neuron: GraphMaker) -> None:
    result = run(single_neuron(3, vth=5), np.array([1, 1, 0, 1]).reshape(4, 1, 1))
    assert result.spikes["cell"].ravel().tolist() == [0, 1, 0, 0]
    assert result.voltage["cell"].tolist() == [[3 << 6]]
    assert result.current["cell"].tolist() == [[3 << 6]]
    assert result.answers.tolist() == [[0.25]]
    assert result.num_spikes == {"cell": 1}


def test_a_graded_message_is_multiplied_with_the_weight(single_neuron: GraphMaker) -> None:
    result = run(single_neuron(3, vth=131071, input_bits=8), np.array([[[255]]]))
    assert result.voltage["cell"].tolist() == [[255 * 3 << 6]]


@pytest.mark.parametrize("seed", range(40))
def test_random_networks_run_as_defined(seed: int) -> None:
    network = random_network(seed)
    result, expected = run(network.graph, network.spikes), by_definition(network.graph, network.spikes)
    assert agreement(expected, result).is_exact
    assert result.num_spikes == expected.num_spikes
    assert result.num_folds == expected.num_folds
    assert np.allclose(result.answers, expected.answers, rtol=1e-12)


@pytest.mark.parametrize("seed", range(40))
def test_networks_of_every_kind_get_the_sums_that_are_defined(seed: int) -> None:
    network = random_processes(seed)
    graph, result = network.graph, run(network.graph, network.spikes)
    for sample in range(network.spikes.shape[1]):
        trains = {INPUT: network.spikes[:, sample].astype(np.int64)}
        for population in graph.populations:
            sums = np.zeros((len(network.spikes), *population.shape), dtype=np.int64)
            for connection in population.inputs:
                sums += defined_sums(connection, trains[connection.source]).reshape(sums.shape)
            neurons = compiled_population.compiled_population(graph, population, "lava").neurons
            flat = compiled_population.neurons_in_order(sums, population.shape).astype(np.int32)
            sent = neurons.run(flat, neurons.zero_state()).spikes.dense()
            trains[population.name] = channels_first(sent, population.shape).astype(np.int64)
            assert np.array_equal(result.spikes[population.name][:, sample], trains[population.name])


def defined_sums(connection: Connection, messages: np.ndarray) -> np.ndarray:
    synapse = connection.synapse
    if not isinstance(synapse, LinearSynapse):
        return conv_sums(synapse, messages)
    delay = np.zeros_like(synapse.weight) if connection.delay is None else connection.delay
    flat = messages.reshape(len(messages), -1)
    return delayed_sums(synapse.weight, delay, flat, weight_exp=connection.weight_exp)


def test_graded_populations_return_their_messages(single_neuron: GraphMaker) -> None:
    graph = single_neuron(2, input_bits=8)
    population = replace(graph.populations[0], neuron=SigmaDeltaNeuron(5, np.array([1])))
    graph = replace(graph, populations=(population,))
    result = run(graph, np.array([7, 0, 3]).reshape(3, 1, 1))
    # sigma 14 14 20, activation 15 15 21: changes of 15, 0 and 6
    assert result.spikes["cell"].ravel().tolist() == [15, 0, 6]
    assert result.spikes["cell"].dtype == np.int32
    assert result.num_spikes == {"cell": 2}
    assert result.answers.tolist() == [[7.0]]
    assert (result.current["cell"].item(), result.voltage["cell"].item()) == (20, 21)
    assert {name: values.tolist() for name, values in result.other_states["cell"].items()} == {
        "residue": [[0]],
        "error": [[0]],
    }


def test_graded_messages_beyond_32_bits_are_refused_as_they_come(single_neuron: GraphMaker) -> None:
    graph = single_neuron(255, input_bits=8)
    first = replace(graph.populations[0], neuron=SigmaNeuron())
    second = IntegerPopulation("next", (1,), SigmaNeuron(), (Connection("cell", LinearSynapse(np.array([[255]]))),))
    graph = replace(graph, populations=(first, second))
    assert run(graph, np.full((3, 1, 1), 255)).num_spikes == {"cell": 3, "next": 3}
    with pytest.raises(PrecisionError, match="population 'next': sums over the connection from 'cell' could leave 32"):
        run(graph, np.full((200, 1, 1), 255))


def test_the_random_networks_are_not_idle() -> None:
    runs = [run(network.graph, network.spikes) for network in map(random_network, range(40))]
    assert sum(sum(result.num_spikes.values()) > 0 for result in runs) >= 32
    assert sum(sum(result.num_folds.values()) > 0 for result in runs) >= 6
    assert sum(sum(result.num_saturations.values()) > 0 for result in runs) >= 6


@pytest.fixture(scope="module")
def residual_network() -> Any:
    """The first random network with two connections into one population and three samples."""
    networks = map(random_network, range(1000))
    return next(
        network
        for network in networks
        if network.spikes.shape[1] == 3 and any(len(p.inputs) > 1 for p in network.graph.populations)
    )


def test_a_sample_does_not_depend_on_its_batch(residual_network: Any) -> None:
    together = run(residual_network.graph, residual_network.spikes)
    for sample in range(3):
        alone = run(residual_network.graph, residual_network.spikes[:, sample : sample + 1])
        for name in together.spikes:
            assert np.array_equal(together.spikes[name][:, [sample]], alone.spikes[name])
            assert np.array_equal(together.voltage[name][[sample]], alone.voltage[name])


def test_threads_and_the_size_of_pieces_change_nothing(residual_network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = run(residual_network.graph, residual_network.spikes, num_threads=1)
    monkeypatch.setattr(compiled_population, "SUMS_AT_ONCE", 1)
    result = run(residual_network.graph, residual_network.spikes, num_threads=3)
    assert agreement(expected, result).is_exact
    assert result.num_folds == expected.num_folds
    assert result.num_saturations == expected.num_saturations


def test_only_the_trains_asked_for_are_kept(residual_network: Any) -> None:
    backend = FixedPointBackend()
    program = backend.compile(residual_network.graph, LOIHI2)
    full = backend.run(program, residual_network.spikes)
    some = backend.run(program, residual_network.spikes, keep=("p1",))
    assert tuple(some.spikes) == ("p1",)
    assert np.array_equal(some.spikes["p1"], full.spikes["p1"])
    assert some.num_spikes == full.num_spikes
    assert np.array_equal(some.answers, full.answers)
    with pytest.raises(ConfigError, match="unknown population 'p99'"):
        backend.run(program, residual_network.spikes, keep=("p99",))


def test_a_readout_of_the_input_averages_the_input(single_neuron: GraphMaker) -> None:
    graph = replace(single_neuron(1), readout=Readout(INPUT, np.array([[4.0]]), np.zeros(1)))
    assert run(graph, np.array([1, 0, 0, 1]).reshape(4, 1, 1)).answers.tolist() == [[2.0]]


def test_an_or_pool_passes_one_spike_for_any_number() -> None:
    pool = IntegerPopulation("pool", (1, 1, 1), relay_neuron(), (Connection(INPUT, or_pool(1)),))
    graph = IntegerGraph((1, 2, 2), 0, (pool,), Readout("pool", np.ones((1, 1)), np.zeros(1)))
    windows = np.array([[0, 0, 0, 0], [0, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0], [1, 0, 0, 1]])
    result = run(graph, windows.reshape(5, 1, 1, 2, 2))
    assert result.spikes["pool"].ravel().tolist() == [0, 1, 1, 0, 1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vth": 131072}, "population 'cell': vth must lie in 0..131071; got 131072"),
        ({"du": 4096}, "du must lie in 0..4095"),
        ({"dv": -1}, "dv must lie in 0..4095"),
        ({"bias_mant": 4096}, "bias_mant must lie in -4096..4095"),
        ({"bias_exp": 8}, "bias_exp must lie in 0..7"),
    ],
)
def test_a_neuron_out_of_its_bits_is_refused(single_neuron: GraphMaker, changes: dict[str, int], message: str) -> None:
    with pytest.raises(PrecisionError, match=message):
        FixedPointBackend().compile(single_neuron(1, **changes), LOIHI2)


def with_weight(graph: IntegerGraph, weight: np.ndarray, **synapse: Any) -> IntegerGraph:
    cell = graph.populations[0]
    connection = Connection(INPUT, LinearSynapse(weight, **synapse))
    population = replace(cell, shape=(len(weight),), inputs=(connection,))
    readout = Readout("cell", np.ones((1, len(weight))), np.zeros(1))
    return replace(graph, populations=(population,), readout=readout)


@pytest.mark.parametrize(
    ("weight", "change"), [([[300], [2]], "300 would become 255"), ([[3], [-4]], "3 would become 2")]
)
def test_weights_that_the_chip_would_change_are_refused(
    single_neuron: GraphMaker, weight: list[list[int]], change: str
) -> None:
    with pytest.raises(PrecisionError, match=f"population 'cell': 1 weights .*{change}.*Quantise again"):
        FixedPointBackend().compile(with_weight(single_neuron(1), np.array(weight)), LOIHI2)


def test_other_misfits_are_refused_by_name(single_neuron: GraphMaker) -> None:
    backend, graph = FixedPointBackend(), single_neuron(1, input_bits=4)
    with pytest.raises(PrecisionError, match=r"'loihi1' takes input messages of 0 bits .*input_bits = 4"):
        backend.compile(graph, LOIHI1)
    with pytest.raises(HardwareError, match=r"'cell': .*must have integer weights.*float64.*Quantise the graph first"):
        backend.compile(with_weight(graph, np.array([[1.0]])), LOIHI2)
    with pytest.raises(HardwareError, match="must have integer weights and no bias"):
        backend.compile(with_weight(graph, np.array([[1]]), bias=np.array([1])), LOIHI2)
    with pytest.raises(HardwareError, match="'cell': a linear layer over 2 inputs cannot read"):
        backend.compile(with_weight(graph, np.array([[1, 1]])), LOIHI2)
    misshapen = replace(graph, populations=(replace(graph.populations[0], shape=(2,)),))
    with pytest.raises(HardwareError, match=r"gives \(1,\), the population is \(2,\)"):
        backend.compile(misshapen, LOIHI2)
    with pytest.raises(PrecisionError, match=r"could reach .* and leave 32 bits"):
        FixedPointBackend(FixedPointConfig(mode="lava")).compile(convolved(np.array([[[[1 << 30, 1 << 30]]]])), LOIHI2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"delay": np.array([[64]])}, r"'cell': delays must lie in 0\.\.63 steps; .* 64\.\.64.*Put relays in between"),
        ({"delay": np.array([[-1]])}, r"delays must lie in 0\.\.63"),
        ({"delay": np.array([1])}, r"must be integers \(1, 1\), one for each weight; got int64 \(1,\)"),
        ({"delay": np.array([[1.0]])}, "must be integers"),
        ({"weight_exp": 8}, r"weight_exp must lie in -8\.\.7; got 8"),
    ],
)
def test_delays_and_exponents_that_the_chip_lacks_are_refused(
    single_neuron: GraphMaker, change: dict[str, Any], message: str
) -> None:
    graph = single_neuron(1)
    population = graph.populations[0]
    odd = replace(population, inputs=(replace(population.inputs[0], **change),))
    with pytest.raises((PrecisionError, HardwareError), match=message):
        FixedPointBackend().compile(replace(graph, populations=(odd,)), LOIHI2)


def test_convolutions_have_no_delays_and_float_graphs_none_at_all() -> None:
    graph = convolved(np.array([[[[2]]]]))
    population = graph.populations[0]
    late = replace(population.inputs[0], delay=np.array([[[[1]]]]))
    with pytest.raises(HardwareError, match=r"'cell': the convolution from 'input' has delays.*full matrix"):
        FixedPointBackend().compile(replace(graph, populations=(replace(population, inputs=(late,)),)), LOIHI2)
    floating = Population("cell", population.shape, Neuron(0.5, 1.0), (replace(late, delay=None, weight_exp=1),))
    with pytest.raises(ConversionError, match="'input' -> 'cell' has delays or a weight exponent, which only integer"):
        SpikingGraph(graph.input_shape, (floating,), graph.readout)


def test_samples_that_do_not_fit_are_refused(single_neuron: GraphMaker) -> None:
    graph = single_neuron(1)
    with pytest.raises(ShapeError, match=r"axes \[T, B, 1\]"):
        run(graph, np.zeros((3, 1, 2), dtype=np.int64))
    with pytest.raises(PrecisionError, match="largest spike is 2"):
        run(graph, np.array([[[2]]]))


def convolved(weight: np.ndarray) -> IntegerGraph:
    synapse = Conv2dSynapse(weight)
    shape = synapse.output_shape((weight.shape[1], 3, 3))
    neuron = IntegerNeuron(du=4095, dv=0, vth=131071, bias_mant=np.zeros((), dtype=np.int64))
    population = IntegerPopulation("cell", shape, neuron, (Connection(INPUT, synapse),))
    readout = Readout("cell", np.ones((1, population.num_neurons)), np.zeros(1))
    return IntegerGraph((weight.shape[1], 3, 3), 0, (population,), readout)


def test_chip_and_lava_differ_on_convolutions_beyond_their_bits() -> None:
    weight = np.array([1000, -3]).reshape(2, 1, 1, 1)
    graph, spikes = convolved(weight), np.ones((1, 1, 1, 3, 3), dtype=np.int64)
    on_chip, in_lava = (run(graph, spikes, mode=mode).current["cell"][0, :, 0, 0] for mode in ("hardware", "lava"))
    assert on_chip.tolist() == [254 << 6, -4 << 6]
    assert in_lava.tolist() == [1000 << 6, -3 << 6]
    backend = FixedPointBackend(FixedPointConfig(mode="lava"))
    assert backend.compile(graph, LOIHI2).num_altered_weights == {"cell": 2}


def test_full_matrices_are_prepared_in_every_mode(single_neuron: GraphMaker) -> None:
    graph = with_weight(single_neuron(1, vth=131071), np.array([[301], [-7]]))
    for mode in ("hardware", "lava"):
        current = run(graph, np.array([[[1]]]), mode=mode).current["cell"]
        assert current.tolist() == [[254 << 6, -8 << 6]]
    assert prepared_weight(np.array([301, -7])).tolist() == [254, -8]


def test_lava_mode_runs_thresholds_and_biases_beyond_their_bits(single_neuron: GraphMaker) -> None:
    graph = single_neuron(1, vth=131072, bias_mant=9000, bias_exp=9)
    result = run(graph, np.zeros((3, 1, 1), dtype=np.int64), mode="lava")
    # The bias of 9000 * 512 fills v to its limit in two steps, and v cannot exceed 131072 << 6.
    assert result.voltage["cell"].tolist() == [[(1 << 23) - 1]]
    assert result.num_spikes == {"cell": 0}
    with pytest.raises(PrecisionError, match="even Lava holds vth only below 2\\^25"):
        run(single_neuron(1, bias_exp=16), np.zeros((1, 1, 1), dtype=np.int64), mode="lava")


def test_the_clean_overflow_rule_can_be_chosen(single_neuron: GraphMaker) -> None:
    graph = with_weight(single_neuron(1, vth=131071, input_bits=8, dv=4095), np.full((1, 7), 255))
    graph, spikes = replace(graph, input_shape=(7,)), np.full((1, 1, 7), 255)
    lava, clean = (run(graph, spikes, overflow=rule).current["cell"].item() for rule in ("lava", "mod24"))
    unfolded = 7 * 255 * 255 << 6
    assert lava == unfolded - (1 << 24) > 1 << 23
    assert clean == unfolded - (1 << 25)


@pytest.mark.parametrize(("setting", "value"), [("num_threads", 0), ("mode", "loose"), ("overflow", "saturate")])
def test_a_wrong_setting_is_refused(setting: str, value: Any) -> None:
    config = FixedPointConfig()
    object.__setattr__(config, setting, value)  # past the type check of the test run
    with pytest.raises(ConfigError, match=f"got.*{value}"):
        config.__post_init__()


def test_inputs_are_left_alone(residual_network: Any) -> None:
    spikes = residual_network.spikes.copy()
    weights = [p.inputs[0].synapse.weight.copy() for p in residual_network.graph.populations]
    run(residual_network.graph, residual_network.spikes)
    assert np.array_equal(spikes, residual_network.spikes)
    for population, weight in zip(residual_network.graph.populations, weights, strict=True):
        assert np.array_equal(population.inputs[0].synapse.weight, weight)
