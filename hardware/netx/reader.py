"""A netx file as an integer graph, read without trust, whoever wrote it.

What `hardware.netx.writer` describes, as other tools write it too: numbers that are whole may be
floats, strings may be scalars, a full matrix may be flat, a kernel may have a fifth axis of one.
A file of another tool has no names, which become "layer00", "layer01", ..., and no readout: each
neuron's rate is the answer then.
"""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np

from conversion.graph import INPUT, Connection, Conv2dSynapse, LinearSynapse, Readout, Synapse
from conversion.integer_graph import IntegerGraph, IntegerNeuron, IntegerPopulation
from hardware.netx.form import BIAS_EXP, lif_neuron
from hardware.netx.group import NetxGroup
from snnface.errors import ConversionError, DataError, DatasetNotFoundError, HardwareError

__all__ = ["read_netx"]

LARGEST_IDENTITY = 1 << 13
"""Neurons of a last layer without a readout whose rates are answers; more would need a gigabyte."""

_BROKEN = (OSError, KeyError, ValueError, TypeError, IndexError, RuntimeError, MemoryError)


def read_netx(path: Path) -> IntegerGraph:
    """The network in a netx file.

    Raises:
        DatasetNotFoundError: if the file does not exist.
        DataError: if it is no netx file, is damaged, links to other data, unpacks to more than 4 GiB, or its
            shapes do not fit together.
        HardwareError: if it holds a layer or a neuron that is not read here; names it.
        PrecisionError: if a neuron's number does not fit its bits.
    """
    if not path.is_file():
        raise DatasetNotFoundError(f"no file {str(path)!r}.")
    try:
        with h5py.File(path, "r") as file:
            root = NetxGroup.of_file(file, path.name)
            layers = _Layers(root.group("layer"))
            return _named_graph(layers, root.group("snnface")) if "snnface" in root else _plain_graph(layers)
    except _BROKEN as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"'{path.name}' is not a readable netx file: {error!r}") from error


def _plain_graph(layers: "_Layers") -> IntegerGraph:
    """Of a file of another tool: binary input, and rates as answers."""
    last = layers.populations[-1]
    if last.num_neurons > LARGEST_IDENTITY:
        raise DataError(
            f"{layers.group.place}: the last layer has {last.num_neurons} neurons, and nothing says what is read of "
            f"them; up to {LARGEST_IDENTITY} rates are taken for answers."
        )
    readout = Readout(last.name, np.eye(last.num_neurons), np.zeros(last.num_neurons))
    return IntegerGraph(layers.input_shape, 0, tuple(layers.populations), readout)


def _named_graph(layers: "_Layers", own: NetxGroup) -> IntegerGraph:
    """Of a file of this project."""
    names, relays = own.array("names"), own.whole_numbers("is_relay")
    if names.shape != relays.shape or names.shape != (len(layers.populations),) or names.dtype.kind != "S":
        raise DataError(
            f"{own.place}: 'names' and 'is_relay' must say one thing of each of {len(layers.populations)} layers; they "
            f"are {names.shape} and {relays.shape}."
        )
    texts = [name.decode(errors="replace") for name in names]
    if len({INPUT, "", *texts}) != len(texts) + 2:
        raise DataError(f"{own.place}: names must differ, and be other than {INPUT!r}; they are {texts}.")
    sources = dict(zip((population.name for population in layers.populations), texts, strict=True))
    populations = tuple(
        replace(
            population,
            name=name,
            neuron=replace(lif_neuron(population), is_relay=bool(is_relay)),
            inputs=tuple(replace(link, source=sources.get(link.source, INPUT)) for link in population.inputs),
        )
        for population, name, is_relay in zip(layers.populations, texts, relays, strict=True)
    )
    bits = own.attribute("input_bits", 0, 16)
    return IntegerGraph(layers.input_shape, bits, populations, _readout(own.group("readout"), populations[-1]))


def _readout(group: NetxGroup, last: IntegerPopulation) -> Readout:
    weight, bias, leak = group.floats("weight"), group.floats("bias"), group.attributes.get("leak")
    try:
        readout = Readout(last.name, weight, bias, None if leak is None else float(leak))
        fits = weight.ndim in (2, 4) and bias.shape == weight.shape[:1]
        if fits:
            readout.synapse.output_shape(last.shape)
    except (ConversionError, TypeError, ValueError) as error:
        raise DataError(f"{group.place}: {error}") from error
    if not fits:
        raise DataError(f"{group.place}: weights of {weight.shape} and biases of {bias.shape} are no readout.")
    return readout


