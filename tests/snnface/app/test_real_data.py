from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ann_baselines import I3dConfig
from snnface.app.catalog import class_names_of, model_of, representation_of
from snnface.app.filmed_faces import FilmedFacesConfig, RecordedFolder
from snnface.app.published_faces import PublishedFacesConfig
from snnface.app.real_data import LAYOUTS, REAL_SETS, real_set_of, with_data
from snnface.app.recipes import RECIPES, recipe_named
from snnface.config import from_json, to_json
from snnface.datasets.coefficient_samples import CoefficientsConfig
from snnface.errors import ConfigError, DataError, DatasetNotFoundError
from snnface.faces.detection import FaceCrop
from snnface.models.heads import ClipStepsHeadConfig
from snnface.representations import PlainFramesConfig
from snnface.spiking import ConvSnnConfig
from snnface.tasks.action_units import ActionUnitTaskConfig

UNITS = {"further": (), "task": ActionUnitTaskConfig()}


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_has_a_real_set_and_only_what_must_change_changes(
    name: str, miniature: Callable[[str], Path]
) -> None:
    recipe = recipe_named(name)
    dataset = real_set_of(recipe)
    moved = with_data(recipe, miniature(dataset), allow_pickle=True)
    for kept in ("name", "split", "temporal", "task", "training", "seed"):
        assert getattr(moved, kept) == getattr(recipe, kept)
    assert type(moved.encoder) is type(recipe.encoder)
    assert moved.source.startswith(recipe.source)
    assert f"here on {LAYOUTS[dataset].title}" in moved.source
    assert from_json(type(moved), to_json(moved)) == moved


@pytest.mark.parametrize(
    "name",
    ["valence-arousal-plif", "cross-modal-plif", "cross-modal-lstm", "demo-plif", "demo-sew", "reconstruction-plif"],
)
def test_the_model_fits_the_real_set(name: str, miniature: Callable[[str], Path]) -> None:
    moved = with_data(recipe_named(name), miniature(real_set_of(recipe_named(name))), allow_pickle=True)
    assert model_of(moved).training


def test_films_are_cropped_by_their_own_points_in_the_size_of_the_recipe(miniature: Callable[[str], Path]) -> None:
    data = with_data(recipe_named("valence-arousal-plif"), miniature("afew-va")).data
    assert isinstance(data, PublishedFacesConfig)
    assert (data.dataset, data.shows, data.crop) == ("afew-va", "events", FaceCrop(size=32))
    assert Path(data.path) == miniature("afew-va").resolve()
    assert data.max_steps is None


