"""Networks as jobs for the Lava worker, and the worker as a subprocess.

The worker runs on its own Python 3.10 and talks through files only (`lava_worker/worker.py`
describes them). One call runs many jobs, because starting Lava takes seconds. Everything that
differs between Lava's layouts and the project's is turned around here.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int32, Integer

from conversion.graph import Conv2dSynapse, Synapse
from conversion.integer_graph import ChipNeuron, IntegerGraph
from hardware.backends.lava_neurons import lava_neuron, lava_states
from hardware.backends.loihi_synapse import is_mostly_zero
from hardware.backends.neuron_run import PeriodicReset
from hardware.backends.worker_process import WORKERS, run_worker
from hardware.placement import pipeline_schedule

__all__ = ["LavaInput", "LavaJob", "LavaOutcome", "LavaPopulation", "lava_job", "run_lava_jobs"]

NEVER = PeriodicReset(interval=1 << 30, offset=0)
"""A reset that no run reaches."""

GRADED_BITS = 24
"""What Lava is told of messages that are not 0 or 1; any number above 0 makes it use their values."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LavaInput:
    """One connection.

    Attributes:
        source: index of an earlier population, or None for the job's source.
        synapse: None connects the source to the neurons with nothing in between (and no latency).
        source_shape: (C, H, W) or (N,).
        message_bits: 0 for binary spikes.
        weight_bits, weight_exp: of a full matrix; Lava ignores them in convolutions.
        delay: of each weight of a full matrix, or None.
        clearing: before which steps what delays still hold back is forgotten.
    """

    source: int | None
    synapse: Synapse | None
    source_shape: tuple[int, ...]
    message_bits: int = 0
    weight_bits: int = 8
    weight_exp: int = 0
    delay: np.ndarray | None = None
    clearing: PeriodicReset = NEVER


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LavaPopulation:
    """One population.

    Attributes:
        first_step: the step, from 1, at which recording starts.
        reset: when all its states become 0.
    """

    name: str
    shape: tuple[int, ...]
    neuron: ChipNeuron
    inputs: tuple[LavaInput, ...]
    first_step: int
    reset: PeriodicReset = NEVER


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LavaJob:
    """One network with one stream of input.

    Attributes:
        source: what is sent at each step, integers [steps, *shape]; silence follows it.
        num_recorded: steps that each population records.
        state_every: u and v are recorded at every so manyth of these.
    """

    source: Integer[np.ndarray, "T *shape"]
    populations: tuple[LavaPopulation, ...]
    num_recorded: int
    state_every: int

    @property
    def num_steps(self) -> int:
        return max(population.first_step for population in self.populations) + self.num_recorded - 1


@dataclass(frozen=True, slots=True, eq=False)
class LavaOutcome:
    """What one job gave, by population name.

    Attributes:
        spikes: uint8 [num_recorded, *shape] of LIF neurons, int32 of others.
        current, voltage: int32 [num_recorded / state_every, *shape]; what they are of neurons other
            than LIF, `neuron_run.NeuronState` says.
        others: further states of a population, by name.
        build_seconds, run_seconds: wall time to start Lava's processes, and to run them.
        versions: of Python, Lava and what it stands on.
    """

    spikes: Mapping[str, Integer[np.ndarray, "T *shape"]]
    current: Mapping[str, Int32[np.ndarray, "S *shape"]]
    voltage: Mapping[str, Int32[np.ndarray, "S *shape"]]
    others: Mapping[str, Mapping[str, Int32[np.ndarray, "S *shape"]]]
    build_seconds: float
    run_seconds: float
    versions: Mapping[str, str]


def lava_job(graph: IntegerGraph, spikes: np.ndarray, *, weight_bits: int = 8) -> LavaJob:
    """An integer graph with its samples streamed back to back, the pipeline delay taken into account.

    Each population is reset as a sample arrives at its depth, so that every sample runs from
    zero state and no bias is integrated before its time.

    Args:
        spikes: integers [T, B, *input_shape], T and B at least 1.
        weight_bits: of the target.

    Raises:
        HardwareError: if paths into a population differ in length.
    """
    schedule = pipeline_schedule(graph)
    steps, batch = spikes.shape[:2]
    place = {population.name: number for number, population in enumerate(graph.populations)}

    def reset_of(name: str) -> PeriodicReset:
        return PeriodicReset(steps, schedule.reset_offset(name))

    populations = tuple(
        LavaPopulation(
            name=population.name,
            shape=population.shape,
            neuron=population.neuron,
            inputs=tuple(
                LavaInput(
                    source=place.get(connection.source),
                    synapse=connection.synapse,
                    source_shape=graph.shape_of(connection.source),
                    message_bits=0 if graph.is_binary(connection.source) else GRADED_BITS,
                    weight_bits=weight_bits,
                    weight_exp=connection.weight_exp,
                    delay=connection.delay,
                    clearing=reset_of(connection.source),
                )
                for connection in population.inputs
            ),
            first_step=schedule.latency[population.name] + 1,
            reset=reset_of(population.name),
        )
        for population in graph.populations
    )
    stream = spikes.swapaxes(0, 1).reshape(batch * steps, *graph.input_shape)
    return LavaJob(source=stream, populations=populations, num_recorded=batch * steps, state_every=steps)


