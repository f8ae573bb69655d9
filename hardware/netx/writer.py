"""An integer graph as a netx file, the HDF5 form that lava-dl's `netx.hdf5.Network` runs.

One group `layer/<i>` per layer, in order, with the data sets

    input    type, shape (C, H, W) or (N,)
    conv     type, shape, inChannels, outChannels, kernelSize, stride, padding, dilation (rows, columns),
             groups, weight (O, I / groups, H, W), bias (C,) if any, neuron/
    flatten  type, shape (N, 1, 1); before a full matrix that reads a map
    dense    type, shape, inFeatures, outFeatures, weight (N, M), bias (N,) and delay (N, M) if any, neuron/
    neuron/  type "CUBA", iDecay = du + 1, vDecay = dv, vThMant = vth, refDelay = 1, gradedSpike = false

Maps are in PyTorch's layout; netx turns them around itself. OR pools are grouped convolutions with
relay neurons, as in the graph. netx's own reader passes over what else the file holds: a group `snnface`
with the populations' names, which of them are relays, the bits of an input message (whoever runs the
file has to pass them to netx as `input_message_bits`), and the readout, which stays on the host.

Source: lava-dl 0.6.0, lava/lib/dl/netx/hdf5.py.
"""

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from conversion.graph import Conv2dSynapse, Readout
from conversion.integer_graph import IntegerGraph, IntegerNeuron, IntegerPopulation
from hardware.netx.form import NetxForm, lif_neuron, netx_form
from snnface.errors import ConfigError
from snnface.files import atomic_path

__all__ = ["NETX_SUFFIX", "write_netx"]

NETX_SUFFIX = ".net"
VERSION = 1
PACKING: dict[str, Any] = {"compression": "gzip", "compression_opts": 4, "shuffle": True}


def write_netx(graph: IntegerGraph, path: Path, *, round_biases: bool = False) -> NetxForm:
    """Write `graph` to `path` (.net), whole or not at all; returns what the file holds.

    Args:
        round_biases: see `hardware.netx.form.netx_form`.

    Raises:
        ConfigError: if `path` does not end in .net.
        HardwareError, PrecisionError: if a netx file cannot hold the graph; see `netx_form`.
        DataError: if the disk refuses the file.
    """
    if path.suffix != NETX_SUFFIX:
        raise ConfigError(f"a netx file ends in {NETX_SUFFIX}; got {path.name!r}.")
    form = netx_form(graph, round_biases=round_biases)
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        layers = file.create_group("layer")
        _add_layer(layers, "input", graph.input_shape)
        for population in form.graph.populations:
            _add_population(layers, population, form.graph.shape_of(population.inputs[0].source))
        _add_own(file.create_group("snnface"), form.graph)
    return form


def _add_population(layers: h5py.Group, population: IntegerPopulation, source_shape: tuple[int, ...]) -> None:
    connection, neuron = population.inputs[0], lif_neuron(population)
    synapse = connection.synapse
    if isinstance(synapse, Conv2dSynapse):
        layer = _add_layer(layers, "conv", population.shape)
        layer["inChannels"], layer["outChannels"] = source_shape[0], population.shape[0]
        layer["kernelSize"] = synapse.weight.shape[2:]
        for name in ("stride", "padding", "dilation", "groups"):
            layer[name] = getattr(synapse, name)
    else:
        if len(source_shape) > 1:
            _add_layer(layers, "flatten", (synapse.weight.shape[1], 1, 1))
        layer = _add_layer(layers, "dense", population.shape)
        layer["outFeatures"], layer["inFeatures"] = synapse.weight.shape
        if connection.delay is not None:
            layer.create_dataset("delay", data=connection.delay.astype(np.int16), **PACKING)
    layer.create_dataset("weight", data=synapse.weight.astype(np.int16), **PACKING)
    bias = _layer_bias(neuron, population.shape)
    if bias.any():
        layer.create_dataset("bias", data=bias.astype(np.int16), **PACKING)
    _add_neuron(layer.create_group("neuron"), neuron)


def _add_layer(layers: h5py.Group, kind: str, shape: tuple[int, ...]) -> h5py.Group:
    """The next layer, with its type as a fixed ASCII string and its shape."""
    layer = layers.create_group(str(len(layers)))
    layer["type"] = np.array([kind], dtype="S10")
    layer["shape"] = np.array(shape, dtype=np.int32)
    return layer


def _add_neuron(group: h5py.Group, neuron: IntegerNeuron) -> None:
    group["type"] = np.array(["CUBA"], dtype="S10")
    group["iDecay"], group["vDecay"], group["vThMant"] = neuron.du + 1, neuron.dv, neuron.vth
    group["refDelay"], group["gradedSpike"] = 1, False


def _layer_bias(neuron: IntegerNeuron, shape: tuple[int, ...]) -> np.ndarray:
    """One number per channel of a map, (C,), where they suffice, else per neuron in netx's order, (W, H, C)."""
    bias = np.broadcast_to(neuron.bias_mant, shape)
    if len(shape) == 1:
        return bias
    channels = bias[:, 0, 0]
    return channels if np.array_equal(bias, np.broadcast_to(channels[:, None, None], shape)) else bias.transpose()


def _add_own(group: h5py.Group, graph: IntegerGraph) -> None:
    """What the graph has and netx does not."""
    group.attrs["version"], group.attrs["input_bits"] = VERSION, graph.input_bits
    group["names"] = np.array([population.name.encode() for population in graph.populations])
    group["is_relay"] = np.array([lif_neuron(population).is_relay for population in graph.populations], dtype=np.uint8)
    _add_readout(group.create_group("readout"), graph.readout)


def _add_readout(group: h5py.Group, readout: Readout) -> None:
    for name in ("weight", "bias"):
        group.create_dataset(name, data=getattr(readout, name).astype(np.float64), **PACKING)
    if readout.leak is not None:
        group.attrs["leak"] = readout.leak
