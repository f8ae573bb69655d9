"""Files appear whole or not at all."""

from pathlib import Path

import pytest

from snnface.errors import DataError
from snnface.files import atomic_path, atomic_target, read_text, write_text


def test_the_target_of_a_temporary_file_is_known(tmp_path: Path) -> None:
    for name in ("face.h5", "face", "face.h5.json", "a.b"):
        with atomic_path(tmp_path / name) as temporary:
            assert atomic_target(temporary) == tmp_path / name


@pytest.mark.parametrize("name", ["face.h5", ".face.h5", ".face.h5.a1b2c3d4.csv", ".face.h5.short.h5", ".gitignore"])
def test_other_files_are_no_temporary_ones(name: str) -> None:
    assert atomic_target(Path(name)) is None


def test_a_refusal_of_the_disk_names_the_file_that_was_to_be() -> None:
    with pytest.raises(DataError, match=r"^/proc/face\.json could not be written \(.*\); nothing half-written"):
        write_text(Path("/proc/face.json"), "{}")


def test_a_full_disk_names_the_file_that_was_to_be(tmp_path: Path) -> None:
    refused = pytest.raises(DataError, match=r"face\.json could not be written \(No space left on device\)")
    with refused, atomic_path(tmp_path / "face.json"):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_an_error_about_another_file_passes(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "face.json"):
        (tmp_path / "gone").read_text()


def test_a_folder_in_the_place_of_a_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="should be a text file; it cannot be read: Is a directory"):
        read_text(tmp_path)
