"""The report: every part optional, one file, nothing that an outsider's name can break."""

import dataclasses
import io
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
import torch
from PIL import Image
from report_examples import bare_report, full_report, network, spikes, statistics_of
from torch import nn

from hardware.counts.ann_operations import count_ann_operations
from hardware.counts.operation_summary import (
    AnnSummary,
    OperationsSummary,
)
from hardware.counts.operations import count_operations
from hardware.energy.models import EnergyEstimate, energy_estimates
from hardware.mapping.resources import ChipFit
from hardware.report import Report, figures, report_values, write_report
from hardware.report.page import report_page
from hardware.report.parts import (
    Agreement,
    RecordingSummary,
    Table,
    clip_picture,
    confusion_of,
    raster_of,
    recording_summary,
)
from hardware.report.pictures import event_montage, png_bytes
from hardware.report.sections import report_sections
from snnface.config import from_json, to_json
from snnface.errors import ConfigError, DataError, ShapeError
from snnface.events.statistics import EventStatistics
from snnface.events.stream import EventStream
from snnface.events.window import Resolution
from snnface.pages.numbers import compact, grouped, percent, si, significant

HOSTILE = '</script><img src=x onerror="alert(1)"> & {{ 7 * 7 }}'


class Page(HTMLParser):
    """Tags, links and text of a page outside its scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.captions: list[str] = []
        self.feed(text)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.links += [values[name] for name in ("src", "href") if name in values]
        self.ids += [values["id"]] if "id" in values else []
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)
        if tag == "caption":
            self.captions.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.words.append(data)
            if "caption" in self.open:
                self.captions[-1] += data


@pytest.fixture(scope="module")
def full_page() -> str:
    return report_page(full_report())


@pytest.fixture(scope="module")
def page(full_page: str) -> Page:
    return Page(full_page)


@pytest.fixture
def short_plotly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parsing five megabytes of plotly.js again in every test would take most of the time."""
    monkeypatch.setattr("snnface.pages.page.get_plotlyjs", lambda: "/* plotly */")


def test_page_is_one_file_that_refers_to_nothing_outside(full_page: str, page: Page) -> None:
    assert page.open == []
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in page.links)
    assert "link" not in page.tags
    assert "default-src 'none'" in full_page
    assert full_page.count("Plotly.newPlot(") - full_page.count('"Plotly.newPlot(') >= 8
    assert len(re.findall(r"\* plotly\.js v\d", full_page)) == 1


def test_every_link_of_the_contents_leads_to_a_section(page: Page) -> None:
    anchors = [link.removeprefix("#") for link in page.links if link.startswith("#")]
    assert anchors == [section.anchor for section in report_sections(full_report())]
    assert set(anchors) <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_page_says_synthetic_in_every_table_and_beside_every_figure(full_page: str, page: Page) -> None:
    assert len(page.captions) > 10
    assert all("synthetic data" in caption for caption in page.captions)
    assert full_page.count("<figcaption>") == len(
        re.findall(r"<figcaption>[^<]*<span class=\"badge synthetic\">", full_page)
    )
    assert "Every number on this page comes from synthetic data" in page.text


@pytest.mark.usefixtures("short_plotly")
def test_page_of_recorded_data_names_it_instead() -> None:
    report = dataclasses.replace(full_report(), is_synthetic=False, data="NEFER")
    page = Page(report_page(report))
    assert all("NEFER" in caption for caption in page.captions)
    assert "synthetic data" not in page.text


def test_page_shows_what_the_report_holds(page: Page) -> None:
    text = page.text.replace("\u202f", " ")
    for expected in (
        "It works.",
        "Read this first.",
        "2000-01-02",
        "61.0 %",
        "50.0 % to 70.0 %",
        "no environment",
        "the coffee",
        "one clip is short",
        "Loihi 1: fits",
        "Loihi 2: unknown",
        "231 ms (steps, not a measured time)",
        "nothing on this page was measured on a chip",
        "true: AU2",
        "Lava",
        "GRU",
    ):
        assert expected in text


def test_empty_report_has_provenance_and_nothing_else() -> None:
    text = report_page(bare_report())
    assert [section.anchor for section in report_sections(bare_report())] == ["provenance"]
    assert "plotly" not in text.lower()
    assert len(text) < 20_000


OPTIONAL = [
    field.name
    for field in dataclasses.fields(Report)
    if field.name not in ("title", "data", "is_synthetic", "verdict", "notices", "provenance")
]


@pytest.mark.usefixtures("short_plotly")
@pytest.mark.parametrize("name", OPTIONAL)
def test_each_part_can_stand_alone_and_can_be_missing(name: str) -> None:
    whole = full_report()
    alone = dataclasses.replace(bare_report(), **{name: getattr(whole, name)})
    without = dataclasses.replace(whole, **{name: getattr(bare_report(), name)})
    few, many = Page(report_page(alone)), Page(report_page(without))
    assert few.open == many.open == []
    assert few.text.count("Provenance") == many.text.count("Provenance") == 2
    assert sum(link.startswith("#") for link in few.links) <= 3
    assert sum(link.startswith("#") for link in many.links) >= 12


