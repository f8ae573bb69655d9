"""Sequential ANNs as two plain files: layers as JSON, weights as safetensors.

`model.json` holds {"format": "snnface-sequential", "version": 1, "input_shape": [...],
"layers": [{"type": "conv2d", "in_channels": 1, ...}, ...]}; `model.safetensors` beside it
holds the state dict, with the layers' places in the list as names ("0.weight"). Layer
fields have torch's names and defaults; an unknown type, field or weight is an error.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from snnface.errors import DataError, DatasetNotFoundError, UnsupportedLayerError, unknown_name
from snnface.files import atomic_path, write_text

__all__ = ["load_sequential", "save_sequential"]

_FORMAT = "snnface-sequential"
_VERSION = 1
_CONV = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups")
_NORM = ("num_features", "eps")

# type -> module, the fields that are stored and passed to its constructor
_LAYERS: dict[str, tuple[type[nn.Module], tuple[str, ...]]] = {
    "conv2d": (nn.Conv2d, (*_CONV, "bias")),
    "linear": (nn.Linear, ("in_features", "out_features", "bias")),
    "batchnorm1d": (nn.BatchNorm1d, _NORM),
    "batchnorm2d": (nn.BatchNorm2d, _NORM),
    "relu": (nn.ReLU, ()),
    "relu6": (nn.ReLU6, ()),
    "avgpool2d": (nn.AvgPool2d, ("kernel_size", "stride", "padding")),
    "adaptiveavgpool2d": (nn.AdaptiveAvgPool2d, ("output_size",)),
    "maxpool2d": (nn.MaxPool2d, ("kernel_size", "stride", "padding")),
    "flatten": (nn.Flatten, ("start_dim", "end_dim")),
    "dropout": (nn.Dropout, ("p",)),
    "identity": (nn.Identity, ()),
    "softmax": (nn.Softmax, ("dim",)),
}


def save_sequential(model: nn.Sequential, path: Path, *, input_shape: tuple[int, ...]) -> None:
    """Write `path` (.json) and the weights beside it; nested Sequentials are flattened.

    Raises:
        UnsupportedLayerError: if a layer is not of a kind that the format knows.
    """
    modules = list(_flattened(model))
    names = {kind: name for name, (kind, _) in _LAYERS.items()}
    layers = []
    for index, module in enumerate(modules):
        if type(module) not in names:
            raise UnsupportedLayerError(f"layer {index} is {type(module).__name__}; the file format knows {_known()}.")
        name = names[type(module)]
        layers.append({"type": name, **{field: _value(module, field) for field in _LAYERS[name][1]}})
    header = {"format": _FORMAT, "version": _VERSION, "input_shape": input_shape, "layers": layers}
    weights = {name: tensor.detach().contiguous() for name, tensor in nn.Sequential(*modules).state_dict().items()}
    with atomic_path(path.with_suffix(".safetensors")) as temporary:
        save_file(weights, temporary)
    write_text(path, json.dumps(header, indent=2) + "\n")


def load_sequential(path: Path) -> tuple[nn.Sequential, tuple[int, ...]]:
    """The model in evaluation mode, and its input shape without the batch axis.

    Raises:
        DatasetNotFoundError: if one of the two files does not exist.
        DataError: if a file is damaged, a field is missing or of the wrong type, or the
            weights do not fit the layers; the message names what.
        ConfigError: if a layer type or field is unknown.
    """
    weights_path = path.with_suffix(".safetensors")
    for file in (path, weights_path):
        if not file.is_file():
            raise DatasetNotFoundError(f"no file {str(file)!r}; a model is a .json and a .safetensors of one name.")
    try:
        header = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(header, dict) or (header.get("format"), header.get("version")) != (_FORMAT, _VERSION):
            raise DataError(f"'{path.name}' must be a {_FORMAT} of version {_VERSION}.")
        shape = header["input_shape"]
        if not all(type(size) is int and size > 0 for size in shape):
            raise DataError(f"input_shape must be positive whole numbers; got {shape}.")
        # On the meta device nothing is allocated before the file has shown that it has the weights.
        with torch.device("meta"):
            model = nn.Sequential(*(_module(index, entry) for index, entry in enumerate(header["layers"])))
        model.load_state_dict(load_file(weights_path), assign=True)
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"'{path.name}' is not a {_FORMAT} file, or is damaged: {error!r}") from error
    except (SafetensorError, RuntimeError, OSError) as error:
        text = " ".join(str(error).split())
        raise DataError(f"the weights in '{weights_path.name}' do not fit the layers: {text}") from error
    return model.eval(), tuple(shape)


def _module(index: int, entry: dict[str, Any]) -> nn.Module:
    kind = entry["type"]
    if kind not in _LAYERS:
        raise unknown_name(f"type of layer {index}", str(kind), _LAYERS)
    constructor, fields = _LAYERS[kind]
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}
    del values["type"]
    for name in values:
        if name not in fields:
            raise unknown_name(f"field of layer {index} ({kind})", name, fields)
    build: Callable[..., nn.Module] = constructor
    try:
        return build(**values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"layer {index} ({kind}) cannot be built: {error}") from error


def _flattened(model: nn.Sequential) -> list[nn.Module]:
    modules: list[nn.Module] = []
    for module in model:
        modules += _flattened(module) if isinstance(module, nn.Sequential) else [module]
    return modules


def _value(module: nn.Module, field: str) -> Any:
    return getattr(module, field) is not None if field == "bias" else getattr(module, field)


def _known() -> str:
    return ", ".join(sorted(_LAYERS))
