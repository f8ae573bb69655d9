"""What a conversion did, and how well the network answers after T steps compared with its ANN."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from conversion.calibration.fine_tuning import Task, require_labels
from conversion.calibration.samples import require_samples
from conversion.graph import SpikingGraph
from conversion.simulate import constant_input, simulate
from snnface.errors import ConfigError, DataError
from snnface.metrics.regression import moments, regression_metrics

__all__ = [
    "AnswerQuality",
    "Answers",
    "ConversionReport",
    "Runner",
    "StepQuality",
    "answer_quality",
    "answers_held",
    "falls",
    "quality_per_step",
]

_CHUNK_BYTES = 64 * 2**20
_LARGEST_FALL = 0.005


@dataclass(frozen=True, slots=True)
class AnswerQuality:
    """How right answers are; None where the task or missing labels leave nothing to say.

    Attributes:
        accuracy: share of samples whose largest answer is the label.
        rmse, ccc: of every answer, against the labels.
        agreement: share of samples whose largest answer is the ANN's.
        answer_error: mean absolute difference to the ANN's answers (logits, of classes).
    """

    accuracy: float | None
    rmse: tuple[float, ...] | None
    ccc: tuple[float, ...] | None
    agreement: float | None
    answer_error: float


@dataclass(frozen=True, slots=True)
class StepQuality:
    """One number of steps.

    Attributes:
        num_steps: T, those whose answers count.
        latency: steps until the answer stands where spikes pass all layers within one step:
            T, and a first phase where there is one.
        pipelined_latency: the same where every layer adds a step: `latency` plus the depth.
        answers: how right they are.
        resolution: the largest change of an answer by one spike; None for classes.
        rates: spikes per neuron and step, by population.
    """

    num_steps: int
    latency: int
    pipelined_latency: int
    answers: AnswerQuality
    resolution: float | None
    rates: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ConversionReport:
    """What a conversion did and how good it is.

    Attributes:
        task: what the answers are.
        method, neuron: what was used.
        reason: why this method.
        steps: the number of steps that it was calibrated for.
        is_for_its_steps_only: at other numbers of steps it may be worse, above them, too.
        thresholds: ANN activation that one spike per step stands for, by population; a tuple
            where every channel has its own.
        removed: what of the ANN is not part of the spiking network, or was replaced, one sentence each.
        num_calibration, num_training: samples.
        ann: of the ANN itself, on the samples that were judged.
        quantised_ann: of the ANN with QCFS activations; None for other methods.
        qualities: per number of steps, on the same samples.
        falls: where accuracy falls by more than 0.5 points as steps are added, one sentence each.
        two_phase: per number of steps with a first phase that calibrates every sample; None if not asked for.
        loihi2: spikes with a sign, or graded messages, by name: what only Loihi 2 can do.
    """

    task: Task
    method: str
    neuron: str
    reason: str
    steps: int
    is_for_its_steps_only: bool
    thresholds: Mapping[str, float | tuple[float, ...]]
    removed: tuple[str, ...]
    num_calibration: int
    num_training: int
    ann: AnswerQuality
    quantised_ann: AnswerQuality | None
    qualities: tuple[StepQuality, ...]
    falls: tuple[str, ...]
    two_phase: tuple[StepQuality, ...] | None
    loihi2: Mapping[str, tuple[StepQuality, ...]]

    def at(self, num_steps: int) -> StepQuality:
        """The quality after this number of steps.

        Raises:
            ConfigError: if it was not judged.
        """
        for quality in self.qualities:
            if quality.num_steps == num_steps:
                return quality
        judged = ", ".join(str(quality.num_steps) for quality in self.qualities)
        raise ConfigError(f"the report judges after {judged} steps, not after {num_steps}; add it to report_steps.")


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a network said to some samples.

    Attributes:
        after: number of steps -> answers [b, K].
        num_spikes: number of steps -> population -> spikes up to then.
    """

    after: Mapping[int, np.ndarray]
    num_spikes: Mapping[int, Mapping[str, int]]


Runner = Callable[[SpikingGraph, np.ndarray, Sequence[int]], Answers]
"""(graph, samples [b, *input_shape], numbers of steps) -> what it says after each."""


def answers_held(graph: SpikingGraph, samples: np.ndarray, steps: Sequence[int]) -> Answers:
    """One run for the largest number of steps, the sample held over all of them."""
    run = simulate(graph, constant_input(samples, max(steps)), precision="float32")
    spikes = {t: {name: int(np.count_nonzero(train[:t])) for name, train in run.spikes.items()} for t in steps}
    return Answers({t: run.answers_after(t) for t in steps}, spikes)


