"""Residual networks with torchvision's names, of the sizes that their weights have."""

from collections.abc import Mapping

from torch import Tensor, nn

from snnface.errors import CheckpointError

__all__ = ["Resnet"]


class Resnet(nn.Module):
    """A picture classifier: [N, C, H, W] -> [N, classes].

    Channels, widths, groups and classes are read from the weights, so that it fits nets of
    the family (wide ones, those with groups) and nets whose first or last layer was changed.

    Args:
        weights: a state dict with torchvision's names; only shapes are looked at.
        num_blocks: of every stage.
        is_bottleneck: blocks of three convolutions (1x1, 3x3, 1x1), not of two (3x3).

    Raises:
        CheckpointError: if a layer that decides a size is not there.

    Source: He et al. 2016, arXiv:1512.03385, table 1; in bottlenecks the 3x3 convolution has the stride.
    """

    def __init__(self, weights: Mapping[str, Tensor], *, num_blocks: tuple[int, ...], is_bottleneck: bool) -> None:
        super().__init__()
        width, channels = _sizes(weights, "conv1.weight")
        self.conv1 = nn.Conv2d(channels, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.stages = len(num_blocks)
        for stage, count in enumerate(num_blocks, 1):
            blocks = nn.Sequential()
            for place in range(count):
                stride = 2 if stage > 1 and place == 0 else 1
                block = _Block(weights, f"layer{stage}.{place}", width, is_bottleneck=is_bottleneck, stride=stride)
                blocks.append(block)
                width = block.outputs
            self.add_module(f"layer{stage}", blocks)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(width, _sizes(weights, "fc.weight")[0])

    def forward(self, pictures: Tensor) -> Tensor:
        maps: Tensor = self.maxpool(self.relu(self.bn1(self.conv1(pictures))))
        for stage in range(1, self.stages + 1):
            maps = self.get_submodule(f"layer{stage}")(maps)
        answer: Tensor = self.fc(self.avgpool(maps).flatten(1))
        return answer


class _Block(nn.Module):
    """relu(f(x) + x), or a 1x1 convolution of x where the shape changes; f is convolutions with batch norms."""

    def __init__(
        self, weights: Mapping[str, Tensor], name: str, inputs: int, *, is_bottleneck: bool, stride: int
    ) -> None:
        super().__init__()
        windows, strides = ((1, 3, 1), (1, stride, 1)) if is_bottleneck else ((3, 3), (stride, 1))
        self.depth = len(windows)
        width = inputs
        for place, (window, step) in enumerate(zip(windows, strides, strict=True), 1):
            outputs, per_group = _sizes(weights, f"{name}.conv{place}.weight")
            groups = max(1, width // max(1, per_group))
            conv = nn.Conv2d(width, outputs, window, stride=step, padding=window // 2, groups=groups, bias=False)
            self.add_module(f"conv{place}", conv)
            self.add_module(f"bn{place}", nn.BatchNorm2d(outputs))
            width = outputs
        self.outputs = width
        self.relu = nn.ReLU()
        self.downsample = (
            None
            if stride == 1 and inputs == width
            else nn.Sequential(nn.Conv2d(inputs, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width))
        )

    def forward(self, maps: Tensor) -> Tensor:
        shortcut = maps if self.downsample is None else self.downsample(maps)
        for place in range(1, self.depth + 1):
            maps = self.get_submodule(f"bn{place}")(self.get_submodule(f"conv{place}")(maps))
            maps = self.relu(maps if place < self.depth else maps + shortcut)
        return maps


def _sizes(weights: Mapping[str, Tensor], name: str) -> tuple[int, int]:
    """Outputs and inputs (of one group)."""
    if name not in weights or weights[name].ndim < 2:
        raise CheckpointError(f"the weights have no {name!r} with outputs and inputs; they are of another network.")
    return weights[name].shape[0], weights[name].shape[1]
