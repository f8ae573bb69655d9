"""A run: one recipe, trained and evaluated in one folder that explains itself.

recipe.json          what was asked for, whole
environment.json     versions and machine it ran on
metrics.jsonl        one line an epoch
model.safetensors    the weights that were best on the validation subjects
last/                the state that `--resume` goes on from
evaluation.json      the test subjects, read once, beside trivial predictors and chance
answers.safetensors  what the model answered to each of their clips
"""

import hashlib
import json
import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import torch
from lightning_fabric import Fabric
from rich.console import Console
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from snnface.app.catalog import (
    class_names_of,
    dataset_of,
    labels_read,
    model_of,
    representation_of,
    scorings_of,
    task_of,
)
from snnface.app.progress import counting_bar
from snnface.app.recipes import Recipe
from snnface.config import from_json, to_json
from snnface.datasets.augmentation import AugmentedSamples
from snnface.datasets.clip import Batch, Clip, FaceDataset
from snnface.datasets.padding import PaddedSamples
from snnface.datasets.picture_samples import PictureSamples
from snnface.datasets.samples import ClipSamples, batches
from snnface.datasets.splits import Split, split_by_subject
from snnface.errors import CheckpointError, ConfigError, DataError, DatasetNotFoundError
from snnface.faces.presence import known_faces, save_known_faces
from snnface.files import atomic_path, read_text, write_text
from snnface.seeding import SeedTree
from snnface.spiking.kernels import kernel_report
from snnface.tasks.base import Loss, Output
from snnface.tasks.reconstruction import ReconstructionTaskConfig
from snnface.tasks.scoring import Measure, Predictor, Scoring, measures, merged
from snnface.training.checkpoint import epochs_done, has_state, load_state, load_weights
from snnface.training.evaluation import predict
from snnface.training.loop import EpochResult, Observer, TrainingState, train
from snnface.training.optim import TrainingConfig, optimiser_of, schedule_of
from snnface.training.tracking import CheckpointWriter, MetricsLog, ProgressBar

__all__ = [
    "ANSWERS",
    "KNOWN_FACES",
    "RUN_FILES",
    "Experiment",
    "Scores",
    "TestResult",
    "TestScorer",
    "evaluate_run",
    "load_run",
    "open_experiment",
    "read_answers",
    "require_free",
    "train_run",
    "weights_hash",
]


KNOWN_FACES = "known_faces.safetensors"
ANSWERS = "answers.safetensors"

Scores = Mapping[str, Measure]
"""Metric -> its value, with the 95 % range over subjects."""

