"""What each ingredient of training buys: accuracy on people who were never seen, spikes, time.

    python benchmarks/training_ablation.py [--preset demo] [--folder DIR] [--num-identities N] [--seeds 3]
                                           [--epochs 20] [--only NAME ...] [--threads 2] [--quick]

The PLIF conv-SNN of the demo (16 and 32 maps, 128 features, ten votes a unit, 32x32 event pictures of 33 ms)
learns the action units of a synthetic set: the demo's own, 400 clips of 25 people, or a preset's (`--preset micro`:
the people of `snnface synthesise --preset micro`). Row by row one ingredient is switched on, at the end those that
go together. Seed s tests on fold s of the people (so that s seeds test different people) and draws the weights; all
rows share folds, weights at the start and order of clips. The last weights count: no clip of the test is looked at
in between. Printed is a Markdown table: mean and standard deviation over the seeds of top-1 and top-3 (%), the
mean difference in top-1 to the row "base" with its standard error (the seeds are pairs), top-1 of the network in the
integers of the chip (8-bit weights, 12-bit decay), spikes per clip, and seconds of training.

`--quick` makes a few small clips of four people and trains for 3 epochs: it shows that every row runs, no more.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric

from snnface.app.synthesis import synthesise
from snnface.datasets.augmentation import AugmentationConfig, AugmentedSamples
from snnface.datasets.clip import Clip, FaceDataset, Sample
from snnface.datasets.recorded.recorded_faces import RecordedFaces
from snnface.datasets.samples import ClipSamples, batches
from snnface.datasets.splits import Split, subject_folds
from snnface.datasets.synthesis import preset_named
from snnface.datasets.synthetic import SyntheticFaces, SyntheticFacesConfig
from snnface.events import Resolution
from snnface.faces.detection import FaceCrop
from snnface.models import FaceModel, MlpHead, MlpHeadConfig, VotingHead, VotingHeadConfig
from snnface.models.temporal import EveryStep, MeanOverTime
from snnface.representations import HistogramConfig, PolarityHistogram
from snnface.seeding import SeedTree
from snnface.spiking import ConvSnn, ConvSnnConfig, record_activity
from snnface.spiking.quantised_layers import quantised_layers
from snnface.tasks import ActionUnitTask, ActionUnitTaskConfig, Loss
from snnface.training import EpochResult, TrainingConfig, TrainingState, evaluate, optimiser_of, schedule_of, train

SIZE = 32
PICTURES = PolarityHistogram(HistogramConfig(resolution=Resolution(height=SIZE, width=SIZE), max_count=15))
TARGET = "action_unit"


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What a row changes: fields of the training and task configs, the head, the temporal part."""

    training: Mapping[str, Any] = field(default_factory=dict)
    task: Mapping[str, Any] = field(default_factory=dict)
    is_linear: bool = False
    every_step: bool = False


def _augmented(**options: Any) -> Variant:
    return Variant(training={"augmentation": AugmentationConfig(**options)})


AUGMENTATION = {"flip": 0.5, "max_shift": 2, "max_event_drop": 0.3, "max_time_jitter": 3}
LOGITS: dict[str, Any] = {"loss": "cross_entropy"}

# Epochs as shares of all: they are filled in for the length that is asked for.
VARIANTS: Mapping[str, Variant] = {
    "base": Variant(),
    "warm-up": Variant(training={"warmup_epochs": 0.1}),
    "gradient clipping": Variant(training={"max_gradient_norm": 0.1}),
    "constant rate (no cosine)": Variant(training={"schedule": "constant"}),
    "label smoothing": Variant(task={"label_smoothing": 0.1}),
    "linear readout, cross-entropy": Variant(task=LOGITS, is_linear=True),
    "linear readout, loss of every step (TET)": Variant(
        task={**LOGITS, "tet_lambda": 0.05}, is_linear=True, every_step=True
    ),
    "spike budget (5 %)": Variant(training={"rate_weight": 0.1, "rate_target": 0.05}),
    "flip": _augmented(flip=0.5),
    "shift": _augmented(max_shift=2),
    "event drop": _augmented(max_event_drop=0.3),
    "time jitter": _augmented(max_time_jitter=3),
    "polarity swap": _augmented(polarity_swap=0.5),
    "flip, shift, drop, jitter": _augmented(**AUGMENTATION),
    "mixup": Variant(training={"mixup_alpha": 0.2}),
    "bfloat16": Variant(training={"precision": "bf16-mixed"}),
    "quantisation-aware": Variant(training={"quantisation_aware_epochs": 0.2}),
    "all together": Variant(
        training={
            "warmup_epochs": 0.1,
            "max_gradient_norm": 1.0,
            "rate_weight": 0.1,
            "rate_target": 0.05,
            "quantisation_aware_epochs": 0.2,
            "augmentation": AugmentationConfig(**AUGMENTATION),
        },
        task={**LOGITS, "label_smoothing": 0.1, "tet_lambda": 0.05},
        is_linear=True,
        every_step=True,
    ),
}


