"""Emotions told by a network that learned valence and arousal: nothing is trained on the emotions' data."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from snnface.app.catalog import representation_of, task_of
from snnface.app.experiment import Experiment
from snnface.app.filmed_faces import FilmedFacesConfig, RecordedFolder
from snnface.app.recipes import Recipe
from snnface.datasets.clip import Clip
from snnface.datasets.padding import STEP_PRESENT
from snnface.datasets.synthesis.presets import EmotionSetConfig, SynthesisConfig
from snnface.errors import ConfigError, DataError
from snnface.metrics.classification import (
    ClassResult,
    answer_counts,
    chance_metrics,
    class_results,
    constant_answers,
)
from snnface.metrics.emotion_transfer import EmotionTemplates, emotion_templates, farthest_steps, template_answers
from snnface.seeding import SeedTree
from snnface.tasks.class_scoring import ClassScoring
from snnface.tasks.scoring import Measure, measures
from snnface.tasks.valence_arousal import ValenceArousalTaskConfig
from snnface.training.evaluation import predict

__all__ = ["LABELS", "EmotionTransfer", "LabelTransfer", "TransferVideo", "emotion_faces", "transfer_emotions"]

LABELS = ("emotion", "emotion_reported")
"""What a video was to stir or show, and what the person in it said that they felt."""

TRUTH = "valence_arousal"
"""The label with the true valence and arousal, where data have it."""


@dataclass(frozen=True, slots=True)
class TransferVideo:
    """One test video.

    Attributes:
        second: of the frame that it is told by, the one farthest from the video's mean.
        valence, arousal: the network's answer there.
    """

    video: str
    subject: str
    emotion: str
    answer: str
    second: float
    valence: float
    arousal: float


@dataclass(frozen=True, slots=True)
class LabelTransfer:
    """How well one label of the test videos is told.

    Attributes:
        scores: predictor -> metric -> value and interval over subjects; `top1` is the accuracy. "model" comes first,
            then "constant", the most frequent class of the training videos, then "truth", the same rule on the true
            valence and arousal, where data have them: more than that the rule cannot tell; last "chance".
        classes: class -> how the model fared with it.
        templates: class -> mean valence and arousal.
        without_template: classes without a training video, which are never answered.
        num_unlabelled: test videos without this label, which do not count.
        videos: the test videos that have it.
    """

    scores: Mapping[str, Mapping[str, Measure]]
    classes: Mapping[str, ClassResult]
    templates: Mapping[str, tuple[float, float]]
    without_template: tuple[str, ...] = ()
    num_unlabelled: int = 0
    videos: tuple[TransferVideo, ...] = ()


@dataclass(frozen=True, slots=True)
class EmotionTransfer:
    """What a network for valence and arousal says of emotions.

    Attributes:
        labels: label -> how well it is told.
    """

    recipe: str
    data: str
    is_synthetic: bool
    num_training_videos: int
    num_test_videos: int
    num_test_subjects: int
    labels: Mapping[str, LabelTransfer] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class _Video:
    """A recording with answers and true values in its steps; steps of padding are not among them."""

    name: str
    subject: str
    labels: Mapping[str, int]
    answers: Float[Tensor, "T 2"]
    truth: Float[Tensor, "T 2"] | None


def transfer_emotions(experiment: Experiment, model: nn.Module, *, labels: Sequence[str] = LABELS) -> EmotionTransfer:
    """Tell the emotion of every test video by templates from the training videos.

    A video is a recording: its clips, which may be windows of it, make one trace in order of time. The
    training videos are all of those that are not of a test subject: nothing is chosen on a validation part.

    Args:
        experiment: the recipe that the model was trained by, with data whose clips have emotions.
        labels: those of them that the data have are looked at.

    Raises:
        ConfigError: if the recipe answers no valence and arousal.
        DataError: if the data have none of the labels, no test video has one, or no training video.

    Source: Berlincioni et al., "Neuromorphic Valence and Arousal Estimation", sec. 5.3, table 5. Ours: of equally
    far frames the first, of equally near templates the lower class; "None", where people reported it, is a class
    like the others.
    """
    split, names = experiment.split, experiment.dataset.class_names
    known = [label for label in labels if label in names]
    if not known:
        raise DataError(
            f"{experiment.dataset.name} should have clips with {' or '.join(labels)}; its classes are of "
            f"{', '.join(sorted(names)) or 'nothing'}. Choose data with emotions."
        )
    training = list(_videos(experiment, model, (*split.train, *split.validation), known))
    test = list(_videos(experiment, model, split.test, known))
    step_s = representation_of(experiment.recipe).step_us / 1e6
    found = {
        label: _judged(label, names[label], training, test, step_s=step_s, seed=experiment.recipe.seed)
        for label in known
    }
    return EmotionTransfer(
        recipe=experiment.recipe.name,
        data=experiment.dataset.name,
        is_synthetic=experiment.dataset.is_synthetic,
        num_training_videos=len(training),
        num_test_videos=len(test),
        num_test_subjects=len({video.subject for video in test}),
        labels=found,
    )


def emotion_faces(data: FilmedFacesConfig, *, num_identities: int = 12) -> FilmedFacesConfig:
    """Synthetic people who show one emotion a take, filmed and cropped as those of `data`, and none of them.

    Raises:
        ConfigError: if `data` are recordings in a folder, whose cameras are not known.
    """
    if isinstance(data.source, RecordedFolder):
        raise ConfigError(
            f"{data.source.path} holds recordings; synthetic emotions are filmed as a synthetic set was. Give a "
            "recipe that was trained on one, or data with emotions."
        )
    shared = {each.name: getattr(data.source, each.name) for each in fields(SynthesisConfig)}
    own = {"name": "emotions", "action_units": (), "repetitions": 1, "seed": data.source.seed + 1}
    return replace(data, source=EmotionSetConfig(**{**shared, **own, "num_identities": num_identities}))


def _videos(
    experiment: Experiment, model: nn.Module, clips: tuple[Clip, ...], labels: Sequence[str]
) -> Iterator[_Video]:
    """The recordings of the clips, by their first appearance, with the model's answers to them."""
    parts: dict[str, list[tuple[Clip, Tensor, Tensor | None]]] = {}
    for clip, answers, truth in _answered(experiment, model, clips):
        parts.setdefault(clip.recording_id, []).append((clip, answers, truth))
    for name, found in parts.items():
        found.sort(key=lambda part: part[0].window.start_us)
        first = found[0][0]
        answers = torch.cat([rows for _, rows, _ in found])
        truths = [rows for _, _, rows in found if rows is not None]
        if not len(answers):
            raise DataError(f"recording {name!r} has no step to tell an emotion by; leave it out.")
        yield _Video(
            name=name,
            subject=first.subject,
            labels={label: int(first.labels[label]) for label in labels if label in first.labels},
            answers=answers,
            truth=torch.cat(truths) if len(truths) == len(found) else None,
        )


