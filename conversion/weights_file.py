"""Weights of a trained network as a file of tensors by name: safetensors, or what torch.save writes of a state dict."""

import struct
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from snnface.errors import CheckpointError

__all__ = ["read_weights"]

_PREFIXES = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put in front of every name."""

_UNREADABLE = (
    *(OSError, EOFError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, AssertionError),
    *(UnpicklingError, struct.error, SafetensorError),
)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name, without the prefixes of DataParallel and torch.compile.

    A file of torch.save can bring nothing but tensors and plain values (weights_only), and
    no more of them than it has bytes for. Of a training checkpoint its entry "state_dict" is read.

    Raises:
        CheckpointError: if the file is missing, damaged, of torch before 1.6, or holds no tensors.
    """
    try:
        # Mapped into memory, so that a file cannot ask for more than it holds.
        is_safetensors = path.suffix == ".safetensors"
        content = load_file(path) if is_safetensors else torch.load(path, "cpu", weights_only=True, mmap=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no file {str(path)!r}; name the trained weights.") from error
    except _UNREADABLE as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise CheckpointError(
            f"{str(path)!r} cannot be read as weights: {reason}. A state dict is expected, as safetensors "
            "(.safetensors) or as torch.save of torch 1.6 or later writes it."
        ) from error
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    is_state = isinstance(content, Mapping) and all(isinstance(name, str) for name in content)
    if not is_state or not content or not all(isinstance(tensor, Tensor) for tensor in content.values()):
        raise CheckpointError(
            f"{str(path)!r} holds no state dict (names and tensors). Save model.state_dict(), no more."
        )
    weights = {_plain(name): tensor.detach() for name, tensor in content.items()}
    if any(not _is_held(tensor, path) for tensor in weights.values()):
        raise CheckpointError(f"{str(path)!r} names larger tensors than it holds; it is damaged.")
    return weights


def _plain(name: str) -> str:
    while name.startswith(_PREFIXES):
        name = name.partition(".")[2]
    return name


def _is_held(tensor: Tensor, path: Path) -> bool:
    return tensor.layout == torch.strided and tensor.numel() * tensor.element_size() <= path.stat().st_size