def run_lava_jobs(
    jobs: Sequence[LavaJob], *, python: Path, timeout_s: float, in_threads: bool = False
) -> list[LavaOutcome]:
    """Run jobs one after the other in one worker.

    Args:
        python: the interpreter of Lava's environment.
        timeout_s: for all of them together.
        in_threads: see `LavaConfig`.

    Raises:
        HardwareError: if the worker fails or takes too long; carries the end of its messages.
    """
    with tempfile.TemporaryDirectory(prefix="snnface-lava-") as name:
        folder, arrays = Path(name), dict[str, np.ndarray]()
        described = [_described(job, f"job{number}", arrays) for number, job in enumerate(jobs)]
        np.savez(folder / "arrays.npz", allow_pickle=False, **arrays)
        manifest = {"in_threads": in_threads, "jobs": described}
        (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        remedy = "Make its environment anew (rm -r .venv-lava; make lava)."
        run_worker(WORKERS / "worker.py", folder, python=python, timeout_s=timeout_s, remedy=remedy)
        results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        return [
            _outcome(folder, number, job, times, results["versions"])
            for number, (job, times) in enumerate(zip(jobs, results["jobs"], strict=True))
        ]


def _described(job: LavaJob, key: str, arrays: dict[str, np.ndarray]) -> dict[str, object]:
    """The job's entry in the manifest; its arrays go to `arrays`."""
    arrays[f"{key}_source"] = np.moveaxis(_to_lava(job.source), 0, -1).astype(np.int32)
    populations = []
    for place, population in enumerate(job.populations):
        stem, neuron = f"{key}_{place}", lava_neuron(population.neuron)
        keys = {}
        for name, values in neuron.arrays.items():
            keys[name] = f"{stem}_{name}"
            arrays[keys[name]] = _to_lava(np.broadcast_to(values, population.shape)[None])[0].astype(np.int32)
        inputs = [_wire(wire, f"{stem}_{number}", arrays) for number, wire in enumerate(population.inputs)]
        populations.append(
            {
                "name": population.name,
                "shape": population.shape[::-1],
                "kind": neuron.kind,
                "parameters": neuron.parameters,
                "arrays": keys,
                "states": neuron.states,
                **_period(population.reset),
                "first_step": population.first_step,
                "num_recorded": job.num_recorded,
                "state_every": job.state_every,
                "inputs": inputs,
            }
        )
    return {"source": f"{key}_source", "num_steps": job.num_steps, "populations": populations}


def _wire(wire: LavaInput, key: str, arrays: dict[str, np.ndarray]) -> dict[str, object]:
    """A connection's entry in the manifest; its weights go to `arrays` in Lava's layout."""
    entry: dict[str, object] = {"source": wire.source, "message_bits": wire.message_bits}
    if wire.synapse is None:
        return {**entry, "kind": "direct"}
    weight = wire.synapse.weight
    if isinstance(wire.synapse, Conv2dSynapse):
        # Lava convolves, PyTorch correlates: the kernel is turned by 180 degrees, then laid out (O, W, H, I).
        arrays[key] = weight[:, :, ::-1, ::-1].transpose(0, 3, 2, 1).astype(np.int32)
        geometry = {name: getattr(wire.synapse, name)[::-1] for name in ("stride", "padding", "dilation")}
        return {**entry, "kind": "conv", "weight": key, "groups": wire.synapse.groups, **geometry}
    arrays[key] = _columns_to_lava(weight, wire.source_shape)
    entry |= {"weight": key, "weight_bits": wire.weight_bits, "weight_exp": wire.weight_exp, "delay": None}
    if wire.delay is not None and wire.delay.any():
        entry["delay"] = f"{key}_delay"
        arrays[f"{key}_delay"] = _columns_to_lava(wire.delay, wire.source_shape)
    return {**entry, "kind": "sparse" if is_mostly_zero(weight) else "dense", **_period(wire.clearing)}


def _period(reset: PeriodicReset) -> dict[str, int]:
    return {"reset_interval": reset.interval, "reset_offset": reset.offset}


def _outcome(
    folder: Path, number: int, job: LavaJob, times: Mapping[str, float], versions: Mapping[str, str]
) -> LavaOutcome:
    spikes: dict[str, np.ndarray] = {}
    current: dict[str, np.ndarray] = {}
    voltage: dict[str, np.ndarray] = {}
    others: dict[str, dict[str, np.ndarray]] = {}
    for place, population in enumerate(job.populations):
        read = {
            name: _to_lava(np.load(folder / f"{number}_{place}_{name}.npy", allow_pickle=False))
            for name in ("spikes", *lava_neuron(population.neuron).states)
        }  # reversing the axes is its own inverse
        spikes[population.name] = read.pop("spikes")
        current[population.name], voltage[population.name], others[population.name] = lava_states(read)
    seconds = times["build_seconds"], times["run_seconds"]
    return LavaOutcome(spikes, current, voltage, others, *seconds, dict(versions))


def _columns_to_lava(matrix: np.ndarray, source_shape: tuple[int, ...]) -> np.ndarray:
    """[O, C H W] with the columns in Lava's order (W, H, C)."""
    columns = matrix.reshape(len(matrix), *source_shape)
    return _to_lava(columns).reshape(len(matrix), -1).astype(np.int32)


def _to_lava(array: np.ndarray) -> np.ndarray:
    """[T, C, H, W] -> [T, W, H, C], and back; [T, N] stays."""
    return np.ascontiguousarray(array.transpose(0, *range(array.ndim - 1, 0, -1)))
