"""Counts as plain numbers per inference, ready for a report or a JSON file."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hardware.counts.ann_operations import AnnOperations
from hardware.counts.operation_counts import QUANTITIES, EventType, LayerOperations, NetworkOperations, Statistic

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
        weight_bytes, state_bytes: of what is stored; a neuron's state is left out by most tools.
        event_bytes: to hold the events that come in during the busiest step.
        event_type: of its inputs; see `hardware.counts.operation_counts`.
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
    event_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationsSummary:
    """A spiking network.

    Attributes:
        steps: mean steps per inference.
        totals: name of a count -> mean per inference, spread over samples.
        kappa: events per connection and inference, relays left out.
        activation_sparsity: share of neuron-steps without a spike, relays left out.
        connection_sparsity: share of the weights that are zero.
    """

    num_samples: int
    steps: float
    layers: tuple[LayerSummary, ...]
    totals: Mapping[str, Statistic]
    dense: int
    kappa: float
    activation_sparsity: float
    connection_sparsity: float

    @property
    def rate(self) -> float:
        """Spikes per neuron and step over all populations that are not relays."""
        return 1 - self.activation_sparsity

    @property
    def warnings(self) -> tuple[str, ...]:
        """Which layers multiply, because what they read is no spike."""
        return tuple(
            f"{layer.name} reads graded values from {', '.join(layer.sources)}: each is a multiplication."
            for layer in self.layers
            if layer.event_type == "graded"
        )


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
    firing = [layer for layer in operations.layers if layer.kind == "population"]
    updates = sum(layer.mean("updates_dense") for layer in firing)
    rate = sum(layer.mean("spikes") for layer in firing) / max(updates, 1.0)
    num_weights = sum(connection.num_weights for layer in operations.layers for connection in layer.connections)
    return OperationsSummary(
        num_samples=operations.num_samples,
        steps=float(operations.steps.mean()),
        layers=tuple(_layer_summary(layer) for layer in operations.layers),
        totals={quantity: operations.total(quantity, seed=seed) for quantity in QUANTITIES},
        dense=sum(layer.dense for layer in operations.layers),
        kappa=operations.kappa,
        activation_sparsity=1 - rate,
        connection_sparsity=sum(layer.num_zero_weights for layer in operations.layers) / max(num_weights, 1),
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
    order: tuple[EventType, ...] = ("none", "binary", "signed", "graded")
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
        event_bytes=layer.event_bytes,
    )
