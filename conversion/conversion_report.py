"""What a conversion did, and how well the network answers after T steps compared with its ANN."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from conversion.ann_layers import AnnLayers
from conversion.graph import SpikingGraph
from conversion.simulate import constant_input, simulate
from snnface.errors import ConfigError, DataError
from snnface.shapes import require_shape

__all__ = ["ConversionReport", "StepQuality", "accuracy", "ann_answers", "quality_per_step"]

_CHUNK = 128


@dataclass(frozen=True, slots=True)
class StepQuality:
    """One number of steps.

    Attributes:
        accuracy: share of samples whose largest answer is the label; None without labels.
        agreement: share of samples whose largest answer is the ANN's.
        answer_error: mean absolute difference of the answers.
        rates: spikes per neuron and step, by population.
    """

    num_steps: int
    accuracy: float | None
    agreement: float
    answer_error: float
    rates: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ConversionReport:
    """What a conversion did and how good it is.

    Attributes:
        thresholds: ANN activation that one spike per step stands for, by population.
        removed: modules that are not part of the spiking network, with the reason.
        num_calibration: calibration samples.
        ann_accuracy: on the samples that were judged; None without labels.
        qualities: per number of steps, on the same samples.
    """

    thresholds: Mapping[str, float]
    removed: tuple[str, ...]
    num_calibration: int
    ann_accuracy: float | None
    qualities: tuple[StepQuality, ...]


def quality_per_step(
    graph: SpikingGraph,
    inputs: np.ndarray,
    ann_answers: np.ndarray,
    *,
    labels: np.ndarray | None = None,
    steps: Sequence[int] = (4, 8, 16, 32),
) -> tuple[StepQuality, ...]:
    """Run every sample once, for the largest number of steps, and judge after each of `steps`.

    Args:
        inputs: [B, *input_shape], held over all steps.
        ann_answers: [B, K].
        labels: class indices [B].

    Raises:
        ConfigError: if `steps` is empty or holds a number below 1.
        DataError: if the numbers of samples, answers and labels differ, or there are none.
    """
    if not steps or min(steps) < 1:
        raise ConfigError(f"steps must name at least one number of steps from 1 up; got {tuple(steps)}.")
    if not len(inputs) == len(ann_answers) > 0 or (labels is not None and labels.shape != (len(inputs),)):
        raise DataError(
            f"every sample needs its ANN answer and label; got {len(inputs)} samples, {len(ann_answers)} ANN answers"
            + ("." if labels is None else f" and labels of the shape {list(labels.shape)}.")
        )
    answers = {t: np.zeros_like(ann_answers, dtype=np.float64) for t in steps}
    spikes = {t: dict.fromkeys((p.name for p in graph.populations), 0) for t in steps}
    names = tuple(spikes[steps[0]])
    for start in range(0, len(inputs), _CHUNK):
        part = slice(start, start + _CHUNK)
        run = simulate(graph, constant_input(inputs[part], max(steps)), keep=names, precision="float32")
        for t in steps:
            answers[t][part] = run.answers_after(t)
            for name in names:
                spikes[t][name] += int(np.count_nonzero(run.spikes[name][:t]))
    sizes = {population.name: population.num_neurons for population in graph.populations}
    return tuple(
        StepQuality(
            num_steps=t,
            accuracy=None if labels is None else accuracy(answers[t], labels),
            agreement=accuracy(answers[t], ann_answers.argmax(1)),
            answer_error=float(np.abs(answers[t] - ann_answers).mean()),
            rates={name: spikes[t][name] / (t * len(inputs) * sizes[name]) for name in names},
        )
        for t in steps
    )


@torch.no_grad()
def ann_answers(ann: AnnLayers, inputs: np.ndarray) -> np.ndarray:
    """The ANN's answers [B, K], float64.

    Raises:
        ShapeError: if the inputs are not [B, *input_shape].
    """
    require_shape(inputs, " ".join(map(str, ("B", *ann.input_shape))), what="the input to judge on")
    parts = np.array_split(inputs, range(_CHUNK, len(inputs), _CHUNK))
    return np.concatenate([ann(torch.tensor(part, dtype=torch.float64)).numpy() for part in parts])


def accuracy(answers: np.ndarray, labels: np.ndarray) -> float:
    """Share of rows whose largest entry is at the label's place."""
    return float(np.mean(answers.argmax(1) == labels))
