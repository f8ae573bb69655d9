"""`snnface deploy RUN`"""

from dataclasses import dataclass, field
from pathlib import Path

import tyro

from snnface.app.deployment import DeploymentConfig, check_baseline, deploy_run
from snnface.app.experiment import open_experiment
from snnface.app.options import console_for, default_cache, parse
from snnface.app.run import load_run
from snnface.app.tables import print_deployment
from snnface.config import to_json

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Quantise a trained run, run its test clips in Loihi fixed point and some of them in Lava, count operations."""

    run: tyro.conf.Positional[Path]
    """A run folder made by `snnface train`."""
    deployment: tyro.conf.OmitArgPrefixes[DeploymentConfig] = field(default_factory=DeploymentConfig)
    baseline: Path | None = None
    """The run folder of the ANN to compare energy with."""
    json: bool = False
    """Print JSON for machines."""
    cache: Path = field(default_factory=default_cache)
    """Where synthesised recordings are kept."""


def main(arguments: list[str]) -> None:
    options = parse(Options, arguments, verb="deploy")
    recipe, model = load_run(options.run)
    baseline = None
    if options.baseline is not None:
        baseline_recipe, baseline = load_run(options.baseline)
        check_baseline(recipe, baseline_recipe, baseline)
    console = console_for(options.json)
    experiment = open_experiment(recipe, cache_dir=options.cache, console=console)
    deployment = deploy_run(
        experiment, model, options.run, config=options.deployment, baseline=baseline, console=console
    )
    if options.json:
        print(to_json(deployment), end="")
    else:
        print_deployment(deployment)
