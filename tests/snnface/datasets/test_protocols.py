"""Protocols: who is trained on, chosen by and judged on."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnface.config import from_json, to_json
from snnface.datasets.clip import Clip
from snnface.datasets.protocols import (
    LeaveOneSubjectOutConfig,
    OfficialSplitConfig,
    ProtocolConfig,
    ShareOfSubjectsConfig,
    SplitConfig,
    SubjectFoldsConfig,
    num_folds_of,
    split_of,
    with_fold,
)
from snnface.datasets.published.facemorphic import Facemorphic
from snnface.datasets.splits import Split, named_split, share_of_subjects, split_by_subject
from snnface.errors import ConfigError
from snnface.events.window import TimeWindow
from snnface.recording import Recording
from snnface.seeding import SeedTree


class Faces:
    """Two clips of each subject, one letter a subject."""

    name, is_synthetic = "letters", True

    def __init__(self, subjects: str) -> None:
        self.class_names: dict[str, tuple[str, ...]] = {}
        self.clips = tuple(
            Clip(f"{name}{index}", f"{name}{index}", name, TimeWindow(0, 10), {})
            for name in subjects
            for index in (0, 1)
        )

    def recording(self, recording_id: str) -> Recording:
        raise NotImplementedError


class Official(Faces):
    """The first subject for test, then the second: the seed turns them round."""

    def splits(self, *, seed: int = 0) -> Iterator[Split]:
        names = sorted({clip.subject for clip in self.clips})
        for test in names[:2][:: -1 if seed else 1]:
            yield named_split(self.clips, train=set(names) - {test}, test={test})


def names(part: tuple[Clip, ...]) -> str:
    return "".join(dict.fromkeys(clip.subject for clip in part))


def test_the_drawn_split_is_that_of_runs_made_before_there_were_protocols() -> None:
    faces = Faces("abcdefghijkl")
    split = split_of(SplitConfig(validation_subjects=3, test_subjects=4), faces, seed=5)
    before = split_by_subject(faces.clips, validation_subjects=3, test_subjects=4, generator=SeedTree(5).numpy("split"))
    assert (split.train, split.validation, split.test) == (before.train, before.validation, before.test)


@pytest.mark.parametrize(
    "config",
    [
        SubjectFoldsConfig(num_folds=3, validation_subjects=2),
        LeaveOneSubjectOutConfig(validation_subjects=2),
        LeaveOneSubjectOutConfig(validation_subjects=0),
    ],
)
@settings(max_examples=30)
@given(st.integers(5, 9), st.integers(0, 20))
def test_every_subject_is_tested_once_and_nobody_is_lost(config: ProtocolConfig, num_subjects: int, seed: int) -> None:
    faces = Faces("abcdefghi"[:num_subjects])
    folds = range(num_folds_of(config, faces, seed=seed))
    splits = [split_of(with_fold(config, fold), faces, seed=seed) for fold in folds]
    assert sorted("".join(names(split.test) for split in splits)) == sorted(names(faces.clips))
    for split in splits:
        assert len(names(split.validation)) == config.validation_subjects
        assert sorted(names(split.train) + names(split.validation) + names(split.test)) == sorted(names(faces.clips))


def test_leaving_one_out_goes_by_the_subjects_names() -> None:
    faces = Faces("cab")
    assert num_folds_of(LeaveOneSubjectOutConfig(), faces, seed=0) == 3
    tested = [
        names(split_of(LeaveOneSubjectOutConfig(fold=k, validation_subjects=0), faces, seed=0).test) for k in (0, 1, 2)
    ]
    assert tested == ["a", "b", "c"]


def test_validation_subjects_are_drawn_anew_in_every_fold_and_again_the_same() -> None:
    faces, config = Faces("abcdefghijklmnop"), LeaveOneSubjectOutConfig(validation_subjects=2)
    drawn = [names(split_of(with_fold(config, fold), faces, seed=0).validation) for fold in range(16)]
    assert len(set(drawn)) > 8
    assert drawn == [names(split_of(with_fold(config, fold), faces, seed=0).validation) for fold in range(16)]


def test_eighty_of_a_hundred_are_trained_on_from_the_last_name_back() -> None:
    split = split_of(ShareOfSubjectsConfig(validation_subjects=0), Faces("badce"), seed=3)
    assert (names(split.train), names(split.test)) == ("bdce", "a")
    # Rounded down: 0.8 * 9 = 7.2.
    assert names(split_of(ShareOfSubjectsConfig(validation_subjects=0), Faces("abcdefghi"), seed=0).test) == "ab"


def test_the_share_of_subjects_is_the_rule_of_facemorphic(miniature: Callable[[str], Path]) -> None:
    faces = Facemorphic(miniature("facemorphic"), on_missing="leave-out")
    official = next(faces.splits())
    ours = split_of(ShareOfSubjectsConfig(validation_subjects=0), faces, seed=0)
    assert (names(ours.train), names(ours.test)) == (names(official.train), names(official.test))


@pytest.mark.parametrize(("share", "num_train"), [(0.1, 0), (0.99999999999999999, 3)])
def test_a_share_that_leaves_nobody_is_refused(share: float, num_train: int) -> None:
    with pytest.raises(ConfigError, match=f"leaves {num_train} to train on and {3 - num_train} to test on"):
        share_of_subjects(Faces("abc").clips, share=share)


def test_an_official_split_is_that_of_the_data_set_with_its_seed() -> None:
    faces = Official("abcd")
    for seed, tested in ((0, "ab"), (1, "ba")):
        for fold in (0, 1):
            split = split_of(OfficialSplitConfig(fold=fold, validation_subjects=1), faces, seed=seed)
            assert names(split.test) == tested[fold]
            assert len(names(split.validation)) == 1
            assert len(names(split.train)) == 2
    assert num_folds_of(OfficialSplitConfig(), faces, seed=0) == 2


def test_validation_subjects_that_the_authors_name_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    faces = Official("abcd")
    clips = faces.clips
    theirs = Split(train=clips[:4], validation=clips[4:6], test=clips[6:])
    monkeypatch.setattr(Official, "splits", lambda self, *, seed: iter([theirs]))
    assert split_of(OfficialSplitConfig(validation_subjects=1), faces, seed=0) is theirs


def test_data_without_an_official_split_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="letters has no official split; choose another protocol"):
        split_of(OfficialSplitConfig(), Faces("abc"), seed=0)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (LeaveOneSubjectOutConfig(fold=4), "letters has 4 folds under LeaveOneSubjectOutConfig, numbered from 0 to 3"),
        (SubjectFoldsConfig(num_folds=5), "a subject for each; got 5 folds of 4 subjects"),
        (
            SubjectFoldsConfig(num_folds=4, validation_subjects=3),
            "of 3 subjects, 3 for validation and 0 for test leave",
        ),
        (SplitConfig(validation_subjects=2, test_subjects=2), "of 4 subjects, 2 for validation and 2 for test leave"),
    ],
)
def test_too_few_subjects_are_refused(config: ProtocolConfig, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        split_of(config, Faces("abcd"), seed=0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SplitConfig(test_subjects=0), "a test needs at least one subject; got test_subjects = 0"),
        (lambda: SplitConfig(validation_subjects=-1), "validation_subjects must be at least 0; got -1"),
        (lambda: SubjectFoldsConfig(num_folds=1), "at least 2; got num_folds = 1"),
        (lambda: SubjectFoldsConfig(num_folds=3, fold=3), "the number of a fold must be from 0 to 2; got 3"),
        (lambda: LeaveOneSubjectOutConfig(fold=-1), "the number of a fold must be at least 0; got -1"),
        (lambda: ShareOfSubjectsConfig(share=1.0), "must lie between 0 and 1; got 1.0"),
        (lambda: with_fold(SplitConfig(), 1), "the number of a fold must be from 0 to 0; got 1"),
    ],
)
def test_a_protocol_that_makes_no_sense_is_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_a_fold_changes_nothing_else_of_a_protocol() -> None:
    configs: tuple[SubjectFoldsConfig | LeaveOneSubjectOutConfig | OfficialSplitConfig, ...]
    configs = (SubjectFoldsConfig(num_folds=7), LeaveOneSubjectOutConfig(), OfficialSplitConfig(validation_subjects=1))
    for config in configs:
        assert with_fold(config, 2) == replace(config, fold=2)
        assert from_json(type(config), to_json(config)) == config
    assert with_fold(ShareOfSubjectsConfig(share=0.5), 0) == ShareOfSubjectsConfig(share=0.5)


def test_the_order_of_clips_does_not_matter() -> None:
    faces, turned = Faces("abcdefgh"), Faces("hgfedcba")
    for config in (SplitConfig(validation_subjects=1, test_subjects=2), SubjectFoldsConfig(num_folds=3, fold=1)):
        one, other = (split_of(config, each, seed=4) for each in (faces, turned))
        assert [sorted(names(part)) for part in (one.train, one.validation, one.test)] == [
            sorted(names(part)) for part in (other.train, other.validation, other.test)
        ]
