"""Face models from files: what is written comes back, what others wrote is understood, and damage is told."""

import json
import pickle
import sys
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from snnface.arrays import read_arrays, write_arrays
from snnface.errors import ConfigError, DataError, DatasetNotFoundError
from snnface.faces.action_units import ACTION_UNITS
from snnface.faces.complexion import Complexion
from snnface.faces.files import MeshFace, load_blendshapes, load_face, load_flame, open_face, save_face
from snnface.faces.files.arkit import arkit_action_units
from snnface.faces.landmarks import mean_landmarks
from snnface.faces.model import FaceMesh, MorphableFace
from snnface.faces.procedural.face import ProceduralFace
from snnface.faces.rendering.colour import luminance

ARRAYS = ("mean", "triangles", "identity", "identity_std", "expression", "landmark_vertices", "landmark_weights")


@pytest.fixture(scope="module")
def built_in() -> FaceMesh:
    return ProceduralFace.build(0.06).mesh


@pytest.fixture(scope="session")
def ict_face(request: pytest.FixtureRequest) -> Path:
    path = Path(request.config.rootpath).parent / "shared" / "data" / "face_model" / "ict_face.npz"
    if not path.exists():
        pytest.skip("the ICT-FaceKit mesh in ../shared is absent")
    return path


def cube(landmarks: int = 68) -> dict[str, np.ndarray]:
    """The smallest file that is a face model: 68 points that are vertices, two triangles."""
    return {
        "mean": mean_landmarks(),
        "triangles": np.array([[0, 1, 2], [2, 3, 4]]),
        "landmarks68": np.arange(landmarks),
    }


ONE_EXPRESSION = {"expression": np.zeros((1, 68, 3)), "expression_names": np.array(["a"])}


def test_what_is_saved_is_loaded(tmp_path: Path, built_in: FaceMesh) -> None:
    save_face(built_in, tmp_path / "face.npz")
    read = load_face(tmp_path / "face.npz")
    for name in (*ARRAYS, "part", "albedo"):
        np.testing.assert_array_equal(getattr(read, name), getattr(built_in, name))
    assert read.expression_names == built_in.expression_names
    assert {code: dict(weights) for code, weights in read.action_units.items()} == built_in.action_units


def test_a_mesh_with_68_points_is_enough(tmp_path: Path) -> None:
    write_arrays(tmp_path / "face.npz", cube())
    face = load_face(tmp_path / "face.npz")
    np.testing.assert_allclose(face.landmarks(face.mean), mean_landmarks(), atol=1e-6)
    assert len(face.identity) == len(face.expression) == 0
    assert face.action_units == {}
    assert face.eye_distance == pytest.approx(1.0)


def test_points_inside_triangles_are_weighted_means(tmp_path: Path) -> None:
    arrays = cube()
    del arrays["landmarks68"]
    arrays["triangles"] = (np.arange(68)[:, None] + [0, 1, 2]) % 68
    arrays["landmark_faces"] = np.arange(68)
    arrays["landmark_barycentric"] = np.tile([0.5, 0.25, 0.25], (68, 1))
    write_arrays(tmp_path / "face.npz", arrays)
    face = load_face(tmp_path / "face.npz")
    marks = mean_landmarks()
    np.testing.assert_allclose(face.landmarks(face.mean)[60], marks[[60, 61, 62]].T @ [0.5, 0.25, 0.25], atol=1e-6)


