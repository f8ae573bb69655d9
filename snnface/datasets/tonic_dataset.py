"""Data sets of faces as data sets of tonic."""

from collections.abc import Callable, Sequence
from typing import Any

from snnface.datasets.clip import Clip, FaceDataset
from snnface.errors import BackendUnavailableError, ConfigError, DataError
from snnface.events.filters import shift_time
from snnface.events.stream import EventStream
from snnface.events.tonic import TONIC_EVENT, sensor_size, to_tonic

__all__ = ["tonic_dataset"]


def tonic_dataset(
    dataset: FaceDataset,
    clips: Sequence[Clip],
    *,
    target: str,
    transform: Callable[..., Any] | None = None,
    target_transform: Callable[..., Any] | None = None,
    transforms: Callable[..., Any] | None = None,
) -> Any:
    """Clips of a data set as a `tonic.Dataset`: item k is (events, target) of clip k.

    Events are tonic's structured array, times counted from the beginning of the clip's
    window; recordings are loaded when they are asked for. It has what tonic's own sets
    have: `sensor_size`, `dtype`, `ordering`, `classes` (the names of the target's
    classes, empty if it has none), and it works with `tonic.DiskCachedDataset`,
    `tonic.SlicedDataset` and `tonic.collation`.

    Args:
        clips: those of `dataset` to show, the training clips of a split for instance.
        target: which label.
        transform, target_transform: applied to the events and to the target.
        transforms: applied to both at once, as `transforms(events, target)`, after them.

    Raises:
        BackendUnavailableError: if tonic is not installed.
        ConfigError: if there is no clip.
        DataError: if a clip lacks the label; when its clip is asked for, if a recording has no events.
    """
    try:
        import tonic
    except ImportError as error:
        raise BackendUnavailableError(
            f"a tonic data set needs the package tonic, which cannot be imported ({error}). Install it: "
            "pip install 'snnface[tonic]'."
        ) from error
    if not clips:
        raise ConfigError("a tonic data set needs at least one clip; the split is empty.")
    unlabelled = [clip.clip_id for clip in clips if target not in clip.labels]
    if unlabelled:
        raise DataError(
            f"every clip of a tonic data set needs the label {target!r}; {len(unlabelled)} lack it, such as "
            f"{unlabelled[0]!r}. Leave those clips out."
        )

    class TonicClips(tonic.Dataset):
        """One clip an item."""

        def __init__(self) -> None:
            # tonic keeps a folder for downloads; nothing is downloaded here.
            super().__init__("", transform=transform, target_transform=target_transform, transforms=transforms)
            self.data = list(clips)
            self.targets = [clip.labels[target] for clip in clips]
            self.classes = list(dataset.class_names.get(target, ()))
            self.dtype, self.ordering = TONIC_EVENT, TONIC_EVENT.names
            self.sensor_size = sensor_size(_events(dataset, clips[0]).resolution)

        def __len__(self) -> int:
            return len(self.data)

        def __getitem__(self, index: int) -> tuple[Any, Any]:
            events: Any = to_tonic(_events(dataset, self.data[index]))
            label: Any = self.targets[index]
            if self.transform is not None:
                events = self.transform(events)
            if self.target_transform is not None:
                label = self.target_transform(label)
            if self.transforms is not None:
                events, label = self.transforms(events, label)
            return events, label

    return TonicClips()


def _events(dataset: FaceDataset, clip: Clip) -> EventStream:
    events = dataset.recording(clip.recording_id).required_events()
    return shift_time(events.between(clip.window), -clip.window.start_us)
