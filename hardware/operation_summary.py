"""Counts as plain numbers per inference, ready for a report or a JSON file."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hardware.ann_operations import AnnOperations
from hardware.operation_counts import QUANTITIES, LayerOperations, NetworkOperations, Statistic

__all__ = [
    "AnnLayerSummary",
    "AnnSummary",
    "LayerSummary",
    "OperationsSummary",
    "summarise_ann_operations",
    "summarise_operations",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSummary:
    """One layer; counts are means per inference.

    Attributes:
        rate_mean, rate_p50, rate_p99, rate_max: spikes per neuron and step, over neurons.
        silent, saturated: share of neurons that never fired, that fired at every step.
        event_type: of its inputs; see `hardware.operation_counts`.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    sources: tuple[str, ...]
    event_type: str
    neurons: int
    parameters: int
    zero_weights: int
    dense: int
    dense_pad: int
    counts: Mapping[str, float]
    rate_mean: float
    rate_p50: float
    rate_p99: float
    rate_max: float
    silent: float
    saturated: float
    weight_bytes: int
    state_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationsSummary:
    """A spiking network.

    Attributes:
        steps: mean steps per inference.
        totals: name of a count -> mean per inference, spread over samples.
        kappa: events per connection and inference, relays left out.
    """

    num_samples: int
    steps: float
    layers: tuple[LayerSummary, ...]
    totals: Mapping[str, Statistic]
    dense: int
    kappa: float

    @property
    def rate(self) -> float:
        """Spikes per neuron and step over all populations that are not relays."""
        layers = [layer for layer in self.layers if layer.kind == "population"]
        updates = sum(layer.counts["updates_dense"] for layer in layers)
        return sum(layer.counts["spikes"] for layer in layers) / max(updates, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnLayerSummary:
    """One weighted layer of an ANN; counts are means per inference."""

    name: str
    kind: str
    parameters: int
    dense: float
    dense_pad: float
    effective: float
    input_sparsity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnSummary:
    """An ANN: totals per inference, share of zero activations, what could not be counted."""

    num_samples: int
    layers: tuple[AnnLayerSummary, ...]
    parameters: int
    dense: Statistic
    dense_pad: Statistic
    effective: Statistic
    activation_sparsity: float
    warnings: tuple[str, ...]


def summarise_operations(operations: NetworkOperations, *, seed: int = 0) -> OperationsSummary:
    """Means per inference; `seed` decides the draws of the bootstrap intervals."""
    return OperationsSummary(
        num_samples=operations.num_samples,
        steps=float(operations.steps.mean()),
        layers=tuple(_layer_summary(layer) for layer in operations.layers),
        totals={quantity: operations.total(quantity, seed=seed) for quantity in QUANTITIES},
        dense=sum(layer.dense for layer in operations.layers),
        kappa=operations.kappa,
    )


def summarise_ann_operations(operations: AnnOperations, *, seed: int = 0) -> AnnSummary:
    """As `summarise_operations`, for the ANN baseline."""
    return AnnSummary(
        num_samples=operations.num_samples,
        layers=tuple(
            AnnLayerSummary(
                name=layer.name,
                kind=layer.kind,
                parameters=layer.num_parameters,
                dense=layer.mean("dense"),
                dense_pad=layer.mean("dense_pad"),
                effective=layer.mean("effective"),
                input_sparsity=layer.input_sparsity,
            )
            for layer in operations.layers
        ),
        parameters=operations.num_parameters,
        dense=operations.total("dense", seed=seed),
        dense_pad=operations.total("dense_pad", seed=seed),
        effective=operations.total("effective", seed=seed),
        activation_sparsity=operations.activation_sparsity,
        warnings=operations.warnings,
    )


def _layer_summary(layer: LayerOperations) -> LayerSummary:
    rates = layer.rates if layer.num_neurons else np.zeros(1)
    order = ("none", "binary", "signed", "graded")
    return LayerSummary(
        name=layer.name,
        kind=layer.kind,
        shape=layer.shape,
        sources=tuple(connection.source for connection in layer.connections),
        event_type=max((connection.event_type for connection in layer.connections), key=order.index),
        neurons=layer.num_neurons,
        parameters=layer.num_parameters,
        zero_weights=layer.num_zero_weights,
        dense=layer.dense,
        dense_pad=layer.dense_pad,
        counts={quantity: layer.mean(quantity) for quantity in QUANTITIES},
        rate_mean=float(rates.mean()),
        rate_p50=float(np.quantile(rates, 0.5)),
        rate_p99=float(np.quantile(rates, 0.99)),
        rate_max=float(rates.max()),
        silent=float((rates == 0).mean()) if layer.num_neurons else 0.0,
        saturated=float((rates == 1).mean()) if layer.num_neurons else 0.0,
        weight_bytes=layer.weight_bytes,
        state_bytes=layer.state_bytes,
    )
