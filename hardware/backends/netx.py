"""netx as a backend: an integer graph written as a netx file and run by lava-dl, one more referee.

lava-dl reads the file by its own rules and builds Lava's processes of it, in Lava's environment
(`make lava-dl`). Samples are streamed through the pipeline back to back, each layer reset as a
sample arrives at it; what is returned has the delay taken out.
"""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from conversion.graph import LinearSynapse
from conversion.integer_graph import IntegerGraph
from hardware.backends.base import RunResult
from hardware.backends.input_spikes import kept_populations, require_spikes
from hardware.backends.lava import PYTHON_VARIABLE, find_lava_python
from hardware.backends.loihi_limits import prepared_graph
from hardware.backends.worker_process import WORKERS, run_worker
from hardware.netx.form import RoundedBias, netx_form
from hardware.netx.writer import write_netx
from hardware.target import HardwareTarget
from snnface.errors import BackendUnavailableError, ConfigError

__all__ = ["NetxBackend", "NetxConfig", "NetxProgram", "find_netx_python"]

REMEDY = "Make its environment anew (rm -r .venv-lava; make lava-dl)."


def find_netx_python() -> Path | None:
    """The interpreter of Lava's environment if lava-dl is in it, else None.

    Raises:
        ConfigError: if SNNFACE_LAVA_PYTHON names a file that does not exist.
    """
    python = find_lava_python()
    return python if python is not None and _has_lava_dl(python) else None


@cache
def _has_lava_dl(python: Path) -> bool:
    question = "import importlib.metadata, h5py; importlib.metadata.version('lava-dl')"
    return subprocess.run([str(python), "-c", question], capture_output=True, check=False).returncode == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NetxConfig:
    """How networks are put into netx files and run.

    Attributes:
        round_biases: biases that are no multiples of 2^6 are rounded, and reported, not refused.
        timeout_s, in_threads: as of `LavaConfig`.
    """

    round_biases: bool = False
    timeout_s: float = 600.0
    in_threads: bool = False

    def __post_init__(self) -> None:
        if not self.timeout_s > 0:
            raise ConfigError(f"timeout_s must be positive; got {self.timeout_s}.")


@dataclass(frozen=True, slots=True, eq=False)
class NetxProgram:
    """What a netx file will hold, and the Python that will run it.

    Attributes:
        graph: as the file holds it; another backend that is given it must give the same spikes.
        rounded_biases: where it differs from the graph that came.
    """

    graph: IntegerGraph
    rounded_biases: tuple[RoundedBias, ...]
    python: Path


@dataclass(frozen=True, slots=True)
class NetxBackend:
    """lava-dl 0.6.0's `netx.hdf5.Network` as a subprocess; folds and saturations are not counted."""

    config: NetxConfig = field(default_factory=NetxConfig)

    @property
    def name(self) -> str:
        return "netx"

    def compile(self, graph: IntegerGraph, target: HardwareTarget) -> NetxProgram:
        """Check that a netx file can hold the graph, and find lava-dl.

        Raises:
            HardwareError, PrecisionError: if it cannot (`hardware.netx.form`), or the target cannot.
            BackendUnavailableError: if lava-dl is not there.
        """
        prepared_graph(graph, target, "strict")
        form = netx_form(graph, round_biases=self.config.round_biases)
        python = find_netx_python()
        if python is None:
            raise BackendUnavailableError(
                "netx files are run by lava-dl, in a Python 3.10 environment of its own, which is not there. Run "
                f"`make lava-dl`, or set {PYTHON_VARIABLE} to a Python 3.10 that has lava-dl 0.6.0 and h5py."
            )
        return NetxProgram(form.graph, form.rounded_biases, python)

    def run(self, program: NetxProgram, spikes: np.ndarray, *, keep: tuple[str, ...] | None = None) -> RunResult:
        """Run samples, each from zero state; see `Backend.run`.

        Raises:
            ShapeError, DataError, PrecisionError: if the spikes do not fit.
            ConfigError: if `keep` names an unknown population.
            HardwareError: if Lava fails or takes too long.
        """
        return self.run_many([(program, spikes)], keep=keep)[0]

    def run_many(
        self, pairs: Sequence[tuple[NetxProgram, np.ndarray]], *, keep: tuple[str, ...] | None = None
    ) -> list[RunResult]:
        """Run several networks, each with its own samples, in one worker: Lava takes seconds to start."""
        for program, spikes in pairs:
            require_spikes(spikes, program.graph.input_shape, input_bits=program.graph.input_bits)
            kept_populations(keep, _names(program.graph))
        if not pairs:
            return []
        with tempfile.TemporaryDirectory(prefix="snnface-netx-") as name:
            folder = Path(name)
            _write_jobs(folder, pairs, in_threads=self.config.in_threads)
            python, timeout_s = pairs[0][0].python, self.config.timeout_s
            run_worker(WORKERS / "netx_worker.py", folder, python=python, timeout_s=timeout_s, remedy=REMEDY)
            times = json.loads((folder / "results.json").read_text(encoding="utf-8"))["jobs"]
            return [
                _result(folder, number, program.graph, spikes, keep, float(times[number]["run_seconds"]))
                for number, (program, spikes) in enumerate(pairs)
            ]


