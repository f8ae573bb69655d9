"""What every loader of a published data set promises, on the miniature of its set."""

import hashlib
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from snnface.datasets.clip import FaceDataset
from snnface.datasets.fixtures import FIXTURES, make_fixture
from snnface.datasets.layout.tree import FIXTURE_MARK
from snnface.datasets.published.dataset import PublishedDataset
from snnface.datasets.published.loaders import LOADERS
from snnface.errors import ConfigError, DataError, DatasetNotFoundError

MAX_BYTES = 2 << 20


@pytest.fixture(scope="module")
def loaded(miniature: Callable[[str], Path]) -> Callable[[str], PublishedDataset]:
    """name -> loader on its miniature, made once."""

    @cache
    def dataset(name: str) -> PublishedDataset:
        return LOADERS[name](miniature(name))

    return dataset


def digest(root: Path) -> str:
    """Of every name and byte under a folder."""
    found = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        found.update(path.relative_to(root).as_posix().encode() + b"\0")
        found.update(path.read_bytes() if path.is_file() else b"")
    return found.hexdigest()


def test_every_loader_has_a_miniature_and_the_other_way_round() -> None:
    assert LOADERS.keys() == FIXTURES.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", LOADERS)
def test_the_miniature_is_small_and_the_same_for_a_seed(
    name: str, miniature: Callable[[str], Path], tmp_path: Path
) -> None:
    first = miniature(name)
    assert sum(path.stat().st_size for path in first.rglob("*") if path.is_file()) <= MAX_BYTES
    assert digest(make_fixture(name, tmp_path / "again", seed=0)) == digest(first)


# The largest takes as long as all others together.
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.nightly) if name == "micro-expression" else name for name in LOADERS],
)
def test_another_seed_makes_another_miniature(name: str, miniature: Callable[[str], Path], tmp_path: Path) -> None:
    assert digest(make_fixture(name, tmp_path / "other", seed=1)) != digest(miniature(name))


@pytest.mark.parametrize("name", LOADERS)
def test_the_loader_is_a_published_data_set_that_knows_its_miniature(
    name: str, loaded: Callable[[str], PublishedDataset]
) -> None:
    dataset = loaded(name)
    assert isinstance(dataset, FaceDataset)
    assert isinstance(dataset, PublishedDataset)
    assert dataset.is_synthetic
    assert 3 <= len({clip.subject for clip in dataset.clips}) <= 7
    assert 0 < len(dataset.protocol) < 300


@pytest.mark.parametrize("name", LOADERS)
def test_without_the_mark_of_a_miniature_the_data_count_as_real(
    name: str, miniature: Callable[[str], Path], tmp_path: Path
) -> None:
    root = Path(shutil.copytree(miniature(name), tmp_path / "real"))
    (root / FIXTURE_MARK).unlink()
    assert not LOADERS[name](root).is_synthetic


@pytest.mark.parametrize("name", LOADERS)
def test_names_are_unique_and_every_recording_holds_its_clips(
    name: str, loaded: Callable[[str], PublishedDataset]
) -> None:
    dataset = loaded(name)
    assert len({clip.clip_id for clip in dataset.clips}) == len(dataset.clips)
    for clip in dataset.clips[:: max(len(dataset.clips) // 6, 1)]:
        recording = dataset.recording(clip.recording_id)
        assert (recording.recording_id, recording.subject) == (clip.recording_id, clip.subject)
        assert clip.window.duration_us > 0
        seen = [recording.frames.between(clip.window)] if recording.frames is not None else []
        seen += [recording.events.between(clip.window)] if recording.events is not None else []
        assert any(len(part) for part in seen)


@pytest.mark.parametrize("name", LOADERS)
def test_labels_are_whole(name: str, loaded: Callable[[str], PublishedDataset]) -> None:
    dataset = loaded(name)
    for clip in dataset.clips:
        for label, value in clip.labels.items():
            assert np.isfinite(np.asarray(value, np.float64)).all(), f"{clip.clip_id}: {label}"
            if label.endswith("_present"):
                assert label.removesuffix("_present") in clip.labels
                assert np.asarray(value).dtype == bool
            if label in dataset.class_names:
                names = dataset.class_names[label]
                assert 0 <= value < len(names) if isinstance(value, int) else np.shape(value)[-1] == len(names)
        if clip.label_t_us is not None:
            assert clip.window.start_us <= clip.label_t_us[0] <= clip.label_t_us[-1] < clip.window.end_us


@pytest.mark.parametrize("name", LOADERS)
def test_splits_use_every_subject_and_repeat_for_a_seed(name: str, loaded: Callable[[str], PublishedDataset]) -> None:
    dataset = loaded(name)
    splits = list(dataset.splits(seed=5))
    assert splits
    for split, again in zip(splits, dataset.splits(seed=5), strict=True):
        assert split.train
        assert split.test
        assert [clip.clip_id for clip in split.test] == [clip.clip_id for clip in again.test]


@pytest.mark.parametrize("name", LOADERS)
def test_an_unknown_recording_is_refused_by_name(name: str, loaded: Callable[[str], PublishedDataset]) -> None:
    with pytest.raises(DataError, match="no such thing"):
        loaded(name).recording("no such thing")


@pytest.mark.parametrize("name", LOADERS)
def test_a_missing_folder_says_what_it_should_hold(name: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match=r"which holds .*there is nothing.*make-fixture"):
        LOADERS[name](tmp_path / "absent")


@pytest.mark.parametrize("name", LOADERS)
def test_another_folder_is_refused_with_what_it_should_hold(name: str, tmp_path: Path) -> None:
    (tmp_path / "holiday pictures").mkdir()
    with pytest.raises(
        (DataError, DatasetNotFoundError), match=r"should .*(holds .*holiday pictures|there is no such file)"
    ):
        LOADERS[name](tmp_path)


def test_an_unknown_miniature_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Did you mean 'afew-va'.*ck-plus.*nefer"):
        make_fixture("afew", tmp_path / "out")


def test_a_miniature_is_not_written_over_something_else(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="it holds something"):
        make_fixture("fes", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_negative_seed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least 0; got -1"):
        make_fixture("fes", tmp_path / "out", seed=-1)


def test_a_miniature_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(root: Path, seed: int) -> None:
        (root / "half.txt").write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("snnface.datasets.fixtures.fixture.FIXTURES", {"fes": fails})
    with pytest.raises(DataError, match="No space left"):
        make_fixture("fes", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