def test_a_quantised_basis_is_scaled(tmp_path: Path) -> None:
    quantised = np.zeros((1, 68, 3), np.int16)
    quantised[0, 5] = (100, -200, 300)
    arrays = {
        **cube(),
        "expression_q": quantised,
        "expression_scale": np.array([0.01]),
        "expression_names": np.array(["jawOpen"]),
    }
    write_arrays(tmp_path / "face.npz", arrays)
    face = load_face(tmp_path / "face.npz")
    np.testing.assert_allclose(face.expression[0, 5], (1, -2, 3), rtol=1e-6)
    assert face.action_units[27] == {"jawOpen": 1.0}
    assert face.action_units[26] == {"jawOpen": 0.4}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"landmarks68": np.arange(67)}, r"landmarks68 must be of shape \[68\]; it is \[67\]"),
        ({"landmarks68": np.arange(1, 69)}, "landmarks68 must index 68 vertices; got 1..68"),
        ({"triangles": np.array([[0, 1, 99]])}, "triangles must index 68 vertices"),
        ({"mean": np.full((68, 3), np.nan)}, "mean must be finite numbers of single precision; some are not"),
        ({"mean": mean_landmarks() * 1e300}, "mean must be finite numbers of single precision"),
        ({"mean": mean_landmarks() * 0}, "outer eye corners must be apart"),
        ({"mean": mean_landmarks() * 0, "albedo": np.ones(68)}, "points 36 and 45, must be apart"),
        ({"albedo": np.full(68, 1.5)}, r"reflectances lie in 0\.\.1; got 1\.5\.\.1\.5"),
        ({"identity": np.zeros((1, 68, 3)), "identity_std": np.full(1, np.inf)}, "identity_std must be finite"),
        ({"expression_q": np.full((1, 68, 3), 100), "expression_scale": np.full(1, 1e38)}, "face's expression"),
        ({"expression_q": np.ones((1, 68, 3), np.int8)}, "it lacks 'expression_scale'"),
        ({"expression_names": np.array("a")}, "expression_names must be a list"),
        ({"part": np.full(68, 2), "part_names": np.array(["skin"])}, r"part must index 1 names; got 2\.\.2"),
        ({"part": np.full(68, -1)}, "part must index"),
        ({"action_units": np.array('{"12": [1]}')}, "action units should look like"),
        ({"action_units": np.array("[" * 100_000)}, "action units should look like"),
        (
            {"action_units": np.array('{"12": {"a": NaN}}'), **ONE_EXPRESSION},
            "weight of an action unit must be a finite",
        ),
        ({"mean": np.array(["x"])}, "mean must be numbers"),
        ({"identity": np.zeros((2, 67, 3))}, r"identity must be of shape \[any, 68, 3\]"),
        ({"identity": np.zeros((1, 68, 3)), "identity_std": np.zeros(1)}, "positive spread"),
        ({"expression": np.zeros((1, 68, 3)), "expression_names": np.array(["a", "b"])}, "as many names"),
        ({"action_units": np.array('{"12": {"smile": 1}}')}, "expressions that are not there: smile"),
        ({"action_units": np.array("{")}, "is no face model"),
        ({"part": np.full(68, 40)}, "is no face model"),
    ],
)
def test_what_is_wrong_in_a_file_is_told(tmp_path: Path, change: dict, message: str) -> None:
    write_arrays(tmp_path / "face.npz", {**cube(), **change})
    with pytest.raises(DataError, match=message):
        load_face(tmp_path / "face.npz")


def test_a_mesh_without_points_is_refused(tmp_path: Path) -> None:
    write_arrays(tmp_path / "face.npz", {k: v for k, v in cube().items() if k != "landmarks68"})
    with pytest.raises(DataError, match="it has no landmarks"):
        load_face(tmp_path / "face.npz")


@pytest.mark.parametrize(
    "names", [["mouthSmile_L", "mouthSmile_R"], ["mouthSmileLeft", "mouthSmileRight"], ["mouthSmile"]]
)
def test_a_smile_is_found_however_its_sides_are_named(names: list[str]) -> None:
    assert arkit_action_units(names) == {12: dict.fromkeys(names, 1.0)}


def test_looking_left_takes_one_shape_of_each_eye() -> None:
    names = [f"eyeLook{way}_{side}" for way in ("In", "Out") for side in "LR"]
    assert arkit_action_units(names) == {
        61: {"eyeLookOut_L": 1.0, "eyeLookIn_R": 1.0},
        62: {"eyeLookOut_R": 1.0, "eyeLookIn_L": 1.0},
    }


def test_a_unit_with_a_missing_part_is_left_out() -> None:
    assert 23 not in arkit_action_units(["mouthRollLower", "mouthRollUpper"])


# -- a folder of blendshapes


def write_obj(path: Path, vertices: np.ndarray, faces: tuple[str, ...] = ("f 1/1 2/2 3/3 4/4", "f -1 -2 -3")) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["# a mesh", "o face", *(f"v {x} {y} {z}" for x, y, z in vertices), "vn 0 0 1", *faces]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    base, offset = mean_landmarks() * 10, np.zeros((68, 3))
    offset[48] = (0, 1, 0)
    write_obj(tmp_path / "generic_neutral_mesh.obj", base)
    write_obj(tmp_path / "mouthSmile_R.obj", base + offset)
    write_obj(tmp_path / "mouthSmile_L.obj", base - offset)
    write_obj(tmp_path / "identity000.obj", base * 1.1)
    (tmp_path / "extra").mkdir()
    (tmp_path / "extra" / "chin.target").write_text("# MakeHuman\n8 0 -0.5 0.25\n\n", encoding="utf-8")
    (tmp_path / "vertex_indices.json").write_text(json.dumps({"idx_to_landmark_verts": list(range(68))}))
    return tmp_path


