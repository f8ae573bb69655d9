"""The float reference: the equations of the spiking graph, one step after the other, in float64."""

import time
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from conversion.graph import INPUT, Conv2dSynapse, Neuron, SpikingGraph, Synapse
from hardware.backends.base import RunResult
from hardware.backends.input_spikes import kept_populations, require_spikes
from hardware.target import HardwareTarget

__all__ = ["ReferenceBackend", "ReferenceProgram"]


@dataclass(frozen=True, slots=True)
class ReferenceProgram:
    """A graph, as it is."""

    graph: SpikingGraph


@dataclass(frozen=True, slots=True)
class ReferenceBackend:
    """Runs the float graph by its definition; slow, and plainly right. No chip limits apply."""

    @property
    def name(self) -> str:
        return "reference"

    def compile(self, graph: SpikingGraph, target: HardwareTarget) -> ReferenceProgram:
        """Nothing to prepare; a float graph fits any target here."""
        return ReferenceProgram(graph)

    def run(self, program: ReferenceProgram, spikes: np.ndarray, *, keep: tuple[str, ...] | None = None) -> RunResult:
        """Run samples, each from its initial voltage.

        Args:
            spikes: integers [T, B, *input_shape], 0/1 or counts of any size.
            keep: populations whose spike trains are returned; None keeps all of them.

        Raises:
            ShapeError, DataError: if the spikes do not fit.
            ConfigError: if `keep` names an unknown population.
        """
        graph = program.graph
        require_spikes(spikes, graph.input_shape, input_bits=None)
        names = tuple(population.name for population in graph.populations)
        kept = kept_populations(keep, names)
        start = time.perf_counter()
        num_steps, batch = spikes.shape[:2]
        voltage = {p.name: np.zeros((batch, *p.shape)) + p.neuron.initial_voltage for p in graph.populations}
        # All that the readout needs: the rates, or, for an answer at every step, the spikes of every step.
        read = np.zeros((num_steps if graph.readout.keeps_steps else 1, batch, *graph.shape_of(graph.readout.source)))
        trains = {name: np.zeros((num_steps, batch, *graph.shape_of(name)), dtype=np.uint8) for name in kept}
        num_spikes = dict.fromkeys(names, 0)
        for step in range(num_steps):
            sent = {INPUT: spikes[step].astype(np.float64)}
            for population in graph.populations:
                name = population.name
                total = np.zeros_like(voltage[name])
                for connection in population.inputs:
                    total += synaptic_current(connection.synapse, sent[connection.source])
                sent[name], voltage[name] = neuron_step(population.neuron, voltage[name], total)
                num_spikes[name] += int(sent[name].sum())
                if name in trains:
                    trains[name][step] = sent[name]
            read[step if graph.readout.keeps_steps else 0] += sent[graph.readout.source]
        seconds = time.perf_counter() - start
        return RunResult(
            spikes=trains,
            num_spikes=num_spikes,
            voltage=voltage,
            answers=graph.readout(read if graph.readout.keeps_steps else read / num_steps),
            seconds=seconds,
        )


def neuron_step(
    neuron: Neuron, voltage: Float64[np.ndarray, "B *N"], current: Float64[np.ndarray, "B *N"]
) -> tuple[Float64[np.ndarray, "B *N"], Float64[np.ndarray, "B *N"]]:
    """One step of a population: (spikes, voltage); the equations stand in `conversion.graph`."""
    charged = voltage - neuron.leak * (voltage - neuron.rest) + current
    fires = charged >= neuron.threshold if neuron.fires_on_equality else charged > neuron.threshold
    spikes = fires.astype(np.float64)
    if neuron.reset == "zero":
        return spikes, np.where(fires, 0.0, charged)
    return spikes, charged - neuron.threshold * spikes


def synaptic_current(synapse: Synapse, messages: Float64[np.ndarray, "B *source"]) -> Float64[np.ndarray, "B *target"]:
    """What a connection adds in one step, bias included."""
    if isinstance(synapse, Conv2dSynapse):
        return _correlation(synapse, messages)
    current = messages.reshape(len(messages), -1) @ synapse.weight.T
    return current if synapse.bias is None else current + synapse.bias


def _correlation(synapse: Conv2dSynapse, images: np.ndarray) -> np.ndarray:
    """A grouped, strided, dilated correlation, one kernel tap after the other."""
    out_channels, height, width = synapse.output_shape(images.shape[1:])
    (rows, columns), (down, right) = synapse.padding, synapse.stride
    padded = np.pad(images, ((0, 0), (0, 0), (rows, rows), (columns, columns)))
    padded = padded.reshape(len(images), synapse.groups, -1, *padded.shape[2:])
    kernels = synapse.weight.reshape(synapse.groups, -1, *synapse.weight.shape[1:])
    total = np.zeros((len(images), synapse.groups, out_channels // synapse.groups, height, width))
    for i, j in np.ndindex(*synapse.weight.shape[2:]):
        top, left = i * synapse.dilation[0], j * synapse.dilation[1]
        seen = padded[..., top : top + down * (height - 1) + 1 : down, left : left + right * (width - 1) + 1 : right]
        total += np.einsum("goc,bgchw->bgohw", kernels[..., i, j], seen, optimize=True)
    current = total.reshape(len(images), out_channels, height, width)
    return current if synapse.bias is None else current + synapse.bias[:, None, None]
