"""A run's per-frame network with its data, as conversion takes them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from noisy_faces import SIDE, STEPS, an_experiment, small_recipe

from ann_baselines import FrameCnnConfig, LstmConfig, PerFrameConfig
from conversion.ann.torch_reader import read_module
from snnface.app import converted_run
from snnface.app.catalog import model_of, task_of
from snnface.app.converted_run import open_ann_run, open_converted_run
from snnface.app.frame_network import frame_network_of
from snnface.app.recipes import Recipe, recipe_named
from snnface.datasets.samples import batches
from snnface.errors import UnsupportedLayerError
from snnface.models.heads import MlpHeadConfig
from snnface.representations import HistogramConfig, TemporalBinaryConfig
from snnface.training.evaluation import evaluate

TASKS = ("valence-arousal", "micro-expression")


@pytest.mark.parametrize("task", TASKS)
def test_answers_to_pictures_score_as_the_model_does_on_clips(task: str) -> None:
    recipe = small_recipe(task)
    experiment, model = an_experiment(recipe)
    run = open_converted_run(experiment, frame_network_of(model, recipe.task.target))
    with torch.no_grad():
        answers = run.network(torch.tensor(run.pictures(experiment.split.test))).double().numpy()
    wanted = evaluate(model, task_of(recipe), batches(experiment.samples(experiment.split.test), batch_size=4)).metrics
    scores = run.scores(answers)
    assert {name: scores[name] for name in wanted} == pytest.approx(dict(wanted), rel=1e-5)


@pytest.mark.parametrize("task", TASKS)
def test_the_source_brings_pictures_and_the_task(task: str) -> None:
    recipe = small_recipe(task)
    experiment, model = an_experiment(recipe)
    source = open_converted_run(experiment, frame_network_of(model, recipe.task.target)).source
    own = source.own
    assert own is not None
    assert own.is_synthetic
    assert own.task == "regression"  # of a unit too: a clip's answer is the mean of its pictures'
    for samples in (own.calibration, own.training, own.evaluation):
        assert samples.inputs.shape == (6 * STEPS, 2, 8, 8)
    # Clip by clip: the first rows are the first test clip's, as are their labels.
    first = experiment.samples(experiment.split.test)[0]
    np.testing.assert_array_equal(own.evaluation.inputs[:STEPS], first.inputs.numpy())
    if task == "valence-arousal":
        assert own.evaluation.labels is not None
        np.testing.assert_allclose(own.evaluation.labels[:STEPS], first.targets["valence_arousal"].numpy(), rtol=1e-6)
    else:
        assert own.evaluation.labels is None
        assert "the mean over a clip's pictures is the host's" in source.notes


def test_the_parts_of_a_pictures_time_add_up_to_it() -> None:
    recipe = small_recipe("valence-arousal")
    experiment, model = an_experiment(recipe)
    run = open_converted_run(experiment, frame_network_of(model, recipe.task.target))
    pieces = run.event_bins(experiment.split.test, 8)
    assert pieces is not None
    parts = np.concatenate(list(pieces), axis=1)
    assert parts.shape == (8, 6 * STEPS, 2, 8, 8)
    np.testing.assert_array_equal(parts.sum(0), run.pictures(experiment.split.test))
    assert parts.max() < run.pictures(experiment.split.test).max()


@pytest.mark.parametrize(
    ("pictures", "num_bins"),
    [
        (HistogramConfig(step_ms=8, resolution=SIDE), 7),
        (HistogramConfig(step_ms=8, resolution=SIDE, max_count=3), 8),
        (TemporalBinaryConfig(bin_us=1000, resolution=SIDE), 8),
    ],
    ids=["time that does not divide", "counts that are cut", "bits"],
)
def test_pictures_that_are_no_sums_of_events_have_no_parts(
    pictures: HistogramConfig | TemporalBinaryConfig, num_bins: int
) -> None:
    recipe = replace(small_recipe("valence-arousal"), representation=pictures)
    experiment, model = an_experiment(recipe)
    run = open_converted_run(experiment, frame_network_of(model, recipe.task.target))
    assert run.event_bins(experiment.split.test, num_bins) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"encoder": PerFrameConfig(frame=FrameCnnConfig(channels=(4,)), lstm=LstmConfig())}, "has an LSTM behind"),
        ({"temporal": "last"}, "reads LastStep of the pictures' features"),
        ({"temporal": "mean", "head": MlpHeadConfig(hidden=(4,))}, "reads MeanOverTime of the pictures' features"),
        (recipe_named("demo-plif"), "ConvSnn does not look at each picture by itself"),
    ],
    ids=["lstm", "last step", "mean in front of a ReLU", "spiking"],
)
def test_models_that_are_not_of_single_pictures_are_refused(change: dict | Recipe, message: str) -> None:
    recipe = change if isinstance(change, Recipe) else replace(small_recipe("micro-expression"), **change)
    with torch.random.fork_rng():
        model = model_of(recipe)
    with pytest.raises(UnsupportedLayerError, match=message):
        frame_network_of(model, recipe.task.target)


def test_a_run_is_refused_before_its_recordings_are_made(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    recipe = recipe_named("demo-plif")
    monkeypatch.setattr(converted_run, "load_run", lambda folder: (recipe, model_of(recipe)))
    monkeypatch.setattr(converted_run, "open_experiment", lambda *_, **__: pytest.fail("recordings were made"))
    with pytest.raises(UnsupportedLayerError, match="only per-frame networks can be converted"):
        open_ann_run(tmp_path)


def test_the_frame_network_can_be_read_for_conversion() -> None:
    recipe = small_recipe("micro-expression")
    _, model = an_experiment(recipe)
    graph = read_module(frame_network_of(model, recipe.task.target), (2, 8, 8))
    assert graph.nodes[-1].shape == (8,)


def test_recipes_of_resnet18_on_events_see_the_same_people_as_those_beside_them() -> None:
    for shown in ("tbr", "counts"):
        units = recipe_named(f"micro-expression-resnet18-{shown}-quick")
        assert units.data == recipe_named("micro-expression-snn-events-quick").data
        assert units.split == recipe_named("micro-expression-snn-events-quick").split
    counts, bits = (recipe_named(f"valence-arousal-resnet18{kind}-quick") for kind in ("-counts", "-tbr"))
    paper = recipe_named("valence-arousal-resnet18-quick")
    for recipe in (counts, bits):
        assert (recipe.data, recipe.split, recipe.training) == (paper.data, paper.split, paper.training)
        assert recipe.encoder == counts.encoder != paper.encoder
