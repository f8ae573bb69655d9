"""Findings, grids, Markdown and the page of a table whose numbers were made up by hand."""

from dataclasses import replace

import plotly.graph_objects as go
import pytest

from snnface.app.reproduction.findings import findings
from snnface.app.reproduction.grids import grids, narrow_grid, numbered_departures, run_grid
from snnface.app.reproduction.markdown import markdown
from snnface.app.reproduction.outcome import Circumstances, RowOutcome, TableOutcome
from snnface.app.reproduction.page import page, warning_of
from snnface.app.reproduction.record import RunRecord
from snnface.app.reproduction.table import Claim, Column, Part, Row, Table
from snnface.config import from_json, to_json
from snnface.tasks.scoring import Measure

ACCURACY = Column(metric="top1", heading="Accuracy", factor=100, decimals=1, unit="%")
ERROR = Column(metric="rmse", heading="RMSE", better="lower")
ROWS = (
    Row(label="SNN", published={"top1": 51.23}),
    Row(label="CNN", published={"top1": 44.89}),
    Row(label="Others 2019", published={"top1": 60.0}),
)
TABLE = Table(
    name="paper/table1",
    title="A table",
    source="Somebody 2025, table 1",
    data="a set that nobody has",
    parts=(Part(title="Both", columns=(ACCURACY, ERROR), rows=ROWS),),
    claims=(
        Claim(says="spikes classify better", better="SNN", worse="CNN", metric="top1"),
        Claim(says="spikes measure better", better="SNN", worse="CNN", metric="rmse"),
    ),
    departs=("all rows differ.",),
)
CONSTANT = {"constant": {"top1": Measure(0.125, (0.125, 0.125)), "rmse": Measure(0.2, (0.1, 0.3))}}


def measured(top1: float, low: float, high: float, rmse: float) -> dict[str, Measure]:
    return {"top1": Measure(top1, (low, high)), "rmse": Measure(rmse, (rmse - 0.02, rmse + 0.02))}


RECORD = RunRecord(
    recipe="snn",
    data="recorded faces (micro)",
    is_synthetic=True,
    selection="validation",
    num_folds=3,
    folds=(0,),
    num_clips=32,
    num_subjects=4,
    num_parameters=4_311_748,
    num_epochs=2,
    device="cpu",
    precision="32-true",
    seconds=12.4,
    peak_bytes=731_987_968,
)
OUTCOME = TableOutcome(
    name=TABLE.name,
    title=TABLE.title,
    source=TABLE.source,
    published_data=TABLE.data,
    is_synthetic=True,
    is_quick=True,
    rows=(
        RowOutcome(
            label="SNN",
            published={"top1": 51.23},
            ours=measured(0.625, 0.5, 0.75, 0.21),
            trivial=CONSTANT,
            run="snn-1",
            data="recorded faces (micro)",
            departs=("one fold was run.", "few epochs."),
        ),
        RowOutcome(
            label="CNN",
            published={"top1": 44.89},
            ours=measured(0.25, 0.1, 0.4, 0.15),
            trivial=CONSTANT,
            run="cnn-1",
            data="recorded faces (micro)",
            departs=("few epochs.", "a smaller net | with <b>bars</b>."),
        ),
        RowOutcome(label="Others 2019", published={"top1": 60.0}),
    ),
    departs=TABLE.departs,
    findings=(),
    runs={"snn-1": RECORD},
    made=Circumstances(
        command="snnface reproduce paper/table1",
        date="2026-01-01",
        machine="a machine",
        versions={"torch": "2"},
        seed=0,
    ),
)


def test_a_claim_that_holds_and_one_that_does_not_are_told_apart() -> None:
    holds, fails = findings(TABLE, OUTCOME)[:2]
    assert holds == (
        "The paper: spikes classify better. So here too: Accuracy 62.5 against 25.0; the intervals are apart."
    )
    assert fails == (
        "The paper: spikes measure better. The other way round here: RMSE 0.210 against 0.150; the intervals are apart."
    )


def test_overlapping_intervals_settle_nothing() -> None:
    wide = replace(OUTCOME.rows[0], ours=measured(0.625, 0.3, 0.9, 0.21))
    told = findings(TABLE, replace(OUTCOME, rows=(wide, *OUTCOME.rows[1:])))
    assert told[0].endswith("Accuracy 62.5 against 25.0; the intervals overlap, so this is not settled.")


