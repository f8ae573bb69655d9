"""Recipes: what one is, and one function a published experiment with its numbers written once, file by paper."""

from snnface.app.recipes.names import RECIPES, recipe_named
from snnface.app.recipes.recipe import (
    BranchConfig,
    Recipe,
    SingleTaskConfig,
    TemporalChoice,
    WeightedSumConfig,
    WeightedTaskConfig,
)

__all__ = [
    "RECIPES",
    "BranchConfig",
    "Recipe",
    "SingleTaskConfig",
    "TemporalChoice",
    "WeightedSumConfig",
    "WeightedTaskConfig",
    "recipe_named",
]
