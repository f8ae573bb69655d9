"""How hard the synthetic recordings are: events an action unit, and what easy and proper classifiers make of them.

    python benchmarks/synthetic_difficulty.py [--preset faces-mini] [--folder DIR] [--num-identities N]
                                              [--davis HEIGHT WIDTH] [--folds 3] [--epochs 60] [--no-networks]

Everyone is tested by models that never saw them (folds by subject). Event pictures are of 33 ms, frames those of
the same camera (of the RGB camera for the EVK4), both 32x32 round the resting face as the truth has it. A set
that frame differences and a linear classifier solve teaches nothing; one in which a 3D-CNN finds no more than
chance neither. Of sequences of expressions: valence and arousal in every step, by the mean and by linear regression.

--davis films with a DAVIS of that size and its frames in place of the preset's cameras, which is far quicker.
--folder keeps the recordings (and finds them again); without it they are made in a temporary folder.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from lightning_fabric import Fabric
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from ann_baselines.c3d import C3d, C3dConfig
from snnface.app.synthesis import synthesise
from snnface.datasets.clip import Clip, Sample
from snnface.datasets.recorded.recorded_faces import RecordedFaces
from snnface.datasets.samples import ClipSamples, batches
from snnface.datasets.splits import Split, subject_folds
from snnface.datasets.synthesis import preset_named
from snnface.events import Resolution
from snnface.faces.detection import FaceCrop
from snnface.models import FaceModel, MeanOverTime, MlpHead, MlpHeadConfig, VotingHead, VotingHeadConfig
from snnface.representations import HistogramConfig, PolarityHistogram
from snnface.spiking import ConvSnn, ConvSnnConfig
from snnface.tasks import ActionUnitTask, ActionUnitTaskConfig
from snnface.training.evaluation import evaluate
from snnface.training.loop import TrainingState, train
from snnface.training.optim import TrainingConfig, optimiser_of, schedule_of

EventCameraName = Literal["davis", "evk4"]
FrameCameraName = Literal["davis_frames", "rgb"]

PICTURE = Resolution(height=32, width=32)
CROP = FaceCrop(size=32, is_moving=False)
# Of regularisation, chosen by folds within the training people.
STRENGTHS, RIDGES, INNER_FOLDS = (1e-5, 1e-4, 1e-3, 1e-2), (1e2, 1e3, 1e4, 1e5), 3
# Pixels by which clips are moved in training.
MAX_SHIFT = 2


class Classes:
    """The clips of a set with their class alone; a `FaceDataset`, whose labels over time would only fill memory."""

    def __init__(self, faces: RecordedFaces) -> None:
        self.name, self.is_synthetic, self.class_names = faces.name, faces.is_synthetic, faces.class_names
        self.clips = tuple(
            replace(clip, labels={"action_unit": clip.labels["action_unit"]}, label_t_us=None, over_time=frozenset())
            for clip in faces.clips
        )
        self.recording = faces.recording


def frame_change(faces: RecordedFaces, clip: Clip) -> np.ndarray:
    """The greatest change of each pixel from the first frame."""
    frames = faces.recording(clip.recording_id).frames
    assert frames is not None
    grey = frames.pixels.astype(np.float32).mean(3)
    return np.abs(grey - grey[0]).max(0).ravel()


def event_sums(faces: "Classes", clip: Clip) -> np.ndarray:
    """Events of the whole clip, ON and OFF; logarithms, as counts spread over decades."""
    config = HistogramConfig(step_ms=clip.window.duration_us / 1000, resolution=PICTURE)
    return np.log1p(PolarityHistogram(config)(faces.recording(clip.recording_id), clip.window)).ravel()


def linear_accuracy(features: Mapping[str, np.ndarray], folds: Sequence[Split]) -> float:
    """Of logistic regression, over all folds; how strongly it is regularised is chosen among the training people."""
    right = []
    for fold in folds:
        strengths = {"logisticregression__C": STRENGTHS}
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
        search = GridSearchCV(model, strengths, cv=GroupKFold(INNER_FOLDS))
        search.fit(
            np.array([features[clip.clip_id] for clip in fold.train]),
            [int(clip.labels["action_unit"]) for clip in fold.train],
            groups=[clip.subject for clip in fold.train],
        )
        answers = search.predict(np.array([features[clip.clip_id] for clip in fold.test]))
        right += list(answers == np.array([clip.labels["action_unit"] for clip in fold.test]))
    return float(np.mean(right))


class ShiftedSamples(ClipSamples):
    """Clips that lie elsewhere each time, by up to `MAX_SHIFT` pixels: no crop is exact."""

    def __getitem__(self, index: int) -> Sample:
        sample = super().__getitem__(index)
        row, column = torch.randint(0, 2 * MAX_SHIFT + 1, (2,)).tolist()
        wider = nn.functional.pad(sample.inputs, (MAX_SHIFT,) * 4)
        inside = wider[:, :, row : row + PICTURE.height, column : column + PICTURE.width]
        return replace(sample, inputs=inside.contiguous())


def c3d(num_classes: int) -> FaceModel:
    """The 3D-CNN of the demo: 16, 32 and 64 maps."""
    encoder = C3d(C3dConfig(channels=((16,), (32,), (64,))), in_channels=2)
    head = MlpHead(MlpHeadConfig(), num_features=encoder.num_features, num_outputs=num_classes)
    return FaceModel(encoder, MeanOverTime(), {"action_unit": head})


def plif(num_classes: int) -> FaceModel:
    """The spiking network of the demo: 16 and 32 maps, 128 features, ten votes a class."""
    config = ConvSnnConfig(channels=(16, 32), features=(128, 10 * num_classes))
    head = VotingHead(VotingHeadConfig(), num_features=10 * num_classes, num_outputs=num_classes)
    encoder = ConvSnn(config, in_channels=2, resolution=PICTURE)
    return FaceModel(encoder, MeanOverTime(), {"action_unit": head})


# Name -> network of so many classes, learning rate.
NETWORKS: Mapping[str, tuple[Callable[[int], FaceModel], float]] = {
    "3D-CNN on events": (c3d, 2e-3),
    "PLIF conv-SNN on events": (plif, 3e-3),
}


def network_accuracy(name: str, cuts: Classes, folds: Sequence[Split], *, num_epochs: int) -> tuple[float, float]:
    """Of a network, over all folds: of the test clips, and of those that it was trained on."""
    num_classes = len(cuts.class_names["action_unit"])
    make, learning_rate = NETWORKS[name]
    task = ActionUnitTask(ActionUnitTaskConfig(), num_classes=num_classes)
    pictures = PolarityHistogram(HistogramConfig(resolution=PICTURE, max_count=15))
    config = TrainingConfig(num_epochs=num_epochs, batch_size=8, learning_rate=learning_rate)
    seen, new, count = 0.0, 0.0, 0
    for number, fold in enumerate(folds):
        torch.manual_seed(number)
        model = make(num_classes)
        optimiser = optimiser_of(model, config)
        known, test = (ClipSamples(cuts, clips, pictures) for clips in (fold.train, fold.test))
        moved = ShiftedSamples(cuts, fold.train, pictures)
        training = batches(moved, batch_size=config.batch_size, generator=torch.Generator().manual_seed(number))
        # The last weights count: no clip of the test is looked at in between.
        train(
            TrainingState(model, optimiser, schedule_of(optimiser, config)),
            task,
            train_batches=training,
            validation_batches=batches(ClipSamples(cuts, fold.train[:1], pictures), batch_size=1),
            config=config,
            fabric=Fabric(accelerator="auto", devices=1),
        )
        new += evaluate(model.cpu(), task, batches(test, batch_size=8)).metrics["top1"] * len(fold.test)
        seen += evaluate(model, task, batches(known, batch_size=8)).metrics["top1"] * len(fold.test)
        count += len(fold.test)
    return new / count, seen / count


def affect_rows(faces: RecordedFaces, folds: Sequence[Split]) -> Iterator[tuple[str, ...]]:
    """Errors of valence and arousal in every step, on new people: the mean, and linear regression on event pictures."""
    pictures = PolarityHistogram(HistogramConfig(resolution=PICTURE, max_count=15))
    steps = {
        clip.clip_id: affect_features(pictures(faces.recording(clip.recording_id), clip.window)) for clip in faces.clips
    }
    truth: list[np.ndarray] = []
    guess: dict[str, list[np.ndarray]] = {"mean of the training people": [], "event pictures, linear": []}
    for fold in folds:
        labels = np.concatenate([clip.labels["valence_arousal"] for clip in fold.train])
        model = make_pipeline(StandardScaler(), Ridge())
        search = GridSearchCV(model, {"ridge__alpha": RIDGES}, cv=GroupKFold(INNER_FOLDS))
        search.fit(
            np.concatenate([steps[clip.clip_id] for clip in fold.train]),
            labels,
            groups=[clip.subject for clip in fold.train for _ in steps[clip.clip_id]],
        )
        for clip in fold.test:
            truth.append(np.asarray(clip.labels["valence_arousal"]))
            guess["mean of the training people"].append(np.repeat(labels.mean(0)[None], len(truth[-1]), 0))
            guess["event pictures, linear"].append(search.predict(steps[clip.clip_id]))
    wanted = np.concatenate(truth)
    for name, answers in guess.items():
        given = np.concatenate(answers)
        for k, what in enumerate(("valence", "arousal")):
            yield name, what, *(f"{value:.3f}" for value in agreement(wanted[:, k], given[:, k]))


def affect_features(pictures: np.ndarray) -> np.ndarray:
    """[T, C, H, W] counts -> [T, D]: a step's events, and those of the last second or so, which fade."""
    now = np.log1p(pictures.reshape(len(pictures), 2, 8, 4, 8, 4).sum((3, 5))).reshape(len(pictures), -1)
    past = np.zeros_like(now)
    for step in range(1, len(now)):
        past[step] = 0.95 * past[step - 1] + now[step - 1]
    return np.hstack([now, past])


