"""Recordings in the project's own layout: takes of people before RGB and event cameras, real or synthetic."""

from snnface.datasets.recorded.recorded_faces import RecordedFaces

__all__ = ["RecordedFaces"]
