"""How well a face's action units meet the measured motion of the landmarks: wanted against reached."""

from dataclasses import dataclass

from snnface.faces.model import FaceMesh
from snnface.faces.procedural.muscles import CONTROLS, MOTION

__all__ = ["CalibratedPoint", "calibration", "calibration_table"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibratedPoint:
    """One control point under one action unit at full intensity.

    Attributes:
        code: FACS code.
        point: a key of `CONTROLS`.
        wanted, reached: motion (outward, up) in percent of the outer-eye distance.
    """

    code: int
    point: str
    wanted: tuple[float, float]
    reached: tuple[float, float]

    @property
    def error(self) -> float:
        """Largest difference of the two directions, in percent of the outer-eye distance."""
        return max(abs(want - got) for want, got in zip(self.wanted, self.reached, strict=True))


def calibration(mesh: FaceMesh) -> tuple[CalibratedPoint, ...]:
    """Every control point under every unit of `MOTION` that the face can show; any face's, built-in or from a file.

    Points that a unit should leave where they are count, with (0, 0) wanted.
    """
    points = []
    for code in [code for code in MOTION if code in mesh.action_units]:
        weights = mesh.expression_weights({code: 1.0})
        moved = mesh.landmarks(mesh.vertices(None, weights) - mesh.mean) / mesh.eye_distance
        for point, landmarks in CONTROLS.items():
            across, up, _ = 100 * moved[list(landmarks)].mean(0)
            wanted = MOTION[code].get(point, (0.0, 0.0))
            # The control points lie on the right half, where outward is towards -x.
            points.append(CalibratedPoint(code=code, point=point, wanted=wanted, reached=(-float(across), float(up))))
    return tuple(points)


def calibration_table(mesh: FaceMesh) -> str:
    """The point with the largest error of each unit, as a Markdown table; percent of the outer-eye distance."""
    points = calibration(mesh)
    rows = ["| unit | largest error | at | wanted (outward, up) | reached |", "|---|---|---|---|---|"]
    for code in dict.fromkeys(point.code for point in points):
        worst = max((point for point in points if point.code == code), key=lambda point: point.error)
        wanted, reached = (f"{across:.2f}, {up:.2f}" for across, up in (worst.wanted, worst.reached))
        rows.append(f"| {code} | {worst.error:.4f} | {worst.point} | {wanted} | {reached} |")
    return "\n".join(rows)
