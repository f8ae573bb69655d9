"""M0: arithmetic alone, for comparison with papers. It leaves memory out, which usually dominates."""

from hardware.counts.ann_operations import AnnOperations
from hardware.counts.operation_counts import LayerOperations, NetworkOperations
from hardware.energy.constants import HOROWITZ, ArithmeticEnergy, accumulating, arithmetic, narrowed
from hardware.energy.estimate import EnergyEstimate, Parts, Workload, estimate

__all__ = ["ann_compute_energy", "ann_parity_compute_energy", "snn_compute_energy", "snn_parity_compute_energy"]

COMPUTE_ONLY = "M0 compute only"
PARITY_COMPUTE = "M3 compute only, equal bits"

SNN_SCOPE = (
    "arithmetic, excludes memory; low: zero weights and idle neurons skipped, products of a constant input kept; "
    "high: borders as inside, wide accumulators"
)
ANN_SCOPE = "arithmetic, excludes memory; low: zero activations skipped; high: padding counted, wide accumulators"


def snn_compute_energy(operations: NetworkOperations, precision: str) -> EnergyEstimate:
    """M0 of a spiking network.

    E = e_add synops + e_mac macs + e_add (bias adds + resets) + (e_add + decays e_mul) updates

    Low: connections of weight zero and neurons that no event reaches cost nothing, and the
    products of an input that is the same at every step are computed once.
    Central: the counts as they are, every neuron updated at every step.
    High: events at the border cost as much as inner ones, and sums are kept in the
    accumulator's precision.
    """
    return _snn(operations, arithmetic(precision), accumulating(precision), COMPUTE_ONLY, precision)


def ann_compute_energy(operations: AnnOperations, precision: str) -> EnergyEstimate:
    """M0 of an ANN: e_mac times the multiply-accumulates.

    Low: inputs that are exactly zero are skipped. Central: all existing connections.
    High: padding counted too, and sums kept in the accumulator's precision.
    """
    return _ann(operations, arithmetic(precision), accumulating(precision), COMPUTE_ONLY, precision)


def snn_parity_compute_energy(operations: NetworkOperations, bits: int) -> EnergyEstimate:
    """M3: M0 with int8 weights, beside an ANN whose activations have the `bits` that the spike counts carry."""
    return _snn(operations, arithmetic("int8"), accumulating("int8"), PARITY_COMPUTE, parity_precision(bits))


def ann_parity_compute_energy(operations: AnnOperations, bits: int) -> EnergyEstimate:
    """M3: M0 with int8 weights and activations of `bits` bits. High: multipliers of 8 bits at least."""
    narrow, wide = narrowed(bits), accumulating("int8")
    return _ann(
        operations,
        ArithmeticEnergy(arithmetic("int8").add_j, narrow),
        ArithmeticEnergy(wide.add_j, max(narrow, wide.multiply_j)),
        PARITY_COMPUTE,
        parity_precision(bits),
    )


def parity_precision(bits: int) -> str:
    """How M3 names its precision: the same for both networks."""
    return f"int8 weights, {bits}-bit codes"


def _snn(
    operations: NetworkOperations, narrow: ArithmeticEnergy, wide: ArithmeticEnergy, model: str, precision: str
) -> EnergyEstimate:
    low, central, high = Parts(), Parts(), Parts()
    for layer in operations.layers:
        active, updates, decays = layer.mean("updates_active"), layer.mean("updates_dense"), layer.num_decays
        once, kept_adds = layer.cached_products
        _add(low, layer, narrow, synops_nonzero=layer.mean("synops_nonzero"), kept_currents=kept_adds)
        low.add("graded input", narrow.mac_j, macs_nonzero=once)
        low.add("neuron updates", narrow.add_j + decays * narrow.multiply_j, updates_active=active)
        _add(central, layer, narrow, synops=layer.mean("synops"))
        central.add("graded input", narrow.mac_j, macs=layer.mean("macs"))
        central.add("neuron updates", narrow.add_j + decays * narrow.multiply_j, updates_dense=updates)
        padded, padded_macs = layer.padded_operations
        _add(high, layer, wide, padded_synops=padded)
        high.add("graded input", wide.mac_j, padded_macs=padded_macs)
        high.add("neuron updates", wide.add_j + decays * wide.multiply_j, updates_dense=updates)
    return _finished((low, central, high), "SNN", (narrow, wide), model, precision)


def _add(parts: Parts, layer: LayerOperations, each: ArithmeticEnergy, **synops: float) -> None:
    parts.add("synaptic additions", each.add_j, **synops)
    parts.add("biases and resets", each.add_j, bias_adds=layer.mean("bias_adds"), spikes=layer.mean("spikes"))


def _ann(
    operations: AnnOperations, narrow: ArithmeticEnergy, wide: ArithmeticEnergy, model: str, precision: str
) -> EnergyEstimate:
    low, central, high = Parts(), Parts(), Parts()
    for layer in operations.layers:
        low.add("multiply-accumulates", narrow.mac_j, effective=layer.mean("effective"))
        central.add("multiply-accumulates", narrow.mac_j, dense=layer.mean("dense"))
        high.add("multiply-accumulates", wide.mac_j, dense_pad=layer.mean("dense_pad"))
    return _finished((low, central, high), "ANN", (narrow, wide), model, precision)


def _finished(
    bounds: tuple[Parts, Parts, Parts],
    workload: Workload,
    energies: tuple[ArithmeticEnergy, ArithmeticEnergy],
    model: str,
    precision: str,
) -> EnergyEstimate:
    narrow, wide = energies
    left_out = "addressing and routing" if workload == "SNN" else "biases, activations, pooling and addressing"
    scaled = "; multiplications scaled by the product of their widths" if model == PARITY_COMPUTE else ""
    return estimate(
        *bounds,
        model=model,
        workload=workload,
        precision=precision,
        scope=SNN_SCOPE if workload == "SNN" else ANN_SCOPE,
        source=f"{HOROWITZ}{scaled}",
        constants={
            "addition": narrow.add_j,
            "multiplication": narrow.multiply_j,
            "addition, wide": wide.add_j,
            "multiplication, wide": wide.multiply_j,
        },
        not_counted=("memory", left_out),
    )
