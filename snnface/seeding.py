"""Named random generators derived from one root seed."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Generator as TorchGenerator

__all__ = ["SeedTree"]


@dataclass(frozen=True, slots=True)
class SeedTree:
    """Independent generators by name, so that a new consumer does not shift the others.

    The child seed is the first 8 bytes of SHA-256 over `"<root>/<name>"`, which is
    the same on every machine and Python version (unlike `hash`).

    >>> SeedTree(7).seed("augment") == SeedTree(7).seed("augment") != SeedTree(7).seed("split")
    True
    """

    root: int

    def seed(self, *name: str | int) -> int:
        """A 63-bit seed for the consumer called `name` (parts are joined by '/')."""
        text = "/".join(str(part) for part in (self.root, *name))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1

    def child(self, *name: str | int) -> "SeedTree":
        """A tree of its own below `name`."""
        return SeedTree(self.seed(*name))

    def numpy(self, *name: str | int) -> np.random.Generator:
        """A NumPy generator for `name`."""
        return np.random.default_rng(self.seed(*name))

    def torch(self, *name: str | int) -> "TorchGenerator":
        """A CPU torch generator for `name` (torch is imported only here)."""
        import torch

        return torch.Generator().manual_seed(self.seed(*name))
