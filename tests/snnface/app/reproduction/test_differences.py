from dataclasses import replace

import pytest

from snnface.app.recipes import recipe_named
from snnface.app.recipes.names import QUICK_RECIPES
from snnface.app.reproduction.differences import data_in_words, differences
from snnface.datasets.protocols import SplitConfig
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
        "LeaveOneSubjectOut(fold 0, validation_subjects 2) in the paper's.",
        "head: MlpHead(hidden (8, 4), dropout 0.0) here, VotingHead() in the paper's.",
    )


@pytest.mark.parametrize("name", QUICK_RECIPES)
def test_a_quick_recipe_says_what_it_made_smaller(name: str) -> None:
    told = differences(recipe_named(name), recipe_named(name.removesuffix("-quick")))
    assert any(sentence.startswith(("training.num_epochs", "encoder.")) for sentence in told)


def test_synthetic_people_are_counted_in_words() -> None:
    assert data_in_words(recipe_named("micro-expression-snn-rgb-quick")) == (
        "synthetic people ('micro'): 40 of them, 8 action units, 320 takes of 0.66 s, davis_frames of 173 x 130, 32 x "
        "32 pixels of the face"
    )
