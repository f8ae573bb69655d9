"""The report of a run: what its folder says, plus pictures of a few of its test clips."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from conversion.graph import SpikingGraph
from hardware.backends.fixed_point import FixedPointBackend
from hardware.report import Report, write_report
from hardware.report_parts import Latency, raster_of
from hardware.target import TARGETS
from snnface import __version__
from snnface.app.catalog import representation_of
from snnface.app.deployment import Deployment, integer_counts, prepare
from snnface.app.evaluation import TestResult
from snnface.app.experiment import Experiment
from snnface.app.reported_answers import reported_answers
from snnface.app.run import weights_hash
from snnface.config import from_json
from snnface.errors import CheckpointError
from snnface.files import read_text

__all__ = ["NOT_COUNTED", "read_deployment", "report_run"]

NOT_COUNTED = ("making pictures out of events", "the host's mean over time")


def read_deployment(folder: Path) -> Deployment:
    """What `deploy_run` wrote.

    Raises:
        CheckpointError: if the run has not been deployed, or has other weights since.
    """
    path = folder / "deployment.json"
    if not path.is_file():
        raise CheckpointError(f"{folder} holds no deployment.json; run `snnface deploy {folder}` first.")
    deployment = from_json(Deployment, read_text(path))
    if deployment.weights != weights_hash(folder):
        raise CheckpointError(f"{path} belongs to other weights than {folder} has now; run `snnface deploy {folder}`.")
    return deployment


def report_run(
    experiment: Experiment,
    model: nn.Module,
    results: dict[str, TestResult],
    deployment: Deployment,
    answers: Mapping[str, Tensor],
    path: Path,
    *,
    date: str,
) -> Path:
    """Write the page of one spiking run beside its baselines; returns the path of its JSON twin.

    Args:
        results: recipe name -> result; the first is the spiking run's own.
        answers: of the spiking run to its test clips, see `read_answers`.
        date: for the provenance, given by the caller.

    Raises:
        UnsupportedLayerError: if the report has no form for the answers of the recipe's first task.
    """
    recipe = experiment.recipe
    judged = reported_answers(experiment, results, deployment, answers)
    prepared = prepare(model, recipe, target=TARGETS[deployment.target])
    first = experiment.samples(experiment.split.test)[0]
    backend = FixedPointBackend()
    inputs = integer_counts(first.inputs[:, None].numpy(), prepared.target)
    run = backend.run(backend.compile(prepared.quantized.graph, prepared.target), inputs)
    report = Report(
        title=f"{recipe.name}: {judged.what} from events to the chip",
        data=experiment.dataset.name,
        is_synthetic=experiment.dataset.is_synthetic,
        verdict=f"{judged.verdict}; {_referee(deployment)}.",
        provenance={
            "recipe": recipe.name,
            "source": recipe.source,
            "seed": recipe.seed,
            "snnface": __version__,
            "torch": torch.__version__,
            "date": date,
        },
        accuracy=judged.accuracy,
        confusion=judged.confusion,
        clips=judged.clips,
        traces=judged.traces,
        tables=judged.tables,
        raster=raster_of(run.spikes, sample=0, clip_id=first.clip_id),
        operations=deployment.operations,
        ann=deployment.baseline,
        energy=deployment.energy,
        latency=Latency(
            num_steps=len(first.inputs),
            depth=_depth(prepared.graph),
            step_us=representation_of(recipe).step_us,
        ),
        agreement=deployment.agreement,
        quantisation=deployment.quantized,
        chip_fits=deployment.fits,
        not_counted=NOT_COUNTED,
        warnings=_warnings(deployment),
    )
    return write_report(report, path)


def _depth(graph: SpikingGraph) -> int:
    return graph.depth(graph.readout.source)


def _referee(deployment: Deployment) -> str:
    lava = deployment.agreement[-1]
    if lava.not_run:
        return f"Lava was not run: {lava.not_run}"
    if not lava.is_identical:
        return f"Lava differs in {lava.num_differing:,} spikes and {lava.num_differing_states or 0:,} states"
    return f"on {lava.note} Lava gives the same {lava.num_spikes:,} spikes and final states, bit for bit"


def _warnings(deployment: Deployment) -> tuple[str, ...]:
    found = list(deployment.warnings)
    for count, what in ((deployment.num_folds, "u left its 24 bits"), (deployment.num_saturations, "v saturated")):
        if count:
            found.append(f"{what} {count:,} times on the test clips: the scale of a layer is too large")
    return tuple(found)
