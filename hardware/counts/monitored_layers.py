"""What a monitor gathers: the counts of one weighted layer, and of one layer of neurons, call by call."""

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor, nn

from hardware.counts.declared_neurons import DeclaredNeuron
from hardware.counts.module_fan_out import Weighted, frame_shape, module_fan_out, module_reach
from hardware.counts.operation_counts import ConnectionOperations, EventType, LayerOperations
from hardware.counts.tensor_origins import Origin
from snnface.errors import DataError

__all__ = ["Batch", "WatchedLayer", "WatchedNeurons"]


class Batch:
    """How frames, steps times samples, belong to samples: [T, B] where time comes first, otherwise [B, T]."""

    def __init__(self, size: int, *, time_first: bool) -> None:
        self.size, self.time_first = size, time_first

    def per_sample(self, frames: Tensor, name: str) -> Float64[Tensor, "B *shape"]:
        """Frames [F, ...] summed over the steps of each sample.

        Raises:
            DataError: if the frames are not the same number for each sample.
        """
        if len(frames) % self.size:
            raise DataError(
                f"layer {name!r} was called with {len(frames)} frames, not a multiple of the batch of {self.size}; "
                "open one monitor a batch and name the axis of the samples with batch_axis."
            )
        steps = len(frames) // self.size
        shape = (steps, self.size) if self.time_first else (self.size, steps)
        return frames.reshape(*shape, *frames.shape[1:]).sum(dim=0 if self.time_first else 1, dtype=torch.float64)


class _Values:
    """What kinds of numbers were sent: how large those are that are not 0."""

    def __init__(self) -> None:
        self.smallest, self.largest, self.is_signed = np.inf, 0.0, False

    def add(self, inputs: Tensor, nonzero: Tensor) -> None:
        sizes = inputs[nonzero].abs()
        if sizes.numel():
            self.smallest = min(self.smallest, float(sizes.min()))
            self.largest = max(self.largest, float(sizes.max()))
            self.is_signed |= bool((inputs < 0).any())

    def event_type(self, origins: frozenset[Origin]) -> EventType:
        """From what the source declares and from the data; zeros alone are no evidence.

        Spikes that all have one size are binary: the size folds into the weights.
        """
        if not self.largest:
            return "none"
        kinds = {origin.kind for origin in origins}
        one_size = self.smallest == self.largest and (kinds == {"neurons"} or self.largest == 1)
        if not kinds <= {"neurons", "input"} or not one_size:
            return "graded"
        return "signed" if self.is_signed else "binary"


class WatchedLayer:
    """A weighted layer: events in, operations.

    Attributes:
        origins: of everything it was given.
        frames: steps times samples of its last call; `reached` what that call's events reach, [F, N].
        calls: the steps of its calls.
    """

    def __init__(self, name: str, layer: Weighted, batch: Batch) -> None:
        self.name, self.layer, self.batch = name, layer, batch
        self.origins: frozenset[Origin] = frozenset()
        self.order = -1
        self.steps = self.frames = 0
        self.has_norm = False
        self.out_shape: tuple[int, ...] = ()
        self.reached: Bool[Tensor, "F N"] | None = None
        self._values = _Values()
        self._events: Float64[Tensor, "B I"] | None = None
        self._shape: tuple[int, ...] = ()
        self._peak = 0
        self._first: Tensor | None = None
        self._is_constant = True

    def add(self, inputs: Tensor, out_shape: tuple[int, ...], origins: frozenset[Origin]) -> None:
        """One call.

        Raises:
            DataError: if the size of its input changed, or does not fit the batch.
        """
        shape = frame_shape(self.layer, inputs)
        if self._shape and shape != self._shape:
            raise DataError(f"layer {self.name!r} saw inputs of {self._shape} and of {shape}; open a monitor for each.")
        self._shape, self.out_shape = shape, out_shape
        frames = inputs.detach().reshape(-1, *shape)
        nonzero = frames != 0
        events = self.batch.per_sample(nonzero.flatten(1), self.name)
        self._events = events if self._events is None else self._events + events
        self._values.add(frames, nonzero)
        self.origins |= origins
        self.frames = len(frames)
        self.steps += len(frames) // self.batch.size
        self._peak = max(self._peak, int(nonzero.flatten(1).sum(dim=1).max()))
        self._look_for_change(frames)
        self.reached = module_reach(self.layer, nonzero).flatten(1)

    def _look_for_change(self, frames: Tensor) -> None:
        steps = len(frames) // self.batch.size
        by_step = frames.reshape(steps, self.batch.size, -1) if self.batch.time_first else None
        if by_step is None:
            by_step = frames.reshape(self.batch.size, steps, -1).transpose(0, 1)
        if self._first is None:
            self._first = by_step[0].clone()
        self._is_constant &= bool((by_step == self._first).all())

    @property
    def num_biases_per_step(self) -> int:
        """Additions a step: biases that are not 0, or one an output where batch norm folds into them."""
        copies = int(np.prod(self.out_shape[1:]))
        if self.has_norm:
            return self.out_shape[0] * copies
        bias = self.layer.bias
        return 0 if bias is None else int(torch.count_nonzero(bias)) * copies

    def connection(self) -> ConnectionOperations:
        """What all calls add up to."""
        layer, shape = self.layer, self._shape
        assert self._events is not None
        fan, stored = module_fan_out(layer, shape), module_fan_out(layer, shape, only_nonzero=True)
        event_type = self._values.event_type(self.origins)
        payload = 0 if event_type != "graded" else self.layer.weight.element_size() * 8
        return ConnectionOperations(
            source=" + ".join(sorted(origin.name for origin in self.origins)),
            kind=_kind(layer),
            event_type=event_type,
            num_weights=layer.weight.numel(),
            num_zero_weights=int((layer.weight == 0).sum()),
            num_biases=self.out_shape[0] if self.has_norm or layer.bias is not None else 0,
            dense=int(fan.sum()),
            dense_pad=_dense_pad(layer, shape, self.out_shape),
            max_fan_out=int(fan.max()),
            textbook_fan_out=_textbook_fan_out(layer),
            is_constant=self._is_constant and event_type == "graded" and self.steps > 1,
            peak_events=self._peak,
            event_bits=max(int(np.prod(shape)) - 1, 1).bit_length() + payload,
            in_events=_whole(self._events.sum(dim=1)),
            touched=_whole(self._events @ fan.flatten().to(self._events.device)),
            touched_nonzero=_whole(self._events @ stored.flatten().to(self._events.device)),
        )


