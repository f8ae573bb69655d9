"""ResNet18 of one frame, with torchvision's names, so that its published weights can be loaded from a file."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Literal

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from snnface.errors import CheckpointError, ConfigError
from snnface.events.window import Resolution

__all__ = ["ResNet18", "ResNet18Config", "load_pretrained"]

# Of the pictures that the published weights were trained on, red, green and blue, in 0..1.
# Source: torchvision, the transforms of ResNet18_Weights.IMAGENET1K_V1.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

# What torch and safetensors raise on files with changed bytes, as found by changing them.
_UNREADABLE = (
    *(OSError, EOFError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, AssertionError),
    *(UnpicklingError, struct.error, SafetensorError),
)


@dataclass(frozen=True, kw_only=True)
class ResNet18Config:
    """Where the weights come from, and what of them learns.

    Attributes:
        weights: a state dict with torchvision's names (`.safetensors`, or a file of `torch.save`); nothing:
            all weights are fresh. Only `load_pretrained` reads it.
        is_frozen: the convolutional part stays as the file has it, batch norms included; `fc` learns.
        width: maps of the first stage, 64 in ResNet18; those of the others follow by doubling.
        features: outputs of `fc`.
        stem_pool: "max" of 3 x 3 in ResNet18; the "average" of 2 x 2 has a spiking form, and gives the same size where
            sides are even.

    Raises:
        ConfigError: if a width is not positive, or weights are to be frozen that come from nowhere.
    """

    weights: str = ""
    is_frozen: bool = False
    width: int = 64
    features: int = 1024
    stem_pool: Literal["max", "average"] = "max"

    def __post_init__(self) -> None:
        if self.width < 1 or self.features < 1:
            raise ConfigError(f"width and features must be at least 1; got {self.width} and {self.features}.")
        if self.is_frozen and not self.weights:
            raise ConfigError(
                "a frozen ResNet18 needs trained weights, and none are named. Give weights, a file with torchvision's "
                "resnet18, or leave is_frozen off."
            )


class ResNet18(nn.Module):
    """ResNet18 of pictures of any size; `fc` with ReLU ends it: [N, C, H, W] -> [N, features].

    Names and shapes are torchvision's; with 3 channels, width 64 and 1000 features it has
    its 11,689,512 parameters.

    With weights from a file the pictures, in 0..1, are normalised as those it was trained
    on: (x - mean) / std a channel, where there are not three of them with the mean of the
    three means and of the three deviations. Fresh weights see the pictures as they are.

    The first convolution is fitted to C channels so that a grey picture in all of them gives what
    it gives in the file's three: each channel gets the sum over red, green and blue, divided by C.

    Source: He et al. 2016, arXiv:1512.03385, table 1. Features of 1024 in Berlincioni et al. 2024, arXiv:2401.16058,
    sec. 4.1, and Becattini et al. 2024, arXiv:2409.10213, sec. 6, where ResNet18 has 512: `fc` is read as the map
    from 512 to 1024 ("freeze the convolutional part, fine-tuning the fully connected layers", all but the last of
    which have ReLU). The papers do not say how a picture of one channel enters, or how it is normalised.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: ResNet18Config, *, in_channels: int, resolution: Resolution) -> None:
        super().__init__()
        self.config = config
        widths = [config.width * factor for factor in (1, 2, 4, 8)]
        self.conv1 = nn.Conv2d(in_channels, widths[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU()
        self.stem_pool = nn.MaxPool2d(3, stride=2, padding=1) if config.stem_pool == "max" else nn.AvgPool2d(2)
        self.layer1 = _stage(widths[0], widths[0], stride=1)
        self.layer2 = _stage(widths[0], widths[1], stride=2)
        self.layer3 = _stage(widths[1], widths[2], stride=2)
        self.layer4 = _stage(widths[2], widths[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(widths[3], config.features)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        mean, std = _normalisation(in_channels) if config.weights else ([0.0] * in_channels, [1.0] * in_channels)
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None], persistent=False)
        for part in self._frozen_parts():
            part.requires_grad_(False)
        self.train()

    @property
    def num_features(self) -> int:
        return self.config.features

    def forward(self, frames: Float[Tensor, "N C H W"]) -> Float[Tensor, "N D"]:
        if self.config.weights:
            frames = (frames - self.mean) / self.std
        maps = self.stem_pool(self.relu(self.bn1(self.conv1(frames))))
        maps = self.layer4(self.layer3(self.layer2(self.layer1(maps))))
        return self.relu(self.fc(self.avgpool(maps).flatten(1)))

    def train(self, mode: bool = True) -> "ResNet18":
        """A frozen part stays in evaluation mode: its batch norms use and keep the statistics of the file."""
        super().train(mode)
        for part in self._frozen_parts():
            part.eval()
        return self

    def load_published(self, path: Path) -> None:
        """Take the weights of a file: the convolutional part, and `fc` where it has the same shape.

        Raises:
            CheckpointError: if the file is missing, damaged or of another network.
        """
        tensors = dict(_read_tensors(path))
        wanted = self.state_dict()
        for name in ("fc.weight", "fc.bias"):
            if name not in tensors or tensors[name].shape != wanted[name].shape:
                tensors[name] = wanted[name]
        first = tensors.get("conv1.weight")
        if first is not None and first.ndim == 4 and first.shape[1] != self.conv1.in_channels:
            mean = first.sum(1, keepdim=True) / self.conv1.in_channels
            tensors["conv1.weight"] = mean.expand(-1, self.conv1.in_channels, -1, -1)
        # Files from before torch 0.4.1 do not count batches; nothing here reads the counts.
        tensors = {n: t for n, t in wanted.items() if n.endswith("num_batches_tracked")} | tensors
        problems = [f"{name} is missing" for name in sorted(wanted.keys() - tensors.keys())]
        problems += [f"{name} is not known" for name in sorted(tensors.keys() - wanted.keys())]
        problems += [
            f"{name} is {list(tensors[name].shape)}, not {list(wanted[name].shape)}"
            for name in sorted(wanted.keys() & tensors.keys())
            if tensors[name].shape != wanted[name].shape
        ]
        problems += [f"{name} is not finite" for name in sorted(tensors) if not torch.isfinite(tensors[name]).all()]
        if problems:
            raise CheckpointError(
                f"{path} holds no ResNet18 of width {self.config.width} with torchvision's names: "
                f"{'; '.join(problems[:3])}. Give the state dict of torchvision's resnet18."
            )
        self.load_state_dict(tensors)

    def _frozen_parts(self) -> list[nn.Module]:
        if not self.config.is_frozen:
            return []
        return [self.conv1, self.bn1, self.layer1, self.layer2, self.layer3, self.layer4]


def load_pretrained(model: nn.Module) -> None:
    """Read the files of published weights that parts of the model name; nothing happens where none is named.

    Called once before training; a trained model brings all its weights itself and needs no such file.

    Raises:
        CheckpointError: if a file is missing, damaged or of another network.
    """
    for module in model.modules():
        if isinstance(module, ResNet18) and module.config.weights:
            module.load_published(Path(module.config.weights))


class _BasicBlock(nn.Module):
    """Two convolutions 3x3 beside a shortcut: relu(f(x) + x), or a 1x1 convolution of x where the shape changes."""

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = (
            None
            if stride == 1 and inputs == outputs
            else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))
        )

    def forward(self, maps: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C2 H2 W2"]:
        shortcut = maps if self.downsample is None else self.downsample(maps)
        maps = self.relu(self.bn1(self.conv1(maps)))
        return self.relu(self.bn2(self.conv2(maps)) + shortcut)


def _stage(inputs: int, outputs: int, *, stride: int) -> nn.Sequential:
    return nn.Sequential(_BasicBlock(inputs, outputs, stride=stride), _BasicBlock(outputs, outputs, stride=1))


def _normalisation(in_channels: int) -> tuple[list[float], list[float]]:
    if in_channels == len(IMAGENET_MEAN):
        return list(IMAGENET_MEAN), list(IMAGENET_STD)
    mean, std = sum(IMAGENET_MEAN) / len(IMAGENET_MEAN), sum(IMAGENET_STD) / len(IMAGENET_STD)
    return [mean] * in_channels, [std] * in_channels


def _read_tensors(path: Path) -> Mapping[str, Tensor]:
    """The tensors of a file by name; a file of `torch.save` can bring nothing but tensors and plain values."""
    try:
        is_safetensors = path.suffix == ".safetensors"
        tensors = load_file(path) if is_safetensors else torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"the weights {path} are not there; name the file of torchvision's resnet18.") from error
    except _UNREADABLE as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise CheckpointError(
            f"{path} cannot be read as weights: {reason}. A state dict is expected, as safetensors (.safetensors) or "
            "as torch.save writes it."
        ) from error
    if not isinstance(tensors, Mapping) or not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
        raise CheckpointError(f"{path} holds no state dict (names and tensors). Save model.state_dict(), no more.")
    return tensors
