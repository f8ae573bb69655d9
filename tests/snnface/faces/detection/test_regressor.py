import json
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data

from snnface.errors import CheckpointError, DataError
from snnface.events.frames import FrameClip
from snnface.faces.detection import (
    CascadeDetector,
    LandmarkDetector,
    LandmarkRegressor,
    default_landmarks,
    five_points,
    mirrored_landmarks,
    track_landmarks,
)
from snnface.faces.detection.network import LandmarkNet, normalised
from snnface.faces.detection.regressor import SHIPPED_WEIGHTS

ASTRONAUT = data.astronaut()
FACE_BOX = CascadeDetector().detect(ASTRONAUT).boxes[:1]
MARKED = np.array([[202.5, 102.0], [246.8, 103.0], [228.0, 123.0], [205.5, 141.3], [243.0, 141.8]])
"""Eyes, nose tip and mouth corners of the astronaut, by eye to about a pixel; the eye distance is 61 px."""
EYE_DISTANCE_PX = 61.0


def test_the_protocol_is_met() -> None:
    assert isinstance(default_landmarks(), LandmarkDetector)


def test_a_photographed_face_is_known_and_its_five_points_are_near() -> None:
    found = default_landmarks().landmarks([ASTRONAUT], FACE_BOX)
    assert found.scores[0] > 0.9
    away = np.linalg.norm(five_points(found.points[0]) - MARKED, axis=1) / EYE_DISTANCE_PX
    assert away.max() < 0.12
    assert away.mean() < 0.08


def test_the_points_barely_depend_on_the_box() -> None:
    boxes = FACE_BOX + np.array([[0, 0, 0, 0], [-6, 4, 0, 0], [5, -5, 0, 0], [-5, -5, 10, 10], [6, 6, -12, -12]])
    found = default_landmarks().landmarks([ASTRONAUT] * 5, boxes)
    assert np.linalg.norm(found.points - found.points.mean(0), axis=2).mean() < 0.03 * EYE_DISTANCE_PX


def test_a_tilted_head_is_found_too() -> None:
    import cv2

    turn = cv2.getRotationMatrix2D((225.0, 130.0), 25.0, 1.0)
    tilted = cv2.warpAffine(ASTRONAUT, turn, (512, 512))
    level, found = (default_landmarks().landmarks([picture], FACE_BOX) for picture in (ASTRONAUT, tilted))
    expected = level.points[0] @ turn[:, :2].T + turn[:, 2]
    assert found.scores[0] > 0.5
    assert np.linalg.norm(found.points[0] - expected, axis=1).mean() < 0.08 * EYE_DISTANCE_PX


def test_the_points_move_with_the_picture() -> None:
    moved = np.roll(ASTRONAUT, (7, 12), (0, 1))
    here, there = (
        default_landmarks().landmarks([picture], box).points[0]
        for picture, box in ((ASTRONAUT, FACE_BOX), (moved, FACE_BOX + np.array([12, 7, 0, 0])))
    )
    np.testing.assert_allclose(there, here + np.array([12, 7]), atol=0.01)


def test_the_mirrored_picture_gives_nearly_the_mirrored_points() -> None:
    box = FACE_BOX.copy()
    box[:, 0] = 512 - box[:, 0] - box[:, 2]
    here = default_landmarks().landmarks([ASTRONAUT], FACE_BOX).points[0]
    there = default_landmarks().landmarks([np.ascontiguousarray(ASTRONAUT[:, ::-1])], box).points[0]
    away = np.linalg.norm(mirrored_landmarks(there, width=512) - here, axis=1)
    assert away.mean() < 0.07 * EYE_DISTANCE_PX


def test_a_batch_gives_what_single_pictures_give() -> None:
    boxes = np.repeat(FACE_BOX, 3, 0) + np.array([[0.0], [2.0], [4.0]])
    whole = default_landmarks().landmarks([ASTRONAUT] * 3, boxes)
    for i in range(3):
        single = default_landmarks().landmarks([ASTRONAUT], boxes[i : i + 1])
        np.testing.assert_allclose(single.points[0], whole.points[i], atol=0.01)


def test_noise_plain_pictures_and_textures_are_no_faces() -> None:
    generator = np.random.default_rng(0)
    noise = [generator.integers(0, 256, (120, 120, 1), dtype=np.uint8) for _ in range(20)]
    plain = [np.full((120, 120, 1), level, np.uint8) for level in (0, 90, 255)]
    brick = [np.ascontiguousarray(data.brick()[i : i + 120, i : i + 120, None]) for i in (0, 100, 200)]
    pictures = [*noise, *plain, *brick]
    boxes = np.tile([[20.0, 20.0, 80.0, 80.0]], (len(pictures), 1))
    found = default_landmarks().landmarks(pictures, boxes)
    assert (found.scores < 0.5).all()
    assert np.isfinite(found.points).all()


