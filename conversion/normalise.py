"""Thresholds folded into the weights: spikes are 1, every threshold is 1.

    W~[o, i] = W[o, i] theta_before[i] / theta[o],   b~[o] = b[o] / theta[o],   threshold 1

with one theta a layer, or one a channel. The readout keeps the ANN's units. No module that
scales is left between the layers, so that everything that is passed on is 0 or 1.

Source: Rueckauer et al. 2017, Frontiers in Neuroscience 11:682; the half-threshold start is
of Bu et al. 2022, arXiv:2202.01440.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from conversion.ann.network import AnnNetwork
from conversion.graph import INPUT, Connection, LinearSynapse, Neuron, Population, Readout, SpikingGraph, Synapse

__all__ = ["CONVERTED_NEURON", "PORTABLE_NEURON", "Thresholds", "normalised_graph"]

CONVERTED_NEURON = Neuron(leak=0.0, threshold=1.0, reset="subtract", fires_on_equality=True, initial_voltage=0.5)
"""Integrate-and-fire, reset by subtraction, half-threshold start: rates round activations."""

PORTABLE_NEURON = Neuron(leak=0.0, threshold=1.0, reset="zero")
"""NIR's plain IF: starts at 0, fires above 1, resets to 0. Only for weights that were tuned with it."""

Thresholds = Mapping[str, float | np.ndarray]
"""By layer: the activation that one spike per step stands for; a number, or float64 [C] for every channel its own."""


def normalised_graph(
    network: AnnNetwork,
    thresholds: Thresholds,
    *,
    neuron: Neuron = CONVERTED_NEURON,
    metadata: Mapping[str, str | int | float],
) -> SpikingGraph:
    """The spiking graph of an ANN.

    Args:
        thresholds: of every layer, above 0.
        neuron: with a threshold of 1.
    """
    channels = {INPUT: np.ones(network.input_shape[0])}
    populations = []
    for layer in network.layers:
        channels[layer.name] = np.broadcast_to(np.asarray(thresholds[layer.name], dtype=np.float64), layer.shape[:1])
        links = tuple(
            Connection(link.source, _rescaled(link.synapse, channels[link.source], channels[layer.name]))
            for link in layer.inputs
        )
        populations.append(Population(layer.name, layer.shape, neuron, links))
    answers = _rescaled(network.readout, channels[network.source], np.ones(len(network.readout.weight)))
    assert answers.bias is not None
    readout = Readout(network.source, answers.weight, answers.bias)
    return SpikingGraph(network.input_shape, tuple(populations), readout, metadata)


def _rescaled(synapse: Synapse, before: np.ndarray, after: np.ndarray) -> Synapse:
    """The synapse for spikes that stand for `before` [I] and make spikes that stand for `after` [O]."""
    outputs, inputs = synapse.weight.shape[:2]
    if isinstance(synapse, LinearSynapse):
        # A flattened map has every channel's pixels in a row.
        columns = np.repeat(before, inputs // len(before))[None]
    else:
        columns = np.repeat(before.reshape(synapse.groups, inputs), outputs // synapse.groups, axis=0)[..., None, None]
    weight = synapse.weight * columns / after.reshape(-1, *[1] * (synapse.weight.ndim - 1))
    return replace(synapse, weight=weight, bias=None if synapse.bias is None else synapse.bias / after)
