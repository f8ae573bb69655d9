"""Run folders as reports and as rows of a comparison: what `snnface report` and `python -m hardware.report` read."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from hardware.counts.quantised_ann import quantised_ann
from hardware.energy.models import parity_bits
from hardware.report import Report
from hardware.report.comparison import ComparedRun, ComparedScore
from hardware.report.sources import ReportSource
from snnface.app.catalog import task_of
from snnface.app.deployment import Deployment
from snnface.app.evaluation import Scores, TestResult, TestScorer, evaluate_run, read_answers
from snnface.app.experiment import Experiment, open_experiment
from snnface.app.options import console_for, default_cache
from snnface.app.recipes import Recipe
from snnface.app.reporting import read_deployment, report_of, split_of
from snnface.app.run import EVALUATION, load_run, weights_hash
from snnface.app.tables import NOT_SHOWN
from snnface.config import from_json, to_json
from snnface.errors import CheckpointError
from snnface.files import read_text
from snnface.training.evaluation import predict

__all__ = ["compared_run", "open_reported_run", "partner_scores"]

CALIBRATION_CLIPS = 16


def open_reported_run(folder: Path) -> ReportSource:
    """A deployed run, for `hardware.report.sources`; its data are where `snnface` keeps them by default.

    Raises:
        CheckpointError: if it has not been deployed or evaluated.
    """
    return ReportSource(compared=compared_run(folder), report=lambda: _report(folder))


def compared_run(folder: Path) -> ComparedRun:
    """A deployed and evaluated run, from its files alone.

    Raises:
        CheckpointError: if it has not been deployed, or not been evaluated since it has these weights.
    """
    deployment, path = read_deployment(folder), folder / EVALUATION
    result = from_json(TestResult, read_text(path)) if path.is_file() else None
    if result is None or result.weights != weights_hash(folder):
        raise CheckpointError(f"{folder} has not been evaluated; run `snnface evaluate {folder}` first.")
    recipe = from_json(Recipe, read_text(folder / "recipe.json"))
    data = type(recipe.data).__name__.removesuffix("Config")
    return ComparedRun(
        name=folder.as_posix(),
        data=f"{data}, {_fingerprint(to_json(recipe.data))}",
        is_synthetic="Synthetic" in data,
        split=split_of(recipe),
        num_clips=deployment.num_clips,
        target=deployment.target,
        scores=_scores(result.model, deployment),
        operations=deployment.operations,
        energy=deployment.energy,
        fits=deployment.fits,
        agreement=deployment.agreement,
    )


def partner_scores(experiment: Experiment, name: str, baseline: nn.Module, deployment: Deployment) -> dict[str, Scores]:
    """The baseline on the test clips with weights of 8 bits, and activations of 8 and of as many as the spike counts
    carry; calibrated on training clips."""
    fair = parity_bits(max(1, round(deployment.operations.steps)))
    samples = experiment.samples(experiment.split.train[:CALIBRATION_CLIPS])
    shown = [samples[index].inputs[:, None] for index in range(len(samples))]
    found: dict[str, Scores] = {}
    for bits in dict.fromkeys((8, fair)):
        twin = quantised_ann(baseline, shown, activation_bits=bits)
        found[f"{name}, int8 weights, {bits}-bit activations"] = _judged(experiment, twin)
    return found


def _judged(experiment: Experiment, model: nn.Module) -> Scores:
    task, scorer = task_of(experiment.recipe), TestScorer(experiment)
    with torch.inference_mode():
        for batch in experiment.batches(experiment.split.test):
            scorer.add(predict(model, task, batch), batch)
    return scorer.scores()


def _report(folder: Path) -> Report:
    recipe, model = load_run(folder)
    experiment = open_experiment(recipe, cache_dir=default_cache(), console=console_for())
    results = {recipe.name: evaluate_run(experiment, model, folder)}
    answers: dict[str, Tensor] = read_answers(folder)
    return report_of(experiment, model, results, read_deployment(folder), answers)


def _scores(trained: Scores, deployment: Deployment) -> tuple[ComparedScore, ...]:
    on_chip = deployment.fixed_point_scores
    shown: Sequence[str] = [metric for metric in trained if metric not in NOT_SHOWN]
    return tuple(
        ComparedScore(
            metric=metric,
            value=trained[metric].value,
            interval=trained[metric].interval,
            on_chip=on_chip[metric].value if metric in on_chip else None,
            on_chip_interval=on_chip[metric].interval if metric in on_chip else None,
        )
        for metric in shown
    )


def _fingerprint(text: str) -> str:
    """Tells data of one kind apart by all their settings."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]
