"""What does the face look like now: the picture at the end of a clip, from events and a picture of its beginning."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from snnface.datasets.clip import Batch
from snnface.datasets.picture_samples import PICTURE, REFERENCE
from snnface.errors import ConfigError, DataError
from snnface.metrics.image import NUM_SUMS, picture_metrics, picture_sums
from snnface.tasks.base import Loss, Output
from snnface.tasks.scoring import Predictor, ScoringMeter

__all__ = ["ReconstructionTask", "ReconstructionTaskConfig"]

SHOWN = "shown_"
"""Before the name of what was answered when the picture itself was shown."""


@dataclass(frozen=True, kw_only=True)
class ReconstructionTaskConfig:
    """What is minimised.

    Attributes:
        target: the head, whose answers are pictures [B, 1, H, W].
        divergence_weight: of the Kullback-Leibler divergence of a variational model, in nats a picture,
            beside the squared error of its pixels; both are divided by the number of pixels. The sum is a bound of
            the likelihood of pixels that lie around the answer with a standard deviation s where the weight is 2 s^2:
            0.005 is s = 0.05, of the size of the errors that Mastropasqua et al. report (table 6). At 1, s = 0.7 is
            more than any picture's error, and the code learns to say nothing (0.00 nats, measured).
        shows_picture: in evaluation a variational model is asked a second time, with the picture shown to its encoder.
            This is how autoencoders are often judged; it is no reconstruction from events.

    Raises:
        ConfigError: if the weight is negative.
    """

    target: str = "picture"
    divergence_weight: float = 0.005
    shows_picture: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.divergence_weight < float("inf"):
            raise ConfigError(f"divergence_weight must be at least 0; got {self.divergence_weight}.")


class ReconstructionTask:
    """Mean squared error of the pixels, and the divergence where the model is variational; also its scoring.

    The model is handed the reference picture, and while it trains the picture itself, which a
    variational model encodes; in evaluation it has to do without. Clips without pictures change
    neither loss nor metrics.

    Metrics: those of `picture_metrics`; with `shows_picture` again, as `shown_mse` and so on, of the answers of a
    model that was shown the picture (trivial predictors answer the same). Checkpoints are chosen by `ssim`: how
    bright a stranger is, which events hardly tell, decides the squared error already in the first epochs, when
    pictures are still without detail.

    Source: Mastropasqua et al. 2025, "Exploring Spatial-Temporal Dynamics in Event-based Facial
    Micro-Expression Analysis", sec. 4.4 (MSE and divergence; their weights are not given). Departs from it in the
    reference picture.
    """

    selection_metric = "ssim"

    def __init__(self, config: ReconstructionTaskConfig) -> None:
        self.config = config

    def predict(self, model: nn.Module, batch: Batch) -> Output:
        for name in (PICTURE, REFERENCE):
            if name not in batch.targets:
                raise DataError(
                    f"no clip of {', '.join(batch.clip_ids)} has the label {name!r}; reconstruction needs recordings "
                    "with frames."
                )
        picture, reference = batch.targets[PICTURE], batch.targets[REFERENCE]
        output: Output = model(batch.inputs, reference, picture if model.training else None)
        if self.config.shows_picture and not model.training:
            shown = model(batch.inputs, reference, picture)[self.config.target]
            return {**output, self._shown: shown}
        return output

    def loss(self, output: Output, batch: Batch) -> Loss:
        pictures, truths = output[self.config.target], batch.targets[PICTURE]
        present = batch.present[PICTURE]
        error = (pictures - truths)[present]
        total = error.square().sum() / max(error.numel(), 1)
        parts = {"picture_mse": float(total.detach())}
        if "divergence" in output:
            divergence = output["divergence"][present].sum() / max(error.numel(), 1)
            parts["divergence"] = float(divergence.detach())
            total = total + self.config.divergence_weight * divergence
        return Loss(total, parts)

    def meter(self) -> ScoringMeter:
        return ScoringMeter(self)

    def answers(self, output: Output) -> dict[str, Tensor]:
        return {self.config.target: output[self.config.target]}

    def statistics(self, output: Output, batch: Batch) -> Float64[Tensor, "B S"]:
        answers = [output[self.config.target]]
        if self.config.shows_picture:
            answers.append(output.get(self._shown, answers[0]))
        truths = batch.targets[PICTURE].cpu()
        sums = torch.cat([picture_sums(pictures.cpu(), truths) for pictures in answers], dim=1)
        return sums * batch.present[PICTURE].cpu()[:, None]

    def metrics(self, sums: Float64[Tensor, "*D S"]) -> dict[str, Float64[Tensor, "*D"]]:
        found = picture_metrics(sums[..., :NUM_SUMS])
        if self.config.shows_picture:
            shown = picture_metrics(sums[..., NUM_SUMS:])
            found |= {f"{SHOWN}{name}": value for name, value in shown.items()}
        return found

    def predictors(self, training: Iterable[Batch]) -> Mapping[str, Predictor]:
        """Of the training pictures "constant", one grey, and "mean"; "reference" is that of the clip."""
        total: Float64[Tensor, "1 H W"] | float = 0.0
        count = 0
        for batch in training:
            pictures = batch.targets[PICTURE][batch.present[PICTURE]]
            total, count = total + pictures.double().sum(0), count + len(pictures)
        if not count or not isinstance(total, Tensor):
            raise DataError("no training clip has a picture; there is no mean to answer.")
        mean = (total / count).float()
        grey = torch.full_like(mean, float(mean.mean()))
        return {
            "constant": lambda batch: self._same(grey, batch),
            "mean": lambda batch: self._same(mean, batch),
            "reference": lambda batch: {self.config.target: batch.targets[REFERENCE]},
        }

    def chance(self) -> Mapping[str, float]:
        """Guessing pictures has no meaning."""
        return {}

    @property
    def _shown(self) -> str:
        return f"{SHOWN}{self.config.target}"

    def _same(self, picture: Float[Tensor, "1 H W"], batch: Batch) -> Output:
        return {self.config.target: picture.expand(len(batch.clip_ids), *picture.shape)}
