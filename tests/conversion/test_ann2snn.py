"""From a trained ANN to spikes: accuracy, the report, and the command."""

import json
import subprocess
import sys
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

from conversion.ann2snn import Ann2SnnConfig, ann2snn, main
from conversion.array_file import write_arrays
from conversion.conversion_report import quality_per_step
from conversion.graph_io import load_graph
from conversion.sequential_file import load_sequential, save_sequential
from conversion.simulate import constant_input, simulate
from snnface.errors import (
    CalibrationError,
    ConfigError,
    DataError,
    DatasetNotFoundError,
    ShapeError,
    UnsupportedLayerError,
)


def blobs(num_samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures 12 x 12 of one of six bar patterns, moved and noisy, and their classes."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 6, num_samples)
    pictures = np.zeros((num_samples, 1, 12, 12))
    for picture, label in zip(pictures[:, 0], labels, strict=True):
        row, column = generator.integers(1, 5, 2)
        bars = (np.s_[0:6, 0:2], np.s_[0:6, 3:5], np.s_[0:2, 0:6], np.s_[3:5, 0:6])
        for bar in ((0, 2), (1, 3), (0, 1), (2, 3), (0, 3), (1, 2))[label]:
            picture[row : row + 6, column : column + 6][bars[bar]] = 1.0
    noisy = np.clip(pictures + generator.normal(0, 0.4, pictures.shape), 0, 1)
    return noisy.astype(np.float32), labels


@cache
def trained() -> nn.Sequential:
    """A small conv ANN with batch norm and pooling, trained for a second or two."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Sequential(nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.AvgPool2d(2)),
            nn.Sequential(nn.Conv2d(8, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.AvgPool2d(2)),
            nn.Flatten(),
            nn.Linear(144, 32),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Linear(32, 6),
        )
        pictures, labels = (torch.as_tensor(part) for part in blobs(768, 0))
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        for _ in range(8):
            for picture, label in zip(pictures.split(64), labels.split(64), strict=True):
                loss = nn.functional.cross_entropy(model(picture), label)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    return model.eval()


@pytest.mark.parametrize(
    "config",
    [
        Ann2SnnConfig(steps=16),
        Ann2SnnConfig(steps=16, bias_correction=False),
        Ann2SnnConfig(rule="percentile", percentile=99.9, bias_correction=False),
    ],
)
def test_accuracy_at_sixteen_steps_is_within_two_points_of_the_ann(config):
    calibration, _ = blobs(256, 1)
    samples, labels = blobs(600, 2)
    report = ann2snn(trained(), calibration, config, evaluation=samples, labels=labels).report
    assert report.ann_accuracy > 0.9
    quality = {q.num_steps: q for q in report.qualities}
    assert quality[16].accuracy >= report.ann_accuracy - 0.02
    assert quality[32].answer_error < quality[4].answer_error
    assert quality[32].agreement >= 0.96
    assert set(report.thresholds) == {"0.0", "1.0", "3"}
    assert all(0 < rate < 0.6 for rate in quality[16].rates.values())


def test_the_correction_for_four_steps_brings_four_steps_nearer():
    calibration, _ = blobs(256, 1)
    samples, _ = blobs(300, 2)
    plain, corrected = (
        ann2snn(trained(), calibration, Ann2SnnConfig(steps=4, bias_correction=on), evaluation=samples)
        for on in (False, True)
    )
    assert corrected.report.qualities[0].answer_error < plain.report.qualities[0].answer_error


def test_event_bins_with_the_same_mean_give_nearly_the_same_answer():
    calibration, _ = blobs(64, 1)
    graph = ann2snn(trained(), calibration, Ann2SnnConfig(steps=64)).graph
    sample = blobs(8, 5)[0].astype(np.float64)
    held = simulate(graph, constant_input(sample, 64)).answers
    bins = (np.random.default_rng(0).random((64, *sample.shape)) < sample).astype(np.float64)
    binned = simulate(graph, bins).answers
    assert np.mean(held.argmax(1) == binned.argmax(1)) == 1.0


def test_nothing_but_weights_and_unit_neurons_is_left():
    calibration, _ = blobs(64, 1)
    converted = ann2snn(trained(), calibration)
    assert [p.neuron.threshold for p in converted.graph.populations] == [1.0, 1.0, 1.0]
    assert [p.shape for p in converted.graph.populations] == [(8, 12, 12), (16, 6, 6), (32,)]
    assert converted.graph.metadata["steps"] == 16
    assert converted.report.ann_accuracy is None
    assert converted.report.qualities[0].accuracy is None
    assert converted.report.removed == ("5 (Dropout): does nothing when evaluated",)


def test_a_percentile_below_all_activity_is_refused():
    with pytest.raises(CalibrationError, match=r"gets the threshold 0\.0"):
        ann2snn(trained(), blobs(8, 1)[0], Ann2SnnConfig(rule="percentile", percentile=1.0))


def test_impossible_settings_and_labels_are_refused():
    with pytest.raises(ConfigError, match="steps must be at least 1"):
        Ann2SnnConfig(steps=0)
    with pytest.raises(ConfigError, match="percentile must lie"):
        Ann2SnnConfig(percentile=101.0)
    with pytest.raises(ConfigError, match="report_steps"):
        Ann2SnnConfig(report_steps=())
    with pytest.raises(DataError, match=r"8 samples, 8 ANN answers and labels of the shape \[3\]"):
        ann2snn(trained(), blobs(8, 1)[0], labels=np.zeros(3, dtype=np.int64))
    with pytest.raises(ShapeError, match="input to judge on must have the axes"):
        ann2snn(trained(), blobs(8, 1)[0], evaluation=np.zeros((2, 1, 12, 11)))
    graph = ann2snn(trained(), blobs(8, 1)[0]).graph
    with pytest.raises(ConfigError, match="steps must name"):
        quality_per_step(graph, blobs(8, 1)[0], np.zeros((8, 6)), steps=(0,))


@pytest.fixture
def files(tmp_path):
    """A saved model and samples with labels."""
    save_sequential(trained(), tmp_path / "model.json", input_shape=(1, 12, 12))
    inputs, labels = blobs(64, 1)
    write_arrays(tmp_path / "samples.npz", {"inputs": inputs, "labels": labels})
    return tmp_path


def arguments(folder, out: str = "graph.npz", **changes: str) -> list[str]:
    options = {"--model-file": str(folder / "model.json"), "--calibration": str(folder / "samples.npz")}
    options |= {"--out": str(folder / out)} | {f"--{name}": value for name, value in changes.items()}
    return [part for option in options.items() for part in option]


def test_the_command_writes_the_graph_and_prints_accuracies(files, capsys):
    assert main(arguments(files, steps="8", rule="percentile")) == 0
    text = capsys.readouterr().out
    assert "calibrated on 64 samples for 8 steps" in text
    assert "ANN accuracy" in text
    assert "T = 32: accuracy" in text
    graph = load_graph(files / "graph.npz")
    assert graph.metadata["rule"] == "percentile"
    assert graph.populations[0].neuron.reset == "subtract"


def test_the_command_prints_json_for_machines(files, capsys):
    assert main([*arguments(files, evaluation=str(files / "samples.npz")), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["num_calibration"] == 64
    assert [quality["num_steps"] for quality in report["qualities"]] == [4, 8, 16, 32]


def test_nir_output_is_refused_with_the_reason_and_nothing_is_written(files, capsys):
    assert main(arguments(files, out="graph.nir")) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: a converted network resets by subtraction")
    assert error.count("\n") == 1
    assert not (files / "graph.nir").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"out": "graph.txt"}, "--out must end in .npz"),
        ({"model-file": "absent.json"}, "no file"),
        ({"calibration": "absent.npz"}, "no file"),
    ],
)
def test_each_mistake_gets_one_line_and_exit_status_one(files, capsys, change, message):
    assert main(arguments(files, **change)) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pictures": np.zeros(3)}, "must hold `inputs`"),
        ({"inputs": np.zeros((3, 1, 12, 11))}, r"must be numbers [B, 1, 12, 12]"),
        ({"inputs": np.zeros((3, 1, 12, 12)), "labels": np.zeros(2, dtype=int)}, "must be 3 class indices"),
    ],
)
def test_wrong_calibration_files_are_refused(files, capsys, arrays, message):
    write_arrays(files / "samples.npz", arrays)
    assert main(arguments(files)) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("change", [{"no-such-option": "1"}, {"steps": "0"}, {"rule": "median"}])
def test_usage_errors_exit_with_two(files, capsys, change):
    with pytest.raises(SystemExit) as error:
        main(arguments(files, **change))
    assert error.value.code == 2
    assert "--help" in capsys.readouterr().err


def test_help_comes_without_loading_torch():
    code = """
import sys
from conversion.ann2snn import main
try:
    main(["--help"])
finally:
    assert "torch" not in sys.modules
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "--calibration" in result.stdout
    command = [sys.executable, "-W", "error", "-m", "conversion.ann2snn", "--help"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_model_file_gives_back_the_model(files):
    model, shape = load_sequential(files / "model.json")
    assert shape == (1, 12, 12)
    samples = torch.as_tensor(blobs(4, 7)[0])
    with torch.no_grad():
        torch.testing.assert_close(model(samples), trained()(samples))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"version": 2}, DataError, "of version 1"),
        ({"input_shape": [0]}, DataError, "positive whole numbers"),
        ({"layers": [{"type": "conv3d"}]}, ConfigError, "unknown type of layer 0 'conv3d'"),
        ({"layers": [{"type": "linear", "in_feature": 3}]}, ConfigError, "Did you mean 'in_features'"),
        ({"layers": [{"type": "linear", "in_features": 3}]}, DataError, "cannot be built"),
        ({"layers": [{"type": "linear", "in_features": 10**6, "out_features": 10**6}]}, DataError, "do not fit"),
        ({"layers": 3}, DataError, "or is damaged"),
    ],
)  # fmt: skip
def test_a_wrong_model_file_is_refused(files, change, error, message):
    header = json.loads((files / "model.json").read_text()) | change
    (files / "model.json").write_text(json.dumps(header))
    with pytest.raises(error, match=message):
        load_sequential(files / "model.json")


def test_broken_weights_and_unknown_layers_are_refused(files):
    (files / "model.safetensors").write_bytes(b"12345678")
    with pytest.raises(DataError, match="do not fit the layers"):
        load_sequential(files / "model.json")
    (files / "model.safetensors").unlink()
    with pytest.raises(DatasetNotFoundError, match=r"a model is a \.json and a \.safetensors"):
        load_sequential(files / "model.json")
    with pytest.raises(UnsupportedLayerError, match="layer 0 is GELU"):
        save_sequential(nn.Sequential(nn.GELU()), files / "other.json", input_shape=(1,))
