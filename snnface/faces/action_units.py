"""The facial action units that the papers use, by their FACS code."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from snnface.errors import ConfigError

__all__ = ["ACTION_UNITS", "COMPANIONS", "GAZE_UNITS", "VALENCE_AROUSAL", "ActionUnit", "action_unit"]


@dataclass(frozen=True, slots=True, order=True)
class ActionUnit:
    """One unit of facial movement.

    Attributes:
        code: its FACS number.
        name: its name, in lower case.
        kind: what moves: the skin of the "face", the "gaze", or the whole "head".
    """

    code: int
    name: str
    kind: Literal["face", "gaze", "head"] = "face"

    @property
    def label(self) -> str:
        """Code and name, as class lists show it.

        >>> action_unit(12).label
        'AU12 lip corner puller'
        """
        return f"AU{self.code} {self.name}"


_TABLE = (
    ActionUnit(1, "inner brow raiser"),
    ActionUnit(2, "outer brow raiser"),
    ActionUnit(4, "brow lowerer"),
    ActionUnit(5, "upper lid raiser"),
    ActionUnit(6, "cheek raiser"),
    ActionUnit(7, "lid tightener"),
    ActionUnit(9, "nose wrinkler"),
    ActionUnit(10, "upper lip raiser"),
    ActionUnit(12, "lip corner puller"),
    ActionUnit(14, "dimpler"),
    ActionUnit(15, "lip corner depressor"),
    ActionUnit(17, "chin raiser"),
    ActionUnit(20, "lip stretcher"),
    ActionUnit(23, "lip tightener"),
    ActionUnit(24, "lip pressor"),
    ActionUnit(25, "lips part"),
    ActionUnit(26, "jaw drop"),
    ActionUnit(27, "mouth stretch"),
    ActionUnit(41, "lid droop"),
    ActionUnit(43, "eyes closed"),
    ActionUnit(45, "blink"),
    ActionUnit(51, "head turn left", "head"),
    ActionUnit(52, "head turn right", "head"),
    ActionUnit(53, "head up", "head"),
    ActionUnit(54, "head down", "head"),
    ActionUnit(55, "head tilt left", "head"),
    ActionUnit(56, "head tilt right", "head"),
    ActionUnit(57, "head forward", "head"),
    ActionUnit(58, "head back", "head"),
    ActionUnit(61, "eyes turn left", "gaze"),
    ActionUnit(62, "eyes turn right", "gaze"),
    ActionUnit(63, "eyes up", "gaze"),
    ActionUnit(64, "eyes down", "gaze"),
)

ACTION_UNITS: Mapping[int, ActionUnit] = MappingProxyType({unit.code: unit for unit in _TABLE})
"""Every action unit that the project knows, by code.

Source: Ekman, Friesen and Hager 2002, "Facial Action Coding System"; the choice is the
union of the units in Mastropasqua et al. 2025, table 1, and Becattini et al. 2024, with all the
head's movements.
"""

COMPANIONS: Mapping[int, int] = MappingProxyType({1: 2, 2: 1, 4: 7, 7: 4, 6: 12, 12: 6, 25: 26, 26: 25})
"""The unit that people most often move along with one they are asked for; 45 goes with anything else."""

GAZE_UNITS: Mapping[int, tuple[float, float]] = MappingProxyType(
    {61: (25.0, 0.0), 62: (-25.0, 0.0), 63: (0.0, 18.0), 64: (0.0, -18.0)}
)
"""Gaze of each unit at full intensity: degrees to the subject's left, degrees up."""

VALENCE_AROUSAL: Mapping[int, tuple[float, float]] = MappingProxyType(
    {
        1: (-0.1, 0.2), 2: (0.0, 0.4), 4: (-0.5, 0.2), 5: (0.0, 0.5), 6: (0.4, 0.2), 7: (-0.1, 0.2),
        9: (-0.6, 0.2), 10: (-0.4, 0.1), 12: (0.8, 0.3), 14: (-0.1, 0.0), 15: (-0.5, -0.3), 17: (-0.3, -0.1),
        20: (-0.4, 0.4), 23: (-0.3, 0.3), 24: (-0.3, 0.2), 25: (0.1, 0.2), 26: (0.0, 0.4), 27: (0.0, 0.7),
        41: (0.0, -0.5), 43: (0.0, -0.6),
    }
)  # fmt: skip
"""(valence, arousal) that a unit at full intensity adds to a synthetic face; units left out add nothing.

A rule of this project, for synthetic labels only: signs follow the combinations that EMFACS
gives for the basic emotions (6+12 happy, 1+4+15 sad, 4+5+7+23 angry, 1+2+5+26 surprised,
9+15 disgusted, 1+2+4+5+7+20+26 afraid); the sizes are chosen, not measured.
"""


def action_unit(code: int) -> ActionUnit:
    """The action unit of that code.

    Raises:
        ConfigError: if it is not in the table.
    """
    if code not in ACTION_UNITS:
        known = ", ".join(map(str, ACTION_UNITS))
        raise ConfigError(f"there is no action unit {code} here; known are {known}.")
    return ACTION_UNITS[code]
