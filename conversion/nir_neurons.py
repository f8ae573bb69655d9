"""One NIR neuron node as a neuron of a spiking graph, and what its weights are multiplied by."""

from typing import Any, NamedTuple

import nir
import numpy as np

from conversion.graph import Neuron
from conversion.nir_weights import require_values
from snnface.errors import UnsupportedLayerError

__all__ = ["NodeNeuron", "leak_of", "neuron_of", "plain"]

_ROUNDING = 8 * np.finfo(np.float64).eps


class NodeNeuron(NamedTuple):
    """A neuron, and what becomes of the currents into it.

    Attributes:
        gain: the factor on every weight and bias; one number, or the neurons' shape.
        drive: the current that flows at every step without any input; likewise.
    """

    neuron: Neuron
    gain: np.ndarray
    drive: np.ndarray


def neuron_of(name: str, node: nir.NIRNode, dt_s: float) -> NodeNeuron:
    """The neuron of a LIF or IF node; its potential counts from v_reset."""
    require_values(name, node, "v_reset", lambda v: v == v.flat[0], "must be the same for all neurons of a node")
    reset = float(np.asarray(node.v_reset).flat[0])
    require_values(name, node, "r", lambda r: r == r, "must be a number")
    require_values(name, node, "v_threshold", lambda v: v == v, "must be a number")
    leak, gain, drive = 0.0, np.asarray(dt_s * node.r), np.zeros(1)
    if isinstance(node, nir.LIF):
        require_values(name, node, "v_leak", lambda v: v == v, "must be a number")
        leak = leak_of(name, node, dt_s)
        gain, drive = np.asarray(leak * node.r), leak * (np.asarray(node.v_leak, dtype=np.float64) - reset)
    threshold = float(node.v_threshold.flat[0]) - reset
    if not np.all(node.v_threshold == node.v_threshold.flat[0]):
        require_values(name, node, "v_threshold", lambda v: v > 0, "must be positive where it differs between neurons")
        if reset:
            raise UnsupportedLayerError(f"v_threshold of node {name!r} differs between neurons, and v_reset is not 0.")
        gain, drive, threshold = gain / node.v_threshold, drive / node.v_threshold, 1.0
    is_relay = bool(plain(node.metadata.get("is_relay", 0)))
    neuron = Neuron(leak=leak, threshold=threshold, initial_voltage=-reset if reset else 0.0, is_relay=is_relay)
    return NodeNeuron(neuron, _snapped_array(gain), drive)


def leak_of(name: str, node: nir.LIF | nir.LI, dt_s: float) -> float:
    """dt / tau."""
    require_values(name, node, "tau", lambda tau: tau > 0, "must be positive")
    require_values(
        name, node, "tau", lambda tau: tau == tau.flat[0], "must be the same for all neurons of a node; split the node"
    )
    leak = _snapped(dt_s / float(np.asarray(node.tau).flat[0]))
    if leak > 1:
        raise UnsupportedLayerError(
            f"node {name!r} has tau = {np.asarray(node.tau).flat[0]} s, below the time step of {dt_s} s; forward Euler "
            "would overshoot. Use a smaller step."
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
