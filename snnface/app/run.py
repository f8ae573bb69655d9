"""A run: one recipe, trained and evaluated in one folder that explains itself.

recipe.json          what was asked for, whole
environment.json     versions and machine it ran on
metrics.jsonl        one line an epoch
model.safetensors    the weights that were best on the validation subjects
last/                the state that `--resume` goes on from
evaluation.json      the test subjects, read once, with chance and constant baselines
"""

import hashlib
import json
import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch
from lightning_fabric import Fabric
from rich.console import Console
from torch import Tensor, nn

from snnface.app.catalog import class_names_of, dataset_of, model_of, representation_of, task_of
from snnface.app.progress import counting_bar
from snnface.app.recipes import Recipe
from snnface.config import from_json, to_json
from snnface.datasets.clip import Clip, FaceDataset
from snnface.datasets.samples import ClipSamples, batches
from snnface.datasets.splits import Split, split_by_subject
from snnface.errors import CheckpointError, ConfigError, DatasetNotFoundError
from snnface.files import write_text
from snnface.metrics.classification import (
    chance_metrics,
    classification_metrics,
    constant_answers,
    correct_at,
    subject_interval,
)
from snnface.seeding import SeedTree
from snnface.tasks.base import Loss
from snnface.training.checkpoint import load_state, load_weights
from snnface.training.evaluation import evaluate
from snnface.training.loop import EpochResult, TrainingState, train
from snnface.training.optim import TrainingConfig, optimiser_of, schedule_of
from snnface.training.tracking import CheckpointWriter, MetricsLog, ProgressBar

__all__ = [
    "Experiment",
    "Scores",
    "TestResult",
    "evaluate_run",
    "load_run",
    "open_experiment",
    "train_run",
    "weights_hash",
]


@dataclass(frozen=True, slots=True, eq=False)
class Experiment:
    """A recipe with its data at hand: what training, evaluation and deployment all start from."""

    recipe: Recipe
    dataset: FaceDataset
    split: Split

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.dataset.class_names[self.recipe.task.target]

    def samples(self, clips: tuple[Clip, ...]) -> ClipSamples:
        """The clips under the recipe's representation."""
        return ClipSamples(self.dataset, clips, representation_of(self.recipe))

    def labels(self, clips: tuple[Clip, ...]) -> Tensor:
        """The class index of each clip, int64 [N]."""
        return torch.tensor([int(clip.labels[self.recipe.task.target]) for clip in clips])


@dataclass(frozen=True, slots=True)
class Scores:
    """Accuracies over the test clips; `interval` is the 95 % range of top-1, drawn over subjects."""

    top1: float
    top3: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class TestResult:
    """What the test subjects say of a trained model.

    Attributes:
        weights: SHA-256 of the weights file that was evaluated.
        model, constant, chance: the model, the best constant answer of the training split, and guessing.
        clip_ids, labels, answers: clip by clip; `answers` are [N][K].
    """

    __test__ = False

    weights: str
    num_clips: int
    num_subjects: int
    model: Scores
    constant: Scores
    chance: Scores
    macro_f1: float
    clip_ids: tuple[str, ...]
    labels: tuple[int, ...]
    answers: tuple[tuple[float, ...], ...]


def open_experiment(recipe: Recipe, *, cache_dir: Path, console: Console) -> Experiment:
    """Make or load the recipe's data and split it by subject."""
    with counting_bar(console, "synthesising recordings") as on_progress:
        dataset = dataset_of(recipe, cache_dir=cache_dir, on_progress=on_progress)
        clips = dataset.clips
    split = split_by_subject(
        clips,
        validation_subjects=recipe.split.validation_subjects,
        test_subjects=recipe.split.test_subjects,
        generator=SeedTree(recipe.seed).numpy("split"),
    )
    return Experiment(recipe, dataset, split)


def train_run(experiment: Experiment, out: Path, *, console: Console, resume: bool = False) -> nn.Module:
    """Train into the folder `out`; returns the model with its best weights, in eval mode.

    Under `torchrun` every process trains on its share of the clips, and the first of them writes.

    Raises:
        ConfigError: if the folder holds a run and `resume` is off, or was made by another recipe.
        CheckpointError: if there is nothing to resume from.
        NonFiniteLossError: if the loss leaves the numbers.
    """
    recipe = experiment.recipe
    config, seeds = recipe.training, SeedTree(recipe.seed)
    fabric = _fabric(config)
    if fabric.is_global_zero:
        _claim_folder(out, recipe, resume=resume)
    fabric.barrier()
    torch.manual_seed(seeds.seed("weights"))
    model = model_of(recipe, len(experiment.class_names))
    optimiser = optimiser_of(model, config)
    state = TrainingState(model, optimiser, schedule_of(optimiser, config))
    if resume:
        load_state(state, out / "last")
    task = task_of(recipe, len(experiment.class_names))
    train_samples = experiment.samples(experiment.split.train)
    seeding = _SeedEpochs(seeds, fabric.global_rank)
    observers: list[object] = [seeding]
    bar = ProgressBar(console, label=recipe.name, num_epochs=config.num_epochs, metric=task.selection_metric)
    if fabric.is_global_zero:
        log = MetricsLog(out / "metrics.jsonl", epochs_done=state.epoch)
        observers += [log, CheckpointWriter(out), bar]
    with bar:
        train(
            state,
            task,
            train_batches=batches(
                train_samples,
                batch_size=config.batch_size,
                generator=seeding.shuffling,
                share=fabric.global_rank,
                num_shares=fabric.world_size,
            ),
            validation_batches=batches(experiment.samples(experiment.split.validation), batch_size=config.batch_size),
            config=config,
            fabric=fabric,
            observers=observers,  # type: ignore[arg-type]
        )
    fabric.barrier()
    load_weights(model, out / "model.safetensors")
    return model.eval()


