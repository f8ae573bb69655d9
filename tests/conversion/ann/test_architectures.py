"""State dicts and the networks that they belong to."""

import re
import struct

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from ann_baselines.resnet18 import ResNet18, ResNet18Config
from conversion.ann.architectures import ARCHITECTURES, load_architecture
from conversion.ann.reduction import network_of
from conversion.ann.torch_reader import read_module
from conversion.weights_file import read_weights
from snnface.errors import CheckpointError, ConfigError
from snnface.events.window import Resolution


def small_net() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 2))


HERE = f"{__name__}:small_net"


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """This file by its name, as if it were a module of the user's."""
    import sys

    monkeypatch.setitem(sys.modules, __name__, type(sys)(__name__))
    sys.modules[__name__].__dict__.update(small_net=small_net, number=lambda: 3)


def baseline() -> ResNet18:
    torch.manual_seed(0)
    config = ResNet18Config(width=4, features=3)
    return ResNet18(config, in_channels=2, resolution=Resolution(32, 32)).eval()


def test_torchvisions_resnet18_is_read_with_the_sizes_of_its_file(tmp_path):
    model = baseline()
    save_file(model.state_dict(), tmp_path / "weights.safetensors")
    loaded = load_architecture("resnet18", tmp_path / "weights.safetensors")
    assert not loaded.training
    pictures = torch.randn(2, 2, 32, 32)
    with torch.no_grad():
        # Ours has a ReLU behind `fc`.
        torch.testing.assert_close(loaded(pictures).relu(), model(pictures))
    network = network_of(read_module(loaded, (2, 32, 32)), max_pool="average")
    assert [layer.name for layer in network.layers[:3]] == ["conv1", "layer1.0.conv1", "layer1.0.conv2"]
    assert len(network.layers) == 17


@pytest.mark.parametrize(
    ("name", "width", "expansion", "num_parameters"),
    [("resnet18", 64, 1, 11_689_512), ("resnet34", 64, 1, 21_797_672), ("resnet50", 64, 4, 25_557_032)],
)
def test_published_parameter_counts(name, width, expansion, num_parameters):
    """Counts as torchvision publishes them, for 1000 classes."""
    kernels = {1: [3, 3], 4: [1, 3, 1]}[expansion]
    weights = {"conv1.weight": torch.empty(width, 3, 7, 7, device="meta")}
    inputs = width
    for stage, count in enumerate(ARCHITECTURES[name].keywords["num_blocks"], 1):
        inner = width * 2 ** (stage - 1)
        for block in range(count):
            for place, _ in enumerate(kernels, 1):
                outputs = inner * expansion if place == len(kernels) else inner
                shape = (outputs, inputs if place == 1 else inner, 1, 1)
                weights[f"layer{stage}.{block}.conv{place}.weight"] = torch.empty(shape, device="meta")
            inputs = inner * expansion
    weights["fc.weight"] = torch.empty(1000, inputs, device="meta")
    with torch.device("meta"):
        model = ARCHITECTURES[name](weights)
    assert sum(parameter.numel() for parameter in model.parameters()) == num_parameters


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_a_callable_of_the_users_takes_its_weights_without_their_prefixes(tmp_path, suffix):
    model = small_net()
    state = {f"module._orig_mod.{name}": tensor for name, tensor in model.state_dict().items()}
    path = tmp_path / f"weights{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save({"state_dict": state, "epoch": 3}, path)
    loaded = load_architecture(HERE, path)
    inputs = torch.randn(5, 4)
    with torch.no_grad():
        torch.testing.assert_close(loaded(inputs), model.eval()(inputs))


def test_batch_counters_may_be_missing(tmp_path):
    state = {name: tensor for name, tensor in small_net().state_dict().items() if "num_batches" not in name}
    torch.save(state, tmp_path / "weights.pt")
    assert load_architecture(HERE, tmp_path / "weights.pt")[2].num_batches_tracked == 0


def test_names_that_do_not_match_one_for_one_are_listed(tmp_path):
    state = small_net().state_dict()
    state["extra"] = state.pop("1.bias")
    state["4.weight"] = torch.zeros(5, 3)
    state["4.bias"] = torch.zeros(2, dtype=torch.int8)
    torch.save(state, tmp_path / "weights.pt")
    message = (
        r"missing: 1\.bias; unexpected: extra; of another shape: 4\.weight \(5, 3\), not \(2, 3\); no floats: 4\.bias\."
    )
    with pytest.raises(CheckpointError, match=message):
        load_architecture(HERE, tmp_path / "weights.pt")


def test_a_file_of_another_network_is_refused_with_the_first_names(tmp_path):
    torch.save({f"{place}.weight": torch.zeros(1) for place in range(10, 30)}, tmp_path / "weights.pt")
    with pytest.raises(CheckpointError, match=r"unexpected: 10\.weight, .* 15\.weight and 14 more"):
        load_architecture(HERE, tmp_path / "weights.pt")
    with pytest.raises(CheckpointError, match=r"no 'conv1\.weight' with outputs and inputs"):
        load_architecture("resnet18", tmp_path / "weights.pt")


def test_sizes_that_the_file_only_claims_cost_no_memory(tmp_path):
    state = {
        name: tensor[:, :1, :1, :1] if tensor.ndim == 4 else tensor for name, tensor in baseline().state_dict().items()
    }
    state["conv1.weight"] = torch.zeros(10**6, 1, 1, 1)
    torch.save({name: tensor.clone() for name, tensor in state.items()}, tmp_path / "weights.pt")
    with pytest.raises(CheckpointError, match=r"of another shape|do not fit the architecture"):
        load_architecture("resnet18", tmp_path / "weights.pt")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet19", "'resnet19'.*resnet18"),
        ("no.such.module:build", "importable from here"),
        (f"{__name__}:missing", "importable from here"),
        (f"{__name__}:number", "must give an nn.Module; it gave int"),
        ("torch.nn:Linear", "callable without arguments"),
    ],
)
def test_unknown_architectures_are_refused(tmp_path, name, message):
    torch.save(small_net().state_dict(), tmp_path / "weights.pt")
    with pytest.raises(ConfigError, match=message):
        load_architecture(name, tmp_path / "weights.pt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no file"),
        (b"", "cannot be read as weights"),
        (b"not weights", "cannot be read as weights"),
        ({}, "holds no state dict"),
        ({"weight": 3.0}, "holds no state dict"),
        ([torch.zeros(1)], "holds no state dict"),
        (nn.Linear(1, 1), "cannot be read as weights: Weights only load failed"),
        ({"weight": torch.zeros(1).expand(10**9)}, "names larger tensors than it holds"),
    ],
)
def test_files_that_hold_no_weights_are_refused(tmp_path, content, message):
    path = tmp_path / "weights.pt"
    match content:
        case None:
            pass
        case bytes():
            path.write_bytes(content)
        case _:
            torch.save(content, path)
    with pytest.raises(CheckpointError, match=message):
        read_weights(path)


def test_a_truncated_file_is_refused(tmp_path):
    save_file(small_net().state_dict(), tmp_path / "weights.safetensors")
    whole = (tmp_path / "weights.safetensors").read_bytes()
    (header,) = struct.unpack("<Q", whole[:8])
    (tmp_path / "weights.safetensors").write_bytes(whole[: header + 12])
    with pytest.raises(CheckpointError, match=re.escape("weights.safetensors' cannot be read as weights")):
        read_weights(tmp_path / "weights.safetensors")
