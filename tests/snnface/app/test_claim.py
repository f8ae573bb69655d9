"""A folder for many results belongs to one run's settings."""

from pathlib import Path

import pytest

from snnface.app.claim import claim
from snnface.errors import ConfigError


def test_a_folder_is_made_and_then_known_again(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "set"
    for _ in range(2):
        claim(out, "set.json", '{\n"seed": 1\n}\n', what="a set")
    (out / "result").write_text("")
    claim(out, "set.json", '{\n"seed": 1\n}\n', what="a set")
    assert (out / "set.json").read_text() == '{\n"seed": 1\n}\n'


def test_what_a_killed_run_left_of_the_settings_is_no_other_thing(tmp_path: Path) -> None:
    (tmp_path / ".set.json.abcdefgh.json").write_text("{")
    claim(tmp_path, "set.json", "{}", what="a set")
    assert (tmp_path / "set.json").read_text() == "{}"


def test_the_first_three_lines_that_differ_are_named(tmp_path: Path) -> None:
    claim(tmp_path, "set.json", "1,\n2,\n3,\n4,\n5", what="a set")
    with pytest.raises(ConfigError, match=r"holds a set with other settings \(1; 2; 4\)\. Go on with those"):
        claim(tmp_path, "set.json", "3,\n", what="a set")
    assert (tmp_path / "set.json").read_text() == "1,\n2,\n3,\n4,\n5"
    with pytest.raises(ConfigError, match=r"\(some are missing there\)"):
        claim(tmp_path, "set.json", "1,\n2,\n3,\n4,\n5\n6", what="a set")


def test_a_file_and_a_folder_of_other_things_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "thesis.txt"
    file.write_text("")
    with pytest.raises(ConfigError, match="is a file; a conversion needs a folder as --out"):
        claim(file, "set.json", "{}", what="a conversion")
    with pytest.raises(ConfigError, match="holds other things; choose a folder"):
        claim(tmp_path, "set.json", "{}", what="a conversion")
    assert not (tmp_path / "set.json").exists()