RUN_FILES = (
    *("recipe.json", "environment.json", "metrics.jsonl", "model.safetensors", "last", KNOWN_FACES),
    *("evaluation.json", ANSWERS, "model.nir", "deployment.json", "report.html", "report.json"),
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
        """The clips under the recipe's representation: padded in front where clips of the set differ in length."""
        pictures = representation_of(self.recipe)
        if isinstance(self.recipe.task, ReconstructionTaskConfig):
            return PictureSamples(self.dataset, clips, pictures)
        lengths = {clip.window.num_steps(pictures.step_us) for clip in self.dataset.clips}
        if len(lengths) > 1:
            return PaddedSamples(self.dataset, clips, pictures, num_steps=max(lengths))
        return ClipSamples(self.dataset, clips, pictures)

    def batches(self, clips: tuple[Clip, ...]) -> Iterator[Batch]:
        """Those samples in their order."""
        yield from batches(self.samples(clips), batch_size=self.recipe.training.batch_size)

    def label_batches(self, clips: tuple[Clip, ...]) -> Iterator[Batch]:
        """As `batches`, with pictures of no pixels where nothing but labels is needed of them: no recording is read."""
        samples = self.samples(clips)
        if type(samples) is ClipSamples:
            samples = _Unseen(self.dataset, clips, representation_of(self.recipe))
        yield from batches(samples, batch_size=self.recipe.training.batch_size)


class _Unseen(ClipSamples):
    """Clips with their labels, and as many steps of nothing as they have."""

    def _inputs(self, index: int) -> Tensor:
        return torch.zeros(self.clips[index].window.num_steps(self._representation.step_us), 1, 0, 0)


@dataclass(frozen=True, slots=True)
class TestResult:
    """What the test subjects say of a trained model.

    Attributes:
        weights: SHA-256 of the recipe and the weights that were evaluated.
        scores: predictor -> metric -> value and interval. "model" comes first, then the trivial
            predictors, which know the training clips alone ("constant", and "mean" for numbers), then
            "chance" for the metrics for which it is defined.
    """

    __test__ = False

    weights: str
    num_clips: int
    num_subjects: int
    clip_ids: tuple[str, ...]
    scores: Mapping[str, Mapping[str, Measure]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.clip_ids) != self.num_clips or not self.scores.get("model"):
            raise DataError("a test result needs a name for each clip and scores of the model; this one is damaged.")

    @property
    def model(self) -> Mapping[str, Measure]:
        return self.scores["model"]


class TestScorer:
    """Judges answers to the test clips, which come batch by batch in the order of the clips.

    Args:
        scorings: of the tasks that are judged; None: of all tasks of the recipe.
    """

    __test__ = False

    def __init__(self, experiment: Experiment, scorings: tuple[Scoring, ...] | None = None) -> None:
        self._experiment = experiment
        self._scorings = scorings_of(experiment.recipe) if scorings is None else scorings
        self._statistics: list[list[Tensor]] = [[] for _ in self._scorings]

    def add(self, output: Output, batch: Batch) -> None:
        for scoring, gathered in zip(self._scorings, self._statistics, strict=True):
            gathered.append(scoring.statistics(output, batch))

    def scores(self) -> dict[str, Measure]:
        """Every metric of every task.

        Raises:
            DataError: if no clip has a label, or not all clips were judged.
        """
        subjects = [clip.subject for clip in self._experiment.split.test]
        seed = SeedTree(self._experiment.recipe.seed)
        return merged(
            measures(scoring, torch.cat(gathered), subjects, generator=seed.numpy("bootstrap"))
            for scoring, gathered in zip(self._scorings, self._statistics, strict=True)
        )


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
    model = fabric.to_device(model_of(recipe))
    optimiser = optimiser_of(model, config)
    state = TrainingState(model, optimiser, schedule_of(optimiser, config))
    if fabric.is_global_zero:
        _claim_folder(out, recipe, resume=resume)
    fabric.barrier()
    # A run that was killed in its first epoch has no state yet: it starts again.
    if resume and has_state(out / "last"):
        load_state(state, out / "last")
    task = task_of(recipe)
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
                _augmented(experiment, train_samples),
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
        # Only now is it known which kernels ran.
        _write_environment(out, kernels=kernel_report())
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
    model = model_of(recipe)
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
    scores, answers = _test_scores(experiment, model)
    result = TestResult(
        weights=weights,
        num_clips=len(clips),
        num_subjects=len({clip.subject for clip in clips}),
        clip_ids=tuple(clip.clip_id for clip in clips),
        scores={**scores, **_chance(scorings_of(experiment.recipe))},
    )
    # Answers first: a result without them would be taken for whole.
    with atomic_path(out / ANSWERS) as temporary:
        save_file(answers, temporary)
    write_text(path, to_json(result))
    return result


def read_answers(folder: Path) -> dict[str, Tensor]:
    """What the model answered to the test clips, in the order of `TestResult.clip_ids`: target -> [N, ...].

    Raises:
        CheckpointError: if the run has not been evaluated.
    """
    if not (folder / ANSWERS).is_file():
        raise CheckpointError(f"{folder} holds no {ANSWERS}; run `snnface evaluate {folder}` first.")
    return load_file(folder / ANSWERS)


def _test_scores(experiment: Experiment, model: nn.Module) -> tuple[dict[str, Scores], dict[str, Tensor]]:
    """Scores of the model and of the trivial predictors on the test clips, read once; and the model's answers."""
    task, scorings, predictors = task_of(experiment.recipe), scorings_of(experiment.recipe), _predictors(experiment)
    scorers = {name: TestScorer(experiment) for name in ("model", *predictors)}
    answers: dict[str, list[Tensor]] = {}
    with torch.inference_mode():
        for batch in experiment.batches(experiment.split.test):
            output = predict(model.eval(), task, batch)
            scorers["model"].add(output, batch)
            for name, predictor in predictors.items():
                scorers[name].add(predictor(batch), batch)
            for scoring in scorings:
                for name, rows in scoring.answers(output).items():
                    answers.setdefault(name, []).append(rows)
    scores = {name: scorer.scores() for name, scorer in scorers.items()}
    return scores, {name: torch.cat(rows).contiguous() for name, rows in answers.items()}


def _predictors(experiment: Experiment) -> dict[str, Predictor]:
    """The trivial predictors that every task has, each with the answers to all tasks."""
    train = experiment.split.train
    of_tasks = [scoring.predictors(experiment.label_batches(train)) for scoring in scorings_of(experiment.recipe)]
    shared = [name for name in of_tasks[0] if all(name in others for others in of_tasks)]

    def joined(name: str) -> Predictor:
        return lambda batch: {target: rows for each in of_tasks for target, rows in each[name](batch).items()}

    return {name: joined(name) for name in shared}


def _chance(scorings: tuple[Scoring, ...]) -> dict[str, dict[str, Measure]]:
    values = merged(scoring.chance() for scoring in scorings)
    return {"chance": {name: Measure(value) for name, value in values.items()}} if values else {}


def weights_hash(folder: Path) -> str:
    """SHA-256 of a run's recipe and weights: what its results belong to."""
    parts = (folder / name for name in ("recipe.json", "model.safetensors"))
    return hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()


def _augmented(experiment: Experiment, samples: ClipSamples) -> ClipSamples | AugmentedSamples:
    """What is trained on: the clips, made different in each epoch where the recipe asks for it."""
    recipe = experiment.recipe
    if recipe.training.augmentation.is_off:
        return samples
    return AugmentedSamples(
        samples,
        recipe.training.augmentation,
        seeds=SeedTree(recipe.seed).child("augment"),
        class_names=experiment.dataset.class_names,
        targets=labels_read(recipe),
    )


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
    _write_environment(out)


def _write_environment(out: Path, **further: object) -> None:
    packages = ("snnface", "torch", "numpy", "numba", "lightning-fabric", "nir")
    environment = {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        **{name: version(name) for name in packages},
        **further,
    }
    write_text(out / "environment.json", json.dumps(environment, indent=2) + "\n")
