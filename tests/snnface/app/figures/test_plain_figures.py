"""Figures from plain arrays: what stands where, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from snnface.app.emotion_transfer import LabelTransfer, TransferVideo
from snnface.app.figures import (
    MeshSample,
    PictureStrip,
    VaTrace,
    WheelPoint,
    coloured_meshes,
    component_maps,
    emotion_wheel,
    picture_strips,
    template_wheel,
    va_traces,
    write_figure,
)
from snnface.app.figures.picture_grid import event_colours, grey_picture, picture_grid
from snnface.errors import ConfigError, DataError
from snnface.events.pictures import WHITE
from snnface.faces.components import Components
from snnface.faces.procedural.face import ProceduralFace

WHITE_PICTURE = np.full((4, 4, 3), 255, np.uint8)


def trace(name: str = "clip", num_steps: int = 4, **changes: object) -> VaTrace:
    seconds = np.arange(num_steps) / 10
    truth = np.stack([seconds, -seconds], axis=1)
    settings = {"answers": {"snn": truth + 0.5}, "seconds": seconds, "truth": truth, **changes}
    return VaTrace(name=name, **settings)


def test_a_trace_has_the_truth_and_every_answer_in_both_dimensions() -> None:
    figure = va_traces([trace()])
    lines = {(line.name, line.yaxis): list(line.y) for line in figure.data}
    assert len(lines) == 4
    valence, arousal = "y2", "y3"
    assert lines["truth", valence] == pytest.approx([0, 0.1, 0.2, 0.3])
    assert lines["truth", arousal] == pytest.approx([0, -0.1, -0.2, -0.3])
    assert lines["snn", arousal] == pytest.approx([0.5, 0.4, 0.3, 0.2])
    assert (figure.layout.yaxis2.title.text, figure.layout.yaxis3.title.text) == ("valence", "arousal")


def test_steps_without_truth_are_a_gap_in_its_line_not_in_the_answers() -> None:
    figure = va_traces([trace(present=np.array([True, False, True, True]))])
    assert figure.data[0].y[1] is None
    assert figure.data[1].y[1] == pytest.approx(0.6)


def test_pictures_stand_above_the_times_that_they_show() -> None:
    pictures = np.stack([WHITE_PICTURE] * 3)
    figure = va_traces([trace(), trace("other", pictures=pictures)])
    # Three equal parts of 0 .. 0.3 s, above the second clip.
    assert [image.x for image in figure.layout.images] == pytest.approx([0.05, 0.15, 0.25])
    assert {image.xref for image in figure.layout.images} == {"x2"}


def test_each_line_stands_in_the_key_once() -> None:
    figure = va_traces([trace("a"), trace("b")])
    assert sorted(line.name for line in figure.data if line.showlegend) == ["snn", "truth"]


def test_a_trace_whose_lengths_differ_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="trace 'clip' has 4 times; truth and answers should be as long, got 3, 4"):
        trace(answers={"snn": np.zeros((3, 2))})
    with pytest.raises(DataError, match="at least one clip"):
        va_traces([])


def test_names_are_plain_text_not_html() -> None:
    figure = emotion_wheel([WheelPoint(name="<b>a</b>", truth=(0.0, 0.0), answer=(1.0, 0.0))])
    assert figure.data[0].name == "&lt;b&gt;a&lt;/b&gt;"


def test_the_wheel_joins_truth_and_answer_valence_to_the_right() -> None:
    figure = emotion_wheel([WheelPoint(name="a", truth=(0.5, -0.25), answer=(0.1, 0.75))])
    assert list(figure.data[0].x) == [0.5, 0.1]
    assert list(figure.data[0].y) == [-0.25, 0.75]
    words = {note.text: (note.x, note.y) for note in figure.layout.annotations}
    assert words["pleasure"][0] > 1
    assert words["arousal"][1] > 1
    assert words["sleepiness"][1] < -1
    with pytest.raises(DataError, match="at least one point"):
        emotion_wheel([])


def test_the_wheel_has_room_for_answers_beyond_it() -> None:
    figure = emotion_wheel([WheelPoint(name="a", truth=(0.0, 0.0), answer=(0.0, -5.0))])
    assert figure.layout.yaxis.range[0] < -5
    assert figure.layout.xaxis.range[1] / figure.layout.yaxis.range[1] == pytest.approx(1.55 / 1.25)


def test_templates_are_large_and_videos_told_wrong_are_hollow() -> None:
    told = {"subject": "q", "second": 0.1, "arousal": 0.5}
    label = LabelTransfer(
        scores={},
        classes={},
        templates={"joy": (0.4, 0.2)},
        videos=(
            TransferVideo(video="q/1", emotion="joy", answer="joy", valence=0.1, **told),
            TransferVideo(video="q/2", emotion="joy", answer="fear", valence=0.2, **told),
        ),
    )
    template, videos = template_wheel(label).data
    assert (list(template.x), list(template.y)) == ([0.4], [0.2])
    assert list(videos.x) == [0.1, 0.2]
    assert videos.marker.symbol == ("circle", "circle-open")
    assert template.marker.size > 2 * videos.marker.size


def strip(name: str = "clip", **changes: object) -> PictureStrip:
    settings = {
        "events": WHITE_PICTURE,
        "answers": {"cvae": np.full((4, 4), 0.6)},
        "truth": np.full((4, 4), 0.5),
        "reference": np.full((4, 4), 0.5),
    }
    return PictureStrip(name=name, **{**settings, **changes})


def texts_of(figure: object) -> list[str]:
    return [note.text for note in figure.layout.annotations]  # type: ignore[attr-defined]


def test_strips_show_input_reconstruction_and_truth_and_how_alike_they_are() -> None:
    figure = picture_strips([strip("a"), strip("b")])
    texts = texts_of(figure)
    assert texts[:4] == ["events", "earlier picture", "cvae", "truth"]
    # 0.1 away from a peak of 1: 20 dB.
    assert texts.count("PSNR 20.0 dB") == 2
    assert texts.count("identical") == 2
    assert texts[-2:] == ["a", "b"]
    assert len(figure.data) == 8


def test_strips_without_an_earlier_picture_have_no_column_for_it() -> None:
    figure = picture_strips([strip(reference=None)])
    assert "earlier picture" not in texts_of(figure)
    assert len(figure.data) == 3


def test_strips_of_different_networks_do_not_stand_together() -> None:
    with pytest.raises(DataError, match="answers of the same networks"):
        picture_strips([strip(), strip(answers={"snn": np.zeros((4, 4))})])


def test_empty_cells_of_a_grid_stay_empty_and_uneven_rows_are_refused() -> None:
    assert len(picture_grid([[WHITE_PICTURE, None], [None, WHITE_PICTURE]]).data) == 2
    with pytest.raises(DataError, match=r"rows of equally many pictures; got \[1, 2\]"):
        picture_grid([[None], [None, None]])


def test_greys_are_clipped_to_black_and_white() -> None:
    picture = grey_picture(np.array([[-1.0, 0.0, 0.5, 2.0]]))
    assert picture[0, :, 0].tolist() == [0, 0, 128, 255]
    assert (picture[..., 0] == picture[..., 2]).all()


def test_event_pictures_have_the_colours_of_their_polarity() -> None:
    counts = np.zeros((2, 1, 3), np.float32)
    counts[0, 0, 0] = counts[1, 0, 1] = 4
    picture = event_colours(counts)
    assert [tuple(pixel) for pixel in picture[0].tolist()] == [WHITE.on, WHITE.off, WHITE.background]
    signed = np.zeros((5, 1, 2), np.float32)
    signed[3, 0, 0], signed[1, 0, 1] = 2, -2
    assert [tuple(pixel) for pixel in event_colours(signed)[0].tolist()] == [WHITE.on, WHITE.off]
    assert event_colours(np.full((1, 2, 2), 0.5, np.float32)).tolist() == np.full((2, 2, 3), 128).tolist()
    assert event_colours(np.eye(3, dtype=np.float32)[:, :, None])[:, 0].tolist() == (255 * np.eye(3)).tolist()


@pytest.fixture(scope="module")
def components() -> Components:
    """Two: the mouth opens, the brows rise."""
    mesh = ProceduralFace.build(0.06).mesh
    basis = [np.tensordot(mesh.expression_weights({code: 1.0}), mesh.expression, 1) for code in (26, 2)]
    return Components(basis=np.stack(basis).astype(np.float32), weights=np.ones(2), kind="expression", names=("a", "b"))


def test_each_component_has_its_map_and_its_name(components: Components) -> None:
    mesh = ProceduralFace.build(0.06).mesh
    assert texts_of(component_maps(mesh, components)) == ["a", "b"]
    one = component_maps(mesh, components, chosen=(1,))
    assert texts_of(one) == ["b"]
    assert one.data[0].source == component_maps(mesh, components).data[1].source
    with pytest.raises(ConfigError, match=r"components 0..1; got \[2\]"):
        component_maps(mesh, components, chosen=(2,))
    with pytest.raises(DataError, match="use the mesh they were learned on"):
        component_maps(ProceduralFace.build(0.055).mesh, components)


def test_rows_of_maps_fit_a_page(components: Components) -> None:
    mesh = ProceduralFace.build(0.06).mesh
    figure = component_maps(mesh, components, chosen=(0, 1) * 5)
    # Beside its contents a page of 1200 pixels has 935 for a figure.
    assert figure.layout.width <= 935
    # Two rows of eight, six of the second empty.
    assert len(figure.data) == 10
    places = [figure.get_subplot(row, 8).xaxis.domain for row in (1, 2)]
    assert places[0] == places[1]


def test_faces_stand_beside_what_was_seen_on_one_scale(components: Components) -> None:
    mesh = ProceduralFace.build(0.06).mesh
    opened, closed = np.array([1.0, 0.0]), np.zeros(2)
    seen = MeshSample(name="a", events=WHITE_PICTURE, answer=opened, truth=opened, picture=WHITE_PICTURE)
    missed = MeshSample(name="b", events=WHITE_PICTURE, answer=closed, truth=opened)
    figure = coloured_meshes([seen, missed], mesh, components)
    assert texts_of(figure) == ["picture", "events", "answer", "fitted", "a", "b"]
    # No picture of the second; its answer is the neutral face, blue all over, beside the same fitted one.
    pictures = [cell.source for cell in figure.data]
    assert len(pictures) == 7
    assert pictures[2] == pictures[3] == pictures[6] != pictures[5]
    with pytest.raises(DataError, match="at least one moment"):
        coloured_meshes([], mesh, components)


def test_a_page_needs_no_other_file_and_no_network(tmp_path: Path) -> None:
    write_figure(va_traces([trace()]), tmp_path / "traces.html", title="Traces < 1")
    text = (tmp_path / "traces.html").read_text(encoding="utf-8")
    assert "<h1>Traces &lt; 1</h1>" in text
    assert "<script src" not in text
    assert "Plotly.newPlot" in text
    with pytest.raises(ConfigError, match=r"Name it traces.html"):
        write_figure(va_traces([trace()]), tmp_path / "traces.png", title="")
