"""How hard the synthetic recordings are: events an action unit, and what easy and proper classifiers make of them.

    python benchmarks/synthetic_difficulty.py [--preset faces-mini] [--folder DIR] [--num-identities N]
                                              [--folds 3] [--epochs 60] [--no-cnn]

Everyone is tested by models that never saw them (folds by subject). Event pictures are of 33 ms, frames those of
the same camera (of the RGB camera for the EVK4), both 32x32 round the resting face as the truth has it. A set
that frame differences and a linear classifier solve teaches nothing; one in which a 3D-CNN finds no more than
chance neither.

--folder keeps the recordings (and finds them again); without it they are made in a temporary folder.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ann_baselines.c3d import C3d, C3dConfig
from snnface.app.synthesis import synthesise
from snnface.datasets.clip import Clip
from snnface.datasets.recorded.recorded_faces import RecordedFaces
from snnface.datasets.samples import ClipSamples, batches
from snnface.datasets.splits import Split, subject_folds
from snnface.datasets.synthesis import preset_named
from snnface.events import Resolution
from snnface.events.emulator import EmulatorConfig
from snnface.faces.detection import FaceCrop
from snnface.faces.motion import Activation, Sway, Trajectory
from snnface.faces.motion.sway import SWAY_HZ
from snnface.faces.rendering.camera import POSE_NAMES
from snnface.faces.scene import EventCamera, Person, Scene, SceneConfig, View
from snnface.models import FaceModel, MeanOverTime, MlpHead, MlpHeadConfig
from snnface.representations import HistogramConfig, PolarityHistogram
from snnface.tasks import ActionUnitTask, ActionUnitTaskConfig
from snnface.training.evaluation import evaluate
from snnface.training.loop import TrainingState, train
from snnface.training.optim import TrainingConfig, optimiser_of, schedule_of

PICTURE = Resolution(height=32, width=32)
CROP = FaceCrop(size=32, is_moving=False)
# Of regularisation.
STRENGTHS = (1e-4, 1e-3, 1e-2)
# What a full contraction of 250 ms gives at 346x260 and contrast 0.2, and what the head's sway gives in 0.3 s.
EXPECTED = {1: 1.3e4, 12: 1.3e4, 26: 2.1e4, 45: 6e3, 7: 5e2}
EXPECTED_SWAY = 1.5e4


class Classes:
    """The clips of a set with their class alone; a `FaceDataset`, whose labels over time would only fill memory."""

    def __init__(self, faces: RecordedFaces) -> None:
        self.name, self.is_synthetic, self.class_names = faces.name, faces.is_synthetic, faces.class_names
        self.clips = tuple(
            replace(
                clip, labels={"action_unit": clip.labels["action_unit"]}, label_t_us=None, over_time=frozenset()
            )
            for clip in faces.clips
        )
        self.recording = faces.recording


def frame_change(faces: RecordedFaces, clip: Clip) -> np.ndarray:
    """The greatest change of each pixel from the first frame."""
    frames = faces.recording(clip.recording_id).frames
    assert frames is not None
    grey = frames.pixels.astype(np.float32).mean(3)
    return np.abs(grey - grey[0]).max(0).ravel()


def event_sums(faces: RecordedFaces, clip: Clip) -> np.ndarray:
    """Events of the whole clip, ON and OFF; logarithms, as counts spread over decades."""
    config = HistogramConfig(step_ms=clip.window.duration_us / 1000, resolution=PICTURE)
    return np.log1p(PolarityHistogram(config)(faces.recording(clip.recording_id), clip.window)).ravel()


def linear_accuracy(features: Mapping[str, np.ndarray], folds: Sequence[Split]) -> float:
    """Of logistic regression, over all folds; with the best strength of regularisation, in its favour."""
    scores = []
    for strength in STRENGTHS:
        right = []
        for fold in folds:
            inputs, labels = zip(
                *[(features[clip.clip_id], int(clip.labels["action_unit"])) for clip in fold.train], strict=True
            )
            model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=500))
            model.fit(np.array(inputs), labels)
            answers = model.predict(np.array([features[clip.clip_id] for clip in fold.test]))
            right += list(answers == np.array([clip.labels["action_unit"] for clip in fold.test]))
        scores.append(float(np.mean(right)))
    return max(scores)


def cnn_accuracy(cuts: Classes, folds: Sequence[Split], *, num_epochs: int) -> tuple[float, float]:
    """Of the 3D-CNN, over all folds: of the test clips, and of those that it was trained on."""
    num_classes = len(cuts.class_names["action_unit"])
    task = ActionUnitTask(ActionUnitTaskConfig(), num_classes=num_classes)
    pictures = PolarityHistogram(HistogramConfig(resolution=PICTURE, max_count=15))
    config = TrainingConfig(num_epochs=num_epochs, batch_size=8, learning_rate=1e-3)
    seen, new, count = 0.0, 0.0, 0
    for number, fold in enumerate(folds):
        torch.manual_seed(number)
        encoder = C3d(C3dConfig(channels=((16,), (32,), (64,))), in_channels=pictures.num_channels)
        head = MlpHead(MlpHeadConfig(), num_features=encoder.num_features, num_outputs=num_classes)
        model = FaceModel(encoder, MeanOverTime(), {"action_unit": head})
        optimiser = optimiser_of(model, config)
        known, test = (ClipSamples(cuts, clips, pictures) for clips in (fold.train, fold.test))
        training = batches(known, batch_size=config.batch_size, generator=torch.Generator().manual_seed(number))
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


def magnitudes(num_people: int = 5) -> Iterator[tuple[str, float, float]]:
    """(what, median events, expected) of full contractions of 250 ms and of sway, by a camera without flaws."""
    # 260 pixels for 22 cm: 104 pixels between the outer eye corners.
    camera = EventCamera(emulator=EmulatorConfig(theta_on=0.2, theta_off=0.2), view=View(eye_distance=0.4))
    bump = {"onset_us": 20_000, "apex_us": 145_000, "fall_us": 145_000, "offset_us": 270_000, "intensity": 1.0}
    moves = {
        f"AU{code}, full": (Trajectory(activations=(Activation(code=code, **bump),)), expected)
        for code, expected in EXPECTED.items()
    }
    # Yaw alone, through the middle, where it is fastest.
    amplitude = np.zeros((len(POSE_NAMES), len(SWAY_HZ)))
    amplitude[0, SWAY_HZ.index(0.5)] = 5.0
    sway = Sway(amplitude=amplitude, phase=np.full_like(amplitude, -2 * np.pi * 0.5 * 0.15))
    moves["sway of 5 deg at 0.5 Hz"] = (Trajectory(activations=(), sway=sway), EXPECTED_SWAY)
    generator = np.random.default_rng(0)
    scenes = [Scene.drawn(SceneConfig(), Person.drawn(generator), generator) for _ in range(num_people)]
    for what, (trajectory, expected) in moves.items():
        yield what, float(np.median([len(scene.events(trajectory, 300_000, camera)) for scene in scenes])), expected


def event_rows(folder: Path, camera: str) -> Iterator[tuple[str, ...]]:
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
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--no-cnn", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        report(options, options.folder or Path(temporary))
    return 0


def report(options: argparse.Namespace, folder: Path) -> None:
    """All tables of one set."""
    config = preset_named(options.preset)
    config = replace(config, num_identities=options.num_identities or config.num_identities)
    camera, grey = ("davis", "davis_frames") if "davis" in config.cameras else ("evk4", "rgb")
    start = time.perf_counter()
    synthesise(folder, config)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(
        f"{config.name}, {config.num_takes} takes of {config.num_identities} people, {config.clip_ms} ms each: "
        f"{size / 1e6:.0f} MB, {time.perf_counter() - start:.0f} s"
    )
    table(
        "a camera without flaws, 346x260, contrast 0.2",
        ("", "events", "expected"),
        [(what, f"{count:,.0f}", f"{expected:,.0f}") for what, count, expected in magnitudes()],
    )
    table(f"events of a clip, {camera}", ("", "median", "least", "most"), list(event_rows(folder, camera)))
    faces = RecordedFaces(folder, events=camera, frames=grey, crop=CROP)
    if not faces.class_names:
        return
    classes = Classes(RecordedFaces(folder, events=camera, crop=CROP))
    folds = list(subject_folds(classes.clips, num_folds=options.folds, generator=np.random.default_rng(0)))
    labels = [clip.labels["action_unit"] for clip in classes.clips]
    rows = [("chance", 1 / len(set(labels)), ""), ("constant", max(map(labels.count, labels)) / len(labels), "")]
    changes = {clip.clip_id: frame_change(faces, clip) for clip in faces.clips}
    rows.append(("frame difference, linear", linear_accuracy(changes, folds), "greatest change from the first frame"))
    sums = {clip.clip_id: event_sums(faces, clip) for clip in faces.clips}
    rows.append(("event sums, linear", linear_accuracy(sums, folds), "ON and OFF over the whole clip"))
    if not options.no_cnn:
        new, seen = cnn_accuracy(classes, folds, num_epochs=options.epochs)
        rows.append(("3D-CNN on events", new, f"{100 * seen:.0f} % of the clips that it was trained on"))
    table(
        f"accuracy on new people, {len(folds)} folds",
        ("", "%", ""),
        [(name, f"{100 * accuracy:.1f}", note) for name, accuracy, note in rows],
    )


if __name__ == "__main__":
    raise SystemExit(main())