@pytest.mark.usefixtures("short_plotly")
def test_names_from_outside_cannot_become_markup_or_scripts() -> None:
    text = report_page(full_report(name=HOSTILE, data=HOSTILE))
    page = Page(text)
    assert "<img src=x" not in text
    assert 'onerror="alert' not in text
    assert HOSTILE in page.text
    assert page.tags.count("img") == 1
    assert page.tags.count("script") == Page(report_page(full_report())).tags.count("script")


@pytest.mark.usefixtures("short_plotly")
def test_ratio_sentence_stands_on_the_page() -> None:
    counted = count_operations(network(), spikes(0), {"hidden": spikes(1)})
    ann = count_ann_operations(nn.Linear(2, 2), torch.ones(1, 2), batch_axis=0)
    report = dataclasses.replace(bare_report(), energy=energy_estimates(counted, ann))
    sections = {section.anchor: section for section in report_sections(report)}
    assert "energy" in sections
    text = Page(report_page(report)).text
    assert len(report.ratios) == 5
    for ratio in report.ratios:
        assert ratio.sentence in text


def test_only_steps_that_changed_spikes_are_listed_layer_by_layer(page: Page) -> None:
    text = page.text
    assert "Where spikes differ: float to integers" in text
    assert "Where spikes differ: float to NIR" not in text


# --- files -----------------------------------------------------------------------------------


def test_write_report_writes_page_and_values(tmp_path: Path) -> None:
    values_path = write_report(full_report(), tmp_path / "run" / "report.html")
    assert values_path == tmp_path / "run" / "report.json"
    assert sorted(path.name for path in values_path.parent.iterdir()) == ["report.html", "report.json"]
    values = json.loads(values_path.read_text(encoding="utf-8"))
    assert values["is_synthetic"] is True
    assert values["energy_is_estimated_not_measured"] is True
    assert values["operations"]["layers"][0]["name"] == "hidden"
    assert values["accuracy"][0]["top1_interval"] == [0.5, 0.7]
    assert "png" not in values["clips"][0]
    assert "module '1' (GRU) has parameters of its own that cannot be counted; it is left out." in values["warnings"]


def test_values_leave_out_absent_parts_and_numbers_that_are_not_finite() -> None:
    table = Table(title="t", columns=("x",), rows=((float("nan"),), (float("inf"),), (1.5,)))
    values = report_values(dataclasses.replace(bare_report(), tables=(table,)))
    assert values["tables"][0]["rows"] == [[None], [None], [1.5]]
    assert "operations" not in values
    assert values["ratios"] == []


def test_same_report_gives_the_same_bytes(full_page: str) -> None:
    assert report_page(full_report()) == full_page


def test_a_failed_page_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "report.html").write_text("old")

    def broken(*args: object, **kwargs: object) -> str:
        raise RuntimeError("disk full")

    monkeypatch.setattr("hardware.report.page.report_page", broken)
    with pytest.raises(RuntimeError, match="disk full"):
        write_report(full_report(), tmp_path / "report.html")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_text() == "old"


def test_only_html_files_are_reports(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"an \.html file; got 'report\.pdf'\. Name it report\.html"):
        write_report(bare_report(), tmp_path / "report.pdf")


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (lambda report: report.operations, OperationsSummary),
        (lambda report: report.ann, AnnSummary),
        (lambda report: report.energy[0], EnergyEstimate),
        (lambda report: report.chip_fits[0], ChipFit),
        (lambda report: report.agreement[1], Agreement),
        (lambda report: report.recording, RecordingSummary),
    ],
)
def test_parts_survive_being_written_as_json_and_read(value: Callable[[Report], object], kind: type) -> None:
    part = value(full_report())
    assert from_json(kind, to_json(part)) == part


# --- parts -----------------------------------------------------------------------------------


def test_recording_summary_counts_what_is_there() -> None:
    events = EventStream.from_arrays(
        x=[0] * 4, y=[0] * 4, t_us=[1000, 1500, 2500, 4999], polarity=[1, 1, 0, 1], resolution=Resolution(2, 2)
    )
    summary = recording_summary("r", statistics_of(events), sensor=events.resolution)
    assert (summary.num_events, summary.duration_s, summary.on_fraction) == (4, 0.004, 0.75)
    assert summary.event_rate == 1000
    assert summary.seconds == (0.0, 0.001, 0.002, 0.003)
    assert summary.on_rate == (2000.0, 0.0, 0.0, 1000.0)
    assert summary.off_rate == (0.0, 1000.0, 0.0, 0.0)
    assert (summary.num_triggers, summary.num_frames) == (None, None)


@pytest.mark.usefixtures("short_plotly")
def test_empty_recording_has_a_page() -> None:
    summary = recording_summary("empty", EventStatistics(), sensor=Resolution(2, 2))
    assert (summary.num_events, summary.event_rate, summary.on_fraction) == (0, 0.0, None)
    text = Page(report_page(dataclasses.replace(bare_report(), recording=summary))).text
    assert "no events" in text


