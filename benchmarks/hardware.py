"""The fixed-point simulator: differences to Lava, its speed beside Lava and a dense loop, and what a report costs.

    python benchmarks/hardware.py [--networks 500] [--rounds 5] [--clips 1000] [--only differences speed report]

`differences`: random networks of every process, spike for spike and state for state against Lava.
`speed`: milliseconds a sample on the paper's network (2x64x64 - conv 32 - OR pool - conv 32 - OR pool - fc 512 -
fc 210, random weights, 75 steps of random events at 5 %), medians of runs in turns: the simulator in batches on all
cores (as a whole test set runs), in batches on one core, one sample alone; a loop over steps and layers with dense
NumPy products; Lava, its start left out. Wall time counts; beside it stands the processor time of what runs in this
process. All must agree in every spike.
`report`: seconds to count the operations of so many clips of that network, sum them up, estimate and write the page,
inference left out.

Lava's rows need its environment (`make lava`); without it they are left out, and named.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np

# Scripts here bear the names of packages that they measure, and their folder comes first where imports are looked up.
HERE = Path(__file__).resolve().parent
sys.path[:] = [folder for folder in sys.path if Path(folder).resolve() != HERE]

from conversion.graph import INPUT, Connection, Conv2dSynapse, LinearSynapse, Readout, Synapse  # noqa: E402
from conversion.integer_graph import IntegerGraph, IntegerNeuron, IntegerPopulation  # noqa: E402
from hardware.agreement import agreement  # noqa: E402
from hardware.backends import (  # noqa: E402
    FixedPointBackend,
    FixedPointConfig,
    LavaBackend,
    LavaConfig,
    RunResult,
    find_lava_python,
)
from hardware.counts.operation_counts import NetworkOperations  # noqa: E402
from hardware.counts.operation_summary import summarise_operations  # noqa: E402
from hardware.counts.operations import count_operations  # noqa: E402
from hardware.energy.models import energy_estimates  # noqa: E402
from hardware.random_networks import or_pool, relay_neuron  # noqa: E402
from hardware.random_processes import random_processes  # noqa: E402
from hardware.report import Report, write_report  # noqa: E402
from hardware.target import LOIHI2  # noqa: E402
from snnface.seeding import SeedTree  # noqa: E402

sys.path.append(str(HERE))
from peers.dense_loop import dense_loop  # noqa: E402

PARTS = ("differences", "speed", "report")
NETWORKS_AT_ONCE = 100
STEPS, RATE, BATCH = 75, 0.05, 8
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


def random_samples(graph: IntegerGraph, count: int, seed: int) -> np.ndarray:
    return (SeedTree(seed).numpy("spikes").random((STEPS, count, *graph.input_shape)) < RATE).astype(np.uint8)


def print_differences(num_networks: int) -> None:
    ours, theirs = FixedPointBackend(), LavaBackend(LavaConfig(timeout_s=3600.0, in_threads=True))
    totals: dict[str, int] = dict.fromkeys(("spikes", "differing spikes", "states", "differing states", "folding"), 0)
    for first in range(0, num_networks, NETWORKS_AT_ONCE):
        networks = [random_processes(seed) for seed in range(first, min(first + NETWORKS_AT_ONCE, num_networks))]
        runs = [ours.run(ours.compile(network.graph, LOIHI2), network.spikes) for network in networks]
        referee = theirs.run_many([(theirs.compile(network.graph, LOIHI2), network.spikes) for network in networks])
        for run, other in zip(runs, referee, strict=True):
            result = agreement(run, other)
            totals["spikes"] += result.num_spikes
            totals["differing spikes"] += result.num_differing_spikes
            totals["states"] += sum(voltage.size for voltage in run.voltage.values())
            totals["differing states"] += result.num_differing_states
            totals["folding"] += any(run.num_folds.values())
        print(f"  {first + len(networks)} networks: {totals}", flush=True)


@dataclass(frozen=True)
class Timed:
    """One contender: what it does, how many samples that is, and its times so far."""

    run: Callable[[], RunResult]
    num_samples: int
    wall: list[float]
    processor: list[float]

    def turn(self) -> RunResult:
        start, used = time.perf_counter(), time.process_time()
        result = self.run()
        self.processor.append((time.process_time() - used) / self.num_samples)
        # Of Lava only the run itself: starting its processes takes longer still.
        self.wall.append((result.seconds or time.perf_counter() - start) / self.num_samples)
        return result


def print_speed(rounds: int, *, with_lava: bool) -> None:
    graph = paper_network()
    samples = random_samples(graph, BATCH, 1)
    all_cores, one_core, lava = FixedPointBackend(), FixedPointBackend(FixedPointConfig(num_threads=1)), LavaBackend()
    program = all_cores.compile(graph, LOIHI2)
    keep = ("fc2",)
    contenders = {
        "fixed point, batches, all cores": Timed(lambda: all_cores.run(program, samples, keep=keep), BATCH, [], []),
        "fixed point, batches, one core": Timed(lambda: one_core.run(program, samples, keep=keep), BATCH, [], []),
        "fixed point, one sample": Timed(lambda: one_core.run(program, samples[:, :1], keep=keep), 1, [], []),
        "dense NumPy loop, one sample": Timed(lambda: dense_loop(graph, samples[:, :1], keep=keep), 1, [], []),
    }
    if with_lava:
        compiled = lava.compile(graph, LOIHI2)
        contenders["Lava"] = Timed(lambda: lava.run(compiled, samples[:, :2], keep=keep), 2, [], [])
    all_cores.run(program, samples[:, :1])  # compiles the loops
    for _ in range(rounds):
        results = {name: contender.turn() for name, contender in contenders.items()}
        first = results["fixed point, batches, all cores"].spikes["fc2"]
        for name, result in results.items():
            train = result.spikes["fc2"]
            if not np.array_equal(train, first[:, : train.shape[1]]):
                raise SystemExit(f"{name} disagrees with the fixed-point simulator in its last spikes.")
    slowest = statistics.median(contenders["Lava"].wall) if with_lava else None
    for name, contender in contenders.items():
        wall, processor = statistics.median(contender.wall), statistics.median(contender.processor)
        line = f"  {name:32}{1e3 * wall:9.1f} ms a sample, {1 / wall:6.2f} samples a second"
        line += "" if name == "Lava" else f" ({1e3 * processor:.1f} ms of processor a sample)"
        print(line + (f", {slowest / wall:.0f} times as fast as Lava" if slowest and name != "Lava" else ""))


def print_report_cost(num_clips: int) -> None:
    graph = paper_network()
    backend = FixedPointBackend()
    program = backend.compile(graph, LOIHI2)
    batches = [random_samples(graph, min(BATCH, num_clips), seed) for seed in (1, 2, 3)]
    runs = [backend.run(program, batch).spikes for batch in batches]
    start, used = time.perf_counter(), time.process_time()
    # Three batches in turn, which hides nothing: counts of a batch do not depend on those before it.
    turns = [number % 3 for number in range(-(-num_clips // BATCH))]
    counted = [count_operations(graph, batches[turn], runs[turn]) for turn in turns]
    counting = time.perf_counter() - start
    whole = reduce(NetworkOperations.combine, counted)
    report = Report(
        title="Cost of a report",
        data="random events",
        is_synthetic=True,
        operations=summarise_operations(whole),
        energy=energy_estimates(whole),
    )
    with tempfile.TemporaryDirectory() as folder:
        write_report(report, Path(folder) / "report.html")
    seconds, used, clips = time.perf_counter() - start, time.process_time() - used, len(counted) * BATCH
    print(
        f"  {clips} clips: {seconds:.1f} s ({used:.1f} s of processor), of these counting {counting:.1f} s; "
        f"{clips / seconds:.0f} clips a second"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    options = parser.parse_args()
    with_lava = find_lava_python() is not None
    if not with_lava:
        print("Lava's environment is not there (make lava): its rows are left out.")
    if "differences" in options.only and with_lava:
        print("Fixed point against Lava")
        print_differences(options.networks)
    if "speed" in options.only:
        print("Time on the paper's network")
        print_speed(options.rounds, with_lava=with_lava)
    if "report" in options.only:
        print("Cost of a report beyond inference")
        print_report_cost(options.clips)


if __name__ == "__main__":
    main()
