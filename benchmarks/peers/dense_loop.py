"""A network run as one would write it down first: a loop over steps and layers, and dense products in NumPy."""

import numpy as np

from conversion.graph import INPUT, Conv2dSynapse, LinearSynapse
from conversion.integer_graph import IntegerGraph, IntegerNeuron
from hardware.backends import RunResult

__all__ = ["dense_loop"]


def dense_loop(graph: IntegerGraph, spikes: np.ndarray, *, keep: tuple[str, ...]) -> RunResult:
    """LIF networks that neither fold nor saturate, without current memory; spikes [T, 1, *input_shape]."""
    weights = {p.name: p.inputs[0].synapse.weight.astype(np.float32) for p in graph.populations}
    voltage = {p.name: np.zeros(p.shape, dtype=np.int64) for p in graph.populations}
    trains = {name: np.zeros((len(spikes), 1, *graph.shape_of(name)), dtype=np.uint8) for name in keep}
    for step, frame in enumerate(spikes[:, 0]):
        sent = {INPUT: frame.astype(np.float32)}
        for population in graph.populations:
            neuron, (link,) = population.neuron, population.inputs
            assert isinstance(neuron, IntegerNeuron)
            assert neuron.du == 4095
            message, weight = sent[link.source], weights[population.name]
            if isinstance(link.synapse, LinearSynapse):
                current = weight @ message.ravel()
            else:
                current = _convolved(link.synapse, weight, message)
            v = voltage[population.name]
            v = np.sign(v) * ((np.abs(v) * (4096 - neuron.dv)) >> 12)
            v = v + (current.astype(np.int64) << 6) + (neuron.bias_mant << neuron.bias_exp)
            fires = v > neuron.vth << 6
            voltage[population.name] = np.where(fires, 0, v)
            sent[population.name] = fires.astype(np.float32)
            if population.name in trains:
                trains[population.name][step, 0] = fires
    return RunResult(spikes=trains, num_spikes={}, voltage={}, answers=np.zeros((1, 0)))


def _convolved(synapse: Conv2dSynapse, weight: np.ndarray, message: np.ndarray) -> np.ndarray:
    (rows, columns), (down, right), groups = synapse.padding, synapse.stride, synapse.groups
    padded = np.pad(message, ((0, 0), (rows, rows), (columns, columns)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[2:], axis=(1, 2))[:, ::down, ::right]
    height, width = windows.shape[1:3]
    columns_of = windows.reshape(groups, -1, height, width, weight.shape[2] * weight.shape[3])
    columns_of = columns_of.transpose(0, 1, 4, 2, 3).reshape(groups, -1, height * width)
    kernels = weight.reshape(groups, len(weight) // groups, -1)
    return (kernels @ columns_of).reshape(-1, height, width)
