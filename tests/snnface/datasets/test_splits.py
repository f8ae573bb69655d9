"""Splits keep subjects apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnface.datasets.clip import Clip
from snnface.datasets.splits import Split, leave_one_subject_out, split_by_subject
from snnface.errors import ConfigError, SubjectLeakageError
from snnface.events.window import TimeWindow


def clips(subjects: str, *, each: int = 2) -> tuple[Clip, ...]:
    """`each` clips of every subject, one letter a subject, taking turns."""
    return tuple(
        Clip(f"{name}{index}", f"{name}{index}", name, TimeWindow(0, 10), {})
        for index in range(each)
        for name in subjects
    )


def names(part: tuple[Clip, ...]) -> set[str]:
    return {clip.subject for clip in part}


def test_a_subject_in_two_parts_is_an_error_that_names_it() -> None:
    with pytest.raises(SubjectLeakageError, match="b are in both train and test"):
        Split(train=clips("ab"), validation=clips("c"), test=clips("bd"))


def test_many_shared_subjects_are_counted() -> None:
    with pytest.raises(SubjectLeakageError, match="a, b, c and 2 more are in both train and validation"):
        Split(train=clips("abcdef"), validation=clips("abcde"), test=())


@given(st.integers(3, 12), st.integers(0, 4), st.integers(0, 4), st.integers(0, 100))
def test_every_clip_is_in_one_part_and_parts_have_their_sizes(
    num_subjects: int, num_validation: int, num_test: int, seed: int
) -> None:
    every = clips("abcdefghijkl"[:num_subjects])
    if num_validation + num_test >= num_subjects:
        with pytest.raises(ConfigError, match="leave none to train on"):
            split_by_subject(
                every,
                validation_subjects=num_validation,
                test_subjects=num_test,
                generator=np.random.default_rng(seed),
            )
        return
    split = split_by_subject(
        every, validation_subjects=num_validation, test_subjects=num_test, generator=np.random.default_rng(seed)
    )
    assert (len(names(split.validation)), len(names(split.test))) == (num_validation, num_test)
    assert names(split.train) | names(split.validation) | names(split.test) == names(every)
    together = [clip.clip_id for clip in (*split.train, *split.validation, *split.test)]
    assert sorted(together) == sorted(clip.clip_id for clip in every)


def test_clips_keep_their_order() -> None:
    split = split_by_subject(clips("abcd"), validation_subjects=1, test_subjects=1, generator=np.random.default_rng(0))
    assert [clip.clip_id[1] for clip in split.train] == ["0", "0", "1", "1"]


def test_the_draw_depends_on_the_generator_and_not_on_the_order_of_clips() -> None:
    drawn = [
        names(
            split_by_subject(order, validation_subjects=2, test_subjects=3, generator=np.random.default_rng(seed)).test
        )
        for order, seed in ((clips("abcdefghij"), 1), (clips("jihgfedcba"), 1), (clips("abcdefghij"), 2))
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_negative_number_of_subjects_is_refused() -> None:
    with pytest.raises(ConfigError, match="must be at least 0; got -1 and 1"):
        split_by_subject(clips("abc"), validation_subjects=-1, test_subjects=1, generator=np.random.default_rng(0))


def test_leaving_one_out_tests_on_each_subject_once() -> None:
    splits = list(leave_one_subject_out(clips("cab")))
    assert [names(split.test) for split in splits] == [{"a"}, {"b"}, {"c"}]
    assert all(len(split.train) == 4 and not split.validation for split in splits)


def test_leaving_one_out_needs_two_subjects() -> None:
    with pytest.raises(ConfigError, match="at least two; got 1"):
        next(leave_one_subject_out(clips("a")))
