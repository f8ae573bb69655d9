"""Agreement with tonic; ../../golden/tonic_representations.py says how its pictures were made."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snnface.events import EventStream, Resolution, TimeWindow
from snnface.recording import Recording
from snnface.representations import (
    FixedCount,
    Representation,
    TemporalBinary,
    TemporalBinaryConfig,
    TimeSurface,
    TimeSurfaceConfig,
    VoxelGrid,
    VoxelGridConfig,
)


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    path = Path(__file__).resolve().parents[2] / "golden" / "tonic_representations.json"
    return json.loads(path.read_text())


def stream_of(golden: dict[str, Any]) -> EventStream:
    events = golden["events"]
    return EventStream.from_arrays(
        x=events["x"], y=events["y"], t_us=events["t"], polarity=events["p"], resolution=Resolution(**golden["sensor"])
    )


def pictures_of(stream: EventStream, representation: Representation, num_steps: int) -> np.ndarray:
    start_us = int(stream.t_us[0])
    window = TimeWindow(start_us, start_us + num_steps * representation.step_us)
    return representation(Recording("golden", "nobody", events=stream), window)


def test_a_voxel_grid_is_tonics_with_the_bin_that_it_leaves_out(golden: dict[str, Any]) -> None:
    # tonic spreads the times over 0..B and keeps bins 0..B - 1; that is a grid of B + 1 bins without its last.
    stream, num_bins = stream_of(golden), golden["voxel_grid"]["num_bins"]
    config = VoxelGridConfig(
        num_bins=num_bins + 1, resolution=stream.resolution, slicing=FixedCount(num_events=len(stream))
    )
    pictures = VoxelGrid(config)(Recording("golden", "nobody", events=stream), TimeWindow(0, 10**6))
    np.testing.assert_allclose(pictures[0, :num_bins], np.array(golden["voxel_grid"]["TCHW"])[:, 0], atol=1e-6)


@pytest.mark.parametrize("polarity", [0, 1])
def test_temporal_binary_is_tonics_bina_rep_of_each_polarity(golden: dict[str, Any], polarity: int) -> None:
    stream, made = stream_of(golden), golden["bina_rep"]
    kept = stream.polarity == bool(polarity)
    one = EventStream(
        x=stream.x[kept],
        y=stream.y[kept],
        t_us=stream.t_us[kept],
        polarity=stream.polarity[kept],
        resolution=stream.resolution,
    )
    representation = TemporalBinary(
        TemporalBinaryConfig(
            bin_us=made["bin_us"], num_bins=made["num_bins"], heaviest_bin="oldest", resolution=stream.resolution
        )
    )
    start_us = int(stream.t_us[0])
    window = TimeWindow(start_us, start_us + 3 * representation.step_us)
    pictures = representation(Recording("golden", "nobody", events=one), window)
    np.testing.assert_allclose(pictures[:, 0], np.array(made["TPHW"])[:, polarity], rtol=1e-6)


def test_an_exponential_surface_is_tonics(golden: dict[str, Any]) -> None:
    stream, made = stream_of(golden), golden["time_surface"]
    config = TimeSurfaceConfig(
        step_ms=made["step_us"] / 1000, decay_ms=made["tau_us"] / 1000, resolution=stream.resolution
    )
    expected = np.array(made["TPHW"])
    pictures = pictures_of(stream, TimeSurface(config), len(expected))
    # tonic's channel 0 is OFF.
    np.testing.assert_allclose(pictures, expected[:, ::-1], rtol=1e-5)
