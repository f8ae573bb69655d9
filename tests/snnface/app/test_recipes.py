import pytest

from snnface.app.catalog import class_names_of, model_of, task_of
from snnface.app.recipes import RECIPES, Recipe, recipe_named
from snnface.config import from_json, to_json
from snnface.errors import ConfigError


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_survives_its_json(name: str) -> None:
    recipe = recipe_named(name)
    assert recipe.name == name
    assert from_json(Recipe, to_json(recipe)) == recipe


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_builds_its_model_and_its_task(name: str) -> None:
    recipe = recipe_named(name)
    names = class_names_of(recipe)
    assert list(model_of(recipe, len(names)).heads) == [recipe.task.target]
    assert task_of(recipe, len(names)).selection_metric == "top1"


@pytest.mark.parametrize(
    ("name", "millions"), [("micro-expression-plif", 4_311_748 / 2**20), ("micro-expression-c3d", 13.06)]
)
def test_the_papers_recipes_have_the_published_sizes(name: str, millions: float) -> None:
    recipe = recipe_named(name)
    names = class_names_of(recipe)
    assert len(names) == 21
    size = sum(parameter.numel() for parameter in model_of(recipe, len(names)).parameters())
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


def test_an_unknown_recipe_lists_its_nearest_neighbours() -> None:
    with pytest.raises(ConfigError, match=r"unknown recipe 'demo-pilf'. Did you mean 'demo-plif'"):
        recipe_named("demo-pilf")
