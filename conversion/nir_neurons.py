"""One NIR neuron node as a neuron of a spiking graph, and what its weights are multiplied by."""

from dataclasses import replace
from typing import Any, NamedTuple

import nir
import numpy as np

from conversion.graph import Neuron
from conversion.nir_weights import per_output, require_values
from snnface.errors import ConversionError, UnsupportedLayerError

__all__ = ["NodeNeuron", "leak_of", "neuron_of", "plain", "require_neurons"]

_ROUNDING = 8 * np.finfo(np.float64).eps


class NodeNeuron(NamedTuple):
    """A neuron, and what becomes of the currents into it.

    Attributes:
        gain: the factor on every weight and bias; one number, or the neurons' shape.
        drive: the current that flows at every step without any input, by a v_leak other than v_reset; likewise.
    """

    neuron: Neuron
    gain: np.ndarray
    drive: np.ndarray

    def for_weights(self, shape: tuple[int, ...]) -> "NodeNeuron":
        """The same neurons of `shape` with gain and drive that weights can take in, one number an output channel.

        A potential may be counted in any positive unit: in that of the threshold, where it differs between
        neurons, which becomes 1; or, where r or the threshold differs within a map, in that of the gain.
        """
        unit = np.asarray(self.neuron.threshold)
        scaled = self
        if unit.size > 1 and (unit > 0).all() and per_output(self.gain / unit, shape) is not None:
            scaled = self._in_units_of(unit)
        elif per_output(self.gain, shape) is None and (self.gain > 0).all():
            scaled = self._in_units_of(self.gain)
        channels = per_output(scaled.drive, shape)
        if channels is not None:
            return scaled._replace(drive=channels)
        # Only neurons that leak have a drive.
        rest = scaled.drive / scaled.neuron.leak
        return scaled._replace(neuron=replace(scaled.neuron, rest=rest), drive=np.zeros(shape[0]))

    def _in_units_of(self, unit: np.ndarray) -> "NodeNeuron":
        neuron = replace(
            self.neuron, threshold=self.neuron.threshold / unit, initial_voltage=self.neuron.initial_voltage / unit
        )
        return NodeNeuron(neuron, self.gain / unit, self.drive / unit)


def neuron_of(name: str, node: nir.NIRNode, dt_s: float) -> NodeNeuron:
    """The neuron of a LIF or IF node; its potential counts from v_reset."""
    for field in ("v_reset", "r", "v_threshold"):
        require_values(name, node, field, lambda values: values == values, "must be a number")
    reset, r = _floats(node.v_reset), _floats(node.r)
    leak, gain, drive = np.zeros(1), dt_s * r, np.zeros(1)
    if isinstance(node, nir.LIF):
        require_values(name, node, "v_leak", lambda values: values == values, "must be a number")
        leak = leak_of(name, node, dt_s)
        gain, drive = leak * r, leak * (_floats(node.v_leak) - reset)
    neuron = Neuron(
        leak=leak,
        threshold=_floats(node.v_threshold) - reset,
        initial_voltage=0.0 - reset,
        is_relay=bool(plain(node.metadata.get("is_relay", 0))),
    )
    return NodeNeuron(neuron, _snapped(gain), drive)


def require_neurons(name: str, node: nir.NIRNode, shape: tuple[int, ...]) -> None:
    """Check that every parameter of a node is one number, or one for each neuron.

    Raises:
        ConversionError: if there are more or fewer neurons than the currents of `shape` that arrive.
    """
    for field in ("tau", "r", "v_leak", "v_reset", "v_threshold", "threshold"):
        declared = np.shape(getattr(node, field, 0.0))
        if np.prod(declared) != 1 and declared != shape:
            raise ConversionError(f"{field} of node {name!r} is for {declared} neurons; {shape} currents arrive.")


def leak_of(name: str, node: nir.LIF | nir.LI, dt_s: float) -> np.ndarray:
    """dt / tau, one number or one a neuron."""
    require_values(name, node, "tau", lambda tau: tau > 0, "must be positive")
    leak = _snapped(dt_s / _floats(node.tau))
    if (leak > 1).any():
        raise UnsupportedLayerError(
            f"node {name!r} has tau = {np.min(node.tau)} s, below the time step of {dt_s} s; forward Euler "
            "would overshoot. Use a smaller step."
        )
    return leak


def _floats(values: Any) -> np.ndarray:
    """[1] of one number in any shape; else in their own shape."""
    numbers = np.asarray(values, dtype=np.float64)
    return numbers.reshape(1) if numbers.size == 1 else numbers


def _snapped(values: np.ndarray) -> np.ndarray:
    """1 where rounding alone keeps a value from it."""
    return np.where(np.abs(values - 1) < _ROUNDING, 1.0, values)


def plain(value: Any) -> Any:
    """The Python value of what HDF5 gives back."""
    if isinstance(value, bytes):
        return value.decode()
    return value.item() if isinstance(value, np.generic | np.ndarray) else value
