"""The report of a run: what its folder says, plus pictures of a few of its test clips."""

from collections.abc import Mapping
from datetime import date as calendar_date
from pathlib import Path

import torch
from torch import Tensor, nn

from conversion.graph import SpikingGraph
from hardware.backends.fixed_point import FixedPointBackend
from hardware.report import Report, write_report
from hardware.report.parts import Latency, Meta, raster_of
from hardware.target import TARGETS
from snnface import __version__
from snnface.app.catalog import representation_of
from snnface.app.deployment import Deployment
from snnface.app.deployment_tables import parity_table, step_table
from snnface.app.evaluation import Scores, TestResult
from snnface.app.experiment import Experiment
from snnface.app.prepared_network import Prepared, integer_counts, prepare
from snnface.app.recipes import Recipe
from snnface.app.reported_answers import reported_answers
from snnface.app.run import weights_hash
from snnface.config import from_json, to_json
from snnface.errors import CheckpointError, ConfigError
from snnface.files import read_text
from snnface.spiking.neurons import SpikingNeuron

__all__ = ["NOT_COUNTED", "read_deployment", "report_of", "report_run", "split_of"]

NOT_COUNTED = ("making pictures out of events", "the host's mean over time")


def read_deployment(folder: Path) -> Deployment:
    """What `deploy_run` wrote.

    Raises:
        CheckpointError: if the run has not been deployed, was by another version, or has other weights since.
    """
    path = folder / "deployment.json"
    if not path.is_file():
        raise CheckpointError(f"{folder} holds no deployment.json; run `snnface deploy {folder}` first.")
    try:
        deployment = from_json(Deployment, read_text(path))
    except ConfigError as error:
        raise CheckpointError(
            f"{path} was written by another version of snnface or is damaged ({error}) Run `snnface deploy {folder}`."
        ) from error
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
    partners: Mapping[str, Scores] | None = None,
) -> Path:
    """Write the page of one spiking run beside its baselines; returns the path of its JSON twin. See `report_of`."""
    report = report_of(experiment, model, results, deployment, answers, date=date, partners=partners)
    return write_report(report, path)


def report_of(
    experiment: Experiment,
    model: nn.Module,
    results: Mapping[str, TestResult],
    deployment: Deployment,
    answers: Mapping[str, Tensor],
    *,
    date: str = "",
    partners: Mapping[str, Scores] | None = None,
) -> Report:
    """The report of one spiking run beside its baselines.

    Args:
        results: recipe name -> result; the first is the spiking run's own.
        answers: of the spiking run to its test clips, see `read_answers`.
        date: for the provenance, given by the caller; today's if empty.
        partners: name -> scores of baselines in fewer bits, see `partner_scores`.

    Raises:
        UnsupportedLayerError: if the report has no form for the answers of the recipe's first task.
    """
    recipe = experiment.recipe
    judged = reported_answers(experiment, results, deployment, answers, partners or {})
    prepared = prepare(model, recipe, target=TARGETS[deployment.target], percentiles=deployment.percentiles)
    first = experiment.samples(experiment.split.test)[0]
    backend = FixedPointBackend()
    inputs = integer_counts(first.inputs[:, None].numpy(), prepared.target)
    run = backend.run(backend.compile(prepared.quantized.graph, prepared.target), inputs)
    return Report(
        title=f"{recipe.name}: {judged.what} from events to the chip",
        data=experiment.dataset.name,
        is_synthetic=experiment.dataset.is_synthetic,
        verdict=f"{judged.verdict}; {_referee(deployment)}.",
        provenance={
            "source": recipe.source,
            "seed": recipe.seed,
            "torch": torch.__version__,
            "date": date or calendar_date.today().isoformat(),
        },
        meta=_meta(recipe, model, prepared, deployment, len(first.inputs)),
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
        parity=(parity_table(deployment.parity),),
        quantisation=deployment.quantized,
        rounding=(step_table(deployment.steps),),
        chip_fits=deployment.fits,
        not_counted=NOT_COUNTED,
        warnings=_warnings(deployment),
    )


def split_of(recipe: Recipe) -> str:
    """The part of the data that a run is judged on, in words."""
    return f"test subjects of {type(recipe.split).__name__.removesuffix('Config')} {_values(recipe.split)}"


def _meta(recipe: Recipe, model: nn.Module, prepared: Prepared, deployment: Deployment, num_steps: int) -> Meta:
    neurons = [module.config for module in model.modules() if isinstance(module, SpikingNeuron)]
    kinds = sorted({f"{neuron.kind} (threshold {neuron.threshold:g})" for neuron in neurons})
    target = prepared.target
    bits = prepared.quantized.graph.input_bits
    events = "binary events" if bits == 0 else f"event counts of {bits} bits"
    step_ms = representation_of(recipe).step_us / 1000
    return Meta(
        model=recipe.name,
        weights=deployment.weights,
        split=split_of(recipe),
        num_samples=deployment.num_clips,
        num_steps=num_steps,
        encoding=f"{type(recipe.representation).__name__.removesuffix('Config')}: {events} at every {step_ms:g} ms",
        neuron=", ".join(kinds),
        reset=", ".join(sorted({f"reset {neuron.reset}" for neuron in neurons})),
        precision=f"weights of {target.weight_bits} bits, states of 24 bits ({target.name})",
        tool=f"snnface {__version__}",
    )


def _values(config: object) -> str:
    """The fields of a config, as they are written in a recipe."""
    fields = [line.strip().rstrip(",") for line in to_json(config).splitlines()[1:-1]]
    return ", ".join(field.replace('"', "") for field in fields if not field.startswith('"type"'))


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
