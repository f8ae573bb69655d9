"""Landmark motion of every action unit, against the measured table."""

from dataclasses import replace

import numpy as np
import pytest

from snnface.faces.landmarks import MIRROR68
from snnface.faces.procedural.calibration import calibration, calibration_table
from snnface.faces.procedural.face import ProceduralFace
from snnface.faces.procedural.muscles import CONTROLS

POINTS = (
    *("inner brow", "outer brow", "upper lid", "lower lid", "nose wing"),
    *("mouth corner", "upper lip", "lower lip", "chin"),
)

# Motion at full intensity in percent of the outer-eye distance, "outward,up", in the order of `POINTS`;
# "." is less than 0.15. Measured on the light model of ICT-FaceKit (USC-ICT, MIT licence).
MEASURED = {
    1: ".5,6.2  -.2,1.2  0,.2  .  0,.3  .  .  .  .",
    2: ".7,2.9  1.3,6.4  0,.5  .  .  .  .  .  .",
    4: "-2.4,-2.5  -2.4,-.9  -.1,-.3  .  .  .  .  .  .",
    5: ".  .  .3,3.3  .2,.3  .  .  .  .  .",
    6: ".  -.2,-.4  .  -.5,2.6  .8,1.1  .8,1.2  0,.6  0,.3  0,.4",
    7: ".  -.2,-.2  .  -.8,2.1  .  .  .  .  .",
    9: "-.6,-4.0  -.3,-.6  .  -.1,1.2  .5,8.4  -1.1,7.0  0,8.7  0,.7  0,.6",
    10: ".  .  .  0,.2  2.2,6.6  .2,4.9  0,8.9  0,.4  0,.2",
    12: ".  .  .  0,.6  2.7,2.5  7.9,11.8  0,3.9  0,4.5  0,3.6",
    14: ".  .  .  .  1.0,0  .9,3.0  0,.3  0,1.7  0,1.2",
    15: ".  .  .  .  .2,-1.5  2.1,-5.1  0,-1.2  0,-.3  0,1.2",
    17: ".  .  .  .  .  .8,1.9  .  0,8.6  0,9.1",
    20: ".  .  .  .  1.0,-.5  7.4,-3.4  0,-1.0  0,1.1  0,1.0",
    23: ".  .  .  .  .1,-1.7  -.2,.7  0,-2.1  0,4.7  .",
    24: ".  .  .  .  .3,-.1  -.1,1.5  0,-1.6  0,3.4  0,4.9",
    25: ".  .  .  .  0,-.2  -.3,-2.5  0,-.2  0,-10.6  0,-6.6",
    26: ".  .  .  .  .1,-1.2  -1.3,-5.9  0,-1.1  0,-15.7  0,-12.6",
    27: ".  .  .  0,-.2  .3,-3.0  -3.2,-14.7  0,-2.6  0,-39.3  0,-31.6",
    43: ".  .  -1.4,-8.7  -2.1,.2  .  .  .  .  .",
    45: ".  .  -1.4,-8.7  -2.1,.2  .  .  .  .  .",
}
CASES = [(code, point) for code in MEASURED for point in POINTS]


@pytest.fixture(scope="module", params=(0.055, 0.03))
def face(request: pytest.FixtureRequest) -> ProceduralFace:
    return ProceduralFace.build(request.param)


def moved(face: ProceduralFace, intensities: dict[int, float]) -> np.ndarray:
    """(outward, up) [68, 2] of the right half's landmarks in percent of the eye distance."""
    offsets = face.mesh.vertices(None, face.mesh.expression_weights(intensities)) - face.mesh.mean
    return face.mesh.landmarks(offsets)[:, :2] * [-100, 100]


@pytest.mark.parametrize(("code", "point"), CASES)
def test_landmarks_move_as_measured(face: ProceduralFace, code: int, point: str) -> None:
    wanted = MEASURED[code].split()[POINTS.index(point)]
    reached = moved(face, {code: 1.0})[list(CONTROLS[point])].mean(0)
    if wanted == ".":
        assert np.abs(reached).max() < 0.15
    else:
        np.testing.assert_allclose(reached, [float(part) for part in wanted.split(",")], atol=0.02)


def test_a_droop_is_two_fifths_of_closed_eyes(face: ProceduralFace) -> None:
    np.testing.assert_allclose(moved(face, {41: 1.0}), 0.4 * moved(face, {43: 1.0}), atol=1e-3)


def test_the_left_half_moves_like_the_right(face: ProceduralFace) -> None:
    for code in MEASURED:
        motion = moved(face, {code: 1.0})
        np.testing.assert_allclose(motion[list(MIRROR68)] * [-1, 1], motion, atol=1e-3)


def test_the_calibration_lists_every_control_point_of_every_unit(face: ProceduralFace) -> None:
    points = calibration(face.mesh)
    assert {(point.code, point.point) for point in points} == {
        (code, point) for code in MEASURED if code != 45 for point in CONTROLS
    }
    assert max(point.error for point in points) < 0.02
    smile = next(point for point in points if (point.code, point.point) == (12, "mouth corner"))
    assert smile.wanted == (7.9, 11.8)
    assert smile.reached == pytest.approx((7.9, 11.8), abs=0.02)


def test_the_error_is_the_larger_of_the_two_directions(face: ProceduralFace) -> None:
    point = calibration(face.mesh)[0]
    across, up = point.wanted
    assert replace(point, reached=(across + 0.25, up - 1.5)).error == pytest.approx(1.5)


def test_the_table_has_a_row_for_each_unit(face: ProceduralFace) -> None:
    lines = calibration_table(face.mesh).splitlines()
    assert lines[0].startswith("| unit | largest error |")
    assert [int(line.split("|")[1]) for line in lines[2:]] == [code for code in MEASURED if code != 45]
