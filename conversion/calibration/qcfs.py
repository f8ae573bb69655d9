"""QCFS: fine-tuning the ANN with activations of as few levels as spikes can say."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from conversion.ann.network import AnnNetwork
from conversion.calibration.fine_tuning import FineTuningConfig, Lesson, fine_tune
from conversion.calibration.trainable import TrainableNetwork
from conversion.graph import Connection, LinearSynapse
from snnface.errors import ConfigError

__all__ = ["QcfsActivation", "qcfs_network", "tuned_by_qcfs"]


class QcfsActivation(nn.Module):
    """ReLU, clipped at a learnt threshold and rounded to L levels.

        h(z) = lambda clip(floor(z L / lambda + 1/2) / L, 0, 1)

    The gradient passes straight through the floor: dh/dz = 1 for 0 < z < lambda. Spikes of an
    integrate-and-fire neuron with threshold lambda that starts at lambda / 2 and resets by
    subtraction have this as the expectation of their mean over any number of steps, if
    its inputs arrive evenly.

    Args:
        threshold: lambda at the start.
        ceiling: lambda's upper end, or None.

    Source: Bu et al. 2022, arXiv:2303.04347.
    """

    def __init__(self, threshold: float, levels: int, ceiling: float | None) -> None:
        super().__init__()
        self.threshold = nn.Parameter(torch.tensor(float(threshold)))
        self.levels, self.ceiling = levels, ceiling
        self._least = 1e-3 * threshold

    def forward(self, currents: Float[Tensor, "S B *N"]) -> Float[Tensor, "S B *N"]:
        scaled = currents / self.threshold
        rounded = (scaled * self.levels + 0.5).floor() / self.levels
        straight = scaled + (rounded - scaled).detach()
        # Clipped where the rounded value is, so that the gradient is that of the clip.
        return self.threshold * straight.clamp(0.0, 1.0)

    @torch.no_grad()
    def keep_in_range(self) -> None:
        """Lambda stays positive, and below the ceiling."""
        self.threshold.clamp_(self._least, self.ceiling)


def tuned_by_qcfs(
    network: AnnNetwork,
    thresholds: Mapping[str, float],
    lesson: Lesson,
    *,
    levels: int,
    config: FineTuningConfig,
) -> tuple[AnnNetwork, dict[str, float]]:
    """The network with tuned weights, and the threshold lambda of every layer.

    Args:
        thresholds: lambda at the start: MMSE for as many steps as levels.
        levels: about the fewest steps that will be served: 4 for 4 to 8, 8 for 8 to 32.

    Raises:
        ConfigError: if there is no level.
        NonFiniteLossError: see `fine_tune`.

    Source: Bu et al. 2022, arXiv:2303.04347; the start from data is ours: a constant one hardly moves.
    """
    if levels < 1:
        raise ConfigError(f"levels must be at least 1; got {levels}.")
    activations = [QcfsActivation(thresholds[layer.name], levels, layer.ceiling) for layer in network.layers]
    model = TrainableNetwork(network.layers, Connection(network.source, network.readout), activations)

    def keep_in_range() -> None:
        for activation in activations:
            activation.keep_in_range()

    fine_tune(model, lesson, config, after_step=keep_in_range)
    readout = model.readout.synapse()
    assert isinstance(readout, LinearSynapse)
    tuned = replace(network, layers=model.trained_layers(network.layers), readout=readout)
    names = [layer.name for layer in network.layers]
    return tuned, {name: float(a.threshold.detach()) for name, a in zip(names, activations, strict=True)}


def qcfs_network(network: AnnNetwork, thresholds: Mapping[str, float], *, levels: int) -> TrainableNetwork:
    """The quantised ANN, to be asked for its answers."""
    activations = [QcfsActivation(thresholds[layer.name], levels, layer.ceiling) for layer in network.layers]
    return TrainableNetwork(network.layers, Connection(network.source, network.readout), activations).eval()
