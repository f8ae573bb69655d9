"""Evaluation protocols: which subjects a run is trained on, chosen by and judged on. One config each."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from snnface.datasets.clip import FaceDataset
from snnface.datasets.splits import (
    Split,
    leave_one_subject_out,
    share_of_subjects,
    split_by_subject,
    subject_folds,
    with_validation,
)
from snnface.errors import ConfigError
from snnface.seeding import SeedTree

__all__ = [
    "LeaveOneSubjectOutConfig",
    "OfficialSplitConfig",
    "ProtocolConfig",
    "ShareOfSubjectsConfig",
    "SplitConfig",
    "SubjectFoldsConfig",
    "num_folds_of",
    "split_of",
    "with_fold",
]


@dataclass(frozen=True, kw_only=True)
class SplitConfig:
    """One split: so many subjects are drawn and kept apart; all others are trained on."""

    validation_subjects: int = 4
    test_subjects: int = 6

    def __post_init__(self) -> None:
        _require_count(self.validation_subjects)
        if self.test_subjects < 1:
            raise ConfigError(f"a test needs at least one subject; got test_subjects = {self.test_subjects}.")


@dataclass(frozen=True, kw_only=True)
class SubjectFoldsConfig:
    """Folds that share no subject, each the test set once, see `subject_folds`.

    Attributes:
        fold: the one that is tested on, from 0.
        validation_subjects: drawn from those of the other folds.

    Source: Kossaifi et al. 2017, "AFEW-VA database for valence and arousal estimation in-the-wild" (the
    subject-independent protocol).
    """

    num_folds: int = 5
    fold: int = 0
    validation_subjects: int = 2

    def __post_init__(self) -> None:
        _require_count(self.validation_subjects)
        if self.num_folds < 2:
            raise ConfigError(f"a protocol by folds needs at least 2; got num_folds = {self.num_folds}.")
        _require_fold(self.fold, self.num_folds)


@dataclass(frozen=True, kw_only=True)
class LeaveOneSubjectOutConfig:
    """Every subject is the test set once: as many folds as subjects.

    Attributes:
        fold: number of the subject that is tested on, from 0, in the order of their names.
        validation_subjects: drawn from the others.

    Source: Mastropasqua et al. 2025, "Exploring Spatial-Temporal Dynamics in Event-based Facial Micro-Expression
    Analysis", sec. 5.
    """

    fold: int = 0
    validation_subjects: int = 2

    def __post_init__(self) -> None:
        _require_count(self.validation_subjects)
        _require_fold(self.fold)


@dataclass(frozen=True, kw_only=True)
class ShareOfSubjectsConfig:
    """One split by names: the first share of the subjects, from the last name back, is trained on; nothing is drawn.

    Attributes:
        share: of the subjects in training and validation together, rounded down to whole subjects.
        validation_subjects: drawn from those in the share.

    Source: Becattini et al. 2024, "Neuromorphic Facial Analysis with Cross-Modal Supervision", sec. 3 (80-20); by user
    and in this order in the authors' published code.
    """

    share: float = 0.8
    validation_subjects: int = 2

    def __post_init__(self) -> None:
        _require_count(self.validation_subjects)
        if not 0 < self.share < 1:
            raise ConfigError(f"the share of subjects to train on must lie between 0 and 1; got {self.share}.")


@dataclass(frozen=True, kw_only=True)
class OfficialSplitConfig:
    """The splits that the authors of a data set publish: those of its loader.

    Attributes:
        fold: the number of the split, from 0, where there are several.
        validation_subjects: drawn from training, where the authors name none.
    """

    fold: int = 0
    validation_subjects: int = 2

    def __post_init__(self) -> None:
        _require_count(self.validation_subjects)
        _require_fold(self.fold)


ProtocolConfig = (
    SplitConfig | SubjectFoldsConfig | LeaveOneSubjectOutConfig | ShareOfSubjectsConfig | OfficialSplitConfig
)


def split_of(config: ProtocolConfig, dataset: FaceDataset, *, seed: int) -> Split:
    """The clips under a protocol, in the fold that its config names.

    What a protocol leaves to chance is drawn from the subjects and `seed` alone: the folds of one seed are the parts
    of one draw, and the validation subjects of each are drawn from its own training subjects.

    Raises:
        ConfigError: if there are too few subjects, or no such fold; if the data set has no official split.
    """
    fold = _fold(config)
    split = next(islice(_splits(config, dataset, seed), fold, None), None)
    if split is None:
        number = num_folds_of(config, dataset, seed=seed)
        raise ConfigError(
            f"{dataset.name} has {number} folds under {type(config).__name__}, numbered from 0 to {number - 1}; "
            f"got fold {fold}."
        )
    if isinstance(config, SplitConfig) or not config.validation_subjects or split.validation:
        return split
    generator = SeedTree(seed).numpy("validation", fold)
    return with_validation(split, num_subjects=config.validation_subjects, generator=generator)


def num_folds_of(config: ProtocolConfig, dataset: FaceDataset, *, seed: int) -> int:
    """How many folds a protocol has on a data set; 1 where it is a single split.

    Raises:
        ConfigError: as `split_of`.
    """
    return sum(1 for _ in _splits(config, dataset, seed))


def with_fold(config: ProtocolConfig, fold: int) -> ProtocolConfig:
    """The same protocol in another fold.

    Raises:
        ConfigError: if it has no such fold.
    """
    if isinstance(config, SplitConfig | ShareOfSubjectsConfig):
        _require_fold(fold, 1)
        return config
    return replace(config, fold=fold)


def _splits(config: ProtocolConfig, dataset: FaceDataset, seed: int) -> Iterator[Split]:
    """All folds, in order; validation only where it belongs to the protocol itself."""
    seeds = SeedTree(seed)
    match config:
        case SplitConfig():
            yield split_by_subject(
                dataset.clips,
                validation_subjects=config.validation_subjects,
                test_subjects=config.test_subjects,
                generator=seeds.numpy("split"),
            )
        case SubjectFoldsConfig():
            yield from subject_folds(dataset.clips, num_folds=config.num_folds, generator=seeds.numpy("folds"))
        case LeaveOneSubjectOutConfig():
            yield from leave_one_subject_out(dataset.clips)
        case ShareOfSubjectsConfig():
            yield share_of_subjects(dataset.clips, share=config.share)
        case OfficialSplitConfig():
            # Not every data set of faces has one.
            official = getattr(dataset, "splits", None)
            if official is None:
                raise ConfigError(
                    f"{dataset.name} has no official split; choose another protocol, such as SubjectFoldsConfig."
                )
            yield from official(seed=seed)


def _fold(config: ProtocolConfig) -> int:
    return 0 if isinstance(config, SplitConfig | ShareOfSubjectsConfig) else config.fold


def _require_count(validation_subjects: int) -> None:
    if validation_subjects < 0:
        raise ConfigError(f"validation_subjects must be at least 0; got {validation_subjects}.")


def _require_fold(fold: int, num_folds: int | None = None) -> None:
    if fold < 0 or (num_folds is not None and fold >= num_folds):
        known = "at least 0" if num_folds is None else f"from 0 to {num_folds - 1}"
        raise ConfigError(f"the number of a fold must be {known}; got {fold}.")
