import pickle
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnface.errors import ConfigError, DataError, DatasetNotFoundError, ShapeError
from snnface.faces.detection import read_landmarks, write_tracked_landmarks
from snnface.faces.detection.face_mesh import LANDMARKS68_OF_FACE_MESH
from snnface.faces.detection.tracked import TrackedLandmarks

POINTS = np.random.default_rng(0).uniform(10, 200, (3, 68, 2)).round(4)


def rows(points: np.ndarray, separator: str = " ") -> str:
    return "".join(f"   {x:.7e}{separator}{y:.7e}\n" for x, y in points)


def test_rows_of_x_and_y_are_one_frame_as_in_ck_plus(tmp_path: Path) -> None:
    path = tmp_path / "S005_001_00000001_landmarks.txt"
    path.write_text(rows(POINTS[0], "   ") + "\n")
    tracked = read_landmarks(path)
    assert tracked.valid.tolist() == [True]
    np.testing.assert_allclose(tracked.landmarks[0], POINTS[0])


def test_pts_files_hold_rows_between_braces(tmp_path: Path) -> None:
    path = tmp_path / "a.pts"
    path.write_text(f"version: 1\nn_points: 68\n{{\n{rows(POINTS[0])}}}\n")
    # The upper left pixel is (1, 1) there.
    np.testing.assert_allclose(read_landmarks(path).landmarks[0], POINTS[0] - 1)
    path.write_text(f"version: 1\nn_points: 68\n{{\n{rows(np.zeros((68, 2)))}}}\n")
    assert read_landmarks(path).valid.tolist() == [False]


def test_a_folder_is_a_frame_a_file_in_natural_order(tmp_path: Path) -> None:
    for name, points in zip(("f_9.txt", "f_10.txt", "f_11.txt"), POINTS, strict=True):
        (tmp_path / name).write_text(rows(points))
    (tmp_path / "._f_9.txt").write_bytes(b"\0\5\x16\7")
    tracked = read_landmarks(tmp_path, t_us=np.array([0, 40_000, 80_000]))
    np.testing.assert_allclose(tracked.landmarks, POINTS)
    assert tracked.t_us.tolist() == [0, 40_000, 80_000]


def test_csv_without_a_head_has_x_and_y_in_turn(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("".join(",".join(map(str, frame.reshape(-1))) + "\n" for frame in POINTS))
    np.testing.assert_allclose(read_landmarks(path).landmarks, POINTS)


def test_openface_tables_give_times_and_missing_faces(tmp_path: Path) -> None:
    head = ["frame", " timestamp", " success", *(f" x_{i}" for i in range(68)), *(f" y_{i}" for i in range(68)), " X_0"]
    lines = [[k + 1, k / 25, int(k != 1), *frame[:, 0], *frame[:, 1], 999] for k, frame in enumerate(POINTS)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(",".join(map(str, line)) for line in [head, *lines]))
    tracked = read_landmarks(path)
    assert tracked.t_us.tolist() == [0, 40_000, 80_000]
    assert tracked.valid.tolist() == [True, False, True]
    np.testing.assert_allclose(tracked.landmarks[2], POINTS[2])


HEAD = ",".join(["timestamp", *(f"{axis}_{i}" for axis in "xy" for i in range(68))])
ONES = ",".join(["1"] * 136)


@pytest.mark.parametrize("time", ["nan", "1e300", ""])
def test_a_row_without_a_time_is_told(tmp_path: Path, time: str) -> None:
    (tmp_path / "a.csv").write_text(f"{HEAD}\n{time},{ONES}\n")
    with pytest.raises(DataError, match="a time in each row of 'timestamp'"):
        read_landmarks(tmp_path / "a.csv")


def test_a_column_that_is_there_twice_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"{HEAD},x_0\n5,{ONES},3\n")
    with pytest.raises(DataError, match="'x_0' is there twice"):
        read_landmarks(tmp_path / "a.csv")


def test_a_byte_order_mark_hides_no_column(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"\ufeff{HEAD}\n5,{ONES}\n", encoding="utf-8")
    assert read_landmarks(tmp_path / "a.csv").t_us.tolist() == [5_000_000]


@pytest.mark.parametrize("shape", ["[F, 68, 2]", "[F, 68, 3]", "[68, 2]"])
def test_npy_arrays_are_frames(tmp_path: Path, shape: str) -> None:
    depth = np.concatenate([POINTS, np.ones((3, 68, 1))], 2)
    array = {"[F, 68, 2]": POINTS, "[F, 68, 3]": depth, "[68, 2]": POINTS[0]}[shape].astype(np.float32)
    np.save(tmp_path / "a.npy", array)
    tracked = read_landmarks(tmp_path / "a.npy")
    np.testing.assert_allclose(tracked.landmarks, POINTS[: len(tracked)], rtol=1e-6)


def test_missing_faces_are_nan_or_all_zero(tmp_path: Path) -> None:
    array = POINTS.copy()
    array[0], array[1, 5] = 0, np.nan
    np.save(tmp_path / "a.npy", array)
    assert read_landmarks(tmp_path / "a.npy").valid.tolist() == [False, False, True]


