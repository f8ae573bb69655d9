"""`clips.csv`: written and read again, and every wrong row refused by its line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnface.datasets.recorded.clip_table import ClipRow, clip_table_text, read_clip_rows
from snnface.errors import DataError, DatasetNotFoundError
from snnface.faces.action_units import ACTION_UNITS

HEADER = "subject,au,t_on,t_apex,t_off,lux\n"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "clips.csv"
    path.write_text(text)
    return path


@st.composite
def rows(draw: st.DrawFn) -> ClipRow:
    names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,8}", fullmatch=True)
    times = sorted(draw(st.lists(st.integers(0, 10**15), min_size=4, max_size=4, unique=True)))
    phases = draw(st.sampled_from([times[:3], [None, None, None]]))
    reach = (times[0], times[3]) if phases[0] is None or draw(st.booleans()) else (None, None)
    return ClipRow(
        subject=draw(names),
        take=draw(names),
        au=draw(st.none() | st.sampled_from(sorted(ACTION_UNITS))),
        on_us=phases[0],
        apex_us=phases[1],
        off_us=phases[2],
        lux=draw(st.none() | st.floats(0, 1e5)),
        emotion=draw(st.none() | st.sampled_from(("fear", "Mild surprise", "a"))),
        start_us=reach[0],
        end_us=reach[1],
    )


@given(st.lists(rows(), min_size=1, max_size=5))
def test_a_table_that_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, table: list[ClipRow]) -> None:
    path = written(tmp_path_factory.mktemp("table"), clip_table_text(table))
    assert read_clip_rows(path) == tuple(table)


def test_the_six_columns_of_the_recorded_set_are_enough_and_the_take_is_named_by_its_unit(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + "p1,45,100,200,300,\n")
    assert read_clip_rows(path) == (ClipRow(subject="p1", take="AU_45", au=45, on_us=100, apex_us=200, off_us=300),)


def test_rows_without_takes_of_their_own_need_no_further_columns() -> None:
    plain = ClipRow(subject="p1", take="AU_45", au=45, on_us=100, apex_us=200, off_us=300, lux=150.0)
    assert clip_table_text([plain]) == HEADER + "p1,45,100,200,300,150.0\n"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("p1,12,1,2,3", r"clips\.csv, line 3: 6 cells were expected; 5 came"),
        ("p1,12,1,2,x,150", r"clips\.csv, line 3, t_off: a number from 0"),
        ("p1,12,-1,2,3,150", r"line 3, t_on: a number from 0"),
        ("p1,12,1.5,2,3,150", r"line 3, t_on: a whole number"),
        ("p1,12,3,2,1,150", r"line 3: t_on <= t_apex <= t_off are given together and differ; got 3, 2, 1"),
        ("p1,12,5,5,5,150", r"line 3: t_on <= t_apex <= t_off are given together and differ; got 5, 5, 5"),
        ("p1,12,1,,3,150", r"line 3: t_on .* got 1, nothing, 3"),
        ("p1,12,,,,150", r"line 3: a clip needs t_on, t_apex and t_off, or t_start and t_end; all are empty"),
        ("p1,99,1,2,3,150", r"line 3: au must be the code of a known action unit .*; got 99"),
        ("../p1,12,1,2,3,150", r"line 3: subject must be the name of a folder .* got '\.\./p1'"),
        (",12,1,2,3,150", r"line 3: subject must be the name of a folder .* got ''"),
        ("p1,12,1,2,3,dark", r"line 3, lux: a number from 0"),
        ("p1,12,1,2,3,nan", r"line 3, lux: a number from 0"),
    ],
)
def test_a_wrong_row_is_refused_by_its_line(tmp_path: Path, row: str, message: str) -> None:
    path = written(tmp_path, HEADER + "p1,12,1,2,3,150\n" + row + "\n")
    with pytest.raises(DataError, match=message):
        read_clip_rows(path)


@pytest.mark.parametrize("reach", ["5,", ",5", "9,5", "5,5"])
def test_a_window_without_both_ends_in_order_is_refused(tmp_path: Path, reach: str) -> None:
    path = written(tmp_path, HEADER.strip() + ",t_start,t_end\np1,12,1,2,3,150," + reach + "\n")
    with pytest.raises(DataError, match=r"line 2: t_start < t_end are given together"):
        read_clip_rows(path)


def test_a_table_without_a_column_names_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="it lacks t_apex, lux and has subject, au, t_on, t_off"):
        read_clip_rows(written(tmp_path, "subject,au,t_on,t_off\np1,12,1,2\n"))


def test_a_table_without_clips_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="should list at least one clip"):
        read_clip_rows(written(tmp_path, HEADER))


def test_a_missing_table_is_told_with_its_columns(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="should list the clips, with columns subject, au, t_on"):
        read_clip_rows(tmp_path / "clips.csv")


def test_a_table_without_emotions_has_no_column_for_them() -> None:
    row = ClipRow(subject="p1", take="AU_45", au=45, on_us=100, apex_us=200, off_us=300)
    assert clip_table_text([row]) == HEADER + "p1,45,100,200,300,\n"
    felt = ClipRow(subject="p1", take="FEAR_1", emotion="fear", start_us=0, end_us=9)
    assert clip_table_text([felt]).splitlines() == [
        HEADER.strip() + ",take,t_start,t_end,emotion",
        "p1,,,,,,FEAR_1,0,9,fear",
    ]


@pytest.mark.parametrize("emotion", ["", "1", "fear ", "fear;anger"])
def test_an_emotion_that_is_no_word_is_refused(emotion: str) -> None:
    with pytest.raises(DataError, match="emotion must be a word"):
        ClipRow(subject="p1", take="T", emotion=emotion, start_us=0, end_us=9)
