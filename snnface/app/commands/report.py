"""`snnface report RUN`"""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import tyro

from hardware.report import require_page
from snnface.app.deployment import check_baseline
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
    path = options.out or options.run / "report.html"
    require_page(path)
    deployment = read_deployment(options.run)
    console = console_for()
    recipe, model = load_run(options.run)
    experiment = open_experiment(recipe, cache_dir=options.cache, console=console)
    results = {recipe.name: evaluate_run(experiment, model, options.run)}
    if options.baseline is not None:
        baseline_recipe, baseline = load_run(options.baseline)
        check_baseline(recipe, baseline_recipe, baseline)
        baseline_experiment = open_experiment(baseline_recipe, cache_dir=options.cache, console=console)
        name = baseline_recipe.name if baseline_recipe.name not in results else f"{baseline_recipe.name} (baseline)"
        results[name] = evaluate_run(baseline_experiment, baseline, options.baseline)
    report_run(experiment, model, results, deployment, path, date=date.today().isoformat())
    print(path)
