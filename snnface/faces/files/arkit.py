"""Action units of face models from files: told in JSON, or made of the blendshapes that ARKit names."""

import json
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from snnface.errors import DataError

__all__ = ["ARKIT_ACTION_UNITS", "action_units_of_json", "arkit_action_units"]

_BOTH: Mapping[int, Mapping[str, float]] = {
    1: {"browInnerUp": 1.0},
    2: {"browOuterUp": 1.0},
    4: {"browDown": 1.0},
    5: {"eyeWide": 1.0},
    6: {"cheekRaiser": 1.0, "cheekSquint": 1.0},
    7: {"eyeSquint": 1.0},
    9: {"noseSneer": 1.0},
    10: {"mouthUpperUp": 1.0},
    12: {"mouthSmile": 1.0},
    14: {"mouthDimple": 1.0},
    15: {"mouthFrown": 1.0},
    17: {"mouthShrugLower": 1.0},
    20: {"mouthStretch": 1.0},
    23: {"mouthRollLower": 0.5, "mouthRollUpper": 0.5, "mouthPucker": 0.25},
    24: {"mouthPress": 1.0},
    25: {"mouthLowerDown": 1.0, "jawOpen": 0.08},
    26: {"jawOpen": 0.4},
    27: {"jawOpen": 1.0},
    41: {"eyeBlink": 0.4},
    43: {"eyeBlink": 1.0},
    45: {"eyeBlink": 1.0},
    63: {"eyeLookUp": 1.0},
    64: {"eyeLookDown": 1.0},
}
ARKIT_ACTION_UNITS: Mapping[int, Mapping[str, float]] = MappingProxyType(
    {**_BOTH, 61: {"eyeLookOut_L": 1.0, "eyeLookIn_R": 1.0}, 62: {"eyeLookOut_R": 1.0, "eyeLookIn_L": 1.0}}
)
"""FACS code -> {blendshape without its side: weight}; gaze names the side.

Source: the table of ICT-FaceKit (USC-ICT, MIT licence), with AU 10 as mouthUpperUp; 23, 25, 26,
41 and 43 are compositions of this project.
"""

_SIDE = re.compile(r"(?P<stem>.*?)(_(?P<short>[LR])|(?P<long>Left|Right))")


def arkit_action_units(names: Sequence[str]) -> dict[int, dict[str, float]]:
    """What of `ARKIT_ACTION_UNITS` the named blendshapes can show.

    A side is "_L" / "_R" or "Left" / "Right" at the end; a unit takes both sides, or the one shape
    without a side. A unit of which a part is missing is left out; 6 needs one of its two.

    >>> arkit_action_units(["mouthSmile_L", "mouthSmile_R", "jawOpen"])[12]
    {'mouthSmile_L': 1.0, 'mouthSmile_R': 1.0}
    """
    known: dict[str, list[str]] = {}
    for name in names:
        match = _SIDE.fullmatch(name)
        known.setdefault(name if match is None else match["stem"], []).append(name)
        if match is not None:
            known[f"{match['stem']}_{match['short'] or match['long'][0]}"] = [name]
    units: dict[int, dict[str, float]] = {}
    for code, shapes in ARKIT_ACTION_UNITS.items():
        there = {shape: weight for shape, weight in shapes.items() if shape in known}
        if len(there) == len(shapes) or (code == 6 and there):
            units[code] = {name: weight for shape, weight in there.items() for name in known[shape]}
    return dict(sorted(units.items()))


def action_units_of_json(text: str) -> dict[int, dict[str, float]]:
    """Action units as files name them: {"12": {"mouthSmile_L": 1, ...}, ...}.

    Raises:
        DataError: if the text is no such JSON.
    """
    try:
        return {
            int(code): {name: float(weight) for name, weight in shapes.items()}
            for code, shapes in json.loads(text).items()
        }
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        raise DataError(f'action units should look like {{"12": {{"mouthSmile_L": 1}}}}: {error}') from error
