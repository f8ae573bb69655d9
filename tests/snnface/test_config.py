from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnface.config import from_json, to_json
from snnface.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Left:
    size: int = 3


@dataclass(frozen=True, kw_only=True)
class Right:
    rate: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Outer:
    name: str
    part: Left | Right = field(default_factory=Left)
    widths: tuple[int, ...] = (1, 2)
    pair: tuple[float, float] | None = None
    mode: Literal["fast", "slow"] = "fast"
    choice: Literal["mean", "last"] | Left = "mean"
    parts: Mapping[str, Right] = field(default_factory=dict)


@given(
    st.builds(
        Outer,
        name=st.text(max_size=8),
        part=st.one_of(st.builds(Left, size=st.integers()), st.builds(Right, rate=st.floats(allow_nan=False))),
        widths=st.lists(st.integers(), max_size=4).map(tuple),
        pair=st.none() | st.tuples(st.floats(0, 1), st.floats(0, 1)),
        mode=st.sampled_from(["fast", "slow"]),
        choice=st.sampled_from(["mean", "last"]) | st.builds(Left, size=st.integers()),
        parts=st.dictionaries(st.text(max_size=3), st.builds(Right, rate=st.floats(0, 1)), max_size=2),
    )
)
def test_write_then_read_is_the_identity(config: Outer) -> None:
    assert from_json(Outer, to_json(config)) == config


def test_an_unknown_key_lists_its_nearest_neighbours() -> None:
    with pytest.raises(ConfigError, match=r"unknown key of Outer 'widhts'. Did you mean 'widths'"):
        from_json(Outer, '{"name": "a", "widhts": [1]}')


def test_a_missing_key_is_named() -> None:
    with pytest.raises(ConfigError, match="Outer lacks name"):
        from_json(Outer, "{}")


def test_a_wrong_type_is_named_with_its_path() -> None:
    with pytest.raises(ConfigError, match=r"Outer.part.size must be int; got '3'"):
        from_json(Outer, '{"name": "a", "part": {"type": "Left", "size": "3"}}')


def test_true_is_not_a_number() -> None:
    with pytest.raises(ConfigError, match=r"Outer.widths\[0\] must be int; got True"):
        from_json(Outer, '{"name": "a", "widths": [true]}')


def test_an_unknown_member_of_a_union_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"unknown type of Outer.part 'Middle'"):
        from_json(Outer, '{"name": "a", "part": {"type": "Middle"}}')


def test_an_unknown_choice_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"unknown value of Outer.mode 'fat'. Did you mean 'fast'"):
        from_json(Outer, '{"name": "a", "mode": "fat"}')


def test_text_that_is_not_json_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot be parsed"):
        from_json(Outer, "name: a")


def test_a_whole_number_is_a_float_too() -> None:
    part = from_json(Outer, '{"name": "a", "part": {"type": "Right", "rate": 2}}').part
    assert part == Right(rate=2.0)
    assert replace(Outer(name="a"), part=part).part == part


def test_a_name_or_a_config_may_stand_for_one_field() -> None:
    assert from_json(Outer, '{"name": "a", "choice": "last"}').choice == "last"
    assert from_json(Outer, '{"name": "a", "choice": {"type": "Left", "size": 2}}').choice == Left(size=2)
    with pytest.raises(ConfigError, match="choice accepts"):
        from_json(Outer, '{"name": "a", "choice": "middle"}')
    with pytest.raises(ConfigError, match=r"unknown type of Outer\.choice 'Right'"):
        from_json(Outer, '{"name": "a", "choice": {"type": "Right"}}')
