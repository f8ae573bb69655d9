import json
from dataclasses import replace

import pytest

from snnface.app.filmed_faces import FilmedFacesConfig
from snnface.app.published_set import PublishedFacesConfig
from snnface.app.recipes import recipe_named
from snnface.app.recipes.names import QUICK_RECIPES
from snnface.app.reproduction.differences import data_in_words, differences
from snnface.config import to_json
from snnface.datasets.protocols import SplitConfig
from snnface.faces.detection.face_crop import FaceCrop
from snnface.models.heads import MlpHeadConfig


def test_a_recipe_does_not_differ_from_itself() -> None:
    recipe = recipe_named("micro-expression-snn-events")
    assert differences(recipe, recipe) == ()


def test_a_setting_that_differs_is_told_with_both_values() -> None:
    paper = recipe_named("micro-expression-snn-events")
    ours = replace(paper, training=replace(paper.training, num_epochs=3), seed=7)
    assert differences(ours, paper) == (
        "training.num_epochs: 3 here, 100 in the paper's.",
        "seed: 7 here, 0 in the paper's.",
    )


def test_a_part_of_another_kind_is_told_whole() -> None:
    paper = recipe_named("micro-expression-snn-events")
    ours = replace(paper, split=SplitConfig(validation_subjects=1, test_subjects=2), head=MlpHeadConfig(hidden=(8, 4)))
    assert differences(ours, paper) == (
        "split: Split(validation_subjects 1, test_subjects 2) here, "
        "LeaveOneSubjectOut(validation_subjects 2) in the paper's.",
        "head: MlpHead(hidden (8, 4), dropout 0.0) here, VotingHead() in the paper's.",
    )


@pytest.mark.parametrize("name", QUICK_RECIPES)
def test_a_quick_recipe_says_what_it_made_smaller(name: str) -> None:
    told = differences(recipe_named(name), recipe_named(name.removesuffix("-quick")))
    assert any(sentence.startswith(("training.num_epochs", "encoder.")) for sentence in told)


def test_synthetic_people_are_counted_in_words() -> None:
    assert data_in_words(recipe_named("micro-expression-snn-rgb-quick")) == (
        "synthetic people ('micro'): 48 of them, 8 action units, 384 takes of 0.66 s, davis_frames of 173 x 130, 32 x "
        "32 pixels of a square that is 1.3 times the face and rests"
    )


def test_both_cameras_the_windows_and_the_cut_are_told() -> None:
    recipe = recipe_named("micro-expression-cvae-evk4-quick")
    assert isinstance(recipe.data, FilmedFacesConfig)
    assert data_in_words(recipe) == (
        "synthetic people ('micro'): 120 of them, 2 action units, 240 takes of 0.66 s in windows of 10 steps, evk4 of "
        "640 x 360 and davis_frames of 173 x 130, 32 x 32 pixels of a square that is 1 times the face and rests"
    )
    moving = replace(recipe, data=replace(recipe.data, crop=FaceCrop(size=8, margin=1.5), window_steps=None))
    assert data_in_words(moving).endswith("8 x 8 pixels of a square that is 1.5 times the face and moves with it")
    assert data_in_words(replace(recipe, data=replace(recipe.data, crop=None))).endswith("davis_frames of 173 x 130")


def test_settings_of_the_data_are_compared_as_well() -> None:
    paper = recipe_named("micro-expression-cvae-davis")
    assert isinstance(paper.data, FilmedFacesConfig)
    crop = paper.data.crop
    assert crop is not None
    data = replace(
        paper.data, frames="davis_frames", crop=replace(crop, margin=1.3), window_steps=10, num_coefficients=4
    )
    assert differences(replace(paper, data=data), paper) == (
        "data.frames: davis_frames here, rgb in the paper's.",
        "data.crop.margin: 1.3 here, 1.0 in the paper's.",
        "data.window_steps: 10 here, 1 in the paper's.",
        "data.num_coefficients: 4 here, 0 in the paper's.",
    )


def test_of_a_published_set_what_means_the_same_is_compared() -> None:
    paper = recipe_named("cross-modal-resnet-lstm")
    data = PublishedFacesConfig(
        dataset="facemorphic", path="FACEMORPHIC", max_steps=75, num_coefficients=16, alpha_from="pictures"
    )
    assert differences(replace(paper, data=data), paper) == ("data.num_coefficients: 16 here, 32 in the paper's.",)
    # That it is cut to the middle square, as its authors have it, is no departure.
    assert differences(replace(paper, data=replace(data, num_coefficients=32)), paper) == ()


def flat(value: object, path: str = "") -> dict[str, object]:
    """Every setting by its path."""
    if not isinstance(value, dict):
        return {path: value}
    return {place: leaf for key, part in value.items() for place, leaf in flat(part, f"{path}.{key}").items()}


@pytest.mark.parametrize("name", QUICK_RECIPES)
def test_no_setting_that_differs_is_left_out(name: str) -> None:
    quick, paper = recipe_named(name), recipe_named(name.removesuffix("-quick"))
    told = [sentence.partition(":")[0] for sentence in differences(quick, paper)]
    ours, theirs = (flat(json.loads(to_json(recipe))) for recipe in (quick, paper))
    differing = [path[1:] for path in ours.keys() | theirs.keys() if ours.get(path) != theirs.get(path)]
    whom = ("name", "source", "data.source")
    unsaid = [
        path
        for path in differing
        if not path.startswith(whom) and not any(path == place or path.startswith(f"{place}.") for place in told)
    ]
    assert not unsaid
    assert len(told) == len(set(told))
