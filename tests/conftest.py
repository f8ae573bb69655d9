"""Turns on run-time shape checking for all four packages, and skips what a machine lacks, with a reason."""

import gc
import importlib
import logging
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

# Read when torch is imported. Tensors here are small, and pytest keeps the processors busy: several threads would
# mostly wait for each other, which took four times the work of one. Tests of threads ask for them.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Before any test module imports the packages: from here on, every annotation is checked.
install_import_hook(["snnface", "ann_baselines", "conversion", "hardware"], "typechecker.checked")

# norse raises the root's level to ERROR; what the project says in its log is tested all the same.
logging.getLogger("snnface").setLevel(logging.WARNING)

NIGHTLY = 10
"""How many times the usual number of examples is drawn under the profile `nightly`."""

# Machines are shared and first calls compile: how long an example takes is no test.
settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("nightly", settings.get_profile("project"))
settings.load_profile("project")

LARGE = ("torch._dynamo", "torchmetrics.image", "lightning_fabric", "scipy.signal", "scipy.ndimage", "numba", "nir")
SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_collection() -> None:
    """Before collecting; xdist's controller, which collects nothing, does not come here.

    While the hook above loads a module of ours, compiled code is looked for under a name of the hook's own, also that
    of whatever the module imports; so what is large is imported first. And collecting makes millions of objects,
    nearly all of which stay: looking through them for dead ones took a quarter of it.
    """
    gc.disable()
    for name in LARGE:
        importlib.import_module(name)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that at the end no core waits for one that was begun last.

    At night, properties are tried on more examples, also those that state their own number, which no profile changes.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
    if config.getoption("--hypothesis-profile") == "nightly":
        for test in {getattr(item, "obj", None) for item in items}:
            usual = getattr(test, "_hypothesis_internal_use_settings", None)
            if usual is not None:
                test._hypothesis_internal_use_settings = settings(usual, max_examples=NIGHTLY * usual.max_examples)


def pytest_collection_finish() -> None:
    """What was imported stays: it is never looked through again."""
    gc.freeze()
    gc.enable()


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
