"""Data sets: clips with labels, splits by subject, and the built-in synthetic faces."""

from snnface.datasets.augmentation import AugmentationConfig, AugmentedSamples
from snnface.datasets.clip import Batch, Clip, FaceDataset, Label, Sample, collate
from snnface.datasets.padding import PaddedSamples
from snnface.datasets.protocols import (
    LeaveOneSubjectOutConfig,
    OfficialSplitConfig,
    ProtocolConfig,
    ShareOfSubjectsConfig,
    SplitConfig,
    SubjectFoldsConfig,
    split_of,
)
from snnface.datasets.samples import ClipSamples, batches
from snnface.datasets.splits import (
    Split,
    leave_one_subject_out,
    named_split,
    share_of_subjects,
    split_by_subject,
    subject_folds,
    with_validation,
)
from snnface.datasets.synthetic import SyntheticFaces, SyntheticFacesConfig

__all__ = [
    "AugmentationConfig",
    "AugmentedSamples",
    "Batch",
    "Clip",
    "ClipSamples",
    "FaceDataset",
    "Label",
    "LeaveOneSubjectOutConfig",
    "OfficialSplitConfig",
    "PaddedSamples",
    "ProtocolConfig",
    "Sample",
    "ShareOfSubjectsConfig",
    "Split",
    "SplitConfig",
    "SubjectFoldsConfig",
    "SyntheticFaces",
    "SyntheticFacesConfig",
    "batches",
    "collate",
    "leave_one_subject_out",
    "named_split",
    "share_of_subjects",
    "split_by_subject",
    "split_of",
    "subject_folds",
    "with_validation",
]
