"""The conditional variational autoencoder of the micro-expression paper: pictures from events."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from snnface.errors import ConfigError, ShapeError
from snnface.events.window import Resolution
from snnface.models.face_model import at_least_float32
from snnface.models.reconstruction import changed_picture
from snnface.shapes import require_shape

__all__ = ["ConditionalVae", "ConditionalVaeConfig"]


@dataclass(frozen=True, kw_only=True)
class ConditionalVaeConfig:
    """Widths of the autoencoder; see `ConditionalVae` for how the defaults were found.

    Attributes:
        channels: output maps of the encoder's two convolutions; the decoder's are the same backwards.
        hidden: width of the full layer between the convolutions and the code.
        latent: length of the code.
        sees_reference: the condition holds the reference picture beside the events, and the answer is what has
            changed of it (the paper's does neither).

    Raises:
        ConfigError: if a width is not positive.
    """

    channels: tuple[int, int] = (64, 128)
    hidden: int = 1024
    latent: int = 32
    sees_reference: bool = False

    def __post_init__(self) -> None:
        if min((*self.channels, self.hidden, self.latent)) < 1:
            raise ConfigError(f"widths must be positive; got {self}.")


class ConditionalVae(nn.Module):
    """Events [T, B, C, H, W] -> the picture [B, 1, H, W] at their end, through a code of a few numbers.

        c = log(1 + events accumulated over the clip), with the reference if it is seen
        q(z | x, c) = N(mu, diag(sigma^2)):  two convolutions (4x4, stride 2, ReLU) of x and c, then full layers
        p(x | z, c):  full layer of z and the flattened c, then two transposed convolutions; sigmoid

    The paper does not say how counts are scaled. Their logarithm says where contours are; the counts themselves
    are those of a few pixels that were swept many times, and a linear map of them tells a stranger's face worse
    (ridge regression to pictures of 32 x 32: SSIM 0.775 of counts, 0.802 of logarithms).

    Where the target x is given, the answers hold the "divergence" KL(q || N(0, 1)) of each clip in nats, and z is
    drawn from q in training and its mean in evaluation. Without x z is 0, the prior's mean. So is the answer the
    same every time.

    A reference that is seen is also what the answer starts from: sigmoid(logit(reference) + what is decoded).

    Nine tenths of the parameters stand in the full layer of z and c: (32 + C H W) x (maps of a
    quarter of the picture's sides). The paper gives their number, 289 M for both sensors, and not
    the widths. Pictures of 64 x 64 with two polarities, 64 and 128 maps and a hidden layer of 1024
    have 303,404,353 = 289.35 x 2^20, M counted as in its other table; what is over 289 x 2^20 (0.12 %)
    is less than the published number is rounded by. Sensors differ in what fills the pictures, not in their size.

    Source: Mastropasqua et al. 2025, sec. 4.4, eq. 4 to 7, table 6; Kingma and Welling 2014, arXiv:1312.6114, app. B.

    Raises:
        ConfigError: if the picture's sides are not divisible by 4.
    """

    def __init__(self, config: ConditionalVaeConfig, *, in_channels: int, resolution: Resolution) -> None:
        super().__init__()
        if resolution.height % 4 or resolution.width % 4:
            raise ConfigError(f"two convolutions halve the picture each; {resolution} is not divisible by 4.")
        self.config = config
        self.in_channels = in_channels
        self.resolution = resolution
        first, second = config.channels
        condition = in_channels + int(config.sees_reference)
        self._maps = (second, resolution.height // 4, resolution.width // 4)
        flat = second * resolution.num_pixels // 16
        self.encoder = nn.Sequential(
            nn.Conv2d(1 + condition, first, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(first, second, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(flat, config.hidden),
            nn.ReLU(),
        )
        self.mean = nn.Linear(config.hidden, config.latent)
        self.log_variance = nn.Linear(config.hidden, config.latent)
        self.full = nn.Linear(config.latent + condition * resolution.num_pixels, flat)
        self.decoder = nn.Sequential(
            nn.ReLU(),
            nn.ConvTranspose2d(second, first, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(first, 1, 4, stride=2, padding=1),
        )

    def forward(
        self,
        inputs: Float[Tensor, "T B C H W"],
        reference: Float[Tensor, "_ 1 _ _"],
        target: Float[Tensor, "_ 1 _ _"] | None = None,
    ) -> dict[str, Tensor]:
        """The "picture" [B, 1, H, W] in 0..1 and, with a target, the "divergence" [B].

        In training the code is drawn from the global torch generator, as dropout is.

        Raises:
            ShapeError: if the events or a picture do not have the configured size.
        """
        condition = self._condition(inputs, reference)
        if target is None:
            code = condition.new_zeros(condition.shape[0], self.config.latent)
            return {"picture": self._picture(code, condition, reference)}
        self._require_picture(target, condition, "the target picture")
        hidden = self.encoder(torch.cat([target.to(condition.dtype), condition], dim=1))
        mean, log_variance = at_least_float32(self.mean(hidden)), at_least_float32(self.log_variance(hidden))
        code = mean + torch.exp(log_variance / 2) * torch.randn_like(mean) if self.training else mean
        divergence = (mean.square() + log_variance.exp() - 1 - log_variance).sum(1) / 2
        return {"picture": self._picture(code.to(condition.dtype), condition, reference), "divergence": divergence}

    def _condition(self, inputs: Tensor, reference: Tensor) -> Tensor:
        size = self.resolution
        require_shape(inputs, f"T B {self.in_channels} {size.height} {size.width}", what="the events")
        if 0 in inputs.shape:
            raise ShapeError(
                f"the events must have at least one step and one clip; their shape is {list(inputs.shape)}."
            )
        events = torch.log1p(inputs.sum(0))
        self._require_picture(reference, events, "the reference picture")
        return torch.cat([events, reference.to(events.dtype)], dim=1) if self.config.sees_reference else events

    def _require_picture(self, picture: Tensor, clips: Tensor, what: str) -> None:
        require_shape(picture, f"{clips.shape[0]} 1 {self.resolution.height} {self.resolution.width}", what=what)

    def _picture(self, code: Tensor, condition: Tensor, reference: Tensor) -> Tensor:
        maps = self.full(torch.cat([code, condition.flatten(1)], dim=1))
        decoded = at_least_float32(self.decoder(maps.unflatten(1, self._maps)))
        return changed_picture(reference, decoded) if self.config.sees_reference else torch.sigmoid(decoded)
