"""lava-dl's netx as a referee: what it makes of our files must equal the fixed-point backend and Lava."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hardware.backends.netx as netx
from conversion.graph import LinearSynapse
from conversion.integer_graph import IntegerGraph
from hardware.agreement import agreement
from hardware.backends.base import RunResult
from hardware.backends.fixed_point import FixedPointBackend
from hardware.backends.lava import LavaBackend, LavaConfig
from hardware.backends.netx import NetxBackend, NetxConfig, NetxProgram, find_netx_python
from hardware.backends.worker_process import WORKERS
from hardware.netx.form import netx_form, netx_weight
from hardware.random_networks import RandomNetwork, random_network
from hardware.target import LOIHI1, LOIHI2
from snnface.app.prepared_network import prepare
from snnface.app.pretrained import PRETRAINED
from snnface.app.run import load_run
from snnface.errors import BackendUnavailableError, ConfigError, HardwareError, PrecisionError, ShapeError
from snnface.events import read

QUICK = NetxBackend(NetxConfig(round_biases=True, in_threads=True, timeout_s=300))


@pytest.fixture(scope="module")
def netx_python() -> Path:
    """The interpreter of an environment with lava-dl; tests that use it skip where it is absent."""
    python = find_netx_python()
    if python is None:
        pytest.skip("lava-dl is not there (make lava-dl)")
    return python


def with_delays(network: RandomNetwork, draw: np.random.Generator) -> RandomNetwork:
    """Its full matrices with delays, some of them longer than a sample."""
    populations = []
    for population in network.graph.populations:
        (link,) = population.inputs
        if isinstance(link.synapse, LinearSynapse):
            shape = link.synapse.weight.shape
            delay = np.where(draw.random(shape) < 0.9, draw.integers(0, 4, shape), draw.integers(0, 63, shape))
            population = replace(population, inputs=(replace(link, delay=delay),))
        populations.append(population)
    return replace(network, graph=replace(network.graph, populations=tuple(populations)))


def writable_networks(seeds: range) -> list[RandomNetwork]:
    """Random networks that netx can hold, in its form; each second one with delays."""
    networks = []
    for seed in seeds:
        network = random_network(seed)
        try:
            held = replace(network, graph=netx_form(network.graph, round_biases=True).graph)
        except HardwareError:
            continue
        networks.append(with_delays(held, np.random.default_rng(seed)) if len(networks) % 2 else held)
    return networks


def compared(seeds: range) -> None:
    networks = writable_networks(seeds)
    fixed_point, lava = FixedPointBackend(), LavaBackend(LavaConfig(in_threads=True, timeout_s=300))
    ours = [fixed_point.run(fixed_point.compile(network.graph, LOIHI2), network.spikes) for network in networks]
    theirs = QUICK.run_many([(QUICK.compile(network.graph, LOIHI2), network.spikes) for network in networks])
    third = lava.run_many([(lava.compile(network.graph, LOIHI2), network.spikes) for network in networks])
    for a, b, c in zip(ours, theirs, third, strict=True):
        assert_equal(a, b)
        assert_equal(b, c)
    kinds = [type(p.inputs[0].synapse).__name__ for network in networks for p in network.graph.populations]
    assert {*kinds} == {"LinearSynapse", "Conv2dSynapse"}
    assert len({network.graph.input_bits for network in networks}) > 1
    assert any(network.spikes.shape[1] > 1 for network in networks)
    assert sum(sum(run.num_spikes.values()) for run in ours) > 50 * len(networks)


def assert_equal(one: RunResult, other: RunResult) -> None:
    assert agreement(one, other).is_exact
    assert one.num_spikes == other.num_spikes
    assert np.allclose(one.answers, other.answers, rtol=1e-12)


HUNDREDS = [range(first, first + 100) for first in range(0, 500, 100)]


@pytest.mark.lava
@pytest.mark.usefixtures("netx_python", "lava_python")
@pytest.mark.parametrize(
    "seeds", [range(7, 15), *(pytest.param(seeds, marks=pytest.mark.nightly) for seeds in HUNDREDS)]
)
def test_random_networks_give_the_same_spikes_and_states_in_netx_lava_and_fixed_point(seeds: range) -> None:
    compared(seeds)


@pytest.mark.lava
@pytest.mark.data
@pytest.mark.nightly
@pytest.mark.usefixtures("netx_python")
def test_the_trained_network_on_a_real_recording_is_the_same_in_netx(shared_events: Path) -> None:
    recipe, model = load_run(PRETRAINED)
    graph = prepare(model, recipe).quantized.graph
    events = read(shared_events / "davis346_346x260.aedat4").events
    num_steps, (_, height, width) = 20, graph.input_shape
    size, span_us = events.resolution, int(events.t_us[-1] - events.t_us[0]) + 1
    step = (events.t_us - events.t_us[0]) * num_steps // span_us
    row, column = events.y.astype(int) * height // size.height, events.x.astype(int) * width // size.width
    counts = np.zeros((num_steps, 1, *graph.input_shape), dtype=np.int64)
    np.add.at(counts, (step, 0, 1 - events.polarity.astype(int), row, column), 1)
    program = NetxBackend(NetxConfig(round_biases=True)).compile(graph, LOIHI2)
    clipped = np.minimum(counts, (1 << graph.input_bits) - 1)
    fixed_point = FixedPointBackend()
    expected = fixed_point.run(fixed_point.compile(program.graph, LOIHI2), clipped)
    assert_equal(expected, NetxBackend().run(program, clipped))
    assert sum(expected.num_spikes.values()) > 100_000


OF_LAVA_DL = """
import contextlib, io, sys, warnings
import numpy as np
sys.path.insert(0, sys.argv[1])
from netx_worker import netx_network
netx_network()
from lava.lib.dl.netx.utils import optimize_weight_bits
from lava.utils.weightutils import clip_weights, determine_sign_mode, truncate_weights
warnings.simplefilter("ignore")
given, acting = np.load(sys.argv[2]), {}
for name, weight in given.items():
    with contextlib.redirect_stdout(io.StringIO()):
        scaled, bits, exponent, _ = optimize_weight_bits(weight)
    signs = determine_sign_mode(scaled)
    acting[name] = truncate_weights(clip_weights(scaled, signs, num_bits=8), signs, bits) / 2.0**-exponent
