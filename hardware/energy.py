"""Energy estimates: exact counts times published constants, always as a range, never a measurement.

Three models, each reported on its own (joules per inference):

    M0  compute only   arithmetic at 45 nm; leaves memory out, which usually dominates
    M1  with memory    arithmetic, addressing and on-chip memory accesses at 45 nm, int32
    M2  platform       synaptic events, neuron updates and spikes of a neuromorphic chip

They are never mixed; `hardware.energy_ratio` compares a spiking network and an ANN inside one of them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from hardware.ann_operations import AnnLayerOperations, AnnOperations
from hardware.energy_constants import (
    ACCUMULATOR,
    ARITHMETIC_45NM,
    HOROWITZ,
    LOIHI1_ENERGY,
    LOIHI1_KERAS_SPIKING,
    ArithmeticEnergy,
    PlatformEnergy,
    sram_access_j,
)
from hardware.operation_counts import LayerOperations, NetworkOperations
from snnface.errors import unknown_name

__all__ = [
    "EnergyEstimate",
    "ann_compute_energy",
    "ann_memory_energy",
    "energy_estimates",
    "platform_energy",
    "snn_compute_energy",
    "snn_memory_energy",
]

COMPUTE_ONLY = "M0 compute only"
WITH_MEMORY = "M1 compute and memory"
PLATFORM = "M2 platform"

LEMAIRE = f"Lemaire et al. 2022, ICONIP, arXiv:2210.13107, table of memory accesses; constants: {HOROWITZ}"
ESTIMATED = "estimated, not measured"

NEVER_COUNTED = ("host and its interfaces", "event sensor", "static power", "clock tree and control")

# Events that wait between two layers, in words.
FIFO_WORDS = 1000
WORD_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyEstimate:
    """Energy of one inference under one model.

    Attributes:
        workload: whose counts these are.
        precision: of weights and activations; "-" where the platform fixes it.
        low_j, central_j, high_j: joules. What the bounds assume stands in `scope`.
        parts: what the central value is made of, in joules.
        grade: how good the constants are.
        not_counted: what the model leaves out.
    """

    model: str
    workload: Literal["SNN", "ANN"]
    node: str
    precision: str
    scope: str
    low_j: float
    central_j: float
    high_j: float
    parts: Mapping[str, float]
    source: str
    grade: str
    not_counted: tuple[str, ...]


def energy_estimates(snn: NetworkOperations, ann: AnnOperations | None = None) -> tuple[EnergyEstimate, ...]:
    """Every model that applies: M0 in fp32 and int8, M1, and M2 for the spiking network."""
    estimates = []
    for precision in ("fp32", "int8"):
        estimates.append(snn_compute_energy(snn, precision))
        estimates += [] if ann is None else [ann_compute_energy(ann, precision)]
    estimates.append(snn_memory_energy(snn))
    estimates += [] if ann is None else [ann_memory_energy(ann)]
    return (*estimates, platform_energy(snn, LOIHI1_ENERGY), platform_energy(snn, LOIHI1_KERAS_SPIKING))


# --- M0: arithmetic only ----------------------------------------------------------------------


def snn_compute_energy(operations: NetworkOperations, precision: str) -> EnergyEstimate:
    """M0 of a spiking network.

    E = e_add synops + e_mac macs + e_add (bias adds + resets) + (e_add + decays e_mul) updates

    Low: connections of weight zero and neurons that no event reaches cost nothing.
    Central: the counts as they are, every neuron updated at every step.
    High: events at the border cost as much as inner ones, and sums are kept in the
    accumulator's precision.
    """
    arithmetic = _arithmetic(precision)
    wide = _accumulating(precision)
    low, central, high = _Parts(), _Parts(), _Parts()
    for layer in operations.layers:
        padded = sum(c.max_fan_out * float(c.in_events.mean()) for c in layer.connections if not c.is_graded)
        padded_macs = sum(c.max_fan_out * float(c.in_events.mean()) for c in layer.connections if c.is_graded)
        active, updates = layer.mean("updates_active"), layer.mean("updates_dense")
        for parts, e, synops, macs, count in (
            (low, arithmetic, layer.mean("synops_nonzero"), layer.mean("macs_nonzero"), active),
            (central, arithmetic, layer.mean("synops"), layer.mean("macs"), updates),
            (high, wide, padded, padded_macs, updates),
        ):
            parts.add("synaptic additions", e.add_j * synops)
            parts.add("graded input", e.mac_j * macs)
            parts.add("biases and resets", e.add_j * (layer.mean("bias_adds") + layer.mean("spikes")))
            parts.add("neuron updates", (e.add_j + layer.num_decays * e.multiply_j) * count)
    return _estimate(
        (low, central, high),
        model=COMPUTE_ONLY,
        workload="SNN",
        precision=precision,
        scope="arithmetic; low: zero weights, idle neurons skipped; high: borders as inside, wide accumulators",
        source=HOROWITZ,
        not_counted=("memory", "addressing and routing", *NEVER_COUNTED),
    )


def ann_compute_energy(operations: AnnOperations, precision: str) -> EnergyEstimate:
    """M0 of an ANN: e_mac times the multiply-accumulates.

    Low: inputs that are exactly zero are skipped. Central: all existing connections.
    High: padding counted too, and sums kept in the accumulator's precision.
    """
    arithmetic, wide = _arithmetic(precision), _accumulating(precision)
    low, central, high = _Parts(), _Parts(), _Parts()
    for layer in operations.layers:
        low.add("multiply-accumulates", arithmetic.mac_j * layer.mean("effective"))
        central.add("multiply-accumulates", arithmetic.mac_j * layer.mean("dense"))
        high.add("multiply-accumulates", wide.mac_j * layer.mean("dense_pad"))
    return _estimate(
        (low, central, high),
        model=COMPUTE_ONLY,
        workload="ANN",
        precision=precision,
        scope="arithmetic; low: zero activations skipped; high: padding counted, wide accumulators",
        source=HOROWITZ,
        not_counted=("memory", "addressing", "biases, activations and pooling", *NEVER_COUNTED),
    )


# --- M1: arithmetic, addressing, on-chip memory -----------------------------------------------


def snn_memory_energy(operations: NetworkOperations) -> EnergyEstimate:
    """M1 of a spiking network, int32, every layer with on-chip memories of its own.

    Central: each synaptic event reads a weight, reads and writes a potential; each neuron
    update reads and writes its potential. Low: synaptic sums stay in registers, so only
    updates of reached neurons touch potentials. High: every 32-bit word costs a whole
    64-bit access. Exact fan-outs replace the source's ceil(K / stride) formula.
    """
    low, central, high = _Parts(), _Parts(), _Parts()
    for layer in operations.layers:
        _add_snn_layer(low, layer, word_share=0.5, potential_accesses=2 * layer.mean("updates_active"))
        touched = sum(float(c.touched.mean()) for c in layer.connections)
        accesses = 2 * (touched + layer.mean("updates_dense"))
        _add_snn_layer(central, layer, word_share=0.5, potential_accesses=accesses)
        _add_snn_layer(high, layer, word_share=1.0, potential_accesses=accesses)
    return _estimate(
        (low, central, high),
        model=WITH_MEMORY,
        workload="SNN",
        precision="int32",
        scope="arithmetic, addressing, on-chip memory, no reuse; low: sums in registers; high: 64-bit access per word",
        source=LEMAIRE,
        not_counted=("memory beyond the chip", "routing", *NEVER_COUNTED),
    )


def ann_memory_energy(operations: AnnOperations) -> EnergyEstimate:
    """M1 of an ANN, int32, every layer with on-chip memories of its own.

    Central: each multiply-accumulate reads a weight, and in a convolution an input; a
    linear layer reads each input once (no value is kept for reuse). Low: inputs that are zero are skipped. High: every
    32-bit word costs a whole 64-bit access.
    """
    low, central, high = _Parts(), _Parts(), _Parts()
    for layer in operations.layers:
        _add_ann_layer(low, layer, word_share=0.5, macs=layer.mean("effective"))
        _add_ann_layer(central, layer, word_share=0.5, macs=layer.mean("dense"))
        _add_ann_layer(high, layer, word_share=1.0, macs=layer.mean("dense"))
    return _estimate(
        (low, central, high),
        model=WITH_MEMORY,
        workload="ANN",
        precision="int32",
        scope="arithmetic, addressing, on-chip memory, no reuse; low: zeros skipped; high: 64-bit access per word",
        source=LEMAIRE,
        not_counted=("memory beyond the chip", "activations and pooling", *NEVER_COUNTED),
    )


def _add_snn_layer(parts: "_Parts", layer: LayerOperations, *, word_share: float, potential_accesses: float) -> None:
    e = _arithmetic("int32")
    queue = word_share * sram_access_j(FIFO_WORDS * WORD_BYTES)
    weights = word_share * sram_access_j(layer.num_parameters * WORD_BYTES)
    potentials = word_share * sram_access_j((layer.num_neurons or layer.shape[0]) * WORD_BYTES)
    parts.add("weight reads", weights * layer.mean("bias_adds"))
    parts.add("potentials", potentials * potential_accesses)
    parts.add("event queues", queue * (layer.mean("in_events") + layer.mean("spikes")))
    parts.add("arithmetic", e.add_j * (layer.mean("synops") + layer.mean("spikes") + layer.mean("bias_adds")))
    parts.add("arithmetic", e.mac_j * layer.mean("macs") + e.multiply_j * layer.mean("leak_multiplies"))
    for connection in layer.connections:
        touched, events = float(connection.touched.mean()), float(connection.in_events.mean())
        parts.add("weight reads", weights * touched)
        parts.add("addressing", e.add_j * touched + (2 * e.mac_j * events if connection.kind == "conv2d" else 0.0))


def _add_ann_layer(parts: "_Parts", layer: AnnLayerOperations, *, word_share: float, macs: float) -> None:
    e = _arithmetic("int32")
    weights = word_share * sram_access_j(layer.num_parameters * WORD_BYTES)
    inputs = word_share * sram_access_j(layer.input_size * WORD_BYTES)
    outputs = word_share * sram_access_j(layer.output_size * WORD_BYTES)
    is_convolution = layer.kernel_size > 0
    addresses = layer.mean("inputs") + layer.mean("outputs") + layer.kernel_size * layer.mean("frames")
    parts.add("weight reads", weights * (macs + layer.mean("bias_adds")))
    parts.add("inputs and outputs", inputs * (macs if is_convolution else layer.mean("inputs")))
    parts.add("inputs and outputs", outputs * layer.mean("outputs"))
    parts.add("arithmetic", e.mac_j * macs + e.add_j * layer.mean("bias_adds"))
    parts.add("addressing", e.add_j * addresses)


# --- M2: a neuromorphic chip ------------------------------------------------------------------


def platform_energy(operations: NetworkOperations, platform: PlatformEnergy) -> EnergyEstimate:
    """M2: what the published per-event energies of a chip add up to.

    E = e_synop touched + e_active active + e_idle (updates - active) + (e_spike + hops e_hop) spikes

    Low: zero weights not stored, no hops. Central: two hops. High: four hops in the dear
    direction, and leaky neurons count as active at every step.
    """
    low, central, high = _Parts(), _Parts(), _Parts()
    hop = (platform.hop_low_j + platform.hop_high_j) / 2
    for layer in operations.layers:
        if layer.kind == "readout":
            continue
        touched = layer.mean("synops") + layer.mean("macs")
        nonzero = layer.mean("synops_nonzero") + layer.mean("macs_nonzero")
        active, updates = layer.mean("updates_active"), layer.mean("updates_dense")
        for parts, events, reached, spike_j in (
            (low, nonzero, active, platform.spike_j),
            (central, touched, active, platform.spike_j + 2 * hop),
            (high, touched, updates if layer.num_decays else active, platform.spike_j + 4 * platform.hop_high_j),
        ):
            parts.add("synaptic events", platform.synop_j * events)
            parts.add("active updates", platform.update_active_j * reached)
            parts.add("idle updates", platform.update_idle_j * (updates - reached))
            parts.add("spikes", spike_j * layer.mean("spikes"))
    return _estimate(
        (low, central, high),
        model=f"{PLATFORM}: {platform.name}",
        workload="SNN",
        node=platform.node,
        precision="-",
        scope="populations and relays; low: zero weights not stored, no hops; high: 4 hops, leaky always active",
        source=platform.source,
        grade=platform.grade,
        not_counted=(
            "readout on the host",
            "barrier synchronisation",
            "the width of graded input (each count is charged as one binary event)",
            *NEVER_COUNTED,
        ),
    )


class _Parts:
    """Joules by name, adding up."""

    def __init__(self) -> None:
        self.joules: dict[str, float] = {}

    def add(self, name: str, joules: float) -> None:
        self.joules[name] = self.joules.get(name, 0.0) + joules

    @property
    def total(self) -> float:
        return math.fsum(self.joules.values())


def _estimate(
    bounds: tuple[_Parts, _Parts, _Parts],
    *,
    model: str,
    workload: Literal["SNN", "ANN"],
    precision: str,
    scope: str,
    source: str,
    not_counted: tuple[str, ...],
    node: str = "45 nm",
    grade: str = ESTIMATED,
) -> EnergyEstimate:
    low, central, high = bounds
    return EnergyEstimate(
        model=model,
        workload=workload,
        node=node,
        precision=precision,
        scope=scope,
        low_j=low.total,
        central_j=central.total,
        high_j=high.total,
        parts=central.joules,
        source=source,
        grade=grade,
        not_counted=not_counted,
    )


def _arithmetic(precision: str) -> ArithmeticEnergy:
    if precision not in ARITHMETIC_45NM:
        raise unknown_name("precision", precision, ARITHMETIC_45NM)
    return ARITHMETIC_45NM[precision]


def _accumulating(precision: str) -> ArithmeticEnergy:
    """Products in `precision`, sums in the accumulator's."""
    return ArithmeticEnergy(_arithmetic(ACCUMULATOR[precision]).add_j, _arithmetic(precision).multiply_j)
