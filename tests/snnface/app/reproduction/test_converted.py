"""Rows of converted networks: their scores, and what an answer costs."""

from dataclasses import replace

import pytest
from noisy_faces import SIDE, STEPS, an_experiment, small_recipe

from snnface.app.reproduction.converted import converted
from snnface.representations import TemporalBinaryConfig


def test_a_converted_network_of_counts_is_shown_events_and_scored_as_its_run() -> None:
    experiment, model = an_experiment(small_recipe("micro-expression"))
    found = converted(experiment, model)
    scores, notes = found.judged.scores(), found.notes
    assert 0 <= scores["top1"].value <= 1
    assert set(found.costs) == {"synops", "macs", "spikes"}
    assert found.costs["synops"] > 0
    assert notes[0].startswith("converted by the method 'steps' for 8 steps a picture, shown its events")
    assert any("became an average" in note for note in notes)


def test_the_products_of_a_held_picture_are_counted_once() -> None:
    bits = TemporalBinaryConfig(bin_us=1000, resolution=SIDE)
    experiment, model = an_experiment(replace(small_recipe("valence-arousal"), representation=bits))
    found = converted(experiment, model)
    scores, notes = found.judged.scores(), found.notes
    # Four maps of 8 x 8, each number of nine products.
    assert found.costs["macs"] == STEPS * 4 * 8 * 8 * 9
    assert scores["ccc"].value == pytest.approx((scores["ccc_valence"].value + scores["ccc_arousal"].value) / 2)
    assert "the picture held over all of them" in notes[0]
