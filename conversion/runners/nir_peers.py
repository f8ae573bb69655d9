"""A NIR file run by snntorch and by norse, and where they are known to read one wrongly.

Both flatten the batch away, so they are shown one sample at a time; their spikes are taken by
hooks on the modules that their importers made of the neuron nodes.
"""

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nir
import numpy as np
import torch
from torch import nn

from conversion.nir_export import DEFAULT_DT_S, STEP_READOUT
from conversion.nir_file import read_nodes, time_step
from conversion.nir_neurons import plain
from conversion.runners.run import READOUT, Run
from snnface.errors import BackendUnavailableError, ConversionError

__all__ = ["PeerRunner", "open_norse", "open_snntorch"]

_NEURONS = (nir.LIF, nir.IF, nir.CubaLIF)
# What norse 1.1.0 makes a module of, or needs none for. It leaves out any other node without a word: the graph falls
# into pieces, of which one is run, chosen by the hashes of modules and so differently from one process to the next.
_NORSE_KNOWS = (
    *_NEURONS,
    nir.Affine,
    nir.Conv2d,
    nir.Flatten,
    nir.Input,
    nir.Linear,
    nir.Output,
    nir.SumPool2d,
)
# What the importers raise on a node that they do not take.
_REFUSALS = (AssertionError, NotImplementedError, ValueError, TypeError, KeyError, AttributeError, RuntimeError)


