"""From clips to the tensors that a loader hands out."""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from snnface.datasets.clip import Batch, Clip, FaceDataset, Label, Sample, collate
from snnface.errors import ConfigError, DataError
from snnface.representations.base import Representation

__all__ = ["ClipSamples", "Samples", "batches"]


@runtime_checkable
class Samples(Protocol):
    """What a loader needs of samples."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...


class ClipSamples(Dataset[Sample]):
    """Clips of a data set under a representation; each is made when it is asked for.

    Up to `cache_bytes` of finished inputs are kept in memory, so that small sets are
    read once and large ones stay bounded.
    """

    def __init__(
        self,
        dataset: FaceDataset,
        clips: Sequence[Clip],
        representation: Representation,
        *,
        cache_bytes: int = 1 << 30,
    ) -> None:
        self.clips = tuple(clips)
        self._dataset = dataset
        self._representation = representation
        self._free_bytes = cache_bytes
        self._cache: dict[int, Tensor] = {}

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> Sample:
        clip = self.clips[index]
        return Sample(
            clip_id=clip.clip_id,
            inputs=self._inputs(index),
            targets={name: _label_tensor(label) for name, label in clip.labels.items()},
        )

    def _inputs(self, index: int) -> Tensor:
        if index in self._cache:
            return self._cache[index]
        clip = self.clips[index]
        recording = self._dataset.recording(clip.recording_id)
        inputs = torch.from_numpy(self._representation(recording, clip.window))
        if not len(inputs):
            raise DataError(
                f"clip {clip.clip_id!r} of {clip.window.duration_us} us is shorter than one step (of "
                f"{self._representation.step_us} us, or of a number of events); choose shorter steps."
            )
        if inputs.nbytes <= self._free_bytes:
            self._free_bytes -= inputs.nbytes
            self._cache[index] = inputs
        return inputs


def batches(
    samples: Samples,
    *,
    batch_size: int,
    generator: torch.Generator | None = None,
    share: int = 0,
    num_shares: int = 1,
) -> "DataLoader[Batch]":
    """Batches in clip order, or shuffled by `generator` where one is given.

    Args:
        share, num_shares: the process's number among those that train together; each sees
            every num_shares-th clip of one shuffled order, all equally many.

    Raises:
        ConfigError: if there is no clip.
    """
    if not len(samples):
        raise ConfigError("a loader needs at least one clip; the split is empty.")
    return DataLoader(
        samples,  # type: ignore[arg-type]
        batch_size=batch_size,
        sampler=None if generator is None else _Shuffled(len(samples), generator, share, num_shares),
        collate_fn=collate,
    )


class _Shuffled(Sampler[int]):
    """A share of a new order each time; the order is the generator's alone, so a resumed run repeats it."""

    def __init__(self, num_clips: int, generator: torch.Generator, share: int, num_shares: int) -> None:
        self._num_clips, self._generator = num_clips, generator
        self._share, self._num_shares = share, num_shares

    def __len__(self) -> int:
        return -(-self._num_clips // self._num_shares)

    def __iter__(self) -> Iterator[int]:
        order = torch.randperm(self._num_clips, generator=self._generator).tolist()
        # The first clips fill up the last round, so that no process waits for another.
        order += order[: len(self) * self._num_shares - len(order)]
        yield from order[self._share :: self._num_shares]


def _label_tensor(label: Label) -> Tensor:
    if isinstance(label, np.ndarray):
        return torch.from_numpy(label.copy())
    return torch.tensor(label)