def test_heads_of_all_steps_answer_as_many_as_the_real_clips_have(miniature: Callable[[str], Path]) -> None:
    steps = ClipStepsHeadConfig(num_steps=20)
    affect = replace(recipe_named("valence-arousal-lstm"), encoder=I3dConfig(width=4), temporal="last", head=steps)
    moved = with_data(affect, miniature("afew-va"))
    assert isinstance(moved.data, PublishedFacesConfig)
    # 145 frames at 25 a second are 5.8 s.
    assert moved.head == ClipStepsHeadConfig(num_steps=5_800_000 // representation_of(affect).step_us)
    assert moved.data.max_steps == 175
    emotions = with_data(moved, miniature("nefer"), dataset="nefer")
    assert isinstance(emotions.data, PublishedFacesConfig)
    assert (emotions.data.max_steps, emotions.head) == (175, moved.head)
    shape = recipe_named("cross-modal-lstm")
    shape = replace(
        shape, encoder=I3dConfig(width=4), further=(replace(shape.further[0], temporal="last", head=steps),)
    )
    moved = with_data(shape, miniature("facemorphic"), allow_pickle=True)
    assert isinstance(moved.data, PublishedFacesConfig)
    assert moved.data.max_steps == 75
    assert moved.further[0].head == ClipStepsHeadConfig(num_steps=75)


def test_coefficients_are_the_published_ones_if_pickles_are_allowed_else_fitted(
    miniature: Callable[[str], Path],
) -> None:
    recipe = recipe_named("cross-modal-plif")
    for allowed, alpha_from in ((True, "file"), (False, "pictures")):
        data = with_data(recipe, miniature("facemorphic"), allow_pickle=allowed).data
        assert isinstance(data, PublishedFacesConfig)
        assert (data.num_coefficients, data.alpha_from, data.allow_pickle) == (32, alpha_from, allowed)
    alone = with_data(replace(recipe, **UNITS), miniature("facemorphic")).data
    assert isinstance(alone, PublishedFacesConfig)
    assert alone.num_coefficients == 0
    seeing = replace(recipe, **UNITS, representation=CoefficientsConfig(num_coefficients=16))
    assert with_data(seeing, miniature("facemorphic")).representation == CoefficientsConfig(num_coefficients=32)


def test_as_many_spikes_vote_for_a_class_as_before(miniature: Callable[[str], Path]) -> None:
    recipe = recipe_named("cross-modal-plif")
    assert isinstance(recipe.encoder, ConvSnnConfig)
    moved = with_data(recipe, miniature("facemorphic"), allow_pickle=True)
    assert isinstance(moved.encoder, ConvSnnConfig)
    assert len(class_names_of(moved)) == 24
    assert recipe.encoder.features[-1] / len(class_names_of(recipe)) == moved.encoder.features[-1] / 24


def test_frames_stay_frames(miniature: Callable[[str], Path]) -> None:
    rgb = PlainFramesConfig(colour="rgb")
    moved = with_data(replace(recipe_named("cross-modal-plif"), **UNITS, representation=rgb), miniature("facemorphic"))
    assert isinstance(moved.data, PublishedFacesConfig)
    assert moved.data.shows == "frames"
    # The first frame comes after the first step.
    assert moved.representation == replace(rgb, choice="nearest")
    recorded = with_data(
        replace(recipe_named("micro-expression-plif"), representation=rgb), miniature("micro-expression")
    )
    assert isinstance(recorded.data, FilmedFacesConfig)
    assert (recorded.data.events, recorded.data.frames) == (None, "rgb")


def test_the_micro_expression_recordings_are_a_folder_of_recordings(miniature: Callable[[str], Path]) -> None:
    root = miniature("micro-expression")
    data = with_data(recipe_named("reconstruction-plif"), root).data
    assert isinstance(data, FilmedFacesConfig)
    assert data.source == RecordedFolder(path=str(root.resolve()), on_missing="leave-out")
    assert (data.frames, data.window_steps) == ("davis_frames", 10)
    before = recipe_named("reconstruction-plif").data
    assert isinstance(before, FilmedFacesConfig)
    evk4 = replace(recipe_named("reconstruction-plif"), data=replace(before, events="evk4"))
    moved = with_data(evk4, root).data
    assert isinstance(moved, FilmedFacesConfig)
    assert moved.crop is None


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_is_known_from_its_miniature_and_from_no_other(
    name: str, miniature: Callable[[str], Path]
) -> None:
    recipe = replace(recipe_named("cross-modal-lstm"), **UNITS)
    other = "disfa" if name != "disfa" else "vetex"
    assert with_data(recipe, miniature(name), dataset=name)
    with pytest.raises(DataError, match=r"should be the folder of .*, which holds .*; it holds ActionUnit_Labels/"):
        with_data(recipe, miniature(other), dataset=name)


def test_what_is_no_folder_no_set_or_no_papers_recipe_is_refused(tmp_path: Path) -> None:
    recipe = recipe_named("valence-arousal-plif")
    with pytest.raises(DatasetNotFoundError, match="nowhere should be the folder of AFEW-VA"):
        with_data(recipe, tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"unknown data set 'afew'\. Did you mean 'afew-va'"):
        with_data(recipe, tmp_path, dataset="afew")
    with pytest.raises(ConfigError, match="the recipe 'mine' stands for no published data set"):
        with_data(replace(recipe, name="mine"), tmp_path)
    assert set(REAL_SETS.values()) <= set(LAYOUTS)