def test_a_folder_of_blendshapes_is_a_face(folder: Path) -> None:
    face = load_blendshapes(folder)
    assert face.expression_names == ("chin", "mouthSmile_L", "mouthSmile_R")
    np.testing.assert_allclose(face.expression[2, 48], (0, 1, 0), atol=1e-5)
    np.testing.assert_allclose(face.expression[0, 8], (0, -0.5, 0.25))
    np.testing.assert_allclose(face.identity[0], mean_landmarks(), atol=1e-5)
    # A quad is two triangles; a corner may be counted from the end.
    assert face.triangles.tolist() == [[0, 1, 2], [0, 2, 3], [67, 66, 65]]
    assert face.action_units[12] == {"mouthSmile_L": 1.0, "mouthSmile_R": 1.0}
    assert face.eye_distance == pytest.approx(10.0)


def test_action_units_may_be_told_in_a_file(folder: Path) -> None:
    (folder / "action_units.json").write_text('{"17": {"chin": 0.5}}')
    assert load_blendshapes(folder).action_units == {17: {"chin": 0.5}}


def test_points_given_by_the_caller_come_first(folder: Path) -> None:
    face = load_blendshapes(folder, landmarks68=tuple(range(67, -1, -1)))
    assert face.landmark_vertices[0].tolist() == [67, 67, 67]


def test_a_shape_with_other_vertices_has_no_correspondence(folder: Path) -> None:
    write_obj(folder / "mouthSmile_L.obj", mean_landmarks()[:60])
    with pytest.raises(DataError, match=r"mouthSmile_L.obj has 60 vertices and the neutral mesh 68"):
        load_blendshapes(folder)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("jawOpen.obj", "v 1 2\n", "line 1: 'v 1 2' is no vertex or face"),
        ("jawOpen.obj", "hello\n", "it holds no vertex"),
        ("jawOpen.obj", "v 1 2 nan\n", "line 1: 'v 1 2 nan' is no vertex or face"),
        ("jawOpen.obj", "v 1 2 1e300\n", "expected three numbers below"),
        ("generic_neutral_mesh.obj", "v 0 0 0\nf 1 2 99999999999\n", "line 2.*corners count from 1"),
        ("generic_neutral_mesh.obj", "v 0 0 0\nf -5 1 1\n", "line 2.*corners count from 1"),
        ("jawOpen.target", "70 0 0 0\n", "expected a vertex below 68"),
        ("jawOpen.target", "7 0 0 inf\n", "expected three numbers"),
        ("action_units.json", "[]", "should look like"),
        ("action_units.json", "{", "should look like"),
        ("landmarks68.json", "{", "should be JSON"),
        ("landmarks68.json", "[" * 100_000, "should be JSON"),
        ("landmarks68.json", "[1, 2]", "it lists 2, 2 of them such"),
        ("landmarks68.json", json.dumps(["x"] * 68), "it lists 68, 0 of them such"),
    ],
)
def test_a_damaged_file_of_the_folder_is_named(folder: Path, name: str, text: str, message: str) -> None:
    (folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=rf"{name}.*{message}"):
        load_blendshapes(folder)


def test_two_shapes_of_one_name_are_refused(folder: Path) -> None:
    (folder / "chin.target").write_text("8 0 0.5 0\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"chin\.target and .*chin\.target are two shapes of one name"):
        load_blendshapes(folder)


def test_a_shape_that_is_a_folder_or_a_dead_link_is_named(folder: Path) -> None:
    (folder / "a.obj").mkdir()
    with pytest.raises(DataError, match=r"a\.obj should be a text file; it cannot be read"):
        load_blendshapes(folder)
    (folder / "a.obj").rmdir()
    (folder / "b.obj").symlink_to(folder / "none")
    with pytest.raises(DataError, match=r"b\.obj cannot be read"):
        load_blendshapes(folder)


def test_triangles_of_missing_vertices_name_the_folder(folder: Path) -> None:
    write_obj(folder / "generic_neutral_mesh.obj", mean_landmarks() * 10, ("f 1 2 69",))
    with pytest.raises(DataError, match=f"{folder.name} is no folder of blendshapes.*triangles must index 68"):
        load_blendshapes(folder)


def test_a_face_whose_lip_corners_are_one_vertex_is_painted(folder: Path) -> None:
    marks = list(range(68))
    marks[60], marks[64], marks[18] = 48, 54, 17
    face = load_blendshapes(folder, landmarks68=tuple(marks))
    assert np.isfinite(face.albedo).all()


def test_a_folder_without_points_or_neutral_mesh_is_refused(folder: Path) -> None:
    (folder / "vertex_indices.json").unlink()
    with pytest.raises(DataError, match="names no 68 points"):
        load_blendshapes(folder)
    (folder / "generic_neutral_mesh.obj").unlink()
    with pytest.raises(DatasetNotFoundError, match="holds no neutral mesh"):
        load_blendshapes(folder)
    with pytest.raises(DatasetNotFoundError, match="no such folder"):
        load_blendshapes(folder / "none")


# -- FLAME


class Ch:
    """What chumpy's class pickles as."""

    def __init__(self, x: np.ndarray) -> None:
        self.x, self._dirty_vars = x, set()

    def __getstate__(self) -> dict:
        return {"x": self.x, "_itr": 0}


@pytest.fixture
def chumpy(monkeypatch: pytest.MonkeyPatch) -> type:
    module = types.ModuleType("chumpy.ch")
    module.Ch = Ch  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "chumpy", types.ModuleType("chumpy"))
    monkeypatch.setitem(sys.modules, "chumpy.ch", module)
    monkeypatch.setattr(Ch, "__module__", "chumpy.ch")
    return Ch


