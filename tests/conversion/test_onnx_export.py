"""Conventional networks as ONNX files: every baseline's answers by onnxruntime, and what is refused."""

import logging
import sys
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ann_baselines import (
    C3dConfig,
    ClassTokenConfig,
    ConditionalVae,
    ConditionalVaeConfig,
    FlatFrameConfig,
    FrameCnnConfig,
    FrameSequenceConfig,
    FusionConfig,
    I3dConfig,
    LstmConfig,
    PerFrameConfig,
    ResNet18Config,
    TransformerConfig,
    VitConfig,
)
from conversion import onnx_export
from conversion.onnx_export import OPSET, OnnxExport, export_onnx
from snnface.app.catalog import ENCODERS
from snnface.errors import BackendUnavailableError, ConversionError, DataError, UnsupportedLayerError
from snnface.events import Resolution
from snnface.models import (
    ClassToken,
    ClipStepsHead,
    ClipStepsHeadConfig,
    EveryStep,
    FaceModel,
    LastStep,
    LeakyReadout,
    LeakyReadoutConfig,
    MeanOverTime,
    MlpHead,
    MlpHeadConfig,
    SpikingReconstruction,
    SpikingReconstructionConfig,
    Tokens,
)
from snnface.spiking import ConvSnnConfig

onnx = pytest.importorskip("onnx", reason="the onnx extra is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the onnx extra is not installed")

T, K = 7, 3
PICTURE = Resolution(height=16, width=16)
CNN = FrameCnnConfig(channels=(4,), features=8)
RESNET = ResNet18Config(width=4, features=8)


def encoder_of(config: object, *, in_channels: int = 2, resolution: Resolution = PICTURE) -> Any:
    return ENCODERS[type(config)](config, in_channels=in_channels, resolution=resolution)


def face_model(config: object, temporal: nn.Module, **sizes: Any) -> FaceModel:
    torch.manual_seed(0)
    encoder = encoder_of(config, **sizes)
    head = MlpHead(MlpHeadConfig(hidden=(4,)), num_features=encoder.num_features, num_outputs=K)
    return FaceModel(encoder, temporal, {"action_unit": head})


def unlike_fresh(model: nn.Module) -> nn.Module:
    """Batch norm with statistics of its own, so that folding it is no identity."""
    generator = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            module.running_mean.uniform_(-0.5, 0.5, generator=generator)
            module.running_var.uniform_(0.5, 2.0, generator=generator)
    return model


def pictures(*, num_clips: int = 1, channels: int = 2, side: int = 16) -> Tensor:
    return 3 * torch.rand(T, num_clips, channels, side, side, generator=torch.Generator().manual_seed(2))


def exported(model: nn.Module, path: Path, example: Tensor | None = None) -> OnnxExport:
    inputs = pictures() if example is None else example
    return export_onnx(model, {"inputs": inputs}, path, batch_axes={"inputs": 1})


def runtime_answers(path: Path, **inputs: Tensor) -> dict[str, Tensor]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_outputs()]
    found = session.run(names, {name: value.numpy() for name, value in inputs.items()})
    return {name: torch.from_numpy(answer) for name, answer in zip(names, found, strict=True)}


SMALL_TRANSFORMER = TransformerConfig(width=8, num_heads=2, num_encoders=1, num_decoders=1)

# The baselines' parts, each in one row at least: name -> (encoder, temporal part, whether steps are kept).
BASELINES: dict[str, tuple[object, nn.Module, bool]] = {
    "C3D": (C3dConfig(channels=((4,), (4,), (8,))), MeanOverTime(), False),
    "I3D": (I3dConfig(width=8, features=8), LastStep(), False),
    "ResNet18": (PerFrameConfig(frame=RESNET, lstm=None), EveryStep(), True),
    "ViT": (PerFrameConfig(frame=VitConfig(width=8, depth=1, num_heads=2), lstm=None), EveryStep(), True),
    "CNN, leaky readout": (PerFrameConfig(frame=CNN, lstm=None), LeakyReadout(LeakyReadoutConfig()), True),
    "LSTM": (PerFrameConfig(frame=CNN, lstm=LstmConfig(hidden=4, num_layers=2)), EveryStep(), True),
    "Transformer": (FrameSequenceConfig(frame=CNN, sequence=SMALL_TRANSFORMER), EveryStep(), True),
    "Fusion": (FrameSequenceConfig(frame=CNN, sequence=FusionConfig(hidden=8, features=4)), EveryStep(), True),
}


