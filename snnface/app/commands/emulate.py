"""`snnface emulate VIDEO|FOLDER|ARRAY`, and `snnface emulate --dataset DIR`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console
from rich.table import Table

from snnface.app.dataset_emulation import DatasetConfig, LabelRule, emulate_dataset
from snnface.app.emulation import Emulation, EmulationConfig, account_path, emulate_video, write_account
from snnface.app.options import Maybe, SensorSize, console_for, parse, step_us_from_ms
from snnface.app.progress import counting_bar
from snnface.errors import ConfigError
from snnface.events import EmulatorConfig, Resolution
from snnface.events.emulator import EMULATOR_PRESETS
from snnface.events.pictures import WHITE
from snnface.events.upsampling import UpsamplingConfig

__all__ = ["main"]

Preset = Literal["ideal", "clean", "noisy", "default"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """A video, a folder of pictures, or an array to events; with --dataset, all videos under a folder.

    A preset sets the camera; single options replace its values.
    """

    source: tyro.conf.Positional[Maybe[Path]] = None
    """A video file, a folder of pictures, or a .npy/.npz array of frames; none with --dataset."""
    out: Maybe[Path] = None
    """The file to write (.h5, .raw, .dat, .aedat4, .csv), default: NAME.h5; with --dataset a folder, NAME-events."""
    preset: Preset = "default"
    """A camera without flaws (ideal), with mismatch (clean), in little light (noisy), or in between (default)."""
    emulator: Annotated[EmulatorConfig, tyro.conf.arg(name="")] = EMULATOR_PRESETS["default"]
    upsampling: UpsamplingConfig = field(default_factory=UpsamplingConfig)
    resolution: SensorSize = None
    """Height and width of the sensor; default: those of the video."""
    fps: Maybe[float] = None
    """Frames a second, where the source has no times, or instead of them; default: the times of the source."""
    deblock: bool = False
    """Smooth the borders of the blocks that lossy video is coded in, which give false events."""
    seed: int = 0
    """Root of everything random: mismatch of the pixels and noise."""
    preview: Maybe[Path] = None
    """Also draw frames and events side by side, as .mp4 or .gif."""
    overwrite: bool = False
    """Replace the files of --out and --preview."""
    dataset: Maybe[Path] = None
    """A folder of videos (or of folders of pictures), converted into the same layout under --out."""
    labels: LabelRule = "mean-event-time"
    """With --dataset, labels go to event frames by the mean time of their events, or to the video's frames."""
    step_ms: float = 33.0
    """Duration of an event frame, for labels by mean event time."""
    workers: Maybe[int] = None
    """Processes for --dataset; default: one for each core."""
    scheduler: Maybe[str] = None
    """A Dask cluster for --dataset, such as tcp://host:8786; default: this machine."""
    json: bool = False
    """Print the summary as JSON."""


def main(arguments: list[str]) -> None:
    default = Options(emulator=EMULATOR_PRESETS[_preset(arguments)])
    options = parse(Options, arguments, verb="emulate", default=default)
    if (options.source is None) == (options.dataset is None):
        raise ConfigError("give either a video, a folder of pictures or an array, or --dataset with a folder of them.")
    config = EmulationConfig(
        emulator=options.emulator,
        upsampling=options.upsampling,
        resolution=None if options.resolution is None else Resolution(*options.resolution),
        fps=options.fps,
        deblock=options.deblock,
    )
    if options.dataset is not None:
        _emulate_dataset(options, options.dataset, config)
    else:
        assert options.source is not None
        _emulate_one(options, options.source, config)


def _preset(arguments: Sequence[str]) -> str:
    """The last preset that was asked for; one that there is not is refused by the parser."""
    name = "default"
    for index, argument in enumerate(arguments):
        if argument == "--preset" and index + 1 < len(arguments):
            name = arguments[index + 1]
        elif argument.startswith("--preset="):
            name = argument.removeprefix("--preset=")
    return name if name in EMULATOR_PRESETS else "default"


def _emulate_one(options: Options, source: Path, config: EmulationConfig) -> None:
    _refuse(options, ("labels", "step_ms", "scheduler", "workers"), "with --dataset")
    out = options.out or Path(f"{source.resolve().stem if source.is_file() else source.resolve().name}.h5")
    if not options.overwrite:
        for path in filter(None, (out, account_path(out), options.preview)):
            if path.exists():
                raise ConfigError(f"{path} exists already. Choose another place, or add --overwrite to replace it.")
    with counting_bar(console_for(options.json), "frames") as on_progress:
        emulation = emulate_video(
            source, out, config, seed=options.seed, preview=options.preview, on_progress=on_progress
        )
    write_account(emulation, out)
    if options.json:
        print(json.dumps(emulation.values(), indent=2))
    else:
        _print(emulation)
        print(out)
        if options.preview is not None:
            print(f"{options.preview}: {WHITE.legend}")


def _emulate_dataset(options: Options, dataset: Path, config: EmulationConfig) -> None:
    _refuse(options, ("preview", "overwrite"), "without --dataset")
    out = options.out or Path(f"{dataset.resolve().name}-events")
    with counting_bar(console_for(options.json), "clips") as on_progress:
        made = emulate_dataset(
            dataset,
            out,
            DatasetConfig(
                emulation=config, seed=options.seed, labels=options.labels, step_us=step_us_from_ms(options.step_ms)
            ),
            scheduler=options.scheduler,
            num_workers=options.workers,
            on_progress=on_progress,
        )
    outcome = made.outcome
    if options.json:
        failures = [{"clip": failure.key, "error": failure.message} for failure in outcome.failures]
        print(json.dumps({"done": outcome.done, "skipped": outcome.skipped, "failures": failures}, indent=2))
    else:
        print(f"{len(outcome.done)} clips converted, {len(outcome.skipped)} were there already; {made.summary}")
    outcome.require_all()


def _refuse(options: Options, names: Sequence[str], where: str) -> None:
    for name in names:
        if getattr(options, name) != getattr(Options, name):
            raise ConfigError(f"--{name.replace('_', '-')} has a meaning only {where}; leave it out.")


def _print(emulation: Emulation) -> None:
    values = emulation.values()
    steps, fraction = values["steps_per_frame"], values["on_fraction"]
    rows = [
        ("sensor", str(emulation.resolution)),
        ("frames", f"{values['num_frames']:,} in {values['duration_s']:.3f} s, cuts: {values['num_cuts']}"),
        ("steps a frame", "none" if steps["least"] is None else f"{steps['least']} to {steps['most']}"),
        ("events", f"{values['num_events']:,}"),
        ("rate", f"{values['events_per_s']:,.0f} events/s"),
        ("polarity", "no events" if fraction is None else f"{100 * fraction:.1f} % ON"),
        ("block edges", f"{emulation.block_edge_score:.2f}{', smoothed' if emulation.config.deblock else ''}"),
    ]
    table = Table(title=emulation.source, title_style="", show_header=False)
    for row in rows:
        table.add_row(*row)
    Console(markup=False, highlight=False).print(table)
