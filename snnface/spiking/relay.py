"""Encoders whose layers hand their spikes to each other at a bit each, where nobody looks."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from snnface.spiking.kernels import PackedSpikes, flattened, relays_spikes
from snnface.spiking.layers import SpikingConv2d, SpikingLinear
from snnface.spiking.streaming import State

__all__ = ["SpikeRelay"]


@dataclass(frozen=True, kw_only=True)
class SpikeRelay:
    """Spiking convolutions, the first of which watches events, then full spiking layers: in evaluation, unwatched.

    Between the layers spikes are packed (`kernels.packed_spikes`); what comes out, spikes and states, is what
    the layers give one after the other, to the bit.
    """

    maps: tuple[SpikingConv2d, ...]
    rows: tuple[SpikingLinear, ...]

    @classmethod
    def of(cls, maps: Sequence[nn.Module], rows: Sequence[nn.Module], inputs: Tensor) -> "SpikeRelay | None":
        """Of these layers and such inputs [T, B, C, H, W]; None where a gradient or a look at the spikes is wanted,
        a layer is of another kind, or the kernels are not there."""
        convs = tuple(layer for layer in maps if type(layer) is SpikingConv2d)
        linears = tuple(layer for layer in rows if type(layer) is SpikingLinear)
        if not (convs and linears) or len(convs) + len(linears) < len(maps) + len(rows):
            return None
        first, *others = convs
        read_spikes = [conv.small_inputs for conv in others] + [linear.small_inputs for linear in linears]
        neurons = [conv.neuron for conv in convs] + [linear.neuron for linear in linears]
        if not all(read_spikes) or any(neuron.watchers or neuron.keeps_trains for neuron in neurons):
            return None
        geometry = {"stride": first.stride, "padding": first.padding, "pool": first.pool_size}
        return cls(maps=convs, rows=linears) if relays_spikes(inputs, first.conv.weight, **geometry) else None

    def advance(self, inputs: Float[Tensor, "T B C H W"], state: State) -> tuple[Float[Tensor, "T B D"], State]:
        """Spikes of the next T steps; the state is that of the maps' layers, and that of the others."""
        before = state or ((None,) * len(self.maps), (None,) * len(self.rows))
        spikes: Tensor | PackedSpikes = inputs
        maps_state, rows_state = [], []
        for conv, voltage in zip(self.maps, before[0], strict=True):
            spikes, after = conv.relay(spikes, voltage)
            maps_state.append(after)
        assert isinstance(spikes, PackedSpikes)
        spikes = flattened(spikes)
        for linear, voltage in zip(self.rows, before[1], strict=True):
            assert isinstance(spikes, PackedSpikes)
            spikes, after = linear.relay(spikes, voltage, packed=linear is not self.rows[-1])
            rows_state.append(after)
        assert isinstance(spikes, Tensor)
        return spikes, (tuple(maps_state), tuple(rows_state))
