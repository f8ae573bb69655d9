"""`snnface make-fixture DATASET --out DIR`"""

from dataclasses import dataclass
from pathlib import Path

import tyro

from snnface.app.options import parse
from snnface.datasets.fixtures import make_fixture

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Write a miniature of a published data set, with synthetic people, in the layout of the real one."""

    dataset: tyro.conf.Positional[str]
    """Which one; an unknown name lists them."""
    out: Path
    """A folder that is empty or does not exist; give it to the loader as its root."""
    seed: int = 0
    """The same seed gives the same bytes."""


def main(arguments: list[str]) -> None:
    options = parse(Options, arguments, verb="make-fixture")
    print(make_fixture(options.dataset, options.out, seed=options.seed))