@dataclass(frozen=True)
class Result:
    """Of one run: shares of the test clips that are right, spikes a clip, seconds."""

    top1: float
    top3: float
    integer_top1: float
    spikes: float
    seconds: float


class Part(ClipSamples):
    """Some clips of samples that are made once for all folds."""

    def __init__(self, whole: ClipSamples, clips: Sequence[Clip]) -> None:
        places = {clip.clip_id: index for index, clip in enumerate(whole.clips)}
        self.clips = tuple(clips)
        self._whole, self._places = whole, [places[clip.clip_id] for clip in clips]

    def __getitem__(self, index: int) -> Sample:
        sample = self._whole[self._places[index]]
        return replace(sample, targets={TARGET: sample.targets[TARGET]})


class SeededEpochs:
    """Every epoch's dropout and order by its number, the same for all rows."""

    def __init__(self, seeds: SeedTree) -> None:
        self._seeds, self.shuffling = seeds, torch.Generator()

    def on_epoch_start(self, state: TrainingState, num_steps: int) -> None:
        torch.manual_seed(self._seeds.seed("epoch", state.epoch))
        self.shuffling.manual_seed(self._seeds.seed("shuffle", state.epoch))

    def on_step(self, loss: Loss) -> None: ...

    def on_epoch_end(self, state: TrainingState, result: EpochResult) -> None: ...


def model_of(variant: Variant, num_classes: int) -> FaceModel:
    """The demo's network, with ten votes a class or a linear readout."""
    encoder = ConvSnn(
        ConvSnnConfig(channels=(16, 32), features=(128, 10 * num_classes)),
        in_channels=2,
        resolution=PICTURES.resolution,
    )
    sizes = {"num_features": encoder.num_features, "num_outputs": num_classes}
    head: MlpHead | VotingHead = (
        MlpHead(MlpHeadConfig(), **sizes) if variant.is_linear else VotingHead(VotingHeadConfig(), **sizes)
    )
    return FaceModel(encoder, EveryStep() if variant.every_step else MeanOverTime(), {TARGET: head})


def training_of(variant: Variant, num_epochs: int) -> TrainingConfig:
    """The config of a row, its epochs counted."""
    options = dict(variant.training)
    for name in ("warmup_epochs", "quantisation_aware_epochs"):
        if name in options:
            options[name] = max(round(options[name] * num_epochs), 1)
    return TrainingConfig(num_epochs=num_epochs, batch_size=8, learning_rate=3e-3, **options)


def one_run(
    variant: Variant, samples: ClipSamples, fold: Split, dataset: FaceDataset, *, seed: int, epochs: int
) -> Result:
    """Train on a fold, and test the last weights on its people."""
    num_classes = len(dataset.class_names[TARGET])
    config, seeds = training_of(variant, epochs), SeedTree(seed)
    task = ActionUnitTask(ActionUnitTaskConfig(**variant.task), num_classes=num_classes)
    torch.manual_seed(seeds.seed("weights"))
    model = model_of(variant, num_classes)
    training = AugmentedSamples(
        Part(samples, fold.train),
        config.augmentation,
        seeds=seeds.child("augment"),
        class_names=dataset.class_names,
        targets=(TARGET,),
    )
    optimiser, seeding = optimiser_of(model, config), SeededEpochs(seeds)
    start = time.perf_counter()
    train(
        TrainingState(model, optimiser, schedule_of(optimiser, config)),
        task,
        train_batches=batches(training, batch_size=config.batch_size, generator=seeding.shuffling),
        validation_batches=batches(Part(samples, fold.train[:1]), batch_size=1),
        config=config,
        fabric=Fabric(accelerator="cpu", devices=1, precision=config.precision),
        observers=[seeding],
    )
    seconds = time.perf_counter() - start
    test = batches(Part(samples, fold.test), batch_size=8)
    with record_activity(model) as activity:
        metrics = evaluate(model, task, test).metrics
    with quantised_layers(model):
        integer_metrics = evaluate(model, task, test).metrics
    spikes = sum(activity.num_spikes.values()) / len(fold.test)
    return Result(metrics["top1"], metrics["top3"], integer_metrics["top1"], spikes, seconds)


