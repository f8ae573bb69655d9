"""The paper's network as users of other frameworks write it, and its layers without any neurons.

2 x [conv 32 - batch norm - neurons - max-pool], 512, 210; the same weights can be put into all of them.
Convolutions and full layers see time folded into the batch wherever the framework lets them.
"""

from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec

import torch
from torch import Tensor, nn

__all__ = ["LEAK", "LayersAlone", "PaperLayers", "load_weights", "networks"]

LEAK = 0.5
"""What a membrane loses in a step, at the start: 1/tau, and 1 - beta."""


class PaperLayers(nn.Module):
    """The layers with weights; a framework adds its neurons, `fire` of layer k over all steps."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(inputs, 32, 3, padding=1, bias=False) for inputs in (2, 32)])
        self.norms = nn.ModuleList([nn.BatchNorm2d(32) for _ in range(2)])
        self.linears = nn.ModuleList([nn.Linear(8192, 512, bias=False), nn.Linear(512, 210, bias=False)])
        self.dropout = nn.Dropout(0.2)

    def forget(self) -> None:
        """Forget the membranes, where the framework keeps them in its modules."""

    def fire(self, layer: int, currents: Tensor) -> Tensor:
        """Spikes [T, B, ...] of layer `layer` (0 to 3), from rest after `forget`."""
        raise NotImplementedError

    def forward(self, inputs: Tensor) -> Tensor:
        self.forget()
        steps, spikes = inputs.shape[:2], inputs
        for layer, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            fired = self.fire(layer, norm(conv(spikes.flatten(0, 1))).unflatten(0, steps))
            spikes = nn.functional.max_pool2d(fired.flatten(0, 1), 2).unflatten(0, steps)
        spikes = spikes.flatten(2)
        for layer, linear in enumerate(self.linears, start=2):
            spikes = self.fire(layer, linear(self.dropout(spikes)))
        return spikes


def _spikingjelly(*, recompute: bool = False) -> PaperLayers:
    """Multi-step mode: the whole sequence goes through one operator of the framework, on a GPU its Triton kernel.

    Compares with >=. Its own default keeps the gradient of the reset; its tutorials detach it, as here.
    """
    from spikingjelly.activation_based import functional, memopt, neuron, surrogate

    class Network(PaperLayers):
        def __init__(self) -> None:
            super().__init__()
            self.neurons = nn.ModuleList([self._neuron() for _ in range(4)])

        @staticmethod
        def _neuron() -> nn.Module:
            return neuron.ParametricLIFNode(
                init_tau=1 / LEAK,
                decay_input=False,
                surrogate_function=surrogate.ATan(),
                detach_reset=True,
                step_mode="m",
            )

        def forget(self) -> None:
            functional.reset_net(self)

        def fire(self, layer: int, currents: Tensor) -> Tensor:
            return self.neurons[layer](currents)

    class Block(nn.Module):
        def __init__(self, conv: nn.Module, norm: nn.Module, fire: nn.Module) -> None:
            super().__init__()
            self.conv, self.norm, self.fire = conv, norm, fire

        def forward(self, spikes: Tensor) -> Tensor:
            steps = spikes.shape[:2]
            fired = self.fire(self.norm(self.conv(spikes.flatten(0, 1))).unflatten(0, steps))
            return nn.functional.max_pool2d(fired.flatten(0, 1), 2).unflatten(0, steps)

    class Recomputing(Network):
        """Each convolution block is run again in the backward pass; its input spikes are kept as bits."""

        def __init__(self) -> None:
            super().__init__()
            compressors = (None, memopt.BitSpikeCompressor())
            self.blocks = nn.ModuleList(
                memopt.checkpoint_module(Block(conv, norm, fire), compressor=compressor)
                for conv, norm, fire, compressor in zip(self.convs, self.norms, self.neurons, compressors, strict=False)
            )

        def forward(self, inputs: Tensor) -> Tensor:
            self.forget()
            spikes = inputs
            for block in self.blocks:
                spikes = block(spikes)
            spikes = spikes.flatten(2)
            for layer, linear in enumerate(self.linears, start=2):
                spikes = self.fire(layer, linear(self.dropout(spikes)))
            return spikes

    return Recomputing() if recompute else Network()


def _snntorch() -> PaperLayers:
    """A loop over the steps of each layer; the reset is in time and to zero, the decay is learnt."""
    import snntorch

    class Network(PaperLayers):
        def __init__(self) -> None:
            super().__init__()
            atan = snntorch.surrogate.atan(alpha=2.0)
            settings = {"reset_mechanism": "zero", "reset_delay": False, "learn_beta": True, "spike_grad": atan}
            self.neurons = nn.ModuleList([snntorch.Leaky(beta=1 - LEAK, **settings) for _ in range(4)])

        def fire(self, layer: int, currents: Tensor) -> Tensor:
            membrane, fired = torch.zeros_like(currents[0]), []
            for current in currents:
                spikes, membrane = self.neurons[layer](current, membrane)
                fired.append(spikes)
            return torch.stack(fired)

    return Network()


def _norse() -> PaperLayers:
    """Boxed LIF cells, the framework's cheapest: no synaptic current. It has no arctangent, and no learnt decay.

    Its input decays with the membrane: at half the threshold the same spikes come out.
    """
    import norse.torch as norse

    class Network(PaperLayers):
        def __init__(self) -> None:
            super().__init__()
            settings = norse.LIFBoxParameters(
                tau_mem_inv=torch.tensor(1000 * LEAK), v_th=torch.tensor(LEAK), method="super", alpha=torch.tensor(2.0)
            )
            self.cells = nn.ModuleList([norse.LIFBoxCell(p=settings, dt=0.001) for _ in range(4)])

        def fire(self, layer: int, currents: Tensor) -> Tensor:
            state, fired = None, []
            for current in currents:
                spikes, state = self.cells[layer](current, state)
                fired.append(spikes)
            return torch.stack(fired)

    return Network()


class LayersAlone(PaperLayers):
    """Convolutions and full layers, channels last, time folded, fed with spikes that are drawn beforehand: the floor.

    No norm, neurons, pooling or reductions; the backward pass computes what the network's would, the
    gradient of the pictures excepted.
    """

    def __init__(self, num_pictures: int, *, device: str, dtype: torch.dtype) -> None:
        super().__init__()
        self.to(device, memory_format=torch.channels_last)
        generator = torch.Generator().manual_seed(0)

        def spikes(*shape: int, rate: float) -> Tensor:
            drawn = (torch.rand(shape, generator=generator) < rate).to(device, dtype)
            return drawn.contiguous(memory_format=torch.channels_last) if drawn.ndim == 4 else drawn

        shapes = ((32, 32, 32), (8192,), (512,))
        self.hidden = [spikes(num_pictures, *shape, rate=0.15).requires_grad_() for shape in shapes]
        self.pictures = spikes(num_pictures, 2, 64, 64, rate=0.05)
        self.gradients: list[Tensor] = []

    def forward(self, inputs: Tensor) -> list[Tensor]:
        layers = (*self.convs, *self.linears)
        return [layer(values) for layer, values in zip(layers, (self.pictures, *self.hidden), strict=True)]

    def step(self, outputs: list[Tensor]) -> None:
        """The backward pass."""
        self.gradients = self.gradients or [torch.full_like(output, 1e-3) for output in outputs]
        torch.autograd.backward(outputs, self.gradients)
        for values in self.hidden:
            values.grad = None


def networks() -> dict[str, Callable[[], PaperLayers]]:
    """Name and version -> constructor, of the frameworks that are installed."""
    made: dict[str, Callable[[], PaperLayers]] = {}
    if find_spec("spikingjelly") is not None:
        made[f"spikingjelly {version('spikingjelly')}"] = _spikingjelly
        made[f"spikingjelly {version('spikingjelly')}, recomputing"] = lambda: _spikingjelly(recompute=True)
    if find_spec("snntorch") is not None:
        made[f"snntorch {version('snntorch')}"] = _snntorch
    if find_spec("norse") is not None:
        made[f"norse {version('norse')}"] = _norse
    return made


def load_weights(network: PaperLayers, ours: nn.Module) -> None:
    """Copy the weights and batch statistics of `ours`, a `ConvSnn` of the paper's sizes."""
    with torch.no_grad():
        for conv, norm, block in zip(network.convs, network.norms, ours.blocks, strict=True):
            conv.weight.copy_(block.conv.weight)
            norm.load_state_dict(block.norm.state_dict())
        for linear, layer in zip(network.linears, ours.layers, strict=True):
            linear.weight.copy_(layer.linear.weight)