@dataclass(frozen=True, slots=True, eq=False)
class PeerRunner:
    """A NIR graph as another tool imports it.

    Attributes:
        tool: its name and version.
        build: makes the tool's module of the nodes.
        notes: where it departs from NIR on these nodes.
    """

    tool: str
    nodes: nir.NIRGraph
    build: Callable[[nir.NIRGraph], nn.Module]
    notes: tuple[str, ...]
    has_steps: bool = True
    num_steps: int | None = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        inputs = [node for node in self.nodes.nodes.values() if isinstance(node, nir.Input)]
        if len(inputs) != 1:
            raise ConversionError(f"the graph must have one Input node; it has {len(inputs)}.")
        return tuple(int(size) for size in np.atleast_1d(inputs[0].input_type["input"]))

    def run(self, inputs: np.ndarray) -> Run:
        """Run samples [T, B, *input_shape] in the tool's float32, one after the other.

        Raises:
            ConversionError: if the tool does not take the graph; the message holds its reason.
        """
        try:
            with _quiet():
                network = self.build(copy.deepcopy(self.nodes))
                ran = [self._sample(copy.deepcopy(network), inputs[:, sample]) for sample in range(inputs.shape[1])]
        except _REFUSALS as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            known = f". Known: {'; '.join(self.notes)}" if self.notes else ""
            raise ConversionError(f"{self.tool} does not run this file: {reason}{known}.") from error
        names = list(ran[0][0])
        spikes = {name: np.concatenate([trains[name] for trains, _ in ran], axis=1) for name in names}
        answers = np.concatenate([answer for _, answer in ran], axis=1)
        if plain(self.nodes.metadata.get("readout")) != STEP_READOUT:
            answers = answers.mean(axis=0)
        return Run(spikes=spikes, answers={READOUT: answers}, notes=self.notes)

    @torch.no_grad()
    def _sample(self, network: nn.Module, pictures: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """(population -> [T, 1, *shape], answers [T, 1, K]) of one sample [T, *input_shape]."""
        trains: dict[str, list[np.ndarray]] = {}
        state, answers = None, []
        with _spikes_into(trains, network, _populations(self.nodes)):
            for picture in pictures:
                answer, state = network(torch.as_tensor(picture[None], dtype=torch.float32), state)
                answers.append(np.asarray(answer, dtype=np.float64).reshape(1, -1))
        shapes = {name: np.shape(node.v_threshold) for name, node in _populations(self.nodes).values()}
        spikes = {name: np.stack(train).reshape(len(pictures), 1, *shapes[name]) for name, train in trains.items()}
        return spikes, np.stack(answers)


def open_snntorch(path: Path, dt_s: float | None) -> PeerRunner:
    """A NIR file for snntorch's importer.

    Raises:
        BackendUnavailableError: if snntorch is not installed.
        DatasetNotFoundError, DataError: as `read_nodes`.
    """
    try:
        from snntorch.import_nir import import_from_nir
    except ImportError as error:
        raise _missing("snntorch", "snntorch nirtorch") from error
    nodes = read_nodes(path)
    return PeerRunner(f"snntorch {version('snntorch')}", nodes, import_from_nir, _snntorch_faults(nodes, dt_s))


def open_norse(path: Path, dt_s: float | None) -> PeerRunner:
    """A NIR file for norse's importer, with the step of the file's metadata, or `dt_s`.

    Raises:
        BackendUnavailableError: if norse is not installed.
        ConversionError: if there is no time step.
        DatasetNotFoundError, DataError: as `read_nodes`.
    """
    try:
        from norse.torch import from_nir
    except ImportError as error:
        raise _missing("norse", "--no-deps norse") from error
    nodes = read_nodes(path)
    step = time_step(nodes.metadata, dt_s)

    def build(graph: nir.NIRGraph) -> nn.Module:
        _require_known_to_norse(graph)
        return from_nir(graph, dt=step)

    return PeerRunner(f"norse {version('norse')}", nodes, build, _norse_faults(nodes, step))


def _require_known_to_norse(graph: nir.NIRGraph) -> None:
    for name, node in graph.nodes.items():
        if isinstance(node, nir.NIRGraph):
            _require_known_to_norse(node)
        elif not isinstance(node, _NORSE_KNOWS):
            raise NotImplementedError(f"it knows no {type(node).__name__} ({name}) and would leave it out")


def _missing(tool: str, package: str) -> BackendUnavailableError:
    return BackendUnavailableError(f"{tool} is not installed. Install it with: pip install {package}.")


def _snntorch_faults(nodes: nir.NIRGraph, dt_s: float | None) -> tuple[str, ...]:
    stored = plain(nodes.metadata.get("dt", dt_s))
    found = []
    if stored is not None and not np.isclose(stored, DEFAULT_DT_S):
        found.append(f"snntorch 1.0.0 takes a step of {DEFAULT_DT_S:g} s whatever the file says; here it is {stored:g}")
    if names := _named(nodes, nir.IF):
        found.append(f"snntorch 1.0.0 makes of an IF a leaky neuron with beta 0.9 and soft reset ({names})")
    if names := _reset_elsewhere(nodes):
        found.append(f"snntorch 1.0.0 resets to 0 whatever v_reset says ({names})")
    return tuple(found)


def _norse_faults(nodes: nir.NIRGraph, dt_s: float) -> tuple[str, ...]:
    found = []
    targets = [target for _, target in nodes.edges]
    if names := ", ".join(sorted({name for name in targets if targets.count(name) > 1})):
        found.append(f"norse 1.1.0 gives wrong spikes where several edges end in one node ({names})")
    if names := _named(nodes, nir.LIF, lambda node: not np.allclose(node.r, 1)):
        found.append(f"norse 1.1.0 ignores r of a LIF ({names})")
    if names := _named(nodes, nir.IF, lambda node: not np.allclose(dt_s * np.asarray(node.r), 1)):
        found.append(f"norse 1.1.0 ignores r and the step of an IF ({names})")
    if names := _reset_elsewhere(nodes):
        found.append(f"norse 1.1.0 ignores v_reset ({names})")
    return tuple(found)


def _reset_elsewhere(nodes: nir.NIRGraph) -> str:
    return _named(nodes, _NEURONS, lambda node: np.any(node.v_reset))


def _named(nodes: nir.NIRGraph, kind: Any, holds: Callable[[Any], Any] = lambda node: True) -> str:
    return ", ".join(name for name, node in nodes.nodes.items() if isinstance(node, kind) and holds(node))


def _populations(nodes: nir.NIRGraph) -> dict[str, tuple[str, Any]]:
    """Module name, as the importers make it, -> (population, node) of every neuron node."""
    return {
        name.replace(".", "_"): (str(plain(node.metadata.get("population", name))), node)
        for name, node in nodes.nodes.items()
        if isinstance(node, _NEURONS)
    }


@contextlib.contextmanager
def _spikes_into(
    trains: dict[str, list[np.ndarray]], network: nn.Module, populations: Mapping[str, tuple[str, Any]]
) -> Iterator[None]:
    """Collect what the neuron modules send, in the order in which they are first called."""

    def watcher(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def watch(module: nn.Module, arguments: Any, output: Any) -> None:
            spikes = output[0] if isinstance(output, tuple) else output
            trains.setdefault(name, []).append((spikes.detach().numpy() != 0).astype(np.uint8))

        return watch

    with contextlib.ExitStack() as stack:
        for module_name, module in network.named_modules():
            if module_name in populations:
                hook = module.register_forward_hook(watcher(populations[module_name][0]))
                stack.callback(hook.remove)
        yield


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the importers print, warn and log away from the results."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
