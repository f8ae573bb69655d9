"""`snnface synthesise`: the same bytes whatever the workers and wherever it was killed, and what is refused."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from snnface.app.commands import synthesise as command
from snnface.app.synthesis import estimate, synthesise
from snnface.datasets.recorded.recorded_faces import RecordedFaces
from snnface.datasets.synthesis import PRESETS, preset_named
from snnface.datasets.synthesis.presets import FACEMORPHIC_UNITS, MICRO_UNITS
from snnface.datasets.synthesis.truth import read_truth
from snnface.errors import ConfigError, SnnfaceError
from snnface.faces.files import load_face, open_face, save_face
from snnface.faces.motion import TrajectoryConfig
from snnface.faces.procedural.face import ProceduralFace
from tests.support.small_sets import SMALL_SET, contents

# Recorded by another process, which is killed.
SCRIPT = """
import sys
from pathlib import Path
from snnface.app.synthesis import synthesise
from tests.support.small_sets import SMALL_SET
synthesise(Path(sys.argv[1]), SMALL_SET, num_workers=1)
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("whole") / "set"
    synthesise(root, SMALL_SET, num_workers=1)
    return root


def test_two_processes_make_the_same_bytes_as_one(whole: Path, tmp_path: Path) -> None:
    progress: list[tuple[int, int]] = []
    outcome = synthesise(
        tmp_path / "set", SMALL_SET, num_workers=2, on_progress=lambda done, total: progress.append((done, total))
    )
    assert len(outcome.done) == 4
    assert progress[-1] == (4, 4)
    assert contents(tmp_path / "set") == contents(whole)


def test_another_seed_makes_other_recordings(whole: Path, tmp_path: Path) -> None:
    synthesise(tmp_path / "set", replace(SMALL_SET, seed=4), num_workers=1)
    one, other = contents(whole), contents(tmp_path / "set")
    # The names of frames tell their times, which depend on the light.
    same = {name for name in one if other.get(name) == one[name]}
    assert same == set()


@pytest.mark.parametrize("num_takes", [1, 3])
def test_a_set_that_was_killed_goes_on_to_the_same_bytes(whole: Path, tmp_path: Path, num_takes: int) -> None:
    out = tmp_path / "set"
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(out)], cwd=Path(__file__).parents[3])
    deadline = time.monotonic() + 120
    # Beyond the last whole take another one has begun.
    while len([*out.glob("*/AU_*")]) < num_takes or not [*out.glob("*/.partial-*")]:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "clips.csv").exists()
    assert num_takes <= len([*out.glob("*/AU_*")]) < 4
    outcome = synthesise(out, SMALL_SET, num_workers=1)
    assert len(outcome.skipped) >= num_takes
    assert contents(out) == contents(whole)


def test_what_is_there_is_not_made_again(whole: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(whole, tmp_path / "set"))
    (out / ".set.json.abcdefgh.json").write_text("half")
    outcome = synthesise(out, SMALL_SET, num_workers=1)
    assert (outcome.done, len(outcome.skipped)) == ((), 4)
    assert contents(out) == contents(whole)


def test_the_set_says_what_made_it(whole: Path) -> None:
    settings = json.loads((whole / "set.json").read_text())
    assert (settings["synthetic"], settings["name"], settings["settings"]["seed"]) == (True, "small", 3)
    assert settings["generator_version"] >= 1
    assert settings["face_model"] == "built-in"
    assert settings["settings"]["action_units"] == [12, 51]


def test_a_folder_with_other_settings_is_refused(whole: Path) -> None:
    with pytest.raises(ConfigError, match=r'holds a set with other settings \("seed": 3\)'):
        synthesise(whole, replace(SMALL_SET, seed=4), num_workers=1)


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("")
    with pytest.raises(ConfigError, match="holds other things"):
        synthesise(tmp_path, SMALL_SET, num_workers=1)
    with pytest.raises(ConfigError, match="is a file"):
        synthesise(tmp_path / "thesis.txt", SMALL_SET, num_workers=1)


