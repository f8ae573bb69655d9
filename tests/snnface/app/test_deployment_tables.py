"""The tables of a deployment: plain cells, in the order of the columns, and nothing where nothing is known."""

from conversion.head_room import HeadRoom
from conversion.quantisation_report import QuantisationReport, StepEffect
from conversion.spike_comparison import SpikeComparison
from snnface.app.deployment_tables import parity_table, short_parity_table, short_step_table, step_table
from snnface.app.parity_table import ParityRow


def compared(num_differing: int) -> tuple[SpikeComparison, ...]:
    return (SpikeComparison("n", 100, 99, num_differing, 1000, 3 if num_differing else None),)


def test_a_row_of_the_parity_table_stands_under_its_columns():
    rows = (
        ParityRow(tool="trained network", numbers="float64", num_clips=4, num_spikes=50, metrics={"top1": 0.75}),
        ParityRow(
            tool="fixed point",
            numbers="integers",
            against="NIR graph",
            is_exact=False,
            num_clips=4,
            num_spikes=51,
            num_differing=3,
            answer_difference=0.01,
            metrics={"top1": 0.5},
        ),
        ParityRow(tool="netx", numbers="integers", against="fixed point", not_run="no lava-dl"),
    )
    table = parity_table(rows)
    found = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert found[0] | {"note": ""} == {
        "tool": "trained network",
        "computes in": "float64",
        "must equal": "",
        "clips": 4,
        "spikes": 50,
        "differing": None,
        "states differing": None,
        "answers differ by %": None,
        "top1 %": 75.0,
        "note": "",
    }
    assert found[1]["must equal"] == "NIR graph, but for rounding"
    assert (found[1]["differing"], found[1]["answers differ by %"], found[1]["top1 %"]) == (3, 1.0, 50.0)
    assert found[2]["must equal"] == "fixed point (not run)"
    assert found[2]["note"] == "not run: no lava-dl"
    assert found[2]["spikes"] is None


def test_without_labels_there_is_no_column_of_a_metric():
    rows = (ParityRow(tool="NIR graph", numbers="float64", num_clips=1, num_spikes=2),)
    assert parity_table(rows).columns[-2:] == ("answers differ by %", "note")


def test_roundings_that_change_no_spike_have_no_column():
    report = QuantisationReport(
        num_samples=8,
        steps=(
            StepEffect(step="weights", comparisons=compared(7), metrics={"rmse": 0.2}),
            StepEffect(step="leak", comparisons=compared(0), metrics={"rmse": 0.1}),
            StepEffect(step="integers", comparisons=compared(0), metrics={"rmse": 0.3}),
        ),
        head_room=(HeadRoom("n", 2**22, 2**21, 5, 1000),),
        metrics={"rmse": 0.1},
    )
    table = step_table(report)
    assert table.columns == ("population", "spikes", "weights", "integers", "peak u %", "peak v %", "ties")
    assert table.rows == (
        ("n", 100, 7, 0, 50.0, 25.0, 5),
        ("rmse", 0.1, 0.2, 0.3, None, None, None),
    )
    assert short_step_table(report).rows == (("n", 100, 0, "weights (7)", 25.0, 5),)


def test_the_short_table_fits_a_terminal_and_says_what_was_not_run():
    rows = (
        ParityRow(tool="trained network", numbers="float64", num_clips=8, num_spikes=146_839, metrics={"top1": 0.75}),
        ParityRow(
            tool="netx",
            numbers="integers",
            against="fixed point, as noted",
            num_clips=2,
            num_spikes=9,
            num_differing=0,
            num_differing_states=0,
        ),
        ParityRow(tool="Lava", numbers="integers", against="fixed point", not_run="it is not there"),
    )
    table = short_parity_table(rows)
    assert table.columns == ("tool", "clips", "spikes", "differ", "from", "states", "top1 %")
    assert table.rows == (
        ("trained network", 8, 146_839, None, "", None, 75.0),
        ("netx", 2, 9, 0, "fixed point", 0, None),
        ("Lava", None, None, "not run", "", None, None),
    )
