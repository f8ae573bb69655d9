"""Frozen dataclass <-> JSON, strictly: an unknown key or a wrong type is an error.

A field may be a plain value, a tuple, a mapping from names, another config, or a union of
configs and plain values; every config is written with its class name under `"type"`.
"""

import dataclasses
import json
import types
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from snnface.errors import ConfigError, unknown_name

__all__ = ["from_json", "to_json"]

C = TypeVar("C")


def to_json(config: Any) -> str:
    """The config as indented JSON, keys in field order."""
    return json.dumps(_plain(config), indent=2) + "\n"


def from_json(kind: type[C], text: str) -> C:
    """Rebuild a config of type `kind`.

    Raises:
        ConfigError: if the text is not JSON, a key is unknown or missing, a value has
            the wrong type, or the config refuses it; the message names the key.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"a {kind.__name__} was expected as JSON; the text cannot be parsed: {error}.") from error
    return _build(kind, data, kind.__name__)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"type": type(value).__name__, **fields}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return value


def _build(kind: Any, data: Any, path: str) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _build_union(get_args(kind), data, path)
    if origin is Literal:
        if data not in get_args(kind):
            raise unknown_name(f"value of {path}", str(data), map(str, get_args(kind)))
        return data
    if origin is tuple:
        items = get_args(kind)
        if not isinstance(data, list):
            raise ConfigError(f"{path} must be a list; got {data!r}.")
        kinds = [items[0]] * len(data) if items[-1] is Ellipsis else list(items)
        if len(kinds) != len(data):
            raise ConfigError(f"{path} must have {len(kinds)} entries; got {len(data)}.")
        return tuple(_build(k, item, f"{path}[{i}]") for i, (k, item) in enumerate(zip(kinds, data, strict=True)))
    if origin in (dict, Mapping):
        if not isinstance(data, dict):
            raise ConfigError(f"{path} must be an object; got {data!r}.")
        return {key: _build(get_args(kind)[1], item, f"{path}.{key}") for key, item in data.items()}
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(kind, data, path)
    return _build_plain(kind, data, path)


def _build_union(kinds: tuple[Any, ...], data: Any, path: str) -> Any:
    if data is None and type(None) in kinds:
        return None
    configs = {kind.__name__: kind for kind in kinds if isinstance(kind, type) and dataclasses.is_dataclass(kind)}
    # A union of configs and plain values: only an object can be a config.
    if configs and (isinstance(data, dict) or len(configs) == len(kinds)):
        name = data.get("type") if isinstance(data, dict) else None
        if name not in configs:
            raise unknown_name(f"type of {path}", str(name), configs)
        return _build(configs[name], data, path)
    for kind in kinds:
        if kind in configs.values():
            continue
        try:
            return _build(kind, data, path)
        except ConfigError:
            continue
    raise ConfigError(f"{path} accepts {' or '.join(str(kind) for kind in kinds)}; got {data!r}.")


def _build_dataclass(kind: Any, data: Any, path: str) -> Any:
    if not isinstance(data, dict):
        raise ConfigError(f"{path} must be an object with the fields of {kind.__name__}; got {data!r}.")
    if data.get("type", kind.__name__) != kind.__name__:
        raise ConfigError(f"{path} must be a {kind.__name__}; got a {data['type']}.")
    hints = get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for key in data:
        if key not in fields and key != "type":
            raise unknown_name(f"key of {path}", key, fields)
    required = {
        name
        for name, field in fields.items()
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }
    if missing := sorted(required - data.keys()):
        raise ConfigError(f"{path} lacks {', '.join(missing)}.")
    values = {name: _build(hints[name], data[name], f"{path}.{name}") for name in fields if name in data}
    return kind(**values)


def _build_plain(kind: Any, data: Any, path: str) -> Any:
    if kind is float and isinstance(data, int) and not isinstance(data, bool) and abs(data) < 10**300:
        return float(data)
    if not isinstance(data, kind) or (isinstance(data, bool) and kind is not bool):
        raise ConfigError(f"{path} must be {kind.__name__}; got {data!r}.")
    return data