def test_every_network_is_set_against_the_best_trivial_predictor() -> None:
    assert findings(TABLE, OUTCOME)[2:] == (
        "SNN: Accuracy 62.5 is better, outside the intervals, than the best trivial predictor (constant, 12.5).",
        "CNN: Accuracy 25.0 is better, within the intervals, than the best trivial predictor (constant, 12.5).",
    )


def test_a_number_of_the_same_name_in_a_further_part_says_which_part_is_meant() -> None:
    told_more = Part(title="Shown the answer", columns=(replace(ERROR, heading=ACCURACY.heading),), rows=ROWS[:1])
    errors = Part(title="Errors", columns=(ERROR,), rows=ROWS[:1])
    told = findings(replace(TABLE, parts=(*TABLE.parts, told_more, errors)), OUTCOME)
    assert told[:-2] == findings(TABLE, OUTCOME)
    assert told[-2].startswith("Shown the answer. SNN: Accuracy 0.210 is NOT better than")
    assert told[-1].startswith("SNN: RMSE 0.210 is NOT better than")


def paired(**intervals: tuple[float, float]) -> TableOutcome:
    """The SNN's accuracy beside the constant's and the CNN's on the same people."""
    row = replace(OUTCOME.rows[0], pairs={name: {"top1": interval} for name, interval in intervals.items()})
    return replace(OUTCOME, rows=(replace(row, ours=measured(0.625, 0.1, 0.9, 0.21)), *OUTCOME.rows[1:]))


def test_pairs_settle_what_overlapping_intervals_do_not() -> None:
    told = findings(TABLE, paired(CNN=(0.25, 0.5), constant=(0.375, 0.625)))
    assert told[0] == (
        "The paper: spikes classify better. So here too: Accuracy 62.5 against 25.0; difference over the same people "
        "37.5 (25.0 .. 50.0)."
    )
    assert told[2] == (
        "SNN: Accuracy 62.5 is better, outside the intervals, than the best trivial predictor (constant, 12.5); "
        "difference over the same people 50.0 (37.5 .. 62.5)."
    )
    # The other claim is of a metric without a pair.
    assert told[1].endswith("; the intervals are apart.")


def test_a_difference_that_may_be_nothing_is_not_settled() -> None:
    told = findings(TABLE, paired(CNN=(-0.25, 0.5), constant=(0.0, 0.625)))
    assert told[0].endswith("difference over the same people 37.5 (-25.0 .. 50.0), so this is not settled.")
    assert "is better, within the intervals, than" in told[2]


def test_of_one_person_nothing_is_settled() -> None:
    def alone(row: RowOutcome) -> RowOutcome:
        return replace(row, ours={name: Measure(measure.value) for name, measure in row.ours.items()})

    told = findings(TABLE, replace(OUTCOME, rows=tuple(map(alone, OUTCOME.rows))))
    assert told[0].endswith("Accuracy 62.5 against 25.0; there are no intervals, so this is not settled.")
    assert told[2] == (
        "SNN: Accuracy 62.5 is better, without an interval, than the best trivial predictor (constant, 12.5)."
    )
    # What is known exactly needs none.
    size = Column(metric="parameters", heading="Parameters", better="lower", decimals=0)
    part = Part(title="Size", columns=(size,), rows=ROWS)
    claim = Claim(says="spikes are small", better="SNN", worse="CNN", metric="parameters")
    rows = [
        replace(row, ours={"parameters": Measure(float(count))})
        for row, count in zip(OUTCOME.rows, (7, 9), strict=False)
    ]
    sizes = findings(replace(TABLE, parts=(part,), claims=(claim,)), replace(OUTCOME, rows=tuple(rows)))
    assert sizes == ("The paper: spikes are small. So here too: Parameters 7 against 9; the intervals are apart.",)


def test_what_a_network_is_never_shown_is_no_measure_of_it() -> None:
    told_more = {**CONSTANT, "reference": {"top1": Measure(0.9, (0.8, 1.0))}}
    seeing = replace(OUTCOME.rows[0], trivial=told_more)
    blind = replace(seeing, unseen=("reference",))
    assert findings(TABLE, replace(OUTCOME, rows=(seeing, *OUTCOME.rows[1:])))[2] == (
        "SNN: Accuracy 62.5 is NOT better than the best trivial predictor (reference, 90.0)."
    )
    assert findings(TABLE, replace(OUTCOME, rows=(blind, *OUTCOME.rows[1:])))[2] == (
        "SNN: Accuracy 62.5 is better, outside the intervals, than the best trivial predictor (constant, 12.5). It is "
        "never shown the reference picture, which alone has 90.0 and is no measure of it."
    )


