"""The part of a trained model that sees one event picture: what conversion can turn into spikes.

A model that looks at each picture by itself answers a clip by the answers to its pictures, or
by their mean. So its spiking network is shown one picture after the other, its state fresh for
each, and the host takes the mean.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ann_baselines.per_frame import PerFrame
from snnface.errors import UnsupportedLayerError
from snnface.models.face_model import FaceModel
from snnface.models.temporal import EveryStep, MeanOverTime

__all__ = ["FrameNetwork", "clip_answers", "frame_network_of"]


class FrameNetwork(nn.Module):
    """One picture's network and a head: [B, C, H, W] -> [B, K].

    Attributes:
        keeps_steps: a clip has an answer for every picture, not their mean.
    """

    def __init__(self, frame: nn.Module, head: nn.Module, *, keeps_steps: bool) -> None:
        super().__init__()
        self.frame, self.head, self.keeps_steps = frame, head, keeps_steps

    def forward(self, pictures: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        answers: Tensor = self.head(self.frame(pictures))
        return answers


def frame_network_of(model: nn.Module, target: str) -> FrameNetwork:
    """The frame network of a model, for the head of a target; in evaluation mode, its weights shared.

    Raises:
        UnsupportedLayerError: if the model does not look at each picture by itself, remembers, or its answers to a
            clip are not those to its pictures or their mean.
    """
    encoder = model.encoder if isinstance(model, FaceModel) else None
    if not isinstance(model, FaceModel) or not isinstance(encoder, PerFrame):
        looked = type(model).__name__ if encoder is None else type(encoder).__name__
        raise UnsupportedLayerError(
            f"{looked} does not look at each picture by itself; only per-frame networks can be converted (recipes with "
            "resnet18)."
        )
    if encoder.lstm is not None:
        raise UnsupportedLayerError(
            "the model has an LSTM behind its pictures, which has no spiking form here. Convert a recipe without one."
        )
    temporal, head = model.temporal_part(target), model.heads[target]
    is_linear = all(isinstance(part, nn.Linear | nn.Dropout | nn.Identity | nn.Sequential) for part in _parts(head))
    if not isinstance(temporal, EveryStep) and not (isinstance(temporal, MeanOverTime) and is_linear):
        raise UnsupportedLayerError(
            f"the head {target!r} reads {type(temporal).__name__} of the pictures' features; it must read every step, "
            "or their mean through a single linear layer, so that the mean of the answers is the answer."
        )
    network = FrameNetwork(encoder.frame, head, keeps_steps=isinstance(temporal, EveryStep))
    return network.eval()


def clip_answers(network: FrameNetwork, answers: Float[Tensor, "T B K"]) -> Tensor:
    """What the answers to pictures say of their clips: themselves, or their mean [B, K]."""
    return answers if network.keeps_steps else torch.as_tensor(answers.mean(0))


def _parts(head: nn.Module) -> list[nn.Module]:
    """Every module in a head, without the head itself."""
    return list(head.modules())[1:]
