"""`snnface export`: which networks go into which file, and what the options may say."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ann_baselines import C3dConfig, ConditionalVaeConfig
from conversion.nir_import import read_nir
from snnface.app.catalog import model_of
from snnface.app.cli import main
from snnface.app.recipes import Recipe, recipe_named
from snnface.app.run import load_run
from snnface.config import to_json
from snnface.datasets.protocols import SplitConfig
from snnface.datasets.synthetic import SyntheticFacesConfig
from snnface.events import Resolution
from snnface.files import write_text
from snnface.representations import HistogramConfig
from snnface.spiking import ConvSnnConfig
from snnface.training.checkpoint import save_weights

PICTURES = HistogramConfig(resolution=Resolution(height=8, width=8))
DATA = SyntheticFacesConfig(action_units=(2, 12), num_identities=3, clips_per_action_unit=1, clip_ms=660)
SPLIT = SplitConfig(validation_subjects=1, test_subjects=1)


def run_of(recipe: Recipe, folder: Path) -> Path:
    """A run folder with the weights that training would start from."""
    torch.manual_seed(0)
    write_text(folder / "recipe.json", to_json(recipe))
    save_weights(model_of(recipe), folder / "model.safetensors")
    return folder


@pytest.fixture(scope="module")
def conventional(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = replace(
        recipe_named("demo-c3d"),
        data=DATA,
        split=SPLIT,
        representation=PICTURES,
        encoder=C3dConfig(channels=((4,), (4,))),
    )
    return run_of(recipe, tmp_path_factory.mktemp("runs") / "ann")


@pytest.fixture(scope="module")
def spiking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = replace(
        recipe_named("demo-plif"),
        data=DATA,
        split=SPLIT,
        representation=PICTURES,
        encoder=ConvSnnConfig(channels=(4,), features=(8, 4)),
    )
    return run_of(recipe, tmp_path_factory.mktemp("runs") / "snn")


@pytest.fixture(scope="module")
def onnxruntime() -> object:
    return pytest.importorskip("onnxruntime", reason="the onnx extra is not installed")


def test_a_conventional_run_becomes_an_onnx_file_with_the_steps_of_its_clips(
    conventional: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], onnxruntime: object
) -> None:
    assert main(["export", str(conventional), "--onnx", "--cache", str(tmp_path / "cache")]) == 0
    path = conventional / "model.onnx"
    said = capsys.readouterr().out
    assert said.startswith(f"{path}: inputs [20, 'batch', 2, 8, 8], action_unit ['batch', 2]; ")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    clips = torch.rand(20, 4, 2, 8, 8)
    (answers,) = session.run(["action_unit"], {"inputs": clips.numpy()})
    _, model = load_run(conventional)
    torch.testing.assert_close(torch.from_numpy(answers), model(clips)["action_unit"], rtol=1e-4, atol=1e-6)


def test_the_number_of_steps_can_be_chosen_and_then_no_data_are_made(
    conventional: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], onnxruntime: object
) -> None:
    arguments = ["--onnx", "--out", str(tmp_path / "short.onnx"), "--num-steps", "3"]
    assert main(["export", str(conventional), *arguments, "--cache", str(tmp_path / "cache")]) == 0
    assert "inputs [3, 'batch', 2, 8, 8]" in capsys.readouterr().out
    assert [entry.name for entry in tmp_path.iterdir()] == ["short.onnx"]


def test_a_reconstruction_is_exported_with_its_reference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], onnxruntime: object
) -> None:
    recipe = replace(
        recipe_named("reconstruction-cvae"),
        representation=PICTURES,
        encoder=ConditionalVaeConfig(channels=(4, 4), hidden=8, latent=2, sees_reference=True),
    )
    run = run_of(recipe, tmp_path / "run")
    assert main(["export", str(run), "--onnx", "--num-steps", "2"]) == 0
    assert "inputs [2, 'batch', 2, 8, 8], reference ['batch', 1, 8, 8], picture ['batch', 1, 8, 8]" in (
        capsys.readouterr().out
    )


def test_a_spiking_run_becomes_a_nir_file_and_no_onnx_file(
    spiking: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(spiking), "--onnx", "--cache", str(tmp_path / "cache")]) == 1
    message = capsys.readouterr().err
    assert "layer 'encoder.blocks.0.neuron' spikes" in message
    assert "NIR" in message
    assert not (spiking / "model.onnx").exists()
    # It was refused before any data were made.
    assert not any(tmp_path.iterdir())
    assert main(["export", str(spiking)]) == 0
    assert read_nir(spiking / "model.nir").input_shape == (2, 8, 8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--onnx", "--out", "m.nir"], "a .onnx file is written; got 'm.nir'. Name it m.onnx, or leave out --onnx"),
        (["--out", "m.onnx"], "a .nir file is written; got 'm.onnx'. Name it m.nir, or add --onnx"),
        (["--onnx", "--head", "action_unit"], "an ONNX file holds every answer"),
        (["--onnx", "--dt-s", "0.001"], "leave out --head and --dt-s"),
        (["--num-steps", "3"], "a NIR file runs for any number of steps"),
        (["--onnx", "--num-steps", "0"], "a clip has at least 1 step; got 0"),
    ],
)
def test_options_that_contradict_each_other_are_one_sentence(
    conventional: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(conventional), *arguments]) == 1
    said = capsys.readouterr().err
    assert message in said
    assert len(said.strip().splitlines()) == 1
