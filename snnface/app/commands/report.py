"""`snnface report RUN`"""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import tyro

from hardware.report import require_page
from snnface.app.deployment import check_baseline
from snnface.app.evaluation import evaluate_run, read_answers
from snnface.app.experiment import open_experiment
from snnface.app.options import console_for, default_cache, parse
from snnface.app.reporting import read_deployment, report_run
from snnface.app.run import load_run

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
    recipe, model = load_run(options.run)
    runs = {recipe.name: (recipe, model, options.run)}
    if options.baseline is not None:
        other, baseline = load_run(options.baseline)
        check_baseline(recipe, other, baseline)
        name = other.name if other.name not in runs else f"{other.name} (baseline)"
        runs[name] = (other, baseline, options.baseline)
    console = console_for()
    experiments = {
        name: open_experiment(choice, cache_dir=options.cache, console=console) for name, (choice, _, _) in runs.items()
    }
    results = {name: evaluate_run(experiments[name], trained, folder) for name, (_, trained, folder) in runs.items()}
    answers = read_answers(options.run)
    report_run(experiments[recipe.name], model, results, deployment, answers, path, date=date.today().isoformat())
    print(path)
