"""`snnface deploy RUN`"""

from dataclasses import dataclass, field
from pathlib import Path

import tyro

from conversion.parity_inputs import InputConfig
from snnface.app.deployment import DeploymentConfig, check_baseline, deploy_run
from snnface.app.experiment import open_experiment
from snnface.app.file_deployment import deploy_file
from snnface.app.options import console_for, default_cache, parse
from snnface.app.run import load_run
from snnface.app.tables import print_deployment, print_file_deployment
from snnface.config import to_json
from snnface.errors import ConfigError

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Quantise a network and run it in every tool that reads it: Loihi fixed point, Lava, netx, snntorch, norse.

    Of a run all test clips are run in fixed point, and operations counted; of a file the samples of --inputs."""

    run: tyro.conf.Positional[Path]
    """A run folder made by `snnface train`, or a spiking network in a .nir or .json file."""
    deployment: tyro.conf.OmitArgPrefixes[DeploymentConfig] = field(default_factory=DeploymentConfig)
    shown: tyro.conf.OmitArgPrefixes[InputConfig] = field(default_factory=InputConfig)
    dt_s: float | None = None
    """The length of a step in seconds, for .nir files that do not say it."""
    baseline: Path | None = None
    """The run folder of the ANN to compare energy with."""
    json: bool = False
    """Print JSON for machines."""
    cache: Path = field(default_factory=default_cache)
    """Where synthesised recordings are kept."""


def main(arguments: list[str]) -> None:
    options = parse(Options, arguments, verb="deploy")
    if options.run.suffix in (".nir", ".json"):
        _deploy_file(options)
        return
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


def _deploy_file(options: Options) -> None:
    if options.baseline is not None:
        raise ConfigError("energy is compared for trained runs; leave out --baseline to deploy a file.")
    found = deploy_file(options.run, config=options.deployment, shown=options.shown, dt_s=options.dt_s)
    if options.json:
        print(to_json(found), end="")
    else:
        print_file_deployment(found)
