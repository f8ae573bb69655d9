"""The published numbers, checked against each other: the papers repeat them, and means must come out."""

import pytest

from snnface.app.recipes.names import QUICK, QUICK_RECIPES, TABLE_RECIPES
from snnface.app.reproduction import TABLES, table_named
from snnface.app.reproduction.published.cross_modal import BOTH_LOSSES
from snnface.app.reproduction.published.micro_expression import PARAMETERS
from snnface.app.reproduction.table import Claim, Column, Part, Row, Table
from snnface.app.reproduction.tables import tables_named
from snnface.errors import ConfigError

NAMES = [
    *(f"valence-arousal/table{number}" for number in range(1, 6)),
    *(f"cross-modal/table{number}" for number in range(2, 6)),
    *(f"micro-expression/table{number}" for number in (5, 6)),
    "spiking/summary",
]


def published(table: str, label: str) -> dict[str, float]:
    row = next(row for row in table_named(table).rows if row.label == label)
    return dict(row.published)


def test_every_table_of_the_three_papers_is_there() -> None:
    assert list(TABLES) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_row_that_is_rerun_has_a_recipe_at_both_sizes(name: str) -> None:
    recipes = [row.recipe for row in TABLES[name].rows if row.recipe is not None]
    assert recipes
    assert set(recipes) <= set(TABLE_RECIPES)
    assert {recipe + QUICK for recipe in recipes} <= set(QUICK_RECIPES)


def test_every_recipe_of_a_table_is_in_one() -> None:
    shown = {row.recipe for table in TABLES.values() for row in table.rows if row.recipe is not None}
    assert {recipe + QUICK for recipe in shown} == set(QUICK_RECIPES)


def test_every_published_number_has_its_column() -> None:
    for table in TABLES.values():
        for row in table.rows:
            columns = {column.metric for part in table.parts if row in part.rows for column in part.columns}
            assert set(row.published) <= columns, (table.name, row.label)


@pytest.mark.parametrize("row", BOTH_LOSSES, ids=lambda row: row.label)
def test_the_accuracies_of_the_units_have_the_published_accuracy_as_their_mean(row: Row) -> None:
    units = [value for metric, value in row.published.items() if metric.startswith("recall")]
    assert len(units) == 24
    # Every unit has nearly as many clips as the others.
    assert sum(units) / 24 == pytest.approx(row.published["top1"], abs=2.0)


def test_cross_modal_table_5_repeats_tables_3_and_4() -> None:
    for model in ("ResNet18+LSTM", "ResNet18+Transf.", "I3D"):
        both = published("cross-modal/table4", model)
        assert published("cross-modal/table5", f"{model}, with L_alpha") == {
            key: both[key] for key in ("top1", "top3", "top5")
        }
        assert published("cross-modal/table5", f"{model}, without L_alpha") == published(
            "cross-modal/table3", f"{model}, Event"
        )


def test_valence_arousal_table_4_repeats_tables_1_and_2_at_eight_bits() -> None:
    of = {"ResNet": ("table2", "ResNet+Fusion"), "ViT": ("table1", "ViT"), "IC3D": ("table2", "IC3D")}
    for model, (table, label) in of.items():
        whole = published(f"valence-arousal/{table}", label)
        assert published("valence-arousal/table4", f"{model}, 8 bits") == {
            key: whole[key] for key in ("rmse_arousal", "rmse_valence")
        }


def test_valence_arousal_table_3_rounds_the_best_of_tables_1_and_2() -> None:
    for label, table, best in (
        ("Ours (Frame): ViT, events", "table1", "ViT"),
        ("Ours (Video): ResNet+Fusion, events", "table2", "ResNet+Fusion"),
    ):
        whole = published(f"valence-arousal/{table}", best)
        for metric, value in published("valence-arousal/table3", label).items():
            assert value == round(whole[metric], 2)


def test_the_published_numbers_bear_out_every_claim_that_is_made_of_them() -> None:
    for table in TABLES.values():
        for claim in table.claims:
            better, worse = (published(table.name, label) for label in (claim.better, claim.worse))
            # The sum of the papers has no published numbers.
            if claim.metric in better:
                gain = better[claim.metric] - worse[claim.metric]
                assert (gain < 0) == (table.column(claim.metric).better == "lower"), claim


def test_the_spiking_networks_size_is_the_published_one() -> None:
    assert PARAMETERS.text(4_311_748) == "4.11"


def test_rows_that_two_tables_share_name_one_recipe() -> None:
    recipes = {row.label: row.recipe for row in table_named("valence-arousal/table1").rows}
    transfer = {row.label: row.recipe for row in table_named("valence-arousal/table5").rows}
    assert transfer["Ours (Frame): ViT"] == recipes["ViT"]


def test_tables_are_found_by_name_by_paper_and_all_at_once() -> None:
    assert [table.name for table in tables_named(("micro-expression",))] == NAMES[9:11]
    assert [table.name for table in tables_named(("all",))] == NAMES
    twice = tables_named(("micro-expression/table6", "micro-expression"))
    assert sorted(table.name for table in twice) == NAMES[9:11]


def test_an_unknown_table_lists_its_nearest_neighbours() -> None:
    with pytest.raises(
        ConfigError, match=r"unknown table 'micro-expression/table4'. Did you mean .*micro-expression/table5"
    ):
        table_named("micro-expression/table4")


def test_a_claim_of_a_row_that_is_not_there_is_refused() -> None:
    part = Part(title="a", columns=(Column(metric="top1", heading="Accuracy"),), rows=(Row(label="one"),))
    claim = Claim(says="one beats two", better="one", worse="two", metric="top1")
    with pytest.raises(ConfigError, match="a/b has no row or column 'two'"):
        Table(name="a/b", title="", source="", data="", parts=(part,), claims=(claim,))


def test_two_columns_of_one_metric_are_refused() -> None:
    column = Column(metric="top1", heading="Accuracy")
    with pytest.raises(ConfigError, match="needs a metric of its own; got top1, top1"):
        Part(title="a", columns=(column, column), rows=())
