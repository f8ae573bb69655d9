"""`snnface emulate VIDEO`: the events are those of the emulator, and the account tells what made them."""

import json
import logging
import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from snnface.app import emulation
from snnface.app.cli import main
from snnface.app.emulation import EmulationConfig, account_path, emulate_video
from snnface.app.movies import create_movie
from snnface.errors import ConfigError, DataError
from snnface.events import Emulator, EmulatorConfig, Resolution, read
from snnface.events.emulator import EMULATOR_PRESETS
from snnface.events.pictures import WHITE
from snnface.events.upsampling import UpsamplingConfig

IDEAL = EmulatorConfig()
ALONE = UpsamplingConfig(method="none", cut_distance=None)
# The command line for the same.
PLAIN = ("--preset", "ideal", "--upsampling.method", "none", "--upsampling.cut-distance", "None")


def write_frames(path: Path, values: list[int], side: int = 2, step_us: int = 1000) -> Path:
    """Uniform frames with these values, one a millisecond."""
    frames = np.array(values, np.uint8)[:, None, None].repeat(side, axis=1).repeat(side, axis=2)
    np.savez(path, frames=frames, t_us=step_us * np.arange(len(values)))
    return path


def write_blocky(path: Path) -> Path:
    """A smooth still picture in blocks of 8 pixels that become brighter and darker on their own, as codecs do it."""
    generator = np.random.default_rng(3)
    y, x = np.mgrid[:64, :96]
    still = 40 + 10 * np.sin(x / 11) * np.cos(y / 9)
    blocks = generator.uniform(-6, 6, (6, 8, 12)).repeat(8, axis=1).repeat(8, axis=2)
    np.savez(path, frames=(still + blocks).astype(np.uint8), t_us=40_000 * np.arange(6))
    return path


def test_events_by_hand(tmp_path: Path) -> None:
    # ln(100 / 50) / 0.2 = 3.5: three events of each pixel, where the line between the logs passes a threshold.
    source = write_frames(tmp_path / "step.npz", [50, 100, 100])
    emulation = emulate_video(source, tmp_path / "step.h5", EmulationConfig(emulator=IDEAL, upsampling=ALONE))
    events = read(tmp_path / "step.h5").events
    assert events.t_us.tolist() == [289] * 4 + [577] * 4 + [866] * 4
    assert events.polarity.all()
    assert emulation.frame_t_us.tolist() == [0, 1000, 2000]
    assert emulation.steps_per_frame.tolist() == [1, 1]
    assert emulation.event_rate == 6000.0


@pytest.mark.parametrize("preset", EMULATOR_PRESETS)
def test_a_video_gives_the_events_of_the_emulator_on_its_frames(tmp_path: Path, preset: str) -> None:
    values = [100, 30, 200, 60, 61, 90]
    source = write_frames(tmp_path / "v.npz", values)
    config = EmulationConfig(emulator=EMULATOR_PRESETS[preset], upsampling=ALONE)
    emulate_video(source, tmp_path / "v.h5", config, seed=5)
    found = read(tmp_path / "v.h5").events
    with np.load(source) as arrays:
        emulator = Emulator(config.emulator, Resolution(2, 2), seed=5)
        wanted = emulator.push(arrays["frames"].astype(np.float32), arrays["t_us"])
    for column in ("x", "y", "t_us", "polarity"):
        np.testing.assert_array_equal(getattr(found, column), getattr(wanted, column))


@pytest.mark.parametrize("with_preview", [False, True])
def test_events_do_not_depend_on_how_many_steps_are_emulated_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_preview: bool
) -> None:
    generator = np.random.default_rng(4)
    frames = generator.integers(40, 50, (40, 8, 8)).astype(np.uint8)
    # Bright on the right, and, after a cut in the middle of what would wait, on the left.
    frames[:21, :, 4:] *= 2
    frames[21:, :, :4] *= 2
    np.savez(tmp_path / "v.npz", frames=frames, t_us=1000 * np.arange(40))
    config = EmulationConfig(emulator=EMULATOR_PRESETS["noisy"], upsampling=UpsamplingConfig(method="none"))
    preview = tmp_path / "v.gif" if with_preview else None
    at_once = emulate_video(tmp_path / "v.npz", tmp_path / "many.h5", config, preview=preview)
    monkeypatch.setattr(emulation, "MAX_WAITING", 1)
    one_by_one = emulate_video(tmp_path / "v.npz", tmp_path / "one.h5", config)
    assert one_by_one.num_cuts == 1
    assert at_once.values() == one_by_one.values()
    assert (tmp_path / "many.h5").read_bytes() == (tmp_path / "one.h5").read_bytes()


