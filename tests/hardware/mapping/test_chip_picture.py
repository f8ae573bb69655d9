"""The picture of a network on its chips: as many cores as needed, safe names, the same bytes each time."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np

from conversion.graph import INPUT, Connection, LinearSynapse, Neuron, Population, Readout, SpikingGraph
from hardware.mapping.chip_picture import placement_picture
from hardware.mapping.resources import ChipFit, chip_fit
from hardware.target import GENERIC, LOIHI1

SVG = "{http://www.w3.org/2000/svg}"
NEURON = Neuron(leak=0.5, threshold=1.0)
SMALL = replace(LOIHI1, neurons_per_core=10, cores_per_chip=8)


def fit_of(sizes: dict[str, int], target=SMALL) -> ChipFit:  # type: ignore[no-untyped-def]
    populations, source, inputs = [], INPUT, 4
    for name, size in sizes.items():
        synapse = LinearSynapse(np.ones((size, inputs)))
        populations.append(Population(name, (size,), NEURON, (Connection(source, synapse),)))
        source, inputs = name, size
    readout = Readout(source, np.ones((1, inputs)), np.zeros(1))
    return chip_fit(SpikingGraph((4,), tuple(populations), readout), target)


def squares(picture: str, colour: str) -> list[tuple[float, float]]:
    """(top edge, height) of every core painted fully in a colour."""
    paths = [path.get("d", "") for path in ET.fromstring(picture).iter(f"{SVG}path") if path.get("fill") == colour]
    found = re.findall(r"M[\d.]+ ([\d.]+)h[\d.]+v([\d.]+)", "".join(paths[1::2]))
    return [(float(top), float(height)) for top, height in found]


def test_each_population_has_its_cores_filled_by_the_share_in_use() -> None:
    fit = fit_of({"first": 50, "second": 15})
    assert [row.cores for row in fit.populations] == [5, 2]
    picture = placement_picture(fit)
    assert [height for _, height in squares(picture, "#0072b2")] == [14.0] * 5
    # 15 neurons in two cores of ten: three quarters.
    assert [height for _, height in squares(picture, "#d55e00")] == [10.5] * 2
    text = " ".join("".join(ET.fromstring(picture).itertext()).replace("\u202f", " ").split())
    assert "chip 1: 7 of 8 cores" in text
    assert "1 first: 5 cores, 100.0 % of neurons" in text
    assert "2 second: 2 cores, 75.0 % of neurons" in text


def test_a_network_larger_than_a_chip_fills_one_after_the_other() -> None:
    picture = placement_picture(fit_of({"first": 50, "second": 75}))
    text = "".join(ET.fromstring(picture).itertext())
    assert "chip 1: 8 of 8 cores" in text
    assert "chip 2: 5 of 8 cores" in text
    assert len(squares(picture, "#d55e00")) == 8
    many = placement_picture(fit_of({"first": 10 * 8 * 20}))
    assert "chip 16: 8 of 8 cores" in many
    assert "chip 17" not in many
    assert "and 4 chips more" in many


def test_names_from_outside_cannot_become_markup_and_what_they_share_is_left_out() -> None:
    hostile = '</svg><img src=x onerror="alert(1)">'
    picture = placement_picture(fit_of({f"net.{hostile}": 5, "net.b": 5}))
    assert "<img" not in picture
    text = "".join(ET.fromstring(picture).itertext())
    assert "2 b: 1 core" in text
    assert hostile in text


def test_a_population_that_does_not_fit_is_marked() -> None:
    fit = fit_of({"first": 50}, replace(SMALL, input_axons_per_core=3))
    picture = placement_picture(fit)
    assert "1 first: 5 cores, does not fit" in "".join(ET.fromstring(picture).itertext())
    assert "one neuron reads 4 inputs" in picture


def test_the_picture_is_the_same_each_time_and_refers_to_nothing_outside() -> None:
    fit = fit_of({"first": 50, "second": 15})
    picture = placement_picture(fit)
    assert picture == placement_picture(fit)
    assert not re.search(r"href|url\(|<script|<style| id=", picture)
    label = ET.fromstring(picture).get("aria-label")
    assert label == "7 cores on 1 chip of 8: first 5, second 2"


def test_a_chip_of_unknown_cores_has_no_picture() -> None:
    assert placement_picture(fit_of({"first": 50}, GENERIC)) == ""
