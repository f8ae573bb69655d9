"""Clips (references with labels) and the tensors made from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from snnface.errors import DataError
from snnface.events.window import TimeWindow
from snnface.recording import Recording

__all__ = ["Batch", "Clip", "FaceDataset", "Label", "Sample", "collate"]

Label = int | float | np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A time window of a recording plus its labels: a reference, no tensors.

    Attributes:
        clip_id: unique in its data set.
        recording_id: the recording it is cut from.
        subject: who is seen; splits keep subjects apart by this name.
        labels: target name -> class index (int), number (float) or array of either.
            A label that is not known is left out, never NaN or -1.
        label_t_us: the times of labels over time, int64 [S] in the recording's clock. None where no
            label changes in the clip.
        over_time: the names of those labels: arrays of S rows, row s holds at label_t_us[s]. All
            other labels hold for the whole clip, whatever their shape.

    Raises:
        DataError: if label times do not rise, or the labels over time do not fit them.
    """

    clip_id: str
    recording_id: str
    subject: str
    window: TimeWindow
    labels: Mapping[str, Label]
    label_t_us: Int64[np.ndarray, " S"] | None = None
    over_time: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if (self.label_t_us is None) != (not self.over_time):
            raise DataError(
                f"clip {self.clip_id!r} needs label times and the names of the labels over time, or neither; got "
                f"{'no times' if self.label_t_us is None else f'{len(self.label_t_us)} times'} and "
                f"{', '.join(sorted(self.over_time)) or 'no names'}."
            )
        if self.label_t_us is None:
            return
        if (np.diff(self.label_t_us) <= 0).any():
            raise DataError(f"the label times of clip {self.clip_id!r} must rise.")
        for name in sorted(self.over_time):
            label = self.labels.get(name)
            if not isinstance(label, np.ndarray) or label.shape[:1] != self.label_t_us.shape:
                raise DataError(
                    f"{name!r} of clip {self.clip_id!r} should have a row for each of {len(self.label_t_us)} label "
                    f"times; got {'no such label' if label is None else f'the shape {list(np.shape(label))}'}."
                )


@runtime_checkable
class FaceDataset(Protocol):
    """What every data set of faces offers, published or synthetic.

    Attributes:
        name: for reports and tables.
        is_synthetic: reports say so beside every number.
        clips: every clip, in a fixed order.
        class_names: target name -> the names of its classes, in index order.
    """

    @property
    def name(self) -> str: ...

    @property
    def is_synthetic(self) -> bool: ...

    @property
    def clips(self) -> tuple[Clip, ...]: ...

    @property
    def class_names(self) -> Mapping[str, tuple[str, ...]]: ...

    def recording(self, recording_id: str) -> Recording:
        """Load one recording.

        Raises:
            DataError: if there is none of that name.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Tensors of one clip: inputs [T, C, H, W] and one tensor a known target."""

    clip_id: str
    inputs: Float[Tensor, "T C H W"]
    targets: Mapping[str, Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Tensors of several clips.

    Attributes:
        inputs: [T, B, C, H, W].
        targets: target name -> [B, ...]; rows that are not present hold zeros.
        present: target name -> bool [B]. A missing label is False here, never NaN, -1
            or zero in `targets`.
        clip_ids: B names.

    Raises:
        DataError: if a target lacks its `present` row, or a length differs from B.
    """

    inputs: Float[Tensor, "T B C H W"]
    targets: Mapping[str, Tensor]
    present: Mapping[str, Bool[Tensor, " B"]]
    clip_ids: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.targets.keys() != self.present.keys():
            raise DataError(
                f"targets and present must name the same labels; got {sorted(self.targets)} and {sorted(self.present)}."
            )
        size = self.inputs.shape[1]
        lengths = {name: len(rows) for mapping in (self.targets, self.present) for name, rows in mapping.items()}
        if len(self.clip_ids) != size or any(length != size for length in lengths.values()):
            raise DataError(f"a batch of {size} clips needs {size} names and label rows; got {lengths}.")

    def to(self, device: torch.device) -> "Batch":
        """The same batch on another device."""
        return Batch(
            inputs=self.inputs.to(device),
            targets={name: rows.to(device) for name, rows in self.targets.items()},
            present={name: rows.to(device) for name, rows in self.present.items()},
            clip_ids=self.clip_ids,
        )


def collate(samples: Sequence[Sample]) -> Batch:
    """Stack samples into a batch.

    Raises:
        DataError: if there are no samples, or their inputs differ in length or size: padding
            would let the answer to one clip depend on the clips beside it.
    """
    if not samples:
        raise DataError("a batch needs at least one sample; got none.")
    shapes = {tuple(sample.inputs.shape) for sample in samples}
    if len(shapes) > 1:
        raise DataError(
            f"the clips of a batch must have one shape [T, C, H, W]; got {sorted(shapes)}. "
            "Cut them to one length, or use a batch size of 1."
        )
    inputs = torch.stack([sample.inputs for sample in samples], dim=1)
    targets, present = {}, {}
    for name in sorted({name for sample in samples for name in sample.targets}):
        blank = torch.zeros_like(next(s.targets[name] for s in samples if name in s.targets))
        targets[name] = torch.stack([sample.targets.get(name, blank) for sample in samples])
        present[name] = torch.tensor([name in sample.targets for sample in samples])
    return Batch(inputs, targets, present, tuple(sample.clip_id for sample in samples))