SLOW = {"I3D", "CNN, leaky readout"}


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in BASELINES])
def test_onnxruntime_gives_the_answers_of_every_baseline_at_any_batch_size(name: str, tmp_path: Path) -> None:
    config, temporal, keeps_steps = BASELINES[name]
    model, path = unlike_fresh(face_model(config, temporal)), tmp_path / "m.onnx"
    written = exported(model, path)
    assert written.inputs == {"inputs": (T, "batch", 2, 16, 16)}
    assert written.outputs == {"action_unit": (T, "batch", K) if keeps_steps else ("batch", K)}
    clips = pictures(num_clips=5)
    answers = runtime_answers(path, inputs=clips)["action_unit"]
    torch.testing.assert_close(answers, model.eval()(clips)["action_unit"], rtol=1e-4, atol=1e-6)
    # The clips differ, and each has its own answer.
    assert answers.std(dim=-2).max() > 1e-4
    assert "BatchNormalization" not in written.operators
    assert written.difference < 1e-5


@pytest.mark.slow
def test_a_class_token_and_the_steps_beside_it_are_two_outputs(tmp_path: Path) -> None:
    config = FrameSequenceConfig(frame=CNN, sequence=ClassTokenConfig(width=8, num_heads=2, num_layers=1))
    torch.manual_seed(0)
    heads = {
        name: MlpHead(MlpHeadConfig(), num_features=8, num_outputs=width)
        for name, width in (("action_unit", K), ("face_shape", 2))
    }
    model = FaceModel(encoder_of(config), {"action_unit": ClassToken(), "face_shape": Tokens()}, heads)
    written = exported(model, tmp_path / "m.onnx")
    assert written.outputs == {"action_unit": ("batch", K), "face_shape": (T, "batch", 2)}
    clips = pictures(num_clips=2)
    answers = runtime_answers(tmp_path / "m.onnx", inputs=clips)
    for name, expected in model.eval()(clips).items():
        torch.testing.assert_close(answers[name], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "encoder",
    [
        PerFrameConfig(frame=FlatFrameConfig(), lstm=LstmConfig(hidden=4)),
        FrameSequenceConfig(frame=FlatFrameConfig(), sequence=SMALL_TRANSFORMER),
    ],
    ids=["LSTM", "Transformer"],
)
def test_networks_of_coefficients_are_exported_like_those_of_pictures(encoder: object, tmp_path: Path) -> None:
    model = face_model(encoder, MeanOverTime(), in_channels=5, resolution=Resolution(height=1, width=1))
    written = exported(model, tmp_path / "m.onnx", pictures(channels=5, side=1))
    assert written.inputs == {"inputs": (T, "batch", 5, 1, 1)}
    assert written.outputs == {"action_unit": ("batch", K)}


def test_a_head_that_answers_for_all_steps_at_once_keeps_the_batch_open(tmp_path: Path) -> None:
    encoder = encoder_of(C3dConfig(channels=((4,),)))
    head = ClipStepsHead(ClipStepsHeadConfig(num_steps=T, hidden=()), num_features=4, num_outputs=K)
    written = exported(FaceModel(encoder, MeanOverTime(), {"face_shape": head}), tmp_path / "m.onnx")
    assert written.outputs == {"face_shape": (T, "batch", K)}


