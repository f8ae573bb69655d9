import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from ann_baselines import LstmConfig, PerFrame, PerFrameConfig, ResNet18, ResNet18Config, load_pretrained
from snnface.errors import CheckpointError, ConfigError
from snnface.events.window import Resolution

SIZE = Resolution(height=16, width=16)
WIDTH = 4


def network(*, in_channels: int = 3, **config: Any) -> ResNet18:
    torch.manual_seed(3)
    return ResNet18(
        ResNet18Config(**{"width": WIDTH, "features": 10, **config}), in_channels=in_channels, resolution=SIZE
    )


def published(*, num_classes: int = 1000) -> dict[str, Tensor]:
    """A small net's state dict with torchvision's names, and batch statistics that are worth keeping."""
    model = network(features=num_classes)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
    return model.state_dict()


@pytest.fixture
def weights(tmp_path: Path) -> str:
    save_file(published(), tmp_path / "resnet18.safetensors")
    return str(tmp_path / "resnet18.safetensors")


def textbook(weights: Mapping[str, Tensor], frames: Tensor) -> Tensor:
    """ResNet18 once more, from names and shapes alone (He et al. 2016, table 1), down to the answers of `fc`."""

    def norm(maps: Tensor, name: str) -> Tensor:
        mean, var = weights[f"{name}.running_mean"], weights[f"{name}.running_var"]
        return functional.batch_norm(maps, mean, var, weights[f"{name}.weight"], weights[f"{name}.bias"])

    maps = functional.conv2d(frames, weights["conv1.weight"], stride=2, padding=3)
    maps = functional.max_pool2d(norm(maps, "bn1").relu(), 3, stride=2, padding=1)
    for block in (f"layer{stage}.{k}" for stage in (1, 2, 3, 4) for k in (0, 1)):
        stride = 2 if f"{block}.downsample.0.weight" in weights else 1
        shortcut = maps
        if stride == 2:
            shortcut = functional.conv2d(maps, weights[f"{block}.downsample.0.weight"], stride=2)
            shortcut = norm(shortcut, f"{block}.downsample.1")
        inner = functional.conv2d(maps, weights[f"{block}.conv1.weight"], stride=stride, padding=1)
        inner = functional.conv2d(norm(inner, f"{block}.bn1").relu(), weights[f"{block}.conv2.weight"], padding=1)
        maps = (norm(inner, f"{block}.bn2") + shortcut).relu()
    return functional.linear(maps.mean((2, 3)), weights["fc.weight"], weights["fc.bias"])


def test_it_has_the_parameters_of_torchvisions() -> None:
    with torch.device("meta"):
        model = ResNet18(ResNet18Config(features=1000), in_channels=3, resolution=Resolution(height=224, width=224))
    assert sum(parameter.numel() for parameter in model.parameters()) == 11_689_512
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    # 20 convolutions, 20 batch norms of five entries, weight and bias of fc.
    assert len(shapes) == 20 + 20 * 5 + 2
    assert shapes["conv1.weight"] == (64, 3, 7, 7)
    assert shapes["layer1.0.conv1.weight"] == (64, 64, 3, 3)
    assert shapes["layer2.0.downsample.0.weight"] == (128, 64, 1, 1)
    assert shapes["layer2.0.downsample.1.running_var"] == (128,)
    assert shapes["layer4.1.bn2.num_batches_tracked"] == ()
    assert shapes["fc.weight"] == (1000, 512)
    assert "layer1.0.downsample.0.weight" not in shapes


def test_the_papers_features_are_1024_of_512() -> None:
    with torch.device("meta"):
        model = ResNet18(ResNet18Config(), in_channels=1, resolution=Resolution(height=224, width=224))
    # As torchvision's; but one channel in, and 1024 answers instead of 1000.
    assert sum(p.numel() for p in model.parameters()) == 11_689_512 - 2 * 64 * 49 + 24 * 513
    assert model.num_features == 1024


