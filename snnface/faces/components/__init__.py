"""Learned components of face shape: an identity 3DMM by PCA, an expression 3DMM by dictionary learning."""

from snnface.faces.components.alignment import aligned_to
from snnface.faces.components.components import Components, load_components, save_components
from snnface.faces.components.dictionary import (
    DictionaryConfig,
    LearnedDictionary,
    expression_components,
    learned_dictionary,
)
from snnface.faces.components.identity import identity_components
from snnface.faces.components.matlab import components_from_mat
from snnface.faces.components.training_faces import FaceComponents, drawn_components

__all__ = [
    "Components",
    "DictionaryConfig",
    "FaceComponents",
    "LearnedDictionary",
    "aligned_to",
    "components_from_mat",
    "drawn_components",
    "expression_components",
    "identity_components",
    "learned_dictionary",
    "load_components",
    "save_components",
]
