"""The schema of a report, and a walk over all of its numbers."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from report_examples import bare_report, full_report, network, spikes
from torch import nn

import hardware
from hardware.counts.ann_operations import ANN_QUANTITIES, count_ann_operations
from hardware.counts.operation_counts import QUANTITIES
from hardware.counts.operations import count_operations
from hardware.energy.models import energy_estimates
from hardware.report import report_values
from hardware.report.origins import ORIGINS, OriginKind
from hardware.report.schema import object_schema, report_schema

jsonschema = pytest.importorskip("jsonschema")

DERIVED_COUNTS = {"kept_currents", "padded_synops", "padded_macs", "updates_idle", "kernel_taps"}
"""Names of counts that are sums and products of those in QUANTITIES."""


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return report_schema()


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    counted = count_operations(network(), spikes(0), {"hidden": spikes(1)})
    ann = count_ann_operations(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), torch.ones(2, 2), batch_axis=0)
    return json.loads(json.dumps(report_values(replace(full_report(), energy=energy_estimates(counted, ann)))))


def test_the_schema_is_one(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)


def test_the_file_beside_the_code_is_the_schema(schema: dict[str, Any]) -> None:
    """`python -m hardware.report.schema > hardware/report/report.schema.json` makes it."""
    path = Path(hardware.__file__).parent / "report" / "report.schema.json"
    assert json.loads(path.read_text(encoding="utf-8")) == schema


def test_reports_keep_to_the_schema(schema: dict[str, Any], values: dict[str, Any]) -> None:
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(values)
    validator.validate(json.loads(json.dumps(report_values(bare_report()))))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("energy", 0, "saving_percent"), 99.0),
        (("operations", "layers", 0, "joules"), 1.0),
        (("better_than_gpu",), 1000),
        (("energy", 0, "central_j"), "little"),
        (("energy_is_estimated_not_measured",), False),
    ],
)
def test_a_number_that_nobody_declared_is_refused(
    schema: dict[str, Any], values: dict[str, Any], path: tuple, value: object
) -> None:
    broken = json.loads(json.dumps(values))
    place = broken
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate(broken)


def numbers(form: dict[str, Any], value: Any, schema: dict[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    """Every number in `value`, with the origin that the schema gives it."""
    if "$ref" in form:
        yield from numbers(schema["$defs"][form["$ref"].rpartition("/")[2]], value, schema, path)
    elif "anyOf" in form:
        validator = jsonschema.Draft202012Validator
        fitting = (f for f in form["anyOf"] if validator({**f, "$defs": schema["$defs"]}).is_valid(value))
        yield from numbers(next(fitting), value, schema, path)
    elif isinstance(value, dict):
        for key, entry in value.items():
            inner = form.get("properties", {}).get(key, form.get("additionalProperties"))
            yield from numbers(inner, entry, schema, f"{path}.{key}")
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            inner = form["prefixItems"][index] if "prefixItems" in form else form["items"]
            yield from numbers(inner, entry, schema, f"{path}[{index}]")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, form.get("x-origin")


def test_every_number_of_a_report_has_an_origin(schema: dict[str, Any], values: dict[str, Any]) -> None:
    found = dict(numbers(schema, values, schema, "report"))
    assert len(found) > 300
    assert [path for path, origin in found.items() if not origin or not origin["source"]] == []
    kinds = {path: origin["kind"] for path, origin in found.items()}
    assert kinds["report.energy[0].central_j"] == "estimated"
    assert kinds["report.energy[0].constants.addition"] == "constant"
    assert kinds["report.operations.totals.synops.mean"] == "counted"
    assert {kind for kind, _ in ORIGINS.values()} <= set(OriginKind.__args__)


def test_every_energy_figure_names_its_source_and_its_counts(values: dict[str, Any]) -> None:
    assert len(values["energy"]) > 8
    known = {*QUANTITIES, *ANN_QUANTITIES, *DERIVED_COUNTS}
    for estimate in values["energy"]:
        assert all(estimate[name] for name in ("source", "grade", "scope", "node", "constants"))
        assert "measured" in estimate["grade"] or "silicon" in estimate["grade"] or "assumed" in estimate["grade"]
        assert math.fsum(estimate["parts"].values()) == pytest.approx(estimate["central_j"])
        for part, joules in estimate["parts"].items():
            assert estimate["counted"][part].keys() <= known
            assert joules == 0 or sum(estimate["counted"][part].values()) > 0


def test_the_counts_behind_an_estimate_are_the_totals_of_the_report(values: dict[str, Any]) -> None:
    totals = values["operations"]["totals"]
    compute = next(e for e in values["energy"] if e["model"].startswith("M0") and e["workload"] == "SNN")
    assert compute["counted"]["synaptic additions"]["synops"] == pytest.approx(totals["synops"]["mean"])
    assert compute["counted"]["neuron updates"]["updates_dense"] == pytest.approx(totals["updates_dense"]["mean"])


def test_a_new_number_without_an_origin_stops_the_schema() -> None:
    @dataclass
    class Unexplained:
        share: float

    with pytest.raises(
        LookupError, match=r"the number Unexplained\.share has no origin; say in hardware\.report\.origins"
    ):
        object_schema(Unexplained, {})