np.savez(sys.argv[3], **acting)
"""


@pytest.mark.lava
def test_matrices_act_in_lava_dl_as_we_say(netx_python: Path, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    ranges = [(-256, 255), (0, 256), (-255, 0), (-255, 1), (-8, 8), (0, 3), (-3, 0), (-400, 400), (0, 400)]
    given = {}
    for number in range(900):
        low, high = ranges[number % 9]
        weight = draw.integers(low, high, size=(1, draw.integers(1, 4))) << int(draw.integers(0, 3))
        if weight.any():
            given[str(number)] = weight
    np.savez(tmp_path / "given.npz", **given)
    paths = [str(WORKERS), str(tmp_path / "given.npz"), str(tmp_path / "acting.npz")]
    subprocess.run([str(netx_python), "-c", OF_LAVA_DL, *paths], check=True, capture_output=True)
    with np.load(tmp_path / "acting.npz") as acting:
        for name, weight in given.items():
            found = netx_weight(weight)
            assert found is not None
            assert np.array_equal(found, acting[name]), weight
        assert sum(not np.array_equal(weight, acting[name]) for name, weight in given.items()) > 100


@pytest.mark.lava
@pytest.mark.usefixtures("netx_python")
def test_a_network_that_takes_too_long_is_ended_and_wrong_spikes_never_start(single_neuron) -> None:
    backend = NetxBackend(NetxConfig(timeout_s=0.05))
    program = backend.compile(single_neuron(2), LOIHI2)
    with pytest.raises(HardwareError, match=r"did not finish within 0\.05 s"):
        backend.run(program, np.ones((2, 1, 1), dtype=np.int64))
    with pytest.raises(ShapeError, match="spikes must have the axes"):
        backend.run(program, np.ones((2, 1), dtype=np.int64))
    with pytest.raises(PrecisionError, match="the largest spike is 3"):
        backend.run(program, np.full((2, 1, 1), 3))
    with pytest.raises(ConfigError, match="population"):
        backend.run(program, np.ones((2, 1, 1), dtype=np.int64), keep=("nobody",))
    assert backend.run_many([]) == []


def test_what_a_file_cannot_hold_is_refused_before_lava_dl_is_looked_for(single_neuron) -> None:
    with pytest.raises(HardwareError, match="are 0, and netx cannot read"):
        NetxBackend().compile(single_neuron(0), LOIHI2)
    with pytest.raises(HardwareError, match="Pass round_biases=True"):
        NetxBackend().compile(single_neuron(2, bias_mant=3), LOIHI2)
    with pytest.raises(PrecisionError, match="'loihi1' takes input messages of 0 bits"):
        NetxBackend().compile(single_neuron(2, input_bits=4), LOIHI1)


def test_an_environment_without_lava_dl_says_how_to_get_it(single_neuron, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNNFACE_LAVA_PYTHON", sys.executable)
    assert find_netx_python() is None
    with pytest.raises(BackendUnavailableError, match="Run `make lava-dl`"):
        NetxBackend().compile(single_neuron(2), LOIHI2)
    monkeypatch.setattr(netx, "find_lava_python", lambda: None)
    assert find_netx_python() is None


def test_a_python_that_cannot_run_netx_is_reported_with_its_message(single_neuron) -> None:
    graph: IntegerGraph = single_neuron(2)
    program = NetxProgram(netx_form(graph).graph, (), Path(sys.executable))
    with pytest.raises(HardwareError, match=r"failed \(exit status 1\); .*No module named 'lava'.*make lava-dl"):
        NetxBackend().run(program, np.ones((1, 1, 1), dtype=np.int64))


def test_a_timeout_must_be_positive() -> None:
    with pytest.raises(ConfigError, match=r"must be positive; got 0\.0"):
        NetxConfig(timeout_s=0.0)
