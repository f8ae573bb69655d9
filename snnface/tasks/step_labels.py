"""Labels over time and the mask that says which steps have them, beside answers [T, B, K]."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from snnface.datasets.clip import Batch
from snnface.datasets.padding import STEP_PRESENT
from snnface.errors import DataError

__all__ = ["labels_over_time", "mean_square"]


def labels_over_time(
    batch: Batch, names: Sequence[str], *, num_steps: int
) -> tuple[Float[Tensor, "T B K"], Bool[Tensor, "T B"]]:
    """The labels of every step, side by side where there are several names, and which steps have all of them.

    A step has a label if the clip has it, its row of the mask `<name>_present` says so (where the
    data set gives one), and the step is the clip's own (`step_present`, see `PaddedSamples`).
    Labels are [B, S] or [B, S, K] in the batch, with a row a step.

    Raises:
        DataError: if no clip has a label of that name, or labels have another number of rows than steps.
    """
    present = _mask(batch, STEP_PRESENT, num_steps)
    columns = []
    for name in names:
        if name not in batch.targets:
            raise DataError(
                f"no clip of {', '.join(batch.clip_ids)} has the label {name!r}; they have "
                f"{', '.join(sorted(batch.targets)) or 'none'}."
            )
        rows = batch.targets[name].float()
        rows = rows[..., None] if rows.ndim == 2 else rows
        if rows.ndim != 3 or rows.shape[1] != num_steps:
            raise DataError(
                f"{name!r} should have a row for each of {num_steps} answers over time; it is {list(rows.shape[1:])} a "
                "clip. Choose labels at the steps of the pictures, and a model that keeps the steps."
            )
        columns.append(rows.transpose(0, 1))
        present = present & batch.present[name] & _mask(batch, f"{name}_present", num_steps)
    return torch.cat(columns, dim=2), present


def mean_square(
    answers: Float[Tensor, "T B K"], labels: Float[Tensor, "T B K"], present: Bool[Tensor, "T B"]
) -> Float[Tensor, ""]:
    """Mean squared error over the steps that have labels; 0 where none has."""
    error = (answers - labels)[present]
    return error.square().sum() / max(error.numel(), 1)


def _mask(batch: Batch, name: str, num_steps: int) -> Bool[Tensor, "T B"]:
    """A mask over time of the batch; where a clip has none, all its steps count."""
    size, device = len(batch.clip_ids), batch.inputs.device
    if name not in batch.targets:
        return torch.ones(num_steps, size, dtype=torch.bool, device=device)
    rows = batch.targets[name].bool()
    if rows.shape != (size, num_steps):
        raise DataError(f"{name!r} should be [{size}, {num_steps}]; it is {list(rows.shape)}.")
    return (rows | ~batch.present[name][:, None]).transpose(0, 1)
