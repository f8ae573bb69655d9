"""From float weights to the integers of a Loihi-like chip: the only lossy step, and its report.

Per population the rules of `snnface.spiking.quantisation`, with one scale S for all
connections into it and du = 4095 (no current memory); quantisation-aware training follows the same.

Default scale: the largest weight becomes the largest integer of its connection's sign mode
(254 of mixed signs, 255 of one sign), or, where a smaller scale puts every weight exactly on the
grid (weights trained on it), that one is taken. It is made smaller where the threshold or the
bias would not fit. Relays and OR-pools take their exact form: weight 64, vth 63, dv 4095.

Source: lava-nc 0.10.0, the bit-accurate LIF and Dense models; Davies et al. 2018 (widths).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from conversion.graph import INPUT, Conv2dSynapse, LinearSynapse, Population, SpikingGraph, Synapse
from conversion.integer_graph import IntegerGraph, IntegerNeuron, IntegerPopulation
from snnface.errors import ConfigError, UnsupportedLayerError

__all__ = ["QuantizeConfig", "Quantized", "QuantizedLayer", "quantize", "total_bias"]

_STATE_LIMIT = 2**23


@dataclass(frozen=True, kw_only=True)
class QuantizeConfig:
    """How weights become integers.

    Attributes:
        weight_bits: bits of a weight, sign included, 2..8.
        clip_percentile: the percentile of |W| that becomes the largest integer; larger
            weights are clipped (and counted). None clips nothing.
        input_bits: bits of an input message; 0 for binary spikes, else counts up to
            2^input_bits - 1 multiply the weights.
        peak_input: the largest input value to expect, for the head-room figure; None
            takes the largest that input_bits can hold.

    Raises:
        ConfigError: if a number is out of its range.
    """

    weight_bits: int = 8
    clip_percentile: float | None = None
    input_bits: int = 8
    peak_input: int | None = None

    def __post_init__(self) -> None:
        if not 2 <= self.weight_bits <= 8:
            raise ConfigError(f"weight_bits must lie in 2..8; got {self.weight_bits}.")
        if self.clip_percentile is not None and not 0 < self.clip_percentile <= 100:
            raise ConfigError(f"clip_percentile must lie in 0..100, above 0; got {self.clip_percentile}.")
        if not 0 <= self.input_bits <= 16:
            raise ConfigError(f"input_bits must lie in 0..16; got {self.input_bits}.")
        if self.peak_input is not None and not 1 <= self.peak_input <= self.largest_input:
            raise ConfigError(
                f"peak_input must lie in 1..{self.largest_input} with input_bits = {self.input_bits}; "
                f"got {self.peak_input}."
            )

    @property
    def largest_input(self) -> int:
        return max(2**self.input_bits - 1, 1)


@dataclass(frozen=True, slots=True)
class QuantizedLayer:
    """What quantising one population did.

    Attributes:
        scale: integer weight per float weight, S.
        limited_by: what set the scale.
        clip_percentile: of |W|, became the largest integer; None where none was clipped to.
        signs: the sign mode of each connection, once each: one sign has a bit more of magnitude.
        num_weights, num_clipped, num_zeroed: all; beyond the range; non-zero but now 0.
        weight_error: root mean square of W_int / S - W, relative to that of W.
        threshold_error: vth / S - V, relative to V.
        leak_error: dv / 4096 - leak.
        bias_exp: every bias is a mantissa of 13 bits, shifted by this many.
        bias_error: largest error of a bias, relative to V.
        comparison_is_exact: False if `>=` had to become `>` with a leak, where no exact
            form exists; ties then differ.
        worst_current: bound on |u|: every input of a neuron at its peak at once, signs ignored.
    """

    name: str
    scale: float
    limited_by: Literal["weights", "threshold", "bias", "relay"]
    clip_percentile: float | None
    signs: str
    num_weights: int
    num_clipped: int
    num_zeroed: int
    weight_error: float
    threshold_error: float
    leak_error: float
    bias_exp: int
    bias_error: float
    comparison_is_exact: bool
    worst_current: int

    @property
    def may_overflow(self) -> bool:
        """Whether u could leave its 24 bits in the worst case."""
        return self.worst_current >= _STATE_LIMIT

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences for the report; none where all is well."""
        found = []
        if self.may_overflow:
            found.append(f"{self.name}: the current can reach {self.worst_current}, beyond {_STATE_LIMIT} (24 bits).")
        if self.num_clipped:
            found.append(f"{self.name}: {self.num_clipped} of {self.num_weights} weights were clipped.")
        if self.limited_by in ("threshold", "bias"):
            found.append(f"{self.name}: the {self.limited_by} limits the scale, so the weights lose precision.")
        if not self.comparison_is_exact:
            found.append(f"{self.name}: fires on equality and leaks; ties will differ.")
        return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class Quantized:
    """The integer graph and, per population in order, what was approximated."""

    graph: IntegerGraph
    layers: tuple[QuantizedLayer, ...] = field(default=())

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(sentence for layer in self.layers for sentence in layer.warnings)