def test_a_clip_of_a_photographed_face_is_tracked_with_the_built_in_parts() -> None:
    empty = np.full_like(ASTRONAUT[:260, 60:400], 120)
    shifts = [0, 3, 6]
    pictures = [np.roll(ASTRONAUT[:260, 60:400], shift, 1) for shift in shifts]
    clip = FrameClip(pixels=np.stack([*pictures, empty, pictures[0]]), t_us=np.arange(5) * 33_000)
    tracked = track_landmarks(clip)
    assert tracked.valid.tolist() == [True, True, True, False, True]
    nose = tracked.landmarks[:, 30, 0]
    np.testing.assert_allclose(nose[[0, 1, 2, 4]] - nose[0], [0, 3, 6, 0], atol=0.05 * EYE_DISTANCE_PX)


def test_boxes_and_pictures_must_be_as_many() -> None:
    with pytest.raises(DataError, match="one box a picture; got 1 pictures and 2 boxes"):
        default_landmarks().landmarks([ASTRONAUT], np.ones((2, 4)))
    assert default_landmarks().landmarks([], np.empty((0, 4))).points.shape == (0, 68, 2)


@pytest.mark.parametrize("box", [[0.0, 0, 0, 9], [0, 0, 9, -1], [np.nan, 0, 9, 9], [0, 0, np.inf, 9]])
def test_a_box_that_is_none_is_refused(box: list[float]) -> None:
    with pytest.raises(DataError, match="finite, with width and height above 0"):
        default_landmarks().landmarks([ASTRONAUT], np.array([box], dtype=np.float64))


@pytest.mark.parametrize("box", [[-900.0, -900, 50, 50], [0, 0, 1e7, 1e7], [250, 250, 1e-3, 1e-3], [1e6, 1e6, 9, 9]])
def test_a_box_without_a_face_gives_no_face(box: list[float]) -> None:
    found = default_landmarks().landmarks([ASTRONAUT], np.array([box], dtype=np.float64))
    assert found.scores[0] < 0.5
    assert np.isfinite(found.points).all()


@pytest.mark.parametrize("content", [None, b"", b"no safetensors at all"])
def test_missing_or_damaged_weights_are_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "w.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"python -m snnface\.app\.landmark_training"):
        LandmarkRegressor.load(path)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"stem.weight": torch.zeros(3)}, tmp_path / "w.safetensors")
    with pytest.raises(CheckpointError, match="should hold the weights of the landmark network"):
        LandmarkRegressor.load(tmp_path / "w.safetensors")


def test_the_shipped_weights_are_small_and_their_error_is_told() -> None:
    assert SHIPPED_WEIGHTS.stat().st_size < 5 * 2**20
    card = json.loads(SHIPPED_WEIGHTS.with_suffix(".json").read_text())
    assert 0 < card["mean_error_percent"] < 3.5
    assert {*card["region_error_percent"]} == {"jaw", "brows", "nose", "eyes", "mouth"}
    assert card["faces_known_as_faces"] > 0.95
    assert card["other_pictures_refused"] > 0.95


def test_the_network_sees_no_brightness_and_no_contrast() -> None:
    patches = torch.rand(2, 96, 96, generator=torch.Generator().manual_seed(0)) * 50 + 60
    net = LandmarkNet().eval()
    with torch.no_grad():
        one, other = (net(normalised(light)).points for light in (patches, 3 * patches - 100))
    torch.testing.assert_close(one, other, atol=0.02, rtol=0)
    assert not normalised(torch.full((1, 96, 96), 77.0)).any()


def test_a_map_with_one_peak_means_its_place() -> None:
    from snnface.faces.detection.network import _mean_and_spread

    maps = torch.full((1, 1, 4, 4), -50.0)
    maps[0, 0, 3, 0] = 50.0
    points, spread = _mean_and_spread(maps)
    torch.testing.assert_close(points[0, 0], torch.tensor([-0.75, 0.75]))
    assert spread.item() < 1e-3
    points, spread = _mean_and_spread(torch.zeros(1, 1, 2, 2))
    torch.testing.assert_close(points[0, 0], torch.zeros(2))
    assert spread.item() == pytest.approx(0.5, abs=1e-4)