def test_a_network_that_loses_to_a_constant_is_called_out() -> None:
    lost = replace(OUTCOME.rows[0], ours=measured(0.1, 0.0, 0.2, 0.21))
    told = findings(TABLE, replace(OUTCOME, rows=(lost, *OUTCOME.rows[1:])))
    assert told[2] == "SNN: Accuracy 10.0 is NOT better than the best trivial predictor (constant, 12.5)."


def test_what_a_rule_gives_on_the_truth_is_no_trivial_predictor() -> None:
    row = OUTCOME.rows[0]
    ideal = replace(row, trivial={**row.trivial, "truth": {"top1": Measure(0.99, (0.98, 1.0))}})
    told = findings(TABLE, replace(OUTCOME, rows=(ideal, *OUTCOME.rows[1:])))
    assert told == findings(TABLE, OUTCOME)


def test_claims_of_rows_that_were_not_run_say_nothing() -> None:
    quoted = replace(OUTCOME.rows[0], ours={}, trivial={}, run="")
    assert len(findings(TABLE, replace(OUTCOME, rows=(quoted, *OUTCOME.rows[1:])))) == 1


def test_each_departure_has_one_number_and_those_of_the_table_come_first() -> None:
    assert numbered_departures(OUTCOME) == {
        "all rows differ.": 1,
        "one fold was run.": 2,
        "few epochs.": 3,
        "a smaller net | with <b>bars</b>.": 4,
    }


def test_a_row_has_the_published_number_ours_and_where_it_departs() -> None:
    (grid,) = grids(TABLE, OUTCOME)
    assert [heading for heading, _ in grid.columns] == [
        "model",
        "Accuracy % ↑, published",
        "here (95 %)",
        "RMSE ↓, published",
        "here (95 %)",
        "data here",
        "departures",
    ]
    assert grid.rows == (
        ("SNN", "51.2", "62.5 (50.0 .. 75.0)", "–", "0.210 (0.190 .. 0.230)", "recorded faces (micro)", "1-3"),
        ("CNN", "44.9", "25.0 (10.0 .. 40.0)", "–", "0.150 (0.130 .. 0.170)", "recorded faces (micro)", "1, 3-4"),
        ("Others 2019", "60.0", "–", "–", "–", "–", "quoted"),
        ("constant answer", "", "12.5 (12.5 .. 12.5)", "", "0.200 (0.100 .. 0.300)", "", ""),
    )


def test_a_predictor_that_answers_other_clips_has_a_row_of_its_own() -> None:
    other = replace(OUTCOME.rows[1], trivial={"constant": {"top1": Measure(0.25)}})
    (grid,) = grids(TABLE, replace(OUTCOME, rows=(OUTCOME.rows[0], other, OUTCOME.rows[2])))
    assert [row[0] for row in grid.rows[3:]] == ["constant answer", "constant answer, on the clips of CNN"]


def test_a_predictor_that_differs_behind_the_last_digit_stands_once() -> None:
    near = OUTCOME.rows[0].trivial["constant"]["top1"].value + 1e-6
    other = replace(OUTCOME.rows[1], trivial={"constant": {"top1": Measure(near), "rmse": Measure(0.2)}})
    (grid,) = grids(TABLE, replace(OUTCOME, rows=(OUTCOME.rows[0], other, OUTCOME.rows[2])))
    assert [row[0] for row in grid.rows[3:]] == ["constant answer"]


def test_a_predictor_that_differs_elsewhere_only_stands_once() -> None:
    more = {"constant": {**CONSTANT["constant"], "ssim": Measure(0.5)}}
    other = replace(OUTCOME.rows[1], trivial=more)
    (grid,) = grids(TABLE, replace(OUTCOME, rows=(OUTCOME.rows[0], other, OUTCOME.rows[2])))
    assert [row[0] for row in grid.rows[3:]] == ["constant answer"]


