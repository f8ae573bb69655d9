"""What is asked of a trained network beyond its task: emotions of another data set, and what an answer costs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path

import torch
from rich.console import Console
from torch import Tensor, nn

from hardware.counts.ann_operations import AnnOperations, count_ann_operations
from snnface.app.cross_validation import fold_folder
from snnface.app.deployment import deploy_run
from snnface.app.emotion_transfer import emotion_faces, transfer_emotions
from snnface.app.experiment import Experiment, open_experiment
from snnface.app.filmed_faces import FilmedFacesConfig
from snnface.app.real_data import with_data
from snnface.app.recipes import Recipe
from snnface.app.reproduction.converted import converted_scores
from snnface.app.reproduction.plan import PlannedRun, ReproduceConfig
from snnface.app.reproduction.record import read_record
from snnface.app.reproduction.table import Further
from snnface.app.run import load_run
from snnface.config import from_json, to_json
from snnface.datasets.picture_samples import REFERENCE
from snnface.datasets.protocols import OfficialSplitConfig, SplitConfig
from snnface.errors import ConfigError
from snnface.files import read_text, write_text
from snnface.spiking.neurons import SpikingNeuron
from snnface.tasks.reconstruction import ReconstructionTaskConfig
from snnface.tasks.scoring import Measure

__all__ = ["FurtherScores", "further_scores"]

# Of people who show emotions, half to make templates of and half to be told.
EMOTION_PEOPLE, EMOTION_TEST_PEOPLE = 10, 5
# Every clip of a set costs a conventional network the same, but for products with zero.
COUNTED_CLIPS = 4


@dataclass(frozen=True, kw_only=True)
class FurtherScores:
    """Predictor -> metric -> value, "model" first; and what could not be counted."""

    scores: Mapping[str, Mapping[str, Measure]]
    notes: tuple[str, ...] = ()


def further_scores(
    further: Further,
    run: PlannedRun,
    folder: Path,
    *,
    config: ReproduceConfig,
    cache_dir: Path,
    console: Console,
) -> FurtherScores:
    """What is asked of the first fold's network, with a note if there are others; kept beside it and read from there.

    Raises:
        ConfigError: if the real data that it needs are not named.
    """
    folds = read_record(folder, run.folds).folds
    path = fold_folder(folder, folds[0]) / f"{further}.json"
    if path.is_file():
        found = from_json(FurtherScores, read_text(path))
    else:
        found = _found(further, path.parent, config=config, cache_dir=cache_dir, console=console)
        write_text(path, to_json(found))
    if len(folds) == 1:
        return found
    # Whose clips they are of follows from that: the fold's own, or other people's who show emotions.
    note = f"{further.replace('_', ' ')}: of the network of fold {folds[0]} alone."
    return replace(found, notes=(*found.notes, note))


def _found(
    further: Further, folder: Path, *, config: ReproduceConfig, cache_dir: Path, console: Console
) -> FurtherScores:
    recipe, model = load_run(folder)
    if further == "emotion_transfer":
        return _emotions(recipe, model, config=config, cache_dir=cache_dir, console=console)
    experiment = open_experiment(recipe, cache_dir=cache_dir, console=console)
    if further == "operations":
        return _operations(experiment, model, folder, console=console)
    scores, notes = converted_scores(experiment, model)
    return FurtherScores(scores={"model": scores}, notes=notes)


def _emotions(
    recipe: Recipe, model: nn.Module, *, config: ReproduceConfig, cache_dir: Path, console: Console
) -> FurtherScores:
    """Accuracy of each label, under its name."""
    if isinstance(recipe.data, FilmedFacesConfig) and config.data is None:
        data = emotion_faces(recipe.data, num_identities=EMOTION_PEOPLE)
        shown = replace(recipe, data=data, split=SplitConfig(validation_subjects=0, test_subjects=EMOTION_TEST_PEOPLE))
    elif config.transfer_data is not None:
        real = with_data(recipe, config.transfer_data, dataset="nefer", allow_pickle=config.allow_pickle)
        shown = replace(real, split=OfficialSplitConfig(validation_subjects=0))
    else:
        raise ConfigError(
            "this table tests on NEFER what was trained on AFEW-VA; name NEFER's folder as --transfer-data."
        )
    experiment = open_experiment(shown, cache_dir=cache_dir, console=console)
    found = transfer_emotions(experiment, model)
    scores: dict[str, dict[str, Measure]] = {}
    notes = [
        f"emotions: {found.data}, {found.num_training_videos} videos for templates, {found.num_test_videos} of "
        f"{found.num_test_subjects} people told."
    ]
    for label, told in found.labels.items():
        for name, metrics in told.scores.items():
            scores.setdefault(name, {})[label] = metrics["top1"]
        if told.without_template:
            notes.append(f"{label}: no template of {', '.join(told.without_template)}, which are never answered.")
        if told.num_unlabelled:
            notes.append(f"{label}: {told.num_unlabelled} test videos have none and do not count.")
    return FurtherScores(scores=scores, notes=tuple(notes))


def _operations(experiment: Experiment, model: nn.Module, folder: Path, *, console: Console) -> FurtherScores:
    """Operations of one inference; of a spiking network those in the integers of the chip, and its scores there."""
    if not any(isinstance(module, SpikingNeuron) for module in model.modules()):
        counted = _counted(experiment, model)
        macs = {"macs": Measure(float(counted.total("dense").mean))}
        return FurtherScores(scores={"model": macs}, notes=counted.warnings)
    deployment = deploy_run(experiment, model, folder, console=console)
    totals = deployment.operations.totals
    found = {name: Measure(totals[name].mean) for name in ("synops", "macs", "spikes")}
    found |= {f"integers {name}": measure for name, measure in deployment.fixed_point_scores.items()}
    return FurtherScores(scores={"model": found}, notes=deployment.warnings)


def _counted(experiment: Experiment, model: nn.Module) -> AnnOperations:
    """Of the first test clips, one by one."""
    samples = experiment.samples(experiment.split.test)
    takes_reference = isinstance(experiment.recipe.task, ReconstructionTaskConfig)
    counts = []
    for index in range(min(COUNTED_CLIPS, len(samples))):
        sample = samples[index]
        shown = _WithReference(model, sample.targets[REFERENCE]) if takes_reference else model
        counts.append(count_ann_operations(shown, sample.inputs[:, None], batch_axis=1))
    return reduce(AnnOperations.combine, counts)


class _WithReference(nn.Module):
    """A model of pictures that is called with the events alone."""

    def __init__(self, model: nn.Module, reference: Tensor) -> None:
        super().__init__()
        self.model, self._reference = model, reference

    def forward(self, inputs: Tensor) -> dict[str, Tensor]:
        answers: dict[str, Tensor] = self.model(inputs, self._reference[None].to(torch.float32))
        return answers
