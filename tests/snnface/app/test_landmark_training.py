import json
from pathlib import Path

import numpy as np
import pytest
import torch

from snnface.app import landmark_training
from snnface.app.landmark_faces import FacePictures, drawn_faces, faceless_pictures
from snnface.app.landmark_training import (
    LandmarkTrainingConfig,
    main,
    measured_errors,
    photographs_told_apart,
    trained_net,
)
from snnface.errors import ConfigError, NonFiniteLossError
from snnface.faces.detection.network import PatchAnswer
from snnface.faces.detection.patches import PATCH, face_frames, face_patch, to_patches
from snnface.faces.detection.regressor import LandmarkRegressor, default_landmarks
from snnface.faces.landmarks import MIRROR68
from snnface.seeding import SeedTree

TINY = LandmarkTrainingConfig(num_people=2, pictures_per_person=2, num_steps=2, batch_size=4, test_people=2)


@pytest.fixture(scope="module")
def faces() -> FacePictures:
    return drawn_faces(3, 4, SeedTree(1))


def test_drawn_faces_are_the_same_for_a_seed_and_others_for_another(faces: FacePictures) -> None:
    again, other = drawn_faces(3, 4, SeedTree(1)), drawn_faces(3, 4, SeedTree(2))
    np.testing.assert_array_equal(again.pictures, faces.pictures)
    np.testing.assert_array_equal(again.points, faces.points)
    assert (other.pictures != faces.pictures).mean() > 0.5


def test_the_points_lie_on_the_drawn_face(faces: FacePictures) -> None:
    """In front of any background the mouth is between chin and eyes, and the eyes lie in the picture."""
    eyes, chin = faces.points[:, 36:48].mean(1), faces.points[:, 8]
    assert ((eyes > 0) & (eyes < 144)).all()
    assert (chin[:, 1] > eyes[:, 1]).all()
    assert (np.abs(faces.yaw_deg) <= 40).all()


def test_pictures_without_faces_differ_from_each_other() -> None:
    pictures = faceless_pictures(12, SeedTree(0))
    assert len({picture.tobytes() for picture in pictures}) == 12


@pytest.mark.parametrize("roll", [0.0, 0.4])
def test_training_cuts_patches_where_the_regressor_does(faces: FacePictures, roll: float) -> None:
    frames = face_frames(faces.points.astype(np.float64))[:2] + np.array([3.0, -2.0, 0.0, roll])
    cut = landmark_training._cut(faces.pictures[:2], frames, np.zeros(2, dtype=bool)).numpy()
    rows, columns = np.indices((PATCH, PATCH))
    # Beyond the picture the two go on differently.
    for i in range(2):
        inside = face_patch(np.full((144, 144), 255, np.uint8), frames[i]) == 255
        core = (np.abs(rows - 47.5) < 25) & (np.abs(columns - 47.5) < 25) & inside
        away = np.abs(cut[i] - face_patch(faces.pictures[i], frames[i]).astype(np.float64))
        assert away[core].mean() < 1.5


def test_a_mirrored_patch_has_mirrored_points() -> None:
    """A white dot at one landmark lands where the mirrored, renamed landmark is."""
    points = drawn_faces(1, 1, SeedTree(4)).points.astype(np.float64)
    picture = np.zeros((1, 144, 144), np.uint8)
    column, row = points[0, 36].round().astype(int)
    picture[0, row - 1 : row + 2, column - 1 : column + 2] = 255
    frames = face_frames(points)
    patch = landmark_training._cut(picture, frames, np.ones(1, dtype=bool))[0].numpy()
    place = np.array([patch.sum(0) @ np.arange(PATCH), patch.sum(1) @ np.arange(PATCH)]) / patch.sum()
    mirrored = to_patches(points, frames)[:, MIRROR68] * [-1, 1]
    np.testing.assert_allclose((2 * place + 1) / PATCH - 1, mirrored[0, 45], atol=0.03)


def test_the_loss_is_least_at_the_right_answer() -> None:
    points = torch.rand(4, 68, 2, generator=torch.Generator().manual_seed(0)) - 0.5
    sure = torch.tensor([9.0, 9, 9, 9, -9])
    width = torch.full((5, 68), 0.08)

    def loss(shift: float, logit: torch.Tensor) -> float:
        answer = PatchAnswer(torch.cat([points + shift, points[:1]]), width, logit)
        return landmark_training._loss(answer, points).item()

    assert loss(0.0, sure) == pytest.approx(0, abs=1e-3)
    assert loss(0.1, sure) > loss(0.05, sure) > loss(0.0, sure)
    assert loss(0.0, -sure) > 1


def test_the_same_seed_trains_the_same_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(TINY, tmp_path / "one.safetensors")
    main(TINY, tmp_path / "two.safetensors")
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "two.safetensors").read_bytes()
    card = json.loads((tmp_path / "one.json").read_text())
    assert card["training"]["num_steps"] == 2
    assert card["mean_error_percent"] > 5
    assert not LandmarkRegressor.load(tmp_path / "one.safetensors").net.training
    assert "mean_error_percent" in capsys.readouterr().out


def test_the_shipped_regressor_is_as_good_as_its_card_says() -> None:
    measured = measured_errors(default_landmarks(), 6, SeedTree(77))
    assert isinstance(measured["mean_error_percent"], float)
    assert measured["mean_error_percent"] < 4.5


def test_small_photographed_faces_are_told_from_other_pictures() -> None:
    """On data never trained on."""
    photographs = photographs_told_apart(default_landmarks())
    assert photographs["faces_known"] > 0.75
    assert photographs["others_refused"] > 0.95


def test_a_loss_that_is_not_finite_stops_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landmark_training, "_loss", lambda answer, points: torch.tensor(float("nan")))
    with pytest.raises(NonFiniteLossError, match="the loss of step 0 is not finite"):
        trained_net(TINY)


@pytest.mark.parametrize("wrong", [{"num_people": 0}, {"num_steps": 0}, {"batch_size": 3}, {"learning_rate": 0.0}])
def test_impossible_trainings_are_refused(wrong: dict) -> None:
    with pytest.raises(ConfigError):
        LandmarkTrainingConfig(**wrong)
