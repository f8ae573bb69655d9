"""Thresholds and bias corrections from calibration samples, without retraining.

The threshold of a layer is the activation that one spike per step stands for. Samples
need no labels; 256 to 1024 are enough.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float

from conversion.ann_layers import AnnLayers
from conversion.graph import Population, Readout, SpikingGraph
from conversion.simulate import constant_input, simulate
from snnface.errors import CalibrationError, DataError
from snnface.shapes import require_shape

__all__ = ["Activations", "corrected_biases", "measured_activations", "mmse_threshold", "percentile_threshold"]

_CHUNK = 64
_GRID = np.linspace(0.1, 1.0, 91)

ThresholdRule = Callable[[np.ndarray], float]


@dataclass(frozen=True, slots=True, eq=False)
class Activations:
    """What calibration keeps of one layer.

    Attributes:
        threshold: by the rule.
        channel_mean: mean activation per output channel (or neuron), float64 [O].
    """

    threshold: float
    channel_mean: np.ndarray


def percentile_threshold(activations: Float[np.ndarray, "*N"], percentile: float) -> float:
    """The percentile over all elements, zeros included.

    Source: Rueckauer et al. 2017, Frontiers in Neuroscience 11:682 (99.9 %).
    """
    return float(np.percentile(activations, percentile))


def mmse_threshold(activations: Float[np.ndarray, "*N"], num_steps: int) -> float:
    """The threshold at which T spikes stand for the activations with the least squared error.

        q(a) = theta clip(floor(a T / theta + 1/2), 0, T) / T,    argmin over theta of sum (a - q(a))^2

    theta is searched on a grid of 0.1 ... 1.0 times the largest activation in steps of
    0.01; the error of every theta is exact (sums over the sorted activations, one bin a level).

    Source: Li et al. 2021, arXiv:2106.06984 (the objective).
    """
    values = np.sort(activations[activations > 0].astype(np.float64), axis=None)
    if not values.size:
        return 0.0
    sums = np.concatenate([[0.0], np.cumsum(values)])
    levels = np.arange(num_steps + 1)
    best = (np.inf, 0.0)
    for theta in _GRID * values[-1]:
        # Activations between (k - 1/2) theta / T and (k + 1/2) theta / T become k spikes.
        edges = np.searchsorted(values, (levels[1:] - 0.5) * theta / num_steps)
        cuts = np.concatenate([[0], edges, [len(values)]])
        answer = levels * theta / num_steps
        error = float(np.sum(np.diff(cuts) * answer**2 - 2 * answer * np.diff(sums[cuts])))
        best = min(best, (error, float(theta)))
    return best[1]


@torch.no_grad()
def measured_activations(ann: AnnLayers, inputs: np.ndarray, rule: ThresholdRule) -> tuple[Activations, ...]:
    """Threshold and mean activation of every hidden layer, over all samples at once.

    One layer's activations are held at a time (float32), so the result does not depend on
    batches or their order.

    Args:
        inputs: [B, *input_shape].
        rule: activations -> threshold.

    Raises:
        ShapeError: if the inputs do not fit the network.
        DataError: if there are none, or a value is not finite.
        CalibrationError: if a layer's threshold is 0: it never fires, or its percentile is 0.
    """
    require_shape(inputs, " ".join(map(str, ("B", *ann.input_shape))), what="the calibration input")
    if not len(inputs) or not np.isfinite(inputs).all():
        raise DataError("calibration needs at least one sample, and finite values; got none, or NaN or infinity.")
    current = torch.tensor(inputs, dtype=torch.float32)
    results = []
    for layer in ann.layers:
        current = torch.cat([layer(part.double()).float() for part in torch.split(current, _CHUNK)])
        threshold = rule(current.numpy())
        if not threshold > 0:
            raise CalibrationError(
                f"layer {layer.name!r} gets the threshold {threshold}: on the {len(inputs)} calibration samples its "
                "activations are (nearly) all 0. Use other samples or a higher percentile, or remove the layer."
            )
        axes = tuple(axis for axis in range(current.ndim) if axis != 1)
        results.append(Activations(float(threshold), current.double().mean(axes).numpy()))
    return tuple(results)


def corrected_biases(
    graph: SpikingGraph, activations: tuple[Activations, ...], inputs: np.ndarray, *, num_steps: int
) -> SpikingGraph:
    """The graph with biases that bring every channel's mean rate to the ANN's mean activation.

    Layers are corrected in order; each is measured with all before it corrected:

        bias += mean over samples and space of (a / theta - spikes / T),  per channel

    Valid for this number of steps only.

    Args:
        graph: one population per entry of `activations`, normalised to threshold 1.
        inputs: [B, *input_shape], held over all steps.

    Source: Li et al. 2021, arXiv:2106.06984 ("light" bias calibration).
    """
    for index, wanted in enumerate(activations):
        population = graph.populations[index]
        rate = _channel_rate(graph, index, inputs, num_steps)
        change = wanted.channel_mean / wanted.threshold - rate
        corrected = _with_bias(population, change)
        graph = replace(graph, populations=(*graph.populations[:index], corrected, *graph.populations[index + 1 :]))
    return graph


def _channel_rate(graph: SpikingGraph, index: int, inputs: np.ndarray, num_steps: int) -> np.ndarray:
    population = graph.populations[index]
    part = replace(
        graph,
        populations=graph.populations[: index + 1],
        readout=Readout(population.name, np.zeros((1, population.num_neurons)), np.zeros(1)),
    )
    total = np.zeros(population.shape[0])
    for samples in _chunks(inputs):
        run = simulate(part, constant_input(samples, num_steps), keep=(population.name,), precision="float32")
        spikes = run.spikes[population.name]
        total += spikes.sum(axis=tuple(axis for axis in range(spikes.ndim) if axis != 2), dtype=np.int64)
    return total / (num_steps * len(inputs) * (population.num_neurons // population.shape[0]))


def _chunks(inputs: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(inputs), _CHUNK):
        yield inputs[start : start + _CHUNK]


def _with_bias(population: Population, change: np.ndarray) -> Population:
    (link,) = population.inputs
    assert link.synapse.bias is not None
    synapse = replace(link.synapse, bias=link.synapse.bias + change)
    return replace(population, inputs=(replace(link, synapse=synapse),))
