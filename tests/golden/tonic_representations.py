"""Makes tonic_representations.json: what tonic's transforms make of a few events.

    pip install --no-deps tonic==1.7.0 && pip install numpy h5py scipy tqdm requests importRosbag typing_extensions
    python tests/golden/tonic_representations.py

Needs nothing of this project, so it can run in an environment of its own.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

WIDTH, HEIGHT, NUM_EVENTS = 5, 4, 60
STEP_US, TAU_US, BIN_US, NUM_BINS = 4000, 3000.0, 1000, 4
VOXEL_BINS = 6


def golden_values() -> dict[str, Any]:
    """The events and tonic's pictures of them, in plain lists."""
    import tonic

    rng = np.random.default_rng(7)
    events = np.zeros(NUM_EVENTS, [("x", "<i8"), ("y", "<i8"), ("t", "<i8"), ("p", "<i8")])
    events["x"], events["y"] = rng.integers(0, WIDTH, NUM_EVENTS), rng.integers(0, HEIGHT, NUM_EVENTS)
    events["t"] = 500 + np.sort(rng.choice(16_000, NUM_EVENTS, replace=False))
    events["p"] = rng.integers(0, 2, NUM_EVENTS)
    sensor = (WIDTH, HEIGHT, 2)
    frames = tonic.transforms.ToFrame(
        sensor, time_window=BIN_US, start_time=int(events["t"][0]), end_time=int(events["t"][0]) + 3 * STEP_US
    )(events)
    surface = tonic.transforms.ToTimesurface(sensor, dt=STEP_US, tau=TAU_US)(events)
    return {
        "made_by": f"tests/golden/tonic_representations.py with tonic {tonic.__version__}, numpy {np.__version__}",
        "sensor": {"width": WIDTH, "height": HEIGHT},
        "events": {name: events[name].tolist() for name in ("x", "y", "t", "p")},
        "voxel_grid": {
            "num_bins": VOXEL_BINS,
            "TCHW": tonic.transforms.ToVoxelGrid(sensor, VOXEL_BINS)(events).tolist(),
        },
        "bina_rep": {
            "bin_us": BIN_US,
            "num_bins": NUM_BINS,
            "TPHW": tonic.transforms.ToBinaRep(3, NUM_BINS)(frames[: 3 * NUM_BINS]).tolist(),
        },
        "time_surface": {"step_us": STEP_US, "tau_us": TAU_US, "TPHW": surface.tolist()},
    }


if __name__ == "__main__":
    target = Path(__file__).with_suffix(".json")
    target.write_text(json.dumps(golden_values()) + "\n")
