"""Peaks and ties of a run in integers, worked out by hand and against the backend's own states."""

import numpy as np

from conversion.graph import INPUT, Connection, LinearSynapse, Readout
from conversion.head_room import HeadRoom, head_room, joined_head_room
from conversion.integer_graph import IntegerGraph, IntegerNeuron, IntegerPopulation
from hardware.backends.fixed_point import FixedPointBackend
from hardware.target import LOIHI2


def one_population(weight: int, *, vth: int, dv: int = 0, bias: int = 0) -> IntegerGraph:
    neuron = IntegerNeuron(du=4095, dv=dv, vth=vth, bias_mant=np.array([bias]))
    links = (Connection(INPUT, LinearSynapse(np.array([[weight]]))),)
    return IntegerGraph((1,), 8, (IntegerPopulation("n", (1,), neuron, links),), Readout("n", np.eye(1), np.zeros(1)))


def run(graph: IntegerGraph, inputs: np.ndarray):
    backend = FixedPointBackend()
    return backend.run(backend.compile(graph, LOIHI2), inputs)


def test_peaks_and_ties_are_those_worked_out_by_hand():
    graph = one_population(10, vth=20)
    inputs = np.array([1, 1, 1, 0, 0])[:, None, None]
    spikes = run(graph, inputs).spikes
    # v = 640, 1280 (the threshold, no spike), 1920 (spike), 0, 0
    np.testing.assert_array_equal(spikes["n"].ravel(), [0, 0, 1, 0, 0])
    assert head_room(graph, inputs, spikes) == (
        HeadRoom("n", peak_current=640, peak_voltage=1920, num_ties=1, num_bins=5),
    )


def test_a_bias_counts_in_the_voltage_and_not_in_the_current():
    graph = one_population(1, vth=100, bias=-500)
    inputs = np.zeros((4, 1, 1), dtype=np.int64)
    (room,) = head_room(graph, inputs, run(graph, inputs).spikes)
    assert (room.peak_current, room.peak_voltage) == (0, 2000)
    assert room.voltage_share == 2000 / 2**23


def test_what_folds_or_saturates_has_a_share_above_one():
    graph = one_population(255, vth=131071)
    # Each step brings 64 * 255 * 255 = 4161600; two stay below the threshold, three leave 24 bits.
    inputs = np.full((3, 1, 1), 255)
    result = run(graph, inputs)
    (room,) = head_room(graph, inputs, result.spikes)
    np.testing.assert_array_equal(result.spikes["n"].ravel(), [0, 0, 1])
    assert result.num_saturations["n"] == 1
    assert room.peak_voltage == 3 * 4161600
    assert room.voltage_share > 1
    assert room.current_share == 4161600 / 2**23


def test_several_sets_make_one():
    parts = [HeadRoom("n", 5, 9, 1, 10), HeadRoom("n", 7, 2, 2, 30)]
    assert joined_head_room(parts) == HeadRoom("n", 7, 9, 3, 40)


def test_peaks_of_a_leaking_network_bound_the_states_that_the_backend_ends_with():
    generator = np.random.default_rng(3)
    weight = 2 * generator.integers(-100, 100, (6, 5))
    neuron = IntegerNeuron(du=4095, dv=700, vth=900, bias_mant=generator.integers(-200, 200, 6), bias_exp=2)
    links = (Connection(INPUT, LinearSynapse(weight)),)
    graph = IntegerGraph((5,), 3, (IntegerPopulation("n", (6,), neuron, links),), Readout("n", np.eye(6), np.zeros(6)))
    inputs = generator.integers(0, 4, (30, 3, 5))
    # Cut anywhere, the last voltage is one that was reached.
    for steps in (1, 7, 30):
        result = run(graph, inputs[:steps])
        (room,) = head_room(graph, inputs[:steps], result.spikes)
        assert np.abs(result.voltage["n"]).max() <= room.peak_voltage
        assert np.abs(result.current["n"]).max() <= room.peak_current
    first = run(graph, inputs[:1])
    silent = first.spikes["n"][0] == 0
    (room,) = head_room(graph, inputs[:1], first.spikes)
    assert np.abs(first.voltage["n"][silent]).max() <= room.peak_voltage
    assert np.abs(first.current["n"]).max() == room.peak_current
