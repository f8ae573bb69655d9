"""Where numbers stopped being finite: looked for only once a loss or a gradient is bad."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from snnface.datasets.clip import Batch
from snnface.errors import SnnfaceError
from snnface.tasks.base import Task

__all__ = ["first_non_finite"]

# What a spiking layer computes its currents with; their spikes hide NaN, as NaN does not fire.
_WEIGHTS = ("conv", "linear", "recurrent")


def first_non_finite(model: nn.Module, task: Task, batch: Batch) -> str:
    """The first thing on the way from the inputs to the loss that holds NaN or infinity, in words.

    In this order: the inputs of a clip, weights and running statistics, the currents and
    answers of layers as they run (the model is run once more). Clips are named where the
    place belongs to some of them only.
    """
    if found := _bad_clips(batch.inputs, batch):
        return f"the input of {found}"
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if not _is_finite(tensor):
            layer, _, what = name.rpartition(".")
            return f"{what!r} of the layer {layer!r}"
    with torch.no_grad(), _Watch(model, batch) as watch:
        try:
            task.predict(model, batch)
        except SnnfaceError as error:
            return watch.found or str(error)
    return watch.found or "the loss itself; inputs, weights, currents and answers are finite"


class _Watch:
    """Notes the first module whose currents or answers are not finite."""

    def __init__(self, model: nn.Module, batch: Batch) -> None:
        self.found = ""
        self._model, self._batch = model, batch

    def __enter__(self) -> "_Watch":
        self._handles = [
            handle
            for name, module in self._model.named_modules()
            for handle in (
                module.register_forward_pre_hook(self._before(name)),
                module.register_forward_hook(self._after(name)),
            )
        ]
        return self

    def __exit__(self, *exception: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _before(self, name: str):  # type: ignore[no-untyped-def]
        def look(module: nn.Module, inputs: tuple[object, ...]) -> None:
            weights = next((part for key in _WEIGHTS if (part := getattr(module, key, None)) is not None), None)
            if self.found or not isinstance(weights, nn.Conv2d | nn.Linear) or not isinstance(inputs[0], Tensor):
                return
            folded = inputs[0].flatten(0, 1) if isinstance(weights, nn.Conv2d) else inputs[0]
            self._note("the currents", name, weights.forward(folded.to(weights.weight.dtype)))

        return look

    def _after(self, name: str):  # type: ignore[no-untyped-def]
        def look(module: nn.Module, inputs: object, output: object) -> None:
            for tensor in _tensors(output):
                self._note("the output", name, tensor)

        return look

    def _note(self, what: str, name: str, tensor: Tensor) -> None:
        if not self.found and not _is_finite(tensor):
            clips = _bad_clips(tensor, self._batch)
            self.found = f"{what} of the layer {name!r}" + (f" on {clips}" if clips else "")


def _tensors(output: object) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, dict):
        yield from (value for value in output.values() if isinstance(value, Tensor))


def _is_finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())


def _bad_clips(tensor: Tensor, batch: Batch) -> str:
    """The clips whose part of [T, B, ...], [T * B, ...] or [B, ...] is not finite; "" if there is none."""
    size = len(batch.clip_ids)
    if tensor.ndim >= 3 and tensor.shape[1] == size:
        rows = tensor.transpose(0, 1)
    elif tensor.ndim >= 2 and tensor.shape[0] % size == 0:
        rows = tensor.reshape(-1, size, *tensor.shape[1:]).transpose(0, 1)
    else:
        return ""
    bad = ~torch.isfinite(rows).flatten(1).all(1)
    return ", ".join(f"clip {name!r}" for name, is_bad in zip(batch.clip_ids, bad.tolist(), strict=True) if is_bad)