def write_flame(folder: Path, chumpy: type, protocol: int) -> tuple[Path, Path]:
    """A head of 68 vertices with 300 + 100 modes, and its landmark embedding."""
    shapes = np.zeros((68, 3, 400))
    shapes[:, 0, 0], shapes[:, 1, 300] = 0.01, 0.02
    triangles = np.stack([np.arange(68), (np.arange(68) + 1) % 68, (np.arange(68) + 2) % 68], 1).astype(np.uint32)
    model = {
        "v_template": chumpy(mean_landmarks() / 10),
        "f": triangles,
        "shapedirs": chumpy(shapes),
        "posedirs": np.zeros((68, 3, 36)),
        "bs_type": "lrotmin",
    }
    (folder / "flame.pkl").write_bytes(pickle.dumps(model, protocol))
    embedding = {
        "full_lmk_faces_idx": np.arange(68)[None],
        "full_lmk_bary_coords": np.tile([1.0, 0.0, 0.0], (1, 68, 1)),
    }
    np.save(folder / "embedding.npy", embedding, allow_pickle=True)  # type: ignore[arg-type]
    return folder / "flame.pkl", folder / "embedding.npy"


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_flame_is_read_without_chumpy(
    tmp_path: Path, chumpy: type, protocol: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, embedding = write_flame(tmp_path, chumpy, protocol)
    monkeypatch.delitem(sys.modules, "chumpy.ch")
    face = load_flame(model, embedding, allow_pickle=True, num_identity=10, num_expression=5)
    assert (len(face.identity), len(face.expression), face.action_units) == (10, 5, {})
    assert face.eye_distance == pytest.approx(0.1)
    np.testing.assert_allclose(face.identity[0], np.tile([0.01, 0, 0], (68, 1)))
    np.testing.assert_allclose(face.expression[0], np.tile([0, 0.02, 0], (68, 1)))
    np.testing.assert_allclose(face.landmarks(face.mean) * 10, mean_landmarks(), atol=1e-6)


def test_flame_needs_consent_and_its_arrays(tmp_path: Path, chumpy: type) -> None:
    model, embedding = write_flame(tmp_path, chumpy, 2)
    with pytest.raises(ConfigError, match="read only if you allow it"):
        load_flame(model, embedding, allow_pickle=False)
    model.write_bytes(pickle.dumps({"v_template": np.zeros((4, 3))}, 2))
    with pytest.raises(DataError, match="should hold FLAME's f, an array of numbers"):
        load_flame(model, embedding, allow_pickle=True)
    model.write_bytes(pickle.dumps([1], 2))
    with pytest.raises(DataError, match="should hold a dictionary"):
        load_flame(model, embedding, allow_pickle=True)


def test_an_embedding_that_misses_the_mesh_is_refused(tmp_path: Path, chumpy: type) -> None:
    model, embedding = write_flame(tmp_path, chumpy, 2)
    np.save(
        embedding,
        {"full_lmk_faces_idx": np.full(68, 99), "full_lmk_bary_coords": np.ones((68, 3)) / 3},
        allow_pickle=True,
    )  # type: ignore[arg-type]
    with pytest.raises(DataError, match="should place 68 points on 68 triangles"):
        load_flame(model, embedding, allow_pickle=True)
    with pytest.raises(DataError, match="cannot be read"):
        load_flame(model, tmp_path / "none.npy", allow_pickle=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"f": np.zeros((4, 4), int)}, r"should hold f \[F, 3\]"),
        ({"f": np.zeros((4, 3))}, r"whole numbers; it has float64 \[4, 3\]"),
        ({"f": np.full((4, 3), 2**32)}, "triangles of 68 vertices; f has others"),
        ({"v_template": np.full((68, 3), np.nan)}, "some of v_template are not"),
        ({"shapedirs": np.full((68, 3, 1), 1e300)}, "some of shapedirs are not"),
    ],
)
def test_arrays_of_a_flame_that_fit_no_mesh_are_refused(
    tmp_path: Path, chumpy: type, change: dict, message: str
) -> None:
    model, embedding = write_flame(tmp_path, chumpy, 2)
    model.write_bytes(pickle.dumps({**pickle.loads(model.read_bytes()), **change}, 2))
    with pytest.raises(DataError, match=message):
        load_flame(model, embedding, allow_pickle=True)


