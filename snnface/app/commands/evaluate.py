"""`snnface evaluate RUN`"""

from dataclasses import dataclass, field
from pathlib import Path

import tyro

from snnface.app.difference_table import print_differences
from snnface.app.evaluation import evaluate_run
from snnface.app.experiment import open_experiment
from snnface.app.options import console_for, default_cache, parse
from snnface.app.run import Device, device_of, load_run
from snnface.app.tables import print_scores
from snnface.config import to_json

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Metrics of a trained run on its test subjects, beside trivial answers and chance."""

    run: tyro.conf.Positional[Path]
    """A run folder made by `snnface train`."""
    device: Device = "auto"
    """Where the network runs; auto takes a GPU if there is one."""
    json: bool = False
    """Print JSON for machines."""
    cache: Path = field(default_factory=default_cache)
    """Where synthesised recordings are kept."""


def main(arguments: list[str]) -> None:
    options = parse(Options, arguments, verb="evaluate")
    device_of(options.device)
    recipe, model = load_run(options.run)
    experiment = open_experiment(recipe, cache_dir=options.cache, console=console_for(options.json))
    result = evaluate_run(experiment, model, options.run, device=options.device)
    if options.json:
        print(to_json(result), end="")
    else:
        print_scores(experiment, {recipe.name: result})
        print_differences(recipe, [options.run], result.scores)