def quantize(
    graph: SpikingGraph, config: QuantizeConfig | None = None, *, percentiles: Mapping[str, float] | None = None
) -> Quantized:
    """The graph in integers, with a report of every approximation.

    The readout stays float: the host computes it. Input values multiply the weights as
    they are, so the graph must have been trained on counts if it is fed counts.

    Args:
        config: None takes the defaults.
        percentiles: population name -> clip percentile, instead of the config's.

    Raises:
        UnsupportedLayerError: if a neuron resets by subtraction or starts at a voltage
            other than 0: the chip's stock neuron does neither.
        ConfigError: if `percentiles` names a population that is not there.
    """
    settings = config or QuantizeConfig()
    chosen = dict(percentiles or {})
    if unknown := chosen.keys() - {population.name for population in graph.populations}:
        raise ConfigError(f"percentiles names {', '.join(sorted(unknown))}; the graph has no such population.")
    populations, layers = [], []
    for population in graph.populations:
        _require_expressible(population)
        if _is_plain_relay(population):
            integers, layer = _quantize_relay(population, settings)
        else:
            integers, layer = _quantize_population(population, settings, chosen.get(population.name))
        integers.neuron.check(population.name)
        populations.append(integers)
        layers.append(layer)
    return Quantized(
        graph=IntegerGraph(graph.input_shape, settings.input_bits, tuple(populations), graph.readout),
        layers=tuple(layers),
    )


def _require_expressible(population: Population) -> None:
    neuron = population.neuron
    if neuron.arrays:
        raise UnsupportedLayerError(
            f"population {population.name!r} has a {' and a '.join(neuron.arrays)} of its own for each neuron; a "
            "population on the chip has one number for all. Train one number a layer, or, for thresholds, divide each "
            "neuron's weights and bias by its own and set it to 1."
        )
    if neuron.reset != "zero" or neuron.initial_voltage != 0:
        what = "resets by subtraction" if neuron.reset != "zero" else "starts at a voltage other than 0"
        raise UnsupportedLayerError(
            f"population {population.name!r} {what}; the fixed-point neuron resets to 0 and starts at 0. "
            "Fine-tune the network with reset to zero from 0, or run the float graph."
        )
    if not 0 <= neuron.leak <= 1 or neuron.threshold <= 0:
        raise UnsupportedLayerError(
            f"population {population.name!r} must have a leak in 0..1 and a positive threshold; "
            f"got {neuron.leak} and {neuron.threshold}."
        )


def _is_plain_relay(population: Population) -> bool:
    """A population that fires exactly where an input spikes: weights 1, no memory, low threshold."""
    neuron = population.neuron
    return (
        neuron.is_relay
        and float(neuron.leak) == 1
        and float(neuron.threshold) < 1
        and all(link.synapse.bias is None and np.isin(link.synapse.weight, (0, 1)).all() for link in population.inputs)
    )


