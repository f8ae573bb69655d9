"""Modules that can be run in pieces: a chunk of steps and a state in, outputs and the next state out."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from snnface.errors import ConfigError

__all__ = ["State", "StreamingModule", "advance_all", "in_chunks"]

State = Any
"""None (a fresh start), a tensor, or a tuple of states; its owner knows which."""


class StreamingModule(nn.Module, ABC):
    """A module over time, [T, B, ...] -> [T, B, ...], that keeps no state itself.

    `forward` starts fresh. Any split of a sequence into chunks for `advance` gives what
    `forward` gives in evaluation mode, to the bit.
    """

    @abstractmethod
    def advance(self, inputs: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Outputs of the next T steps after `state` (None: a fresh start), and the state after them.

        Raises:
            ConfigError: in training mode, if the parts of a sequence then depend on each other.
        """

    def step(self, inputs: Tensor, state: State = None) -> tuple[Tensor, State]:
        """`advance` by one step: [B, ...] in, [B, ...] out."""
        outputs, state = self.advance(inputs[None], state)
        return outputs[0], state

    def _require_eval(self) -> None:
        if self.training:
            raise ConfigError(
                f"{type(self).__name__} runs in pieces only in evaluation mode: batch statistics and dropout of "
                "training belong to whole sequences. Call eval() first, or forward with the whole sequence."
            )


def advance_all(
    modules: Iterable[nn.Module], inputs: Tensor, state: tuple[State, ...] | None = None
) -> tuple[Tensor, tuple[State, ...]]:
    """Run modules one after the other; the state is a tuple with one entry a module.

    Raises:
        ConfigError: if a module cannot run in pieces.
    """
    modules, states = list(modules), []
    for module, before in zip(modules, state or (None,) * len(modules), strict=True):
        if not isinstance(module, StreamingModule):
            raise ConfigError(
                f"{type(module).__name__} looks at whole clips and cannot run in pieces; use forward instead."
            )
        inputs, after = module.advance(inputs, before)
        states.append(after)
    return inputs, tuple(states)


def in_chunks(advance: Callable[[Tensor, State], tuple[Tensor, State]], inputs: Tensor, *, num_steps: int) -> Tensor:
    """The whole sequence in chunks of so many steps: memory for one chunk, whatever T; the same answer."""
    outputs, state = [], None
    for start in range(0, len(inputs), num_steps):
        output, state = advance(inputs[start : start + num_steps], state)
        outputs.append(output)
    return torch.cat(outputs)
