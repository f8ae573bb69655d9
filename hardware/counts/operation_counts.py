"""Counts of what a spiking network did, per connection, layer and network, with their spread over samples.

Counts are integers and know nothing of any hardware; `hardware.counts.operations` makes them,
`hardware.energy.models` turns them into estimates. Every count is kept per sample, so batches
add up and intervals can be given.

Definitions, for a connection with input s_i[t] and fan-out F_i (see `hardware.counts.fan_out`):

    touched   sum over t, i of [s_i[t] != 0] * F_i     (zero weights included)
    synops    touched, where the events are binary or signed: an addition each
    macs      touched, where the events are graded: a multiply-accumulate each
    synops_textbook   events times O / groups * prod(ceil(kernel / stride)) instead of the exact F_i, as
                      Lemaire et al. 2022 (arXiv:2210.13107) count; all events, for comparison alone

    updates_dense   neurons * steps (what a clock-driven chip does)
    updates_active  neuron-steps that at least one event reaches through an existing
                    connection. A leaky neuron may also need an update without any event;
                    voltages are not seen here, so for leaky neurons this is a lower
                    bound and updates_dense the upper one.
    bias_adds       one per neuron and step with a bias that is not zero
    leak_multiplies one per decay (voltage, current) and neuron update, none for decay 0 or 1

Relays (OR-pooling, delays) are layers with real connections and are counted, marked
"relay". The readout is a layer of its own, marked "readout": one addition per spike and
answer, one bias addition per answer and inference, or per answer and step where it answers
at every step.

A connection that repeats the weights of an earlier one into the same population (a
residual's sum is read through two connections, as conv(a + b) = conv(a) + conv(b)) stores
nothing and adds nothing to `dense`: an ANN of this shape adds first and multiplies once.
What its events touch is counted in full.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Int64

from snnface.errors import DataError
from snnface.seeding import SeedTree

__all__ = [
    "QUANTITIES",
    "ConnectionOperations",
    "EventType",
    "LayerOperations",
    "NetworkOperations",
    "Statistic",
    "bootstrap_statistic",
]

EventType = Literal["none", "binary", "signed", "graded"]
"""What a connection carried: nothing, {0, 1}, {-1, 0, 1}, or any integers. No event at all is no evidence."""

LayerKind = Literal["population", "relay", "readout", "analogue"]
"""An analogue layer multiplies for another weighted layer, without neurons between (`hardware.counts.monitors`)."""

QUANTITIES = (
    "in_events",
    "synops",
    "synops_nonzero",
    "synops_textbook",
    "macs",
    "macs_nonzero",
    "spikes",
    "updates_dense",
    "updates_active",
    "bias_adds",
    "leak_multiplies",
)
"""Names of the per-sample counts of a layer, for `NetworkOperations.total`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """A mean over samples with its spread.

    Attributes:
        std: standard deviation over samples (n - 1 in the denominator; 0 for one sample).
        low, high: 95 % percentile bootstrap interval of the mean.
        num_samples: how many samples; with one, the interval is the value itself.
    """

    mean: float
    std: float
    low: float
    high: float
    num_samples: int


