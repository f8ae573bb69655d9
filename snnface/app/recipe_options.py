"""The options of a recipe: what the verbs that start from one have in common."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from snnface.app.catalog import TEMPORAL
from snnface.app.options import parse
from snnface.app.recipes import RECIPES, Recipe, TemporalChoice, recipe_named
from snnface.datasets.protocols import (
    LeaveOneSubjectOutConfig,
    OfficialSplitConfig,
    ProtocolConfig,
    ShareOfSubjectsConfig,
    SplitConfig,
    SubjectFoldsConfig,
)
from snnface.errors import unknown_name
from snnface.models.temporal import LeakyReadoutConfig

__all__ = ["PROTOCOLS", "ProtocolOption", "RecipeOption", "parse_with_recipe"]

LEAKY = "leaky:"

T = TypeVar("T")

PROTOCOLS: dict[str, type[ProtocolConfig]] = {
    "split": SplitConfig,
    "folds": SubjectFoldsConfig,
    "leave-one-subject-out": LeaveOneSubjectOutConfig,
    "share": ShareOfSubjectsConfig,
    "official": OfficialSplitConfig,
}

RecipeOption = Annotated[Recipe, tyro.conf.arg(name="")]
ProtocolOption = Literal["split", "folds", "leave-one-subject-out", "share", "official"]


def parse_with_recipe(kind: type[T], arguments: Sequence[str], *, verb: str) -> T:
    """Options of a verb whose first word names a recipe: every number of the recipe is one of them.

    Args:
        kind: a dataclass with the fields `recipe: RecipeOption`, `out: Path` and `protocol: ProtocolOption`; all others
            have defaults.

    Raises:
        ConfigError: if there is no recipe of that name.
    """
    if not arguments or arguments[0].startswith("-"):
        print(f"usage: snnface {verb} RECIPE [options]\n\nRecipes: {', '.join(RECIPES)}")
        raise SystemExit(0 if arguments[:1] in (["-h"], ["--help"]) else 2)
    recipe = _under_protocol(recipe_named(arguments[0]), arguments[1:])
    protocol = next(name for name, config in PROTOCOLS.items() if isinstance(recipe.split, config))
    default = cast(Any, kind)(recipe=recipe, out=Path("runs") / recipe.name, protocol=protocol)
    with _temporal_by_name():
        return parse(kind, arguments[1:], verb=f"{verb} {recipe.name}", default=default)


def _under_protocol(recipe: Recipe, arguments: Sequence[str]) -> Recipe:
    """The recipe with the protocol that the arguments name: before they are parsed, for its numbers are options."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--protocol", nargs="?")
    name = parser.parse_known_args(arguments)[0].protocol
    if name not in PROTOCOLS or isinstance(recipe.split, PROTOCOLS[name]):
        return recipe
    return replace(recipe, split=PROTOCOLS[name](validation_subjects=recipe.split.validation_subjects))


def _temporal_by_name() -> ConstructorRegistry:
    """Within it a temporal part is one option of one word: "mean", or "leaky:8" for a time constant of 8 steps."""
    registry = ConstructorRegistry()

    @registry.primitive_rule
    def rule(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[TemporalChoice] | None:
        if info.type != TemporalChoice:
            return None
        return PrimitiveConstructorSpec(
            nargs=1,
            metavar=f"{{{','.join(TEMPORAL)},{LEAKY}TAU}}",
            instance_from_str=lambda words: _temporal_choice(words[0]),
            is_instance=lambda value: isinstance(value, LeakyReadoutConfig) or value in TEMPORAL,
            str_from_instance=lambda choice: [choice if isinstance(choice, str) else f"{LEAKY}{choice.tau:g}"],
        )

    return registry


def _temporal_choice(word: str) -> TemporalChoice:
    if word.startswith(LEAKY):
        return LeakyReadoutConfig(tau=float(word.removeprefix(LEAKY)))
    if word not in TEMPORAL:
        raise unknown_name("temporal part", word, (*TEMPORAL, LEAKY))
    return cast(TemporalChoice, word)