class _Layers:
    """The layers in order; keeps the shape that the next one reads."""

    def __init__(self, group: NetxGroup) -> None:
        self.group = group
        self.input_shape: tuple[int, ...] = ()
        self.shape: tuple[int, ...] = ()
        self.is_flattened = False
        self.populations: list[IntegerPopulation] = []
        for number in range(len(group)):
            self._add(group.group(str(number)), number)
        if not self.populations:
            raise DataError(f"{group.place} holds no layer of neurons.")

    def _add(self, layer: NetxGroup, number: int) -> None:
        kind = layer.text("type")
        if kind == "input" and number == 0:
            if "neuron" in layer:
                raise HardwareError(f"{layer.place} has neurons of its own, which are not read; feed it spikes.")
            self.input_shape = self.shape = layer.shape()
        elif kind == "flatten":
            self.is_flattened = True
        elif kind in ("conv", "dense"):
            self._add_neurons(layer, self._convolution(layer) if kind == "conv" else self._matrix(layer))
        else:
            raise HardwareError(
                f"{layer.place} is of type {kind!r}; an input (first of all), conv, flatten and dense are read."
            )

    def _add_neurons(self, layer: NetxGroup, synapse: Synapse) -> None:
        try:
            shape = synapse.output_shape(self.shape)
        except ConversionError as error:
            raise DataError(f"{layer.place}: {error}") from error
        if layer.shape() != shape:
            raise DataError(f"{layer.place}: its shape says {layer.shape()}; its weights give {shape}.")
        name = f"layer{len(self.populations):02d}"
        neuron = self._neuron(layer, shape)
        neuron.check(name)
        source = self.populations[-1].name if self.populations else INPUT
        inputs = (Connection(source, synapse, self._delay(layer, synapse)),)
        self.populations.append(IntegerPopulation(name, shape, neuron, inputs))
        self.shape, self.is_flattened = shape, False

    def _convolution(self, layer: NetxGroup) -> Conv2dSynapse:
        if len(self.shape) != 3 or self.is_flattened:
            raise DataError(f"{layer.place} is a convolution; what it reads must be a map (C, H, W), not flattened.")
        weight = layer.whole_numbers("weight")
        if weight.ndim == 5 and weight.shape[4] == 1:
            weight = weight[..., 0]
        groups = layer.number("groups", 1, len(weight))
        if weight.ndim != 4 or not weight.size or len(weight) % groups:
            raise DataError(f"{layer.place}: {groups} groups cannot have weights of {weight.shape}, (O, I, H, W).")
        geometry = {name: layer.pair(name, low) for name, low in (("stride", 1), ("padding", 0), ("dilation", 1))}
        return Conv2dSynapse(weight, None, geometry["stride"], geometry["padding"], geometry["dilation"], groups)

    def _matrix(self, layer: NetxGroup) -> LinearSynapse:
        weight = layer.whole_numbers("weight")
        rows = layer.shape()[0]
        if weight.ndim == 1 and weight.size and weight.size % rows == 0:
            weight = weight.reshape(rows, -1)
        if weight.ndim != 2 or not weight.size:
            raise DataError(f"{layer.place}: a full matrix must be (N, M); its weights are {weight.shape}.")
        if not self.shape:
            self.input_shape = self.shape = (weight.shape[1],)
        if self.populations and len(self.shape) == 3 and not self.is_flattened:
            raise DataError(f"{layer.place} reads the map {self.shape} without a flatten layer before it.")
        return LinearSynapse(weight)

    def _delay(self, layer: NetxGroup, synapse: Synapse) -> np.ndarray | None:
        """Of each weight of a full matrix, from one number, one per output, one per input, or all."""
        if "delay" not in layer or not isinstance(synapse, LinearSynapse):
            return None
        delay, (outputs, inputs) = layer.whole_numbers("delay"), synapse.weight.shape
        if delay.shape == (outputs,):
            delay = delay[:, None]
        if delay.shape not in ((), (1,), (inputs,), (outputs, 1), (outputs, inputs)):
            raise DataError(f"{layer.place}: delays of {delay.shape} do not fit weights of {synapse.weight.shape}.")
        if delay.min(initial=0) < 0:
            raise DataError(f"{layer.place}: delays must be 0 or more; the smallest is {delay.min()}.")
        return np.broadcast_to(delay, synapse.weight.shape).copy() if delay.any() else None

    def _neuron(self, layer: NetxGroup, shape: tuple[int, ...]) -> IntegerNeuron:
        group = layer.group("neuron")
        kind = group.text("type")
        if kind not in ("CUBA", "LOIHI"):
            raise HardwareError(f"{group.place} is of type {kind!r}; LIF neurons (CUBA, LOIHI) are read.")
        if "messageBits" in group and group.number("messageBits", 0, 32):
            raise HardwareError(f"{group.place} sends graded spikes; binary ones are read (messageBits 0).")
        largest = 1 << 24  # beyond every width, which `IntegerNeuron.check` knows
        return IntegerNeuron(
            du=group.number("iDecay", 0, largest) - 1,
            dv=group.number("vDecay", 0, largest),
            vth=group.number("vThMant", 0, largest),
            bias_mant=self._bias(layer, shape),
            bias_exp=BIAS_EXP,
        )

    def _bias(self, layer: NetxGroup, shape: tuple[int, ...]) -> np.ndarray:
        if "bias" not in layer:
            return np.zeros((), dtype=np.int64)
        bias = layer.whole_numbers("bias")
        if len(shape) == 3 and bias.shape == shape[:1]:
            return bias[:, None, None]
        if bias.shape != shape[::-1]:
            raise DataError(f"{layer.place}: biases of {bias.shape} do not fit neurons of {shape}.")
        return bias.transpose()
