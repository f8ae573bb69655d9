"""What all spiking encoders of pictures do alike: whole sequences, chunks of bounded memory, pieces of a stream."""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from snnface.events.window import Resolution
from snnface.spiking.activity import keeps_trains
from snnface.spiking.pictures import require_pictures
from snnface.spiking.relay import SpikeRelay
from snnface.spiking.streaming import State, StreamingModule, advance_all, in_chunks

__all__ = ["PictureEncoder"]

_CHUNK_BYTES = 100 << 20
"""What the neurons of one layer may give in inference: weights are read once a chunk, so chunks must not be small."""


class PictureEncoder(StreamingModule):
    """Spiking layers of maps, then full spiking layers: event pictures [T, B, C, H, W] -> spikes [T, B, D]."""

    in_channels: int
    resolution: Resolution
    layers: nn.Sequential
    """The full layers, which read the last maps flattened."""

    @abstractmethod
    def map_layers(self) -> Sequence[nn.Module]:
        """The layers of maps, in order."""

    @abstractmethod
    def largest_map(self) -> int:
        """Numbers in the largest convolution output, of one sample and step."""

    def forward(self, inputs: Float[Tensor, "T B C H W"]) -> Float[Tensor, "T B D"]:
        """Spikes of the last layer.

        Without gradients the sequence runs in chunks, so that memory does not grow with T.

        Raises:
            ShapeError: if the pictures do not have the configured channels and size, or
                there are none.
            DataError: if a value is no finite number.
        """
        require_pictures(inputs, channels=self.in_channels, resolution=self.resolution)
        if self.training or torch.is_grad_enabled() or keeps_trains(self):
            maps = inputs
            for layer in self.map_layers():
                maps = layer(maps)
            return self._output(self.layers(maps.flatten(2)))
        # A byte of packed spikes holds four.
        bytes_each = inputs.element_size() if self._relay(inputs) is None else 1 / 4
        step_bytes = self.largest_map() * inputs.shape[1] * bytes_each
        return in_chunks(self._advance, inputs, num_steps=max(int(_CHUNK_BYTES / step_bytes), 1))

    def advance(self, inputs: Float[Tensor, "T B C H W"], state: State = None) -> tuple[Float[Tensor, "T B D"], State]:
        """Spikes of the next T steps; the state holds the voltages of every layer."""
        self._require_eval()
        require_pictures(inputs, channels=self.in_channels, resolution=self.resolution)
        return self._advance(inputs, state)

    def _advance(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        relay = self._relay(inputs)
        if relay is not None:
            spikes, state = relay.advance(inputs, state)
            return self._output(spikes), state
        maps_state, layers_state = state or (None, None)
        maps, maps_state = advance_all(self.map_layers(), inputs, maps_state)
        spikes, layers_state = advance_all(self.layers, maps.flatten(2), layers_state)
        return self._output(spikes), (maps_state, layers_state)

    def _relay(self, inputs: Tensor) -> SpikeRelay | None:
        return SpikeRelay.of(self.map_layers(), tuple(self.layers), inputs)

    def _output(self, spikes: Tensor) -> Tensor:
        """What comes after the encoder computes in the type of its weights, whatever autocast made of the spikes."""
        return spikes.to(next(self.layers.parameters()).dtype)
