"""Parting clips into training, validation and test so that nobody is in two of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from snnface.datasets.clip import Clip
from snnface.errors import ConfigError, SubjectLeakageError

__all__ = ["Split", "leave_one_subject_out", "split_by_subject"]


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

    Validation is empty, as in the published protocols.

    Raises:
        ConfigError: if there are fewer than two subjects.
    """
    subjects = sorted({clip.subject for clip in clips})
    if len(subjects) < 2:
        raise ConfigError(f"leaving one subject out needs at least two; got {len(subjects)}.")
    for subject in subjects:
        yield Split(
            train=tuple(clip for clip in clips if clip.subject != subject),
            validation=(),
            test=tuple(clip for clip in clips if clip.subject == subject),
        )