def test_progress_ends_with_all_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The header of many videos is wrong.
    monkeypatch.setattr("snnface.events.video.frame_array.FrameArray.num_frames", 600, raising=False)
    source, calls = write_frames(tmp_path / "v.npz", [50, 60, 70]), []
    config = EmulationConfig(emulator=IDEAL, upsampling=ALONE)
    emulate_video(source, tmp_path / "v.h5", config, on_progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (3, 3)


def test_frames_in_between_do_not_change_the_counts_of_a_pixel_at_rest(tmp_path: Path) -> None:
    source = write_frames(tmp_path / "v.npz", [50, 100, 45])
    fade = EmulationConfig(emulator=IDEAL, upsampling=UpsamplingConfig(method="linear", max_step_us=100))
    emulation = emulate_video(source, tmp_path / "v.h5", fade)
    assert emulation.steps_per_frame.tolist() == [10, 10]
    events = read(tmp_path / "v.h5").events
    assert (int(events.polarity.sum()), len(events)) == (4 * 3, 4 * 6)


def test_steps_are_as_short_as_the_low_pass_of_v2e_needs(tmp_path: Path) -> None:
    """At 100 Hz tau is 1.59 ms; 0.3 of it are 477 us, so 1000 us take three steps. The exact filter takes any step."""
    video = write_frames(tmp_path / "a.npz", [100, 110])
    linear = UpsamplingConfig(method="linear", max_displacement_px=None)
    for compat, num_steps in (("v2e", 3), (None, 1)):
        config = EmulationConfig(emulator=EmulatorConfig(cutoff_hz=100.0, compat=compat), upsampling=linear)
        made = emulate_video(video, tmp_path / f"{compat}.h5", config)
        assert made.steps_per_frame.tolist() == [num_steps]


def test_no_events_lead_over_a_cut(tmp_path: Path) -> None:
    # Dark left and bright right, which gets brighter; then the other way round.
    scene = np.full((8, 8), 40, np.uint8)
    scene[:, 4:] = 100
    frames = np.stack([scene, scene * 2, scene[:, ::-1], scene[:, ::-1] * 2])
    np.savez(tmp_path / "v.npz", frames=frames, t_us=1000 * np.arange(4))
    config = EmulationConfig(emulator=IDEAL, upsampling=UpsamplingConfig(method="none"))
    emulation = emulate_video(tmp_path / "v.npz", tmp_path / "v.h5", config)
    assert (emulation.num_cuts, emulation.steps_per_frame.tolist()) == (1, [1, 0, 1])
    events = read(tmp_path / "v.h5").events
    assert np.unique(events.t_us).tolist() == [289, 577, 866, 2289, 2577, 2866]


def test_the_account_tells_what_made_the_events(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = write_frames(tmp_path / "face.npz", [50, 100, 100]), tmp_path / "face.h5"
    assert main(["emulate", str(source), "--out", str(out), *PLAIN, "--theta-on", "0.3", "--seed", "9", "--json"]) == 0
    account = json.loads(capsys.readouterr().out)
    assert account == json.loads(account_path(out).read_text())
    assert account["config"]["emulator"] | {"theta_on": 0.2} == {"type": "EmulatorConfig", **vars(IDEAL)}
    expected = {"source": "face.npz", "seed": 9, "num_frames": 3, "num_events": 8, "num_on": 8, "num_cuts": 0}
    assert {name: account[name] for name in expected} == expected
    assert account["steps_per_frame"] == {"least": 1, "mean": 1.0, "most": 1}
    assert str(tmp_path) not in account_path(out).read_text()


@pytest.mark.parametrize("preset", ["noisy", "clean"])
def test_single_options_replace_values_of_the_preset(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], preset: str
) -> None:
    source = write_frames(tmp_path / "v.npz", [50, 60])
    arguments = ["emulate", str(source), "--out", str(tmp_path / "v.h5"), "--theta-off", "0.4", f"--preset={preset}"]
    assert main([*arguments, "--json"]) == 0
    emulator = json.loads(capsys.readouterr().out)["config"]["emulator"]
    assert emulator | {"theta_off": 0.2} == {"type": "EmulatorConfig", **vars(EMULATOR_PRESETS[preset])}
    assert emulator["theta_off"] == 0.4


def test_the_command_prints_a_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = write_frames(tmp_path / "face.npz", [50, 100]), tmp_path / "face.h5"
    assert main(["emulate", str(source), "--out", str(out), *PLAIN]) == 0
    printed = capsys.readouterr().out
    for text in ("face.npz", "2x2", "2 in 0.001 s, cuts: 0", "1 to 1", "12,000 events/s", "100.0 % ON", str(out)):
        assert text in printed


def test_the_same_command_gives_the_same_bytes(tmp_path: Path) -> None:
    source = write_frames(tmp_path / "v.npz", [50, 100, 70], side=20)
    for name in ("a.h5", "b.h5", "c.h5"):
        seed = "2" if name == "c.h5" else "1"
        assert main(["emulate", str(source), "--out", str(tmp_path / name), "--preset", "noisy", "--seed", seed]) == 0
    first, second, other = ((tmp_path / name).read_bytes() for name in ("a.h5", "b.h5", "c.h5"))
    assert first == second != other


def test_the_format_is_that_of_the_suffix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_frames(tmp_path / "v.npz", [50, 100, 45])
    assert main(["emulate", str(source), "--out", str(tmp_path / "v.raw"), *PLAIN]) == 0
    assert len(read(tmp_path / "v.raw").events) == 24
    assert main(["emulate", str(source), "--out", str(tmp_path / "v.xyz"), *PLAIN]) == 1
    assert "v.xyz should end in one of" in capsys.readouterr().err


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    config = EmulationConfig(emulator=IDEAL, upsampling=UpsamplingConfig(method="linear", max_step_us=250))

    def peak(num_frames: int) -> int:
        source = write_frames(tmp_path / f"{num_frames}.npz", [50, 60] * (num_frames // 2), side=32)
        tracemalloc.start()
        emulate_video(source, tmp_path / f"{num_frames}.h5", config)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(4)
    # 300 frames more would be 1.2 MB, their steps 5 MB.
    assert peak(320) < peak(20) + 400_000


def test_a_preview_shows_frames_and_events_side_by_side(tmp_path: Path) -> None:
    source = write_frames(tmp_path / "v.npz", [60, 120, 120], side=4)
    config = EmulationConfig(emulator=IDEAL, upsampling=ALONE)
    emulate_video(source, tmp_path / "v.h5", config, preview=tmp_path / "v.gif")
    with Image.open(tmp_path / "v.gif") as movie:
        pictures = [np.asarray(_picture(movie, index)) for index in range(movie.n_frames)]
    assert [picture.shape for picture in pictures] == [(240, 480, 3)] * 3
    np.testing.assert_allclose([picture[0, 0, 0] for picture in pictures], [60, 120, 120], atol=2)
    assert [tuple(picture[0, -1].tolist()) for picture in pictures] == [WHITE.background, WHITE.on, WHITE.background]


def _picture(movie: Image.Image, index: int) -> Image.Image:
    movie.seek(index)
    return movie.convert("RGB")


def test_blocks_of_a_codec_are_measured_and_smoothed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = write_blocky(tmp_path / "v.npz")
    with caplog.at_level(logging.WARNING):
        plain = emulate_video(source, tmp_path / "a.h5", EmulationConfig(emulator=IDEAL, upsampling=ALONE))
    assert "v.npz: gradients at the borders of 8x8 blocks" in caplog.text
    smooth = emulate_video(source, tmp_path / "b.h5", EmulationConfig(emulator=IDEAL, upsampling=ALONE, deblock=True))
    assert plain.block_edge_score == smooth.block_edge_score > 1.3
    assert 0 < smooth.statistics.num_events < plain.statistics.num_events


def test_a_sensor_of_another_size_sees_the_middle_of_the_video(tmp_path: Path) -> None:
    config = EmulationConfig(emulator=IDEAL, resolution=Resolution(16, 24))
    emulation = emulate_video(write_blocky(tmp_path / "v.npz"), tmp_path / "v.h5", config)
    assert emulation.resolution == Resolution(16, 24)
    assert read(tmp_path / "v.h5").events.resolution == Resolution(16, 24)


def test_a_real_video_file_becomes_events(tmp_path: Path) -> None:
    picture = np.full((16, 16, 3), 60, np.uint8)
    with create_movie(tmp_path / "v.mp4", Resolution(16, 16), fps=Fraction(25)) as movie:
        for gain in (1, 2, 2, 2):
            movie.append(picture * gain)
    emulation = emulate_video(tmp_path / "v.mp4", tmp_path / "v.h5", EmulationConfig(emulator=IDEAL, upsampling=ALONE))
    assert emulation.frame_t_us.tolist() == [0, 40_000, 80_000, 120_000]
    events = read(tmp_path / "v.h5").events
    # From 60 to 120, as far as the codec keeps them: three events of each pixel on the way to the second frame.
    assert len(events) == 3 * 256
    assert events.t_us[-1] <= 40_000


def test_an_existing_file_is_replaced_only_if_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = write_frames(tmp_path / "v.npz", [50, 100]), tmp_path / "v.h5"
    out.write_text("mine")
    assert main(["emulate", str(source), "--out", str(out), *PLAIN]) == 1
    assert "v.h5 exists already. Choose another place, or add --overwrite" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert main(["emulate", str(source), "--out", str(out), *PLAIN, "--overwrite"]) == 0
    assert len(read(out).events) == 12


def test_a_video_that_breaks_off_leaves_nothing_half_written(tmp_path: Path) -> None:
    source, out = tmp_path / "v.npz", tmp_path / "v.h5"
    frames = np.full((4, 2, 2), 50.0, np.float32)
    frames[3] = np.nan
    np.savez(source, frames=frames, t_us=1000 * np.arange(4))
    out.write_text("older")
    with pytest.raises(DataError, match="frame 3"):
        emulate_video(source, out, EmulationConfig(emulator=IDEAL), preview=tmp_path / "v.gif")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["v.h5", "v.npz"]
    assert out.read_text() == "older"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either a video, a folder of pictures or an array, or --dataset"),
        (["a.mp4", "--dataset", "b"], "give either a video, a folder of pictures or an array, or --dataset"),
        (["a.mp4", "--labels", "per-frame"], "--labels has a meaning only with --dataset"),
        (["a.mp4", "--step-ms", "5"], "--step-ms has a meaning only with --dataset"),
        (["--dataset", "b", "--step-ms", "inf"], "at most 86,400,000 ms; got inf"),
        (["--dataset", "b", "--step-ms", "nan"], "at least 0.001 ms and"),
        (["a.mp4", "--workers", "2"], "--workers has a meaning only with --dataset"),
        (["--dataset", "b", "--preview", "p.gif"], "--preview has a meaning only without --dataset"),
        (["none.mp4", "--out", "v.h5"], "none.mp4 should be a video, a folder of pictures or an array"),
        (["none.mp4", "--out", "v.h5", "--input", "log"], "a video holds luminance"),
        (["none.mp4", "--out", "v.h5", "--preview", "p.webm"], "a movie is an .mp4 or .gif file"),
        (["none.mp4", "--theta-on", "0"], "theta_on must be at least 0.01"),
    ],
)
def test_a_wrong_command_is_one_sentence(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["emulate", *arguments]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_preset_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["emulate", "a.mp4", "--preset", "silent"])
    assert "silent" in capsys.readouterr().err


def test_log_intensities_are_no_video() -> None:
    with pytest.raises(ConfigError, match=r"a video holds luminance, input=\"linear_dn\"; got 'log'"):
        EmulationConfig(emulator=EmulatorConfig(input="log"))