def test_confusion_counts_clips_by_true_row_and_predicted_column() -> None:
    confusion = confusion_of("m", ("a", "b", "c"), np.array([0, 0, 2]), np.array([1, 1, 2]))
    assert confusion.counts == ((0, 2, 0), (0, 0, 0), (0, 0, 1))


def test_raster_shows_evenly_spaced_neurons_of_those_that_fired() -> None:
    train = np.zeros((4, 2, 10), np.uint8)
    train[[1, 3], 1, 9] = 1
    train[0, 1, 2:7] = 1
    raster = raster_of({"layer": train}, sample=1, clip_id="c", max_neurons=3)
    layer = raster.layers[0]
    assert (raster.num_steps, layer.num_neurons, layer.neurons) == (4, 10, (2, 4, 9))
    assert layer.steps == ((0,), (0,), (1, 3))


def test_raster_of_a_silent_layer_is_empty() -> None:
    raster = raster_of({"layer": np.zeros((4, 1, 10), np.uint8)}, sample=0, clip_id="c")
    assert (raster.layers[0].num_neurons, raster.layers[0].neurons) == (10, ())


def test_clip_picture_names_the_highest_answers_first() -> None:
    answers = np.array([0.1, 0.4, 0.4, 0.0])
    clip = clip_picture("c", np.zeros((2, 2, 3, 3)), answers, ("a", "b", "c", "d"))
    assert clip.votes == (("b", 0.4), ("c", 0.4), ("a", 0.1))
    assert Image.open(io.BytesIO(clip.png)).size == (96 + 4 + 96, 96)


def test_montage_paints_on_and_off_in_their_colours() -> None:
    frames = np.zeros((1, 2, 1, 3))
    frames[0, 0, 0, 0] = 5
    frames[0, 1, 0, 1] = 5
    picture = event_montage(frames, on_channel=0, scale=1)
    assert picture[0].tolist() == [[0, 114, 178], [213, 94, 0], [255, 255, 255]]
    swapped = event_montage(frames, on_channel=1, scale=1)
    assert swapped[0, :2].tolist() == [[213, 94, 0], [0, 114, 178]]


def test_montage_shows_the_busiest_consecutive_steps() -> None:
    frames = np.zeros((11, 1, 1, 1))
    frames[[0, 7, 9]] = 1
    picture = event_montage(frames, num_steps=3, scale=1)
    assert picture[0, [0, 5, 10]].tolist() == [[0, 114, 178], [255, 255, 255], [0, 114, 178]]
    assert event_montage(frames, num_steps=20, scale=1).shape == (1, 11 * 5 - 4, 3)
    with pytest.raises(ShapeError, match=r"\[T, 1 or 2, H, W\] with T >= 1; got \[0, 2, 1, 1\]"):
        event_montage(np.zeros((0, 2, 1, 1)))


def test_png_holds_the_picture() -> None:
    picture = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png_bytes(picture)))), picture)


def test_table_refuses_rows_of_another_length() -> None:
    with pytest.raises(DataError, match="table 'T' has 2 columns; got a row of 1 cells"):
        Table(title="T", columns=("a", "b"), rows=(("x",),))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (grouped(205_522), "205 522"),
        (grouped(1.25), "1.2"),
        (grouped(0), "0"),
        (si(0.0, "J"), "0 J"),
        (si(9.996e-7, "J"), "1.00 µJ"),
        (si(4.5e-12, "J"), "4.50 pJ"),
        (si(1e-20, "J"), "1e-05 fJ"),
        (si(131072, "B"), "131 kB"),
        (si(float("inf"), ""), "∞"),
        (compact(9999), "9 999"),
        (compact(2_750_000), "2.75 M"),
        (compact(774.4), "774"),
        (percent(0.5), "50.0 %"),
        (percent(0.0), "0.0 %"),
        (percent(0.00049), "0.049 %"),
        (significant(-0.000651), "-0.000651"),
        (significant(227.3), "227"),
    ],
)
def test_numbers_are_written_for_readers(text: str, expected: str) -> None:
    assert text.replace("\u202f", " ") == expected


def test_figures_are_drawn_from_plain_values_and_escape_names() -> None:
    drawn = [
        figures.accuracy_intervals([HOSTILE], [0.5], [None]),
        figures.confusion_heatmap([HOSTILE, "b"], [[0, 0], [1, 3]]),
        figures.firing_rates([HOSTILE], mean=[0.1], median=[0.1], p99=[0.2], largest=[0.5]),
        figures.operations_per_layer([HOSTILE], synops=[1.0], updates=[2.0]),
        figures.spike_raster([(HOSTILE, [[0, 2], []])], num_steps=3),
        figures.spike_raster([], num_steps=3),
        figures.energy_ranges([HOSTILE], [(1e-9, 2e-9, 3e-9)], ["SNN"]),
        figures.event_rate([0.0], {HOSTILE: [1.0]}),
        figures.time_traces([0.0], {HOSTILE: [1.0]}, unit=HOSTILE),
    ]
    for figure in drawn:
        assert isinstance(figure, go.Figure)
        assert "<img" not in figure.to_json().replace("\\u003c", "<")
    assert drawn[1].data[0].z == ([0.0, 0.0], [0.25, 0.75])
