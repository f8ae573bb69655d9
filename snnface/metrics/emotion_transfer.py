"""From valence and arousal over time to an emotion, by templates: no network is trained for it."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from snnface.errors import DataError

__all__ = ["EmotionTemplates", "emotion_templates", "farthest_steps", "template_answers"]


@dataclass(frozen=True, slots=True, eq=False)
class EmotionTemplates:
    """Where each class lies in the plane of valence and arousal.

    Attributes:
        points: [K, 2]; zeros where there is none.
        present: whether the class has one.
    """

    points: Float[Tensor, "K 2"]
    present: Bool[Tensor, " K"]


def farthest_steps(traces: Float[Tensor, "N T 2"], present: Bool[Tensor, "N T"]) -> Int64[Tensor, " N"]:
    """The step of each trace that is farthest from the trace's own mean; the first of equal ones.

    Only steps that are present count, for the mean and as an answer.

    Source: Berlincioni et al., "Neuromorphic Valence and Arousal Estimation", sec. 5.3.

    Raises:
        DataError: if a trace has no step.
    """
    num_steps = present.sum(1)
    if not (num_steps > 0).all():
        raise DataError(f"a trace needs at least one step; trace {int(num_steps.argmin())} has none.")
    mean = (traces * present[..., None]).sum(1) / num_steps[:, None]
    apart = (traces - mean[:, None]).square().sum(-1).masked_fill(~present, -1.0)
    # `argmax` may give any of equal ones.
    return (apart == apart.amax(1, keepdim=True)).int().cumsum(1).eq(0).sum(1)


def emotion_templates(
    traces: Float[Tensor, "N T 2"], present: Bool[Tensor, "N T"], labels: Int64[Tensor, " N"], *, num_classes: int
) -> EmotionTemplates:
    """Each class's mean over every present step of every trace of the class; long traces weigh more.

    Source: Berlincioni et al., "Neuromorphic Valence and Arousal Estimation", sec. 5.3.
    """
    sums = torch.zeros(num_classes, 2, dtype=torch.float64)
    counts = torch.zeros(num_classes, dtype=torch.float64)
    sums.index_add_(0, labels, (traces * present[..., None]).double().sum(1))
    counts.index_add_(0, labels, present.sum(1).double())
    return EmotionTemplates((sums / counts.clamp(min=1)[:, None]).to(traces.dtype), counts > 0)


def template_answers(points: Float[Tensor, "N 2"], templates: EmotionTemplates) -> Float[Tensor, "N K"]:
    """Minus the Euclidean distance to each template, so that the nearest is the largest answer.

    A class without a template is minus infinity: it is never the first answer. Equal distances go to the
    lower class, as everywhere in `classification_metrics`.

    Raises:
        DataError: if no class has a template.
    """
    if not templates.present.any():
        raise DataError("an emotion is told by templates; no class has a video to make one of.")
    apart = (points[:, None] - templates.points).norm(dim=-1)
    return (-apart).masked_fill(~templates.present, -torch.inf)
