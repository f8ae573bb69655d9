"""How a face moves: contractions, blinks, gaze and head."""

from snnface.faces.motion.trajectories import Activation, Trajectory, TrajectoryConfig, drawn_trajectory

__all__ = ["Activation", "Trajectory", "TrajectoryConfig", "drawn_trajectory"]
