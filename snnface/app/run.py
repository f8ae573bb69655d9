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
from collections.abc import Iterator
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
from snnface.errors import CheckpointError, ConfigError, DataError, DatasetNotFoundError
from snnface.faces.presence import known_faces, save_known_faces
from snnface.files import read_text, write_text
from snnface.metrics.classification import (
    chance_metrics,
    classification_metrics,
    constant_answers,
    correct_at,
    subject_interval,
)
from snnface.seeding import SeedTree
from snnface.tasks.base import Loss
from snnface.training.checkpoint import epochs_done, has_state, load_state, load_weights
from snnface.training.evaluation import evaluate
from snnface.training.loop import EpochResult, Observer, TrainingState, train
from snnface.training.optim import TrainingConfig, optimiser_of, schedule_of
from snnface.training.tracking import CheckpointWriter, MetricsLog, ProgressBar

__all__ = [
    "KNOWN_FACES",
    "RUN_FILES",
    "Experiment",
    "Scores",
    "TestResult",
    "evaluate_run",
    "load_run",
    "open_experiment",
    "require_free",
    "train_run",
    "weights_hash",
]


KNOWN_FACES = "known_faces.safetensors"

RUN_FILES = (
    *("recipe.json", "environment.json", "metrics.jsonl", "model.safetensors", "last", KNOWN_FACES),
    *("evaluation.json", "model.nir", "deployment.json", "report.html", "report.json"),
)
"""All that a run folder may hold."""


@dataclass(frozen=True, slots=True, eq=False)
class Experiment:
    """A recipe with its data at hand: what training, evaluation and deployment all start from."""

    recipe: Recipe
    dataset: FaceDataset
    split: Split

    @property
    def class_names(self) -> tuple[str, ...]:
        return class_names_of(self.recipe)

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
        weights: SHA-256 of the recipe and the weights that were evaluated.
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

    def __post_init__(self) -> None:
        lengths = {len(self.clip_ids), len(self.labels), len(self.answers), self.num_clips}
        classes = {len(row) for row in self.answers}
        if len(lengths) != 1 or len(classes) != 1 or not all(0 <= label < max(classes) for label in self.labels):
            raise DataError("a test result needs one label and one row of answers for each clip; this one is damaged.")


def open_experiment(recipe: Recipe, *, cache_dir: Path | None, console: Console) -> Experiment:
    """Make or load the recipe's data and split it by subject; without a cache, recordings are made when asked for."""
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
    """Train into the folder `out`; returns the model with its best weights, on the CPU, in eval mode.

    Under `torchrun` every process trains on its share of the clips, and the first of them
    writes; the logged training loss is that of its share.

    Raises:
        ConfigError: if the folder holds a run and `resume` is off, or was made by another recipe.
        CheckpointError: if there is nothing to resume from, or it is damaged.
        NonFiniteLossError: if the loss leaves the numbers.
    """
    recipe = experiment.recipe
    config, seeds = recipe.training, SeedTree(recipe.seed)
    fabric = _fabric(config)
    torch.manual_seed(seeds.seed("weights"))
    model = fabric.to_device(model_of(recipe, len(experiment.class_names)))
    optimiser = optimiser_of(model, config)
    state = TrainingState(model, optimiser, schedule_of(optimiser, config))
    if fabric.is_global_zero:
        _claim_folder(out, recipe, resume=resume)
    fabric.barrier()
    # A run that was killed in its first epoch has no state yet: it starts again.
    if resume and has_state(out / "last"):
        load_state(state, out / "last")
    task = task_of(recipe, len(experiment.class_names))
    seeding = _SeedEpochs(seeds, fabric.global_rank)
    observers: list[Observer] = [seeding]
    bar = ProgressBar(console, label=recipe.name, num_epochs=config.num_epochs, metric=task.selection_metric)
    if fabric.is_global_zero:
        log = MetricsLog(out / "metrics.jsonl", epochs_done=state.epoch)
        observers += [log, CheckpointWriter(out), bar]
    train_samples, validation_samples = map(experiment.samples, (experiment.split.train, experiment.split.validation))
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
            validation_batches=batches(validation_samples, batch_size=config.batch_size),
            config=config,
            fabric=fabric,
            observers=observers,
        )
    if fabric.is_global_zero:
        _save_faces(train_samples, validation_samples, out / KNOWN_FACES)
    fabric.barrier()
    load_weights(model, out / "model.safetensors")
    return model.cpu().eval()


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
    recipe = from_json(Recipe, read_text(folder / "recipe.json"))
    if has_state(folder / "last") and (epoch := epochs_done(folder / "last")) < recipe.training.num_epochs:
        raise CheckpointError(
            f"the run in {folder} is not finished: {epoch} of {recipe.training.num_epochs} epochs are done. "
            f"Go on with `snnface train {recipe.name} --out {folder} --resume` and the options it was started with."
        )
    model = model_of(recipe, len(class_names_of(recipe)))
    load_weights(model, folder / "model.safetensors")
    return recipe, model.eval()


def evaluate_run(experiment: Experiment, model: nn.Module, out: Path) -> TestResult:
    """Read the test subjects, once: the result is kept in `evaluation.json` and returned from there later.

    Only other weights (a run that was resumed since) are a reason to read them again.
    """
    path, weights = out / "evaluation.json", weights_hash(out)
    if path.is_file():
        kept = from_json(TestResult, read_text(path))
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
    """SHA-256 of a run's recipe and weights: what its results belong to."""
    parts = (folder / name for name in ("recipe.json", "model.safetensors"))
    return hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()


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


def _save_faces(training: ClipSamples, held_out: ClipSamples, path: Path) -> None:
    """Where the events of the training clips lie; the validation subjects set the limit."""
    save_known_faces(known_faces(_pictures(training), _pictures(held_out)), path)


def _pictures(samples: ClipSamples) -> Iterator[Tensor]:
    """One clip at a time: a training set need not fit into memory."""
    for index in range(len(samples)):
        yield samples[index].inputs


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


def require_free(out: Path, *, resume: bool) -> None:
    """Check that a new run may be made in `out`.

    Raises:
        ConfigError: if something is there already.
    """
    if not resume and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} exists already. Choose another --out, or add --resume to go on with that run.")


def _claim_folder(out: Path, recipe: Recipe, *, resume: bool) -> None:
    text, path = to_json(recipe), out / "recipe.json"
    if resume:
        if not path.is_file():
            raise CheckpointError(f"there is no run to resume in {out}; leave out --resume to start one.")
        if to_json(from_json(Recipe, read_text(path))) != text:
            raise ConfigError(f"{out} was made with other settings; resume with those of its recipe.json.")
        return
    require_free(out, resume=False)
    write_text(path, text)
    write_text(out / "environment.json", json.dumps(_environment(), indent=2) + "\n")


def _environment() -> dict[str, str]:
    packages = ("snnface", "torch", "numpy", "numba", "lightning-fabric", "nir")
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        **{name: version(name) for name in packages},
    }
