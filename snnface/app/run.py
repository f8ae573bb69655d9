"""A run: one recipe, trained and evaluated in one folder that explains itself.

recipe.json             what was asked for, whole
environment.json        versions and machine it ran on
metrics.jsonl           one line an epoch
model.safetensors       the weights that were chosen, by default the best on the validation subjects
last/                   the state that `--resume` goes on from
evaluation.json         the test subjects, read once, beside trivial predictors and chance
answers.safetensors     what the model answered to each of their clips
statistics.safetensors  what its scores, and those of trivial predictors, are the sums of
"""

import hashlib
import json
import os
import platform
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import torch
from lightning_fabric import Fabric
from rich.console import Console
from torch import Tensor, nn

from ann_baselines import load_pretrained
from snnface.app.answers import answer_names
from snnface.app.catalog import labels_read, model_of, representation_of, task_of
from snnface.app.experiment import Experiment
from snnface.app.recipes import Recipe
from snnface.config import from_json, to_json
from snnface.datasets.augmentation import AugmentedSamples
from snnface.datasets.samples import ClipSamples, batches
from snnface.datasets.splits import Split
from snnface.errors import CheckpointError, ConfigError, DatasetNotFoundError
from snnface.events.window import Resolution
from snnface.faces.presence import GRID, known_faces, save_known_faces
from snnface.files import read_text, write_text
from snnface.seeding import SeedTree
from snnface.spiking.kernels import kernel_report
from snnface.spiking.neurons import SpikingNeuron
from snnface.tasks.base import Loss
from snnface.training.checkpoint import epochs_done, has_state, load_state, load_weights
from snnface.training.loop import EpochResult, Observer, TrainingState, train
from snnface.training.optim import Selection, TrainingConfig, optimiser_of, schedule_of
from snnface.training.tracking import CheckpointWriter, MetricsLog, ProgressBar

__all__ = [
    "ANSWERS",
    "EVALUATION",
    "FIXED_POINT_STATISTICS",
    "KNOWN_FACES",
    "RUN_FILES",
    "STATISTICS",
    "Device",
    "device_of",
    "load_run",
    "require_choice",
    "require_free",
    "train_run",
    "weights_hash",
]

Device = Literal["auto", "cpu", "cuda"]
"""Where a model is trained and run; "auto" takes the accelerator of the machine, if there is one."""

KNOWN_FACES = "known_faces.safetensors"
EVALUATION, ANSWERS, STATISTICS = "evaluation.json", "answers.safetensors", "statistics.safetensors"
FIXED_POINT_STATISTICS = "fixed_point_statistics.safetensors"

RUN_FILES = (
    *("recipe.json", "environment.json", "metrics.jsonl", "model.safetensors", "last", KNOWN_FACES),
    *(EVALUATION, ANSWERS, STATISTICS, FIXED_POINT_STATISTICS),
    *("model.nir", "model.onnx", "deployment.json", "report.html", "report.json"),
)
"""All that a run folder may hold."""


