"""Fitting a 3DMM to 68 landmarks in two steps, and its coefficients as labels of event frames."""

from snnface.faces.fitting.camera import Cameras, estimate_cameras, y_up
from snnface.faces.fitting.clip_fit import ClipFit, interpolate_gaps, load_fit, save_fit
from snnface.faces.fitting.coefficients import fit_coefficients
from snnface.faces.fitting.cross_modal import FrameLabels, event_frame_labels, same_rate_borders
from snnface.faces.fitting.frame_fit import FittingConfig
from snnface.faces.fitting.landmark_model import LandmarkModel
from snnface.faces.fitting.two_step import fit_clip

__all__ = [
    "Cameras",
    "ClipFit",
    "FittingConfig",
    "FrameLabels",
    "LandmarkModel",
    "estimate_cameras",
    "event_frame_labels",
    "fit_clip",
    "fit_coefficients",
    "interpolate_gaps",
    "load_fit",
    "same_rate_borders",
    "save_fit",
    "y_up",
]
