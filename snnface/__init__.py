"""Event-camera recordings of faces to spiking networks on neuromorphic hardware models."""

__all__ = ["__version__"]

__version__ = "0.1.0"
