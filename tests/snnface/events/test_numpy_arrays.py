"""npy and npz files: which array and column is which, units, hostile archives."""

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import event_streams

from snnface.errors import DataError, EventOrderError
from snnface.events import EventStream, Resolution, open_events, read
from snnface.events.readers import numpy_arrays

SENSOR = Resolution(height=48, width=64)
T, X, Y, P = [1000, 2500, 3000], [5, 6, 7], [7, 8, 9], [1, 0, 1]
ROWS = [(1000, 5, 7, True), (2500, 6, 8, False), (3000, 7, 9, True)]


def saved(folder: Path, array: np.ndarray) -> Path:
    path = folder / "a.bin"
    with path.open("wb") as file:
        np.save(file, array)
    return path


def archive(folder: Path, **arrays: object) -> Path:
    path = folder / "a.bin"
    with path.open("wb") as file:
        np.savez_compressed(file, **{name: np.asarray(array) for name, array in arrays.items()})  # type: ignore[arg-type]
    return path


def rows(path: Path, resolution: Resolution | None = SENSOR) -> list[tuple[int, int, int, bool]]:
    events = read(path, resolution=resolution).events
    columns = (events.t_us.tolist(), events.x.tolist(), events.y.tolist(), events.polarity.tolist())
    return list(zip(*columns, strict=True))


@pytest.mark.parametrize(
    "fields",
    [
        [("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "?")],
        [("x", "<i2"), ("y", "<i2"), ("p", "<i2"), ("t", "<i8")],
        [("timestamp", ">u4"), ("x", "u1"), ("y", ">i8"), ("polarity", "i1"), ("other", "f4")],
    ],
)
def test_structured_arrays_are_read_by_their_names(tmp_path: Path, fields: list[tuple[str, str]]) -> None:
    array = np.zeros(3, fields)
    for name, _ in fields:
        if name != "other":
            array[name] = {"t": T, "x": X, "y": Y, "p": P}[name[0]]
    assert rows(saved(tmp_path, array)) == ROWS


@pytest.mark.parametrize("dtype", [np.int64, np.uint32, np.float64])
@pytest.mark.parametrize("order", ["txyp", "xypt", "xytp"])
@pytest.mark.parametrize("layout", ["C", "F"])
def test_arrays_of_four_columns_are_read_in_the_order_that_fits(
    tmp_path: Path, dtype: type, order: str, layout: str
) -> None:
    columns = {"t": T, "x": X, "y": Y, "p": P}
    array = np.array([columns[axis] for axis in order], dtype).T
    path = saved(tmp_path, np.asarray(array, order=layout))  # type: ignore[call-overload]
    assert rows(path) == ROWS
    assert [len(part) for part in open_events(path, resolution=SENSOR).slices(1500)] == [1, 2]


def test_columns_that_cannot_be_told_apart_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"of txyp, xypt, xytp there fit: txyp, xypt, xytp\); save a structured array"):
        read(saved(tmp_path, np.ones((3, 4), np.int64)), resolution=SENSOR)


def test_times_with_fractions_are_seconds(tmp_path: Path) -> None:
    seconds = np.array(T) / 1e6
    assert rows(saved(tmp_path, np.stack([seconds, X, Y, P], axis=1))) == ROWS
    assert rows(archive(tmp_path, t=seconds.astype(np.float32), x=X, y=Y, p=P)) == ROWS


@pytest.mark.parametrize(
    "names", [("t", "x", "y", "p"), ("ts", "xs", "ys", "ps"), ("timestamps", "x", "y", "polarity")]
)
def test_members_of_an_archive_are_read_by_their_names(tmp_path: Path, names: tuple[str, ...]) -> None:
    path = archive(tmp_path, **dict(zip(names, (T, X, Y, P), strict=True)), note=np.array("text"))
    assert rows(path) == ROWS


def test_a_single_array_in_an_archive_is_read(tmp_path: Path) -> None:
    assert rows(archive(tmp_path, events=np.array([T, X, Y, P]).T)) == ROWS


def test_the_size_of_frames_is_the_size_of_the_sensor(tmp_path: Path) -> None:
    path = archive(tmp_path, t=T, x=X, y=Y, p=P, frames=np.zeros((2, 48, 64), np.uint8))
    assert open_events(path).resolution == SENSOR


def test_without_a_size_it_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"does not state the sensor's size; give it, as in resolution="):
        read(archive(tmp_path, t=T, x=X, y=Y, p=P))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": [1.0, 2.0]}, r"should hold the columns t, x, y, p, or one array of events.*'a': 'float64 \[2\]'"),
        ({"t": T, "x": X, "y": Y, "p": [1]}, "columns of events must have one length"),
        ({"t": T, "x": [-1, 2, 3], "y": Y, "p": P}, r"column x must hold whole numbers in 0\.\.65535; it holds -1"),
        ({"t": T, "x": [1.5, 2, 3], "y": Y, "p": P}, r"column x must hold whole numbers in 0\.\.65535; it holds 1\.5"),
        ({"t": T, "x": X, "y": Y, "p": [0, 1, 9]}, r"column p must hold whole numbers in -1\.\.1; it holds 9"),
        ({"t": [0.5, np.nan, 1], "x": X, "y": Y, "p": P}, "column t must hold whole numbers in .*it holds nan"),
        (
            {"t": [0, 2**63, 2**63], "x": X, "y": Y, "p": P},
            "column t must hold whole numbers in .*it holds 9223372036854775808",
        ),
        ({"t": T, "x": [99, 2, 3], "y": Y, "p": P}, r"event 0 lies at x = 99, y = 7, outside the 64x48 sensor"),
    ],
)
def test_wrong_values_are_refused(tmp_path: Path, arrays: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(
            archive(
                tmp_path, **{k: np.array(v, np.uint64) if k == "t" and 2**63 in v else v for k, v in arrays.items()}
            ),
            resolution=SENSOR,
        )  # type: ignore[operator]


def test_impossible_values_are_left_out_when_recovering(tmp_path: Path) -> None:
    path = archive(tmp_path, t=T, x=[-1, 2, 3], y=Y, p=[1, 1, 9])
    data = read(path, resolution=SENSOR, recover=True)
    assert data.events.t_us.tolist() == [2500]
    assert data.losses == ("2 events with impossible values",)


def test_backward_times_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EventOrderError, match=r"event 1 at 900 us comes after 1000 us"):
        read(archive(tmp_path, t=[1000, 900, 950], x=X, y=Y, p=P), resolution=SENSOR)


