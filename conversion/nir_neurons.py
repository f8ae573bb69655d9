"""One NIR neuron node as a neuron of a spiking graph, and what its weights are multiplied by."""

from typing import Any

import nir
import numpy as np

from conversion.graph import Neuron
from conversion.nir_weights import require_values
from snnface.errors import UnsupportedLayerError

__all__ = ["leak_of", "neuron_of", "plain"]

_ROUNDING = 8 * np.finfo(np.float64).eps


def neuron_of(name: str, node: nir.NIRNode, dt_s: float) -> tuple[Neuron, np.ndarray]:
    """The neuron, and the factor on every weight into it (a scalar or the neurons' shape)."""
    require_values(name, node, "v_reset", lambda v: v == v.flat[0], "must be the same for all neurons of a node")
    reset = float(np.asarray(node.v_reset).flat[0])
    require_values(name, node, "r", lambda r: r == r, "must be a number")
    require_values(name, node, "v_threshold", lambda v: v == v, "must be a number")
    leak, gain = 0.0, dt_s * node.r
    if isinstance(node, nir.LIF):
        leak = leak_of(name, node, dt_s, rest=reset)
        gain = leak * node.r
    threshold = float(node.v_threshold.flat[0]) - reset
    if not np.all(node.v_threshold == node.v_threshold.flat[0]):
        require_values(name, node, "v_threshold", lambda v: v > 0, "must be positive where it differs between neurons")
        if reset:
            raise UnsupportedLayerError(f"v_threshold of node {name!r} differs between neurons, and v_reset is not 0.")
        gain, threshold = gain / node.v_threshold, 1.0
    is_relay = bool(plain(node.metadata.get("is_relay", 0)))
    neuron = Neuron(leak=leak, threshold=threshold, initial_voltage=-reset if reset else 0.0, is_relay=is_relay)
    return neuron, _snapped_array(np.asarray(gain))


def leak_of(name: str, node: nir.LIF | nir.LI, dt_s: float, *, rest: float = 0.0) -> float:
    """dt / tau of a node that leaks towards `rest`, to which it is also reset."""
    require_values(name, node, "v_leak", lambda v: v == rest, f"must be {rest:g}, where its neurons are reset to")
    require_values(name, node, "tau", lambda tau: tau > 0, "must be positive")
    require_values(name, node, "tau", lambda tau: tau == tau.flat[0], "must be the same for all neurons of a node")
    leak = _snapped(dt_s / float(node.tau.flat[0]))
    if leak > 1:
        raise UnsupportedLayerError(
            f"node {name!r} has tau = {node.tau.flat[0]} s, below the time step of {dt_s} s; forward Euler would "
            "overshoot. Use a smaller step."
        )
    return leak


def _snapped(value: float) -> float:
    """1 where rounding alone keeps `value` from it."""
    return 1.0 if abs(value - 1) < _ROUNDING else value


def _snapped_array(values: np.ndarray) -> np.ndarray:
    return np.where(np.abs(values - 1) < _ROUNDING, 1.0, values)


def plain(value: Any) -> Any:
    """The Python value of what HDF5 gives back."""
    if isinstance(value, bytes):
        return value.decode()
    return value.item() if isinstance(value, np.generic | np.ndarray) else value