def train_run(
    experiment: Experiment, out: Path, *, console: Console, resume: bool = False, device: Device = "auto"
) -> nn.Module:
    """Train into the folder `out`; returns the model with the weights that were chosen, on the CPU, in eval mode.

    Under `torchrun` every process trains on its share of the clips, and the first of them
    writes; the logged training loss is that of its share.

    Raises:
        ConfigError: if the folder holds a run and `resume` is off, or was made by another recipe; if the
            weights cannot be chosen as the recipe wants, or there is no such device.
        CheckpointError: if there is nothing to resume from, or it is damaged.
        NonFiniteLossError: if the loss leaves the numbers.
    """
    recipe = experiment.recipe
    config, seeds = recipe.training, SeedTree(recipe.seed)
    selection, split = config.selection, experiment.split
    require_choice(selection, split)
    fabric = _fabric(config, device)
    torch.manual_seed(seeds.seed("weights"))
    model = model_of(recipe)
    # A run that was killed in its first epoch has no state yet: it starts again.
    is_resumed = resume and has_state(out / "last")
    if not is_resumed:
        load_pretrained(model)
    model = fabric.to_device(model)
    optimiser = optimiser_of(model, config)
    state = TrainingState(model, optimiser, schedule_of(optimiser, config))
    if fabric.is_global_zero:
        _claim_folder(out, recipe, resume=resume)
    fabric.barrier()
    if is_resumed:
        load_state(state, out / "last")
    task = task_of(recipe)
    seeding = _SeedEpochs(seeds, fabric.global_rank)
    observers: list[Observer] = [seeding]
    metric, chosen_on = task.selection_metric, "test" if selection == "test" else "validation"
    judged = split.test if selection == "test" else split.validation
    bar = ProgressBar(console, label=recipe.name, num_epochs=config.num_epochs, metric=metric, chosen_on=chosen_on)
    if fabric.is_global_zero:
        log = MetricsLog(out / "metrics.jsonl", epochs_done=state.epoch, chosen_on=chosen_on)
        observers += [log, CheckpointWriter(out), bar]
    train_samples, judged_samples = experiment.samples(split.train), experiment.samples(judged)
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
            validation_batches=batches(judged_samples, batch_size=config.batch_size) if judged else None,
            config=config,
            fabric=fabric,
            observers=observers,
        )
    if fabric.is_global_zero:
        if split.validation and _is_for_recordings(recipe, model):
            _save_faces(train_samples, judged_samples, representation_of(recipe).resolution, out / KNOWN_FACES)
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


def _is_for_recordings(recipe: Recipe, model: nn.Module) -> bool:
    """Whether `snnface analyse` can show it recordings: only then must it be known what faces look like, for which all
    clips are gone through once more."""
    is_spiking = any(isinstance(module, SpikingNeuron) for module in model.modules())
    return is_spiking and recipe.task.target in answer_names(recipe)


def _save_faces(training: ClipSamples, held_out: ClipSamples, resolution: Resolution, path: Path) -> None:
    """Where the events of the training clips lie; the validation subjects set the limit.

    In pictures of fewer pixels than a layout has cells, nothing lies anywhere.
    """
    if min(resolution.height, resolution.width) >= GRID:
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


def _fabric(config: TrainingConfig, device: Device) -> Fabric:
    """One process, or as many as `torchrun` has started."""
    device_of(device)  # Fabric's own message names no option.
    per_node = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    num_nodes = int(os.environ.get("WORLD_SIZE", "1")) // per_node
    fabric = Fabric(accelerator=device, devices=per_node, num_nodes=num_nodes, precision=config.precision)
    fabric.launch()
    return fabric


def device_of(device: Device) -> torch.device:
    """The device by its choice.

    Raises:
        ConfigError: if it is not there.
    """
    has_cuda = torch.cuda.is_available()
    if device == "cuda" and not has_cuda:
        raise ConfigError("this machine has no CUDA device that torch can use; choose the device cpu, or auto.")
    return torch.device("cuda" if has_cuda and device != "cpu" else "cpu")


def require_free(out: Path, *, resume: bool) -> None:
    """Check that a new run may be made in `out`.

    Raises:
        ConfigError: if something is there already.
    """
    if not resume and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} exists already. Choose another --out, or add --resume to go on with that run.")


def require_choice(selection: Selection, split: Split) -> None:
    """Check that the weights can be chosen on clips of a split.

    Raises:
        ConfigError: if there are none to choose on, or some that nobody would look at.
    """
    if selection == "validation" and not split.validation:
        raise ConfigError(
            "the weights are chosen on validation subjects, and this split has none. Keep some of them "
            "(--split.validation-subjects 2), or take the last epoch's weights (--training.selection last)."
        )
    if selection == "test" and split.validation:
        raise ConfigError(
            f"the weights are chosen on the test subjects, so nobody looks at the {len(split.validation)} validation "
            "clips. Train on them (--split.validation-subjects 0), or choose on them (--training.selection validation)."
        )


def _claim_folder(out: Path, recipe: Recipe, *, resume: bool) -> None:
    path = out / "recipe.json"
    if resume:
        if not path.is_file():
            raise CheckpointError(f"there is no run to resume in {out}; leave out --resume to start one.")
        if from_json(Recipe, read_text(path)) != recipe:
            raise ConfigError(f"{out} was made with other settings; resume with those of its recipe.json.")
        return
    require_free(out, resume=False)
    write_text(path, to_json(recipe))
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
