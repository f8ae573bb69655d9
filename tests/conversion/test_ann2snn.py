"""The command that converts an ANN: what it reads, what it writes, what it prints, what it refuses."""

import contextlib
import io
import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from bar_pictures import bar_pictures, trained_ann
from safetensors.torch import save_file

from conversion.ann import sources
from conversion.ann.onnx_reader import read_onnx
from conversion.ann.sources import AnnSource, OwnData, Samples
from conversion.ann2snn import main
from conversion.array_file import write_arrays
from conversion.conversion_report import answers_held
from conversion.graph_io import load_graph
from conversion.nir_import import read_nir
from conversion.sequential_file import save_sequential
from conversion.simulate import constant_input, simulate
from snnface.errors import BackendUnavailableError, DataError

EVERYTHING = {
    *("model.json", "model.safetensors", "model.nir", "portable.nir", "ann.onnx", "report.html", "report.json"),
}


def write_files(folder) -> None:
    save_sequential(trained_ann(), folder / "model.json", input_shape=(1, 12, 12))
    for name, number, seed in (("samples", 48, 1), ("training", 128, 2)):
        inputs, labels = bar_pictures(number, seed)
        write_arrays(folder / f"{name}.npz", {"inputs": inputs, "labels": labels})


def run(*arguments: object) -> str:
    """What the command prints."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert main([str(argument) for argument in arguments]) == 0
    return printed.getvalue()


@pytest.fixture
def files(tmp_path):
    """A saved model and samples with labels."""
    write_files(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Everything that the command can write of a file, made once, and what it printed."""
    folder = tmp_path_factory.mktemp("whole")
    write_files(folder)
    printed = run(
        *("--model", folder / "model.json", "--data", folder / "samples.npz", "--training", folder / "training.npz"),
        *("--steps", 4, "--epochs", 1, "--portable", "--report-steps", 2, 4, "--out", folder / "out"),
    )
    return folder, printed


@pytest.fixture
def without_onnx(monkeypatch):
    """As where onnx is not installed; its exporter takes seconds."""

    def refuse(*arguments: object, **options: object) -> None:
        raise BackendUnavailableError("ONNX files need onnx.")

    monkeypatch.setattr("conversion.conversion_folder.export_onnx", refuse)


def test_the_folder_holds_networks_and_report_and_nothing_else_is_left(whole):
    folder, printed = whole
    assert {path.name for path in (folder / "out").iterdir()} == EVERYTHING
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
    assert printed.endswith("report.json, report.html\n")


def test_the_text_says_the_method_and_the_accuracies(whole):
    _, printed = whole
    assert "calibrated on 48 samples for 4 steps" in printed
    assert "method qcfs:" in printed
    assert "on samples.npz: the ANN itself: accuracy" in printed
    assert "T = 4: accuracy" in printed
    assert "portable, resets to zero, T = 4: accuracy" in printed


def test_the_graph_and_its_nir_file_give_the_same_spikes(whole):
    folder, _ = whole
    graph = load_graph(folder / "out" / "model.json")
    assert graph.metadata["method"] == "qcfs"
    held = constant_input(bar_pictures(3, 5)[0], 4)
    mine, theirs = simulate(graph, held), simulate(read_nir(folder / "out" / "model.nir"), held)
    for name, train in mine.spikes.items():
        np.testing.assert_array_equal(train, theirs.spikes[name])
        assert set(np.unique(train)) <= {0, 1}
    np.testing.assert_allclose(mine.answers, theirs.answers, rtol=1e-9)


def test_the_portable_file_is_plain_and_has_the_reported_accuracy(whole):
    folder, _ = whole
    graph = read_nir(folder / "out" / "portable.nir")
    assert {(p.neuron.reset, p.neuron.initial_voltage, p.neuron.fires_on_equality) for p in graph.populations} == {
        ("zero", 0.0, False)
    }
    inputs, labels = bar_pictures(48, 1)
    chosen = answers_held(graph, inputs, [4]).after[4].argmax(1)
    report = json.loads((folder / "out" / "report.json").read_text())
    assert report["portable"]["qualities"][0]["answers"]["accuracy"] == pytest.approx(np.mean(chosen == labels))
    assert report["portable"]["neuron"] == "hard"


