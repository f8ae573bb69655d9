"""Reset by subtraction in NIR, whose IF and LIF only reset to a value: an integrator with a feedback.

    ... -> I (r = 1/dt) -> Threshold (theta - v[0]) -> ...
             ^---- Scale (-theta) ----'

One step after a spike the feedback takes theta off. With w = v - v[0], which starts at 0 as every
state in NIR does,

    w[t] = w[t-1] + x[t] - theta s[t-1],   s[t] = 1 where w[t] > theta - v[0]

is the neuron of `conversion.graph` with reset "subtract", spike for spike. A reader that does not
know the cycle refuses the file (snntorch 1.0.0, norse 1.1.0), where a plain IF would silently
lose what the reset should keep. That a neuron fires on equality (>=) stands in the metadata of
its Threshold node, as NIR itself only knows >.
"""

from collections.abc import Mapping
from typing import NamedTuple

import nir
import numpy as np

from conversion.graph import Neuron
from conversion.nir_weights import require_declared, require_values
from snnface.errors import UnsupportedLayerError

__all__ = ["SoftReset", "feedbacks_of", "soft_reset_neuron", "soft_reset_nodes"]


class SoftReset(NamedTuple):
    """The three nodes of one population; the Threshold's name is the population's."""

    integrator: str
    threshold: str
    feedback: str


def soft_reset_nodes(
    neuron: Neuron, shape: tuple[int, ...], *, r: float, metadata: Mapping[str, str | int | float]
) -> tuple[nir.I, nir.Threshold, nir.Scale]:
    """Integrator, threshold and feedback of a neuron without leak that resets by subtraction.

    Args:
        r: of the integrator, 1 / dt.
    """
    fires_at = neuron.threshold - neuron.initial_voltage
    comparison = ">=" if neuron.fires_on_equality else ">"
    return (
        nir.I(r=np.full(shape, r)),
        nir.Threshold(threshold=np.full(shape, fires_at), metadata={**metadata, "comparison": comparison}),
        nir.Scale(scale=np.full(shape, -neuron.threshold)),
    )


def feedbacks_of(graph: nir.NIRGraph) -> dict[str, SoftReset]:
    """The neurons of this form in a graph, by the name of their Threshold node."""
    after: dict[str, list[str]] = {name: [] for name in graph.nodes}
    for source, target in graph.edges:
        if source in after:
            after[source].append(target)
    found = {}
    for integrator, targets in after.items():
        if not isinstance(graph.nodes[integrator], nir.I) or len(targets) != 1:
            continue
        threshold = targets[0]
        if not isinstance(graph.nodes.get(threshold), nir.Threshold):
            continue
        back = [n for n in after[threshold] if isinstance(graph.nodes.get(n), nir.Scale) and after[n] == [integrator]]
        if len(back) == 1:
            found[threshold] = SoftReset(integrator, threshold, back[0])
    return found


def soft_reset_neuron(graph: nir.NIRGraph, nodes: SoftReset, dt_s: float) -> Neuron:
    """The neuron of three such nodes; the weights into it stay as they are.

    Raises:
        UnsupportedLayerError: if the feedback does not take off a positive number.
        ConversionError: if the three nodes have different shapes.
    """
    integrator, threshold, feedback = (graph.nodes[name] for name in nodes)
    require_values(nodes.integrator, integrator, "r", lambda r: r > 0, "must be positive")
    require_values(nodes.threshold, threshold, "threshold", lambda v: v == v, "must be a number")
    require_values(nodes.feedback, feedback, "scale", lambda s: s < 0, "must take off a positive number")
    for name, values in ((nodes.integrator, integrator.r), (nodes.feedback, feedback.scale)):
        if np.size(values) != 1:
            require_declared(name, np.shape(values), np.shape(threshold.threshold))
    gain = dt_s * np.asarray(integrator.r, dtype=np.float64)
    if not np.allclose(gain, 1, rtol=1e-9, atol=0):
        raise UnsupportedLayerError(
            f"r of node {nodes.integrator!r} must be one over the time step, so that the feedback takes off what the "
            f"scale says; r dt is {gain.min()} to {gain.max()}."
        )
    fires_at = np.asarray(threshold.threshold, dtype=np.float64)
    amount = -np.asarray(feedback.scale, dtype=np.float64)
    amount = amount.reshape(fires_at.shape if amount.size == fires_at.size else -1)
    comparison = threshold.metadata.get("comparison", ">")
    comparison = comparison.decode() if isinstance(comparison, bytes) else str(comparison)
    if comparison not in (">", ">="):
        raise UnsupportedLayerError(f"comparison of node {nodes.threshold!r} must be > or >=; got {comparison!r}.")
    return Neuron(
        leak=0.0,
        threshold=amount,
        reset="subtract",
        fires_on_equality=comparison == ">=",
        initial_voltage=amount - fires_at,
    )
