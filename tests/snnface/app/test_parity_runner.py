"""A run folder in a parity check: against the graph, and the ONNX file, that are made of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ann_baselines import C3dConfig, ConditionalVaeConfig
from conversion.from_snn import graph_from_model
from conversion.run_comparison import compare_runs
from conversion.runners.ann_runners import open_onnxruntime
from conversion.runners.graph_runner import GraphRunner
from snnface.app.catalog import model_of
from snnface.app.onnx_file import write_onnx
from snnface.app.parity_runner import open_run
from snnface.app.recipes import Recipe, recipe_named
from snnface.app.run import load_run
from snnface.config import to_json
from snnface.datasets.synthetic import SyntheticFacesConfig
from snnface.errors import UnsupportedLayerError
from snnface.events import Resolution
from snnface.files import write_text
from snnface.representations import HistogramConfig
from snnface.spiking import ConvSnnConfig
from snnface.training.checkpoint import save_weights

DATA = SyntheticFacesConfig(action_units=(2, 12), num_identities=3, clips_per_action_unit=1, clip_ms=660)
PICTURES = HistogramConfig(resolution=Resolution(height=8, width=8))


def run_of(recipe: Recipe, folder: Path) -> Path:
    """A run folder with the weights that training would start from."""
    torch.manual_seed(0)
    write_text(folder / "recipe.json", to_json(recipe))
    save_weights(model_of(recipe), folder / "model.safetensors")
    return folder


def test_a_spiking_run_sends_the_spikes_of_its_graph(tmp_path: Path) -> None:
    encoder = ConvSnnConfig(channels=(4,), features=(8, 4))
    run = run_of(
        replace(recipe_named("demo-plif"), data=DATA, representation=PICTURES, encoder=encoder), tmp_path / "snn"
    )
    runner = open_run(run, None)
    recipe, model = load_run(run)
    graph = GraphRunner(graph_from_model(model.double(), head=recipe.task.target))
    assert runner.input_shape == graph.input_shape == (2, 8, 8)
    counts = np.random.default_rng(0).integers(0, 4, (10, 3, 2, 8, 8))
    found = compare_runs(runner.run(counts), graph.run(counts))
    assert found.is_identical
    assert sum(c.num_spikes_a for c in found.populations) > 100
    assert found.answers[0].relative_difference < 1e-9
    # Pools are relays of the graph, and no neurons of the model.
    assert found.notes == ("only in the second: encoder.blocks.0.pool",)


def test_a_conventional_run_answers_as_its_onnx_file(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the onnx extra is not installed")
    pytest.importorskip("onnxscript", reason="the onnx extra is not installed")
    encoder = C3dConfig(channels=((4,), (4,)))
    run = run_of(
        replace(recipe_named("demo-c3d"), data=DATA, representation=PICTURES, encoder=encoder), tmp_path / "ann"
    )
    recipe, model = load_run(run)
    write_onnx(recipe, model, run / "model.onnx", num_steps=6)
    onnx, ours = open_onnxruntime(run / "model.onnx", None), open_run(run, None)
    assert (onnx.input_shape, onnx.num_steps) == (ours.input_shape, 6)
    counts = np.random.default_rng(0).integers(0, 4, (6, 2, 2, 8, 8))
    found = compare_runs(ours.run(counts), onnx.run(counts))
    assert found.populations == ()
    assert found.is_identical


def test_a_network_that_must_see_a_reference_is_refused(tmp_path: Path) -> None:
    encoder = ConditionalVaeConfig(channels=(4, 4), hidden=8, latent=2, sees_reference=True)
    recipe = replace(recipe_named("reconstruction-cvae"), representation=PICTURES, encoder=encoder)
    with pytest.raises(UnsupportedLayerError, match="must be shown a reference picture too"):
        open_run(run_of(recipe, tmp_path / "cvae"), None)
