"""The section about chips: what each would have to hold, and a picture of its cores."""

import re
from collections.abc import Iterator

from hardware.mapping.chip_picture import placement_picture
from hardware.report.report import Report
from snnface.pages.blocks import Block, Drawing, Grid, Heading, Paragraph, Points, columns
from snnface.pages.numbers import compact, grouped, si

__all__ = ["chip_fit_blocks", "chip_name"]


def chip_fit_blocks(report: Report) -> Iterator[Block]:
    """What each chip would have to hold."""
    for fit in report.chip_fits:
        chip = chip_name(fit.target)
        yield Heading(f"{chip}: {fit.verdict}")
        if fit.reasons:
            yield Points(tuple(f"{reason[:1].upper()}{reason[1:]}." for reason in fit.reasons))
        if fit.remedies:
            yield Paragraph("What would make it fit:")
            yield Points(tuple(f"{remedy.sentence}." for remedy in fit.remedies))
        rows: list[tuple[str, ...]] = [
            (
                row.name,
                grouped(row.neurons),
                compact(row.synapses),
                grouped(row.fan_in),
                si(row.synapse_bits_shared / 8, "B"),
                "not published" if row.synapse_bits_unshared is None else si(row.synapse_bits_unshared / 8, "B"),
                grouped(row.input_axons),
                grouped(row.output_axons),
                grouped(row.cores),
                row.binding,
                row.verdict,
            )
            for row in fit.populations
        ]
        rows.append(("total", grouped(fit.neurons), *("" for _ in range(6)), grouped(fit.cores), "", fit.verdict))
        headings = columns(
            "population", "neurons #", "connections #", "fan-in #", "memory, shared #", "unshared #", "axons in #",
            "axons out #", "cores #", "limit", "verdict",
        )  # fmt: skip
        note = f"An estimate; cores are a lower bound. Not checked: {', '.join(fit.not_checked)}. Source: {fit.source}."
        of_chip = "" if fit.cores_per_chip is None else f" ({fit.cores_per_chip} cores a chip)"
        yield Grid(f"Needs on {chip}{of_chip}", headings, tuple(rows), note)
        picture = placement_picture(fit)
        if picture:
            yield Drawing(picture, f"Cores of {chip} that the network takes, population by population.")


def chip_name(target: str) -> str:
    """A target's name as it is written in prose.

    >>> chip_name("loihi2")
    'Loihi 2'
    """
    return re.sub(r"(?<=[a-z])(?=\d)", " ", target).capitalize()
