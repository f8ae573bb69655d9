"""What is asked of a trained network beyond its task: emotions of another data set, and what an answer costs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from statistics import fmean

import torch
from rich.console import Console
from torch import Tensor, nn

from hardware.counts.ann_operations import AnnOperations, count_ann_operations
from snnface.app.cross_validation import fold_folder
from snnface.app.deployment import deploy_run
from snnface.app.emotion_transfer import emotion_faces, transfer_emotions
from snnface.app.evaluation import (
    joined_statistics,
    load_statistics,
    read_subjects,
    scores_of_clips,
    write_statistics,
)
from snnface.app.experiment import Experiment, open_experiment
from snnface.app.filmed_faces import FilmedFacesConfig
from snnface.app.real_data import with_data
from snnface.app.reproduction.converted import converted
from snnface.app.reproduction.plan import PlannedRun, ReproduceConfig, settings_hash
from snnface.app.reproduction.record import read_record
from snnface.app.reproduction.table import Further
from snnface.app.run import FIXED_POINT_STATISTICS, load_run
from snnface.config import from_json, to_json
from snnface.datasets.picture_samples import REFERENCE
from snnface.datasets.protocols import OfficialSplitConfig, SplitConfig
from snnface.errors import ConfigError
from snnface.files import read_text, write_text
from snnface.spiking.neurons import SpikingNeuron
from snnface.tasks.reconstruction import ReconstructionTaskConfig
from snnface.tasks.scoring import Measure

__all__ = ["CONVERSION_STATISTICS", "FurtherScores", "further_scores"]

# Of people who show emotions, half to make templates of and half to be told.
EMOTION_PEOPLE, EMOTION_TEST_PEOPLE = 10, 5
# Every clip of a set costs a conventional network the same, but for products with zero.
COUNTED_CLIPS = 4

CONVERSION_STATISTICS = "conversion_statistics.safetensors"
"""How a converted network's answers were judged, beside its run's."""
# Where a network's answers that were judged are kept, and what stands before their metrics' names.
STATISTICS_OF: Mapping[Further, tuple[str, str]] = {
    "operations": (FIXED_POINT_STATISTICS, "integers "),
    "conversion": (CONVERSION_STATISTICS, ""),
}


@dataclass(frozen=True, kw_only=True)
class FurtherScores:
    """Predictor -> metric -> value, "model" first; and what could not be counted."""

    scores: Mapping[str, Mapping[str, Measure]]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FoldCosts:
    """Of one fold's network: operation -> how many a clip, and what could not be counted."""

    costs: Mapping[str, float]
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
    """What is asked of the networks of all folds, or, of another set's emotions, of the first's, with a note if there
    are others. Kept beside each and read from there.

    Costs are means over the folds. Answers in the chip's integers, and a converted network's, are scored over
    the test clips of all folds together, as those of the networks themselves are.

    Raises:
        ConfigError: if the real data that it needs are not named.
    """
    folds = read_record(folder, run.folds).folds
    folders = [fold_folder(folder, fold) for fold in folds]
    if further == "emotion_transfer":
        found = _emotions(folders[0], config=config, cache_dir=cache_dir, console=console)
        note = f"emotion transfer: of the network of fold {folds[0]} alone."
        return found if len(folds) == 1 else replace(found, notes=(*found.notes, note))
    ask = _operations if further == "operations" else _conversion
    asked = [_kept(further, ask, place, cache_dir=cache_dir, console=console) for place in folders]
    scores = {name: Measure(fmean(fold.costs[name] for fold in asked)) for name in asked[0].costs}
    file, prefix = STATISTICS_OF[further]
    if (folders[0] / file).is_file():
        statistics = joined_statistics([load_statistics(place / file) for place in folders])["model"]
        judged = scores_of_clips(run.recipe, statistics, read_subjects(folders))
        scores |= {f"{prefix}{name}": measure for name, measure in judged.items()}
    notes = dict.fromkeys(note for fold in asked for note in fold.notes)
    if len(folds) > 1:
        notes[f"{further}: costs are means over the networks of {len(folds)} folds."] = None
    return FurtherScores(scores={"model": scores}, notes=tuple(notes))


def _kept(
    further: Further,
    ask: Callable[[Experiment, nn.Module, Path, Console], FoldCosts],
    folder: Path,
    *,
    cache_dir: Path,
    console: Console,
) -> FoldCosts:
    path = folder / f"{further}_costs.json"
    if path.is_file():
        return from_json(FoldCosts, read_text(path))
    recipe, model = load_run(folder)
    found = ask(open_experiment(recipe, cache_dir=cache_dir, console=console), model, folder, console)
    write_text(path, to_json(found))
    return found


def _emotions(folder: Path, *, config: ReproduceConfig, cache_dir: Path, console: Console) -> FurtherScores:
    """Accuracy of each label, under its name."""
    recipe, model = load_run(folder)
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
    # Other emotions to be told are another question.
    path = folder / f"emotion_transfer-{settings_hash(shown)}.json"
    if path.is_file():
        return from_json(FurtherScores, read_text(path))
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
    transferred = FurtherScores(scores=scores, notes=tuple(notes))
    write_text(path, to_json(transferred))
    return transferred


def _operations(experiment: Experiment, model: nn.Module, folder: Path, console: Console) -> FoldCosts:
    """Operations of one inference; of a spiking network those in the integers of the chip, whose answers are judged."""
    if not any(isinstance(module, SpikingNeuron) for module in model.modules()):
        counted = _counted(experiment, model)
        return FoldCosts(costs={"macs": float(counted.total("dense").mean)}, notes=counted.warnings)
    deployment = deploy_run(experiment, model, folder, console=console)
    totals = deployment.operations.totals
    return FoldCosts(
        costs={name: totals[name].mean for name in ("synops", "macs", "spikes")}, notes=deployment.warnings
    )


def _conversion(experiment: Experiment, model: nn.Module, folder: Path, console: Console) -> FoldCosts:
    found = converted(experiment, model)
    write_statistics({"model": found.judged.statistics}, folder / CONVERSION_STATISTICS)
    return FoldCosts(costs=found.costs, notes=found.notes)


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
