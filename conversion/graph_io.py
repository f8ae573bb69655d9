"""Spiking graphs as two plain files: arrays as safetensors, everything else as JSON.

The exact form: unlike NIR it holds any neuron. `model.json` holds populations, neurons and
geometry; in `model.safetensors` beside it connection k of population i has the arrays
"p<i>.c<k>.weight" and "p<i>.c<k>.bias", the readout "readout.weight" and "readout.bias". A
parameter that differs between neurons is null in the first file and "p<i>.<its name>" in the second.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from conversion.graph import (
    Connection,
    Conv2dSynapse,
    LinearSynapse,
    Neuron,
    Population,
    Readout,
    SpikingGraph,
    Synapse,
)
from snnface.errors import ConfigError, DataError, DatasetNotFoundError
from snnface.files import atomic_path, read_text, write_text

__all__ = ["load_graph", "save_graph"]

_FORMAT = "snnface-spiking-graph"
_VERSION = 1
_NEURON_TYPES: dict[str, tuple[type, ...]] = {
    "leak": (int, float),
    "threshold": (int, float),
    "reset": (str,),
    "fires_on_equality": (bool,),
    "initial_voltage": (int, float),
    "is_relay": (bool,),
    "rest": (int, float),
}


def save_graph(graph: SpikingGraph, path: Path) -> None:
    """Write `graph` to `path` (.json) and the .safetensors beside it; every weight keeps its value and type.

    Raises:
        ConfigError: if `path` does not end in .json.
        DataError: if the disk refuses a file.
    """
    if path.suffix != ".json":
        raise ConfigError(f"a spiking graph is a .json with a .safetensors beside it; got {path.name!r}.")
    arrays = {"readout.weight": graph.readout.weight, "readout.bias": graph.readout.bias}
    populations = []
    for i, population in enumerate(graph.populations):
        inputs = []
        for k, connection in enumerate(population.inputs):
            synapse = connection.synapse
            arrays[f"p{i}.c{k}.weight"] = synapse.weight
            if synapse.bias is not None:
                arrays[f"p{i}.c{k}.bias"] = synapse.bias
            inputs.append({"source": connection.source, **_geometry(synapse)})
        neuron = {name: getattr(population.neuron, name) for name in _NEURON_TYPES}
        for name, values in population.neuron.arrays.items():
            neuron[name], arrays[f"p{i}.{name}"] = None, values
        populations.append({"name": population.name, "shape": population.shape, "neuron": neuron, "inputs": inputs})
    header = {
        "format": _FORMAT,
        "version": _VERSION,
        "input_shape": graph.input_shape,
        "populations": populations,
        "readout": graph.readout.source,
        "readout_leak": graph.readout.leak,
        "metadata": dict(graph.metadata),
    }
    # The header comes last: without the arrays it would be taken for whole.
    with atomic_path(path.with_suffix(".safetensors")) as temporary:
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, temporary)
    write_text(path, json.dumps(header, indent=2) + "\n")


def load_graph(path: Path) -> SpikingGraph:
    """Read a graph that `save_graph` wrote.

    Raises:
        DatasetNotFoundError: if one of the two files does not exist.
        DataError: if they are no such files, or of two graphs, or an entry is missing or of the wrong type.
        ConversionError: if the graph in them does not fit together.
    """
    arrays = _arrays(path)
    try:
        header = json.loads(read_text(path))
        if header["format"] != _FORMAT or header["version"] != _VERSION:
            raise DataError(f"'{path.name}' must be a {_FORMAT} of version {_VERSION}.")
        graph = SpikingGraph(
            input_shape=_sizes(header["input_shape"]),
            populations=tuple(_population(i, entry, arrays) for i, entry in enumerate(header["populations"])),
            readout=Readout(
                source=header["readout"],
                weight=_floats(arrays, "readout.weight", 2, 4),
                bias=_floats(arrays, "readout.bias", 1),
                leak=_leak(header.get("readout_leak")),
            ),
            metadata={str(key): value for key, value in header["metadata"].items()},
        )
    except (KeyError, TypeError, AttributeError, IndexError, json.JSONDecodeError) as error:
        raise DataError(f"'{path.name}' is not a spiking graph, or is damaged: {error!r}") from error
    biases = [link.synapse.bias for population in graph.populations for link in population.inputs]
    differing = sum(len(population.neuron.arrays) for population in graph.populations)
    if len(arrays) != 2 + len(biases) + sum(bias is not None for bias in biases) + differing:
        raise DataError(f"the arrays beside '{path.name}' are not all of its graph; the two files are of two graphs.")
    return graph


def _arrays(path: Path) -> dict[str, np.ndarray]:
    weights = path.with_suffix(".safetensors")
    for file in (path, weights):
        if not file.is_file():
            raise DatasetNotFoundError(f"no file {str(file)!r}; a graph is a .json and a .safetensors of one name.")
    try:
        return load_file(weights)
    except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(f"'{weights.name}' is not a readable file of arrays: {error}") from error


def _leak(value: Any) -> float | None:
    if value is not None and type(value) not in (int, float):
        raise DataError(f"the readout's leak must be a number or null; got {value!r}.")
    return value


def _geometry(synapse: Synapse) -> dict[str, Any]:
    if isinstance(synapse, LinearSynapse):
        return {"kind": "linear"}
    return {
        "kind": "conv2d",
        "stride": synapse.stride,
        "padding": synapse.padding,
        "dilation": synapse.dilation,
        "groups": synapse.groups,
    }


def _population(index: int, entry: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Population:
    return Population(
        name=entry["name"],
        shape=_sizes(entry["shape"]),
        neuron=_neuron(f"p{index}", entry, arrays),
        inputs=tuple(
            Connection(link["source"], _synapse(f"p{index}.c{k}", link, arrays))
            for k, link in enumerate(entry["inputs"])
        ),
    )


def _neuron(prefix: str, entry: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Neuron:
    # Files of older versions have no rest.
    given = {"rest": 0.0, **entry["neuron"]}
    values = {name: given[name] for name in _NEURON_TYPES}
    for name, kinds in _NEURON_TYPES.items():
        if values[name] is None and float in kinds:
            values[name] = _floats(arrays, f"{prefix}.{name}", len(entry["shape"]))
        elif not isinstance(values[name], kinds):
            raise DataError(f"the {name} of population {entry['name']!r} must be {kinds[-1].__name__}.")
    if values["reset"] not in ("zero", "subtract"):
        raise DataError(f"population {entry['name']!r} must reset to 'zero' or by 'subtract'; got {values['reset']!r}.")
    return Neuron(**values)


def _synapse(prefix: str, link: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Synapse:
    bias = _floats(arrays, f"{prefix}.bias", 1) if f"{prefix}.bias" in arrays else None
    if link["kind"] == "linear":
        return LinearSynapse(weight=_floats(arrays, f"{prefix}.weight", 2), bias=bias)
    if link["kind"] != "conv2d":
        raise DataError(f"connection {prefix} must be 'linear' or 'conv2d'; got {link['kind']!r}.")
    stride, padding, dilation = (_sizes(link[name], low=low) for name, low in _PAIRS)
    if not len(stride) == len(padding) == len(dilation) == 2:
        raise DataError(f"stride, padding and dilation of connection {prefix} must be pairs.")
    return Conv2dSynapse(
        weight=_floats(arrays, f"{prefix}.weight", 4),
        bias=bias,
        stride=(stride[0], stride[1]),
        padding=(padding[0], padding[1]),
        dilation=(dilation[0], dilation[1]),
        groups=_sizes([link["groups"]])[0],
    )


_PAIRS = (("stride", 1), ("padding", 0), ("dilation", 1))


def _sizes(values: list[int], *, low: int = 1) -> tuple[int, ...]:
    if not all(type(value) is int and value >= low for value in values):
        raise DataError(f"sizes must be whole numbers of at least {low}; got {values}.")
    return tuple(values)


def _floats(arrays: Mapping[str, np.ndarray], name: str, *num_axes: int) -> np.ndarray:
    array = arrays[name]
    if array.dtype.kind != "f" or array.ndim not in num_axes or not np.isfinite(array).all():
        axes = " or ".join(map(str, num_axes))
        raise DataError(f"array {name!r} must be finite floats over {axes} axes; got {array.dtype} {array.shape}.")
    return array
