"""M1: arithmetic, addressing and accesses to on-chip memory, every layer with memories of its own.

Source: Lemaire et al. 2022, arXiv:2210.13107, table of memory accesses, with exact fan-outs
instead of its ceil(kernel / stride). A word of n bits is read as n / 64 of a 64-bit access.
"""

from dataclasses import dataclass

from hardware.counts.ann_operations import AnnLayerOperations, AnnOperations
from hardware.counts.operation_counts import LayerOperations, NetworkOperations
from hardware.energy.compute import parity_precision
from hardware.energy.constants import HOROWITZ, SRAM_ACCESS_J, accumulating, arithmetic, narrowed, sram_access_j
from hardware.energy.estimate import EnergyEstimate, Parts, Workload, estimate

__all__ = ["ann_memory_energy", "ann_parity_memory_energy", "snn_memory_energy", "snn_parity_memory_energy"]

WITH_MEMORY = "M1 compute and memory"
PARITY_MEMORY = "M3 compute and memory, equal bits"

LEMAIRE = f"Lemaire et al. 2022, ICONIP, arXiv:2210.13107, table of memory accesses; constants: {HOROWITZ}"

# Events that wait between two layers, in words.
FIFO_WORDS = 1000
WORD_BITS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class _Widths:
    """Bits of what is stored, and joules of a multiplication of a weight with an activation.

    Attributes:
        whole_access: a word costs a whole 64-bit access, however narrow it is.
    """

    weight_bits: int = WORD_BITS
    activation_bits: int = WORD_BITS
    multiply_j: float
    whole_access: bool = False

    def access_j(self, num_words: float, bits: int) -> float:
        """One word of a memory that holds so many."""
        share = 1.0 if self.whole_access else bits / 64
        return share * sram_access_j(-(-int(num_words) * bits // 8))


def snn_memory_energy(operations: NetworkOperations) -> EnergyEstimate:
    """M1 of a spiking network, int32.

    Central: each synaptic event reads a weight, reads and writes a potential; each neuron
    update reads and writes its potential. Low: synaptic sums stay in registers, so only
    updates of reached neurons touch potentials. High: every word costs a whole
    64-bit access.
    """
    widths = _Widths(multiply_j=arithmetic("int32").multiply_j)
    return _snn(operations, widths, WITH_MEMORY, "int32")


def ann_memory_energy(operations: AnnOperations) -> EnergyEstimate:
    """M1 of an ANN, int32.

    Central: each multiply-accumulate reads a weight, and in a convolution an input; a
    linear layer reads each input once (no value is kept for reuse). Low: inputs that are zero are skipped. High: every
    word costs a whole 64-bit access.
    """
    widths = _Widths(multiply_j=arithmetic("int32").multiply_j)
    return _ann(operations, widths, WITH_MEMORY, "int32")


def snn_parity_memory_energy(operations: NetworkOperations, bits: int) -> EnergyEstimate:
    """M3: M1 with weights of 8 bits; potentials and events keep their 32."""
    widths = _Widths(weight_bits=8, multiply_j=arithmetic("int8").multiply_j)
    return _snn(operations, widths, PARITY_MEMORY, parity_precision(bits))


def ann_parity_memory_energy(operations: AnnOperations, bits: int) -> EnergyEstimate:
    """M3: M1 with weights of 8 bits, activations of `bits` bits and sums of 32."""
    widths = _Widths(weight_bits=8, activation_bits=bits, multiply_j=narrowed(bits))
    return _ann(operations, widths, PARITY_MEMORY, parity_precision(bits))


def _snn(operations: NetworkOperations, widths: _Widths, model: str, precision: str) -> EnergyEstimate:
    low, central, high = Parts(), Parts(), Parts()
    for layer in operations.layers:
        active, updates = layer.mean("updates_active"), layer.mean("updates_dense")
        touched = {"synops": layer.mean("synops"), "macs": layer.mean("macs")}
        _add_snn_layer(low, layer, widths, updates_active=active)
        _add_snn_layer(central, layer, widths, **touched, updates_dense=updates)
        _add_snn_layer(high, layer, _whole(widths), **touched, updates_dense=updates)
    return _finished((low, central, high), "SNN", widths, model, precision)


def _ann(operations: AnnOperations, widths: _Widths, model: str, precision: str) -> EnergyEstimate:
    low, central, high = Parts(), Parts(), Parts()
    for layer in operations.layers:
        _add_ann_layer(low, layer, widths, effective=layer.mean("effective"))
        _add_ann_layer(central, layer, widths, dense=layer.mean("dense"))
        _add_ann_layer(high, layer, _whole(widths), dense=layer.mean("dense"))
    return _finished((low, central, high), "ANN", widths, model, precision)


def _whole(widths: _Widths) -> _Widths:
    return _Widths(
        weight_bits=widths.weight_bits,
        activation_bits=widths.activation_bits,
        multiply_j=widths.multiply_j,
        whole_access=True,
    )


def _add_snn_layer(parts: Parts, layer: LayerOperations, widths: _Widths, **potential_updates: float) -> None:
    """A readout has no potentials on the chip but sums its answers all the same."""
    e, sums = arithmetic("int32"), accumulating("int8")
    queue = widths.access_j(FIFO_WORDS, WORD_BITS)
    weights = widths.access_j(layer.num_parameters, widths.weight_bits)
    potentials = widths.access_j(layer.num_neurons or layer.shape[0], WORD_BITS)
    touched = {"synops": layer.mean("synops"), "macs": layer.mean("macs")}
    bias_adds, spikes = layer.mean("bias_adds"), layer.mean("spikes")
    parts.add("weight reads", weights, **touched, bias_adds=bias_adds)
    # Read and written.
    parts.add("potentials", 2 * potentials, **potential_updates)
    parts.add("event queues", queue, in_events=layer.mean("in_events"), spikes=spikes)
    parts.add("arithmetic", e.add_j, synops=touched["synops"], spikes=spikes, bias_adds=bias_adds)
    parts.add("arithmetic", sums.add_j + widths.multiply_j, macs=touched["macs"])
    parts.add("arithmetic", e.multiply_j, leak_multiplies=layer.mean("leak_multiplies"))
    parts.add("addressing", e.add_j, **touched)
    convolved = sum(float(c.in_events.mean()) for c in layer.connections if c.kind != "linear")
    parts.add("addressing", 2 * e.mac_j, in_events=convolved)


def _add_ann_layer(parts: Parts, layer: AnnLayerOperations, widths: _Widths, **macs: float) -> None:
    e = arithmetic("int32")
    weights = widths.access_j(layer.num_parameters, widths.weight_bits)
    inputs = widths.access_j(layer.input_size, widths.activation_bits)
    outputs = widths.access_j(layer.output_size, widths.activation_bits)
    read, written, bias_adds = layer.mean("inputs"), layer.mean("outputs"), layer.mean("bias_adds")
    parts.add("weight reads", weights, **macs, bias_adds=bias_adds)
    parts.add("inputs and outputs", inputs, **(macs if layer.kernel_size > 0 else {"inputs": read}))
    parts.add("inputs and outputs", outputs, outputs=written)
    parts.add("arithmetic", e.add_j + widths.multiply_j, **macs)
    parts.add("arithmetic", e.add_j, bias_adds=bias_adds)
    taps = layer.kernel_size * layer.mean("frames")
    parts.add("addressing", e.add_j, inputs=read, outputs=written, kernel_taps=taps)


def _finished(
    bounds: tuple[Parts, Parts, Parts], workload: Workload, widths: _Widths, model: str, precision: str
) -> EnergyEstimate:
    e = arithmetic("int32")
    low = "sums in registers" if workload == "SNN" else "zeros skipped"
    left_out = ("routing",) if workload == "SNN" else ("activations and pooling",)
    scaled = "; multiplications scaled by the product of their widths" if model == PARITY_MEMORY else ""
    return estimate(
        *bounds,
        model=model,
        workload=workload,
        precision=precision,
        scope=f"arithmetic, addressing, on-chip memory, no reuse; low: {low}; high: 64-bit access per word",
        source=f"{LEMAIRE}{scaled}",
        constants={
            "addition": e.add_j,
            "multiplication": e.multiply_j,
            "multiplication with a weight": widths.multiply_j,
            **{f"64-bit access, {name}": joules for name, joules in SRAM_ACCESS_J.items()},
        },
        not_counted=("memory beyond the chip", *left_out),
    )
