"""`snnface cross-validate RECIPE`"""

from dataclasses import dataclass, field
from pathlib import Path

from snnface.app.cross_validation import cross_validate, fold_folder
from snnface.app.difference_table import print_differences
from snnface.app.options import Maybe, console_for, default_cache
from snnface.app.progress import counting_bar
from snnface.app.recipe_options import ProtocolOption, RecipeOption, parse_with_recipe
from snnface.app.run import Device
from snnface.app.tables import print_cross_validation
from snnface.config import to_json

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Train and evaluate a recipe in every fold of its protocol; the same command again goes on with what is left."""

    recipe: RecipeOption
    out: Path
    """The folder to make: a run folder for each fold, and cross_validation.json."""
    protocol: ProtocolOption
    """How subjects are parted into those trained on, chosen by and tested on; its numbers are the options --split."""
    folds: Maybe[tuple[int, ...]] = None
    """Numbers of the folds to run, from 0. Left out: all."""
    scheduler: Maybe[str] = None
    """Address of a Dask cluster that sees the same files. Left out: this machine."""
    num_workers: Maybe[int] = None
    """Folds at once on this machine. Left out: one for each core, or one on a GPU."""
    device: Device = "auto"
    """Where to train; auto takes a GPU if there is one."""
    json: bool = False
    """Print JSON for machines."""
    cache: Path = field(default_factory=default_cache)
    """Where synthesised recordings are kept."""


def main(arguments: list[str]) -> None:
    options = parse_with_recipe(Options, arguments, verb="cross-validate")
    console = console_for(options.json)
    with counting_bar(console, "folds") as on_progress:
        result = cross_validate(
            options.recipe,
            options.out,
            cache_dir=options.cache,
            folds=options.folds,
            scheduler=options.scheduler,
            num_workers=options.num_workers,
            device=options.device,
            on_progress=on_progress,
            console=console,
        )
    if options.json:
        print(to_json(result), end="")
    else:
        print_cross_validation(result)
        folders = [fold_folder(options.out, fold.fold) for fold in result.folds]
        print_differences(options.recipe, folders, result.pooled)
