"""Thresholds from calibration samples: the activation of a layer that one spike per step stands for.

Samples need no labels; 256 to 1024 are enough. A rule sees all activations of a layer at once, so that nothing
depends on batches or their order; the exception is threshold balancing, which learns from one batch after the other.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from conversion.ann.network import AnnLayer, AnnNetwork
from conversion.calibration.samples import require_samples
from conversion.graph import INPUT
from snnface.errors import CalibrationError

__all__ = [
    "Activations",
    "ThresholdRule",
    "balanced_thresholds",
    "channel_percentile_thresholds",
    "measured_activations",
    "mmse_threshold",
    "percentile_threshold",
]

_CHUNK = 64
_GRID = np.linspace(0.1, 1.0, 91)
_FLOOR = 1e-2

ThresholdRule = Callable[[np.ndarray], float | np.ndarray]
"""Activations [B, C, ...] of a layer -> its threshold, or float64 [C] for every channel its own."""


@dataclass(frozen=True, slots=True, eq=False)
class Activations:
    """What calibration keeps of one layer.

    Attributes:
        threshold: by the rule; one number, or float64 [C].
        channel_mean: mean activation per channel (or neuron), float64 [C].
    """

    threshold: float | np.ndarray
    channel_mean: np.ndarray


def percentile_threshold(activations: Float[np.ndarray, "*N"], percentile: float) -> float:
    """The percentile over all elements, zeros included; 100 is the maximum.

    Source: Rueckauer et al. 2017, Frontiers in Neuroscience 11:682 (99.9 %).
    """
    return float(np.percentile(activations, percentile))


def channel_percentile_thresholds(activations: Float[np.ndarray, "B C *N"], percentile: float) -> np.ndarray:
    """The percentile of every channel, float64 [C]; at least a hundredth of the largest of them.

    The floor keeps a channel that is nearly silent from being blown up to rates of 1.
    """
    channels = np.moveaxis(activations, 1, 0).reshape(activations.shape[1], -1)
    return _floored(np.percentile(channels, percentile, axis=1).astype(np.float64))


def mmse_threshold(activations: Float[np.ndarray, "*N"], num_steps: int) -> float:
    """The threshold at which T spikes stand for the activations with the least squared error.

        q(a) = theta clip(floor(a T / theta + 1/2), 0, T) / T,    argmin over theta of sum (a - q(a))^2

    theta is searched on a grid of 0.1 ... 1.0 times the largest activation in steps of
    0.01; the error of every theta is exact (sums over the sorted activations, one bin a level).

    Source: Li et al. 2021, arXiv:2106.06984 (the objective).
    """
    values = np.sort(activations[activations > 0], axis=None)
    if not values.size:
        return 0.0
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    levels = np.arange(num_steps + 1)
    best = (np.inf, 0.0)
    for theta in _GRID * float(values[-1]):
        # Activations between (k - 1/2) theta / T and (k + 1/2) theta / T become k spikes.
        edges = np.searchsorted(values, ((levels[1:] - 0.5) * theta / num_steps).astype(values.dtype))
        cuts = np.concatenate([[0], edges, [len(values)]])
        answer = levels * theta / num_steps
        error = float(np.sum(np.diff(cuts) * answer**2 - 2 * answer * np.diff(sums[cuts])))
        best = min(best, (error, float(theta)))
    return best[1]


@torch.no_grad()
def measured_activations(network: AnnNetwork, inputs: np.ndarray, rule: ThresholdRule) -> dict[str, Activations]:
    """Threshold and mean activation of every layer, over all samples at once.

    Computed in float32, layer by layer; activations are kept while a layer behind still
    reads them, so that memory holds a few layers of all samples.

    Args:
        inputs: [B, *input_shape].

    Raises:
        ShapeError: if the inputs do not fit the network.
        DataError: if there are none, or a value is not finite.
        CalibrationError: if a layer's threshold is 0: it never fires, or its percentile is 0; or NaN.
    """
    require_samples(inputs, network.input_shape, what="the calibration input")
    measured = {}
    for layer, values in _whole_layers(network, torch.tensor(inputs, dtype=torch.float32)):
        threshold = rule(values.numpy())
        _require_positive(layer, threshold, len(inputs))
        axes = tuple(axis for axis in range(values.ndim) if axis != 1)
        measured[layer.name] = Activations(threshold, values.mean(axes, dtype=torch.float64).numpy())
    return measured


@torch.no_grad()
def balanced_thresholds(
    network: AnnNetwork, inputs: np.ndarray, *, num_batches: int = 400, batch_size: int = 64, seed: int = 0
) -> dict[str, np.ndarray]:
    """Local threshold balancing: thresholds [C] that grow until clipping costs as much as rounding.

    They start at 0; with every batch, layer by layer,

        theta += 2 mean over samples and space of max(a - theta, 0),  per channel

    and the layer passes on min(a, theta). Hundreds of batches are needed; each is drawn
    anew from the samples. A channel gets at least a hundredth of the layer's largest.

    Args:
        inputs: [B, *input_shape].

    Raises:
        ShapeError, DataError, CalibrationError: as `measured_activations`.

    Source: Bu et al. 2024, arXiv:2409.03368 (the update).
    """
    require_samples(inputs, network.input_shape, what="the calibration input")
    generator = np.random.default_rng(seed)
    thetas = {layer.name: torch.zeros(layer.shape[0]) for layer in network.layers}
    for _ in range(num_batches):
        batch = inputs[generator.choice(len(inputs), min(batch_size, len(inputs)), replace=False)]
        values = {INPUT: torch.tensor(batch, dtype=torch.float32)}
        for layer in network.layers:
            activation = layer.current(values).clamp(min=0.0, max=layer.ceiling)
            theta, wide = thetas[layer.name], (-1, *[1] * (len(layer.shape) - 1))
            excess = (activation - theta.reshape(wide)).clamp(min=0.0)
            theta += 2 * excess.mean(tuple(axis for axis in range(excess.ndim) if axis != 1))
            theta.clamp_(0.0, layer.ceiling)
            values[layer.name] = activation.minimum(theta.reshape(wide))
    found = {}
    for layer in network.layers:
        found[layer.name] = _floored(thetas[layer.name].double().numpy())
        _require_positive(layer, found[layer.name], len(inputs))
    return found


def _whole_layers(network: AnnNetwork, inputs: Tensor) -> Iterator[tuple[AnnLayer, Tensor]]:
    """Every layer with the activations of all samples, float32 [B, *shape]."""
    last_reader = {link.source: layer.name for layer in network.layers for link in layer.inputs}
    values = {INPUT: inputs}
    for layer in network.layers:
        sources = {link.source for link in layer.inputs}
        parts = [
            layer.current({name: values[name][start : start + _CHUNK] for name in sources})
            for start in range(0, len(inputs), _CHUNK)
        ]
        values[layer.name] = torch.cat(parts).clamp_(min=0.0, max=layer.ceiling)
        yield layer, values[layer.name]
        for name in sources:
            if last_reader[name] == layer.name:
                del values[name]


def _floored(thresholds: np.ndarray) -> np.ndarray:
    return np.maximum(thresholds, _FLOOR * thresholds.max())


def _require_positive(layer: AnnLayer, threshold: float | np.ndarray, num_samples: int) -> None:
    if not np.all(np.asarray(threshold) > 0):
        raise CalibrationError(
            f"layer {layer.name!r} gets the threshold {np.min(threshold)}: on the {num_samples} calibration samples "
            "its activations are (nearly) all 0. Use other samples or a higher percentile, or remove the layer."
        )
