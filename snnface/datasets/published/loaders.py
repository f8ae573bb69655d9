"""The published data sets by name: the loader of each."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from snnface.datasets.published.afew_va import AfewVa
from snnface.datasets.published.casme2 import Casme2
from snnface.datasets.published.ck_plus import CkPlus
from snnface.datasets.published.dataset import PublishedDataset
from snnface.datasets.published.disfa import Disfa
from snnface.datasets.published.facemorphic import Facemorphic
from snnface.datasets.published.fes import Fes
from snnface.datasets.published.nefer import Nefer
from snnface.datasets.published.samm import Samm
from snnface.datasets.published.vetex import Vetex
from snnface.datasets.recorded.recorded_faces import RecordedFaces

__all__ = ["LOADERS"]

LOADERS: Mapping[str, Callable[..., PublishedDataset]] = MappingProxyType(
    {
        "afew-va": AfewVa,
        "casme2": Casme2,
        "ck-plus": CkPlus,
        "disfa": Disfa,
        "facemorphic": Facemorphic,
        "fes": Fes,
        "micro-expression": RecordedFaces,
        "nefer": Nefer,
        "samm": Samm,
        "vetex": Vetex,
    }
)
"""Name, as `make_fixture` has it -> loader, called with the folder of the data set and the loader's own options."""
