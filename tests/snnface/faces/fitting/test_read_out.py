"""What coefficients are for: action units can be read from them; and the published mistake would be noticed."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from fitted_faces import drawn_cameras, drawn_model, pictures_of

from snnface.faces import ProceduralFace
from snnface.faces.components import drawn_components
from snnface.faces.fitting import FittingConfig, LandmarkModel, y_up
from snnface.seeding import SeedTree

BENCHMARK = Path(__file__).resolve().parents[4] / "benchmarks" / "face_fitting.py"
SHIFT_PX = np.array([150.0, -80.0])


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    specification = importlib.util.spec_from_file_location("face_fitting_benchmark", BENCHMARK)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    # Dataclasses look their module up by name.
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    return module


def test_action_units_of_unseen_people_are_read_from_the_coefficients(benchmark: ModuleType) -> None:
    mesh = ProceduralFace.build(0.06).mesh
    components = drawn_components(mesh, num_expression=16)
    model = LandmarkModel.of(mesh, components.identity, components.expression)
    # Every second one, to save time; chance is 1 of 10.
    clips = benchmark.drawn_clips(mesh, SeedTree(0).numpy("clips"), codes=benchmark.CODES[::2])
    assert benchmark.read_out(clips, model, FittingConfig(), noise_px=0.0, seed=0) > 0.9


@pytest.mark.parametrize("camera", ["sop", "affine"])
def test_a_shift_applied_to_the_basis_would_be_noticed(benchmark: ModuleType, camera: str) -> None:
    model = drawn_model()
    alpha = np.random.default_rng(5).normal(0.2, 0.4, (6, 20))
    alpha[0] = 0
    landmarks = y_up(pictures_of(model, alpha, drawn_cameras(6), noise=0.5))
    config = FittingConfig(camera=camera, rounds=0)  # type: ignore[arg-type]
    change = {
        fit: np.abs(fit(landmarks + SHIFT_PX, model, config) - fit(landmarks, model, config)).max()
        for fit in (benchmark.right, benchmark.t_in_basis)
    }
    assert change[benchmark.right] < 1e-12
    assert change[benchmark.t_in_basis] > 1e-3


def test_the_right_system_is_nearer_to_the_truth_than_the_wrong_one(benchmark: ModuleType) -> None:
    model = drawn_model()
    alpha = np.random.default_rng(5).normal(0.4, 0.2, (6, 20))
    alpha[0] = 0
    landmarks = y_up(pictures_of(model, alpha, drawn_cameras(6)))
    error = {
        fit: np.linalg.norm(fit(landmarks, model, FittingConfig(rounds=0))[1:] - alpha[1:])
        for fit in (benchmark.right, benchmark.t_in_basis)
    }
    assert error[benchmark.right] < 0.9 * error[benchmark.t_in_basis]
