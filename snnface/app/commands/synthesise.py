"""`snnface synthesise --preset NAME --out DIR`."""

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

from snnface.app.options import Maybe, console_for, parse
from snnface.app.progress import counting_bar
from snnface.app.synthesis import estimate, synthesise
from snnface.datasets.recorded.clip_table import CLIP_TABLE
from snnface.datasets.synthesis.presets import CameraName, PresetName, preset_named

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Recordings of synthetic people: RGB, events of one or two cameras, and all that is known of them.

    The same options give the same bytes; a run that was stopped goes on when the same is given again.

    On two cores: faces-mini (8 action units, 10 people, small pictures) takes 2 minutes and 0.1 GB;
    micro (21 action units, 12 people, DAVIS346, RGB, EVK4 for 3 of them) 30 minutes and 2 GB; facemorphic
    (24 posed action units twice, 8 people, EVK4 and RGB) 3 hours and 8 GB; valence-arousal (4 sequences
    of expressions, 12 people, DAVIS346 and RGB) 10 minutes and 1.2 GB; emotions (7 emotions, 12 people, DAVIS346 and
    RGB) 15 minutes and 1.7 GB. All grow with --num-identities.
    """

    preset: PresetName
    """What to record."""
    out: Path
    """A folder that is empty, does not exist, or holds the beginning of this very set."""
    num_identities: Maybe[int] = None
    """People; default: as above."""
    face_model: Maybe[Path] = None
    """Whose faces: an .npz of a face model or a folder of blendshapes; default: the built-in face."""
    cameras: Maybe[tuple[CameraName, ...]] = None
    """Which of davis, davis_frames, evk4 and rgb; default: those of the preset."""
    seed: int = 0
    """Root of everything random."""
    workers: Maybe[int] = None
    """Processes; default: one for each core."""
    scheduler: Maybe[str] = None
    """A Dask cluster, such as tcp://host:8786; default: this machine."""
    json: bool = False
    """Print the outcome as JSON."""


def main(arguments: list[str]) -> None:
    options = parse(Options, arguments, verb="synthesise")
    config = replace(preset_named(options.preset), seed=options.seed)
    if options.num_identities is not None:
        config = replace(config, num_identities=options.num_identities)
    if options.cameras is not None:
        config = replace(config, cameras=options.cameras)
    expected = estimate(config)
    console = console_for(options.json)
    num_workers = options.workers or os.cpu_count() or 1
    minutes = expected.core_seconds / 60
    console.print(
        f"{expected.num_takes} takes of {config.num_identities} people: about {minutes:.0f} minutes of a core, "
        f"{minutes / num_workers:.0f} with {num_workers} of them, and {expected.num_bytes / 1e9:.2f} GB",
        highlight=False,
    )
    with counting_bar(console, "takes") as on_progress:
        outcome = synthesise(
            options.out,
            config,
            face_path=options.face_model,
            scheduler=options.scheduler,
            num_workers=options.workers,
            on_progress=on_progress,
        )
    table = options.out / CLIP_TABLE
    if options.json:
        print(json.dumps({"done": outcome.done, "skipped": outcome.skipped, "table": str(table)}, indent=2))
    else:
        print(f"{len(outcome.done)} takes recorded, {len(outcome.skipped)} were there already; {table}")
