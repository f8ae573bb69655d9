"""`snnface demo`"""

import shutil
import time
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from snnface.app.compared_runs import partner_scores
from snnface.app.deployment import deploy_run
from snnface.app.evaluation import evaluate_run, read_answers
from snnface.app.experiment import open_experiment
from snnface.app.options import console_for, default_cache, parse
from snnface.app.recipes import recipe_named
from snnface.app.reporting import report_run
from snnface.app.run import RUN_FILES, train_run
from snnface.app.tables import print_deployment, print_scores
from snnface.errors import ConfigError

__all__ = ["main"]

SPIKING, BASELINE = "demo-plif", "demo-c3d"


@dataclass(frozen=True, kw_only=True)
class Options:
    """Synthetic faces to a chip run and a report: trains the spiking network and its baseline, in minutes."""

    out: Path = Path("runs/demo")
    """The folder to make, with one run folder for each network and report.html."""
    overwrite: bool = False
    """Replace the demo that stands in --out."""
    cache: Path = field(default_factory=default_cache)
    """Where synthesised recordings are kept."""


def main(arguments: list[str]) -> None:
    options = parse(Options, arguments, verb="demo")
    _make_room(options.out, overwrite=options.overwrite)
    start = time.perf_counter()
    console = console_for()
    spiking = open_experiment(recipe_named(SPIKING), cache_dir=options.cache, console=console)
    baseline = open_experiment(recipe_named(BASELINE), cache_dir=options.cache, console=console)
    snn = train_run(spiking, options.out / "snn", console=console)
    ann = train_run(baseline, options.out / "ann", console=console)
    results = {
        SPIKING: evaluate_run(spiking, snn, options.out / "snn"),
        BASELINE: evaluate_run(baseline, ann, options.out / "ann"),
    }
    deployment = deploy_run(spiking, snn, options.out / "snn", baseline=ann, console=console)
    page = options.out / "report.html"
    answers = read_answers(options.out / "snn")
    partners = partner_scores(baseline, BASELINE, ann, deployment)
    report_run(spiking, snn, results, deployment, answers, page, date=date.today().isoformat(), partners=partners)
    print_scores(spiking, results, deployment=deployment)
    print_deployment(deployment)
    print(f"{page}  ({time.perf_counter() - start:.0f} s)")


def _make_room(out: Path, *, overwrite: bool) -> None:
    """Only a folder that holds demo runs and nothing else is ever removed."""
    if not out.exists():
        return
    pages = {out / "report.html", out / "report.json"}
    runs = {out / "snn", out / "ann"}
    own = pages | runs | {folder / name for folder in runs for name in RUN_FILES}
    own |= {entry for folder in runs for entry in (folder / "last").glob("*")}
    foreign = {str(entry.relative_to(out)) for entry in out.rglob("*") if entry not in own}
    if foreign:
        raise ConfigError(f"{out} holds other things too ({', '.join(sorted(foreign)[:3])}). Choose another --out.")
    if not overwrite:
        raise ConfigError(f"{out} exists already. Choose another --out, or add --overwrite to replace that demo.")
    shutil.rmtree(out)
