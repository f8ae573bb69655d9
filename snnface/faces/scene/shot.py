"""One take before one camera, in steady light."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Int64

from snnface.faces.motion.trajectory import Trajectory
from snnface.faces.rendering.camera import OrthographicCamera
from snnface.faces.rendering.renderer import FaceRenderer
from snnface.faces.scene.background import Places
from snnface.faces.scene.cameras import EventCamera, RgbCamera

if TYPE_CHECKING:
    from snnface.faces.scene.scene import Scene

__all__ = ["MAX_STEP_PX", "Shot"]

MAX_STEP_PX = 0.45
"""Between two frames no landmark moves further than half a pixel; motion within a step is not quite even."""

# A moving picture is exposed in at most so many steps.
_MAX_EXPOSURES = 16


@dataclass(slots=True, eq=False)
class Shot:
    """What a camera would see at any time if the light were steady."""

    scene: "Scene"
    trajectory: Trajectory
    camera: EventCamera | RgbCamera
    renderer: FaceRenderer = field(init=False)
    projection: OrthographicCamera = field(init=False)

    def __post_init__(self) -> None:
        self.renderer = self.scene.renderer(self.camera)
        self.projection = self.camera.view.camera(self.camera.resolution)

    def light(self, t_us: Int64[np.ndarray, " T"]) -> Float32[np.ndarray, "T H W C"]:
        """Pictures: linear, digital numbers 0..255."""
        behind, backgrounds = self.renderer.background, None
        if self.scene.distractor is not None:
            places = Places.seen_by(self.projection, self.camera.resolution)
            backgrounds = self.scene.distractor.before(behind, places, t_us)
        return self.renderer.render(
            self.scene.weights(self.trajectory, t_us),
            self.projection.matrices(self.trajectory.poses(t_us)),
            backgrounds=backgrounds,
        )

    def exposures(self, start_us: int, exposure_us: int) -> Int64[np.ndarray, " N"]:
        """Times whose mean picture is that of an open shutter: more where more moves."""
        quarters = start_us + np.arange(5) * exposure_us // 4
        marks = self.scene.landmarks(self.trajectory, quarters, self.camera)
        moved = float(np.abs(np.diff(marks, axis=0)).sum(0).max())
        if self.scene.distractor is not None:
            # Its rim is soft: it may jump further than a landmark.
            moved = max(moved, abs(self.scene.distractor.speed) * exposure_us / 4e6 * self.projection.scale_px)
        count = int(np.clip(np.ceil(moved / MAX_STEP_PX), 1, _MAX_EXPOSURES))
        return start_us + (2 * np.arange(count) + 1) * exposure_us // (2 * count)
