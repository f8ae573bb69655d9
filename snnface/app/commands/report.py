"""`snnface report RUN`"""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import tyro

from hardware.report import require_page
from hardware.report.comparison import write_comparison
from snnface.app.compared_runs import compared_run, partner_scores
from snnface.app.deployment import check_baseline
from snnface.app.evaluation import Scores, evaluate_run, read_answers
from snnface.app.experiment import open_experiment
from snnface.app.options import console_for, default_cache, parse
from snnface.app.reporting import read_deployment, report_run
from snnface.app.run import load_run
from snnface.errors import ConfigError

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Everything about a deployed run as one HTML file that needs no network; of several runs a row each."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders that `snnface deploy` has been over; two or more are compared, in this order."""
    baseline: Path | None = None
    """The run folder of the ANN to show beside a single one."""
    out: Path | None = None
    """The page to write, .html, or .md for Markdown; default: report.html in the run folder, or comparison.html."""
    cache: Path = field(default_factory=default_cache)
    """Where synthesised recordings are kept."""


def main(arguments: list[str]) -> None:
    options = parse(Options, arguments, verb="report")
    if not options.runs:
        raise ConfigError("a report needs a run; name a folder that `snnface deploy` has been over.")
    if len(options.runs) > 1:
        if options.baseline is not None:
            raise ConfigError("a comparison of runs shows no --baseline; name it for a single run.")
        path = options.out or Path("comparison.html")
        require_page(path)
        write_comparison([compared_run(run) for run in options.runs], path)
    else:
        path = options.out or options.runs[0] / "report.html"
        require_page(path)
        _write_report(options, options.runs[0], path)
    print(path)


def _write_report(options: Options, folder: Path, path: Path) -> None:
    deployment = read_deployment(folder)
    recipe, model = load_run(folder)
    runs = {recipe.name: (recipe, model, folder)}
    if options.baseline is not None:
        other, baseline = load_run(options.baseline)
        check_baseline(recipe, other, baseline)
        name = other.name if other.name not in runs else f"{other.name} (baseline)"
        runs[name] = (other, baseline, options.baseline)
    console = console_for()
    experiments = {
        name: open_experiment(choice, cache_dir=options.cache, console=console) for name, (choice, _, _) in runs.items()
    }
    results = {name: evaluate_run(experiments[name], trained, run) for name, (_, trained, run) in runs.items()}
    partners: dict[str, Scores] = {}
    for name, (_, baseline, _) in list(runs.items())[1:]:
        partners |= partner_scores(experiments[name], name, baseline, deployment)
    report_run(
        experiments[recipe.name],
        model,
        results,
        deployment,
        read_answers(folder),
        path,
        date=date.today().isoformat(),
        partners=partners,
    )
