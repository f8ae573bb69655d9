"""Weights and training state as safetensors plus JSON; never pickle.

A checkpoint folder holds `model.safetensors`, `optimiser.safetensors` and `state.json`.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from snnface.errors import CheckpointError
from snnface.files import atomic_path
from snnface.training.loop import TrainingState

__all__ = ["epochs_done", "has_state", "load_state", "load_weights", "save_state", "save_weights"]


def save_weights(model: nn.Module, path: Path) -> None:
    """Write parameters and buffers, whole or not at all."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    with atomic_path(path) as temporary:
        _write(tensors, temporary)


def load_weights(model: nn.Module, path: Path) -> None:
    """Load weights strictly: every name and shape must match.

    Raises:
        CheckpointError: if the file is missing or damaged, or belongs to another model;
            names the first differing entries.
    """
    tensors = _read(path)
    wanted = model.state_dict()
    missing, foreign = sorted(wanted.keys() - tensors.keys()), sorted(tensors.keys() - wanted.keys())
    shapes = [
        f"{name} is {list(tensors[name].shape)}, not {list(wanted[name].shape)}"
        for name in wanted.keys() & tensors.keys()
        if tensors[name].shape != wanted[name].shape
    ]
    if missing or foreign or shapes:
        problems = [f"missing {', '.join(missing[:3])}"] if missing else []
        problems += [f"not in the model: {', '.join(foreign[:3])}"] if foreign else []
        problems += sorted(shapes)[:3]
        raise CheckpointError(
            f"{path} does not belong to this model: {'; '.join(problems)}. Use the recipe it was trained with."
        )
    if broken := sorted(name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()):
        raise CheckpointError(
            f"{path} holds weights that are no finite numbers ({', '.join(broken[:3])}); it is damaged."
        )
    model.load_state_dict(tensors)


def save_state(state: TrainingState, folder: Path) -> None:
    """Write a checkpoint that training resumes from; the previous one is replaced as a whole."""
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        _fill(state, fresh)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    _replace_folder(fresh, folder)


def _fill(state: TrainingState, fresh: Path) -> None:
    save_weights(state.model, fresh / "model.safetensors")
    optimiser = state.optimiser.state_dict()
    moments = {
        f"{index}.{key}": torch.as_tensor(value).detach().cpu().contiguous()
        for index, entries in optimiser["state"].items()
        for key, value in entries.items()
    }
    _write(moments, fresh / "optimiser.safetensors")
    record = {
        "epoch": state.epoch,
        "best_metric": state.best_metric,
        "param_groups": optimiser["param_groups"],
        "schedule": state.schedule.state_dict(),
    }
    (fresh / "state.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def has_state(folder: Path) -> bool:
    """Is there a checkpoint to resume from?"""
    _finish_replacement(folder)
    return folder.is_dir()


def epochs_done(folder: Path) -> int:
    """How many epochs a checkpoint stands at.

    Raises:
        CheckpointError: if the folder is missing or damaged.
    """
    return int(_record(folder)["epoch"])


def load_state(state: TrainingState, folder: Path) -> None:
    """Bring `state` to where `save_state` left it.

    Raises:
        CheckpointError: if the folder is missing, damaged, or belongs to another model.
    """
    _finish_replacement(folder)
    record = _record(folder)
    load_weights(state.model, folder / "model.safetensors")
    try:
        entries: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _read(folder / "optimiser.safetensors").items():
            index, key = name.split(".", 1)
            entries.setdefault(int(index), {})[key] = tensor
        state.optimiser.load_state_dict({"state": entries, "param_groups": record["param_groups"]})
        state.schedule.load_state_dict(record["schedule"])
        state.epoch, state.best_metric = int(record["epoch"]), float(record["best_metric"])
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        raise CheckpointError(
            f"the checkpoint in {folder} does not belong to this model, or is damaged: {error}."
        ) from error


def _record(folder: Path) -> dict[str, Any]:
    try:
        record = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        if {"epoch", "best_metric", "param_groups", "schedule"} <= record.keys():
            return record
        problem = f"state.json lacks fields; it has {sorted(record)}"
    except (OSError, ValueError, AttributeError) as error:
        problem = str(error)
    raise CheckpointError(
        f"{folder} should hold a checkpoint (state.json and two safetensors files); it cannot be read: {problem}."
    )


def _replace_folder(fresh: Path, folder: Path) -> None:
    """Swap `fresh` in. A folder cannot be replaced in one call; after a kill between the two
    renames `_finish_replacement` brings the one before back."""
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.replace(folder, old)
    os.replace(fresh, folder)
    shutil.rmtree(old, ignore_errors=True)


def _finish_replacement(folder: Path) -> None:
    old = folder.with_name(f".{folder.name}.old")
    if not folder.exists() and old.exists():
        os.replace(old, folder)


def _write(tensors: dict[str, Tensor], path: Path) -> None:
    try:
        save_file(tensors, path)
    except SafetensorError as error:
        raise CheckpointError(f"{path} cannot be written: {error}.") from error


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise CheckpointError(f"{path} is not there; a trained model needs its weights in a .safetensors file.")
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path} is not a readable safetensors file: {error}.") from error
