"""A state dict and the network that it belongs to: by a name known here, or by any Python callable that builds it."""

import importlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from conversion.ann.resnet import Resnet
from conversion.weights_file import read_weights
from snnface.errors import CheckpointError, ConfigError, unknown_name

__all__ = ["ARCHITECTURES", "load_architecture"]

ARCHITECTURES: Mapping[str, Callable[[Mapping[str, Tensor]], nn.Module]] = {
    "resnet18": partial(Resnet, num_blocks=(2, 2, 2, 2), is_bottleneck=False),
    "resnet34": partial(Resnet, num_blocks=(3, 4, 6, 3), is_bottleneck=False),
    "resnet50": partial(Resnet, num_blocks=(3, 4, 6, 3), is_bottleneck=True),
    "resnet101": partial(Resnet, num_blocks=(3, 4, 23, 3), is_bottleneck=True),
}
"""Name -> the network, of the sizes that its weights have; parameters are named as in torchvision."""

_COUNTER = "num_batches_tracked"
_SHOWN = 6


def load_architecture(name: str, weights: Path) -> nn.Module:
    """A network with trained weights, in evaluation mode.

    Names must match one for one; prefixes of DataParallel and torch.compile do not count, nor
    do the batch counters of batch norms, which nothing reads.

    Args:
        name: one of ARCHITECTURES, or "package.module:callable", which is imported and called
            without arguments; only give one that you trust.
        weights: a file of `read_weights`.

    Raises:
        ConfigError: if there is no such name, module or callable, or it gives no nn.Module.
        CheckpointError: if the file cannot be read or does not fit; lists missing, unexpected
            and wrongly shaped names.
    """
    tensors = read_weights(weights)
    model = _imported(name) if ":" in name else _built_in(name, tensors)
    expected = {key: tensor for key, tensor in model.state_dict().items() if not key.endswith(_COUNTER)}
    found = {key: tensor for key, tensor in tensors.items() if not key.endswith(_COUNTER)}
    _require_match(name, weights, expected, found)
    counters = {key: torch.zeros((), dtype=torch.long) for key in model.state_dict() if key.endswith(_COUNTER)}
    # In the type of the file, which is not always the model's.
    model.load_state_dict({**found, **counters}, assign=True)
    return model.eval()


def _built_in(name: str, tensors: Mapping[str, Tensor]) -> nn.Module:
    if name not in ARCHITECTURES:
        raise unknown_name("architecture", name, [*ARCHITECTURES, "package.module:callable"])
    try:
        # Without memory: the file decides the sizes, and has not yet shown that it holds them.
        with torch.device("meta"):
            return ARCHITECTURES[name](tensors)
    except (ValueError, RuntimeError) as error:
        raise CheckpointError(f"the weights do not fit the architecture {name!r}: {error}.") from error


def _imported(name: str) -> nn.Module:
    module, _, function = name.partition(":")
    try:
        build = getattr(importlib.import_module(module), function)
        model = build()
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{name!r} must be 'package.module:callable', importable from here, and callable without arguments: "
            f"{error}."
        ) from error
    if not isinstance(model, nn.Module):
        raise ConfigError(f"{name!r} must give an nn.Module; it gave {type(model).__name__}.")
    return model


def _require_match(name: str, path: Path, expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    both = [key for key in expected if key in found]
    problems = {
        "missing": [key for key in expected if key not in found],
        "unexpected": [key for key in found if key not in expected],
        "of another shape": [
            f"{key} {tuple(found[key].shape)}, not {tuple(expected[key].shape)}"
            for key in both
            if found[key].shape != expected[key].shape
        ],
        "no floats": [key for key in both if expected[key].is_floating_point() and not found[key].is_floating_point()],
    }
    if any(problems.values()):
        listed = "; ".join(f"{kind}: {_listed(keys)}" for kind, keys in problems.items() if keys)
        raise CheckpointError(f"the weights in {str(path)!r} do not fit the architecture {name!r}. {listed}.")


def _listed(keys: list[str]) -> str:
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return ", ".join(keys[:_SHOWN]) + more
