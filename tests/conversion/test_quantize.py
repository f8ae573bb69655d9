"""Quantising: the numbers by hand, exactness where it is promised, and an honest report."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from conversion.graph import INPUT, Connection, LinearSynapse, Neuron, Population, Readout, SpikingGraph
from conversion.integer_graph import IntegerGraph
from conversion.quantize import QuantizeConfig, quantize
from conversion.scale_search import choose_scales
from conversion.simulate import apply_synapse, simulate
from conversion.spike_comparison import compare_spikes
from hardware.backends.loihi_synapse import prepared_weight
from snnface.errors import CalibrationError, ConfigError, UnsupportedLayerError
from snnface.spiking.weight_range import sign_of, weight_range


def decay(value: np.ndarray, rate: int) -> np.ndarray:
    return np.sign(value) * ((np.abs(value) * (4096 - rate)) >> 12)


def run_integers(graph: IntegerGraph, spikes: np.ndarray) -> dict[str, np.ndarray]:
    """The equations of `conversion.integer_graph`, without fold and clip (nothing comes near)."""
    trains = {INPUT: spikes.astype(np.int64)}
    for population in graph.populations:
        neuron = population.neuron
        arriving = sum(
            apply_synapse(link.synapse, torch.as_tensor(trains[link.source].astype(float)).flatten(0, 1)).numpy()
            for link in population.inputs
        )
        arriving = arriving.astype(np.int64).reshape(*spikes.shape[:2], *population.shape)
        u = v = np.zeros(arriving.shape[1:], dtype=np.int64)
        train = np.zeros_like(arriving)
        for step, current in enumerate(arriving):
            u = decay(u, neuron.du + 1) + (current << 6)
            v = decay(v, neuron.dv) + u + (neuron.bias_mant << neuron.bias_exp)
            train[step] = v > neuron.vth << 6
            v = np.where(train[step], 0, v)
        trains[population.name] = train
    return {population.name: trains[population.name].astype(np.uint8) for population in graph.populations}


def one_layer(weight: np.ndarray, *, neuron: Neuron | None = None, bias: np.ndarray | None = None) -> SpikingGraph:
    links = (Connection(INPUT, LinearSynapse(weight.astype(float), bias)),)
    population = Population("n", (len(weight),), neuron or Neuron(leak=0.5, threshold=1.0), links)
    return SpikingGraph((weight.shape[1],), (population,), Readout("n", np.ones((1, len(weight))), np.zeros(1)))


def test_the_numbers_of_a_small_layer_are_those_worked_out_by_hand():
    graph = one_layer(
        np.array([[0.5, -0.3], [0.123, 0.0]]),
        neuron=Neuron(leak=0.25, threshold=1.0),
        bias=np.array([0.1, -0.2]),
    )
    result = quantize(graph, QuantizeConfig(input_bits=0))
    population, layer = result.graph.populations[0], result.layers[0]
    # S = 254 / 0.5 = 508: 0.3 -> 152.4, 0.123 -> 62.484; bias 64 S b = 3251.2, -6502.4 -> / 2
    assert layer.scale == 508
    np.testing.assert_array_equal(population.inputs[0].synapse.weight, [[254, -152], [62, 0]])
    assert population.inputs[0].synapse.weight.dtype == np.int64
    assert population.inputs[0].synapse.bias is None
    assert (population.neuron.du, population.neuron.dv, population.neuron.vth) == (4095, 1024, 508)
    np.testing.assert_array_equal(population.neuron.bias_mant, [1626, -3251])
    assert population.neuron.bias_exp == 1
    assert layer.worst_current == 64 * (254 + 152)
    assert (layer.num_weights, layer.num_clipped, layer.num_zeroed) == (4, 0, 0)
    assert layer.threshold_error == 0
    assert layer.leak_error == 0
    assert result.warnings == ()


def test_relays_take_their_exact_form(small_graph, input_spikes):
    result = quantize(small_graph(), QuantizeConfig(input_bits=0))
    pool = result.graph.population("pool")
    assert (pool.neuron.du, pool.neuron.dv, pool.neuron.vth, pool.neuron.is_relay) == (4095, 4095, 63, True)
    assert np.all(pool.inputs[0].synapse.weight == 64)
    assert pool.inputs[0].synapse.groups == 4
    trains = run_integers(result.graph, input_spikes)
    windows = trains["conv"].reshape(20, 2, 4, 3, 2, 3, 2).max(axis=(4, 6))
    np.testing.assert_array_equal(trains["pool"], windows)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    threshold=st.floats(0.5, 900.0),
    unit=st.sampled_from([1.0, 0.25, 2.0**-9]),
    fires_on_equality=st.booleans(),
)
def test_weights_on_the_even_grid_without_leak_lose_no_spike(seed, threshold, unit, fires_on_equality):
    # What lies a rounding error beside a whole number counts as that number; see below.
    nearest = round(threshold)
    assume(threshold == nearest or abs(threshold - nearest) > 1e-8 * threshold)
    generator = np.random.default_rng(seed)
    weight = 2 * generator.integers(-128, 128, (6, 8)) * unit
    neuron = Neuron(leak=0.0, threshold=threshold * unit, fires_on_equality=fires_on_equality)
    graph = one_layer(weight, neuron=neuron)
    spikes = (generator.random((25, 3, 8)) < 0.4).astype(np.uint8)
    result = quantize(graph, QuantizeConfig(input_bits=0))
    (comparison,) = compare_spikes(simulate(graph, spikes).spikes, run_integers(result.graph, spikes))
    assert comparison.num_differing == 0
    assert result.layers[0].weight_error < 1e-12
    assert result.layers[0].comparison_is_exact


@pytest.mark.parametrize(("fires_on_equality", "vth"), [(False, 2), (True, 1)])
def test_a_threshold_that_is_whole_but_for_rounding_is_whole(fires_on_equality, vth):
    weight = 2 * np.random.default_rng(0).integers(-128, 128, (6, 8)).astype(float)
    for threshold in (2 - 1e-13, 2.0, 2 + 1e-13):
        graph = one_layer(weight, neuron=Neuron(leak=0.0, threshold=threshold, fires_on_equality=fires_on_equality))
        assert quantize(graph, QuantizeConfig(input_bits=0)).graph.population("n").neuron.vth == vth


@pytest.mark.parametrize(("fires_on_equality", "vth"), [(False, 255), (True, 254)])
def test_ties_are_kept_without_leak(fires_on_equality, vth):
    graph = one_layer(np.array([[10.0]]), neuron=Neuron(leak=0.0, threshold=10.0, fires_on_equality=fires_on_equality))
    spikes = np.ones((6, 1, 1), dtype=np.uint8)
    result = quantize(graph, QuantizeConfig(input_bits=0))
    # One sign: 10 becomes 255, S = 25.5.
    assert result.graph.populations[0].neuron.vth == vth
    np.testing.assert_array_equal(run_integers(result.graph, spikes)["n"], simulate(graph, spikes).spikes["n"])


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    weight_bits=st.integers(2, 8),
    leak=st.floats(0, 1),
    signs=st.sampled_from([np.asarray, np.abs, lambda weight: -np.abs(weight)]),
)
def test_every_integer_fits_its_bits_and_lies_within_half_a_step(seed, weight_bits, leak, signs):
    generator = np.random.default_rng(seed)
    scale = 10.0 ** generator.uniform(-3, 3)
    graph = one_layer(
        signs(generator.normal(0, scale, (5, 7))),
        neuron=Neuron(leak=leak, threshold=scale * 10.0 ** generator.uniform(-1, 4)),
        bias=generator.normal(0, scale, 5),
    )
    config = QuantizeConfig(weight_bits=weight_bits)
    result = quantize(graph, config)
    layer, population = result.layers[0], result.graph.populations[0]
    weight = population.inputs[0].synapse.weight
    population.neuron.check("n")
    held = weight_range(sign_of(graph.populations[0].inputs[0].synapse.weight), weight_bits)
    assert weight.min() >= held.low
    assert weight.max() <= held.high
    assert not (weight % held.step).any()
    # The chip's own preparation leaves them as they are.
    np.testing.assert_array_equal(prepared_weight(weight, weight_bits=weight_bits), weight)
    error = np.abs(weight / layer.scale - graph.populations[0].inputs[0].synapse.weight)
    assert error.max() <= held.step / layer.scale * 0.500001
    assert layer.num_clipped == 0
    assert abs(layer.leak_error) <= 1 / 4096


def test_a_percentile_clips_and_counts_what_it_clips():
    weight = np.ones((1, 100))
    weight[0, 0] = -100.0
    result = quantize(one_layer(weight), QuantizeConfig(clip_percentile=98.0, input_bits=0))
    integers = result.graph.populations[0].inputs[0].synapse.weight
    assert integers[0, 0] == -256
    assert np.all(integers[0, 1:] == 254)
    assert result.layers[0].num_clipped == 1
    assert result.warnings == ("n: 1 of 100 weights were clipped.",)
    # Without clipping the rest falls on 2.
    plain = quantize(one_layer(weight), QuantizeConfig(input_bits=0))
    assert np.all(plain.graph.populations[0].inputs[0].synapse.weight[0, 1:] == 2)


def test_a_percentile_of_one_population_overrides_the_config():
    weight = np.append(np.ones(99), 50.0)[None]
    result = quantize(one_layer(weight), percentiles={"n": 90.0})
    assert result.layers[0].scale == 255
    assert result.layers[0].clip_percentile == 90
    with pytest.raises(ConfigError, match="percentiles names m"):
        quantize(one_layer(weight), percentiles={"m": 90.0})


def test_a_high_threshold_or_bias_lowers_the_scale_and_is_reported():
    high = quantize(one_layer(np.array([[0.001, 0.00033]]), neuron=Neuron(leak=0.1, threshold=5.0)))
    assert high.layers[0].limited_by == "threshold"
    assert high.graph.populations[0].neuron.vth == 131071
    biased = quantize(one_layer(np.array([[0.001, 0.00033]]), bias=np.array([0.9])))
    assert biased.layers[0].limited_by == "bias"
    assert (biased.graph.populations[0].neuron.bias_mant.item(), biased.graph.populations[0].neuron.bias_exp) == (
        4095,
        7,
    )
    assert "the bias limits the scale" in biased.warnings[0]


def test_head_room_counts_the_largest_input_and_all_connections():
    weight = np.full((1, 4), 1.0)
    graded = quantize(one_layer(weight), QuantizeConfig(input_bits=8))
    assert graded.layers[0].worst_current == 64 * 255 * 4 * 255
    assert graded.layers[0].may_overflow
    assert "beyond 8388608" in graded.warnings[0]
    known = quantize(one_layer(weight), QuantizeConfig(input_bits=8, peak_input=3))
    assert known.layers[0].worst_current == 64 * 255 * 4 * 3
    assert known.warnings == ()
    assert graded.graph.input_bits == 8


def test_several_connections_share_one_scale_and_add_their_biases():
    left, right = LinearSynapse(np.array([[0.5]]), np.array([0.25])), LinearSynapse(np.array([[-1.0]]), np.array([0.5]))
    links = (Connection(INPUT, left), Connection(INPUT, right))
    population = Population("n", (1,), Neuron(leak=0.5, threshold=1.0), links)
    graph = SpikingGraph((1,), (population,), Readout("n", np.ones((1, 1)), np.zeros(1)))
    result = quantize(graph, QuantizeConfig(input_bits=0))
    integers = [link.synapse.weight.item() for link in result.graph.populations[0].inputs]
    # Each of one sign. 255 would put 0.5 beside the grid; 254 puts both on it.
    assert integers == [127, -254]
    assert result.layers[0].signs == "excitatory, inhibitory"
    neuron = result.graph.populations[0].neuron
    assert neuron.bias_mant.item() << neuron.bias_exp == 64 * 254 * 0.75


def test_spike_counts_stay_near_the_float_graph(small_graph, input_spikes):
    graph = small_graph(6)
    result = quantize(graph, QuantizeConfig(input_bits=0))
    comparisons = compare_spikes(simulate(graph, input_spikes).spikes, run_integers(result.graph, input_spikes))
    assert comparisons[0].mismatch < 0.1
    for comparison in comparisons:
        assert comparison.num_spikes_b == pytest.approx(comparison.num_spikes_a, rel=0.15)


def test_soft_reset_and_initial_voltages_are_refused_by_name():
    for change, reason in (({"reset": "subtract"}, "resets by subtraction"), ({"initial_voltage": 0.1}, "starts at")):
        graph = one_layer(np.ones((1, 1)))
        population = replace(graph.populations[0], neuron=replace(graph.populations[0].neuron, **change))
        with pytest.raises(UnsupportedLayerError, match=f"population 'n' {reason}"):
            quantize(replace(graph, populations=(population,)))


def test_weights_of_one_sign_have_one_more_bit():
    weight = np.linspace(0.01, 1.0, 40).reshape(4, 10)
    error = {}
    for name, signed in {"excitatory": weight, "inhibitory": -weight, "mixed": weight - 0.5}.items():
        layer = quantize(one_layer(signed)).layers[0]
        assert layer.signs == name
        error[name] = layer.weight_error * np.linalg.norm(signed) * layer.scale
    # Steps of 1 instead of 2: in weight units of the chip the error halves, and the scale is 255 for the same largest.
    assert error["excitatory"] == pytest.approx(error["inhibitory"])
    assert error["excitatory"] < 0.7 * error["mixed"]


def test_a_mixed_layer_whose_positive_weights_round_away_still_fits_the_chip():
    # 0.001 becomes 0 and -1 would be -256, which a connection without a positive weight cannot hold.
    graph = one_layer(np.array([[-1.0, -0.5, 0.001]]))
    result = quantize(graph, QuantizeConfig(clip_percentile=30.0, input_bits=0))
    integers = result.graph.populations[0].inputs[0].synapse.weight
    assert integers[0, 0] == -255
    np.testing.assert_array_equal(prepared_weight(integers), integers)
    assert result.layers[0].num_clipped == 2


def test_parameters_of_each_neuron_are_refused_by_name():
    graph = one_layer(np.ones((2, 2)), neuron=Neuron(leak=0.5, threshold=np.array([1.0, 2.0])))
    with pytest.raises(UnsupportedLayerError, match="population 'n' has a threshold of its own for each neuron"):
        quantize(graph)


def test_equality_with_a_leak_is_reported_as_inexact():
    result = quantize(one_layer(np.ones((1, 2)), neuron=Neuron(leak=0.5, threshold=1.0, fires_on_equality=True)))
    assert not result.layers[0].comparison_is_exact
    assert "ties will differ" in result.warnings[-1]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"weight_bits": 9}, "weight_bits must lie in 2..8"),
        ({"clip_percentile": 0.0}, "clip_percentile must lie"),
        ({"input_bits": -1}, "input_bits must lie"),
        ({"input_bits": 2, "peak_input": 4}, r"peak_input must lie in 1..3"),
    ],
)
def test_impossible_settings_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        QuantizeConfig(**values)


def test_the_search_clips_where_it_brings_spikes_back_and_only_there(input_spikes):
    generator = np.random.default_rng(4)
    weight = generator.normal(0, 0.2, (6, 72))
    # One outlier on an input that never spikes costs all other weights their precision.
    weight[0, 0] = 60.0
    spikes = input_spikes.reshape(20, 2, 72).copy()
    spikes[..., 0] = 0
    graph = one_layer(weight)
    chosen = choose_scales(graph, spikes, (100.0, 99.5), run=run_integers, config=QuantizeConfig(input_bits=0))
    assert chosen == {"n": 99.5}
    tidy = one_layer(np.where(weight == 60.0, 0.1, weight))
    assert choose_scales(tidy, spikes, (100.0, 50.0), run=run_integers) == {"n": 100.0}


def test_the_search_needs_spikes_and_candidates_and_skips_relays(small_graph, input_spikes):
    graph = small_graph(6)
    chosen = choose_scales(graph, input_spikes, (100.0,), run=run_integers)
    assert set(chosen) == {"conv", "second", "full"}
    with pytest.raises(CalibrationError, match="'conv' never spikes"):
        choose_scales(graph, np.zeros_like(input_spikes), run=run_integers)
    with pytest.raises(CalibrationError, match="at least one clip percentile"):
        choose_scales(graph, input_spikes, (), run=run_integers)
