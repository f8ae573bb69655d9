"""The report of a run: what its folder says, plus pictures of a few of its test clips."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from conversion.graph import SpikingGraph
from hardware.backends.fixed_point import FixedPointBackend
from hardware.report import Report, write_report
from hardware.report_parts import AccuracyRow, ClipPicture, Latency, clip_picture, confusion_of, raster_of
from hardware.target import TARGETS
from snnface import __version__
from snnface.app.catalog import representation_of
from snnface.app.deployment import Deployment, integer_counts, prepare
from snnface.app.run import Experiment, Scores, TestResult, weights_hash
from snnface.config import from_json
from snnface.errors import CheckpointError
from snnface.files import read_text
from snnface.representations.histogram import ON_CHANNEL

__all__ = ["NOT_COUNTED", "read_deployment", "report_run"]

NUM_PICTURES = 8

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
    path: Path,
    *,
    date: str,
) -> Path:
    """Write the page of one spiking run beside its baselines; returns the path of its JSON twin.

    Args:
        results: recipe name -> result; the first is the spiking run's own.
        date: for the provenance, given by the caller.
    """
    recipe, names = experiment.recipe, experiment.class_names
    own = results[recipe.name]
    prepared = prepare(model, recipe, target=TARGETS[deployment.target])
    first = experiment.samples(experiment.split.test)[0]
    backend = FixedPointBackend()
    inputs = integer_counts(first.inputs[:, None].numpy(), prepared.target)
    run = backend.run(backend.compile(prepared.quantized.graph, prepared.target), inputs)
    report = Report(
        title=f"{recipe.name}: action units from events to the chip",
        data=experiment.dataset.name,
        is_synthetic=experiment.dataset.is_synthetic,
        verdict=_verdict(own, deployment),
        provenance={
            "recipe": recipe.name,
            "source": recipe.source,
            "seed": recipe.seed,
            "snnface": __version__,
            "torch": torch.__version__,
            "date": date,
        },
        accuracy=tuple(_accuracy_rows(results, deployment)),
        confusion=confusion_of(recipe.name, names, np.array(own.labels), np.array(own.answers).argmax(axis=1)),
        clips=_pictures(experiment, own),
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


def _verdict(own: TestResult, deployment: Deployment) -> str:
    lava = deployment.agreement[-1]
    referee = f"on {lava.note} Lava gives the same {lava.num_spikes:,} spikes and final states, bit for bit"
    if lava.not_run:
        referee = f"Lava was not run: {lava.not_run}"
    elif not lava.is_identical:
        referee = f"Lava differs in {lava.num_differing:,} spikes and {lava.num_differing_states or 0:,} states"
    on_chip, bits = 100 * deployment.fixed_point_scores.top1, TARGETS[deployment.target].weight_bits
    return (
        f"{100 * own.model.top1:.1f} % top-1 on {own.num_subjects} unseen subjects "
        f"(chance {100 * own.chance.top1:.1f} %), {on_chip:.1f} % with {bits}-bit weights in fixed point; {referee}."
    )


def _accuracy_rows(results: dict[str, TestResult], deployment: Deployment) -> list[AccuracyRow]:
    own = next(iter(results.values()))

    def row(name: str, scores: Scores, note: str = "") -> AccuracyRow:
        return AccuracyRow(
            name=name,
            num_clips=own.num_clips,
            top1=scores.top1,
            top1_interval=scores.interval,
            top3=scores.top3,
            note=note,
        )

    rows = [row(name, result.model, "float") for name, result in results.items()]
    rows.insert(1, row(f"{next(iter(results))} on {deployment.target}", deployment.fixed_point_scores, "fixed point"))
    rows.append(row("constant answer", own.constant, "most frequent classes of the training subjects"))
    rows.append(row("chance", own.chance))
    return rows


def _pictures(experiment: Experiment, own: TestResult) -> tuple[ClipPicture, ...]:
    """One clip of every class, from as many subjects as possible: the first of each in an order that rotates."""
    clips = experiment.split.test
    samples = experiment.samples(clips)
    subjects = sorted({clip.subject for clip in clips})
    chosen = []
    for label in range(min(len(experiment.class_names), NUM_PICTURES)):
        wanted = subjects[label % len(subjects)]
        of_class = [index for index, own_label in enumerate(own.labels) if own_label == label]
        chosen += sorted(of_class, key=lambda index: clips[index].subject != wanted)[:1]
    return tuple(
        clip_picture(
            clips[index].clip_id,
            samples[index].inputs.numpy(),
            np.array(own.answers[index]),
            experiment.class_names,
            true_label=experiment.class_names[own.labels[index]],
            on_channel=ON_CHANNEL,
        )
        for index in chosen
    )


def _warnings(deployment: Deployment) -> tuple[str, ...]:
    found = list(deployment.warnings)
    for count, what in ((deployment.num_folds, "u left its 24 bits"), (deployment.num_saturations, "v saturated")):
        if count:
            found.append(f"{what} {count:,} times on the test clips: the scale of a layer is too large")
    return tuple(found)
