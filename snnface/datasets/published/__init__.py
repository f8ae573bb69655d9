"""The published data sets, each with the layout, labels and protocol of its publication."""

from snnface.datasets.published.dataset import PublishedDataset
from snnface.datasets.published.loaders import LOADERS

__all__ = ["LOADERS", "PublishedDataset"]