def row(name: str, results: Sequence[Result], base: Sequence[Result]) -> str:
    """A line of the table."""
    gains = [100 * (ours.top1 - theirs.top1) for ours, theirs in zip(results, base, strict=True)]
    error = statistics.stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else float("nan")
    cells = (
        name,
        spread([100 * result.top1 for result in results]),
        "" if results is base else f"{statistics.mean(gains):+.1f} ± {error:.1f}",
        spread([100 * result.top3 for result in results]),
        spread([100 * result.integer_top1 for result in results]),
        f"{statistics.mean(result.spikes for result in results):,.0f}",
        f"{statistics.mean(result.seconds for result in results):.0f}",
    )
    return f"| {' | '.join(cells)} |"


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation over the seeds."""
    deviation = statistics.stdev(values) if len(values) > 1 else float("nan")
    return f"{statistics.mean(values):.1f} ± {deviation:.1f}"


def report(dataset: FaceDataset, names: Sequence[str], *, seeds: int, epochs: int) -> Iterator[str]:
    """The table, line by line as rows are done."""
    samples = ClipSamples(dataset, dataset.clips, PICTURES, cache_bytes=4 << 30)
    num_people = len({clip.subject for clip in dataset.clips})
    folds = list(subject_folds(dataset.clips, num_folds=min(5, num_people), generator=np.random.default_rng(0)))
    num_classes = len(dataset.class_names[TARGET])
    yield (
        f"{dataset.name}: {len(dataset.clips)} clips of {num_people} people, {num_classes} classes "
        f"(chance {100 / num_classes:.1f} %), {epochs} epochs, {seeds} seeds, {torch.get_num_threads()} threads\n"
    )
    yield "| | top-1 % | against base | top-3 % | top-1 in integers % | spikes a clip | training s |"
    yield "|---|---|---|---|---|---|---|"
    base: list[Result] = []
    for name in dict.fromkeys(("base", *names)):
        results = [
            one_run(VARIANTS[name], samples, folds[seed % len(folds)], dataset, seed=seed, epochs=epochs)
            for seed in range(seeds)
        ]
        base = base or results
        yield row(name, results, base)


def main() -> int:
    """Make the set, or find it, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="demo", help='"demo", or a preset of `snnface synthesise`')
    parser.add_argument("--folder", type=Path, help="a set that was made before, or where to make it")
    parser.add_argument("--num-identities", type=int, help="people of a preset's set that is made")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--only", nargs="+", choices=tuple(VARIANTS), default=tuple(VARIANTS), metavar="NAME")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.quick:
        config = SyntheticFacesConfig(num_identities=4, clips_per_action_unit=1, action_units=(12, 26, 51, 52))
        dataset: FaceDataset = SyntheticFaces(config)
        print_lines(report(dataset, options.only, seeds=2, epochs=3))
        return 0
    if options.preset == "demo" and not options.folder:
        print_lines(
            report(SyntheticFaces(SyntheticFacesConfig()), options.only, seeds=options.seeds, epochs=options.epochs)
        )
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        if not (folder / "clips.csv").is_file():
            config = preset_named(options.preset)
            synthesise(folder, replace(config, num_identities=options.num_identities or config.num_identities))
        # Where nobody knows a face, the resting face of the truth says where to cut.
        faces = RecordedFaces(folder, events="davis", crop=FaceCrop(size=SIZE, is_moving=False))
        print_lines(report(faces, options.only, seeds=options.seeds, epochs=options.epochs))
    return 0


def print_lines(lines: Iterator[str]) -> None:
    """Each as it comes: a row takes minutes."""
    for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
