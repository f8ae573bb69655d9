"""Clips with the pictures at their two ends, for reconstruction from events."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from snnface.datasets.clip import Clip, FaceDataset, Sample
from snnface.datasets.samples import ClipSamples
from snnface.representations.base import Representation
from snnface.representations.plain_frames import PlainFrames, PlainFramesConfig

__all__ = ["PICTURE", "REFERENCE", "PictureSamples"]

PICTURE, REFERENCE = "picture", "reference_picture"
"""The targets that a sample carries: the picture to make, and the one at the clip's beginning, [1, H, W] in 0..1."""


class PictureSamples(ClipSamples):
    """`ClipSamples` with two more targets: `reference_picture` and `picture`, grey, float32 [1, H, W] in 0..1.

    They are the frames in effect at the end of the first and of the last step, in the size of the
    event pictures, so that the events of the steps in between tell what has changed.

    Recordings without frames are a DataError when a sample is asked for.
    """

    def __init__(
        self,
        dataset: FaceDataset,
        clips: Sequence[Clip],
        representation: Representation,
        *,
        cache_bytes: int = 1 << 30,
    ) -> None:
        super().__init__(dataset, clips, representation, cache_bytes=cache_bytes)
        self._frames = PlainFrames(
            PlainFramesConfig(step_ms=representation.step_us / 1000, resolution=representation.resolution)
        )
        self._pictures: dict[int, tuple[Tensor, Tensor]] = {}

    def __getitem__(self, index: int) -> Sample:
        sample = super().__getitem__(index)
        if index not in self._pictures:
            clip = self.clips[index]
            frames = torch.from_numpy(self._frames(self._dataset.recording(clip.recording_id), clip.window))
            # Copies of the two, not views that keep all frames in memory.
            self._pictures[index] = frames[0].clone(), frames[-1].clone()
        reference, picture = self._pictures[index]
        return replace(sample, targets={**sample.targets, REFERENCE: reference, PICTURE: picture})
