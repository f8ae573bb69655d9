"""`snnface train RECIPE`"""

from dataclasses import dataclass, field
from pathlib import Path

from snnface.app.catalog import task_of
from snnface.app.experiment import open_experiment
from snnface.app.options import console_for, default_cache, is_first_process
from snnface.app.recipe_options import ProtocolOption, RecipeOption, parse_with_recipe
from snnface.app.run import Device, device_of, require_free, train_run
from snnface.app.tables import print_training

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Train a recipe into a run folder; every number of the recipe is an option."""

    recipe: RecipeOption
    out: Path
    """The run folder to make; it must not exist, unless --resume is given."""
    protocol: ProtocolOption
    """How subjects are parted into those trained on, chosen by and tested on; its numbers are the options --split."""
    resume: bool = False
    """Go on with the run in --out; it ends with the weights of an uninterrupted run."""
    device: Device = "auto"
    """Where to train; auto takes a GPU if there is one."""
    cache: Path = field(default_factory=default_cache)
    """Where synthesised recordings are kept."""


def main(arguments: list[str]) -> None:
    options = parse_with_recipe(Options, arguments, verb="train")
    device_of(options.device)
    if is_first_process():
        # Before recordings are made, which can take long.
        require_free(options.out, resume=options.resume)
    console = console_for()
    experiment = open_experiment(options.recipe, cache_dir=options.cache, console=console)
    train_run(experiment, options.out, console=console, resume=options.resume, device=options.device)
    if is_first_process():
        print_training(options.out, metric=task_of(experiment.recipe).selection_metric)
