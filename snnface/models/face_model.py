"""A model is an encoder (space), a temporal part (time) and heads (answers)."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from snnface.errors import ConfigError
from snnface.spiking.streaming import State, StreamingModule

__all__ = ["FaceModel", "at_least_float32"]

Answers = dict[str, Float[Tensor, "*B K"]]


class FaceModel(nn.Module):
    """Event pictures [T, B, C, H, W] -> the answers of every head.

    A head answers once a clip, [B, K], or at every step, [T, B, K], as the temporal part in
    front of it does. Under autocast half precision ends at the features: readouts and heads
    run in float32.

    Args:
        encoder: [T, B, C, H, W] -> [T', B, D]; T' is T, or less for encoders that pool time.
        temporal: [T', B, D] -> [B, D] or [T', B, D]: one part that all heads read, or head
            name -> the part that this head reads (an action unit is a clip's, a face shape a
            frame's).
        heads: target name -> [..., D] -> [..., K].

    Raises:
        ConfigError: if there is no head, or the temporal parts are named otherwise than the heads.
    """

    def __init__(
        self, encoder: nn.Module, temporal: nn.Module | Mapping[str, nn.Module], heads: Mapping[str, nn.Module]
    ) -> None:
        super().__init__()
        if not heads:
            raise ConfigError("a model needs at least one head.")
        if isinstance(temporal, Mapping) and temporal.keys() != heads.keys():
            raise ConfigError(
                f"every head needs its temporal part; the parts are for {', '.join(temporal)}, "
                f"the heads are {', '.join(heads)}."
            )
        self.encoder = encoder
        self.temporal = nn.ModuleDict(temporal) if isinstance(temporal, Mapping) else temporal
        self.heads = nn.ModuleDict(heads)

    def temporal_part(self, head: str) -> Any:
        """The temporal part that a head reads."""
        return self.temporal[head] if isinstance(self.temporal, nn.ModuleDict) else self.temporal

    def forward(self, inputs: Float[Tensor, "T B C H W"]) -> Answers:
        features = self.encoder(inputs)
        with torch.autocast(features.device.type, enabled=False):
            features = at_least_float32(features)
            if not isinstance(self.temporal, nn.ModuleDict):
                features = self.temporal(features)
                return {name: head(features) for name, head in self.heads.items()}
            return {name: head(self.temporal[name](features)) for name, head in self.heads.items()}

    def advance(self, inputs: Float[Tensor, "T B C H W"], state: State = None) -> tuple[Answers, State]:
        """The next steps of a stream, and the state to carry on with.

        Answers [B, K] are those to all that has come so far, answers [T, B, K] those of
        these steps; together as `forward` gives them for the whole.

        Raises:
            ConfigError: if the encoder looks at whole clips, or the model is in training mode.
        """
        if not isinstance(self.encoder, StreamingModule):
            raise ConfigError(
                f"{type(self.encoder).__name__} looks at whole clips, so that it cannot run step by step; call the "
                "model on the clip, or choose an encoder that keeps no future (a spiking one, PerFrame)."
            )
        encoder_state, temporal_state = (None, None) if state is None else state
        features, encoder_state = self.encoder.advance(inputs, encoder_state)
        with torch.autocast(features.device.type, enabled=False):
            features = at_least_float32(features)
            if not isinstance(self.temporal, nn.ModuleDict):
                part: Any = self.temporal
                features, temporal_state = part.advance(features, temporal_state)
                return {name: head(features) for name, head in self.heads.items()}, (encoder_state, temporal_state)
            answers, states = {}, []
            before = (None,) * len(self.heads) if temporal_state is None else temporal_state
            for (name, head), part_state in zip(self.heads.items(), before, strict=True):
                read, part_state = self.temporal_part(name).advance(features, part_state)
                answers[name] = head(read)
                states.append(part_state)
            return answers, (encoder_state, tuple(states))

    def step(self, inputs: Float[Tensor, "B C H W"], state: State = None) -> tuple[Answers, State]:
        """One step of a stream: answers [B, K] of every head; see `advance`."""
        answers, state = self.advance(inputs[None], state)
        return {
            name: answer[0] if self.temporal_part(name).keeps_steps else answer for name, answer in answers.items()
        }, state


def at_least_float32(numbers: Float[Tensor, "*axes"]) -> Float[Tensor, "*axes"]:
    """Half precision widened to float32; anything else as it is."""
    return numbers.to(torch.promote_types(numbers.dtype, torch.float32))
