"""Conventional networks as ONNX files: every baseline's answers by onnxruntime, and what is refused."""

import logging
import sys
from inspect import signature
from pathlib import Path

import pytest
import torch
from small_models import FUSION, MODELS, linear, sequence
from torch import Tensor, nn

from ann_baselines import (
    FlatFrameConfig,
    FrameCnnConfig,
    FrameSequence,
    FrameSequenceConfig,
    LstmConfig,
    PerFrame,
    PerFrameConfig,
    TransformerConfig,
)
from conversion import onnx_export
from conversion.onnx_export import OPSET, OnnxExport, export_onnx
from snnface.errors import BackendUnavailableError, ConversionError, DataError, UnsupportedLayerError
from snnface.events import Resolution
from snnface.models import EveryStep, FaceModel, LeakyReadout, LeakyReadoutConfig, MeanOverTime, MlpHead, MlpHeadConfig

onnx = pytest.importorskip("onnx", reason="the onnx extra is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the onnx extra is not installed")

T, K = 7, 3


def seeded(name: str) -> nn.Module:
    torch.manual_seed(0)
    return BASELINES[name]()


def with_head(encoder: PerFrame | FrameSequence, temporal: nn.Module) -> FaceModel:
    head = MlpHead(MlpHeadConfig(hidden=(4,)), num_features=encoder.num_features, num_outputs=K)
    return FaceModel(encoder, temporal, {"action_unit": head})


def leaky_answers_per_frame() -> FaceModel:
    frames = PerFrameConfig(frame=FrameCnnConfig(channels=(4,), features=8), lstm=None)
    encoder = PerFrame(frames, in_channels=2, resolution=Resolution(height=16, width=16))
    return with_head(encoder, LeakyReadout(LeakyReadoutConfig()))


# ResNet18 is exported once, before the LSTM.
BASELINES = MODELS | {
    "ANN leaky readout": leaky_answers_per_frame,
    "ANN Fusion": lambda: FaceModel(sequence(FUSION), EveryStep(), {"action_unit": linear()}),
}


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


# Every part of the baselines is in one of these, alone or with others.
EXPORTED = ("ANN action units", "ANN ResNet18 + LSTM", "ANN Transformer", "ANN Fusion", "ANN class token", "ANN I3D")
SINGLY = ("ANN ResNet18", "ANN ViT", "ANN valence and arousal", "ANN both tasks")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [*EXPORTED, "ANN leaky readout", *(pytest.param(name, marks=pytest.mark.nightly) for name in SINGLY)],
)
def test_onnxruntime_gives_the_answers_of_every_baseline_at_any_batch_size(name: str, tmp_path: Path) -> None:
    model, path = unlike_fresh(seeded(name)), tmp_path / "m.onnx"
    written = exported(model, path)
    assert written.inputs == {"inputs": (T, "batch", 2, 16, 16)}
    clips = pictures(num_clips=5) * torch.arange(1.0, 6).reshape(5, 1, 1, 1)
    expected, answers = model.eval()(clips), runtime_answers(path, inputs=clips)
    assert answers.keys() == expected.keys()
    for key, answer in answers.items():
        steps = (T,) if answer.ndim == 3 else ()
        assert written.outputs[key] == (*steps, "batch", answer.shape[-1])
        torch.testing.assert_close(answer, expected[key], rtol=1e-4, atol=1e-6)
        # The clips differ in strength, and each has its own answer.
        assert answer.std(dim=-2).max() > 1e-4
    assert "BatchNormalization" not in written.operators
    assert written.difference < 1e-5


def test_the_exported_baselines_are_all_there_are() -> None:
    pictures_to_numbers = {name for name in MODELS if name.startswith("ANN") and name != "ANN reconstruction"}
    assert pictures_to_numbers == {*EXPORTED, *SINGLY}


COEFFICIENTS = {"in_channels": 5, "resolution": Resolution(height=1, width=1)}
OF_COEFFICIENTS = {
    "LSTM": lambda: PerFrame(PerFrameConfig(frame=FlatFrameConfig(), lstm=LstmConfig(hidden=4)), **COEFFICIENTS),
    "Transformer": lambda: FrameSequence(
        FrameSequenceConfig(
            frame=FlatFrameConfig(),
            sequence=TransformerConfig(width=8, num_heads=2, num_encoders=1, num_decoders=1),
        ),
        **COEFFICIENTS,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_COEFFICIENTS)
def test_networks_of_coefficients_are_exported_like_those_of_pictures(name: str, tmp_path: Path) -> None:
    model = with_head(OF_COEFFICIENTS[name](), MeanOverTime())
    written = exported(model, tmp_path / "m.onnx", pictures(channels=5, side=1))
    assert written.inputs == {"inputs": (T, "batch", 5, 1, 1)}
    assert written.outputs == {"action_unit": ("batch", K)}


def test_a_reconstruction_reads_events_and_reference_and_gives_a_picture(tmp_path: Path) -> None:
    model, path = seeded("ANN reconstruction"), tmp_path / "m.onnx"
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


@pytest.mark.parametrize("name", ["action units, conv", "reconstruction"])
def test_a_spiking_network_is_refused_by_the_name_of_its_first_neurons(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedLayerError, match=r"layer 'encoder\..*neuron' spikes .*NIR"):
        exported(MODELS[name](), tmp_path / "m.onnx")
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
