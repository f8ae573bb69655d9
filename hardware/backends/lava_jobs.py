"""Networks as jobs for the Lava worker, and the worker as a subprocess.

The worker runs on its own Python 3.10 and talks through files only (`lava_worker/worker.py`
describes them). One call runs many jobs, because starting Lava takes seconds. Everything that
differs between Lava's layouts and the project's is turned around here.
"""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int32, Integer, UInt8

from conversion.graph import INPUT, Conv2dSynapse, Synapse
from conversion.integer_graph import IntegerGraph, IntegerNeuron
from hardware.placement import pipeline_schedule
from snnface.errors import HardwareError

__all__ = ["LavaInput", "LavaJob", "LavaOutcome", "LavaPopulation", "lava_job", "run_lava_jobs"]

WORKER = Path(__file__).resolve().parents[1] / "lava_worker" / "worker.py"

NEVER = 1 << 30
"""A reset interval that no run reaches."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LavaInput:
    """One connection.

    Attributes:
        source: index of an earlier population, or None for the job's source.
        synapse: None connects the source to the neurons with nothing in between (and no latency).
        source_shape: (C, H, W) or (N,).
        message_bits: 0 for binary spikes.
        weight_bits, weight_exp: of a full matrix; Lava ignores them in convolutions.
    """

    source: int | None
    synapse: Synapse | None
    source_shape: tuple[int, ...]
    message_bits: int = 0
    weight_bits: int = 8
    weight_exp: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LavaPopulation:
    """One population of LIFReset neurons.

    Attributes:
        first_step: the step, from 1, at which recording starts.
        reset_interval, reset_offset: u = v = 0 before steps t = offset (mod interval).
    """

    name: str
    shape: tuple[int, ...]
    neuron: IntegerNeuron
    inputs: tuple[LavaInput, ...]
    first_step: int
    reset_interval: int = NEVER
    reset_offset: int = 0


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
        spikes: uint8 [num_recorded, *shape].
        current, voltage: int32 [num_recorded / state_every, *shape].
        build_seconds, run_seconds: wall time to start Lava's processes, and to run them.
        versions: of Python, Lava and what it stands on.
    """

    spikes: Mapping[str, UInt8[np.ndarray, "T *shape"]]
    current: Mapping[str, Int32[np.ndarray, "S *shape"]]
    voltage: Mapping[str, Int32[np.ndarray, "S *shape"]]
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
                    message_bits=graph.input_bits if connection.source == INPUT else 0,
                    weight_bits=weight_bits,
                )
                for connection in population.inputs
            ),
            first_step=schedule.latency[population.name] + 1,
            reset_interval=steps,
            reset_offset=schedule.reset_offset(population.name),
        )
        for population in graph.populations
    )
    stream = spikes.swapaxes(0, 1).reshape(batch * steps, *graph.input_shape)
    return LavaJob(source=stream, populations=populations, num_recorded=batch * steps, state_every=steps)


def run_lava_jobs(jobs: Sequence[LavaJob], *, python: Path, timeout_s: float) -> list[LavaOutcome]:
    """Run jobs one after the other in one worker.

    Args:
        python: the interpreter of Lava's environment.
        timeout_s: for all of them together.

    Raises:
        HardwareError: if the worker fails or takes too long; carries the end of its messages.
    """
    with tempfile.TemporaryDirectory(prefix="snnface-lava-") as folder:
        arrays: dict[str, np.ndarray] = {}
        described = [_described(job, f"job{number}", arrays) for number, job in enumerate(jobs)]
        np.savez(Path(folder, "arrays.npz"), allow_pickle=False, **arrays)
        Path(folder, "manifest.json").write_text(json.dumps({"jobs": described}), encoding="utf-8")
        _run_worker(python, folder, timeout_s)
        results = json.loads(Path(folder, "results.json").read_text(encoding="utf-8"))
        return [
            _outcome(Path(folder), number, job, times, results["versions"])
            for number, (job, times) in enumerate(zip(jobs, results["jobs"], strict=True))
        ]


def _run_worker(python: Path, folder: str, timeout_s: float) -> None:
    # In a session of its own: Lava forks one process per layer, and when one of them dies the
    # others wait for ever, so that all have to be ended together.
    messages = Path(folder, "messages.txt")
    with (
        messages.open("wb") as file,
        subprocess.Popen(
            [str(python), str(WORKER), folder], stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        ) as process,
    ):
        try:
            status = process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            raise HardwareError(
                f"Lava did not finish within {timeout_s:g} s. Give it fewer samples, or a longer timeout_s. "
                f"Its last messages: {_tail(messages)}"
            ) from error
        finally:
            if process.returncode != 0:  # failed, or still running
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    if status != 0 or not Path(folder, "results.json").exists():
        raise HardwareError(
            f"the Lava worker failed (exit status {status}); its last message: {_tail(messages)}. "
            "Make its environment anew (rm -r .venv-lava; make lava)."
        )


def _tail(messages: Path) -> str:
    """The last line that is not empty: of a traceback, the one that names the error."""
    lines = messages.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip()[-500:] for line in reversed(lines) if line.strip()), "none")


def _described(job: LavaJob, key: str, arrays: dict[str, np.ndarray]) -> dict[str, object]:
    """The job's entry in the manifest; its arrays go to `arrays`."""
    arrays[f"{key}_source"] = np.moveaxis(_to_lava(job.source), 0, -1).astype(np.int32)
    populations = []
    for place, population in enumerate(job.populations):
        stem, neuron = f"{key}_{place}", population.neuron
        bias = np.broadcast_to(neuron.bias_mant, population.shape)
        arrays[f"{stem}_bias"] = _to_lava(bias[None])[0].astype(np.int32)
        inputs = [_wire(wire, f"{stem}_{number}", arrays) for number, wire in enumerate(population.inputs)]
        populations.append(
            {
                "name": population.name,
                "shape": population.shape[::-1],
                **{name: int(getattr(neuron, name)) for name in ("du", "dv", "vth", "bias_exp")},
                "bias_mant": f"{stem}_bias",
                "reset_interval": population.reset_interval,
                "reset_offset": population.reset_offset,
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
    columns = weight.reshape(len(weight), *wire.source_shape)
    arrays[key] = _to_lava(columns).reshape(len(weight), -1).astype(np.int32)
    bits = {"weight_bits": wire.weight_bits, "weight_exp": wire.weight_exp}
    return {**entry, "kind": "dense", "weight": key, **bits}


def _outcome(
    folder: Path, number: int, job: LavaJob, times: Mapping[str, float], versions: Mapping[str, str]
) -> LavaOutcome:
    read: dict[str, dict[str, np.ndarray]] = {"spikes": {}, "u": {}, "v": {}}
    for place, population in enumerate(job.populations):
        for kind, arrays in read.items():
            array = np.load(folder / f"{number}_{place}_{kind}.npy", allow_pickle=False)
            arrays[population.name] = _to_lava(array)  # reversing the axes is its own inverse
    return LavaOutcome(
        read["spikes"], read["u"], read["v"], times["build_seconds"], times["run_seconds"], dict(versions)
    )


def _to_lava(array: np.ndarray) -> np.ndarray:
    """[T, C, H, W] -> [T, W, H, C], and back; [T, N] stays."""
    return np.ascontiguousarray(array.transpose(0, *range(array.ndim - 1, 0, -1)))
