"""`snnface train RECIPE`"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, cast

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from snnface.app.catalog import TEMPORAL, task_of
from snnface.app.experiment import open_experiment
from snnface.app.options import console_for, default_cache, is_first_process, parse
from snnface.app.recipes import RECIPES, Recipe, TemporalChoice, recipe_named
from snnface.app.run import require_free, train_run
from snnface.app.tables import print_training
from snnface.errors import unknown_name
from snnface.models.temporal import LeakyReadoutConfig

__all__ = ["main"]

LEAKY = "leaky:"


@dataclass(frozen=True, kw_only=True)
class Options:
    """Train a recipe into a run folder; every number of the recipe is an option."""

    recipe: Annotated[Recipe, tyro.conf.arg(name="")]
    out: Path
    """The run folder to make; it must not exist, unless --resume is given."""
    resume: bool = False
    """Go on with the run in --out; it ends with the weights of an uninterrupted run."""
    cache: Path = field(default_factory=default_cache)
    """Where synthesised recordings are kept."""


def main(arguments: list[str]) -> None:
    if not arguments or arguments[0].startswith("-"):
        print(f"usage: snnface train RECIPE [options]\n\nRecipes: {', '.join(RECIPES)}")
        raise SystemExit(0 if arguments[:1] in (["-h"], ["--help"]) else 2)
    recipe = recipe_named(arguments[0])
    default = Options(recipe=recipe, out=Path("runs") / recipe.name)
    with _temporal_by_name():
        options = parse(Options, arguments[1:], verb=f"train {recipe.name}", default=default)
    if is_first_process():
        # Before recordings are made, which can take long.
        require_free(options.out, resume=options.resume)
    console = console_for()
    experiment = open_experiment(options.recipe, cache_dir=options.cache, console=console)
    train_run(experiment, options.out, console=console, resume=options.resume)
    if is_first_process():
        print_training(options.out, metric=task_of(experiment.recipe).selection_metric)


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
