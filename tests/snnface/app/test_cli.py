"""The command line: help, wrong words, wrong files. One clear sentence and the right exit status each."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from snnface.app.cli import VERBS, main
from snnface.app.recipes import Recipe
from snnface.app.reproduction import TABLES
from snnface.errors import ConfigError
from snnface.models.temporal import LeakyReadoutConfig


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output, standard error."""
    try:
        status = main(list(arguments))
    except SystemExit as exit_:
        status = int(exit_.code or 0)
    out, err = capsys.readouterr()
    return status, out, err


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "--help")
    assert status == 0
    assert all(verb in out for verb in VERBS)


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from snnface.app.cli import main; main(['--help']); "
        "print(sorted({'torch', 'numpy', 'numba', 'plotly', 'tyro', 'nir'} & set(sys.modules)))"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("verb", VERBS)
def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    status, out, _ = run(capsys, verb, "--help")
    assert status == 0
    assert f"snnface {verb}" in out


def test_an_unknown_command_lists_its_nearest_neighbours(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "analyze", "x.raw")
    assert status == 2
    assert "unknown command 'analyze'. Did you mean 'analyse'" in err


def test_an_unknown_recipe_lists_its_nearest_neighbours(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "train", "demo-pilf", "--out", "x")
    assert status == 1
    assert "unknown recipe 'demo-pilf'. Did you mean 'demo-plif'" in err


def test_an_unknown_option_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "evaluate", "x", "--jsno")
    assert status == 2
    assert "--json" in err


def test_train_without_a_recipe_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "train")
    assert status == 2
    assert "demo-plif" in out


def test_a_missing_recording_is_one_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, _, err = run(capsys, "analyse", str(tmp_path / "none.raw"))
    assert status == 1
    assert "none.raw" in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(("content", "message"), [(b"", "empty"), (b"GIF89a, not events", "no event recording")])
def test_a_foreign_recording_is_one_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "face.raw"
    path.write_bytes(content)
    status, _, err = run(capsys, "analyse", str(path), "--out", str(tmp_path / "page.html"))
    assert status == 1
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["face.raw"]


@pytest.mark.parametrize("verb", ["evaluate", "deploy", "export"])
def test_a_folder_without_a_run_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path, verb: str) -> None:
    extra = ["--out", str(tmp_path / "m.nir")] if verb == "export" else []
    status, _, err = run(capsys, verb, str(tmp_path), *extra)
    assert status == 1
    assert "holds no recipe.json" in err
    status, _, err = run(capsys, verb, str(tmp_path / "none"), *extra)
    assert status == 1
    assert "is not a folder" in err


def test_a_run_that_was_not_deployed_has_no_report(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, _, err = run(capsys, "report", str(tmp_path))
    assert status == 1
    assert "run `snnface deploy" in err


def test_training_into_an_existing_folder_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "precious.txt").write_text("mine")
    status, _, err = run(capsys, "train", "demo-plif", *SMALL, "--out", str(tmp_path / "run"), *cache(tmp_path))
    assert status == 1
    assert "exists already" in err
    assert (tmp_path / "run" / "precious.txt").read_text() == "mine"


def test_the_demo_never_removes_what_is_not_its_own(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    status, _, err = run(capsys, "demo", "--out", str(tmp_path), "--overwrite")
    assert status == 1
    assert "holds other things too (precious.txt)" in err
    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_the_demo_never_removes_what_lies_inside_its_folders(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "thesis.txt").write_text("mine")
    status, _, err = run(capsys, "demo", "--out", str(tmp_path), "--overwrite")
    assert status == 1
    assert "holds other things too (ann/thesis.txt)" in err
    assert (tmp_path / "ann" / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"[" * 100_000, b'{"seed": ' + b"9" * 5000 + b"}", b"[]", b'{"name": 3}']
)
def test_a_damaged_recipe_is_one_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path, content: bytes) -> None:
    (tmp_path / "recipe.json").write_bytes(content)
    status, _, err = run(capsys, "evaluate", str(tmp_path))
    assert status == 1
    assert len(err.strip().splitlines()) == 1