def test_the_onnx_file_answers_as_the_ann(whole):
    folder, _ = whole
    inputs = torch.as_tensor(bar_pictures(5, 3)[0])
    with torch.no_grad():
        wanted = trained_ann()(inputs)
    torch.testing.assert_close(read_onnx(folder / "out" / "ann.onnx")(inputs), wanted, rtol=1e-4, atol=1e-4)


def test_the_json_report_holds_layers_checks_and_how_it_came_about(whole):
    folder, _ = whole
    report = json.loads((folder / "out" / "report.json").read_text())
    assert [layer["reads"] for layer in report["graph"]["populations"]] == [["input"], ["0"], ["4"]]
    assert report["differing_bins"] == {"0": 0, "4": 0, "9": 0}
    assert [quality["num_steps"] for quality in report["report"]["qualities"]] == [2, 4]
    assert report["report"]["num_training"] == 128
    assert report["provenance"]["command"].startswith("python -m conversion.ann2snn --model ")
    assert report["provenance"]["seed"] == "0"


def test_the_page_is_one_file_with_every_section(whole):
    folder, _ = whole
    page = (folder / "out" / "report.html").read_text()
    assert "<h1>model.json as a spiking network</h1>" in page
    for section in ("Answers over steps", "Method", "Layers", "Portable network", "What changed", "Files"):
        assert f">{section}</h2>" in page
    assert page.count("<h2 ") == 6


def test_an_onnx_file_is_converted_as_the_model_that_it_was_written_from(whole, without_onnx):
    folder, _ = whole
    options = ("--data", folder / "samples.npz", "--method", "percentile", "--report-steps", 4, "--json")
    thresholds = {}
    for name in ("model.json", "out/ann.onnx"):
        printed = run("--model", folder / name, *options, "--out", folder / f"of-{name.replace('/', '-')}")
        thresholds[name] = list(json.loads(printed)["report"]["thresholds"].values())
    np.testing.assert_allclose(thresholds["out/ann.onnx"], thresholds["model.json"], rtol=1e-4)
    assert not (folder / "of-out-ann.onnx" / "ann.onnx").exists()


def test_a_state_dict_is_converted_with_its_architecture(files, without_onnx):
    save_file(trained_ann().state_dict(), files / "weights.safetensors")
    data = ("--data", files / "samples.npz", "--report-steps", 4, "--out", files / "out")
    printed = run(
        *("--model", files / "weights.safetensors", "--architecture", "bar_pictures:trained_ann", *data),
        *("--method", "percentile"),
    )
    assert "method percentile: it was asked for" in printed
    assert "ann.onnx was not written: ONNX files need onnx." in printed
    assert not (files / "out" / "ann.onnx").exists()


def test_other_samples_are_judged_where_they_are_given(files, without_onnx):
    data = ("--data", files / "samples.npz", "--evaluation", files / "training.npz", "--method", "percentile")
    printed = run("--model", files / "model.json", *data, "--report-steps", 4, "--out", files / "out")
    assert "on training.npz: the ANN itself" in printed
    assert "on 48 samples" in printed


@pytest.fixture
def with_folders(monkeypatch):
    """Run folders are read by a function that a test gives."""

    def install(opener) -> None:
        entry = SimpleNamespace(name="folder", load=lambda: opener)
        monkeypatch.setattr(sources, "entry_points", lambda group: [entry])

    return install


def test_a_run_folder_brings_data_task_and_events_along(tmp_path, with_folders, without_onnx):
    inputs, labels = bar_pictures(24, 1)
    own = OwnData(
        name="bars",
        is_synthetic=True,
        task="classification",
        calibration=Samples(inputs),
        training=Samples(inputs),
        evaluation=Samples(inputs, labels),
        scores=lambda answers: {"top1": float(np.mean(answers.argmax(1) == labels))},
        # Quarters of a picture add up to it, so that events are answered like the held picture.
        event_bins=lambda number: iter([np.repeat(part[None] / number, number, axis=0) for part in (inputs,)]),
    )
    with_folders(lambda path: AnnSource(trained_ann(), own, (f"of {path.name}",)))
    run_folder = tmp_path / "run"
    run_folder.mkdir()
    options = ("--steps", 4, "--method", "percentile", "--report-steps", 4, "--out", tmp_path / "out")
    report = json.loads(run("--model", run_folder, *options, "--json"))
    assert report["is_synthetic"]
    assert list(report["scores"]) == ["ANN", "T = 4", "T = 4, shown events"]
    assert report["scores"]["T = 4"] == report["scores"]["T = 4, shown events"]
    assert report["scores"]["ANN"]["top1"] == report["report"]["ann"]["accuracy"]
    assert "of run" in report["notes"]
    first = read_nir(tmp_path / "out" / "events.nir").populations[0].inputs[0].synapse.weight
    np.testing.assert_allclose(
        first, 4 * load_graph(tmp_path / "out" / "model.json").populations[0].inputs[0].synapse.weight
    )
    assert "Every number on this page comes from synthetic data" in (tmp_path / "out" / "report.html").read_text()