def bootstrap_statistic(values: np.ndarray, *, generator: np.random.Generator, num_draws: int = 1000) -> Statistic:
    """Mean, standard deviation and 95 % bootstrap interval of per-sample values [B].

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, ch. 13.

    Raises:
        DataError: if there is no sample.
    """
    if not len(values):
        raise DataError("a statistic needs at least one sample; got none.")
    size = len(values)
    means = np.array([values[generator.integers(size, size=size)].mean() for _ in range(num_draws)])
    low, high = np.quantile(means, (0.025, 0.975))
    std = float(values.std(ddof=1)) if size > 1 else 0.0
    return Statistic(mean=float(values.mean()), std=std, low=float(low), high=float(high), num_samples=size)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ConnectionOperations:
    """Counts of one connection; arrays are per sample, int64 [B].

    Attributes:
        source: where its events come from.
        kind: "linear", "conv2d", and of other networks than ours "conv1d", "conv3d".
        num_weights, num_zero_weights, num_biases: sizes of the stored arrays; 0 where weights are repeated.
        dense: connections used in one pass of an ANN of this shape, padding not counted.
        dense_pad: the same with padding counted.
        max_fan_out: the largest F_i.
        textbook_fan_out: output channels per group times ceil(kernel / stride) of each axis.
        is_constant: graded messages that are the same at every step: their products may be computed once and kept.
        peak_events: the most events that came in one step of any sample.
        event_bits: of one event: the address of its element, and its value where it is graded.
        in_events: input elements that were not zero, over all steps.
        touched, touched_nonzero: see the module; the latter skips zero weights.
    """

    source: str
    kind: str
    event_type: EventType
    num_weights: int
    num_zero_weights: int
    num_biases: int
    dense: int
    dense_pad: int
    max_fan_out: int
    textbook_fan_out: int
    is_constant: bool
    peak_events: int
    event_bits: int
    in_events: Int64[np.ndarray, " B"]
    touched: Int64[np.ndarray, " B"]
    touched_nonzero: Int64[np.ndarray, " B"]

    @property
    def is_graded(self) -> bool:
        return self.event_type == "graded"

    @property
    def event_bytes(self) -> int:
        """To hold the events of the busiest step."""
        return -(-self.peak_events * self.event_bits // 8)

    def combine(self, other: "ConnectionOperations") -> "ConnectionOperations":
        """Both batches together; graded events in either make the connection graded."""
        order: tuple[EventType, ...] = ("none", "binary", "signed", "graded")
        return replace(
            self,
            event_type=max(self.event_type, other.event_type, key=order.index),
            is_constant=self.is_constant and other.is_constant,
            peak_events=max(self.peak_events, other.peak_events),
            event_bits=max(self.event_bits, other.event_bits),
            in_events=np.concatenate([self.in_events, other.in_events]),
            touched=np.concatenate([self.touched, other.touched]),
            touched_nonzero=np.concatenate([self.touched_nonzero, other.touched_nonzero]),
        )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LayerOperations:
    """Counts of one population (or the readout) and the connections into it.

    Attributes:
        num_decays: multiplications per neuron update that leaks cost.
        biases_per_step: neurons whose bias is not zero.
        adds_bias_once: per inference instead of per step (a readout that means over time).
        weight_bits, state_bits: storage of a weight, and of one neuron's state.
        steps: steps that each sample had.
        spikes: spikes fired, per sample.
        neuron_spikes: spikes fired per neuron, over all samples; [num_neurons].
        updates_active: see the module.
    """

    name: str
    kind: LayerKind
    shape: tuple[int, ...]
    num_neurons: int
    num_decays: int
    biases_per_step: int
    weight_bits: int
    state_bits: int
    connections: tuple[ConnectionOperations, ...]
    steps: Int64[np.ndarray, " B"]
    spikes: Int64[np.ndarray, " B"]
    neuron_spikes: Int64[np.ndarray, " N"]
    updates_active: Int64[np.ndarray, " B"]
    adds_bias_once: bool = False

    @property
    def num_parameters(self) -> int:
        """Weights and biases."""
        return sum(c.num_weights + c.num_biases for c in self.connections)

    @property
    def num_zero_weights(self) -> int:
        return sum(c.num_zero_weights for c in self.connections)

    @property
    def dense(self) -> int:
        return sum(c.dense for c in self.connections)

    @property
    def dense_pad(self) -> int:
        return sum(c.dense_pad for c in self.connections)

    @property
    def cached_products(self) -> tuple[float, float]:
        """Where the products of a constant graded input are computed once and kept: multiplications through weights
        that are not 0, and additions of what is kept; means per inference."""
        steps = np.maximum(self.steps, 1)
        graded = [c for c in self.connections if c.is_graded]
        products = sum(
            (float((c.touched_nonzero / steps if c.is_constant else c.touched_nonzero).mean()) for c in graded), 0.0
        )
        num_kept = sum(c.is_constant for c in graded)
        return products, num_kept * int(np.prod(self.shape)) * float(self.steps.mean())

    @property
    def padded_operations(self) -> tuple[float, float]:
        """Additions and multiplications if events at the border cost as much as inner ones; means per inference."""
        additions = sum((c.max_fan_out * float(c.in_events.mean()) for c in self.connections if not c.is_graded), 0.0)
        products = sum((c.max_fan_out * float(c.in_events.mean()) for c in self.connections if c.is_graded), 0.0)
        return additions, products

    @property
    def weight_bytes(self) -> int:
        return -(-self.num_parameters * self.weight_bits // 8)

    @property
    def state_bytes(self) -> int:
        return -(-self.num_neurons * self.state_bits // 8)

    @property
    def event_bytes(self) -> int:
        """To hold the events that come in during the busiest step."""
        return sum(c.event_bytes for c in self.connections)

    @property
    def rates(self) -> np.ndarray:
        """Spikes per step of each neuron, float64 [num_neurons]."""
        return self.neuron_spikes / max(int(self.steps.sum()), 1)

    def per_sample(self, quantity: str) -> Int64[np.ndarray, " B"]:
        """One of `QUANTITIES`, per sample."""
        nothing = np.zeros_like(self.steps)
        match quantity:
            case "in_events":
                return sum((c.in_events for c in self.connections), nothing)
            case "synops":
                return sum((c.touched for c in self.connections if not c.is_graded), nothing)
            case "synops_nonzero":
                return sum((c.touched_nonzero for c in self.connections if not c.is_graded), nothing)
            case "synops_textbook":
                return sum((c.in_events * c.textbook_fan_out for c in self.connections), nothing)
            case "macs":
                return sum((c.touched for c in self.connections if c.is_graded), nothing)
            case "macs_nonzero":
                return sum((c.touched_nonzero for c in self.connections if c.is_graded), nothing)
            case "spikes":
                return self.spikes
            case "updates_dense":
                return self.num_neurons * self.steps
            case "updates_active":
                return self.updates_active
            case "bias_adds":
                return self.biases_per_step * (np.ones_like(self.steps) if self.adds_bias_once else self.steps)
            case "leak_multiplies":
                return self.num_decays * int(np.prod(self.shape)) * self.steps
        raise DataError(f"a count must be one of {', '.join(QUANTITIES)}; got {quantity!r}.")

    def mean(self, quantity: str) -> float:
        """Mean per inference of one of `QUANTITIES`."""
        return float(self.per_sample(quantity).mean())

    def combine(self, other: "LayerOperations") -> "LayerOperations":
        """Both batches together."""
        return replace(
            self,
            connections=tuple(a.combine(b) for a, b in zip(self.connections, other.connections, strict=True)),
            steps=np.concatenate([self.steps, other.steps]),
            spikes=np.concatenate([self.spikes, other.spikes]),
            neuron_spikes=self.neuron_spikes + other.neuron_spikes,
            updates_active=np.concatenate([self.updates_active, other.updates_active]),
        )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class NetworkOperations:
    """Counts of a whole network over some samples.

    Attributes:
        layers: in execution order, the readout last.
        steps: steps of each sample, [B].
    """

    layers: tuple[LayerOperations, ...]
    steps: Int64[np.ndarray, " B"]

    @property
    def num_samples(self) -> int:
        return len(self.steps)

    def layer(self, name: str) -> LayerOperations:
        return next(layer for layer in self.layers if layer.name == name)

    def per_sample(self, quantity: str) -> Int64[np.ndarray, " B"]:
        """One of `QUANTITIES` summed over the layers, per sample."""
        return sum((layer.per_sample(quantity) for layer in self.layers), np.zeros_like(self.steps))

    def total(self, quantity: str, *, seed: int = 0) -> Statistic:
        """One of `QUANTITIES` per inference, over the whole network."""
        generator = SeedTree(seed).numpy("operations", quantity)
        return bootstrap_statistic(self.per_sample(quantity), generator=generator)

    @property
    def kappa(self) -> float:
        """Events per connection and inference: touched / dense, relays left out (an ANN has none)."""
        layers = [layer for layer in self.layers if layer.kind != "relay"]
        touched = sum(layer.mean("synops") + layer.mean("macs") for layer in layers)
        return touched / sum(layer.dense for layer in layers)

    def combine(self, other: "NetworkOperations") -> "NetworkOperations":
        """Counts over the samples of both.

        Raises:
            DataError: if they were not counted on the same network.
        """
        if [(a.name, a.dense) for a in self.layers] != [(b.name, b.dense) for b in other.layers]:
            raise DataError(
                "only counts of one network can be combined; got layers "
                f"{[a.name for a in self.layers]} and {[b.name for b in other.layers]}."
            )
        return NetworkOperations(
            layers=tuple(a.combine(b) for a, b in zip(self.layers, other.layers, strict=True)),
            steps=np.concatenate([self.steps, other.steps]),
        )
