"""The table of action units."""

import pytest

from snnface.errors import ConfigError
from snnface.faces.action_units import ACTION_UNITS, COMPANIONS, VALENCE_AROUSAL, action_unit

MICRO_EXPRESSION_UNITS = (2, 4, 5, 6, 9, 12, 15, 17, 23, 26, 41, 43, 45, 51, 52, 53, 54, 61, 62, 63, 64)


def test_all_units_of_the_micro_expression_paper_are_known() -> None:
    assert {*MICRO_EXPRESSION_UNITS} <= {*ACTION_UNITS}


def test_all_units_of_the_cross_modal_paper_are_known() -> None:
    assert {1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 24, 25, 26, 27, 43, *range(51, 59)} <= {*ACTION_UNITS}


def test_a_label_holds_code_and_name() -> None:
    assert action_unit(45).label == "AU45 blink"


def test_gaze_and_head_units_are_told_from_those_of_the_face() -> None:
    kinds = {kind: {unit.code for unit in ACTION_UNITS.values() if unit.kind == kind} for kind in ("gaze", "head")}
    assert kinds == {"gaze": {61, 62, 63, 64}, "head": {51, 52, 53, 54, 55, 56, 57, 58}}


def test_an_unknown_unit_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="no action unit 3 here; known are 1, 2, 4"):
        action_unit(3)


def test_companions_are_mutual_and_known() -> None:
    assert all(COMPANIONS[other] == code and other in ACTION_UNITS for code, other in COMPANIONS.items())


def test_a_smile_is_pleasant_and_a_closed_eye_calm() -> None:
    assert VALENCE_AROUSAL[12][0] > 0
    assert VALENCE_AROUSAL[43][1] < 0
    assert {*VALENCE_AROUSAL} <= {*ACTION_UNITS}
