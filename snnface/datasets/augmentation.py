"""Training clips made different each epoch, without making their labels wrong."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.utils.data import Dataset

from snnface.datasets.clip import Sample
from snnface.datasets.coefficient_samples import CoefficientSamples
from snnface.datasets.padding import STEP_PRESENT, PaddedSamples
from snnface.datasets.picture_samples import PICTURE, REFERENCE, PictureSamples
from snnface.datasets.samples import ClipSamples
from snnface.errors import ConfigError, DataError
from snnface.faces.action_units import ACTION_UNITS
from snnface.seeding import SeedTree

__all__ = ["AugmentationConfig", "AugmentedSamples", "mirrored_classes"]

# What a label says stays true when the picture is mirrored; classes of sides are exchanged.
_SAME_WHEN_MIRRORED = frozenset(
    {"valence_arousal", "valence", "arousal", "emotion", "emotion_reported", "onset_us", "apex_us", "offset_us"}
)
_OF_CLASSES = frozenset({"action_unit"})
_OF_UNITS = frozenset({"action_unit_active", "action_unit_intensity"})
# Pictures of the face as the events see it: what moves these moves those.
_PICTURES = (PICTURE, REFERENCE)
# Labels that are places in the picture.
_OF_PLACES = frozenset({"landmarks68", "landmarks", "face_box"})
# The face's shape, wherever it is in the picture; what a mirrored face's coefficients are depends on its components.
_OF_SHAPES = frozenset({"face_shape", "alpha"})


@dataclass(frozen=True, kw_only=True)
class AugmentationConfig:
    """How training clips vary; everything is off by default.

    Attributes:
        flip: the probability that a clip is mirrored left to right.
        max_shift: it moves by up to so many pixels in both directions; zeros come in, and in pictures that are to be
            made of events their own border again.
        max_event_drop: each event is left out with a probability that is drawn for the clip
            between 0 and this.
        max_time_jitter: it begins up to so many whole steps earlier or later; empty steps come in.
        polarity_swap: the probability that ON and OFF events are exchanged.

    Raises:
        ConfigError: if a probability lies outside 0..1, or a distance is negative.
    """

    flip: float = 0.0
    max_shift: int = 0
    max_event_drop: float = 0.0
    max_time_jitter: int = 0
    polarity_swap: float = 0.0

    def __post_init__(self) -> None:
        for name in ("flip", "max_event_drop", "polarity_swap"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is a probability in 0..1; got {getattr(self, name)}.")
        for name in ("max_shift", "max_time_jitter"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} must not be negative; got {getattr(self, name)}.")

    @property
    def is_off(self) -> bool:
        return self == AugmentationConfig()


class AugmentedSamples(Dataset[Sample]):
    """Samples that are flipped, moved and thinned anew in every epoch.

    Works on event pictures [T, C, H, W], which stay in the cache: to flip, move or swap their
    pixels is to do so with the events, and to thin a count binomially is to leave out each of its events
    independently (up to `max_count`, beyond which counts were cut already).

    All that is drawn comes from (seed, epoch, clip) alone: a resumed run, another order and other
    processes draw the same. The loop calls `set_epoch`.

    Labels under a flip: classes and units of one side (head and gaze turned left or right)
    become those of the other; a clip whose mirrored class the data set does not have is not
    flipped; valence, arousal and emotions stay. A face's shape stays under a shift. Pictures to be
    reconstructed are mirrored and moved with their events.

    Args:
        class_names: the data set's; needed to exchange sides.
        targets: the labels that will be learnt; all others are left out of the samples. None keeps all.

    Raises:
        ConfigError: if a label cannot follow what happens to the picture (landmarks and boxes under flip or shift;
            face shapes under flip; labels over time and pictures under time jitter; pictures under a swap of
            polarities, which would say that dark turned bright; any that is not known here), or the samples are
            coefficients.
    """

    def __init__(
        self,
        samples: ClipSamples,
        config: AugmentationConfig,
        *,
        seeds: SeedTree,
        class_names: Mapping[str, Sequence[str]],
        targets: Collection[str] | None = None,
    ) -> None:
        self.clips = samples.clips
        self._samples, self._config, self._seeds = samples, config, seeds
        self._targets = None if targets is None else frozenset(targets)
        self._mirrors = {name: mirrored_classes(names) for name, names in class_names.items()}
        self._epoch = 0
        self._require_labels_follow()

    def set_epoch(self, epoch: int) -> None:
        """From now on draw what belongs to this epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Sample:
        sample = self._samples[index]
        targets = {name: label for name, label in sample.targets.items() if self._is_kept(name)}
        generator = self._seeds.torch("augment", self._epoch, sample.clip_id)
        return self._augmented(replace(sample, targets=targets), generator)

    def _augmented(self, sample: Sample, generator: torch.Generator) -> Sample:
        config = self._config
        # Every number is drawn whether it is used or not: one setting does not shift the others' draws.
        flip, swap, drop, row, column, step = torch.rand(6, generator=generator, dtype=torch.float64).tolist()
        inputs, targets = sample.inputs, dict(sample.targets)
        if flip < config.flip and (mirrored := self._mirrored_targets(targets)) is not None:
            inputs, targets = inputs.flip(3), mirrored | {name: targets[name].flip(2) for name in _pictures_of(targets)}
        if swap < config.polarity_swap:
            inputs = _swapped(inputs, sample.clip_id)
        moves = [_distance(draw, config.max_shift) for draw in (row, column)]
        inputs = _moved(inputs, (_distance(step, config.max_time_jitter), 0, *moves))
        targets |= {name: _moved_picture(targets[name], *moves) for name in _pictures_of(targets)}
        if config.max_event_drop:
            inputs = _thinned(inputs, 1 - drop * config.max_event_drop, generator, sample.clip_id)
        return replace(sample, inputs=inputs.contiguous(), targets=targets)

    def _mirrored_targets(self, targets: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
        """Labels of the mirrored clip; None if the data set has no class for it."""
        mirrored = dict(targets)
        for name, label in targets.items():
            stem = name.removesuffix("_present")
            if stem in _OF_CLASSES and stem == name:
                other = self._mirrors[name][int(label)]
                if other is None:
                    return None
                mirrored[name] = torch.full_like(label, other)
            elif stem in _OF_UNITS:
                others = self._mirror_of_units(stem)
                if any(other is None for other in others):
                    return None
                mirrored[name] = label[..., torch.tensor([int(other or 0) for other in others])]
        return mirrored

    def _mirror_of_units(self, stem: str) -> tuple[int | None, ...]:
        """Of labels with a column a unit: their own names, else those of the classes."""
        return self._mirrors.get(stem, self._mirrors.get("action_unit", ()))

    def _is_kept(self, name: str) -> bool:
        return self._targets is None or name == STEP_PRESENT or name.removesuffix("_present") in self._targets

    def _require_labels_follow(self) -> None:
        config = self._config
        names = sorted({name for clip in self.clips for name in clip.labels if self._is_kept(name)})
        known = _SAME_WHEN_MIRRORED | _OF_CLASSES | _OF_UNITS
        self._require_samples_follow()
        for name in names:
            stem = name.removesuffix("_present")
            if (config.flip or config.max_shift) and stem in _OF_PLACES:
                raise ConfigError(f"the label {name!r} is tied to places in the picture; set flip and max_shift to 0.")
            if config.flip and stem in _OF_SHAPES:
                raise ConfigError(f"what becomes of the shape {name!r} in a mirror is not known; set flip to 0.")
            if config.flip and stem not in known:
                raise ConfigError(
                    f"what becomes of the label {name!r} when a face is mirrored is not known; set flip to 0, or name "
                    f"the targets to learn among {', '.join(sorted(known))}."
                )
            if config.flip and stem in _OF_CLASSES | _OF_UNITS and not self._mirror_of_units(stem):
                raise ConfigError(f"to mirror {name!r}, the names of its classes are needed; the data set has none.")
            if config.max_time_jitter and any(name in clip.over_time for clip in self.clips):
                raise ConfigError(f"{name!r} changes within a clip, and would be late; set max_time_jitter to 0.")

    def _require_samples_follow(self) -> None:
        config = self._config
        if isinstance(self._samples, CoefficientSamples) and not config.is_off:
            raise ConfigError(
                "coefficients of a face are no picture that could be mirrored, moved or thinned; leave out the "
                "augmentation."
            )
        if isinstance(self._samples, PaddedSamples) and config.max_time_jitter:
            raise ConfigError("clips that are padded to one length keep their place in it; set max_time_jitter to 0.")
        if isinstance(self._samples, PictureSamples) and (config.max_time_jitter or config.polarity_swap):
            raise ConfigError(
                f"the targets {REFERENCE!r} and {PICTURE!r} are what a camera saw at the clip's ends: events that come "
                "earlier, later or with the other polarity do not lead from one to the other. Set max_time_jitter and "
                "polarity_swap to 0."
            )


def mirrored_classes(class_names: Sequence[str]) -> tuple[int | None, ...]:
    """For every class the index of what it looks like in a mirror: itself but for units of a side.

    Units are known by a code at the start of the name ("AU51 head turn left"); AU51 and AU52,
    for instance, change places. None where the data set has one side only.

    >>> mirrored_classes(["AU51 head turn left", "AU12 lip corner puller", "AU52 head turn right"])
    (2, 1, 0)
    """
    codes = [_code(name) for name in class_names]
    places = {code: index for index, code in enumerate(codes)}
    return tuple(places.get(_OTHER_SIDE[code]) if code in _OTHER_SIDE else index for index, code in enumerate(codes))


def _code(class_name: str) -> int | None:
    match = re.match(r"AU(\d+)\b", class_name)
    return int(match[1]) if match else None


def _other_sides() -> dict[int | None, int]:
    by_name = {unit.name: code for code, unit in ACTION_UNITS.items()}
    sides: dict[int | None, int] = {}
    for name, left in by_name.items():
        if name.endswith("left"):
            right = by_name[name.replace("left", "right")]
            sides |= {left: right, right: left}
    return sides


_OTHER_SIDE: Mapping[int | None, int] = _other_sides()


def _distance(draw: float, limit: int) -> int:
    """A whole number in -limit..limit, all equally likely, from a number in [0, 1)."""
    return int(draw * (2 * limit + 1)) - limit


def _moved(inputs: Tensor, distances: Sequence[int]) -> Tensor:
    """Moved by whole places along each axis of [T, C, H, W]; what leaves is lost, zeros come in."""
    for axis, distance in enumerate(distances):
        if distance:
            size, kept = inputs.shape[axis], max(inputs.shape[axis] - abs(distance), 0)
            moved = torch.zeros_like(inputs)
            moved.narrow(axis, min(max(distance, 0), size - kept), kept).copy_(
                inputs.narrow(axis, min(max(-distance, 0), size - kept), kept)
            )
            inputs = moved
    return inputs


def _pictures_of(targets: Mapping[str, Tensor]) -> list[str]:
    return [name for name in _PICTURES if name in targets]


def _moved_picture(picture: Tensor, rows: int, columns: int) -> Tensor:
    """[1, H, W] moved as events are; what comes in repeats the border, for no picture knows what was beyond it."""
    height, width = picture.shape[1:]
    row = (torch.arange(height) - rows).clamp(0, height - 1)
    column = (torch.arange(width) - columns).clamp(0, width - 1)
    return picture[:, row[:, None], column]


def _swapped(inputs: Tensor, clip_id: str) -> Tensor:
    if inputs.shape[1] != 2:
        raise DataError(
            f"clip {clip_id!r} has {inputs.shape[1]} channels; polarities can be exchanged where one channel holds "
            "ON events and one OFF events. Set polarity_swap to 0."
        )
    return inputs.flip(1)


def _thinned(inputs: Tensor, kept_share: float, generator: torch.Generator, clip_id: str) -> Tensor:
    if bool((inputs < 0).any()) or not torch.equal(inputs, inputs.round()):
        raise DataError(
            f"clip {clip_id!r} holds values that are no counts; events can be left out of counts only. "
            "Set max_event_drop to 0, or choose the polarity histogram."
        )
    return torch.binomial(inputs, torch.full_like(inputs, kept_share), generator=generator)
