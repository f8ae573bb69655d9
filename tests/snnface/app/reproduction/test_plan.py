from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ann_baselines import FrameSequenceConfig, PerFrameConfig, ResNet18Config
from snnface.app.catalog import model_of
from snnface.app.filmed_faces import FilmedFacesConfig
from snnface.app.reproduction import ReproduceConfig, table_named
from snnface.app.reproduction.plan import planned_runs
from snnface.app.reproduction.tables import tables_named
from snnface.config import to_json
from snnface.datasets.protocols import LeaveOneSubjectOutConfig, SplitConfig, SubjectFoldsConfig
from snnface.errors import ConfigError, DataError
from snnface.models.heads import ClipStepsHeadConfig
from snnface.spiking.encoder import ConvSnnConfig

QUICK = ReproduceConfig(quick=True)


def test_rows_of_two_tables_with_one_recipe_share_a_run() -> None:
    alone = planned_runs(table_named("valence-arousal/table1"), QUICK)["ViT"]
    compared = planned_runs(table_named("valence-arousal/table3"), QUICK)["Ours (Frame): ViT, events"]
    assert alone.folder_name == compared.folder_name
    assert alone.folder_name.startswith("valence-arousal-vit-quick-")


def test_another_setting_is_another_run() -> None:
    table = table_named("micro-expression/table5")
    names = {planned_runs(table, config)["SNN, events"].folder_name for config in (QUICK, ReproduceConfig())}
    assert len(names) == 2


def test_quoted_rows_run_nothing() -> None:
    runs = planned_runs(table_named("valence-arousal/table3"), QUICK)
    assert list(runs) == ["Ours (Frame): ViT, events", "Ours (Video): ResNet+Fusion, events"]


def test_a_quick_run_has_the_small_forms_folds_and_folds_that_are_named_are_the_papers() -> None:
    split = planned_runs(table_named("micro-expression/table6"), QUICK)["EVK4"]
    assert isinstance(split.recipe.split, SplitConfig)
    assert (split.folds, split.has_one_fold) == (None, True)
    table = table_named("micro-expression/table5")
    quick = planned_runs(table, QUICK)["SNN, events"]
    assert isinstance(quick.recipe.split, SubjectFoldsConfig)
    assert (quick.folds, quick.has_one_fold) == (None, False)
    folds = planned_runs(table, ReproduceConfig(quick=True, folds=(0, 2)))["SNN, events"]
    assert isinstance(folds.recipe.split, LeaveOneSubjectOutConfig)
    assert (folds.folds, folds.has_one_fold) == ((0, 2), False)


def test_without_quick_all_folds_of_the_paper_are_run() -> None:
    run = planned_runs(table_named("micro-expression/table5"), ReproduceConfig())["SNN, events"]
    assert (run.recipe, run.folds, run.has_one_fold) == (run.paper, None, False)


def test_a_preset_brings_its_people_and_as_many_votes_as_it_has_units() -> None:
    run = planned_runs(table_named("micro-expression/table5"), ReproduceConfig(quick=True, preset="micro"))[
        "SNN, events"
    ]
    assert isinstance(run.recipe.data, FilmedFacesConfig)
    assert run.recipe.data.source.num_identities == 12  # type: ignore[union-attr]
    assert isinstance(run.recipe.encoder, ConvSnnConfig)
    assert run.recipe.encoder.features == (128, 210)


def test_a_network_that_answers_all_steps_at_once_is_given_their_number() -> None:
    run = planned_runs(table_named("cross-modal/table4"), QUICK)["I3D"]
    head = run.recipe.further[0].head
    assert isinstance(head, ClipStepsHeadConfig)
    assert head.num_steps == 84


def test_a_preset_without_the_camera_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"needs the camera 'davis', and the preset 'facemorphic' films with evk4, rgb"
    ):
        planned_runs(table_named("micro-expression/table5"), ReproduceConfig(quick=True, preset="facemorphic"))


def test_on_a_gpu_networks_train_in_bfloat16() -> None:
    run = planned_runs(table_named("micro-expression/table5"), ReproduceConfig(device="cuda"))["SNN, events"]
    assert run.recipe.training.precision == "bf16-mixed"


def test_imagenet_weights_are_frozen_where_the_paper_freezes_them(tmp_path: Path) -> None:
    config = ReproduceConfig(weights=tmp_path / "resnet18.safetensors")
    frozen = {}
    for label, run in planned_runs(table_named("valence-arousal/table2"), config).items():
        if isinstance(run.recipe.encoder, PerFrameConfig | FrameSequenceConfig):
            frame = run.recipe.encoder.frame
            assert isinstance(frame, ResNet18Config)
            assert frame.weights == str(tmp_path / "resnet18.safetensors")
            frozen[label] = frame.is_frozen
    assert frozen == {"ResNet+Fusion": False, "ResNet+LSTM": True, "ResNet+Transf.": True}


def test_one_folder_cannot_be_the_data_of_three_papers(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="rows of spiking/summary are of several data sets, and --data is one"):
        planned_runs(table_named("spiking/summary"), ReproduceConfig(data=tmp_path))


def test_a_folder_of_another_layout_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing", encoding="utf-8")
    with pytest.raises(DataError, match="FACEMORPHIC"):
        planned_runs(table_named("cross-modal/table3"), ReproduceConfig(data=tmp_path))


@pytest.mark.parametrize(
    ("paper", "dataset"),
    [("valence-arousal", "afew-va"), ("cross-modal", "facemorphic"), ("micro-expression", "micro-expression")],
)
@pytest.mark.parametrize("quick", [True, False])
def test_every_table_of_a_paper_can_be_run_on_its_own_data(
    paper: str, dataset: str, quick: bool, miniature: Callable[[str], Path]
) -> None:
    config = ReproduceConfig(quick=quick, data=miniature(dataset), allow_pickle=True)
    for table in tables_named((paper,)):
        for run in planned_runs(table, config).values():
            assert str(miniature(dataset).resolve()) in to_json(run.recipe)
            assert run.recipe.split == run.paper.split
            with torch.device("meta"):
                assert model_of(run.recipe).training


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data": Path("a"), "preset": "micro"}, "give one of the two"),
        ({"transfer_data": Path("a")}, "give the latter as data too"),
        ({"scheduler": "tcp://a:1", "workers": 2}, "give scheduler or workers, not both"),
    ],
)
def test_options_that_exclude_each_other_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ReproduceConfig(**options)  # type: ignore[arg-type]