def test_an_unknown_target_of_classification_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "run"
    status, _, err = run(
        capsys, "train", "demo-plif", "--task.target", "mood", "--out", str(out), *SMALL, *cache(tmp_path)
    )
    assert status == 1
    assert "unknown target of classification 'mood'" in err
    assert not out.exists()


def test_a_report_that_is_no_page_is_refused_before_the_work(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    status, _, err = run(capsys, "analyse", str(tmp_path / "none.raw"), "--out", str(tmp_path / "page.pdf"))
    assert status == 1
    assert "a report is an .html file; got 'page.pdf'" in err


def test_nothing_to_resume_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = str(tmp_path / "run")
    status, _, err = run(capsys, "train", "demo-plif", *SMALL, "--out", out, "--resume", *cache(tmp_path))
    assert status == 1
    assert "no run to resume" in err


@pytest.mark.parametrize("arguments", [["--help"], ["list"]])
def test_a_reader_that_has_seen_enough_ends_a_command_quietly(arguments: list[str]) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    code = "import sys; from snnface.app.cli import main; sys.exit(main(sys.argv[1:]))"
    finished = subprocess.run([sys.executable, "-c", code, *arguments], stdout=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    assert (finished.returncode, finished.stderr) == (1, b"")


def test_a_terminal_without_utf8_gets_question_marks() -> None:
    code = "from snnface.app.cli import main; main(['list']); main(['\\u2581'])"
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii"}
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, env=ascii_only, check=True)
    assert b"demo-plif" in finished.stdout
    assert b"unknown command '?'" in finished.stderr


def test_what_the_system_says_of_a_file_is_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: list[str]) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "plot.html")

    monkeypatch.setattr("snnface.app.commands.list.main", full)
    status, _, err = run(capsys, "list")
    assert status == 1
    assert err == (
        "snnface list: plot.html cannot be read or written (No space left on device). "
        "Make room, get access to it, or choose another place.\n"
    )


@pytest.mark.parametrize("verb", ["emulate", "info", "view", "analyse"])
def test_help_names_what_an_option_takes(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    _, out, _ = run(capsys, verb, "--help")
    before_upsampling = out.partition("upsampling options")[0]
    assert "--resolution HEIGHT WIDTH" in before_upsampling
    assert "{None}|" not in before_upsampling
    assert "(default: None)" not in before_upsampling.replace("--compat", "").partition("None for this project")[0]


def test_list_names_recipes_tables_targets_and_backends(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "list")
    assert status == 0
    for name in ("demo-plif", "micro-expression-c3d", "loihi2", "fixed_point", "lava", *TABLES):
        assert name in out


SMALL = [
    *("--data.num-identities", "3", "--data.clips-per-action-unit", "1"),
    *("--split.validation-subjects", "1", "--split.test-subjects", "1", "--training.num-epochs", "1"),
]


def cache(folder: Path) -> list[str]:
    return ["--cache", str(folder / "cache")]


@pytest.mark.parametrize(("word", "choice"), [("last", "last"), ("leaky:8", LeakyReadoutConfig(tau=8.0))])
def test_the_temporal_part_is_one_word(word: str, choice: object, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Recipe] = []

    def opened(recipe: Recipe, **_: object) -> None:
        asked.append(recipe)
        raise ConfigError("enough")

    monkeypatch.setattr("snnface.app.commands.train.open_experiment", opened)
    assert main(["train", "demo-plif", "--temporal", word]) == 1
    assert [recipe.temporal for recipe in asked] == [choice]


@pytest.mark.parametrize(
    ("word", "message"), [("lats", "unknown temporal part 'lats'"), ("leaky:1", "must be above 1")]
)
def test_a_temporal_part_that_is_none_is_a_usage_error(
    word: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["train", "demo-plif", "--temporal", word])
    assert ended.value.code == 2
    assert message in " ".join(capsys.readouterr().err.split())