def refusal(capsys, *arguments: object) -> str:
    """The one line of an error, of a run with exit status 1."""
    assert main([str(argument) for argument in arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    return error


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--model": "absent.json"}, "no file or folder"),
        ({"--model": "samples.npz"}, "is no ANN by its name"),
        ({"--model": "model.safetensors"}, r"holds weights only; say of what with --architecture, one of resnet18"),
        ({"--architecture": "resnet18"}, "knows its architecture; leave out --architecture"),
        ({"--model": ".", "--data": None}, "nothing that is installed reads run folders"),
        ({"--data": "absent.npz"}, "no file"),
        ({"--data": None}, "brings no samples along"),
        ({"--data": None, "--training": "training.npz"}, "--training and --evaluation go with --data"),
        ({"--portable": ""}, "give samples for it as --training"),
        ({"--out": "model.json"}, "exists already; choose another folder as --out"),
        ({"--neuron": "hard"}, "needs training samples"),
    ],
)  # fmt: skip
def test_each_mistake_gets_one_line_and_leaves_nothing(files, capsys, monkeypatch, change, message):
    monkeypatch.setattr(sources, "entry_points", lambda group: [])
    monkeypatch.chdir(files)
    before = {path.name for path in files.iterdir()}
    options = {"--model": "model.json", "--data": "samples.npz", "--out": "out"} | change
    arguments = [part for name, value in options.items() if value is not None for part in (name, value) if part]
    assert message in refusal(capsys, *arguments)
    assert {path.name for path in files.iterdir()} == before


def test_a_run_folder_takes_no_other_data(files, capsys, with_folders):
    with_folders(lambda path: pytest.fail("recordings were made"))
    error = refusal(capsys, "--model", files, "--data", files / "samples.npz", "--out", files / "out")
    assert "is a run folder, whose data are used; leave out --data" in error


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pictures": np.zeros(3)}, "must hold `inputs`"),
        ({"inputs": np.zeros((3, 12, 11))}, "must be numbers [B, C, H, W] or [B, N]"),
        ({"inputs": np.zeros((3, 1, 12, 11))}, "cannot read an input of"),
        ({"inputs": np.zeros((0, 1, 12, 12))}, "must be numbers"),
        ({"inputs": np.full((3, 1, 12, 12), np.nan)}, "finite numbers"),
        ({"inputs": np.zeros((3, 1, 12, 12)), "labels": np.zeros(2, dtype=int)}, "must be 3 class indices"),
    ],
)
def test_wrong_samples_are_refused(files, capsys, arrays, message):
    write_arrays(files / "samples.npz", arrays)
    options = ("--model", files / "model.json", "--data", files / "samples.npz", "--out", files / "out")
    assert message in refusal(capsys, *options)
    assert not (files / "out").exists()


def test_a_folder_that_cannot_be_finished_is_not_there_at_all(files, capsys, monkeypatch, without_onnx):
    def full(*arguments: object) -> str:
        raise DataError("the disk is full.")

    monkeypatch.setattr("conversion.conversion_folder.conversion_page", full)
    options = ("--data", files / "samples.npz", "--method", "percentile", "--report-steps", 1)
    before = set(files.iterdir())
    assert "the disk is full" in refusal(capsys, "--model", files / "model.json", *options, "--out", files / "out")
    assert set(files.iterdir()) == before


@pytest.mark.parametrize("change", [("--no-such-option", 1), ("--steps", 0), ("--method", "median")])
def test_usage_errors_exit_with_two(files, capsys, change):
    with pytest.raises(SystemExit) as error:
        main([str(part) for part in ("--model", files / "model.json", "--out", files / "out", *change)])
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
    for option in ("--model", "--data", "--steps", "--architecture", "--portable", "--out"):
        assert option in result.stdout
    command = [sys.executable, "-W", "error", "-m", "conversion.ann2snn", "--help"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