def agreement(wanted: np.ndarray, given: np.ndarray) -> tuple[float, float, float]:
    """Root mean square error, Pearson's correlation, concordance (0 both where an answer never changes)."""
    covariance = float(np.mean((wanted - wanted.mean()) * (given - given.mean())))
    spread = float(wanted.std() * given.std())
    apart = float(wanted.var() + given.var() + (wanted.mean() - given.mean()) ** 2)
    error = float(np.sqrt(np.mean((wanted - given) ** 2)))
    return error, covariance / spread if spread > 1e-9 else 0.0, 2 * covariance / apart


def event_rows(folder: Path, camera: EventCameraName) -> Iterator[tuple[str, ...]]:
    """Events of the clips of each unit: median, least, most."""
    faces = RecordedFaces(folder, events=camera)
    counts: dict[int, list[int]] = {}
    for clip in faces.clips:
        num_events = len(faces.recording(clip.recording_id).required_events())
        counts.setdefault(int(clip.labels.get("action_unit", 0)), []).append(num_events)
    names = faces.class_names.get("action_unit", ("all",))
    for index, of_unit in sorted(counts.items()):
        yield names[index], f"{np.median(of_unit):,.0f}", f"{min(of_unit):,}", f"{max(of_unit):,}"


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their cells."""
    widths = [max(len(row[k]) for row in (header, *rows)) for k in range(len(header))]
    print(f"\n{title}")
    for row in (header, *rows):
        print(
            "  "
            + "  ".join(
                cell.ljust(width) if k == 0 else cell.rjust(width)
                for k, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
        )


def main() -> int:
    """Make the set, or find it, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="faces-mini")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--num-identities", type=int)
    parser.add_argument("--davis", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--no-networks", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        report(options, options.folder or Path(temporary))
    return 0


def report(options: argparse.Namespace, folder: Path) -> None:
    """All tables of one set."""
    config = preset_named(options.preset)
    config = replace(config, num_identities=options.num_identities or config.num_identities)
    if options.davis:
        height, width = options.davis
        config = replace(config, cameras=("davis", "davis_frames"), davis=Resolution(height=height, width=width))
    camera: EventCameraName = "davis" if "davis" in config.cameras else "evk4"
    grey: FrameCameraName = "davis_frames" if camera == "davis" else "rgb"
    start = time.perf_counter()
    synthesise(folder, config)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(
        f"{config.name}, {config.num_takes} takes of {config.num_identities} people, {config.clip_ms} ms each: "
        f"{size / 1e6:.0f} MB, {time.perf_counter() - start:.0f} s"
    )
    counts = ("median", "least", "most")
    table(f"events of a clip, {camera}", ("", *counts), list(event_rows(folder, camera)))
    only_events = RecordedFaces(folder, events=camera, crop=CROP)
    folds = list(subject_folds(only_events.clips, num_folds=options.folds, generator=np.random.default_rng(0)))
    if not only_events.class_names:
        table(
            f"valence and arousal of new people, every 33 ms, {len(folds)} folds",
            ("", "", "RMSE", "PCC", "CCC"),
            list(affect_rows(only_events, folds)),
        )
        return
    with_frames = RecordedFaces(folder, events=camera, frames=grey, crop=CROP)
    print(f"\naccuracy on new people, {len(folds)} folds, %")
    num_epochs = None if options.no_networks else options.epochs
    # The networks take minutes: each row as it comes.
    for name, accuracy, note in accuracy_rows(with_frames, Classes(only_events), folds, num_epochs):
        print(f"  {name:28}{100 * accuracy:6.1f}  {note}", flush=True)


def accuracy_rows(
    faces: RecordedFaces, classes: Classes, folds: Sequence[Split], num_epochs: int | None
) -> Iterator[tuple[str, float, str]]:
    """(what, share that is right, note) of every classifier, the simplest first; networks where epochs are given."""
    labels = [clip.labels["action_unit"] for clip in classes.clips]
    yield "chance", 1 / len(set(labels)), ""
    yield "constant", max(map(labels.count, labels)) / len(labels), ""
    changes = {clip.clip_id: frame_change(faces, clip) for clip in faces.clips}
    yield "frame difference, linear", linear_accuracy(changes, folds), "greatest change from the first frame"
    sums = {clip.clip_id: event_sums(classes, clip) for clip in classes.clips}
    yield "event sums, linear", linear_accuracy(sums, folds), "ON and OFF over the whole clip"
    for name in NETWORKS if num_epochs else ():
        new, seen = network_accuracy(name, classes, folds, num_epochs=num_epochs or 0)
        yield name, new, f"{100 * seen:.0f} % of the clips that it was trained on"


if __name__ == "__main__":
    raise SystemExit(main())