def test_our_own_files_keep_times_and_scores(tmp_path: Path) -> None:
    tracked = TrackedLandmarks.of_points(POINTS, np.array([5, 6, 9]), scores=np.array([0.7, 0.8, 0.9]))
    write_tracked_landmarks(tracked, tmp_path / "a.npz")
    again = read_landmarks(tmp_path / "a.npz")
    assert again.scores.tolist() == [0.7, 0.8, 0.9]
    assert again.t_us.tolist() == [5, 6, 9]


@pytest.mark.parametrize("names", [("landmarks",), ("landmarks", "other")])
def test_npz_files_hold_an_array_called_landmarks_or_one_array(tmp_path: Path, names: tuple[str, ...]) -> None:
    np.savez(tmp_path / "a.npz", **dict.fromkeys(names, POINTS))
    np.testing.assert_allclose(read_landmarks(tmp_path / "a.npz").landmarks, POINTS)


def test_face_meshes_are_mapped_to_the_68_points(tmp_path: Path) -> None:
    mesh = np.random.default_rng(1).uniform(0, 100, (2, 478, 3))
    np.save(tmp_path / "a.npy", mesh)
    np.testing.assert_allclose(read_landmarks(tmp_path / "a.npy").landmarks, mesh[:, LANDMARKS68_OF_FACE_MESH, :2])


def test_a_pickled_dict_is_read_only_with_consent(tmp_path: Path) -> None:
    frames = {"frame_10": POINTS[1], "frame_9": POINTS[0], "frame_11": None}
    np.savez(tmp_path / "landmarks.npz", landmarks=np.array(frames, dtype=object))
    with pytest.raises(ConfigError, match="allow_pickle=True"):
        read_landmarks(tmp_path / "landmarks.npz")
    tracked = read_landmarks(tmp_path / "landmarks.npz", allow_pickle=True)
    assert tracked.valid.tolist() == [True, True, False]
    np.testing.assert_allclose(tracked.landmarks[:2], POINTS[:2])


class _Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("harm"),))


def test_a_pickle_that_wants_to_run_something_is_refused_even_with_consent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "a.npy", np.array({"0": _Harmful()}, dtype=object))
    with pytest.raises(DataError, match="wants to call"):
        read_landmarks(tmp_path / "a.npy", allow_pickle=True)
    assert not (tmp_path / "harm").exists()
    assert pickle.dumps(_Harmful())


@pytest.mark.parametrize(
    ("count", "words"),
    [(66, "without the inner corners of the mouth"), (51, "without the jaw"), (49, "inner corners"), (7, "holds 7.")],
)
def test_other_sets_of_points_are_refused_with_what_they_are(tmp_path: Path, count: int, words: str) -> None:
    path = tmp_path / "a.pts"
    path.write_text(rows(POINTS[0, [*range(count)]]))
    with pytest.raises(DataError, match=f"should hold 68 points a frame; it holds {count}") as caught:
        read_landmarks(path)
    assert words in str(caught.value)


def test_a_row_with_other_than_two_numbers_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1 2\n3 4 5\n")
    with pytest.raises(DataError, match="two numbers, x and y, in each row; row 2 has 3"):
        read_landmarks(tmp_path / "a.txt")
    (tmp_path / "a.txt").write_text("1 2\n3 four\n")
    with pytest.raises(DataError, match="should hold numbers; row 2"):
        read_landmarks(tmp_path / "a.txt")


def test_what_is_not_there_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="there is nothing"):
        read_landmarks(tmp_path / "a.npy")
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"should end in \.pts, \.txt, \.csv, \.npy, \.npz"):
        read_landmarks(tmp_path / "a.png")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=r"a \.pts or \.txt file a frame; there is none"):
        read_landmarks(tmp_path / "folder")
    np.save(tmp_path / "b.npy", np.array(["a", "b"]))
    with pytest.raises(DataError, match=r"points \[frames, 68, 2\]; it holds <U1 \[2\]"):
        read_landmarks(tmp_path / "b.npy")


def test_times_must_be_as_many_as_frames(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", POINTS)
    with pytest.raises(DataError, match="holds 3 frames; got 2 times"):
        read_landmarks(tmp_path / "a.npy", t_us=np.array([0, 1]))


@given(st.binary(max_size=200), st.sampled_from([".pts", ".txt", ".csv", ".npy", ".npz"]), st.booleans())
def test_damage_gives_one_of_our_errors_or_frames(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, suffix: str, allow_pickle: bool
) -> None:
    path = tmp_path_factory.mktemp("hostile") / f"a{suffix}"
    path.write_bytes(data)
    with suppress(DataError, ConfigError, ShapeError):
        assert len(read_landmarks(path, allow_pickle=allow_pickle)) >= 0


@given(st.integers(0, 3000), st.integers(0, 255), st.sampled_from(["npy", "npz", "pickled"]))
def test_one_changed_byte_gives_one_of_our_errors_or_frames(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: int, kind: str
) -> None:
    folder = tmp_path_factory.mktemp("hostile")
    path = folder / f"a.{'npy' if kind == 'npy' else 'npz'}"
    if kind == "npy":
        np.save(path, POINTS)
    elif kind == "npz":
        np.savez_compressed(path, landmarks=POINTS)
    else:
        np.savez(path, landmarks=np.array({"0": POINTS[0]}, dtype=object))
    data = bytearray(path.read_bytes())
    data[place % len(data)] = byte
    path.write_bytes(data)
    with suppress(DataError, ConfigError, ShapeError):
        assert len(read_landmarks(path, allow_pickle=True)) >= 0
