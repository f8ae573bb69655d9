"""Driving v2e, against a stand-in command that knows v2e's options."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from snnface.errors import BackendUnavailableError, ConfigError, DataError, DatasetNotFoundError
from snnface.events import Resolution
from snnface.events.emulator import EMULATOR_PRESETS, EmulatorConfig
from snnface.events.v2e import run_v2e, v2e_command

SENSOR = Resolution(height=4, width=6)

# Its options with their types are those of v2e's help text; one that v2e does not have is an error as it is there.
STAND_IN = """#!{python}
import argparse, json, os, sys
import h5py, numpy as np

def boolean(text):
    return {{"true": True, "false": False}}[text.lower()]

parser = argparse.ArgumentParser(allow_abbrev=False)
for name in ("pos_thres", "neg_thres", "sigma_thres", "cutoff_hz", "leak_rate_hz", "shot_noise_rate_hz",
             "leak_jitter_fraction", "noise_rate_cov_decades", "refractory_period", "input_frame_rate"):
    parser.add_argument("--" + name, type=float)
for name in ("output_width", "output_height", "dvs_emulator_seed"):
    parser.add_argument("--" + name, type=int)
for name in ("output_in_place", "unique_output_folder"):
    parser.add_argument("--" + name, type=boolean, const=True, nargs="?", default=True)
for name in ("overwrite", "skip_video_output", "no_preview", "photoreceptor_noise", "hdr", "disable_slomo"):
    parser.add_argument("--" + name, action="store_true")
for name in ("input", "output_folder", "slomo_model", "dvs_h5", "dvs_aedat2", "dvs_text"):
    parser.add_argument("--" + name)
args = parser.parse_args()
assert not (args.overwrite and args.unique_output_folder)
assert not args.output_in_place and os.path.exists(args.input)
print("v2e works in", args.output_folder)
if "fails" in args.input:
    print("CUDA out of patience", file=sys.stderr)
    sys.exit(0 if "quietly" in args.input else 3)
json.dump(vars(args), open(os.path.join(args.output_folder, "seen.json"), "w"))
events = np.array([[1000, 5, 3, 1], [1500, 0, 0, 0], [1500, 2, 1, 1]], np.uint32)
with h5py.File(os.path.join(args.output_folder, args.dvs_h5), "w") as file:
    file.create_dataset("events", data=events, maxshape=(None, 4), compression="gzip")
"""


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with videos, and the stand-in as `v2e` on the path."""
    program = tmp_path / "bin" / "v2e"
    program.parent.mkdir()
    program.write_text(STAND_IN.format(python=sys.executable), encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    for name in ("face.mp4", "fails.mp4", "fails quietly.mp4", "slomo.ckpt"):
        (tmp_path / name).write_bytes(b"\0")
    return tmp_path


def test_v2e_is_run_and_its_events_are_read(bench: Path) -> None:
    events = run_v2e(bench / "face.mp4", bench / "new" / "out", EmulatorConfig(), resolution=SENSOR)
    assert events.resolution == SENSOR
    assert (events.x.tolist(), events.y.tolist()) == ([5, 0, 2], [3, 0, 1])
    assert (events.t_us.tolist(), events.polarity.tolist()) == ([1000, 1500, 1500], [True, False, True])
    assert sorted(path.name for path in (bench / "new" / "out").iterdir()) == ["events.h5", "seen.json", "v2e.log"]
    assert [path.name for path in (bench / "new").iterdir()] == ["out"]


def test_v2e_gets_the_model_of_the_camera(bench: Path) -> None:
    config = EmulatorConfig(
        theta_on=0.15, theta_off=0.25, threshold_spread=0.03, cutoff_hz=200.0, leak_rate_hz=0.1, leak_jitter=0.2,
        leak_spread_decades=0.3, shot_noise_rate_hz=5.0, shot_noise="photoreceptor", refractory_us=500, input="log",
    )  # fmt: skip
    run_v2e(
        bench / "face.mp4",
        bench / "out",
        config,
        resolution=SENSOR,
        seed=41,
        fps=120.0,
        slomo_model=bench / "slomo.ckpt",
    )
    seen = json.loads((bench / "out" / "seen.json").read_text(encoding="utf-8"))
    expected = {
        "pos_thres": 0.15, "neg_thres": 0.25, "sigma_thres": 0.03, "cutoff_hz": 200.0, "leak_rate_hz": 0.1,
        "leak_jitter_fraction": 0.2, "noise_rate_cov_decades": 0.3, "shot_noise_rate_hz": 5.0,
        "photoreceptor_noise": True, "refractory_period": 0.0005, "hdr": True, "dvs_emulator_seed": 42,
        "input_frame_rate": 120.0, "output_width": 6, "output_height": 4, "disable_slomo": False,
        "slomo_model": str(bench / "slomo.ckpt"), "dvs_aedat2": "None", "dvs_text": "None", "no_preview": True,
        "skip_video_output": True,
    }  # fmt: skip
    assert {name: seen[name] for name in expected} == expected


def test_plain_settings_switch_nothing_on(bench: Path) -> None:
    run_v2e(bench / "face.mp4", bench / "out", EMULATOR_PRESETS["noisy"], resolution=SENSOR)
    seen = json.loads((bench / "out" / "seen.json").read_text(encoding="utf-8"))
    assert (seen["photoreceptor_noise"], seen["hdr"], seen["disable_slomo"]) == (False, False, True)
    # 0 would mean a seed from the clock.
    assert seen["dvs_emulator_seed"] == 1
    assert seen["input_frame_rate"] is None


@pytest.mark.parametrize(("name", "status"), [("fails.mp4", 3), ("fails quietly.mp4", 0)])
def test_a_failure_is_told_in_the_words_of_v2e_and_leaves_nothing(bench: Path, name: str, status: int) -> None:
    with pytest.raises(DataError, match=rf"v2e ended with status {status} and no events.*CUDA out of patience"):
        run_v2e(bench / name, bench / "out", EmulatorConfig(), resolution=SENSOR)
    assert not (bench / "out").exists()
    assert not [path for path in bench.iterdir() if path.name.startswith(".")]


def test_an_existing_folder_is_left_alone(bench: Path) -> None:
    (bench / "out").mkdir()
    with pytest.raises(ConfigError, match="for v2e's files exists already; give one that does not"):
        run_v2e(bench / "face.mp4", bench / "out", EmulatorConfig(), resolution=SENSOR)


def test_what_is_missing_is_named(bench: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match=r"there is no file or folder .*absent.mp4"):
        run_v2e(bench / "absent.mp4", bench / "out", EmulatorConfig(), resolution=SENSOR)
    with pytest.raises(DatasetNotFoundError, match=r"there is no file or folder .*absent.ckpt"):
        run_v2e(
            bench / "face.mp4", bench / "out", EmulatorConfig(), resolution=SENSOR, slomo_model=bench / "absent.ckpt"
        )
    with pytest.raises(
        BackendUnavailableError, match=r"no command 'v2e9' on the path, so v2e cannot be run. Install v2e"
    ):
        run_v2e(bench / "face.mp4", bench / "out", EmulatorConfig(), resolution=SENSOR, program="v2e9")


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ConfigError, match="seed must be at least 0; got -1"):
        v2e_command(Path("a"), Path("b"), EmulatorConfig(), resolution=SENSOR, seed=-1)


def test_every_value_is_part_of_its_option() -> None:
    # So that a path that begins with a dash is not taken for an option.
    command = v2e_command(Path("-a.mp4"), Path("b"), EmulatorConfig(), resolution=SENSOR)
    assert "--input=-a.mp4" in command
    assert np.all([option.startswith("--") for option in command])
