"""Data sets: clips with labels, splits by subject, and the built-in synthetic faces."""

from snnface.datasets.clip import Batch, Clip, FaceDataset, Label, Sample, collate
from snnface.datasets.samples import ClipSamples, batches
from snnface.datasets.splits import Split, leave_one_subject_out, split_by_subject
from snnface.datasets.synthetic import SyntheticFaces, SyntheticFacesConfig

__all__ = [
    "Batch",
    "Clip",
    "ClipSamples",
    "FaceDataset",
    "Label",
    "Sample",
    "Split",
    "SyntheticFaces",
    "SyntheticFacesConfig",
    "batches",
    "collate",
    "leave_one_subject_out",
    "split_by_subject",
]
