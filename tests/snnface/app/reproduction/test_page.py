"""Tables that stay readable however many columns they have, and a page that says nothing of energy."""

import re
from dataclasses import replace

from snnface.app.reproduction.grids import MAX_DOWN, grids
from snnface.app.reproduction.outcome import Circumstances, RowOutcome, TableOutcome
from snnface.app.reproduction.page import page
from snnface.app.reproduction.table import Column, Part, Row, Table
from snnface.tasks.scoring import Measure

METRICS = ("mse", "rmse", "mae", "psnr", "ssim")
LABELS = ("one", "two", "three")
ANSWERED = {metric: Measure(0.5, (0.25, 0.75)) for metric in METRICS}


def table(labels: tuple[str, ...]) -> Table:
    """Metrics below each other, published for every row."""
    rows = tuple(Row(label=label, published={"mse": 0.1}) for label in labels)
    columns = (*(Column(metric=metric, heading=metric.upper()) for metric in METRICS), Column(metric="n", heading="N"))
    return Table(
        name="paper/table1",
        title="Pictures",
        source="somebody",
        data="nothing",
        parts=(Part(title="Pictures", columns=columns, rows=rows),),
    )


def outcome(labels: tuple[str, ...]) -> TableOutcome:
    """Every row was judged on clips of its own, so that what is trivial differs."""
    return TableOutcome(
        name="paper/table1",
        title="Pictures",
        source="somebody",
        published_data="nothing",
        is_synthetic=True,
        is_quick=True,
        rows=tuple(
            RowOutcome(
                label=label,
                published={"mse": 0.1},
                ours={**ANSWERED, "n": Measure(7.0)},
                trivial={name: {"mse": Measure(float(number))} for name in ("mean", "reference")},
                run=f"run-{label}",
                data="synthetic (micro)",
            )
            for number, label in enumerate(labels)
        ),
        departs=(),
        findings=(),
        runs={},
        made=Circumstances(command="c", date="d", machine="m", versions={}, seed=0),
    )


def test_what_is_trivial_stands_beside_few_models() -> None:
    (grid,) = grids(table(LABELS[:2]), outcome(LABELS[:2]))
    assert len(grid.columns) == 1 + 4 + 4 <= MAX_DOWN
    assert grid.rows[0] == (
        *("MSE ↑", "0.100", "0.500 (0.250 .. 0.750)", "0.100", "0.500 (0.250 .. 0.750)"),
        *("0.000", "0.000", "1.000", "1.000"),
    )
    assert grid.rows[-2] == ("data here", "", "synthetic (micro)", "", "synthetic (micro)", "", "", "", "")


def test_what_is_trivial_has_a_table_of_its_own_below_many_models() -> None:
    models, trivial = grids(table(LABELS), outcome(LABELS))
    assert len(models.columns) == 1 + 6
    assert [heading for heading, _ in trivial.columns] == [
        "metric",
        "mean answer",
        "the reference picture",
        *(
            f"{name}, on the clips of {label}"
            for label in LABELS[1:]
            for name in ("mean answer", "the reference picture")
        ),
    ]
    # Only what is known of any of them.
    assert trivial.rows == (("MSE ↑", "0.000", "0.000", "1.000", "1.000", "2.000", "2.000"),)


def test_on_the_page_an_interval_stands_below_its_value() -> None:
    html = page(table(LABELS), outcome(LABELS), {})
    assert '<td class="number">0.500\n0.250 .. 0.750</td>' in html
    assert '<td class="number">synthetic\n(micro)</td>' in html
    assert "0.500 (0.250" not in html


def test_tables_with_many_columns_are_set_in_smaller_type() -> None:
    few, many = page(table(LABELS[:1]), outcome(LABELS[:1]), {}), page(table(LABELS[:2]), outcome(LABELS[:2]), {})
    assert '<table class="dense">' not in few
    assert '<table class="dense">' in many


def test_departures_are_a_list_that_numbers_itself() -> None:
    departing = replace(outcome(LABELS), departs=("the sensor is smaller.", "the people are synthetic."))
    html = page(table(LABELS), departing, {})
    items = "\n".join(f"    <li>{sentence}</li>" for sentence in departing.departs)
    assert re.search(rf'<ol class="points">\s+{items.strip()}\s+</ol>', re.sub(r"\n\s*\n", "\n", html))


def test_the_page_claims_nothing_of_energy() -> None:
    html = page(table(LABELS), outcome(LABELS), {})
    assert "nergy" not in html.partition("<body>")[2]
    assert "Departures are numbered within this page." in html