def load_run(folder: Path) -> tuple[Recipe, nn.Module]:
    """The recipe and the trained model of a run folder, in eval mode.

    Raises:
        DatasetNotFoundError: if there is no such folder.
        CheckpointError: if it holds no finished run.
        ConfigError: if its recipe cannot be understood.
    """
    if not folder.is_dir():
        raise DatasetNotFoundError(f"{folder} is not a folder; name a run folder made by `snnface train`.")
    if not (folder / "recipe.json").is_file():
        raise CheckpointError(f"{folder} holds no recipe.json; name a run folder made by `snnface train`.")
    recipe = from_json(Recipe, (folder / "recipe.json").read_text(encoding="utf-8"))
    model = model_of(recipe, len(class_names_of(recipe)))
    load_weights(model, folder / "model.safetensors")
    return recipe, model.eval()


def evaluate_run(experiment: Experiment, model: nn.Module, out: Path) -> TestResult:
    """Read the test subjects, once: the result is kept in `evaluation.json` and returned from there later.

    Only other weights (a run that was resumed since) are a reason to read them again.
    """
    path, weights = out / "evaluation.json", weights_hash(out)
    if path.is_file():
        kept = from_json(TestResult, path.read_text(encoding="utf-8"))
        if kept.weights == weights:
            return kept
    clips = experiment.split.test
    result = evaluate(
        model,
        task_of(experiment.recipe, len(experiment.class_names)),
        batches(experiment.samples(clips), batch_size=experiment.recipe.training.batch_size),
    )
    answers = result.answers[experiment.recipe.task.target]
    labels = experiment.labels(clips)
    constant = constant_answers(experiment.labels(experiment.split.train), len(experiment.class_names), len(clips))
    chance = chance_metrics(len(experiment.class_names))
    test = TestResult(
        weights=weights,
        num_clips=len(clips),
        num_subjects=len({clip.subject for clip in clips}),
        model=scores_of(experiment, answers),
        constant=scores_of(experiment, constant),
        chance=Scores(chance["top1"], chance["top3"]),
        macro_f1=result.metrics["macro_f1"],
        clip_ids=result.clip_ids,
        labels=tuple(labels.tolist()),
        answers=tuple(tuple(row) for row in answers.tolist()),
    )
    write_text(path, to_json(test))
    return test


def weights_hash(folder: Path) -> str:
    """SHA-256 of a run's weights: what its results belong to."""
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def scores_of(experiment: Experiment, answers: Tensor) -> Scores:
    """Accuracies of `answers` [N, K] on the test clips."""
    clips = experiment.split.test
    labels = experiment.labels(clips)
    metrics = classification_metrics(answers, labels)
    interval = subject_interval(
        correct_at(answers, labels, 1),
        [clip.subject for clip in clips],
        generator=SeedTree(experiment.recipe.seed).numpy("bootstrap"),
    )
    return Scores(metrics["top1"], metrics["top3"], interval)


class _SeedEpochs:
    """Seeds every epoch by its number, so that a resumed run draws what an uninterrupted one would."""

    def __init__(self, seeds: SeedTree, process: int) -> None:
        self._seeds, self._process = seeds, process
        self.shuffling = torch.Generator()

    def on_epoch_start(self, state: TrainingState, num_steps: int) -> None:
        torch.manual_seed(self._seeds.seed("epoch", state.epoch) + self._process)
        self.shuffling.manual_seed(self._seeds.seed("shuffle", state.epoch))

    def on_step(self, loss: Loss) -> None:
        """Nothing to seed."""

    def on_epoch_end(self, state: TrainingState, result: EpochResult) -> None:
        """Nothing to seed."""


def _fabric(config: TrainingConfig) -> Fabric:
    """One process, or as many as `torchrun` has started."""
    per_node = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    num_nodes = int(os.environ.get("WORLD_SIZE", "1")) // per_node
    fabric = Fabric(accelerator="auto", devices=per_node, num_nodes=num_nodes, precision=config.precision)
    fabric.launch()
    return fabric


def _claim_folder(out: Path, recipe: Recipe, *, resume: bool) -> None:
    text, path = to_json(recipe), out / "recipe.json"
    if resume:
        if not path.is_file():
            raise CheckpointError(f"there is no run to resume in {out}; leave out --resume to start one.")
        if json.loads(path.read_text(encoding="utf-8")) != json.loads(text):
            raise ConfigError(f"{out} was made with other settings; resume with those of its recipe.json.")
        return
    if out.exists() and any(out.iterdir()):
        raise ConfigError(f"{out} exists already. Choose another --out, or add --resume to go on with that run.")
    write_text(path, text)
    write_text(out / "environment.json", json.dumps(_environment(), indent=2) + "\n")


def _environment() -> dict[str, str]:
    packages = ("snnface", "torch", "numpy", "numba", "lightning-fabric", "nir")
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        **{name: version(name) for name in packages},
    }
