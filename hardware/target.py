"""Chips as data: bit widths and capacities, each with its source and how sure it is.

A number that is not known is None, and nothing is concluded from it. A chip of one's own is a
`HardwareTarget` too, in Python or as JSON (`snnface.config.from_json`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Literal

from snnface.errors import ConfigError

__all__ = ["GENERIC", "LOIHI1", "LOIHI2", "TARGETS", "ChipFact", "Grade", "HardwareTarget", "Sourced"]

Grade = Literal["published", "press", "assumed", "estimated"]
"""By the maker or in open code; told to the press; taken for lack of better; computed from other facts."""


_DAVIES = "Davies et al. 2018, IEEE Micro 38(1)"
_NENGO = "nengo-loihi 1.1.0, block.py and builder/validate.py"
_LAVA = "lava-nc 0.10.0, bit-accurate models"
_BRIEF = "Intel, Loihi 2 technology brief, 2021"


class Sourced(int):
    """A whole number that knows where it comes from; otherwise an int like any other.

    >>> limit = Sourced(1024, "published", "a data sheet")
    >>> limit // 2, limit.grade
    (512, 'published')
    """

    grade: Grade
    source: str

    def __new__(cls, value: int, grade: Grade, source: str) -> "Sourced":
        made = super().__new__(cls, value)
        made.grade, made.source = grade, source
        return made

    def __reduce__(self) -> tuple[type, tuple[int, str, str]]:
        return Sourced, (int(self), self.grade, self.source)


@dataclass(frozen=True, slots=True)
class ChipFact:
    """One line of a chip's data sheet; `value` is None where nobody has published it."""

    name: str
    value: int | None
    grade: Grade | None
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareTarget:
    """Limits of one neuromorphic chip.

    Attributes:
        source: of every number that brings none of its own (see `Sourced`).
        weight_bits: bits of a synaptic weight, sign included for mixed signs.
        input_bits: bits of a graded input message; 0 means that only binary spikes exist.
        message_bits: likewise of a message between neurons, sign included.
        max_delay: steps by which a connection may be late.
        state_bits: of current and voltage, sign included; here and below, the neuron that is simulated here.
        current_decay_bits, voltage_decay_bits, threshold_bits: without sign.
        bias_mantissa_bits, bias_exponent_bits: with and without sign.
        neurons_per_core, cores_per_chip, synapses_per_chip: counts.
        synapse_bytes_per_core: memory for weights.
        synapse_word_bits: unit in which lists of weights are stored; None where the layout is not published.
        input_axons_per_core: sources that a core can hear.
        output_axons_per_core: pairs of a neuron and another core that hears it.
        neurons_per_axon: neurons that may share an input axon, each with weights of its own.
        shared_axons_per_core: input axons of that kind.
        boards: name -> chips, smallest first.

    Raises:
        ConfigError: if a number is negative, or 0 where there must be some.
    """

    name: str
    source: str
    weight_bits: int
    input_bits: int
    message_bits: int
    max_delay: int | None = None
    state_bits: int = Sourced(24, "published", _LAVA)
    current_decay_bits: int = Sourced(12, "published", _LAVA)
    voltage_decay_bits: int = Sourced(12, "published", _LAVA)
    threshold_bits: int = Sourced(17, "published", _LAVA)
    bias_mantissa_bits: int = Sourced(13, "published", _LAVA)
    bias_exponent_bits: int = Sourced(3, "published", _LAVA)
    neurons_per_core: int | None = None
    cores_per_chip: int | None = None
    synapses_per_chip: int | None = None
    synapse_bytes_per_core: int | None = None
    synapse_word_bits: int | None = None
    input_axons_per_core: int | None = None
    output_axons_per_core: int | None = None
    neurons_per_axon: int | None = None
    shared_axons_per_core: int | None = None
    boards: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for fact in self.facts:
            least = 0 if fact.name in _MAY_BE_ZERO else 1
            if fact.value is not None and fact.value < least:
                raise ConfigError(
                    f"target {self.name!r}: {fact.name} must be at least {least}, or null where it is not known; "
                    f"got {fact.value}."
                )

    @property
    def facts(self) -> tuple[ChipFact, ...]:
        """Every number with its origin, in the order of the fields; boards last."""
        numbers = {part.name: getattr(self, part.name) for part in fields(self) if part.name not in _NO_NUMBERS}
        return tuple(self._fact(name.replace("_", " "), value) for name, value in numbers.items()) + tuple(
            self._fact(f"chips on {board}", chips) for board, chips in self.boards.items()
        )

    def _fact(self, name: str, value: int | None) -> ChipFact:
        if value is None:
            return ChipFact(name, None, None, "not published, or of no meaning here")
        if isinstance(value, Sourced):
            return ChipFact(name, int(value), value.grade, value.source)
        return ChipFact(name, value, "assumed", self.source)


