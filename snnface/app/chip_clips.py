"""Clips as the counts that a chip is fed, and what the host makes of its answers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Int64
from torch import nn

from hardware.target import HardwareTarget
from snnface.app.catalog import scorings_of
from snnface.app.experiment import Experiment
from snnface.app.prepared_network import integer_counts
from snnface.app.recipes import Recipe
from snnface.datasets.clip import Batch, Clip
from snnface.datasets.picture_samples import REFERENCE
from snnface.datasets.samples import batches
from snnface.errors import DataError
from snnface.models.reconstruction import SpikingReconstruction
from snnface.tasks.base import Output
from snnface.tasks.scoring import ScoringMeter

__all__ = ["CLIPS_AT_ONCE", "AnswerMeter", "evenly_spread", "first_clips", "host_output", "integer_batches"]

CLIPS_AT_ONCE = 8

C = TypeVar("C")


def integer_batches(
    experiment: Experiment,
    model: nn.Module,
    target: HardwareTarget,
    clips: Sequence[Clip],
    *,
    at_once: int = CLIPS_AT_ONCE,
) -> Iterator[tuple[Int64[np.ndarray, "T B C H W"], Batch]]:
    """Clips, a few at a time, as the counts that the chip is fed, each with its batch.

    Raises:
        UnsupportedLayerError: if the representation does not give whole numbers that fit
            the target's input messages.
    """
    for batch in batches(experiment.samples(tuple(clips)), batch_size=at_once):
        inputs = batch.inputs
        if isinstance(model, SpikingReconstruction):
            # The chip is shown the reference too, as the network's own layers are.
            inputs = model.joined(inputs, batch.targets[REFERENCE])
        yield integer_counts(inputs.numpy(), target), batch


def evenly_spread(clips: Sequence[C], count: int) -> tuple[C, ...]:
    """At most so many clips, from all over the set."""
    chosen = np.linspace(0, len(clips) - 1, min(count, len(clips))).round().astype(int)
    return tuple(clips[index] for index in chosen)


def first_clips(batch: Batch, count: int) -> Batch:
    """The first clips of a batch."""
    return replace(
        batch,
        inputs=batch.inputs[:, :count],
        targets={name: rows[:count] for name, rows in batch.targets.items()},
        present={name: rows[:count] for name, rows in batch.present.items()},
        clip_ids=batch.clip_ids[:count],
    )


def host_output(model: nn.Module, recipe: Recipe, answers: np.ndarray, batch: Batch) -> Output:
    """What the host makes of the chip's readout: a potential becomes a picture, all else stays."""
    given = torch.from_numpy(answers).float()
    if isinstance(model, SpikingReconstruction):
        reference = batch.targets[REFERENCE]
        given = model.picture(given.reshape(reference.shape), reference)
    return {recipe.task.target: given}


class AnswerMeter:
    """Metrics of the first task's answers, gathered batch by batch under as many names as are compared."""

    def __init__(self, model: nn.Module, recipe: Recipe) -> None:
        self._model, self._recipe = model, recipe
        self._scoring = scorings_of(recipe)[0]
        self._meters: dict[str, ScoringMeter] = {}

    def add(self, name: str, answers: np.ndarray, batch: Batch) -> None:
        meter = self._meters.setdefault(name, ScoringMeter(self._scoring))
        meter.update(host_output(self._model, self._recipe, answers, batch), batch)

    def metrics(self) -> dict[str, Mapping[str, float]]:
        """By name; empty where no clip has a label."""
        return {name: _computed(meter) for name, meter in self._meters.items()}


def _computed(meter: ScoringMeter) -> dict[str, float]:
    try:
        return meter.compute()
    except DataError:
        return {}
