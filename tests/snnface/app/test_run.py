"""Folders of runs."""

from dataclasses import replace
from pathlib import Path

import pytest

from snnface.app.recipes import recipe_named
from snnface.app.run import _claim_folder
from snnface.errors import ConfigError


def test_a_run_goes_on_with_its_own_settings_and_with_no_others(tmp_path: Path) -> None:
    recipe = recipe_named("valence-arousal-vit-quick")
    # A whole number stands in a field of real numbers there, and comes back from the file as 4.0.
    _claim_folder(tmp_path, recipe, resume=False)
    assert '"gaze_deg": 4,' in (tmp_path / "recipe.json").read_text()
    _claim_folder(tmp_path, recipe, resume=True)
    with pytest.raises(ConfigError, match="made with other settings"):
        _claim_folder(tmp_path, replace(recipe, seed=1), resume=True)
