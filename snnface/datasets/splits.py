"""Parting clips into training, validation and test so that nobody is in two of them."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from snnface.datasets.clip import Clip
from snnface.errors import ConfigError, DataError, SubjectLeakageError

__all__ = [
    "Split",
    "leave_one_subject_out",
    "named_split",
    "share_of_subjects",
    "split_by_subject",
    "subject_folds",
    "with_validation",
]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Clips for training, for choosing, and for the final answer.

    Raises:
        SubjectLeakageError: if a subject is in two parts; names the first ones.
    """

    train: tuple[Clip, ...]
    validation: tuple[Clip, ...]
    test: tuple[Clip, ...]

    def __post_init__(self) -> None:
        subjects = {name: {clip.subject for clip in getattr(self, name)} for name in ("train", "validation", "test")}
        for one, other in combinations(subjects, 2):
            shared = sorted(subjects[one] & subjects[other])
            if shared:
                more = f" and {len(shared) - 3} more" if len(shared) > 3 else ""
                raise SubjectLeakageError(
                    f"no subject may be in two parts; {', '.join(shared[:3])}{more} are in both {one} and {other}. "
                    "Split by subject, for example with split_by_subject."
                )


def split_by_subject(
    clips: Sequence[Clip], *, validation_subjects: int, test_subjects: int, generator: np.random.Generator
) -> Split:
    """Draw subjects for validation and test; all others are for training. Clips keep their order.

    The draw depends on the subjects' names and the generator, not on the clips' order.

    Raises:
        ConfigError: if a number is negative, or no subject is left to train on.
    """
    subjects = sorted({clip.subject for clip in clips})
    held_out = validation_subjects + test_subjects
    if min(validation_subjects, test_subjects) < 0:
        raise ConfigError(f"numbers of subjects must be at least 0; got {validation_subjects} and {test_subjects}.")
    if held_out >= len(subjects):
        raise ConfigError(
            f"of {len(subjects)} subjects, {validation_subjects} for validation and {test_subjects} for test leave "
            "none to train on. Take fewer, or more data."
        )
    drawn = [subjects[i] for i in generator.permutation(len(subjects))]
    test, validation = set(drawn[:test_subjects]), set(drawn[test_subjects:held_out])
    return Split(
        train=tuple(clip for clip in clips if clip.subject not in test | validation),
        validation=tuple(clip for clip in clips if clip.subject in validation),
        test=tuple(clip for clip in clips if clip.subject in test),
    )


def leave_one_subject_out(clips: Sequence[Clip]) -> Iterator[Split]:
    """One split a subject, in the order of their names: that one for test, all others for training.

    Validation is empty, as in the published protocols; `with_validation` takes some from training.

    Raises:
        ConfigError: if there are fewer than two subjects.
    """
    subjects = sorted({clip.subject for clip in clips})
    if len(subjects) < 2:
        raise ConfigError(f"leaving one subject out needs at least two; got {len(subjects)}.")
    for subject in subjects:
        yield _parted(clips, test={subject})


def subject_folds(clips: Sequence[Clip], *, num_folds: int, generator: np.random.Generator) -> Iterator[Split]:
    """Folds that share no subject: each is the test set once, the others are for training.

    Subjects are shuffled, and dealt out from the one with the most clips down, each to the fold
    that has the fewest clips so far, so that folds are as equal as subjects allow. The draw
    depends on the subjects, their numbers of clips and the generator, not on the clips' order.

    Raises:
        ConfigError: if there are fewer than two folds, or fewer subjects than folds.
    """
    num_clips = Counter(clip.subject for clip in clips)
    if not 2 <= num_folds <= len(num_clips):
        raise ConfigError(
            f"folds by subject need 2 folds or more, and a subject for each; got {num_folds} folds of "
            f"{len(num_clips)} subjects."
        )
    names = sorted(num_clips)
    shuffled = [names[index] for index in generator.permutation(len(names))]
    folds: list[set[str]] = [set() for _ in range(num_folds)]
    sizes = [0] * num_folds
    for subject in sorted(shuffled, key=lambda name: -num_clips[name]):
        smallest = sizes.index(min(sizes))
        folds[smallest].add(subject)
        sizes[smallest] += num_clips[subject]
    for fold in folds:
        yield _parted(clips, test=fold)


def named_split(clips: Sequence[Clip], *, train: Collection[str], test: Collection[str]) -> Split:
    """The split that the authors of a data set name, subject by subject.

    Subjects that are named and have no clip here are no error: a part of a data set can be split too.

    Raises:
        DataError: if a clip's subject is in neither list; names the first ones.
        SubjectLeakageError: if a subject is in both.
    """
    strangers = sorted({clip.subject for clip in clips} - {*train, *test})
    if strangers:
        raise DataError(
            f"the official split names {len({*train, *test})} subjects; {', '.join(strangers[:3])}"
            f"{f' and {len(strangers) - 3} more' if len(strangers) > 3 else ''} are not among them. Leave their clips "
            "out, or split by subject."
        )
    return Split(
        train=tuple(clip for clip in clips if clip.subject in train),
        validation=(),
        test=tuple(clip for clip in clips if clip.subject in test),
    )


def share_of_subjects(clips: Sequence[Clip], *, share: float) -> Split:
    """The rule of FACEMORPHIC: subjects by name, from the last back; the first `share` of them, rounded down, trains.

    Validation is empty, as in the published protocols; `with_validation` takes some from training.

    Raises:
        ConfigError: if no subject is left on either side.
    """
    subjects = sorted({clip.subject for clip in clips}, reverse=True)
    num_train = int(share * len(subjects))
    if not 0 < num_train < len(subjects):
        raise ConfigError(
            f"a share of {share} of {len(subjects)} subjects leaves {num_train} to train on and "
            f"{len(subjects) - num_train} to test on; both need one at least."
        )
    return _parted(clips, test=subjects[num_train:])


def with_validation(split: Split, *, num_subjects: int, generator: np.random.Generator) -> Split:
    """The same split, with subjects drawn from training for validation; test stays as it was.

    Raises:
        ConfigError: if the split has validation clips already, the number is negative, or nobody is left to train on.
    """
    if split.validation:
        raise ConfigError(f"this split has {len(split.validation)} validation clips already; take none, or use those.")
    drawn = split_by_subject(split.train, validation_subjects=num_subjects, test_subjects=0, generator=generator)
    return Split(train=drawn.train, validation=drawn.validation, test=split.test)


def _parted(clips: Sequence[Clip], *, test: Collection[str]) -> Split:
    return Split(
        train=tuple(clip for clip in clips if clip.subject not in test),
        validation=(),
        test=tuple(clip for clip in clips if clip.subject in test),
    )
