"""Action units as FACS coders write them: "L4+R12", "12B", "4+7c"."""

import re
from dataclasses import dataclass
from typing import Literal

from snnface.errors import DataError

__all__ = ["ActionUnitCode", "Side", "action_unit_codes", "intensity_of_letter"]

Side = Literal["both", "left", "right", "unilateral", "top", "bottom"]

SIDES: dict[str, Side] = {
    "": "both",
    # An asymmetric action is on both sides, one stronger.
    "A": "both",
    "L": "left",
    "R": "right",
    "U": "unilateral",
    "T": "top",
    "B": "bottom",
}
LETTERS = "ABCDE"
# "M" stands before head and eye movements that come with another action; it is no side.
CODE = re.compile(r"(?:AU)?(?P<side>[LRUTBA]?)M?(?P<number>[0-9]{1,2})(?P<intensity>[A-E]?)(?P<doubt>\??)")
SEPARATORS = re.compile(r"[+,;/&\s]+")
# What stands where nothing was coded.
NOTHING = {"", "-", "/", "?", "0", "NONE", "NEUTRAL", "N/A"}
MAX_LENGTH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionUnitCode:
    """One coded action.

    Attributes:
        number: of the action unit.
        side: of the subject's face; "top" and "bottom" are lips (22, 23, 24, 28).
        intensity: 1 (A, trace) to 5 (E, maximum); None where it was not graded.
        is_certain: False where the coder put a question mark.
    """

    number: int
    side: Side = "both"
    intensity: int | None = None
    is_certain: bool = True


def action_unit_codes(text: str, *, source: str = "a table of action units") -> tuple[ActionUnitCode, ...]:
    """The actions of one cell, in the order in which they stand; none if nothing was coded.

    Codes are joined by "+", commas, slashes or blanks. Before the number stand "AU" and the
    side, after it the intensity and a question mark, each or none, in upper or lower case.

    >>> [(code.side, code.number, code.intensity) for code in action_unit_codes("L4+R12b")]
    [('left', 4, None), ('right', 12, 2)]

    Args:
        source: file and line, for the message.

    Source: Ekman, Friesen, Hager 2002, FACS Manual, ch. 10 (scoring).

    Raises:
        DataError: if a part is no code.
    """
    plain = text.strip().upper()
    if plain in NOTHING:
        return ()
    if len(plain) > MAX_LENGTH:
        raise DataError(f"{source}: action units should take {MAX_LENGTH} characters at most; {len(plain)} came.")
    # "AU 4" and "12 B?" are one code each.
    plain = re.sub(r"AU\s+(?=[0-9LRUTBA])", "AU", plain)
    return tuple(_code(part, text, source) for part in SEPARATORS.split(plain) if part)


def intensity_of_letter(letter: str) -> int:
    """A to E -> 1 to 5.

    Raises:
        DataError: if it is another letter.
    """
    if len(letter) != 1 or letter.upper() not in LETTERS:
        raise DataError(f"an intensity should be a letter from A to E; got {letter!r}.")
    return LETTERS.index(letter.upper()) + 1


def _code(part: str, text: str, source: str) -> ActionUnitCode:
    match = CODE.fullmatch(part)
    if match is None or int(match["number"]) == 0:
        raise DataError(
            f'{source}: {part!r} in {text!r} is no action unit; codes look like "L4+R12", "12B" or "4+7c". '
            "Mend the cell."
        )
    return ActionUnitCode(
        number=int(match["number"]),
        side=SIDES[match["side"]],
        intensity=intensity_of_letter(match["intensity"]) if match["intensity"] else None,
        is_certain=not match["doubt"],
    )
