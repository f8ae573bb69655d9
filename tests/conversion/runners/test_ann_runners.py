"""ONNX files in a parity check: onnxruntime against this project's reader."""

import numpy as np
import pytest
import torch
from torch import nn

from conversion.onnx_export import export_onnx
from conversion.parity import main
from conversion.runners.ann_runners import open_onnxruntime
from conversion.sequential_file import save_sequential
from snnface.errors import ConversionError, DatasetNotFoundError

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


class Answers(nn.Module):
    """An ANN of one picture, or of several, that gives its answer by name."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis
        self.layers = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))

    def forward(self, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        pictures = inputs if self.axis == 0 else inputs.mean(dim=0)
        return {"y": self.layers(pictures)}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The same weights as ONNX over [B, 6], over [T=4, B, 6], and as a Sequential; and one with other weights."""
    folder = tmp_path_factory.mktemp("onnx")
    for name, axis, seed in (("plain", 0, 0), ("steps", 1, 0)):
        torch.manual_seed(seed)
        model = Answers(axis)
        example = torch.rand(2, 6) if axis == 0 else torch.rand(4, 2, 6)
        export_onnx(model, {"inputs": example}, folder / f"{name}.onnx", batch_axes={"inputs": axis})
        save_sequential(model.layers, folder / "plain.json", input_shape=(6,))
    save_sequential(Answers(0).layers, folder / "other.json", input_shape=(6,))
    return folder


def test_the_reader_and_the_module_answer_as_onnxruntime_and_another_network_does_not(files, capsys):
    plain = files / "plain.onnx"
    assert main([str(plain), f"ann:{plain}", "--samples", "7"]) == 0
    assert "answer readout: differs by at most" in capsys.readouterr().out
    assert main([f"onnx:{plain}", f"ann:{files / 'plain.json'}"]) == 0
    capsys.readouterr()
    assert main([f"onnx:{plain}", f"ann:{files / 'other.json'}"]) == 1
    assert capsys.readouterr().out.endswith("different\n")


def test_a_network_of_pictures_says_its_number_of_steps_and_reads_them_first(files):
    runner = open_onnxruntime(files / "steps.onnx", None)
    assert (runner.input_shape, runner.has_steps, runner.num_steps) == ((6,), True, 4)
    pictures = np.random.default_rng(0).random((4, 3, 6))
    plain = open_onnxruntime(files / "plain.onnx", None)
    assert (plain.input_shape, plain.has_steps, plain.num_steps) == ((6,), False, None)
    expected = plain.run(pictures.mean(axis=0)).answers["readout"]
    np.testing.assert_allclose(runner.run(pictures).answers["readout"], expected, rtol=1e-5)


def test_missing_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(DatasetNotFoundError, match="no file"):
        open_onnxruntime(tmp_path / "none.onnx", None)
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(ConversionError, match=r"onnxruntime cannot read 'text.onnx'"):
        open_onnxruntime(tmp_path / "text.onnx", None)