def _answered(
    experiment: Experiment, model: nn.Module, clips: tuple[Clip, ...]
) -> Iterator[tuple[Clip, Tensor, Tensor | None]]:
    """Each clip with the answers to its own steps, and the truth in them where it is known."""
    task, target = task_of(experiment.recipe), _target(experiment.recipe)
    device = next(model.parameters()).device
    waiting = iter(clips)
    with torch.inference_mode():
        for batch in experiment.batches(clips):
            rows = predict(model.eval(), task, batch.to(device))[target].transpose(0, 1).cpu()
            masks = batch.targets.get(STEP_PRESENT, torch.ones(rows.shape[:2]).bool()).bool()
            for place, (answers, mask) in enumerate(zip(rows, masks, strict=True)):
                clip, truth = next(waiting), None
                if TRUTH in clip.over_time and batch.targets[TRUTH].shape[1:] == rows.shape[1:]:
                    truth = batch.targets[TRUTH][place][mask].float()
                yield clip, answers[mask].float(), truth


def _target(recipe: Recipe) -> str:
    for task in recipe.tasks:
        if isinstance(task, ValenceArousalTaskConfig):
            return task.target
    raise ConfigError(
        f"emotions are told from valence and arousal; {recipe.name!r} answers "
        f"{', '.join(task.target for task in recipe.tasks)}. Choose a run of valence and arousal."
    )


