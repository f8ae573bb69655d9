"""Events from an installed v2e.

v2e is not needed to read what it wrote: `snnface.events.read` reads its HDF5 and AEDAT2
files. Nor is it to emulate its events: `EmulatorConfig(compat="v2e")` does.

Source: Hu, Liu and Delbruck 2021, "v2e: from video frames to realistic DVS events",
arXiv:2006.07722; options as its own help text (`v2e --help`) names them.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from snnface.errors import BackendUnavailableError, ConfigError, DataError, DatasetNotFoundError
from snnface.events.emulator import EmulatorConfig
from snnface.events.readers import read
from snnface.events.stream import EventStream
from snnface.events.window import Resolution

__all__ = ["run_v2e", "v2e_command"]

EVENTS_NAME = "events.h5"
LOG_NAME = "v2e.log"


def run_v2e(
    video: str | Path,
    out: str | Path,
    config: EmulatorConfig,
    *,
    resolution: Resolution,
    seed: int = 0,
    fps: float | None = None,
    slomo_model: str | Path | None = None,
    program: str = "v2e",
) -> EventStream:
    """Let v2e turn a video into events, and read them.

    v2e's files and its log stay in `out`, which appears when all has gone well.

    Args:
        video: a video file, or a folder of pictures in the order of their names.
        out: a folder that does not exist yet.
        config: the model of the camera; `compat` has no meaning here.
        resolution: of the emulated sensor; v2e scales the video to it.
        seed: of v2e's noise and mismatch, from 0 on; the same seed gives the same events.
        fps: frame rate of a folder of pictures, or instead of the video's own.
        slomo_model: v2e's SuperSloMo checkpoint, for its temporal upsampling; without one
            the frames are taken as they are.
        program: name or path of v2e's command.

    Raises:
        BackendUnavailableError: if v2e is not installed.
        DatasetNotFoundError: if there is no such video or checkpoint.
        ConfigError: if `out` exists, or the seed is negative.
        DataError: if v2e fails; with the last lines that it said.
    """
    video, out = Path(video).absolute(), Path(out).absolute()
    found = shutil.which(program)
    if found is None:
        raise BackendUnavailableError(
            f"there is no command {program!r} on the path, so v2e cannot be run. Install v2e in an environment of its "
            'own (github.com/SensorsINI/v2e) and give its command as program=..., or emulate with compat="v2e".'
        )
    for needed in (video, *([Path(slomo_model)] if slomo_model else [])):
        if not needed.exists():
            raise DatasetNotFoundError(f"there is no file or folder {needed}; check the path.")
    if out.exists():
        raise ConfigError(f"the folder {out} for v2e's files exists already; give one that does not.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as temporary:
        # A folder in it: v2e makes it anew, and what is left is moved whole.
        folder = Path(temporary) / out.name
        folder.mkdir()
        options = v2e_command(video, folder, config, resolution=resolution, seed=seed, fps=fps, slomo_model=slomo_model)
        _run([found, *options], folder)
        events = read(folder / EVENTS_NAME, resolution=resolution).events
        folder.rename(out)
    return events


def v2e_command(
    video: Path,
    folder: Path,
    config: EmulatorConfig,
    *,
    resolution: Resolution,
    seed: int = 0,
    fps: float | None = None,
    slomo_model: str | Path | None = None,
) -> list[str]:
    """The options with which `run_v2e` calls v2e.

    Raises:
        ConfigError: if the seed is negative.
    """
    if seed < 0:
        raise ConfigError(f"seed must be at least 0; got {seed}.")
    options = {
        "--input": str(video),
        "--output_folder": str(folder),
        "--output_in_place": "false",
        # v2e takes either this or --overwrite.
        "--unique_output_folder": "false",
        "--output_width": resolution.width,
        "--output_height": resolution.height,
        "--pos_thres": config.theta_on,
        "--neg_thres": config.theta_off,
        "--sigma_thres": config.threshold_spread,
        "--cutoff_hz": config.cutoff_hz,
        "--leak_rate_hz": config.leak_rate_hz,
        "--leak_jitter_fraction": config.leak_jitter,
        "--noise_rate_cov_decades": config.leak_spread_decades,
        "--shot_noise_rate_hz": config.shot_noise_rate_hz,
        "--refractory_period": config.refractory_us / 1e6,
        # 0 would draw a seed from the clock.
        "--dvs_emulator_seed": seed + 1,
        "--dvs_h5": EVENTS_NAME,
        "--dvs_aedat2": "None",
        "--dvs_text": "None",
    }
    if fps is not None:
        options["--input_frame_rate"] = fps
    switches = ["--overwrite", "--skip_video_output", "--no_preview"]
    if config.has_photoreceptor_noise:
        switches.append("--photoreceptor_noise")
    if config.input == "log":
        switches.append("--hdr")
    if slomo_model is None:
        switches.append("--disable_slomo")
    else:
        options["--slomo_model"] = str(Path(slomo_model).absolute())
    return [*(f"{name}={value}" for name, value in options.items()), *switches]


def _run(command: list[str], folder: Path) -> None:
    log = folder / LOG_NAME
    with log.open("wb") as file:
        status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, check=False).returncode
    # v2e ends with status 0 after some of its errors, too.
    if status != 0 or not (folder / EVENTS_NAME).is_file():
        with log.open("rb") as file:
            file.seek(max(log.stat().st_size - 2000, 0))
            said = file.read().decode(errors="replace").strip().splitlines()
        raise DataError(
            f"v2e ended with status {status} and {'' if (folder / EVENTS_NAME).is_file() else 'no '}events. "
            f"Its last lines: {' / '.join(said[-5:]) or '(none)'}"
        )
