"""What a training step minimises: the task's loss, and what the config adds to it."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from snnface.datasets.clip import Batch
from snnface.errors import ConfigError
from snnface.seeding import SeedTree
from snnface.spiking.activity import SpikeCounts, spike_counts
from snnface.spiking.processes import differentiable_sum
from snnface.tasks.base import Loss, Task
from snnface.training.evaluation import predict
from snnface.training.optim import TrainingConfig

__all__ = ["Objective", "mixed", "over_budget"]


@dataclass(frozen=True)
class Objective:
    """The loss of a batch in training.

    The budget of spikes is one for the whole model: with r the spikes of all neurons over all
    their updates (neurons x steps x clips, before pooling), of the clips of all processes,

        loss = task + rate_weight max(0, r / rate_target - 1)^2

    so that a model within its budget is left alone, wherever its spikes are.

    With `mixup_alpha` every clip is mixed with the one at the other end of the (shuffled) batch, inputs and
    losses in the shares lam and 1 - lam, lam from Beta(alpha, alpha), one draw a batch, which
    depends on the names of its clips alone.

    Source: Zhang et al. 2018, arXiv:1710.09412, eq. 1 and sec. 2 (mixup).
    """

    task: Task
    config: TrainingConfig

    def __call__(self, model: nn.Module, batch: Batch) -> Loss:
        if not self.config.rate_weight:
            return self._task_loss(model, batch)
        with spike_counts(model) as counts:
            loss = self._task_loss(model, batch)
        excess = self.config.rate_weight * over_budget(counts, target=self.config.rate_target).to(loss.total)
        return Loss(loss.total + excess, {**loss.parts, "rate": float(excess.detach())})

    def _task_loss(self, model: nn.Module, batch: Batch) -> Loss:
        if not self.config.mixup_alpha:
            return self.task.loss(predict(model, self.task, batch), batch)
        share = _share(batch, self.config.mixup_alpha)
        output = predict(model, self.task, mixed(batch, share))
        own, other = self.task.loss(output, batch), self.task.loss(output, _reversed(batch))
        parts = {name: share * own.parts[name] + (1 - share) * other.parts[name] for name in own.parts}
        return Loss(share * own.total + (1 - share) * other.total, parts)


def over_budget(counts: SpikeCounts, *, target: float) -> Tensor:
    """max(0, rate / target - 1)^2 of the spikes per neuron and step over all layers, differentiable.

    Raises:
        ConfigError: if the model has no spiking neurons.
    """
    if not counts.num_spikes:
        raise ConfigError("rate_weight limits spikes, and this model has no spiking neurons; set it to 0.")
    spikes = torch.stack(list(counts.num_spikes.values())).sum()
    totals = differentiable_sum(torch.stack([spikes, spikes.new_tensor(sum(counts.num_updates.values()))]))
    rate = totals[0] / totals[1]
    return (rate / target - 1).clamp(min=0).square()


def mixed(batch: Batch, share: float) -> Batch:
    """Each clip in its share, with the clip at the other end of the batch in the rest; the labels stay."""
    names = tuple(f"{own} mixed with {other}" for own, other in zip(batch.clip_ids, batch.clip_ids[::-1], strict=True))
    return replace(batch, inputs=share * batch.inputs + (1 - share) * batch.inputs.flip(1), clip_ids=names)


def _share(batch: Batch, alpha: float) -> float:
    return float(SeedTree(0).numpy("mixup", *batch.clip_ids).beta(alpha, alpha))


def _reversed(batch: Batch) -> Batch:
    return Batch(
        inputs=batch.inputs,
        targets={name: rows.flip(0) for name, rows in batch.targets.items()},
        present={name: rows.flip(0) for name, rows in batch.present.items()},
        clip_ids=batch.clip_ids[::-1],
    )
