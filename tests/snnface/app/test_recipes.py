from dataclasses import replace

import pytest
import torch

from snnface.app.catalog import class_names_of, model_of, scorings_of, task_of
from snnface.app.filmed_faces import FilmedFacesConfig
from snnface.app.pretrained import PRETRAINED
from snnface.app.recipes import RECIPES, Recipe, recipe_named
from snnface.app.recipes.names import QUICK_RECIPES, TABLE_RECIPES
from snnface.config import from_json, to_json
from snnface.errors import ConfigError
from snnface.models import FaceModel
from snnface.spiking import ConvSnnConfig

ALL = [*RECIPES, *TABLE_RECIPES, *QUICK_RECIPES]


@pytest.mark.parametrize("name", ALL)
def test_a_recipe_survives_its_json(name: str) -> None:
    recipe = recipe_named(name)
    assert recipe.name == name
    assert from_json(Recipe, to_json(recipe)) == recipe


@pytest.mark.parametrize("name", ALL)
def test_a_recipe_builds_its_model_its_task_and_a_scoring_for_each_part(name: str) -> None:
    recipe = recipe_named(name)
    # Shapes without numbers: the largest has 303 million.
    with torch.device("meta"):
        model = model_of(recipe)
    if isinstance(model, FaceModel):
        assert list(model.heads) == [task.target for task in recipe.tasks]
    assert task_of(recipe).selection_metric in {"top1", "ccc", "r2", "ssim"}
    assert len(scorings_of(recipe)) == len(recipe.tasks)


@pytest.mark.parametrize(
    ("name", "millions"), [("micro-expression-plif", 4_311_748 / 2**20), ("micro-expression-c3d", 13.06)]
)
def test_the_papers_recipes_have_the_published_sizes(name: str, millions: float) -> None:
    recipe = recipe_named(name)
    names = class_names_of(recipe)
    assert len(names) == 21
    size = sum(parameter.numel() for parameter in model_of(recipe).parameters())
    assert size / 2**20 == pytest.approx(millions, abs=0.005)


def test_the_baseline_sees_what_the_spiking_network_sees() -> None:
    for spiking, baseline in (("demo-plif", "demo-c3d"), ("micro-expression-plif", "micro-expression-c3d")):
        a, b = recipe_named(spiking), recipe_named(baseline)
        assert (a.data, a.split, a.representation, a.task, a.seed) == (
            b.data,
            b.split,
            b.representation,
            b.task,
            b.seed,
        )


def test_the_papers_autoencoder_is_of_its_size_and_trained_as_it_says() -> None:
    recipe = recipe_named("micro-expression-cvae-davis")
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in model_of(recipe).parameters()) == 303_404_353
    training = recipe.training
    assert (training.num_epochs, training.batch_size, training.learning_rate) == (100, 16, 1e-3)
    assert (training.optimiser, training.weight_decay) == ("adam", 0.0)


def test_an_unknown_recipe_lists_its_nearest_neighbours() -> None:
    with pytest.raises(ConfigError, match=r"unknown recipe 'demo-pilf'. Did you mean 'demo-plif'"):
        recipe_named("demo-pilf")


def test_the_counterparts_see_what_the_spiking_networks_see() -> None:
    pairs = (
        ("valence-arousal-plif", "valence-arousal-lstm"),
        ("cross-modal-plif", "cross-modal-lstm"),
        ("reconstruction-plif", "reconstruction-cvae"),
        ("demo-plif", "demo-sew"),
    )
    for names in pairs:
        a, b = map(recipe_named, names)
        assert (a.data, a.split, a.representation, a.task, a.seed) == (
            b.data,
            b.split,
            b.representation,
            b.task,
            b.seed,
        )


def test_a_recipe_from_before_there_were_other_tasks_still_loads() -> None:
    recipe = from_json(Recipe, (PRETRAINED / "recipe.json").read_text())
    assert recipe.temporal == "mean"
    assert recipe.further == ()
    assert recipe.tasks == (recipe.task,)


def test_every_task_of_a_weighted_sum_needs_its_branch() -> None:
    with pytest.raises(ConfigError, match="2 tasks need temporal and head, and 1 further branches; got 0"):
        replace(recipe_named("cross-modal-plif"), further=())


def test_reconstruction_needs_a_model_of_pictures() -> None:
    recipe = replace(recipe_named("reconstruction-plif"), encoder=ConvSnnConfig())
    with pytest.raises(ConfigError, match=r"needs one of ConditionalVaeConfig, .* got ConvSnnConfig"):
        model_of(recipe)


def test_coefficients_are_asked_of_data_that_have_them() -> None:
    recipe = recipe_named("cross-modal-plif")
    assert isinstance(recipe.data, FilmedFacesConfig)
    with pytest.raises(ConfigError, match=r"needs data with coefficients; give data\.num_coefficients"):
        model_of(replace(recipe, data=replace(recipe.data, num_coefficients=0)))