def test_a_reconstruction_reads_events_and_reference_and_gives_a_picture(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = ConditionalVaeConfig(channels=(4, 4), hidden=8, latent=2, sees_reference=True)
    model, path = ConditionalVae(config, in_channels=2, resolution=PICTURE), tmp_path / "m.onnx"
    example = {"inputs": pictures(), "reference": torch.rand(1, 1, 16, 16)}
    written = export_onnx(model, example, path, batch_axes={"inputs": 1, "reference": 0})
    assert written.inputs == {"inputs": (T, "batch", 2, 16, 16), "reference": ("batch", 1, 16, 16)}
    assert written.outputs == {"picture": ("batch", 1, 16, 16)}
    inputs = {"inputs": pictures(num_clips=2), "reference": torch.rand(2, 1, 16, 16)}
    torch.testing.assert_close(runtime_answers(path, **inputs)["picture"], model.eval()(**inputs)["picture"])


class Residual(nn.Module):
    """A residual network of plain parts, as conversion reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2))
        self.block = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5), nn.Linear(4, K))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.head(torch.relu(self.block(x) + x))


@pytest.fixture(scope="module")
def residual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a residual network."""
    path = tmp_path_factory.mktemp("residual") / "net.onnx"
    torch.manual_seed(0)
    written = export_onnx(unlike_fresh(Residual()), {"x": torch.rand(1, 2, 8, 8)}, path, batch_axes={"x": 0})
    assert written.inputs == {"x": ("batch", 2, 8, 8)}
    assert written.outputs == {"output": ("batch", K)}
    return path


def test_a_residual_network_consists_of_the_operators_that_converters_read(residual: Path) -> None:
    operators = sorted(node.op_type for node in onnx.load(residual).graph.node)
    assert operators == ["Add", "Conv", "Conv", "Gemm", "MaxPool", "ReduceMean", "Relu", "Relu", "Reshape"]


def test_the_file_is_of_the_stated_opset_and_whole_by_itself(residual: Path) -> None:
    model = onnx.load(residual)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", OPSET)]
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    assert [entry.name for entry in residual.parent.iterdir()] == ["net.onnx"]


def test_the_file_says_nothing_of_the_machine_that_wrote_it(residual: Path) -> None:
    content = residual.read_bytes()
    assert b"stack_trace" not in content
    assert str(Path(__file__).parent).encode() not in content
    assert str(Path(torch.__file__).parent).encode() not in content


def test_exporting_changes_nothing_in_the_model_and_nothing_around_it(
    tmp_path: Path,
    recwarn: pytest.WarningsRecorder,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    model = Residual().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    level = logging.getLogger("torch").level
    export_onnx(model, {"x": torch.rand(1, 2, 8, 8)}, tmp_path / "m.onnx", batch_axes={"x": 0})
    assert model.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert logging.getLogger("torch").level == level
    assert not recwarn.list
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_network_of_torch_s_own_transformer_layers_is_exported(tmp_path: Path) -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=8, batch_first=True)
    written = export_onnx(layer, {"src": torch.randn(1, 5, 8)}, tmp_path / "m.onnx", batch_axes={"src": 0})
    assert written.outputs == {"output": ("batch", 5, 8)}
    assert torch.backends.mha.get_fastpath_enabled()


# What is refused.


@pytest.mark.parametrize("kind", ["classifier", "reconstruction"])
def test_a_spiking_network_is_refused_by_the_name_of_its_first_neurons(kind: str, tmp_path: Path) -> None:
    spiking: dict[str, Callable[[], nn.Module]] = {
        "classifier": lambda: face_model(ConvSnnConfig(channels=(4,), features=(8,)), MeanOverTime()),
        "reconstruction": lambda: SpikingReconstruction(
            SpikingReconstructionConfig(encoder=(4,), decoder=(4,)), in_channels=2, resolution=PICTURE
        ),
    }
    with pytest.raises(UnsupportedLayerError, match=r"layer 'encoder\..*neuron' spikes .*NIR"):
        exported(spiking[kind](), tmp_path / "m.onnx")
    assert not any(tmp_path.iterdir())


class FixesBatch(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.zeros(len(x), 2)


class Branches(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


class KnowsBatch(nn.Module):
    """Another answer for one clip than for several."""

    def forward(self, x: Tensor) -> Tensor:
        return -x if x.shape[0] == 1 else 2 * x


class Draws(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.rand_like(x)


class Divides(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x / (x - x)


class Nests(nn.Module):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [x, x]


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (FixesBatch(), r"FixesBatch cannot be traced with an open batch: Not all values.*from tensor\.shape"),
        (Branches(), r"Branches cannot be traced with an open batch: .*data-dependent"),
        (KnowsBatch(), r"answers 'output' otherwise than the network: off by up to"),
        (Draws(), r"answers 'output' otherwise than the network: off by up to"),
        (Divides(), r"answers 'output' with numbers that are not finite"),
        (nn.Identity(), r"inputs input were expected in the file; it has .*not answer one as it is"),
        (Nests(), r"one answer, or a dictionary of named answers, was expected; got list"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_what_would_answer_otherwise_is_refused_and_leaves_what_was_there(
    network: nn.Module, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"an earlier file")
    (argument,) = signature(network.forward).parameters
    with pytest.raises(ConversionError, match=message):
        export_onnx(network, {argument: torch.rand(3, 2)}, path, batch_axes={argument: 0})
    assert path.read_bytes() == b"an earlier file"
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.onnx"]


def test_an_input_without_a_batch_axis_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="every input needs its batch axis: inputs x, axes of y"):
        export_onnx(nn.Identity(), {"x": torch.rand(1, 2)}, tmp_path / "m.onnx", batch_axes={"y": 0})


def test_weights_beyond_the_two_gibibytes_of_a_file_are_refused(tmp_path: Path) -> None:
    wide = nn.Linear(2**15, 2**14 + 1, bias=False, device="meta")
    with pytest.raises(ConversionError, match=r"holds less than 2 GiB; the weights of this network are 2\.0 GiB"):
        export_onnx(wide, {"input": torch.rand(1, 2**15)}, tmp_path / "m.onnx", batch_axes={"input": 0})


def test_a_missing_package_is_named_with_the_way_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(BackendUnavailableError, match=r"onnxscript is not installed.*snnface\[onnx\]"):
        export_onnx(nn.Identity(), {"input": torch.rand(1, 2)}, tmp_path / "m.onnx", batch_axes={"input": 0})


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, no folder")
    with pytest.raises(DataError, match="could not be written"):
        export_onnx(nn.ReLU(), {"input": torch.rand(1, 2)}, tmp_path / "taken" / "m.onnx", batch_axes={"input": 0})


def test_the_tolerance_is_what_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(64, 64), nn.Sigmoid(), nn.Linear(64, 4))
    monkeypatch.setattr(onnx_export, "TOLERANCE", 0.0)
    with pytest.raises(ConversionError, match="otherwise than the network"):
        export_onnx(network, {"input": torch.rand(1, 64)}, tmp_path / "m.onnx", batch_axes={"input": 0})
