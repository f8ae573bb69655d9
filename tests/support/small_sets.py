"""Sets of synthetic recordings that are made in a second."""

from pathlib import Path

from snnface.datasets.synthesis import SynthesisConfig
from snnface.events.window import Resolution
from snnface.faces.motion import TrajectoryConfig
from snnface.faces.scene import SceneConfig

__all__ = ["SMALL_SET", "contents"]

SMALL_SET = SynthesisConfig(
    name="small",
    action_units=(12, 51),
    num_identities=2,
    clip_ms=600,
    cameras=("davis", "davis_frames", "evk4", "rgb"),
    num_evk4=1,
    davis=Resolution(height=24, width=32),
    evk4=Resolution(height=36, width=48),
    rgb=Resolution(height=30, width=40),
    fps=10.0,
    scene=SceneConfig(cell=0.055, supersampling=1, render_hz=100, drift=0.05),
    trajectory=TrajectoryConfig(co_activation=1.0, blinks_per_minute=60, gaze_deg=4, head_sway_deg=1.0),
    seed=3,
)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file in a folder, hidden ones too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
