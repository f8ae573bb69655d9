"""Splits keep subjects apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnface.datasets.clip import Clip
from snnface.datasets.splits import (
    Split,
    leave_one_subject_out,
    named_split,
    split_by_subject,
    subject_folds,
    with_validation,
)
from snnface.errors import ConfigError, DataError, SubjectLeakageError
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


@given(
    st.lists(st.integers(1, 6), min_size=2, max_size=12),
    st.integers(2, 12),
    st.integers(0, 100),
)
def test_folds_test_on_every_clip_once_and_are_as_equal_as_subjects_allow(
    sizes: list[int], num_folds: int, seed: int
) -> None:
    every = tuple(clip for name, size in zip("abcdefghijkl", sizes, strict=False) for clip in clips(name, each=size))
    if num_folds > len(sizes):
        with pytest.raises(ConfigError, match="a subject for each"):
            next(subject_folds(every, num_folds=num_folds, generator=np.random.default_rng(seed)))
        return
    folds = list(subject_folds(every, num_folds=num_folds, generator=np.random.default_rng(seed)))
    assert len(folds) == num_folds
    tested = [clip.clip_id for fold in folds for clip in fold.test]
    assert sorted(tested) == sorted(clip.clip_id for clip in every)
    assert all(len(fold.train) + len(fold.test) == len(every) for fold in folds)
    lengths = [len(fold.test) for fold in folds]
    # A fold that got a subject last was the smallest before it.
    assert max(lengths) - min(lengths) <= max(sizes)


def test_27_subjects_of_equal_length_make_three_folds_of_nine() -> None:
    every = tuple(clip for number in range(27) for clip in clips(chr(ord("a") + number), each=3))
    folds = subject_folds(every, num_folds=3, generator=np.random.default_rng(0))
    assert [len(names(fold.test)) for fold in folds] == [9, 9, 9]


def test_folds_depend_on_the_generator_and_not_on_the_order_of_clips() -> None:
    drawn = [
        [names(fold.test) for fold in subject_folds(order, num_folds=3, generator=np.random.default_rng(seed))]
        for order, seed in ((clips("abcdefghi"), 1), (clips("ihgfedcba"), 1), (clips("abcdefghi"), 2))
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_one_fold_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"2 folds or more.*got 1 folds of 3 subjects"):
        next(subject_folds(clips("abc"), num_folds=1, generator=np.random.default_rng(0)))


def test_the_official_split_goes_by_its_lists_and_allows_a_part_of_the_data() -> None:
    split = named_split(clips("abd"), train=("a", "b", "c"), test=("d", "e"))
    assert (names(split.train), names(split.validation), names(split.test)) == ({"a", "b"}, set(), {"d"})


def test_a_subject_in_neither_list_is_named() -> None:
    with pytest.raises(DataError, match="names 2 subjects; c, d, e and 1 more are not among them"):
        named_split(clips("abcdef"), train=("a",), test=("b",))


def test_a_subject_in_both_lists_leaks() -> None:
    with pytest.raises(SubjectLeakageError, match="a are in both train and test"):
        named_split(clips("ab"), train=("a",), test=("a", "b"))


def test_validation_is_taken_from_training_alone() -> None:
    split = next(leave_one_subject_out(clips("abcde")))
    more = with_validation(split, num_subjects=2, generator=np.random.default_rng(0))
    assert names(more.test) == {"a"}
    assert len(names(more.validation)) == 2
    assert names(more.validation) | names(more.train) == set("bcde")


def test_validation_is_taken_once_and_leaves_somebody_to_train_on() -> None:
    split = Split(train=clips("ab"), validation=clips("c"), test=clips("d"))
    with pytest.raises(ConfigError, match="has 2 validation clips already"):
        with_validation(split, num_subjects=1, generator=np.random.default_rng(0))
    with pytest.raises(ConfigError, match="leave none to train on"):
        with_validation(
            Split(train=clips("ab"), validation=(), test=()), num_subjects=2, generator=np.random.default_rng(0)
        )


@pytest.mark.parametrize("seed", range(5))
def test_the_subject_with_the_most_clips_is_dealt_out_first(seed: int) -> None:
    every = (*clips("a", each=9), *clips("bcdefghij", each=1))
    folds = subject_folds(every, num_folds=2, generator=np.random.default_rng(seed))
    assert [len(fold.test) for fold in folds] == [9, 9]