def quality_per_step(
    graph: SpikingGraph,
    inputs: np.ndarray,
    ann_answers: Float[np.ndarray, "B K"],
    *,
    labels: np.ndarray | None = None,
    task: Task = "classification",
    steps: Sequence[int] = (4, 8, 16, 32),
    first_phase: int = 0,
    run: Runner = answers_held,
) -> tuple[StepQuality, ...]:
    """Run every sample, in pieces, and judge after each of `steps`.

    Args:
        inputs: [B, *input_shape].
        labels: class indices [B], or values [B, K].
        first_phase: steps that every answer needs before its own.
        run: another simulation of the graph than the plain one.

    Raises:
        ConfigError: if `steps` is empty or holds a number below 1.
        ShapeError, DataError: if inputs, answers and labels do not fit together, or there are none.
    """
    if not steps or min(steps) < 1:
        raise ConfigError(f"steps must name at least one number of steps from 1 up; got {tuple(steps)}.")
    require_samples(inputs, graph.input_shape, what="the input to judge on")
    answers: dict[int, list[np.ndarray]] = {t: [] for t in steps}
    spikes = {t: {population.name: 0 for population in graph.populations} for t in steps}
    for samples in _pieces(graph, inputs, max(steps)):
        said = run(graph, samples, steps)
        for t in steps:
            answers[t].append(said.after[t])
            for name, count in said.num_spikes[t].items():
                spikes[t][name] += count
    sizes = {population.name: population.num_neurons for population in graph.populations}
    depth = graph.depth(graph.readout.source)
    largest = float(np.abs(graph.readout.weight).max())
    return tuple(
        StepQuality(
            num_steps=t,
            latency=first_phase + t,
            pipelined_latency=first_phase + t + depth,
            answers=answer_quality(np.concatenate(answers[t]), ann_answers, labels=labels, task=task),
            resolution=largest / t if task == "regression" else None,
            rates={name: spikes[t][name] / (t * len(inputs) * sizes[name]) for name in sizes},
        )
        for t in steps
    )


def answer_quality(
    answers: Float[np.ndarray, "B K"], ann_answers: Float[np.ndarray, "B2 K2"], *, labels: np.ndarray | None, task: Task
) -> AnswerQuality:
    """Judge answers against the ANN's, and against labels where there are any.

    Raises:
        DataError: if answers and labels do not fit together.
    """
    if answers.shape != ann_answers.shape:
        raise DataError(
            f"every sample needs its ANN answer; got {list(answers.shape)} answers and {list(ann_answers.shape)} of "
            "the ANN."
        )
    if labels is not None:
        require_labels(labels, answers.shape, task, what="samples that are judged")
    error = float(np.abs(answers - ann_answers).mean())
    if task == "classification":
        chosen = answers.argmax(1)
        accuracy = None if labels is None else float(np.mean(chosen == labels))
        return AnswerQuality(accuracy, None, None, float(np.mean(chosen == ann_answers.argmax(1))), error)
    if labels is None:
        return AnswerQuality(None, None, None, None, error)
    said, wanted = torch.tensor(answers, dtype=torch.float64), torch.tensor(labels, dtype=torch.float64)
    metrics = regression_metrics(moments(said, wanted, torch.ones(len(said), dtype=torch.bool)))
    return AnswerQuality(None, tuple(metrics["rmse"].tolist()), tuple(metrics["ccc"].tolist()), None, error)


def falls(qualities: Sequence[StepQuality]) -> tuple[str, ...]:
    """Where accuracy is more than 0.5 points below that of fewer steps, one sentence each."""
    found = []
    best: StepQuality | None = None
    for quality in sorted(qualities, key=lambda one: one.num_steps):
        accuracy = quality.answers.accuracy
        if accuracy is None:
            continue
        if best is None or best.answers.accuracy is None or accuracy >= best.answers.accuracy:
            best = quality
        elif best.answers.accuracy - accuracy > _LARGEST_FALL:
            found.append(
                f"accuracy falls by {100 * (best.answers.accuracy - accuracy):.1f} points from {best.num_steps} to "
                f"{quality.num_steps} steps"
            )
    return tuple(found)


def _pieces(graph: SpikingGraph, inputs: np.ndarray, num_steps: int) -> Iterator[np.ndarray]:
    """Samples in pieces whose spikes of all populations fit into memory."""
    num_neurons = sum(population.num_neurons for population in graph.populations)
    size = max(1, _CHUNK_BYTES // (num_steps * num_neurons))
    for start in range(0, len(inputs), size):
        yield inputs[start : start + size]
