"""Pictures from recordings: one class a representation, one contract for all."""

from snnface.representations.base import Representation
from snnface.representations.histogram import HistogramConfig, PolarityHistogram
from snnface.representations.temporal_binary import TemporalBinary, TemporalBinaryConfig

__all__ = ["HistogramConfig", "PolarityHistogram", "Representation", "TemporalBinary", "TemporalBinaryConfig"]
