"""A report as Markdown: the sections and tables of the page, without its figures and pictures."""

from collections.abc import Iterator, Sequence

from hardware.report.page import FOOTER
from hardware.report.report import Report
from hardware.report.sections import report_sections
from snnface.pages.blocks import Block, Clips, Drawing, Figure, Grid, Heading, Paragraph, Points, Section

__all__ = ["markdown_of_sections", "report_markdown"]


def report_markdown(report: Report) -> str:
    """The whole report; names from outside are escaped."""
    lines = [f"# {_text(report.title)}", ""]
    if report.verdict:
        lines += [_text(report.verdict), ""]
    if report.is_synthetic:
        lines += [f"> Every number here comes from synthetic data ({_text(report.data)}), made by a program.", ""]
    lines += [line for notice in report.notices for line in (f"> {_text(notice)}", "")]
    data = "synthetic data" if report.is_synthetic else report.data
    lines += markdown_of_sections(report_sections(report), data)
    return "\n".join([*lines, "---", FOOTER, ""])


def markdown_of_sections(sections: Sequence[Section], data: str) -> list[str]:
    """Lines; `data` stands beside every table."""
    lines: list[str] = []
    for section in sections:
        lines += [f"## {_text(section.title)}", ""]
        for block in section.blocks:
            lines += [*_block(block, data), ""]
    return lines


def _block(block: Block, data: str) -> Iterator[str]:
    match block:
        case Paragraph(text):
            yield _text(text)
        case Heading(text):
            yield f"### {_text(text)}"
        case Points(points, is_strong):
            for point in points:
                yield f"- **{_text(point)}**" if is_strong else f"- {_text(point)}"
        case Figure() | Drawing():
            yield f"*(figure on the page)* {_text(block.caption)}"
        case Clips(clips):
            for clip in clips:
                votes = ", ".join(f"{_text(name)} {value:.3f}" for name, value in clip.votes)
                true = "" if clip.true_label is None else f" (true: {_text(clip.true_label)})"
                yield f"- {_text(clip.clip_id)}{true}: {votes}"
        case Grid():
            yield from _grid(block, data)


def _grid(grid: Grid, data: str) -> Iterator[str]:
    yield f"**{_text(grid.caption)}** ({_text(data)})"
    yield ""
    yield _row([heading for heading, _ in grid.columns])
    yield _row(["---:" if kind == "number" else "---" for _, kind in grid.columns])
    for row in grid.rows:
        yield _row([_text(cell) for cell in row])
    if grid.note:
        yield ""
        yield _text(grid.note)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(text: str) -> str:
    """One line without markup of its own."""
    plain = " ".join(text.split("\n")).replace("\\", "\\\\")
    for mark in "|*_`[]":
        plain = plain.replace(mark, f"\\{mark}")
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
