"""What a report says of answers: accuracy class by class, or errors and traces over time."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from hardware.report.parts import AccuracyRow, ClipPicture, Confusion, Table, Trace, clip_picture, confusion_of
from hardware.target import TARGETS
from snnface.app.catalog import representation_of
from snnface.app.deployment import Deployment
from snnface.app.evaluation import Scores, TestResult
from snnface.app.experiment import Experiment
from snnface.app.tables import score_rows, selected_on
from snnface.datasets.clip import Clip
from snnface.errors import UnsupportedLayerError
from snnface.representations.histogram import ON_CHANNEL
from snnface.tasks.action_units import ActionUnitTaskConfig
from snnface.tasks.valence_arousal import DIMENSIONS, ValenceArousalTaskConfig

__all__ = ["ReportedAnswers", "reported_answers"]

NUM_PICTURES = 8
NUM_TRACES = 2


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ReportedAnswers:
    """The parts of a `Report` that depend on the task.

    Attributes:
        what: is answered, for the title.
        verdict: how good the answers are, with and without the chip, in one clause.
    """

    what: str
    verdict: str
    accuracy: tuple[AccuracyRow, ...] = ()
    confusion: Confusion | None = None
    clips: tuple[ClipPicture, ...] = ()
    traces: tuple[Trace, ...] = ()
    tables: tuple[Table, ...] = ()


def reported_answers(
    experiment: Experiment,
    results: Mapping[str, TestResult],
    deployment: Deployment,
    answers: Mapping[str, Tensor],
    partners: Mapping[str, Scores],
) -> ReportedAnswers:
    """For the head that is on the chip; metrics of all others stand in a table.

    Args:
        results: recipe name -> result, the spiking run's own first.
        answers: of the spiking run to its test clips.
        partners: name -> scores of baselines in fewer bits.

    Raises:
        UnsupportedLayerError: if the report has no form for such answers.
    """
    task = experiment.recipe.tasks[0]
    given = answers[task.target].numpy()
    if isinstance(task, ActionUnitTaskConfig):
        return _of_action_units(experiment, results, deployment, given, partners)
    if isinstance(task, ValenceArousalTaskConfig):
        return _of_valence_arousal(experiment, results, deployment, given, partners)
    raise UnsupportedLayerError(
        f"a report shows action units or valence and arousal on the chip; the first task of "
        f"{experiment.recipe.name!r} is {type(task).__name__}. See evaluation.json for its metrics."
    )


def _of_action_units(
    experiment: Experiment,
    results: Mapping[str, TestResult],
    deployment: Deployment,
    answers: np.ndarray,
    partners: Mapping[str, Scores],
) -> ReportedAnswers:
    own, names = next(iter(results.values())), experiment.class_names
    target = experiment.recipe.tasks[0].target
    clips = experiment.split.test
    labelled = [index for index, clip in enumerate(clips) if target in clip.labels]
    labels = np.array([clips[index].labels[target] for index in labelled], np.int64)
    on_chip, bits = 100 * deployment.fixed_point_scores["top1"].value, TARGETS[deployment.target].weight_bits
    others = [metric for metric in own.model if metric not in deployment.fixed_point_scores]
    return ReportedAnswers(
        what="action units",
        verdict=(
            f"{100 * own.model['top1'].value:.1f} % top-1 on {_subjects(own)} "
            f"(chance {100 * own.scores['chance']['top1'].value:.1f} %), {on_chip:.1f} % with {bits}-bit weights in "
            "fixed point"
        ),
        accuracy=_accuracy_rows(results, deployment, partners),
        confusion=confusion_of(experiment.recipe.name, names, labels, answers[labelled].argmax(axis=1)),
        clips=_pictures(
            experiment, {index: int(label) for index, label in zip(labelled, labels, strict=True)}, answers
        ),
        tables=(_score_table(results, deployment, others, partners),) if others else (),
    )


def _subjects(result: TestResult) -> str:
    unseen = "" if result.selection == "test" else "unseen "
    return f"{result.num_subjects} {unseen}subjects{selected_on(result.selection)}"


def _accuracy_rows(
    results: Mapping[str, TestResult], deployment: Deployment, partners: Mapping[str, Scores]
) -> tuple[AccuracyRow, ...]:
    own = next(iter(results.values()))

    def row(name: str, scores: Scores, note: str = "") -> AccuracyRow:
        return AccuracyRow(
            name=name,
            num_clips=own.num_clips,
            top1=scores["top1"].value,
            top1_interval=scores["top1"].interval,
            top3=scores["top3"].value,
            note=note,
        )

    rows = [row(name, result.model, f"float{selected_on(result.selection)}") for name, result in results.items()]
    rows.insert(1, row(f"{next(iter(results))} on {deployment.target}", deployment.fixed_point_scores, "fixed point"))
    rows += [row(name, scores, "rounded after training, not retrained") for name, scores in partners.items()]
    constant = own.scores["constant"]
    rows.append(row("constant answer", constant, "most frequent classes of the training subjects"))
    rows.append(row("chance", own.scores["chance"]))
    return tuple(rows)


def _pictures(experiment: Experiment, labels: Mapping[int, int], answers: np.ndarray) -> tuple[ClipPicture, ...]:
    """One clip of every class, from as many subjects as possible: the first of each in an order that rotates.

    Args:
        labels: place among the test clips -> class, of those that have one.
    """
    clips, names = experiment.split.test, experiment.class_names
    samples = experiment.samples(clips)
    subjects = sorted({clip.subject for clip in clips})
    chosen = []
    for label in range(min(len(names), NUM_PICTURES)):
        wanted = subjects[label % len(subjects)]
        of_class = [index for index, own in labels.items() if own == label]
        chosen += sorted(of_class, key=lambda index: clips[index].subject != wanted)[:1]
    return tuple(
        clip_picture(
            clips[index].clip_id,
            samples[index].inputs.numpy(),
            answers[index],
            names,
            true_label=names[labels[index]],
            on_channel=ON_CHANNEL,
        )
        for index in chosen
    )


def _of_valence_arousal(
    experiment: Experiment,
    results: Mapping[str, TestResult],
    deployment: Deployment,
    answers: np.ndarray,
    partners: Mapping[str, Scores],
) -> ReportedAnswers:
    own = next(iter(results.values()))
    on_chip, bits = deployment.fixed_point_scores["ccc"].value, TARGETS[deployment.target].weight_bits
    clips = experiment.split.test[:NUM_TRACES]
    return ReportedAnswers(
        what="valence and arousal",
        verdict=(
            f"a CCC of {own.model['ccc'].value:.3f} on {_subjects(own)} (0 for any constant), "
            f"{on_chip:.3f} with {bits}-bit weights in fixed point"
        ),
        traces=tuple(
            trace
            for clip, rows in zip(clips, answers[:NUM_TRACES], strict=True)
            for trace in _traces(experiment, clip, rows)
        ),
        tables=(_score_table(results, deployment, list(own.model), partners),),
    )


def _traces(experiment: Experiment, clip: Clip, answers: np.ndarray) -> tuple[Trace, ...]:
    """Answer and truth of both dimensions in a clip."""
    seconds = tuple(np.arange(len(answers)) * representation_of(experiment.recipe).step_us / 1e6)
    found = []
    for k, name in enumerate(DIMENSIONS):
        series = {"answer": tuple(answers[:, k].tolist())}
        truth = clip.labels.get("valence_arousal")
        if isinstance(truth, np.ndarray) and len(truth) == len(answers):
            series["truth"] = tuple(truth[:, k].tolist())
        found.append(Trace(title=f"{name} in {clip.clip_id}", seconds=seconds, series=series, unit=name))
    return tuple(found)


def _score_table(
    results: Mapping[str, TestResult], deployment: Deployment, metrics: list[str], partners: Mapping[str, Scores]
) -> Table:
    own = next(iter(results.values()))
    rows = tuple(
        (name, *(round(scores[metric].value, 4) if metric in scores else None for metric in metrics))
        for name, scores in (score_rows(results, deployment) | dict(partners)).items()
    )
    return Table(
        title="Errors on clips that training never saw",
        columns=("model", *metrics),
        rows=tuple(row for row in rows if any(cell is not None for cell in row[1:])),
        note=f"{own.num_clips} clips of {own.num_subjects} subjects; 95 % intervals stand in evaluation.json.",
    )