def _quantize_relay(population: Population, config: QuantizeConfig) -> tuple[IntegerPopulation, QuantizedLayer]:
    weights = [np.asarray(link.synapse.weight * 64, dtype=np.int64) for link in population.inputs]
    neuron = IntegerNeuron(du=4095, dv=4095, vth=63, bias_mant=np.zeros((), dtype=np.int64), is_relay=True)
    layer = QuantizedLayer(
        name=population.name,
        scale=64.0,
        limited_by="relay",
        clip_percentile=None,
        signs="excitatory",
        num_weights=sum(weight.size for weight in weights),
        num_clipped=0,
        num_zeroed=0,
        weight_error=0.0,
        threshold_error=0.0,
        leak_error=0.0,
        bias_exp=0,
        bias_error=0.0,
        comparison_is_exact=True,
        worst_current=_worst_current(population, weights, config),
    )
    return _with_integers(population, weights, neuron), layer


def _quantize_population(
    population: Population, config: QuantizeConfig, percentile: float | None
) -> tuple[IntegerPopulation, QuantizedLayer]:
    neuron = population.neuron
    leak, threshold = float(neuron.leak), float(neuron.threshold)
    weights = [np.asarray(link.synapse.weight, dtype=np.float64) for link in population.inputs]
    bias = total_bias(population)
    clipped_at = config.clip_percentile if percentile is None else percentile
    # Loads torch; whoever asks the command for help must not wait for that.
    from snnface.spiking.quantisation import integer_layer

    layer = integer_layer(
        weights,
        bias,
        leak=leak,
        threshold=threshold,
        fires_on_equality=neuron.fires_on_equality,
        weight_bits=config.weight_bits,
        clip_percentile=clipped_at,
    )
    scale, integers = layer.scale, list(layer.weights)
    flat, flat_int = (np.concatenate([w.ravel() for w in group]) for group in (weights, integers))
    bias_error = np.ldexp(layer.bias_mant, layer.bias_exp) / (64 * scale) - bias
    report = QuantizedLayer(
        name=population.name,
        scale=scale,
        limited_by=layer.limited_by,
        clip_percentile=None if clipped_at == 100 else clipped_at,
        signs=", ".join(dict.fromkeys(layer.signs)),
        num_weights=flat.size,
        num_clipped=layer.num_clipped,
        num_zeroed=int(np.count_nonzero((flat != 0) & (flat_int == 0))),
        weight_error=_norm(flat_int / scale - flat) / max(_norm(flat), 1e-300),
        threshold_error=layer.vth / (scale * threshold) - 1,
        leak_error=layer.dv / 4096 - leak,
        bias_exp=layer.bias_exp,
        bias_error=float(np.abs(bias_error).max(initial=0.0)) / threshold,
        comparison_is_exact=layer.comparison_is_exact,
        worst_current=_worst_current(population, integers, config),
    )
    numbers = IntegerNeuron(4095, layer.dv, layer.vth, layer.bias_mant, layer.bias_exp, neuron.is_relay)
    return _with_integers(population, integers, numbers), report


def total_bias(population: Population) -> np.ndarray:
    """The sum of the biases of the connections into a population, [C, 1, 1] or [N]; 0-d without any."""
    biases = [link.synapse.bias for link in population.inputs if link.synapse.bias is not None]
    if not biases:
        return np.zeros(())
    total = np.asarray(np.sum(biases, axis=0, dtype=np.float64))
    return total[:, None, None] if len(population.shape) == 3 else total


def _norm(values: np.ndarray) -> float:
    return float(np.linalg.norm(values))


def _worst_current(population: Population, weights: list[np.ndarray], config: QuantizeConfig) -> int:
    total = np.zeros((), dtype=np.int64)
    for link, weight in zip(population.inputs, weights, strict=True):
        peak = (config.peak_input or config.largest_input) if link.source == INPUT else 1
        total = total + peak * np.abs(weight).reshape(len(weight), -1).sum(axis=1)
    return 64 * int(total.max())


def _with_integers(population: Population, weights: list[np.ndarray], neuron: IntegerNeuron) -> IntegerPopulation:
    links = tuple(
        replace(link, synapse=_integer_synapse(link.synapse, weight))
        for link, weight in zip(population.inputs, weights, strict=True)
    )
    return IntegerPopulation(population.name, population.shape, neuron, links)


def _integer_synapse(synapse: Synapse, weight: np.ndarray) -> Synapse:
    if isinstance(synapse, LinearSynapse):
        return LinearSynapse(weight)
    return Conv2dSynapse(weight, None, synapse.stride, synapse.padding, synapse.dilation, synapse.groups)
