"""The JSON schema of a report's values, made from the classes that hold them.

`python -m hardware.report.schema` prints it; `report.schema.json` beside this file is its output.
Every number has an "x-origin": what kind it is and where it comes from (`hardware.report.origins`).
"""

import dataclasses
import json
import sys
import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hardware.energy.models import EnergyRange
from hardware.energy.ratio import EnergyRatio
from hardware.report.origins import origin_of
from hardware.report.report import Report

__all__ = ["object_schema", "report_schema"]

_DERIVED = ("ranges", "ratios", "energy_is_estimated_not_measured")


def report_schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12. No object may hold a key that is not in it.

    Raises:
        TypeError: if a field has a type without a form in JSON.
        LookupError: if a field with a number has no origin; names it.
    """
    definitions: dict[str, Any] = {}
    values = object_schema(Report, definitions)
    values["properties"] |= {
        "ranges": {"type": "array", "items": _form(EnergyRange, "", "", definitions)},
        "ratios": {"type": "array", "items": _with_sentence(EnergyRatio, definitions)},
        "energy_is_estimated_not_measured": {"const": True},
    }
    required = [field.name for field in dataclasses.fields(Report) if field.default is dataclasses.MISSING]
    plain = [name for name in required if name in ("title", "data", "is_synthetic")]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A report of snnface",
        **values,
        "required": [*plain, *_DERIVED],
        "$defs": dict(sorted(definitions.items())),
    }


def _with_sentence(kind: type, definitions: dict[str, Any]) -> dict[str, Any]:
    form = object_schema(kind, definitions)
    form["properties"]["sentence"] = {"type": "string"}
    return {**form, "required": [*form["required"], "sentence"]}


def object_schema(kind: type, definitions: dict[str, Any]) -> dict[str, Any]:
    """Of one class; the classes inside go into `definitions`."""
    hints = get_type_hints(kind)
    fields = {field.name: hints[field.name] for field in dataclasses.fields(kind) if hints[field.name] is not bytes}
    properties = {name: _form(hint, kind.__name__, name, definitions) for name, hint in fields.items()}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _form(hint: Any, owner: str, field: str, definitions: dict[str, Any]) -> dict[str, Any]:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if hint.__name__ not in definitions:
            definitions[hint.__name__] = {}
            definitions[hint.__name__] = object_schema(hint, definitions)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return {"anyOf": [_form(each, owner, field, definitions) for each in arguments]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple and arguments[-1] is Ellipsis:
        return {"type": "array", "items": _form(arguments[0], owner, field, definitions)}
    if origin is tuple:
        items = [_form(each, owner, field, definitions) for each in arguments]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": _form(arguments[1], owner, field, definitions)}
    return _plain_form(hint, owner, field)


def _plain_form(hint: Any, owner: str, field: str) -> dict[str, Any]:
    if hint in (str, bool, type(None)):
        return {"type": {str: "string", bool: "boolean", type(None): "null"}[hint]}
    if hint not in (int, float):
        raise TypeError(f"{owner}.{field} is a {hint}, which has no form in a report.")
    origin = origin_of(owner, field)
    if origin is None:
        raise LookupError(
            f"the number {owner}.{field} has no origin; say in hardware.report.origins where it comes from."
        )
    kind, source = origin
    # Numbers that are not finite are null.
    types_of = "integer" if hint is int else ["number", "null"]
    return {"type": types_of, "x-origin": {"kind": kind, "source": source}}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(report_schema(), indent=2) + "\n")
