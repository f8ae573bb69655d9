"""Clips of different lengths in one batch: zeros in front, and a mask that says so."""

from collections.abc import Collection, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from snnface.datasets.clip import Clip, FaceDataset, Sample
from snnface.datasets.samples import ClipSamples
from snnface.errors import ConfigError, DataError
from snnface.representations.base import Representation

__all__ = ["STEP_PRESENT", "PaddedSamples", "pad_in_front"]

STEP_PRESENT = "step_present"
"""The target that tells steps of the clip (True) from padding, bool [T]."""


class PaddedSamples(ClipSamples):
    """`ClipSamples` of one length: each sample goes through `pad_in_front`.

    Args:
        num_steps: T of every sample.

    Raises:
        ConfigError: if there is not at least one step.
    """

    def __init__(
        self,
        dataset: FaceDataset,
        clips: Sequence[Clip],
        representation: Representation,
        *,
        num_steps: int,
        cache_bytes: int = 1 << 30,
    ) -> None:
        if num_steps < 1:
            raise ConfigError(f"clips need at least 1 step; got num_steps = {num_steps}.")
        super().__init__(dataset, clips, representation, cache_bytes=cache_bytes)
        self.num_steps = num_steps

    def __getitem__(self, index: int) -> Sample:
        return pad_in_front(super().__getitem__(index), num_steps=self.num_steps, over_time=self.clips[index].over_time)


def pad_in_front(sample: Sample, *, num_steps: int, over_time: Collection[str]) -> Sample:
    """The sample with zeros before its first step, so that it ends when the clip ends.

    Targets over time get rows of zeros (False for masks) in front too, and the target
    `step_present` says which steps are the clip's own. A mask `<name>_present` of a target is
    False in the padding, so a loss that heeds it needs no other rule.

    Source: Becattini et al. 2024, sec. 6: sequences of 75 frames; shorter ones are padded in
    front in the authors' published code.

    Args:
        over_time: targets with one row a step; they must have as many rows as the inputs.

    Raises:
        DataError: if the sample is longer than `num_steps`, or a target has another number of rows.
    """
    length = len(sample.inputs)
    if length > num_steps:
        raise DataError(f"clip {sample.clip_id!r} has {length} steps, more than the {num_steps} to pad it to; cut it.")
    targets = dict(sample.targets)
    for name in over_time:
        if len(targets[name]) != length:
            raise DataError(
                f"clip {sample.clip_id!r} has {length} steps and {len(targets[name])} rows of {name!r}; labels over "
                "time need one row a step here. Choose the data set's own duration of a step."
            )
        targets[name] = _padded(targets[name], num_steps)
    targets[STEP_PRESENT] = _padded(torch.ones(length, dtype=torch.bool), num_steps)
    return replace(sample, inputs=_padded(sample.inputs, num_steps), targets=targets)


def _padded(rows: Tensor, num_steps: int) -> Tensor:
    return torch.cat([rows.new_zeros((num_steps - len(rows), *rows.shape[1:])), rows])
