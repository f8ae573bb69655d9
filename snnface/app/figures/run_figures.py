"""What there is to see of an evaluated run: the papers' figures, by what the run answers."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float, UInt8
from torch import Tensor

from hardware.report.figures import confusion_heatmap
from snnface.app.catalog import representation_of
from snnface.app.evaluation import TestResult, read_answers
from snnface.app.experiment import Experiment
from snnface.app.figures.emotion_wheel import WheelPoint, emotion_wheel
from snnface.app.figures.face_components import MeshSample, coloured_meshes, component_maps
from snnface.app.figures.picture_grid import event_colours
from snnface.app.figures.picture_strips import PictureStrip, picture_strips
from snnface.app.figures.va_traces import VaTrace, va_traces
from snnface.app.filmed_faces import CELL, FilmedFacesConfig
from snnface.app.run import EVALUATION
from snnface.config import from_json
from snnface.datasets.clip import Clip, Sample
from snnface.datasets.padding import STEP_PRESENT
from snnface.datasets.picture_samples import PICTURE, REFERENCE
from snnface.errors import CheckpointError, DataError
from snnface.faces.components import drawn_components
from snnface.faces.procedural.face import ProceduralFace
from snnface.files import read_text
from snnface.tasks.action_units import ActionUnitTaskConfig
from snnface.tasks.face_shape import FaceShapeTaskConfig
from snnface.tasks.reconstruction import ReconstructionTaskConfig
from snnface.tasks.valence_arousal import ValenceArousalTaskConfig

__all__ = ["run_figures"]

NUM_PICTURES = 6
"""Event pictures above a trace."""

NUM_MOMENTS = 8
"""Points on the wheel of emotions."""

Answers = Mapping[str, Mapping[str, Tensor]]
"""Network -> target -> answers to the test clips."""


def run_figures(
    experiment: Experiment, folder: Path, *, beside: Mapping[str, Path] | None = None, num_clips: int = 4
) -> dict[str, go.Figure]:
    """The figures of a run, by name: "va_traces" and "emotion_wheel", "picture_strips", "coloured_meshes" and
    "component_maps", "confusion_<target>"; those that its tasks have.

    Args:
        folder: of the run, evaluated; `experiment` is that of its recipe.
        beside: name -> folder of other runs with the same test clips, shown beside it where a figure has room.
        num_clips: shown in a figure, of as many subjects as possible.

    Raises:
        CheckpointError: if a run has not been evaluated.
        DataError: if another run was tested on other clips.
    """
    result = _result(folder)
    answers: dict[str, Mapping[str, Tensor]] = {experiment.recipe.name: read_answers(folder)}
    for name, path in (beside or {}).items():
        if _result(path).clip_ids != result.clip_ids:
            raise DataError(f"{path} was tested on other clips than {folder}; show runs of one test together.")
        answers[name] = read_answers(path)
    chosen = _chosen(experiment.split.test, num_clips)
    figures: dict[str, go.Figure] = {}
    for task in experiment.recipe.tasks:
        if isinstance(task, ValenceArousalTaskConfig):
            figures["va_traces"] = va_traces([_trace(experiment, task, answers, place) for place in chosen])
            moments = _chosen(experiment.split.test, NUM_MOMENTS)
            figures["emotion_wheel"] = emotion_wheel([_moment(experiment, task, answers, place) for place in moments])
        elif isinstance(task, ReconstructionTaskConfig):
            figures["picture_strips"] = _reconstruction(experiment, task.target, answers, chosen)
        elif isinstance(task, FaceShapeTaskConfig) and isinstance(experiment.recipe.data, FilmedFacesConfig):
            figures |= _face_shape(experiment, task, answers, chosen)
        elif isinstance(task, ActionUnitTaskConfig) and task.target in result.classes:
            classes = result.classes[task.target]
            matrix = [[each.answered.get(name, 0) for name in classes] for each in classes.values()]
            figures[f"confusion_{task.target}"] = confusion_heatmap(list(classes), matrix)
    return figures


def _result(folder: Path) -> TestResult:
    if not (folder / EVALUATION).is_file():
        raise CheckpointError(f"{folder} holds no {EVALUATION}; run `snnface evaluate {folder}` first.")
    return from_json(TestResult, read_text(folder / EVALUATION))


def _chosen(clips: Sequence[Clip], num_clips: int) -> list[int]:
    """The first clip of every subject, then the second, until there are enough; in the order of the clips."""
    seen: dict[str, int] = {}
    turns = []
    for place, clip in enumerate(clips):
        turns.append((seen.get(clip.subject, 0), place))
        seen[clip.subject] = seen.get(clip.subject, 0) + 1
    return sorted(place for _, place in sorted(turns)[:num_clips])


def _trace(experiment: Experiment, task: ValenceArousalTaskConfig, answers: Answers, place: int) -> VaTrace:
    sample = experiment.samples(experiment.split.test)[place]
    truth, present = _truth(sample, task)
    return VaTrace(
        name=sample.clip_id,
        seconds=np.arange(len(truth)) * representation_of(experiment.recipe).step_us / 1e6,
        truth=truth,
        answers={name: _rows(each, task.target, place) for name, each in answers.items()},
        present=present,
        pictures=_over_time(sample.inputs.numpy()),
    )


def _moment(experiment: Experiment, task: ValenceArousalTaskConfig, answers: Answers, place: int) -> WheelPoint:
    """The step of a clip whose truth is farthest from neutral."""
    samples = experiment.samples(experiment.split.test)
    truth, present = _truth(samples[place], task)
    step = int(np.where(present, np.square(truth).sum(1), -1).argmax())
    answer = _rows(next(iter(answers.values())), task.target, place)[step]
    seconds = step * representation_of(experiment.recipe).step_us / 1e6
    return WheelPoint(
        name=f"{samples.clips[place].clip_id}, {seconds:.2f} s",
        truth=(float(truth[step, 0]), float(truth[step, 1])),
        answer=(float(answer[0]), float(answer[1])),
    )


def _truth(sample: Sample, task: ValenceArousalTaskConfig) -> tuple[Float[np.ndarray, "T 2"], np.ndarray]:
    """Valence and arousal in every step, and in which steps they are known."""
    truth = np.concatenate([_column(sample, name) for name in task.labels], axis=1)
    return truth, _present(sample, task.labels, len(truth))


def _reconstruction(experiment: Experiment, target: str, answers: Answers, chosen: Sequence[int]) -> go.Figure:
    samples = experiment.samples(experiment.split.test)
    strips = []
    for place in chosen:
        sample = samples[place]
        strips.append(
            PictureStrip(
                name=sample.clip_id,
                # All that happened from the earlier picture to the one that is wanted.
                events=event_colours(sample.inputs.numpy().sum(0)),
                reference=sample.targets[REFERENCE][0].numpy(),
                answers={name: _rows(each, target, place).squeeze(0) for name, each in answers.items()},
                truth=sample.targets[PICTURE][0].numpy(),
            )
        )
    return picture_strips(strips)


def _face_shape(
    experiment: Experiment, task: FaceShapeTaskConfig, answers: Answers, chosen: Sequence[int]
) -> dict[str, go.Figure]:
    """Faces at the step of each chosen clip whose fitted face is farthest from neutral; and the components."""
    mesh = ProceduralFace.build(CELL).mesh
    samples = experiment.samples(experiment.split.test)
    found = next(iter(answers.values()))
    components = drawn_components(mesh, num_expression=found[task.target].shape[-1]).expression
    step_us = representation_of(experiment.recipe).step_us
    moments = []
    for place in chosen:
        sample, clip = samples[place], experiment.split.test[place]
        truth = _column(sample, task.label)
        own = _present(sample, (task.label,), len(truth))
        rows = _rows(found, task.target, place)
        apart = np.square(components.offsets(truth)).sum((1, 2))
        step = int(np.where(own, apart, -1).argmax())
        t_us = clip.window.start_us + round((step + 0.5 - int((~_own_steps(sample)).sum())) * step_us)
        moments.append(
            MeshSample(
                name=f"{clip.clip_id}, {t_us / 1e6:.2f} s",
                events=event_colours(sample.inputs[step].numpy()),
                answer=rows[step] if task.per_step else rows,
                # A clip with one answer has one truth, as its loss has.
                truth=truth[step] if task.per_step else truth[own].mean(0),
                picture=_frame_at(experiment, clip, t_us),
            )
        )
    return {
        "coloured_meshes": coloured_meshes(moments, mesh, components),
        "component_maps": component_maps(mesh, components),
    }


def _rows(answers: Mapping[str, Tensor], target: str, place: int) -> np.ndarray:
    return np.asarray(answers[target][place].float().numpy())


def _column(sample: Sample, name: str) -> Float[np.ndarray, "T K"]:
    """A label over time, [T, K]."""
    if name not in sample.targets:
        raise DataError(f"clip {sample.clip_id!r} has no label {name!r} to show the truth of.")
    rows = sample.targets[name].float().numpy()
    return rows[:, None] if rows.ndim == 1 else rows


def _own_steps(sample: Sample) -> np.ndarray:
    """Which steps are the clip's own, not padding; bool [T]."""
    if STEP_PRESENT in sample.targets:
        return np.asarray(sample.targets[STEP_PRESENT].bool().numpy())
    return np.ones(len(sample.inputs), bool)