@pytest.mark.parametrize(
    ("field", "dtype", "found"),
    [
        ("t", ("<i8", (8,)), r"\('<i8', \(8,\)\)"),
        ("x", "S2", r"\|S2"),
        ("y", [("y", "<u2")], r"\[\('y', '<u2'\)\]"),
        ("t", "<M8[us]", r"datetime64\[us\]"),
        ("p", "<c8", "complex64"),
    ],
)
def test_fields_that_are_no_single_numbers_are_refused(tmp_path: Path, field: str, dtype: object, found: str) -> None:
    fields = {"t": "<i8", "x": "<u2", "y": "<u2", "p": "?"} | {field: dtype}
    path = saved(tmp_path, np.zeros(3, list(fields.items())))
    with pytest.raises(DataError, match=rf"a\.bin: .* must hold single numbers; .*'{field}': .*{found}"):
        open_events(path, resolution=SENSOR, recover=True)


def test_a_column_that_is_a_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must hold single numbers; these hold others: \{'t': "):
        read(archive(tmp_path, t=np.zeros(3, [("a", "<i8")]), x=X, y=Y, p=P), resolution=SENSOR)


def test_a_header_that_python_2_wrote_is_read(tmp_path: Path) -> None:
    path = saved(tmp_path, np.array([(1000, 5, 7, 1)], [("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "?")]))
    path.write_bytes(path.read_bytes().replace(b"(1,), } ", b"(1L,), }"))
    assert rows(path) == ROWS[:1]


def test_a_header_whose_brackets_never_close_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, np.array([(1000, 5, 7, 1)], [("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "?")]))
    path.write_bytes(path.read_bytes().replace(b"}", b"{"))
    with pytest.raises(DataError, match=r"is a NumPy file but cannot be read \("):
        read(path, resolution=SENSOR)


@pytest.mark.parametrize(
    ("column", "value", "loss"),
    [
        (0, np.nan, "1 events with impossible values"),
        (0, np.inf, "1 events with impossible values"),
        (1, np.nan, "1 events with impossible values"),
        (2, 48.0, "1 events outside the sensor"),
        (3, 7.0, "1 events with impossible values"),
        (0, 900.0, "1 events whose time runs backwards"),
    ],
)
def test_one_wrong_row_does_not_hide_the_order_of_four_columns(
    tmp_path: Path, column: int, value: float, loss: str
) -> None:
    table = np.array([[1000 * k, 5, 7 + k, 1] for k in range(1, 6)], np.float64)
    table[2, column] = value
    path = saved(tmp_path, table)
    with pytest.raises(DataError, match=r"must hold whole numbers|outside the 64x48 sensor|comes after 2000 us"):
        read(path, resolution=SENSOR)
    data = read(path, resolution=SENSOR, recover=True)
    assert data.events.t_us.tolist() == [1000, 2000, 4000, 5000]
    assert data.losses == (loss,)


def test_an_event_with_two_impossible_values_is_counted_once(tmp_path: Path) -> None:
    path = archive(tmp_path, t=T, x=[1, -2, 3], y=Y, p=[1, 9, 1])
    assert read(path, resolution=SENSOR, recover=True).losses == ("1 events with impossible values",)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, t=np.array([print, "boom"], dtype=object), x=X, y=Y, p=P)
    with pytest.raises(DataError, match="should hold the columns t, x, y, p"):
        read(path, resolution=SENSOR)


def test_a_claim_of_a_million_million_events_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, np.zeros(3, [("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "?")]))
    path.write_bytes(path.read_bytes().replace(b"(3,), }             ", b"(1000000000000,), } "))
    with pytest.raises(
        DataError, match=r"claims 1000000000000 events in \d+ bytes; reading it whole would take 13000.0 GB"
    ):
        read(path, resolution=SENSOR)
    with pytest.raises(DataError, match=r"claims 1000000000000 events but holds \d+ that can be read"):
        list(open_events(path, resolution=SENSOR).slices(1000))


def test_an_archive_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    count = 50_000_000
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as bomb:
        for name in "txyp":
            head = io.BytesIO()
            np.lib.format.write_array_header_1_0(head, {"shape": (count,), "fortran_order": False, "descr": "|u1"})
            with bomb.open(name + ".npy", "w") as member:
                member.write(head.getvalue())
                for _ in range(50):
                    member.write(bytes(1_000_000))
    with pytest.raises(DataError, match=r"claims 50000000 events in .*go through it in slices"):
        read(path, resolution=SENSOR)


def test_a_file_cut_at_any_byte_is_refused_or_recovered(tmp_path: Path) -> None:
    array = np.zeros(5, [("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "?")])
    whole = saved(tmp_path, array).read_bytes()
    path = tmp_path / "cut.npy"
    for end in range(7, len(whole)):
        path.write_bytes(whole[:end])
        with pytest.raises(DataError, match=r"cut\.npy.*(cannot be read|holds \d that can be read)"):
            read(path, resolution=SENSOR)
    path.write_bytes(whole[:-20])
    data = read(path, resolution=SENSOR, recover=True)
    assert len(data.events) == 3
    assert data.losses == ("2 events that cannot be read",)


def test_an_archive_with_flipped_bytes_is_read_or_refused(tmp_path: Path) -> None:
    good = archive(tmp_path, t=T, x=X, y=Y, p=P).read_bytes()
    path = tmp_path / "b.npz"
    refused = 0
    for place in range(len(good)):
        path.write_bytes(good[:place] + bytes([good[place] ^ 0x55]) + good[place + 1 :])
        for recover in (False, True):
            try:
                read(path, resolution=SENSOR, recover=recover)
            except DataError:
                refused += 1
    assert refused > 100


@given(data=st.binary(max_size=150))
def test_random_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("numpy") / "a.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", 60) + data)
    with pytest.raises(DataError, match="cannot be read"):
        read(path, resolution=SENSOR)


@given(events=event_streams(resolution=SENSOR), size=st.integers(1, 40), step_us=st.integers(100, 90_000))
def test_pieces_of_any_size_give_the_same_events(
    tmp_path_factory: pytest.TempPathFactory, events: EventStream, size: int, step_us: int
) -> None:
    path = archive(tmp_path_factory.mktemp("numpy"), t=events.t_us, x=events.x, y=events.y, p=events.polarity)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numpy_arrays, "PIECE_EVENTS", size)
        whole = read(path, resolution=SENSOR).events
        parts = [events[:0], *open_events(path, resolution=SENSOR).slices(step_us)]
    for name in ("x", "y", "t_us", "polarity"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(events, name))
        np.testing.assert_array_equal(np.concatenate([getattr(part, name) for part in parts]), getattr(events, name))


@pytest.mark.data
def test_a_reference_output_of_v2e_is_read(shared_events: Path) -> None:
    path = shared_events.parent / "v2e_reference" / "logramp_ideal.npz"
    events = read(path).events
    with np.load(path, allow_pickle=False) as arrays:
        np.testing.assert_array_equal(events.t_us, np.rint(arrays["t"].astype(np.float64) * 1e6))
    assert (len(events), int(events.polarity.sum())) == (1728, 1728)
    assert events.resolution == Resolution(height=12, width=16)


def test_an_archive_without_its_directory_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path, t=T, x=X, y=Y, p=P)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match="is no event recording in a known format"):
        read(path, resolution=SENSOR)
