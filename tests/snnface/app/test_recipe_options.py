"""The options of a recipe: its protocol by name, with the numbers that go with it."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from snnface.app.recipe_options import PROTOCOLS, ProtocolOption, RecipeOption, parse_with_recipe
from snnface.app.recipes import Recipe, recipe_named
from snnface.config import from_json, to_json
from snnface.datasets.protocols import LeaveOneSubjectOutConfig, ShareOfSubjectsConfig, SplitConfig, SubjectFoldsConfig


@dataclass(frozen=True, kw_only=True)
class Options:
    """A verb's."""

    recipe: RecipeOption
    out: Path
    protocol: ProtocolOption


def parsed(*arguments: str) -> Options:
    return parse_with_recipe(Options, ["demo-plif", *arguments], verb="verb")


def test_without_options_a_recipe_stays_as_it_is() -> None:
    options = parsed()
    assert options.recipe == recipe_named("demo-plif")
    assert (options.out, options.protocol) == (Path("runs/demo-plif"), "split")


def test_a_protocol_brings_its_own_numbers_and_keeps_the_validation_subjects() -> None:
    assert parsed("--protocol", "folds").recipe.split == SubjectFoldsConfig(validation_subjects=4)
    options = parsed("--split.num-folds", "7", "--protocol=folds", "--split.fold", "6")
    assert options.recipe.split == SubjectFoldsConfig(num_folds=7, fold=6, validation_subjects=4)
    assert parsed("--protocol", "share", "--split.share", "0.5").recipe.split == ShareOfSubjectsConfig(
        share=0.5, validation_subjects=4
    )
    left = parsed("--split.validation-subjects", "0", "--protocol", "leave-one-subject-out")
    assert left.recipe.split == LeaveOneSubjectOutConfig(validation_subjects=0)
    own = parsed("--protocol", "split", "--split.test-subjects", "2")
    assert own.recipe.split == SplitConfig(validation_subjects=4, test_subjects=2)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_can_be_named(name: str) -> None:
    options = parsed("--protocol", name)
    assert isinstance(options.recipe.split, PROTOCOLS[name])
    assert options.protocol == name
    assert from_json(Recipe, to_json(options.recipe)) == options.recipe


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--protocol", "thirds"], "thirds"),
        (["--protocol"], "--protocol"),
        (["--protocol", "share", "--split.num-folds", "3"], "--split.num-folds"),
    ],
)
def test_what_no_protocol_knows_is_a_wrong_option(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        parsed(*arguments)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
