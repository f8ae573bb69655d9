"""Turns on run-time shape checking for all four packages, and skips what a machine lacks, with a reason."""

import logging
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

# Before any test module imports the packages: from here on, every annotation is checked.
install_import_hook(["snnface", "ann_baselines", "conversion", "hardware"], "typechecker.checked")

# norse raises the root's level to ERROR; what the project says in its log is tested all the same.
logging.getLogger("snnface").setLevel(logging.WARNING)

# Machines are shared and first calls compile: how long an example takes is no test.
settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Name -> the miniature of that data set with seed 0, made once; copy it to change something."""
    from snnface.datasets.fixtures import make_fixture

    root = tmp_path_factory.mktemp("miniatures")

    @cache
    def made(name: str) -> Path:
        return make_fixture(name, root / name)

    return made


@pytest.fixture(scope="session")
def shared_events() -> Path:
    """The folder of real recordings; tests that use it skip where it is absent."""
    folder = SHARED / "data" / "events"
    if not folder.is_dir():
        pytest.skip("the real recordings (../shared/data/events) are not on this machine")
    return folder