@torch.no_grad()
def test_it_computes_what_its_names_say() -> None:
    model = network(features=1000)
    model.load_state_dict(published())
    frames = torch.rand(3, 3, 16, 16)
    torch.testing.assert_close(model.eval()(frames), textbook(published(), frames).relu(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
@torch.no_grad()
def test_weights_come_from_a_file_and_see_normalised_pictures(tmp_path: Path, suffix: str) -> None:
    path, tensors = tmp_path / f"resnet18.{suffix}", published()
    if suffix == "pth":
        torch.save(tensors, path)
    else:
        save_file(tensors, path)
    model = network(weights=str(path), features=1000).eval()
    load_pretrained(model)
    frames = torch.rand(2, 3, 16, 16)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    normal = (frames - mean[:, None, None]) / std[:, None, None]
    torch.testing.assert_close(model(frames), textbook(tensors, normal).relu(), rtol=1e-4, atol=1e-5)


def test_a_projection_of_another_size_stays_fresh(weights: str) -> None:
    model = network(weights=weights, features=10)
    before = model.fc.weight.clone()
    load_pretrained(model)
    assert torch.equal(model.fc.weight, before)
    assert torch.equal(model.layer4[1].conv2.weight, published()["layer4.1.conv2.weight"])


@pytest.mark.parametrize("in_channels", [1, 2, 5])
@torch.no_grad()
def test_the_first_convolution_sees_a_grey_picture_in_any_number_of_channels(weights: str, in_channels: int) -> None:
    model, grey = network(weights=weights, in_channels=in_channels), torch.rand(2, 1, 16, 16)
    load_pretrained(model)
    of_three = functional.conv2d(grey.expand(-1, 3, -1, -1), published()["conv1.weight"], stride=2, padding=3)
    torch.testing.assert_close(model.conv1(grey.expand(-1, in_channels, -1, -1)), of_three, rtol=1e-4, atol=1e-5)


def test_pictures_without_three_channels_are_normalised_with_the_mean_of_all(weights: str) -> None:
    model = network(weights=weights, in_channels=2)
    assert model.mean.flatten().tolist() == pytest.approx([(0.485 + 0.456 + 0.406) / 3] * 2)
    assert model.std.flatten().tolist() == pytest.approx([(0.229 + 0.224 + 0.225) / 3] * 2)
    assert "mean" not in model.state_dict()


def test_a_frozen_part_keeps_weights_and_statistics_and_is_not_in_the_graph(weights: str) -> None:
    model = network(weights=weights, is_frozen=True)
    load_pretrained(model)
    model.train()
    pooled: list[Tensor] = []
    model.avgpool.register_forward_hook(lambda module, inputs, output: pooled.append(output))
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1.0)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model(torch.rand(4, 3, 16, 16)).sum().backward()
    optimiser.step()
    assert not pooled[0].requires_grad
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {"fc.weight", "fc.bias"}


def test_what_is_not_frozen_learns_from_the_file_on(weights: str) -> None:
    model = network(weights=weights)
    load_pretrained(model)
    model.train()
    model(torch.rand(4, 3, 16, 16)).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert not torch.equal(model.bn1.running_mean, published()["bn1.running_mean"])


def test_an_encoder_finds_the_files_of_its_parts_and_needs_none_once_trained(weights: str) -> None:
    config = PerFrameConfig(frame=ResNet18Config(weights=weights, width=WIDTH, features=10), lstm=LstmConfig(hidden=5))
    encoder = PerFrame(config, in_channels=1, resolution=SIZE)
    load_pretrained(encoder)
    assert torch.equal(encoder.frame.layer1[0].conv1.weight, published()["layer1.0.conv1.weight"])
    Path(weights).unlink()
    again = PerFrame(config, in_channels=1, resolution=SIZE)
    again.load_state_dict(encoder.state_dict())
    inputs = torch.rand(2, 1, 1, 16, 16)
    assert torch.equal(again.eval()(inputs), encoder.eval()(inputs))
    with pytest.raises(CheckpointError, match=r"resnet18\.safetensors are not there"):
        load_pretrained(again)


def test_the_width_is_halved_or_doubled_as_a_whole() -> None:
    assert network(width=8).layer3[0].conv1.weight.shape == (32, 16, 3, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layer9.weight": torch.zeros(1)}, r"layer9\.weight is not known"),
        ({"bn1.bias": torch.zeros(5)}, r"bn1\.bias is \[5\], not \[4\]"),
        ({"bn1.bias": torch.full((4,), torch.nan)}, r"bn1\.bias is not finite"),
        ({"conv1.weight": torch.zeros(8, 3, 7, 7)}, r"conv1\.weight is \[8, 3, 7, 7\], not \[4, 3, 7, 7\]"),
    ],
)
def test_weights_of_another_network_are_refused_by_name(
    tmp_path: Path, change: dict[str, Tensor], message: str
) -> None:
    save_file({**published(), **change}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match=message):
        load_pretrained(network(weights=str(tmp_path / "other.safetensors")))


def test_a_file_that_lacks_a_layer_is_refused(tmp_path: Path) -> None:
    tensors = published()
    del tensors["layer2.0.downsample.1.running_mean"]
    save_file(tensors, tmp_path / "part.safetensors")
    with pytest.raises(CheckpointError, match=r"layer2\.0\.downsample\.1\.running_mean is missing"):
        load_pretrained(network(weights=str(tmp_path / "part.safetensors")))


def test_old_files_that_count_no_batches_are_accepted(tmp_path: Path) -> None:
    tensors = {name: tensor for name, tensor in published().items() if "num_batches" not in name}
    torch.save(tensors, tmp_path / "old.pth")
    model = network(weights=str(tmp_path / "old.pth"))
    load_pretrained(model)
    assert torch.equal(model.bn1.bias, tensors["bn1.bias"])


class Hostile:
    """An object whose unpickling would make a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


def test_a_file_that_would_run_something_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    torch.save({"conv1.weight": Hostile(tmp_path / "made")}, tmp_path / "evil.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Hostile(tmp_path / "made"), protocol=2))
    for name in ("evil.pth", "plain.pth"):
        with pytest.raises(CheckpointError, match="cannot be read as weights"):
            load_pretrained(network(weights=str(tmp_path / name)))
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("name", ["broken.pth", "broken.safetensors"])
@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04 neither", b"\x80\x02h\x05."])
def test_damaged_files_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot be read as weights"):
        load_pretrained(network(weights=str(tmp_path / name)))


def test_a_whole_checkpoint_in_place_of_a_state_dict_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3, "state_dict": published()}, tmp_path / "checkpoint.pth")
    with pytest.raises(CheckpointError, match="holds no state dict"):
        load_pretrained(network(weights=str(tmp_path / "checkpoint.pth")))


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="frozen ResNet18 needs trained weights"):
        ResNet18Config(is_frozen=True)
    with pytest.raises(ConfigError, match="must be at least 1; got 0 and 1024"):
        ResNet18Config(width=0)
