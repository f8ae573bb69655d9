"""Figures of the papers, from answers of trained runs: Plotly, without a file."""

from snnface.app.figures.emotion_wheel import WheelPoint, emotion_wheel, template_wheel
from snnface.app.figures.face_components import MeshSample, coloured_meshes, component_maps
from snnface.app.figures.page import figure_html, plotly_script, write_figure
from snnface.app.figures.picture_strips import PictureStrip, picture_strips
from snnface.app.figures.run_figures import run_figures
from snnface.app.figures.va_traces import VaTrace, va_traces

__all__ = [
    "MeshSample",
    "PictureStrip",
    "VaTrace",
    "WheelPoint",
    "coloured_meshes",
    "component_maps",
    "emotion_wheel",
    "figure_html",
    "picture_strips",
    "plotly_script",
    "run_figures",
    "template_wheel",
    "va_traces",
    "write_figure",
]