_NO_NUMBERS = ("name", "source", "boards")
_MAY_BE_ZERO = ("input bits", "message bits", "max delay")

_SPRINGS = "Intel, Pohoiki Springs, 18 March 2020"

LOIHI1 = HardwareTarget(
    name="loihi1",
    source=f"{_DAVIES}; axon limits from nengo-loihi",
    weight_bits=Sourced(8, "published", _DAVIES),
    input_bits=Sourced(0, "published", _DAVIES),
    message_bits=Sourced(0, "published", _DAVIES),
    max_delay=Sourced(62, "published", "lava-dl 0.6.0, netx: delays are clipped at 62"),
    neurons_per_core=Sourced(1024, "published", _DAVIES),
    cores_per_chip=Sourced(128, "published", _DAVIES),
    synapses_per_chip=Sourced(130_000_000, "published", _DAVIES),
    synapse_bytes_per_core=Sourced(128 * 1024, "published", _DAVIES),
    synapse_word_bits=Sourced(64, "published", _NENGO),
    input_axons_per_core=Sourced(4096, "published", _NENGO),
    output_axons_per_core=Sourced(4096, "published", _NENGO),
    # Of the 15 bits that name an input of this kind, five say which neuron and ten which axon.
    neurons_per_axon=Sourced(32, "published", f"{_NENGO}: axons of type pop16"),
    shared_axons_per_core=Sourced(1024, "published", f"{_NENGO}: axons of type pop16"),
    boards={
        "Kapoho Bay": Sourced(2, "published", _SPRINGS),
        "Nahuku": Sourced(32, "published", _SPRINGS),
        "Pohoiki Springs": Sourced(768, "published", _SPRINGS),
    },
)

LOIHI2 = HardwareTarget(
    name="loihi2",
    source="Intel, Loihi 2 technology brief 2021; of 192 KiB a core, 128 KiB for weights are assumed",
    weight_bits=Sourced(8, "published", _LAVA),
    input_bits=Sourced(8, "assumed", "a payload of up to 32 bits is published; counts of 8 bits are enough here"),
    message_bits=Sourced(32, "published", _BRIEF),
    max_delay=Sourced(63, "published", _LAVA),
    neurons_per_core=Sourced(8192, "published", _BRIEF),
    cores_per_chip=Sourced(128, "published", _BRIEF),
    synapses_per_chip=Sourced(120_000_000, "published", _BRIEF),
    synapse_bytes_per_core=Sourced(128 * 1024, "assumed", "of 192 KiB a core, freely partitioned (press)"),
    boards={
        "Oheo Gulch": Sourced(1, "published", _BRIEF),
        "Kapoho Point": Sourced(8, "published", "Intel, 28 September 2022"),
        "Hala Point": Sourced(1152, "published", "Intel, 17 April 2024"),
    },
)

_PLAIN = "a plain accelerator of 8-bit integers, none in particular"

GENERIC = HardwareTarget(
    name="generic",
    source=f"{_PLAIN}; no limits of cores and memory are known",
    weight_bits=Sourced(8, "assumed", _PLAIN),
    input_bits=Sourced(8, "assumed", _PLAIN),
    message_bits=Sourced(32, "assumed", _PLAIN),
)

TARGETS = {target.name: target for target in (LOIHI1, LOIHI2, GENERIC)}