def _judged(
    label: str, names: tuple[str, ...], training: list[_Video], test: list[_Video], *, step_s: float, seed: int
) -> LabelTransfer:
    known = [video for video in test if label in video.labels]
    if not known:
        raise DataError(f"no test video has the label {label!r}; there is nothing to tell.")
    learned = [video for video in training if label in video.labels]
    truth = _label_of(known, label)
    points, steps = _representatives([video.answers for video in known])
    templates = _templates([video.answers for video in learned], _label_of(learned, label), len(names))
    answers = {
        "model": template_answers(points, templates),
        "constant": constant_answers(_label_of(learned, label), len(names), len(known)),
    }
    if (ideal := _ideal_answers(learned, known, label, len(names))) is not None:
        answers["truth"] = ideal
    present, subjects = torch.ones(len(known), dtype=torch.bool), [video.subject for video in known]
    scoring = ClassScoring(label, num_classes=len(names))
    counts = {name: answer_counts(rows, truth, present) for name, rows in answers.items()}
    scores = {
        name: measures(scoring, rows, subjects, generator=SeedTree(seed).numpy("bootstrap"))
        for name, rows in counts.items()
    }
    told = torch.argsort(answers["model"], dim=1, descending=True, stable=True)[:, 0]
    return LabelTransfer(
        scores=scores | {"chance": {name: Measure(value) for name, value in chance_metrics(len(names)).items()}},
        classes=class_results(counts["model"].sum(0), names),
        templates={
            names[k]: (float(templates.points[k, 0]), float(templates.points[k, 1]))
            for k in range(len(names))
            if templates.present[k]
        },
        without_template=tuple(names[k] for k in range(len(names)) if not templates.present[k]),
        num_unlabelled=len(test) - len(known),
        videos=tuple(
            TransferVideo(
                video=video.name,
                subject=video.subject,
                emotion=names[video.labels[label]],
                answer=names[int(told[place])],
                second=int(steps[place]) * step_s,
                valence=float(points[place, 0]),
                arousal=float(points[place, 1]),
            )
            for place, video in enumerate(known)
        ),
    )


def _label_of(videos: Sequence[_Video], label: str) -> Int64[Tensor, " N"]:
    return torch.tensor([video.labels[label] for video in videos], dtype=torch.int64)


def _ideal_answers(learned: list[_Video], known: list[_Video], label: str, num_classes: int) -> Tensor | None:
    """What the rule tells from the true valence and arousal; None where a video has none."""
    traces = [[video.truth for video in part if video.truth is not None] for part in (learned, known)]
    if len(traces[0]) < len(learned) or len(traces[1]) < len(known):
        return None
    templates = _templates(traces[0], _label_of(learned, label), num_classes)
    return template_answers(_representatives(traces[1])[0], templates)


def _templates(traces: Sequence[Tensor], labels: Int64[Tensor, " N"], num_classes: int) -> EmotionTemplates:
    if not traces:
        raise DataError("templates are means over the training videos of a class; no training video has a label.")
    return emotion_templates(*_stacked(traces), labels, num_classes=num_classes)


def _representatives(traces: Sequence[Tensor]) -> tuple[Float[Tensor, "N 2"], Int64[Tensor, " N"]]:
    """Valence and arousal in the frame that each video is told by, and the frame's number."""
    steps = farthest_steps(*_stacked(traces))
    return torch.stack([trace[step] for trace, step in zip(traces, steps.tolist(), strict=True)]), steps


def _stacked(traces: Sequence[Tensor]) -> tuple[Float[Tensor, "N T 2"], Bool[Tensor, "N T"]]:
    """Traces of any lengths in one tensor, and which of its steps are theirs."""
    values = nn.utils.rnn.pad_sequence(list(traces), batch_first=True)
    lengths = torch.tensor([len(trace) for trace in traces])
    return values, torch.arange(values.shape[1]) < lengths[:, None]