def _names(graph: IntegerGraph) -> tuple[str, ...]:
    return tuple(population.name for population in graph.populations)


def _write_jobs(folder: Path, pairs: Sequence[tuple[NetxProgram, np.ndarray]], *, in_threads: bool) -> None:
    """The files that `lava_worker/netx_worker.py` describes."""
    jobs: list[dict[str, Any]] = []
    streams = {}
    for number, (program, spikes) in enumerate(pairs):
        graph, (steps, batch) = program.graph, spikes.shape[:2]
        write_netx(graph, folder / f"{number}.net")
        streams[f"source{number}"] = _stream(graph, spikes)
        jobs.append(
            {
                "file": f"{number}.net",
                "source": f"source{number}",
                "num_steps": batch * steps + len(graph.populations),
                "input_bits": graph.input_bits,
                "sample_steps": steps,
                "num_recorded": batch * steps,
            }
        )
    np.savez(folder / "arrays.npz", allow_pickle=False, **streams)
    (folder / "manifest.json").write_text(json.dumps({"in_threads": in_threads, "jobs": jobs}), encoding="utf-8")


def _stream(graph: IntegerGraph, spikes: np.ndarray) -> np.ndarray:
    """Samples [T, B, *shape] one after the other, time last: [W, H, C, B T], or [M, B T] before a full matrix."""
    stream = spikes.swapaxes(0, 1).reshape(-1, *graph.input_shape).astype(np.int32)
    if isinstance(graph.populations[0].inputs[0].synapse, LinearSynapse):
        return np.ascontiguousarray(stream.reshape(len(stream), -1).T)
    return np.ascontiguousarray(stream.transpose())


def _result(
    folder: Path, number: int, graph: IntegerGraph, spikes: np.ndarray, keep: tuple[str, ...] | None, seconds: float
) -> RunResult:
    steps, batch = spikes.shape[:2]
    names = _names(graph)

    def read(kind: str) -> dict[str, np.ndarray]:
        """Population -> [B T, *shape] of spikes, [B, *shape] of states; netx's maps are (W, H, C)."""
        arrays = (np.load(folder / f"{number}_{place}_{kind}.npy", allow_pickle=False) for place in range(len(names)))
        return {
            name: array.transpose(0, *range(array.ndim - 1, 0, -1)) for name, array in zip(names, arrays, strict=True)
        }

    trains = {
        name: train.reshape(batch, steps, *train.shape[1:]).swapaxes(0, 1) for name, train in read("spikes").items()
    }
    return RunResult(
        spikes={name: np.ascontiguousarray(trains[name]) for name in kept_populations(keep, names)},
        num_spikes={name: int(np.count_nonzero(train)) for name, train in trains.items()},
        voltage={name: voltage.astype(np.int64) for name, voltage in read("v").items()},
        current={name: current.astype(np.int64) for name, current in read("u").items()},
        answers=graph.readout(trains[graph.readout.source]),
        seconds=seconds,
    )
