"""Action units as coders write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnface.datasets.layout.au_codes import ActionUnitCode, action_unit_codes, intensity_of_letter
from snnface.errors import DataError


def code(number: int, side: str = "both", intensity: int | None = None, is_certain: bool = True) -> ActionUnitCode:
    return ActionUnitCode(number=number, side=side, intensity=intensity, is_certain=is_certain)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("L4+R12", [code(4, "left"), code(12, "right")]),
        ("12B", [code(12, intensity=2)]),
        ("4+7c", [code(4), code(7, intensity=3)]),
        ("1", [code(1)]),
        ("au1, AU 2", [code(1), code(2)]),
        ("L12A + 25e", [code(12, "left", 1), code(25, intensity=5)]),
        ("T23+B23", [code(23, "top"), code(23, "bottom")]),
        ("A14", [code(14)]),
        ("u10/12", [code(10, "unilateral"), code(12)]),
        ("5?+M59", [code(5, is_certain=False), code(59)]),
        (" 4 + 7 ", [code(4), code(7)]),
        ("", []),
        ("?", []),
        ("/", []),
        ("none", []),
    ],
)
def test_codes_are_sides_numbers_and_intensities(text: str, expected: list[ActionUnitCode]) -> None:
    assert list(action_unit_codes(text)) == expected


@pytest.mark.parametrize("text", ["12F", "smile", "4+", "123", "L", "R12R", "4-7", "12BB", "-4", "0A", "٤"])
def test_anything_else_is_refused_or_read_without_the_stray_part(text: str) -> None:
    if text == "4+":
        assert [found.number for found in action_unit_codes(text)] == [4]
        return
    with pytest.raises(DataError, match=r"table\.xlsx, row 3: .* is no action unit.*Mend the cell"):
        action_unit_codes(text, source="table.xlsx, row 3")


def test_a_cell_of_a_thousand_codes_is_refused() -> None:
    with pytest.raises(DataError, match="should take 200 characters at most; 1999 came"):
        action_unit_codes("+".join(["4"] * 1000))


def test_letters_are_one_to_five() -> None:
    assert [intensity_of_letter(letter) for letter in "ABCDEe"] == [1, 2, 3, 4, 5, 5]
    for wrong in ("F", "", "AB"):
        with pytest.raises(DataError, match="a letter from A to E"):
            intensity_of_letter(wrong)


@given(
    st.lists(
        st.tuples(st.sampled_from(["", "L", "R"]), st.integers(1, 99), st.sampled_from(["", *"ABCDE"])),
        min_size=1,
        max_size=8,
    )
)
def test_what_is_written_is_read(parts: list[tuple[str, int, str]]) -> None:
    found = action_unit_codes("+".join(f"{side}{number}{letter}" for side, number, letter in parts))
    sides = {"": "both", "L": "left", "R": "right"}
    assert [(sides[side], number, " ABCDE".find(letter or "-")) for side, number, letter in parts] == [
        (each.side, each.number, each.intensity or -1) for each in found
    ]
