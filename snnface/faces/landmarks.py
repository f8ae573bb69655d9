"""The 68-point convention: order, mirror map, and mean positions.

0-16 jaw, right ear over the chin (8) to the left ear; 17-21 right brow, outer to inner;
22-26 left brow, inner to outer; 27-30 nose bridge, top to tip; 31-35 nose base, right to
left; 36-41 right eye (outer corner, upper lid, inner corner, lower lid); 42-47 left eye
(inner corner, upper lid, outer corner, lower lid); 48-59 outer lip from the right corner
over the top; 60-67 inner lip likewise. Right is the subject's right: left in an
unmirrored picture.
"""

import numpy as np
from jaxtyping import Float64

__all__ = ["MIRROR68", "NUM_LANDMARKS", "mean_landmarks"]

NUM_LANDMARKS = 68

_PAIRS = (
    *((i, 16 - i) for i in range(9)),
    *((i, 43 - i) for i in range(17, 22)),
    *((i, i) for i in range(27, 31)),
    *((i, 66 - i) for i in range(31, 34)),
    *((36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)),
    *((48, 54), (49, 53), (50, 52), (51, 51), (55, 59), (56, 58), (57, 57)),
    *((60, 64), (61, 63), (62, 62), (65, 67), (66, 66)),
)

MIRROR68: tuple[int, ...] = tuple({**dict(_PAIRS), **{b: a for a, b in _PAIRS}}[i] for i in range(NUM_LANDMARKS))
"""The landmark that each one becomes in a mirrored picture."""

# fmt: off
_RIGHT_HALF = {
    0: (-.83, .03, -.55), 1: (-.82, -.22, -.52), 2: (-.78, -.44, -.46), 3: (-.74, -.65, -.38),
    4: (-.64, -.89, -.28), 5: (-.48, -1.08, -.14), 6: (-.34, -1.16, .02), 7: (-.17, -1.20, .19),
    8: (0, -1.23, .21),
    17: (-.65, .20, -.08), 18: (-.55, .29, .04), 19: (-.43, .32, .14), 20: (-.27, .31, .21), 21: (-.13, .28, .24),
    27: (0, .03, .24), 28: (0, -.09, .33), 29: (0, -.20, .42), 30: (0, -.34, .50),
    31: (-.14, -.51, .25), 32: (-.07, -.51, .32), 33: (0, -.52, .33),
    36: (-.50, 0, 0), 37: (-.43, .05, .09), 38: (-.31, .06, .10),
    39: (-.21, -.02, .07), 40: (-.31, -.04, .09), 41: (-.43, -.04, .07),
    48: (-.28, -.78, .18), 49: (-.19, -.70, .29), 50: (-.08, -.66, .35), 51: (0, -.66, .36),
    57: (0, -.88, .33), 58: (-.12, -.87, .31), 59: (-.20, -.84, .26),
    60: (-.25, -.78, .17), 61: (-.11, -.75, .28), 62: (0, -.76, .30), 66: (0, -.77, .30), 67: (-.12, -.76, .27),
}
# fmt: on


def mean_landmarks() -> Float64[np.ndarray, "68 3"]:
    """Mean adult positions: x to the subject's left, y up, z forward, in outer-eye distances.

    The origin is the middle between the outer eye corners (36, 45); the face is exactly
    mirror symmetric.

    Source: measured on the mean head of ICT-FaceKit (USC-ICT, MIT licence), rounded to 0.01.
    """
    points = np.zeros((NUM_LANDMARKS, 3))
    for index, (x, y, z) in _RIGHT_HALF.items():
        points[index] = x, y, z
        points[MIRROR68[index]] = -x, y, z
    return points
