"""Chips as data: every number has a source."""

import copy
import json
import pickle
from dataclasses import replace

import pytest

from hardware.target import GENERIC, LOIHI1, LOIHI2, TARGETS, ChipFact, HardwareTarget, Sourced
from snnface.config import from_json, to_json
from snnface.errors import ConfigError

SMALL = {"name": "small", "source": "its data sheet", "weight_bits": 4, "input_bits": 0, "message_bits": 0}


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_every_known_number_of_a_chip_names_its_source_and_how_sure_it_is(target: HardwareTarget) -> None:
    known = [fact for fact in target.facts if fact.value is not None]
    assert all(fact.source and fact.grade in ("published", "press", "assumed", "estimated") for fact in known)
    assert len({fact.name for fact in target.facts}) == len(target.facts)
    assert TARGETS[target.name] is target


def test_loihi1_and_loihi2_have_the_published_sizes() -> None:
    assert LOIHI1.neurons_per_core * LOIHI1.cores_per_chip == 131_072
    assert LOIHI2.neurons_per_core * LOIHI2.cores_per_chip == 1_048_576
    # 16 384 words of 64 bits
    assert LOIHI1.synapse_bytes_per_core == 16_384 * 8
    assert (LOIHI1.input_axons_per_core, LOIHI1.output_axons_per_core) == (4096, 4096)
    assert (LOIHI2.input_axons_per_core, LOIHI2.output_axons_per_core) == (None, None)
    assert (LOIHI1.max_delay, LOIHI2.max_delay) == (62, 63)
    assert list(LOIHI2.boards.values()) == [1, 8, 1152]
    assert list(LOIHI1.boards.values()) == [2, 32, 768]
    assert (GENERIC.weight_bits, GENERIC.neurons_per_core, GENERIC.cores_per_chip) == (8, None, None)


def test_a_data_sheet_tells_published_from_assumed_and_unknown() -> None:
    facts = {fact.name: fact for fact in LOIHI2.facts}
    assert facts["neurons per core"].grade == "published"
    assert facts["synapse bytes per core"].grade == "assumed"
    assert facts["input axons per core"] == ChipFact(
        "input axons per core", None, None, "not published, or of no meaning here"
    )
    assert facts["chips on Hala Point"].value == 1152


def test_a_number_put_in_by_hand_has_the_source_of_the_target() -> None:
    narrow = replace(LOIHI2, weight_bits=6, source="tried out")
    assert narrow.facts[0] == ChipFact("weight bits", 6, "assumed", "tried out")


def test_a_sourced_number_is_the_number_and_survives_copies() -> None:
    limit = Sourced(5, "press", "a newspaper")
    assert (limit, limit + 1, 2**limit, {limit: 0}[5]) == (5, 6, 32, 0)
    for other in (copy.deepcopy(limit), pickle.loads(pickle.dumps(limit))):
        assert (other, other.grade, other.source) == (5, "press", "a newspaper")


def test_a_chip_of_ones_own_is_read_from_json() -> None:
    text = json.dumps({**SMALL, "neurons_per_core": 16, "cores_per_chip": 2, "boards": {"pair": 2}})
    target = from_json(HardwareTarget, text)
    assert (target.neurons_per_core, target.input_axons_per_core, target.boards) == (16, None, {"pair": 2})
    assert from_json(HardwareTarget, to_json(target)) == target
    assert from_json(HardwareTarget, to_json(LOIHI1)) == LOIHI1


def test_numbers_below_their_least_are_refused() -> None:
    with pytest.raises(ConfigError, match="target 'small': weight bits must be at least 1, or null where it is not"):
        HardwareTarget(**{**SMALL, "weight_bits": 0})
    with pytest.raises(ConfigError, match=r"input bits must be at least 0.* got -1"):
        from_json(HardwareTarget, json.dumps({**SMALL, "input_bits": -1}))
    with pytest.raises(ConfigError, match="chips on none must be at least 1"):
        HardwareTarget(**SMALL, boards={"none": 0})