@pytest.fixture(scope="module")
def face_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("face") / "face.npz"
    save_face(ProceduralFace.build(0.06).mesh, path)
    return path


def test_people_can_have_a_face_from_a_file(whole: Path, face_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"
    synthesise(out, replace(SMALL_SET, num_identities=1), face_path=face_file, num_workers=1)
    face = open_face(face_file)
    truth = read_truth(out / "synthetic000" / "AU_12" / "truth.npz")
    assert truth.expression_names == face.mesh.expression_names
    assert truth.identity.shape == (face.num_shapes,)
    built_in, other = contents(whole), contents(out)
    events = [name for name in other if Path(name).suffix in (".aedat4", ".raw")]
    assert len(events) == 4
    assert all(built_in[name] != other[name] for name in events)
    clips = RecordedFaces(out, frames="rgb").clips
    assert [clip.recording_id for clip in clips] == ["synthetic000/AU_12", "synthetic000/AU_51"]


def test_a_set_of_one_face_is_not_gone_on_with_another(whole: Path, face_file: Path, tmp_path: Path) -> None:
    config = replace(SMALL_SET, num_identities=1, cameras=("davis",), action_units=(51,))
    out = tmp_path / "set"
    assert len(synthesise(out, config, face_path=face_file, num_workers=1).done) == 1
    # Another file with the same face is the same face.
    (tmp_path / "other").mkdir()
    copy = tmp_path / "other" / "face.npz"
    save_face(load_face(face_file), copy)
    assert synthesise(out, config, face_path=copy, num_workers=1).skipped == ("synthetic000/AU_51",)
    mesh = load_face(face_file)
    save_face(replace(mesh, identity=mesh.identity * np.float32(1.01)), copy)
    with pytest.raises(ConfigError, match=r'holds a set with other settings \("sha256"'):
        synthesise(out, config, face_path=copy, num_workers=1)
    with pytest.raises(ConfigError, match=r'with other settings \("face_model": \{; "name": "face\.npz"'):
        synthesise(out, config, num_workers=1)


def test_a_face_that_cannot_show_what_is_asked_for_is_refused_before_anything_is_written(
    face_file: Path, tmp_path: Path
) -> None:
    mesh = load_face(face_file)
    shown = {code: names for code, names in mesh.action_units.items() if code not in (6, 12, 45, 63)}
    save_face(replace(mesh, action_units=shown), tmp_path / "stiff.npz")
    # Asked for 12, along with which goes 6; they blink by themselves, and look around.
    with pytest.raises(ConfigError, match=r"people of small .* in .*stiff\.npz cannot: 6, 12, 45, 63\. Choose"):
        synthesise(tmp_path / "set", SMALL_SET, face_path=tmp_path / "stiff.npz", num_workers=1)
    still = replace(SMALL_SET, trajectory=TrajectoryConfig())
    with pytest.raises(ConfigError, match=r"cannot: 12\. "):
        synthesise(tmp_path / "set", still, face_path=tmp_path / "stiff.npz", num_workers=1)
    assert not (tmp_path / "set").exists()


@pytest.mark.data
def test_a_scanned_face_is_recorded_as_the_built_in_one_is(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    path = Path(request.config.rootpath).parent / "shared" / "data" / "face_model" / "ict_face.npz"
    if not path.is_file():
        pytest.skip("data/face_model is not there")
    config = replace(SMALL_SET, num_identities=1, cameras=("davis", "rgb"), action_units=(12,), clip_ms=570)
    synthesise(tmp_path / "set", config, face_path=path, num_workers=1)
    faces = RecordedFaces(tmp_path / "set", frames="rgb")
    recording = faces.recording("synthetic000/AU_12")
    assert len(recording.required_events()) > 0
    assert recording.frames is not None
    assert np.ptp(recording.frames.pixels.astype(float), axis=(1, 2)).min() > 30


def test_takes_that_fail_are_named_and_the_others_kept(tmp_path: Path) -> None:
    # A file stands where a person's folder should be.
    out = tmp_path / "set"
    synthesise(out, replace(SMALL_SET, cameras=("davis",)), num_workers=1)
    shutil.rmtree(out / "synthetic001")
    (out / "synthetic001").write_text("")
    (out / "clips.csv").unlink()
    with pytest.raises(SnnfaceError, match=r"(?s)2 of 4 jobs failed.*synthetic001/AU_12"):
        synthesise(out, replace(SMALL_SET, cameras=("davis",)), num_workers=1)
    assert not (out / "clips.csv").exists()
    assert len([*out.glob("synthetic000/AU_*")]) == 2


def test_the_presets_are_those_of_the_papers() -> None:
    assert set(PRESETS) == {"faces-mini", "micro", "facemorphic", "valence-arousal", "emotions"}
    micro, posed = preset_named("micro"), preset_named("facemorphic")
    assert (len(MICRO_UNITS), micro.num_identities, micro.num_evk4, micro.trajectory.regime) == (21, 12, 3, "micro")
    assert (len(FACEMORPHIC_UNITS), posed.repetitions, posed.trajectory.regime) == (24, 2, "posed")
    assert (str(posed.evk4), str(posed.rgb)) == ("1280x720", "640x480")
    assert preset_named("valence-arousal").action_units == preset_named("emotions").action_units == ()
    with pytest.raises(ConfigError, match=r"unknown preset 'mikro'\. Did you mean 'micro'"):
        preset_named("mikro")


def test_an_estimate_grows_with_the_people() -> None:
    one, two = (estimate(replace(preset_named("faces-mini"), num_identities=count)) for count in (5, 10))
    assert (one.num_takes, two.num_takes) == (40, 80)
    assert two.core_seconds == pytest.approx(2 * one.core_seconds)
    assert two.num_bytes == pytest.approx(2 * one.num_bytes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"action_units": (12, 12)}, "must differ"),
        ({"action_units": (3,)}, "there is no action unit 3"),
        ({"num_identities": 0}, "num_identities must be at least 1; got 0"),
        ({"cameras": ("rgb",)}, "davis or evk4 among them; got rgb"),
        ({"cameras": ("davis", "davis")}, "must be different ones"),
        ({"clip_ms": 300}, "takes of the micro regime last at least"),
        ({"num_evk4": -1}, "num_evk4 must be at least 0"),
        ({"fps": 0.0}, r"fps must be 1\.\.1000"),
        ({"distractor_share": 1.5}, r"distractor_share is a probability, 0\.\.1; got 1\.5"),
        ({"seed": -1}, "seed must be at least 0"),
    ],
)
def test_wrong_settings_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(SMALL_SET, **changes)


def test_the_command_records_a_set_that_the_loader_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "preset_named", lambda name: SMALL_SET)
    out = str(tmp_path / "set")
    arguments = ["--preset", "faces-mini", "--out", out, "--num-identities", "1", "--workers", "1", "--seed", "3"]
    command.main([*arguments, "--cameras", "davis", "rgb"])
    printed = capsys.readouterr()
    assert "2 takes of 1 people: about 0 minutes of a core" in printed.err
    assert f"2 takes recorded, 0 were there already; {out}{os.sep}clips.csv" in printed.out
    command.main([*arguments, "--cameras", "davis", "rgb", "--json"])
    assert json.loads(capsys.readouterr().out)["skipped"] == ["synthetic000/AU_12", "synthetic000/AU_51"]
    faces = RecordedFaces(tmp_path / "set", frames="rgb")
    assert len(faces.clips) == 2
    assert not (tmp_path / "set" / "synthetic000" / "AU_12" / "davis_frames").exists()
