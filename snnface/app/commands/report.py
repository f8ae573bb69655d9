"""`snnface report RUN`"""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import tyro

from snnface.app.options import console_for, default_cache, parse
from snnface.app.reporting import read_deployment, report_run
from snnface.app.run import evaluate_run, load_run, open_experiment

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Everything about a deployed run as one HTML file that needs no network."""

    run: tyro.conf.Positional[Path]
    """A run folder that `snnface deploy` has been over."""
    baseline: Path | None = None
    """The run folder of the ANN to show beside it."""
    out: Path | None = None
    """The page to write; default: report.html in the run folder."""
    cache: Path = field(default_factory=default_cache)
    """Where synthesised recordings are kept."""


def main(arguments: list[str]) -> None:
    options = parse(Options, arguments, verb="report")
    deployment = read_deployment(options.run)
    console = console_for()
    recipe, model = load_run(options.run)
    experiment = open_experiment(recipe, cache_dir=options.cache, console=console)
    results = {recipe.name: evaluate_run(experiment, model, options.run)}
    if options.baseline is not None:
        baseline_recipe, baseline = load_run(options.baseline)
        baseline_experiment = open_experiment(baseline_recipe, cache_dir=options.cache, console=console)
        results[baseline_recipe.name] = evaluate_run(baseline_experiment, baseline, options.baseline)
    path = options.out or options.run / "report.html"
    report_run(experiment, model, results, deployment, path, date=date.today().isoformat())
    print(path)
