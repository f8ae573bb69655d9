"""A picture of how many cores a network takes: chips as grids of cores, coloured by population.

Populations fill the cores one after the other, in the order of the network. It shows amounts; where
on the chip a population would lie, and which way its spikes go, nobody has decided.
"""

import html
from collections.abc import Iterator, Sequence
from math import ceil, sqrt

from hardware.mapping.population_fit import PopulationFit
from hardware.mapping.resources import ChipFit
from snnface.pages.figures import INK, MUTED, SERIES
from snnface.pages.numbers import grouped, percent

__all__ = ["placement_picture"]

_WIDTH = 900
_PITCH, _CORE = 16.0, 14.0
_MARGIN, _GAP, _HEADING = 6.0, 20.0, 20.0
_LINE = 20
_MAX_CHIPS = 16
_NAME_LENGTH = 32
_REFUSED = "#b42318"
_EMPTY = "#e4e7eb"


def placement_picture(fit: ChipFit) -> str:
    """The network on as many chips as it takes, as inline SVG; empty where the chip's cores are not known.

    A core is filled from below by the share that is used of the limit that binds its population.
    """
    if fit.cores_per_chip is None:
        return ""
    columns = ceil(sqrt(2 * fit.cores_per_chip))
    rows = ceil(fit.cores_per_chip / columns)
    width, height = columns * _PITCH + 2 * _MARGIN, rows * _PITCH + 2 * _MARGIN
    in_row = max(1, int((_WIDTH + _GAP) // (width + _GAP)))
    drawn = min(fit.chips, _MAX_CHIPS)
    owners = [place for place, row in enumerate(fit.populations) for _ in range(row.cores)]
    parts: list[str] = []
    for chip in range(drawn):
        left = (chip % in_row) * (width + _GAP)
        top = (chip // in_row) * (height + _HEADING + _GAP)
        held = owners[chip * fit.cores_per_chip : (chip + 1) * fit.cores_per_chip]
        first = [chip * fit.cores_per_chip + place for place in range(len(held))]
        new = [place for place, core in enumerate(first) if core == 0 or owners[core - 1] != owners[core]]
        parts.append(f'<g transform="translate({left:g} {top:g})">')
        parts += _chip(fit, held, new, number=chip, columns=columns, width=width, height=height)
        parts.append("</g>")
    top = ceil(drawn / in_row) * (height + _HEADING + _GAP)
    if fit.chips > drawn:
        parts.append(_text(0, top, f"and {grouped(fit.chips - drawn)} chips more", colour=MUTED))
        top += _LINE
    parts += _legend(fit.populations, top)
    bottom = top + _LINE * ceil(len(fit.populations) / 2)
    label = html.escape(_summary(fit))
    style = f"width:100%;max-width:{_WIDTH}px;height:auto;font-family:system-ui,sans-serif;font-size:12px"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {bottom:g}" role="img" '
        f'aria-label="{label}" style="{style}">{"".join(parts)}</svg>'
    )


def _summary(fit: ChipFit) -> str:
    each = ", ".join(f"{row.name} {row.cores}" for row in fit.populations)
    chips = "1 chip" if fit.chips == 1 else f"{fit.chips} chips"
    return f"{fit.cores} cores on {chips} of {fit.cores_per_chip}: {each}"


def _chip(
    fit: ChipFit, held: Sequence[int], new: Sequence[int], *, number: int, columns: int, width: float, height: float
) -> Iterator[str]:
    """One chip; `held` names the population of each core in use, `new` the cores at which one begins."""
    assert fit.cores_per_chip is not None
    title = f"chip {number + 1}: {len(held)} of {fit.cores_per_chip} cores"
    yield _text(0, 12, title, colour=INK)
    yield (f'<rect y="{_HEADING:g}" width="{width:g}" height="{height:g}" rx="5" fill="none" stroke="{MUTED}"/>')
    corners = [
        (_MARGIN + (core % columns) * _PITCH, _HEADING + _MARGIN + (core // columns) * _PITCH)
        for core in range(fit.cores_per_chip)
    ]
    yield f'<path fill="{_EMPTY}" d="{_squares(corners[len(held) :], 1.0)}"/>'
    for place in dict.fromkeys(held):
        row, colour = fit.populations[place], SERIES[place % len(SERIES)]
        mine = [corner for corner, owner in zip(corners, held, strict=False) if owner == place]
        edge = f' stroke="{_REFUSED}" stroke-width="1.5"' if row.reason else ""
        yield f"<g><title>{html.escape(_description(row))}</title>"
        yield f'<path fill="{colour}" fill-opacity="0.25"{edge} d="{_squares(mine, 1.0)}"/>'
        if row.used is not None:
            yield f'<path fill="{colour}" d="{_squares(mine, min(row.used, 1.0))}"/>'
        yield "</g>"
    for core in new:
        x, y = corners[core]
        yield (
            f'<text x="{x + _CORE / 2:g}" y="{y + 10:g}" font-size="9" font-weight="700" text-anchor="middle" '
            f'fill="{INK}" stroke="#fff" stroke-width="2" paint-order="stroke">{held[core] + 1}</text>'
        )


def _squares(corners: Sequence[tuple[float, float]], share: float) -> str:
    """Cores as one path, filled from below."""
    height = round(_CORE * share, 2)
    return "".join(f"M{x:g} {y + _CORE - height:g}h{_CORE:g}v{height:g}h-{_CORE:g}z" for x, y in corners)


def _legend(rows: Sequence[PopulationFit], top: float) -> Iterator[str]:
    """Populations in two columns, down and then across; what all names begin with is left out."""
    per_column = ceil(len(rows) / 2)
    shared = _common_start([row.name for row in rows])
    for place, row in enumerate(rows):
        x, y = (place // per_column) * (_WIDTH / 2), top + (place % per_column) * _LINE
        name = row.name.removeprefix(shared)
        name = name if len(name) <= _NAME_LENGTH else f"…{name[1 - _NAME_LENGTH :]}"
        colour = SERIES[place % len(SERIES)]
        yield f'<rect x="{x:g}" y="{y + 2:g}" width="11" height="11" rx="2" fill="{colour}"/>'
        text = f"{place + 1} {name}: {_needs(row)}"
        yield _text(x + 17, y + 12, text, colour=_REFUSED if row.reason else INK, title=_description(row))


def _common_start(names: Sequence[str]) -> str:
    """ "a.b." of "a.b.c" and "a.b.d": the dotted parts that all begin with."""
    parts = [name.split(".")[:-1] for name in names]
    same = 0
    while all(len(one) > same and one[same] == parts[0][same] for one in parts):
        same += 1
    return "".join(f"{part}." for part in parts[0][:same])


def _needs(row: PopulationFit) -> str:
    cores = f"{grouped(row.cores)} {'core' if row.cores == 1 else 'cores'}"
    if row.reason:
        return f"{cores}, does not fit"
    return cores if row.used is None else f"{cores}, {percent(row.used)} of {row.binding}"


def _description(row: PopulationFit) -> str:
    shape = "×".join(map(str, row.shape))
    return f"{row.name} ({shape}): {row.reason or _needs(row)}"


def _text(x: float, y: float, text: str, *, colour: str, title: str = "") -> str:
    inner = f"<title>{html.escape(title)}</title>" if title else ""
    return f'<text x="{x:g}" y="{y:g}" fill="{colour}">{inner}{html.escape(text)}</text>'
