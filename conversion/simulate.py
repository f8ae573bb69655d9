"""A compact float simulator of spiking graphs: layer by layer, batched, zero latency.

It serves the converters (calibration, accuracy per number of steps). Connections have no
state, so all steps of a layer are one convolution or matrix product; only the neurons
loop over time.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from conversion.graph import INPUT, Conv2dSynapse, Neuron, SpikingGraph, Synapse
from conversion.neuron import PerNeuron
from snnface.errors import DataError
from snnface.shapes import require_shape

__all__ = ["Simulation", "apply_synapse", "constant_input", "run_neurons", "simulate"]

_CHUNK_BYTES = 256 * 2**20
_TYPES = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True, slots=True, eq=False)
class Simulation:
    """What a run gives.

    Attributes:
        spikes: uint8 [T, B, *shape], for the populations that were kept.
        voltage: after the last step, float64 [B, *shape], for the same populations.
        num_spikes: total per population, always all of them.
        step_answers: the readout's answer at every step, float64 [T, B, K]; see `Readout.step_answers`.
        keeps_steps: the answers are those of every step, not their mean.
    """

    spikes: Mapping[str, np.ndarray]
    voltage: Mapping[str, np.ndarray]
    num_spikes: Mapping[str, int]
    step_answers: np.ndarray
    keeps_steps: bool = False

    @property
    def answers(self) -> np.ndarray:
        """The readout, float64: the mean over all steps [B, K], or every step's [T, B, K]."""
        return self.step_answers if self.keeps_steps else np.asarray(self.step_answers.mean(axis=0))

    def answers_after(self, num_steps: int) -> np.ndarray:
        """The readout if the run had ended after `num_steps`: the mean [B, K], or every step's [num_steps, B, K]."""
        answers = self.step_answers[:num_steps]
        return answers if self.keeps_steps else np.asarray(answers.mean(axis=0))


def simulate(
    graph: SpikingGraph,
    inputs: np.ndarray,
    *,
    keep: tuple[str, ...] | None = None,
    precision: Literal["float32", "float64"] = "float64",
) -> Simulation:
    """Run samples through a graph, each from its populations' initial voltage.

    Update order and reset are those of `conversion.graph`. Samples are run in chunks, so
    that memory does not grow with their number (kept spikes do). An input whose steps
    share their memory (`constant_input`) passes the first connection once.

    Args:
        inputs: numbers [T, B, *input_shape]: spikes, counts, or a picture held over time.
        keep: populations whose spikes and voltages are returned; None keeps all.

    Raises:
        ShapeError: if the inputs do not fit the graph.
        DataError: if there is no step or no sample, or a value is not finite.
    """
    require_shape(inputs, " ".join(map(str, ("T", "B", *graph.input_shape))), what="the graph's input")
    if 0 in inputs.shape[:2]:
        raise DataError(f"a run needs at least one step and one sample; the input is {inputs.shape}.")
    kept = tuple(population.name for population in graph.populations) if keep is None else keep
    parts = [_run_chunk(graph, chunk, kept, _TYPES[precision]) for chunk in _chunks(graph, inputs)]
    return Simulation(
        spikes={name: np.concatenate([part.spikes[name] for part in parts], axis=1) for name in kept},
        voltage={name: np.concatenate([part.voltage[name] for part in parts], axis=0) for name in kept},
        num_spikes={name: sum(part.num_spikes[name] for part in parts) for name in parts[0].num_spikes},
        step_answers=np.concatenate([part.step_answers for part in parts], axis=1),
        keeps_steps=graph.readout.keeps_steps,
    )


def constant_input(samples: np.ndarray, num_steps: int) -> np.ndarray:
    """[B, *shape] -> [T, B, *shape], the same sample at every step, without copying it."""
    return np.broadcast_to(samples[None], (num_steps, *samples.shape))


def apply_synapse(synapse: Synapse, inputs: Tensor) -> Tensor:
    """The currents that a connection makes of [B, *source shape]: [B, *target shape].

    Computed in the type of `inputs`; a linear connection flattens its source.
    """
    weight = torch.as_tensor(synapse.weight, dtype=inputs.dtype, device=inputs.device)
    bias = None if synapse.bias is None else torch.as_tensor(synapse.bias, dtype=inputs.dtype, device=inputs.device)
    if isinstance(synapse, Conv2dSynapse):
        return functional.conv2d(
            inputs, weight, bias, synapse.stride, synapse.padding, synapse.dilation, synapse.groups
        )
    return functional.linear(inputs.flatten(1), weight, bias)


def run_neurons(current: Tensor, neuron: Neuron) -> tuple[Tensor, Tensor]:
    """Spikes uint8 [T, B, *N] and the last voltage of currents [T, B, *N]; see `conversion.graph` for the update."""
    leak, threshold = _as(neuron.leak, current), _as(neuron.threshold, current)
    voltage = torch.zeros_like(current[0]) + _as(neuron.initial_voltage, current)
    if np.any(neuron.rest):
        current = current + leak * _as(neuron.rest, current)
    spikes = torch.empty(current.shape, dtype=torch.uint8)
    for step, incoming in enumerate(current):
        voltage = voltage - leak * voltage + incoming
        fired = voltage >= threshold if neuron.fires_on_equality else voltage > threshold
        voltage = voltage.masked_fill(fired, 0.0) if neuron.reset == "zero" else voltage - threshold * fired
        spikes[step] = fired
    return spikes, voltage


def _as(value: PerNeuron, like: Tensor) -> float | Tensor:
    """A neuron's parameter for arithmetic with `like`, in its type."""
    return torch.as_tensor(value, dtype=like.dtype, device=like.device) if isinstance(value, np.ndarray) else value


def _chunks(graph: SpikingGraph, inputs: np.ndarray) -> Iterator[np.ndarray]:
    largest = max(int(np.prod(graph.input_shape)), *(population.num_neurons for population in graph.populations), 1)
    size = max(1, _CHUNK_BYTES // (len(inputs) * largest * 8))
    for start in range(0, inputs.shape[1], size):
        yield inputs[:, start : start + size]


@torch.no_grad()
def _run_chunk(graph: SpikingGraph, inputs: np.ndarray, keep: tuple[str, ...], dtype: torch.dtype) -> Simulation:
    num_steps = len(inputs)
    is_constant = num_steps > 1 and inputs.strides[0] == 0
    first = torch.tensor(inputs[:1] if is_constant else inputs, dtype=dtype)
    if not bool(torch.isfinite(first).all()):
        raise DataError("the graph's input must be finite; it holds NaN or infinite values.")
    trains: dict[str, Tensor] = {INPUT: first}
    voltages: dict[str, Tensor] = {}
    for population in graph.populations:
        current = sum(_currents(link.synapse, trains[link.source].to(dtype)) for link in population.inputs)
        assert isinstance(current, Tensor)
        current = current.expand(num_steps, *current.shape[1:])
        trains[population.name], voltages[population.name] = run_neurons(current, population.neuron)
    read = trains[graph.readout.source]
    return Simulation(
        spikes={name: trains[name].numpy() for name in keep},
        voltage={name: voltages[name].to(torch.float64).numpy() for name in keep},
        num_spikes={name: int(torch.count_nonzero(trains[name])) for name in voltages},
        step_answers=graph.readout.step_answers(read.expand(num_steps, *read.shape[1:]).numpy()),
    )


def _currents(synapse: Synapse, trains: Tensor) -> Tensor:
    folded = apply_synapse(synapse, trains.flatten(0, 1))
    return folded.reshape(*trains.shape[:2], *folded.shape[1:])
