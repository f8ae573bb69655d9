from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from snnface.errors import CheckpointError, DataError
from snnface.faces.presence import event_layout, known_faces, load_known_faces, save_known_faces


def dot(row: int, column: int, count: float = 1.0) -> torch.Tensor:
    pictures = torch.zeros(3, 2, 16, 16)
    pictures[0, 0, row, column] = count
    return pictures


def test_the_layout_is_the_share_of_each_cell() -> None:
    layout = event_layout(dot(0, 0, 3.0) + dot(15, 15, 1.0))
    assert layout[0].item() == pytest.approx(0.75)
    assert layout[-1].item() == pytest.approx(0.25)
    assert layout.sum().item() == pytest.approx(1.0)


def test_the_layout_does_not_depend_on_how_many_events_there_are() -> None:
    torch.testing.assert_close(event_layout(dot(3, 5, 1.0)), event_layout(dot(3, 5, 100.0)))


def test_the_distance_is_the_share_that_would_have_to_move() -> None:
    faces = known_faces([dot(0, 0)], [dot(0, 0)])
    assert faces.distance(dot(0, 0)) == 0.0
    assert faces.distance(dot(0, 0, 3.0) + dot(15, 15, 1.0)) == pytest.approx(0.25)
    assert faces.distance(dot(15, 15)) == pytest.approx(1.0)


def test_what_lies_beyond_the_held_out_faces_is_not_recognised() -> None:
    held_out = [dot(0, 0, 9.0) + dot(2, 2, 1.0)]
    faces = known_faces([dot(0, 0)], held_out)
    assert faces.limit == pytest.approx(0.1)
    assert faces.distance(held_out[0]) <= faces.limit
    assert faces.distance(dot(0, 0, 8.0) + dot(2, 2, 2.0)) > faces.limit


def test_no_events_are_no_face() -> None:
    assert known_faces([dot(0, 0)], [dot(0, 0)]).distance(torch.zeros(3, 2, 16, 16)) == 1.0


def test_training_clips_without_events_are_no_faces() -> None:
    faces = known_faces([dot(0, 0), torch.zeros(3, 2, 16, 16)], [dot(0, 0), torch.zeros(3, 2, 16, 16)])
    assert len(faces.layouts) == 1
    assert faces.limit == 0.0
    assert faces.distance(dot(15, 15)) == pytest.approx(1.0)


def test_a_file_of_another_shape_is_refused(tmp_path: Path) -> None:
    save_file({"layouts": torch.zeros(0, 3), "limit": torch.zeros(1)}, tmp_path / "faces.safetensors")
    with pytest.raises(CheckpointError, match=r"layouts of shape \[0, 3\]"):
        load_known_faces(tmp_path / "faces.safetensors")


def test_known_faces_come_back_from_their_file(tmp_path: Path) -> None:
    faces = known_faces([dot(0, 0), dot(4, 4)], [dot(1, 1)])
    save_known_faces(faces, tmp_path / "faces.safetensors")
    again = load_known_faces(tmp_path / "faces.safetensors")
    torch.testing.assert_close(again.layouts, faces.layouts, atol=5e-4, rtol=0)
    assert again.limit == pytest.approx(faces.limit)


def test_a_missing_or_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "faces.safetensors"
    with pytest.raises(CheckpointError, match=r"there is no .*faces\.safetensors: .* validation subjects"):
        load_known_faces(path)
    path.write_bytes(b"no layouts")
    with pytest.raises(CheckpointError, match="should hold the layouts"):
        load_known_faces(path)


def test_no_training_clips_is_an_error() -> None:
    with pytest.raises(DataError, match="one kind is missing"):
        known_faces([], [dot(0, 0)])