def test_many_metrics_stand_below_each_other() -> None:
    columns = tuple(replace(ERROR, metric=name, heading=name) for name in ("a", "b", "c", "top1", "rmse"))
    own = Row(label="CNN")
    table = replace(TABLE, parts=(Part(title="Both", columns=columns, rows=(ROWS[0], own)),), claims=())
    (grid,) = grids(table, OUTCOME)
    headings = ["metric", "SNN, published", "here (95 %)", "CNN, here (95 %)", "constant answer"]
    assert [heading for heading, _ in grid.columns] == headings
    assert [row[0] for row in grid.rows] == ["a ↓", "b ↓", "c ↓", "top1 ↓", "rmse ↓", "data here", "departures"]
    assert grid.rows[4][1:] == ("–", "0.210 (0.190 .. 0.230)", "0.150 (0.130 .. 0.170)", "0.200 (0.100 .. 0.300)")
    assert grid.rows[6][1:] == ("", "1-3", "1, 3-4", "")


def test_a_part_that_no_paper_has_shows_ours_alone() -> None:
    table = replace(TABLE, parts=(Part(title="Costs", columns=(ERROR,), rows=(Row(label="SNN"),)),), claims=())
    (grid,) = grids(table, OUTCOME)
    assert grid.caption == "Costs"
    assert [heading for heading, _ in grid.columns] == ["model", "RMSE ↓ (95 %)", "data here", "departures"]
    assert grid.rows[0] == ("SNN", "0.210 (0.190 .. 0.230)", "recorded faces (micro)", "1-3")


def test_a_terminal_gets_a_line_for_each_number() -> None:
    assert narrow_grid(TABLE, OUTCOME).rows == (
        ("SNN", "Accuracy % ↑", "51.2", "62.5 (50.0 .. 75.0)"),
        ("", "RMSE ↓", "–", "0.210 (0.190 .. 0.230)"),
        ("CNN", "Accuracy % ↑", "44.9", "25.0 (10.0 .. 40.0)"),
        ("", "RMSE ↓", "–", "0.150 (0.130 .. 0.170)"),
        ("Others 2019", "Accuracy % ↑", "60.0", "–"),
    )


def test_a_run_says_what_it_took() -> None:
    (row,) = run_grid(OUTCOME).rows
    assert row == (
        *("snn-1", "recorded faces (micro)", "32", "4", "1 of 3", "2", "4,311,748", "cpu", "12 s", "732\u202fMB"),
    )


def test_markdown_has_every_number_and_keeps_the_marks_of_text_from_outside() -> None:
    text = markdown(TABLE, replace(OUTCOME, findings=findings(TABLE, OUTCOME)))
    assert text.startswith("# paper/table1: A table\n")
    assert "| SNN | 51.2 | 62.5 (50.0 .. 75.0) |" in text
    assert "4. a smaller net \\| with \\<b>bars\\</b>." in text
    assert "- The paper: spikes classify better. So here too" in text
    assert "`snnface reproduce paper/table1`, 2026-01-01, seed 0, a machine; torch 2." in text


def test_synthetic_numbers_are_never_passed_off_as_the_papers() -> None:
    for text in (markdown(TABLE, OUTCOME), page(TABLE, OUTCOME, {})):
        assert "of synthetic people, made by a program. They are no reproduction of the published" in text
    assert warning_of(replace(OUTCOME, is_synthetic=False, is_quick=False)) == ""


def test_the_page_shows_figures_and_escapes_text_from_outside() -> None:
    figure = go.Figure(go.Scatter(x=[1], y=[2])).update_layout(height=300)
    html = page(TABLE, OUTCOME, {"SNN: confusion.": figure})
    assert "SNN: confusion." in html
    assert "plot-figure-0" in html
    assert "a smaller net | with &lt;b&gt;bars&lt;/b&gt;." in html
    assert "<b>bars</b>" not in html


def test_a_page_without_figures_carries_no_plotly() -> None:
    assert len(page(TABLE, OUTCOME, {})) < 100_000


def test_an_outcome_survives_its_json() -> None:
    assert from_json(TableOutcome, to_json(OUTCOME)) == OUTCOME


@pytest.mark.parametrize(("value", "text"), [(0.5123, "51.2"), (1.0, "100.0")])
def test_a_metric_is_printed_in_the_tables_units(value: float, text: str) -> None:
    assert ACCURACY.text(value) == text
