"""Every recipe by its name: what the command line offers."""

from collections.abc import Callable
from functools import partial
from typing import get_args

from snnface.app.recipes.converted import ResNetTask, Shown, resnet18_on_events
from snnface.app.recipes.cross_modal import (
    CrossModalModel,
    CrossModalTask,
    cross_modal,
    cross_modal_coefficients,
    cross_modal_lstm,
    cross_modal_plif,
    cross_modal_snn,
)
from snnface.app.recipes.micro_expression import (
    demo_c3d,
    demo_plif,
    demo_sew,
    micro_expression_c3d,
    micro_expression_pictures,
    micro_expression_plif,
    micro_expression_units,
    reconstruction_cvae,
    reconstruction_plif,
)
from snnface.app.recipes.recipe import Recipe
from snnface.app.recipes.valence_arousal import (
    ValenceArousalModel,
    valence_arousal,
    valence_arousal_lstm,
    valence_arousal_plif,
    valence_arousal_snn,
)
from snnface.errors import unknown_name

__all__ = ["QUICK", "QUICK_RECIPES", "RECIPES", "TABLE_RECIPES", "recipe_named"]

QUICK = "-quick"
"""Ends the name of a table's recipe in the size that trains in minutes on two cores."""


def _of_tables(*, is_quick: bool) -> dict[str, Callable[[], Recipe]]:
    """The recipes of the papers' tables, at the papers' sizes or quick."""
    makers: list[Callable[..., Recipe]] = [
        *(partial(valence_arousal, model) for model in get_args(ValenceArousalModel)),
        *(partial(valence_arousal, model, bits=16) for model in ("fusion", "vit", "ic3d", "transformer")),
        valence_arousal_snn,
        *(partial(cross_modal, m, task) for task in get_args(CrossModalTask) for m in get_args(CrossModalModel)),
        *(partial(cross_modal_coefficients, model) for model in ("transformer", "lstm")),
        cross_modal_snn,
        *(partial(micro_expression_units, model, shown) for model in ("snn", "c3d") for shown in ("events", "rgb")),
        *(partial(micro_expression_pictures, "cvae", sensor) for sensor in ("davis", "evk4")),
        partial(micro_expression_pictures, "snn", "davis"),
        *(partial(resnet18_on_events, task, shown) for task in get_args(ResNetTask) for shown in get_args(Shown)),
    ]
    sized: list[Callable[[], Recipe]] = [partial(make, is_quick=is_quick) for make in makers]
    return {make().name: make for make in sized}


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

TABLE_RECIPES: dict[str, Callable[[], Recipe]] = _of_tables(is_quick=False)
"""What the rows of the papers' tables run, see `snnface reproduce`; trained by name like any other."""

QUICK_RECIPES: dict[str, Callable[[], Recipe]] = _of_tables(is_quick=True)
"""The same made small, their names with `QUICK` behind."""


def recipe_named(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        ConfigError: if there is none; lists the nearest names.
    """
    known = RECIPES | TABLE_RECIPES | QUICK_RECIPES
    if name not in known:
        raise unknown_name("recipe", name, known)
    return known[name]()
