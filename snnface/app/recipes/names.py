"""Every recipe by its name: what the command line offers."""

from collections.abc import Callable

from snnface.app.recipes.cross_modal import cross_modal_lstm, cross_modal_plif
from snnface.app.recipes.micro_expression import (
    demo_c3d,
    demo_plif,
    demo_sew,
    micro_expression_c3d,
    micro_expression_plif,
    reconstruction_cvae,
    reconstruction_plif,
)
from snnface.app.recipes.recipe import Recipe
from snnface.app.recipes.valence_arousal import valence_arousal_lstm, valence_arousal_plif
from snnface.errors import unknown_name

__all__ = ["RECIPES", "recipe_named"]

RECIPES: dict[str, Callable[[], Recipe]] = {
    "demo-plif": demo_plif,
    "demo-c3d": demo_c3d,
    "demo-sew": demo_sew,
    "micro-expression-plif": micro_expression_plif,
    "micro-expression-c3d": micro_expression_c3d,
    "valence-arousal-plif": valence_arousal_plif,
    "valence-arousal-lstm": valence_arousal_lstm,
    "cross-modal-plif": cross_modal_plif,
    "cross-modal-lstm": cross_modal_lstm,
    "reconstruction-plif": reconstruction_plif,
    "reconstruction-cvae": reconstruction_cvae,
}


def recipe_named(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        ConfigError: if there is none; lists the nearest names.
    """
    if name not in RECIPES:
        raise unknown_name("recipe", name, RECIPES)
    return RECIPES[name]()
