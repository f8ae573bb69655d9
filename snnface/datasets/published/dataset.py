"""What a loader of a published data set offers beyond any data set of faces."""

from collections.abc import Iterator, Mapping
from typing import Protocol, runtime_checkable

from snnface.datasets.clip import FaceDataset
from snnface.datasets.splits import Split

__all__ = ["PublishedDataset"]


@runtime_checkable
class PublishedDataset(FaceDataset, Protocol):
    """A `FaceDataset` with the splits under which its numbers are published.

    `is_synthetic` is True for a miniature made by `make_fixture`, so that no report takes
    a number on it for one on the real data.

    Attributes:
        protocol: the split in one sentence, with its source, for reports and tables.
        left_out: clip -> why it is not among the clips, though the data set lists it.
    """

    @property
    def protocol(self) -> str: ...

    @property
    def left_out(self) -> Mapping[str, str]: ...

    def splits(self, *, seed: int = 0) -> Iterator[Split]:
        """Every split of the protocol, in order. Validation is empty where the protocol has none;
        `with_validation` takes some from training.

        Args:
            seed: of what the protocol leaves to chance; a protocol that names its subjects ignores it.
        """
        ...