@pytest.mark.parametrize(
    ("faces", "weights"),
    [(np.arange(68.0), np.ones((68, 3))), (np.arange(68), np.ones((67, 3))), ("x", "y"), (np.arange(68), None)],
)
def test_an_embedding_of_other_things_is_refused(tmp_path: Path, chumpy: type, faces: object, weights: object) -> None:
    model, embedding = write_flame(tmp_path, chumpy, 2)
    content = {"full_lmk_faces_idx": faces, "full_lmk_bary_coords": weights}
    np.save(embedding, content, allow_pickle=True)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="should hold 68 whole numbers and 68 x 3 weights"):
        load_flame(model, embedding, allow_pickle=True)


# -- as a face that people are drawn from


def test_a_mesh_of_any_unit_is_scaled_to_eye_distances(tmp_path: Path, built_in: FaceMesh) -> None:
    large = replace(
        built_in, mean=built_in.mean * 8 + 3, identity=built_in.identity * 8, expression=built_in.expression * 8
    )
    save_face(large, tmp_path / "face.npz")
    face = open_face(tmp_path / "face.npz")
    assert isinstance(face, MorphableFace)
    np.testing.assert_allclose(face.mesh.mean, built_in.in_eye_distances().mean, atol=1e-5)
    np.testing.assert_allclose(face.mesh.landmarks(face.mesh.mean)[[36, 45]].mean(0), 0, atol=1e-6)
    shape = np.linspace(-1, 1, face.num_shapes)
    np.testing.assert_allclose(face.coefficients(shape), shape * built_in.identity_std)
    np.testing.assert_allclose(face.mesh.identity, built_in.in_eye_distances().identity, atol=1e-5)


def test_only_faces_are_opened(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="load_flame and save_face"):
        open_face(tmp_path / "flame.pkl")


def test_the_ict_head_shows_every_unit_of_the_face(ict_face: Path) -> None:
    face = open_face(ict_face).mesh
    assert len(face.mean) == 22321
    assert (len(face.identity), len(face.expression)) == (50, 55)
    # The table of mean positions was measured on this head.
    np.testing.assert_allclose(face.landmarks(face.mean), mean_landmarks(), atol=0.012)
    wanted = {code for code, unit in ACTION_UNITS.items() if unit.kind != "head"}
    assert wanted == set(face.action_units)


def test_the_ict_head_is_painted(ict_face: Path) -> None:
    face = open_face(ict_face)
    light = luminance(face.albedo(Complexion(skin=0.6, brows=0.1, hair=0.05)))
    points = face.mesh.mean

    def at(x: float, y: float, z: float) -> float:
        return float(light[np.abs(points - (x, y, z)).sum(1).argmin()])

    assert at(-0.43, 0.31, 0.14) < 0.3  # brow
    assert at(-0.4, -0.4, 0.14) == pytest.approx(0.6, abs=0.02)  # cheek
    assert at(0.0, 1.2, -0.7) == pytest.approx(0.05, abs=0.02)  # hair


def test_arrays_of_a_saved_face_are_plain(tmp_path: Path, built_in: FaceMesh) -> None:
    save_face(built_in, tmp_path / "face.npz")
    assert not any(array.dtype.hasobject for array in read_arrays(tmp_path / "face.npz").values())


def test_a_part_of_another_name_is_skin(tmp_path: Path) -> None:
    write_arrays(
        tmp_path / "x.npz",
        {**cube(), "part": np.r_[np.zeros(60, int), np.ones(8, int)], "part_names": np.array(["face", "sclera_l"])},
    )
    mesh = MeshFace.of(load_face(tmp_path / "x.npz")).mesh
    assert set(mesh.part.tolist()) == {0, 2}
