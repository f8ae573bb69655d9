"""`snnface view`: what is drawn can be read back, pixel by pixel, and nothing half-drawn stays."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from snnface.app import viewing
from snnface.app.cli import main
from snnface.app.movies import create_movie
from snnface.app.viewing import view
from snnface.errors import ConfigError, DataError, ShapeError
from snnface.events import EventStream, Resolution, write_hdf5
from snnface.events.pictures import DARK, WHITE, EventColours


def write_recording(path: Path, num_steps: int) -> Path:
    """On 4 x 3 pixels: in step k of 1 ms one event, ON in even steps, walking through the columns."""
    steps = range(num_steps)
    events = EventStream.from_arrays(
        x=[k % 4 for k in steps],
        y=[1] * num_steps,
        t_us=[1000 * k for k in steps],
        polarity=[k % 2 == 0 for k in steps],
        resolution=Resolution(3, 4),
    )
    write_hdf5(events, path)
    return path


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return write_recording(tmp_path / "walk.h5", 10)


def gif_pictures(path: Path) -> list[np.ndarray]:
    with Image.open(path) as movie:
        pictures = []
        for index in range(movie.n_frames):
            movie.seek(index)
            pictures.append(np.asarray(movie.convert("RGB")))
    return pictures


def mp4_pictures(path: Path) -> list[np.ndarray]:
    import av

    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def walk(pictures: list[np.ndarray]) -> list[tuple[int, bool]]:
    """Column of the event in each picture, and whether it is rather blue."""
    found = []
    for picture in pictures:
        side = picture.shape[1] // 4
        cells = picture[side + side // 2, side // 2 :: side].astype(int)
        column = int(np.abs(cells - cells.mean(axis=0)).sum(axis=1).argmax())
        found.append((column, bool(cells[column, 2] > cells[column, 0])))
    return found


EXPECTED = [(k % 4, k % 2 == 0) for k in range(10)]


@pytest.mark.parametrize("dark", [False, True])
def test_an_animation_shows_every_step_in_exact_colours(recording: Path, tmp_path: Path, dark: bool) -> None:
    drawn = view(recording, tmp_path / "walk.gif", step_us=1000, dark=dark)
    pictures = gif_pictures(tmp_path / "walk.gif")
    assert walk(pictures) == EXPECTED
    theme = DARK if dark else WHITE
    assert {tuple(colour) for colour in pictures[0].reshape(-1, 3).tolist()} == {theme.on, theme.background}
    # 50 pictures a second at most are played: 1000 a second in reality.
    assert (drawn.num_steps, drawn.num_events, drawn.speed) == (10, 10, 0.05)


def test_a_video_shows_every_step(recording: Path, tmp_path: Path) -> None:
    drawn = view(recording, tmp_path / "walk.mp4", step_us=1000)
    pictures = mp4_pictures(tmp_path / "walk.mp4")
    assert pictures[0].shape == (720, 960, 3)
    assert walk(pictures) == EXPECTED
    assert drawn.speed == 0.06


def test_a_video_of_steps_that_players_can_follow_is_real_time(recording: Path, tmp_path: Path) -> None:
    import av

    assert view(recording, tmp_path / "walk.mp4", step_us=33_000).speed == 1.0
    with av.open(str(tmp_path / "walk.mp4")) as container:
        assert float(container.streams.video[0].average_rate) == pytest.approx(1000 / 33)


@pytest.mark.parametrize(("num_steps", "num_shown"), [(1, 1), (10, 10), (16, 16), (17, 9), (32, 16), (33, 9)])
def test_a_sheet_shows_evenly_spaced_steps(tmp_path: Path, num_steps: int, num_shown: int) -> None:
    path = write_recording(tmp_path / "walk.h5", num_steps)
    drawn = view(path, tmp_path / "walk.png", step_us=1000)
    assert (drawn.num_steps, drawn.num_shown, drawn.speed) == (num_steps, num_shown, None)
    with Image.open(tmp_path / "walk.png") as sheet:
        width, height = sheet.size
    assert width == 8 + min(num_shown, 4) * (320 + 8)
    assert height == 8 + -(-num_shown // 4) * (240 + 18 + 8)


def test_a_part_can_be_shown(recording: Path, tmp_path: Path) -> None:
    assert view(recording, tmp_path / "walk.gif", step_us=1000, max_seconds=0.0035).num_steps == 4


def test_odd_sides_are_filled_up_with_their_edge(tmp_path: Path) -> None:
    picture = np.full((5, 7, 3), 100, np.uint8)
    with create_movie(tmp_path / "odd.mp4", Resolution(5, 7), fps=Fraction(25)) as movie:
        movie.append(picture)
    (shown,) = mp4_pictures(tmp_path / "odd.mp4")
    assert shown.shape == (6, 8, 3)
    np.testing.assert_allclose(shown, 100, atol=3)


def test_greys_stay_in_an_animation(tmp_path: Path) -> None:
    greys = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    with create_movie(tmp_path / "grey.gif", Resolution(1, 256), fps=Fraction(25)) as movie:
        movie.append(greys)
    (shown,) = gif_pictures(tmp_path / "grey.gif")
    np.testing.assert_allclose(shown.astype(int), greys, atol=2)


def test_a_picture_of_another_size_is_refused_and_no_movie_stays(tmp_path: Path) -> None:

    def write() -> None:
        with create_movie(tmp_path / "m.gif", Resolution(4, 4), fps=Fraction(25)) as movie:
            movie.append(np.zeros((4, 4, 3), np.uint8))
            movie.append(np.zeros((4, 5, 3), np.uint8))

    with pytest.raises(ShapeError, match="pictures of this movie are 4x4"):
        write()
    assert list(tmp_path.iterdir()) == []


def test_no_events_are_nothing_to_draw(tmp_path: Path) -> None:
    write_hdf5(EventStream.empty(Resolution(2, 3)), tmp_path / "none.h5")
    for name in ("a.gif", "a.mp4", "a.png"):
        with pytest.raises(DataError, match="holds no events; there is nothing to draw"):
            view(tmp_path / "none.h5", tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["none.h5"]


@pytest.mark.parametrize("name", ["a.gif", "a.png"])
def test_a_jump_in_time_is_refused(recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(viewing, "MAX_STEPS", 5)
    with pytest.raises(DataError, match=r"more than 5 steps, .* perhaps its times jump"):
        view(recording, tmp_path / name, step_us=1000)
    assert [path.name for path in tmp_path.iterdir()] == ["walk.h5"]


@pytest.mark.parametrize("name", ["a.avi", "a"])
def test_another_kind_of_file_is_refused_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert main(["view", str(tmp_path / "none.raw"), "--out", str(tmp_path / name)]) == 1
    assert f"a view is an .mp4, .gif or .png file; got '{name}'. Name it a.mp4." in capsys.readouterr().err


def test_wrong_durations_are_refused(recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match="must be positive; got 0"):
        view(recording, tmp_path / "a.gif", max_seconds=0)
    assert main(["view", str(recording), "--out", str(tmp_path / "a.gif"), "--step-ms", "0"]) == 1
    assert "at least 0.001 ms and at most 86,400,000 ms; got 0" in capsys.readouterr().err
    assert main(["view", str(recording), "--out", str(tmp_path / "a.gif"), "--step-ms", "inf"]) == 1
    assert "got inf" in capsys.readouterr().err


@pytest.mark.parametrize(("dark", "colours"), [(False, WHITE), (True, DARK)])
def test_a_sheet_says_which_colour_is_on(tmp_path: Path, dark: bool, colours: EventColours) -> None:
    view(write_recording(tmp_path / "walk.h5", 1), tmp_path / "walk.png", step_us=1000, dark=dark)
    with Image.open(tmp_path / "walk.png") as picture:
        caption = np.asarray(picture.convert("RGB"))[:20]
    on, off = ((caption == colour).all(axis=2).nonzero()[1] for colour in (colours.on, colours.off))
    assert on.size > 50
    assert on.max() < off.min()


def test_the_command_says_what_it_drew(recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "walk.gif"
    assert main(["view", str(recording), "--out", str(out), "--step-ms", "1"]) == 0
    assert (
        capsys.readouterr().out
        == f"{out}: 10 of 10 event frames of 1 ms, at 0.05 x real time; blue ON, vermilion OFF\n"
    )


@pytest.mark.data
def test_a_real_recording_is_drawn(shared_events: Path, tmp_path: Path) -> None:
    drawn = view(shared_events / "imx636_1280x720_evt3_trigger.raw", tmp_path / "a.mp4", max_seconds=0.2)
    assert drawn.num_steps == 7
    assert len(mp4_pictures(tmp_path / "a.mp4")) == 7
