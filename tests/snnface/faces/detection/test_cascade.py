import numpy as np
import pytest
from skimage import data

from snnface.errors import ConfigError
from snnface.faces.detection import CascadeConfig, CascadeDetector, FaceDetector, overlap

ASTRONAUT_FACE = np.array([180.0, 88.0, 91.0, 90.0])
"""Around brows, chin and cheeks in scikit-image's picture of Eileen Collins (NASA, public domain); by eye."""


def test_the_protocol_is_met() -> None:
    assert isinstance(CascadeDetector(), FaceDetector)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_real_face_is_found(channels: int) -> None:
    found = CascadeDetector().detect(data.astronaut()[..., :channels])
    assert overlap(found.boxes[0], ASTRONAUT_FACE) > 0.6


def test_a_larger_picture_gives_the_same_box_at_its_own_size() -> None:
    larger = np.repeat(np.repeat(data.astronaut(), 2, 0), 2, 1)
    found = CascadeDetector().detect(larger)
    assert overlap(found.boxes[0] / 2, ASTRONAUT_FACE) > 0.6


def test_the_largest_comes_first() -> None:
    scores = CascadeDetector(CascadeConfig(min_neighbours=1)).detect(data.astronaut()).scores
    assert len(scores) > 1
    assert (np.diff(scores) <= 0).all()


@pytest.mark.parametrize("shape", [(1, 1, 1), (24, 24, 3), (40, 300, 1)])
def test_a_picture_without_a_face_gives_no_box(shape: tuple[int, ...]) -> None:
    assert len(CascadeDetector().detect(np.full(shape, 128, np.uint8))) == 0


@pytest.mark.parametrize(
    "wrong", [{"smallest": 0.0}, {"scale_step": 1.0}, {"longest_side_px": 10}, {"min_neighbours": 0}]
)
def test_impossible_searches_are_refused(wrong: dict) -> None:
    with pytest.raises(ConfigError):
        CascadeConfig(**wrong)