class WatchedNeurons:
    """A layer of neurons: spikes and updates.

    Attributes:
        layers: names of the weighted layers that it reads.
    """

    def __init__(self, name: str, declared: DeclaredNeuron, batch: Batch) -> None:
        self.name, self.declared, self.batch = name, declared, batch
        self.layers: dict[str, None] = {}
        self.order = -1
        self.steps = 0
        self.shape: tuple[int, ...] = ()
        self._spikes: Float64[Tensor, "B N"] | None = None
        self._active: Float64[Tensor, " B"] | None = None
        self.is_reach_exact = True

    def add(self, spikes: Tensor, layers: list[WatchedLayer]) -> None:
        """One call; `layers` were called since the last one.

        Raises:
            DataError: if the number of neurons changed, or does not fit the batch.
        """
        self.layers |= dict.fromkeys(layer.name for layer in layers)
        num_frames = layers[0].frames if layers else self.batch.size
        trailing = len(layers[0].out_shape) if layers else spikes.ndim - 1
        frames = spikes.detach().reshape(num_frames, -1)
        shape = tuple(spikes.shape[spikes.ndim - trailing :])
        self.shape = shape if int(np.prod(shape)) == frames.shape[1] else (frames.shape[1],)
        fired = self.batch.per_sample(frames != 0, self.name)
        if self._spikes is not None and self._spikes.shape != fired.shape:
            raise DataError(f"neurons {self.name!r} changed in number; open one monitor for each size of input.")
        self._spikes = fired if self._spikes is None else self._spikes + fired
        self.steps += num_frames // self.batch.size
        active = self.batch.per_sample(self._reached(frames, layers).sum(dim=1), self.name)
        self._active = active if self._active is None else self._active + active

    def _reached(self, frames: Tensor, layers: list[WatchedLayer]) -> Bool[Tensor, "F N"]:
        masks = [layer.reached for layer in layers if layer.reached is not None]
        if masks and all(mask.shape == frames.shape for mask in masks):
            return torch.stack(masks).any(dim=0)
        # Something between weights and neurons changes shapes: in a frame with an event all may be reached.
        self.is_reach_exact = False
        told = [mask.any(dim=1, keepdim=True) for mask in masks if len(mask) == len(frames)]
        some = torch.stack(told).any(dim=0) if told else torch.ones(len(frames), 1, dtype=torch.bool)
        return some.expand(frames.shape).to(frames.device)

    def operations(self, layers: list[WatchedLayer]) -> LayerOperations:
        """What all calls add up to, with the connections of `layers`."""
        assert self._spikes is not None
        assert self._active is not None
        return LayerOperations(
            name=self.name,
            kind="population",
            shape=self.shape,
            num_neurons=self._spikes.shape[1],
            num_decays=self.declared.num_decays,
            biases_per_step=sum(layer.num_biases_per_step for layer in layers),
            weight_bits=8 * layers[0].layer.weight.element_size() if layers else 32,
            state_bits=32 * self.declared.num_states,
            connections=tuple(layer.connection() for layer in layers),
            steps=np.full(self.batch.size, self.steps, np.int64),
            spikes=_whole(self._spikes.sum(dim=1)),
            neuron_spikes=_whole(self._spikes.sum(dim=0)),
            updates_active=_whole(self._active),
        )


def _whole(values: Tensor) -> Int64[np.ndarray, " N"]:
    return np.asarray(values.cpu().numpy().round().astype(np.int64))


def _kind(layer: Weighted) -> str:
    return "linear" if isinstance(layer, nn.Linear) else f"conv{layer.weight.ndim - 2}d"


def _dense_pad(layer: Weighted, shape: tuple[int, ...], out_shape: tuple[int, ...]) -> int:
    """As textbooks count: every output over a whole kernel; of a transposed convolution every input."""
    size = shape if isinstance(layer, nn.modules.conv._ConvTransposeNd) else out_shape
    return int(np.prod(size)) * layer.weight[0].numel()


def _textbook_fan_out(layer: Weighted) -> int:
    if isinstance(layer, nn.Linear):
        return layer.out_features
    if isinstance(layer, nn.modules.conv._ConvTransposeNd):
        return layer.out_channels // layer.groups * int(np.prod(layer.kernel_size))
    taps = [-(-kernel // stride) for kernel, stride in zip(layer.kernel_size, layer.stride, strict=True)]
    return layer.out_channels // layer.groups * int(np.prod(taps))
