"""A picture of the face from its events and a reference picture, by spiking layers."""

from dataclasses import dataclass, field
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from snnface.errors import ConfigError, DataError
from snnface.events.window import Resolution
from snnface.models.temporal import MeanOverTime
from snnface.shapes import require_shape
from snnface.spiking.layers import SpikingConv2d
from snnface.spiking.neurons import NeuronConfig
from snnface.spiking.pictures import require_pictures
from snnface.spiking.streaming import State, advance_all

__all__ = ["SpikingReconstruction", "SpikingReconstructionConfig", "changed_picture"]

_DARKEST = 1e-3
"""Brightness below this (or above 1 - this) counts as this, so that its log odds are finite."""

_BRIGHTEST = 3
"""White, as the spiking layers see it: of the size of event counts. A finer scale drowns the events in a
picture that stands still: on drawn, warped pictures 15 steps gave 1.2 dB less than 3."""


@dataclass(frozen=True, kw_only=True)
class SpikingReconstructionConfig:
    """Widths of the spiking layers.

    Attributes:
        encoder: maps of each layer that reads the events and the reference.
        decoder: maps of each layer behind it; the last is the one whose spikes are read.
        kernel_size: side of every kernel, odd; its sum over the layers is how far a pixel sees.

    Raises:
        ConfigError: if there is no encoder or no decoder, a width is not positive, or the kernel is even.
    """

    encoder: tuple[int, ...] = (16,)
    decoder: tuple[int, ...] = (16,)
    kernel_size: int = 5
    neuron: NeuronConfig = field(default_factory=NeuronConfig)

    def __post_init__(self) -> None:
        if not self.encoder or not self.decoder:
            raise ConfigError("a reconstruction needs at least one encoder layer and one decoder layer.")
        if min(self.encoder + self.decoder) < 1:
            raise ConfigError(f"widths must be positive; got encoder {self.encoder}, decoder {self.decoder}.")
        if self.kernel_size < 1 or self.kernel_size % 2 == 0:
            raise ConfigError(f"kernel_size must be odd and positive; got {self.kernel_size}.")


class SpikingReconstruction(nn.Module):
    """Events [T, B, C, H, W] and a reference picture [B, 1, H, W] -> the picture at the events' end.

    The reference is held as a further input channel over all steps, in whole numbers 0..3, so
    that a chip's input messages can carry all that comes in. Spiking convolutions that keep
    the pictures' size, so that a pixel's change is gathered where its events are, encode and
    decode. Then neurons that do not spike, one a pixel, integrate what reaches them through a
    last convolution; their potential (over T) is what the events have changed:

        picture = sigmoid(logit(reference) + potential)

    Events report changes of log brightness, which log odds are for dark pixels; and without
    spikes the answer is the reference. Pictures are brightness in 0..1.
    """

    def __init__(self, config: SpikingReconstructionConfig, *, in_channels: int, resolution: Resolution) -> None:
        super().__init__()
        self.config = config
        self.in_channels = in_channels
        self.resolution = resolution
        widths = (in_channels + 1, *config.encoder, *config.decoder)
        layers = [
            SpikingConv2d(i, o, config.neuron, kernel_size=config.kernel_size, pool=1, small_inputs=place > 0)
            for place, (i, o) in enumerate(pairwise(widths))
        ]
        self.encoder = nn.Sequential(*layers[: len(config.encoder)])
        self.decoder = nn.Sequential(*layers[len(config.encoder) :])
        self.temporal = MeanOverTime()
        self.readout = nn.Conv2d(config.decoder[-1], 1, config.kernel_size, padding=config.kernel_size // 2)
        # Training starts from the best that can be said without events: nothing has changed.
        for parameter in self.readout.parameters():
            nn.init.zeros_(parameter)

    def forward(
        self,
        inputs: Float[Tensor, "T B C H W"],
        reference: Float[Tensor, "_ 1 _ _"],
        target: Float[Tensor, "_ 1 _ _"] | None = None,
    ) -> dict[str, Float[Tensor, "B 1 H W"]]:
        """The picture, under the name "picture".

        Args:
            target: not looked at; models that learn a latent code from it are called alike.

        Raises:
            ShapeError: if the events or the reference do not have the configured size.
            DataError: if a value is no finite number, or the reference not in 0..1.
        """
        spikes = self.decoder(self.encoder(self.joined(inputs, reference)))
        return self._answers(self.temporal(spikes), reference)

    def advance(
        self, inputs: Float[Tensor, "T B C H W"], reference: Float[Tensor, "_ 1 _ _"], state: State = None
    ) -> tuple[dict[str, Float[Tensor, "B 1 H W"]], State]:
        """The picture after the next steps of a stream, and the state to carry on with."""
        layers_state, mean_state = (None, None) if state is None else state
        joined = self.joined(inputs, reference)
        spikes, layers_state = advance_all((*self.encoder, *self.decoder), joined, layers_state)
        rates, mean_state = self.temporal.advance(spikes, mean_state)
        return self._answers(rates, reference), (layers_state, mean_state)

    def step(
        self, inputs: Float[Tensor, "B C H W"], reference: Float[Tensor, "_ 1 _ _"], state: State = None
    ) -> tuple[dict[str, Float[Tensor, "B 1 H W"]], State]:
        """One step of a stream; see `advance`."""
        return self.advance(inputs[None], reference, state)

    def joined(
        self, inputs: Float[Tensor, "T B C H W"], reference: Float[Tensor, "_ 1 _ _"]
    ) -> Float[Tensor, "T B C1 H W"]:
        """What the spiking layers see: the events, and the reference as a further channel of whole numbers.

        Raises:
            ShapeError: if the events or the reference do not have the configured size.
            DataError: if a value is no finite number, or the reference not in 0..1.
        """
        require_pictures(inputs, channels=self.in_channels, resolution=self.resolution)
        size = self.resolution
        require_shape(reference, f"{inputs.shape[1]} 1 {size.height} {size.width}", what="the reference picture")
        low, high = (float(bound) for bound in reference.detach().aminmax())
        if not (low >= 0 and high <= 1):
            raise DataError(
                f"the reference picture must be brightness in 0..1; it spans {low:g}..{high:g}. Divide it by white."
            )
        held = torch.round(reference * _BRIGHTEST).to(inputs.dtype)
        return torch.cat([inputs, held.expand(len(inputs), *held.shape)], dim=2)

    def picture(
        self, potential: Float[Tensor, "B 1 H W"], reference: Float[Tensor, "B 1 H W"]
    ) -> Float[Tensor, "B 1 H W"]:
        """The picture that a potential makes of the reference."""
        return changed_picture(reference, potential)

    def _answers(self, rates: Tensor, reference: Tensor) -> dict[str, Tensor]:
        with torch.autocast(rates.device.type, enabled=False):
            potential = self.readout(rates.to(self.readout.weight.dtype))
            return {"picture": self.picture(potential, reference)}


def changed_picture(reference: Float[Tensor, "B 1 H W"], change: Float[Tensor, "B 1 H W"]) -> Float[Tensor, "B 1 H W"]:
    """The reference with its log odds changed: sigmoid(logit(reference) + change), in the type of the change."""
    return torch.sigmoid(torch.logit(reference.to(change.dtype), eps=_DARKEST) + change)