def _present(sample: Sample, names: Sequence[str], num_steps: int) -> np.ndarray:
    """Which steps have all of these labels; bool [T]."""
    present = _own_steps(sample)
    for name in names:
        mask = sample.targets.get(f"{name}_present")
        present = present if mask is None else present & mask.bool().numpy()
    if len(present) != num_steps:
        raise DataError(f"clip {sample.clip_id!r} has {num_steps} rows of labels for {len(present)} steps.")
    return present


def _over_time(inputs: Float[np.ndarray, "T C H W"]) -> UInt8[np.ndarray, "P H W 3"]:
    """The middle step of each of as many equal parts of a clip."""
    number = min(NUM_PICTURES, len(inputs))
    steps = ((np.arange(number) + 0.5) * len(inputs) / number).astype(int)
    return np.stack([event_colours(inputs[step]) for step in steps])


def _frame_at(experiment: Experiment, clip: Clip, t_us: int) -> UInt8[np.ndarray, "_ _ 3"] | None:
    """The frame nearest in time; None where the recording has none."""
    frames = experiment.dataset.recording(clip.recording_id).frames
    if frames is None or not len(frames):
        return None
    pixels = frames.pixels[int(np.abs(frames.t_us - t_us).argmin())]
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else np.asarray(pixels)
