"""`snnface train RECIPE`"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from snnface.app.options import console_for, default_cache, is_first_process, parse
from snnface.app.recipes import RECIPES, Recipe, recipe_named
from snnface.app.run import open_experiment, require_free, train_run
from snnface.app.tables import print_training

__all__ = ["main"]


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
    options = parse(Options, arguments[1:], verb=f"train {recipe.name}", default=default)
    if is_first_process():
        # Before recordings are made, which can take long.
        require_free(options.out, resume=options.resume)
    console = console_for()
    experiment = open_experiment(options.recipe, cache_dir=options.cache, console=console)
    train_run(experiment, options.out, console=console, resume=options.resume)
    if is_first_process():
        print_training(options.out)
