"""Coefficients of a face over time in place of pictures: what the control of a multi-task model looks at."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from snnface.datasets.clip import Clip, FaceDataset
from snnface.datasets.padding import PaddedSamples
from snnface.errors import ConfigError, DataError
from snnface.events.window import Resolution, TimeWindow
from snnface.recording import Recording
from snnface.representations.slicing import checked_step_us

__all__ = ["CoefficientSamples", "Coefficients", "CoefficientsConfig"]

LABEL = "alpha"


@dataclass(frozen=True, kw_only=True)
class CoefficientsConfig:
    """What a model sees that looks at the labels `alpha` of a clip.

    Attributes:
        num_coefficients: how many a step, as many as the data have.
        step_ms: duration of one step, rounded to whole microseconds.

    Raises:
        ConfigError: if there is no coefficient, or the step is below 1 us.
    """

    num_coefficients: int = 32
    step_ms: float = 33.0

    def __post_init__(self) -> None:
        checked_step_us(self.step_ms)
        if self.num_coefficients < 1:
            raise ConfigError(f"num_coefficients must be at least 1; got {self.num_coefficients}.")

    @property
    def resolution(self) -> Resolution:
        """Of one pixel: a coefficient is a channel."""
        return Resolution(height=1, width=1)


class Coefficients:
    """The sizes of `CoefficientSamples` as a `Representation` tells them; recordings hold no coefficients."""

    def __init__(self, config: CoefficientsConfig) -> None:
        self.config = config

    @property
    def num_channels(self) -> int:
        return self.config.num_coefficients

    @property
    def resolution(self) -> Resolution:
        return self.config.resolution

    @property
    def step_us(self) -> int:
        return checked_step_us(self.config.step_ms)

    def __call__(self, recording: Recording, window: TimeWindow) -> Float32[np.ndarray, "T C H W"]:
        """Raises: DataError: always."""
        raise DataError(
            f"recording {recording.recording_id!r} has no coefficients: they are labels of clips. Choose a "
            "representation of events or frames here."
        )


class CoefficientSamples(PaddedSamples):
    """The label `alpha` of each clip as inputs [T, K, 1, 1], float32; no recording is read.

    Steps without coefficients are zero, the face at rest, as padding is.

    Source: Becattini et al. 2024, arXiv:2409.10213, sec. 7, table 2 (classification from face shapes).
    """

    def __init__(
        self, dataset: FaceDataset, clips: Sequence[Clip], coefficients: Coefficients, *, num_steps: int
    ) -> None:
        super().__init__(dataset, clips, coefficients, num_steps=num_steps)
        self._shape = coefficients.num_channels

    def _inputs(self, index: int) -> Tensor:
        clip = self.clips[index]
        alpha = clip.labels.get(LABEL)
        wanted = (clip.window.num_steps(self._representation.step_us), self._shape)
        if not isinstance(alpha, np.ndarray) or alpha.shape != wanted or not wanted[0]:
            came = "none" if alpha is None else f"the shape {list(np.shape(alpha))}"
            raise DataError(
                f"clip {clip.clip_id!r} should have {LABEL!r} with {wanted[0]} steps of {wanted[1]} coefficients; got "
                f"{came}. Give data.num_coefficients and representation.num_coefficients alike."
            )
        present = clip.labels.get(f"{LABEL}_present")
        rows = alpha if present is None else np.where(np.asarray(present)[:, None], alpha, 0)
        return torch.from_numpy(rows.astype(np.float32)[..., None, None])
