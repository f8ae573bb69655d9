"""The fixed-point simulator against Lava: differences on random networks, and time on the paper's network.

Usage: python benchmarks/fixed_point_vs_lava.py [--networks 500] [--rounds 5]

Needs Lava's environment (`make lava`); without it the simulator's own time is printed alone.
Times are medians of interleaved runs, per sample, start-up of Lava's processes excluded.
"""

import argparse
import os
import statistics

import numpy as np

from conversion.graph import INPUT, Connection, Conv2dSynapse, LinearSynapse, Readout, Synapse
from conversion.integer_graph import IntegerGraph, IntegerNeuron, IntegerPopulation
from hardware.agreement import agreement
from hardware.backends import FixedPointBackend, FixedPointConfig, LavaBackend, LavaConfig, find_lava_python
from hardware.random_networks import or_pool, random_network, relay_neuron
from hardware.target import LOIHI2
from snnface.seeding import SeedTree

NETWORKS_AT_ONCE = 50
STEPS, RATE = 75, 0.05
# Chosen so that every layer spikes in about 5 % of its bins, as trained networks do.
THRESHOLDS = {"conv1": 261, "conv2": 2007, "fc1": 10761, "fc2": 1423}


def paper_network() -> IntegerGraph:
    """2x64x64 - conv 32 - OR pool - conv 32 - OR pool - fc 512 - fc 210, random weights."""
    draw = SeedTree(0).numpy("paper network")
    populations: list[IntegerPopulation] = []

    def add(name: str, synapse: Synapse) -> None:
        source = populations[-1].name if populations else INPUT
        shape = synapse.output_shape(populations[-1].shape if populations else (2, 64, 64))
        neuron = relay_neuron()
        if name in THRESHOLDS:
            bias = draw.integers(-200, 200, size=(shape[0], *(1 for _ in shape[1:])))
            neuron = IntegerNeuron(du=4095, dv=2048, vth=THRESHOLDS[name], bias_mant=bias, bias_exp=4)
        populations.append(IntegerPopulation(name, shape, neuron, (Connection(source, synapse),)))

    def even(*shape: int) -> np.ndarray:
        return 2 * draw.integers(-127, 128, size=shape)

    add("conv1", Conv2dSynapse(even(32, 2, 3, 3), padding=(1, 1)))
    add("pool1", or_pool(32))
    add("conv2", Conv2dSynapse(even(32, 32, 3, 3), padding=(1, 1)))
    add("pool2", or_pool(32))
    add("fc1", LinearSynapse(even(512, 8192)))
    add("fc2", LinearSynapse(even(210, 512)))
    readout = Readout("fc2", np.kron(np.eye(21), np.full((1, 10), 0.1)), np.zeros(21))
    return IntegerGraph((2, 64, 64), 0, tuple(populations), readout)


def compare_random_networks(count: int) -> None:
    ours, theirs = FixedPointBackend(), LavaBackend(LavaConfig(timeout_s=3600.0))
    spikes = spike_differences = states = state_differences = folding = saturating = 0
    for first in range(0, count, NETWORKS_AT_ONCE):
        networks = [random_network(seed) for seed in range(first, min(first + NETWORKS_AT_ONCE, count))]
        runs = [ours.run(ours.compile(network.graph, LOIHI2), network.spikes) for network in networks]
        referee = theirs.run_many([(theirs.compile(network.graph, LOIHI2), network.spikes) for network in networks])
        for run, other in zip(runs, referee, strict=True):
            result = agreement(run, other)
            spikes += result.num_spikes
            spike_differences += result.num_differing_spikes
            states += sum(voltage.size for voltage in run.voltage.values())
            state_differences += result.num_differing_states
            folding += sum(run.num_folds.values()) > 0
            saturating += sum(run.num_saturations.values()) > 0
        print(f"  {first + len(networks)} networks: {spikes} spikes, {spike_differences} differ", flush=True)
    print(f"{count} random networks ({folding} with folds of u, {saturating} with saturations of v)")
    print(f"  spikes: {spikes}, differing: {spike_differences}")
    print(f"  final states (u, v): {states}, differing: {state_differences}")


def compare_paper_network(rounds: int, *, with_lava: bool) -> None:
    graph = paper_network()
    samples = (SeedTree(1).numpy("spikes").random((STEPS, 8, *graph.input_shape)) < RATE).astype(np.uint8)
    all_cores, one_core = FixedPointBackend(), FixedPointBackend(FixedPointConfig(num_threads=1))
    program = all_cores.compile(graph, LOIHI2)
    theirs = LavaBackend()
    all_cores.run(program, samples[:, :1])  # compiles the loops
    times: dict[str, list[float]] = {"all cores": [], "one core": [], "lava": []}
    for _ in range(rounds):
        times["all cores"].append(all_cores.run(program, samples, keep=()).seconds / samples.shape[1])
        times["one core"].append(one_core.run(program, samples, keep=()).seconds / samples.shape[1])
        if with_lava:
            referee = theirs.run(theirs.compile(graph, LOIHI2), samples[:, :2])
            times["lava"].append(referee.seconds / 2)
            result = agreement(all_cores.run(program, samples[:, :2]), referee)
            print(
                f"  {result.num_spikes} spikes, {result.num_differing_spikes} differ; "
                f"{result.num_differing_states} states differ",
                flush=True,
            )
    print(
        f"paper's network, T = {STEPS}, {samples.shape[1]} samples, {len(os.sched_getaffinity(0))} cores; ms a sample"
    )
    medians = {name: 1e3 * statistics.median(values) for name, values in times.items() if values}
    for name, value in medians.items():
        ratio = f", Lava takes {medians['lava'] / value:.0f} times as long" if name != "lava" and with_lava else ""
        print(f"  {name}: {value:.1f}{ratio}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with_lava = find_lava_python() is not None
    if with_lava:
        compare_random_networks(options.networks)
    else:
        print("Lava's environment is not there (make lava); only the simulator's own time is measured.")
    compare_paper_network(options.rounds, with_lava=with_lava)


if __name__ == "__main__":
    main()
