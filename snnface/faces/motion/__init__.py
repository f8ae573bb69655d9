"""How a face moves: contractions, blinks, gaze and head."""

from snnface.faces.motion.activation import Activation
from snnface.faces.motion.affect import EMOTIONS, drawn_affect_trajectory, drawn_emotion_trajectory
from snnface.faces.motion.drawing import TrajectoryConfig, drawn_trajectory
from snnface.faces.motion.gaze import Gaze
from snnface.faces.motion.sway import Sway
from snnface.faces.motion.trajectory import Trajectory

__all__ = [
    "EMOTIONS",
    "Activation",
    "Gaze",
    "Sway",
    "Trajectory",
    "TrajectoryConfig",
    "drawn_affect_trajectory",
    "drawn_emotion_trajectory",
    "drawn_trajectory",
]
