"""What all Prophesee formats promise: exact in blocks of any size, safe on any words, honest about damage."""

import contextlib
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prophesee_files import ENCODERS, HEADERS, WORD_BYTES, junk, rows_of, words_file
from strategies import event_streams

from snnface.errors import DataError
from snnface.events import EventStream, Resolution, open_events, read
from snnface.events.readers import prophesee_file
from snnface.events.readers.pieces import EventColumns
from snnface.events.readers.prophesee_file import SLACK, PropheseeFile

HD = Resolution(height=720, width=1280)
FORMATS = sorted(HEADERS)
all_formats = pytest.mark.parametrize("encoding", FORMATS)


@contextlib.contextmanager
def blocks_of(num_bytes: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prophesee_file, "BLOCK_BYTES", num_bytes)
        yield


@all_formats
@settings(max_examples=40)
@given(
    stream=event_streams(resolution=HD, max_start_us=(1 << 24) - 1, max_gap_us=8_000_000),
    block_bytes=st.integers(1, 100),
    recover=st.booleans(),
    step_us=st.integers(1_000_000, 50_000_000),
)
def test_what_was_encoded_is_decoded_whole_and_in_slices(
    tmp_path_factory: pytest.TempPathFactory,
    encoding: str,
    stream: EventStream,
    block_bytes: int,
    recover: bool,
    step_us: int,
) -> None:
    rows = rows_of(stream)
    path = words_file(tmp_path_factory.mktemp("file") / "a", encoding, ENCODERS[encoding](rows))
    assert rows_of(read(path, recover=recover).events) == rows
    with blocks_of(block_bytes):
        assert rows_of(read(path, recover=recover).events) == rows
        file = open_events(path, recover=recover)
        slices = list(file.slices(step_us))
    assert file.losses == ()
    assert [row for part in slices for row in rows_of(part)] == rows
    start = stream.window.start_us
    assert all(
        start + k * step_us <= t < start + (k + 1) * step_us
        for k, part in enumerate(slices)
        for t in part.t_us.tolist()
    )
    assert len(slices) == 0 or not slices[-1].is_empty


@all_formats
@given(data=st.data())
def test_any_words_give_a_stream_in_order_or_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, encoding: str, data: st.DataObject
) -> None:
    words = data.draw(junk(encoding))
    path = words_file(tmp_path_factory.mktemp("file") / "a", encoding, words, rest=data.draw(st.binary(max_size=9)))
    with blocks_of(data.draw(st.integers(1, 100))):
        # Words without a single event are an error of `read`, not of the decoder.
        recovered = open_events(path, recover=True).read()
        # The constructor checks everything again.
        events = EventStream.from_arrays(
            **{name: getattr(recovered.events, name) for name in EVENT_COLUMNS}, resolution=HD
        )
        with contextlib.suppress(DataError):
            assert rows_of(read(path).events) == rows_of(events)
            assert recovered.losses == ()
        parts = [row for part in open_events(path, recover=True).chunks() for row in rows_of(part)]
    assert parts == rows_of(events)


EVENT_COLUMNS = ("x", "y", "t_us", "polarity")


@all_formats
@given(data=st.data())
def test_no_decoder_writes_outside_the_places_it_gets(
    tmp_path_factory: pytest.TempPathFactory, encoding: str, data: st.DataObject
) -> None:
    words = data.draw(junk(encoding))
    path = words_file(tmp_path_factory.mktemp("file") / "a", encoding, words)
    file = open_events(path, recover=True)
    assert isinstance(file, PropheseeFile)
    array = np.array([*words, *file.padding], file.word_type)
    num_places = file._max_events(array) + SLACK
    events = tuple(np.full(num_places + 50, 77, dtype) for dtype in (np.uint16, np.uint16, np.int64, np.uint8))
    triggers = tuple(np.full(len(array) + 50, 77, dtype) for dtype in (np.int64, np.uint8, np.uint8))
    state = file._new_state()
    state[:] = data.draw(st.sampled_from((state, np.zeros_like(state))))
    num_events = file._decode(
        array,
        state,
        tuple(column[:num_places].view(np.bool_ if column.dtype == np.uint8 else column.dtype) for column in events),
        (*(column[: len(array)] for column in triggers[:2]), triggers[2][: len(array)].view(np.bool_)),
    )
    assert num_events <= num_places - SLACK
    assert all((column[num_places:] == 77).all() for column in events)
    assert all((column[len(array) :] == 77).all() for column in triggers)


@all_formats
@pytest.mark.parametrize("cut", [1, 7, 100, 1001])
def test_a_truncated_file_keeps_what_comes_before(tmp_path: Path, encoding: str, cut: int) -> None:
    rows = [(1000 * k, k % 1280, k % 720, k % 3 == 0) for k in range(1000)]
    path = words_file(tmp_path / "a", encoding, ENCODERS[encoding](rows))
    data = path.read_bytes()
    path.write_bytes(data[:-cut])
    recovered = read(path, recover=True)
    kept = rows_of(recovered.events)
    assert kept == rows[: len(kept)]
    assert len(kept) >= 1000 - cut // WORD_BYTES[encoding] - 1
    rest = (len(data) - cut - len(HEADERS[encoding])) % WORD_BYTES[encoding]
    assert recovered.losses == ((f"{rest} bytes behind the last whole word",) if rest else ())


@pytest.mark.parametrize("encoding", [name for name in FORMATS if name != "DAT"])
@pytest.mark.parametrize("odd_bytes", [b"", b"\0"])
@pytest.mark.parametrize("block_bytes", [128, 1 << 18])
def test_recordings_one_behind_another_are_refused_or_joined(
    tmp_path: Path, encoding: str, odd_bytes: bytes, block_bytes: int
) -> None:
    rows = [(100_000 * k, k, 5, True) for k in range(40)]
    first, second = (ENCODERS[encoding](part) for part in (rows[:20], rows[20:]))
    path = words_file(tmp_path / "a", encoding, first, rest=odd_bytes)
    place = path.stat().st_size
    header = b"% Date 2024-01-01 00:00:00\n" + HEADERS[encoding]
    path.write_bytes(path.read_bytes() + words_file(tmp_path / "b", encoding, second, header=header).read_bytes())
    with blocks_of(1 << 18):
        with pytest.raises(DataError, match=f"at byte {place}: a second text header begins here.*Split the file there"):
            read(path)
        data = read(path, recover=True)
    assert rows_of(data.events) == rows
    assert data.losses == (f"{len(header) + len(odd_bytes)} bytes of further headers",)
    with blocks_of(block_bytes), pytest.raises(DataError):
        read(path)


@pytest.mark.parametrize("encoding", FORMATS)
def test_two_headers_at_the_start_are_one(tmp_path: Path, encoding: str) -> None:
    rows = [(100_000 * k, k, 5, True) for k in range(40)]
    extra = b"% evt 9.9\n% geometry 3x4\n% end\n" if encoding != "DAT" else b"% Version 2\n% Width 3\n% end\n"
    header = extra + HEADERS[encoding]
    assert rows_of(read(words_file(tmp_path / "a", encoding, ENCODERS[encoding](rows), header=header)).events) == rows


@pytest.mark.parametrize("encoding", FORMATS)
def test_outliers_at_the_border_of_a_block_go_and_not_the_rest(tmp_path: Path, encoding: str) -> None:
    rows = [(100_000_000 + 100 * k, k % 1280, 5, True) for k in range(3000)]
    for bad in (1023, 1024, 1025):
        rows[bad] = (100_000_000 + 4_000_000, 1279, 6, True)
    path = words_file(tmp_path / "a", encoding, ENCODERS[encoding](rows))
    for num_words in (1023, 1024, 1025, 1026):
        with blocks_of(num_words * WORD_BYTES[encoding]):
            data = read(path, recover=True)
        # EVT3 carries a row on; its next event says where the outlier was.
        assert len(data.events) == 2997
        assert data.losses == ("3 events whose time runs backwards",)


@pytest.mark.parametrize("is_whole", [False, True])
@pytest.mark.parametrize("first_share", [1.0, 0.5, 1e-3, 1e-15])
def test_places_keep_what_they_hold_however_a_file_grows_while_it_is_read(is_whole: bool, first_share: float) -> None:
    # The last share promises more than any memory has; it is not believed.
    columns = EventColumns(is_whole=is_whole)
    for start in range(0, 20_000, 10):
        x, *_ = columns.space(10, progress=min((start + 10) / 10 * first_share, 1.0))
        x[:] = np.arange(start, start + 10)
        columns.keep(10)
    assert columns.taken()[0].tolist() == list(range(20_000))


@all_formats
def test_recovering_a_long_recording_needs_little_memory(tmp_path: Path, encoding: str) -> None:
    # The same 2000 events many times over: time steps back a thousand times.
    path = tmp_path / "a"
    rows = [(64 * 64 + k // 100, k % 1280, 5, True) for k in range(2000)]
    unit = words_file(path, encoding, ENCODERS[encoding](rows), header=b"").read_bytes()
    path.write_bytes(HEADERS[encoding] + unit * 1000)
    file = open_events(path, recover=True)
    next(file.slices(1000))
    tracemalloc.start()
    num_events = sum(len(part) for part in file.chunks())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert num_events > 2000
    assert peak < 25_000_000


@pytest.mark.parametrize("encoding", [name for name in FORMATS if name != "DAT"])
def test_a_byte_order_that_is_not_read_is_refused(tmp_path: Path, encoding: str) -> None:
    header = f"% format {encoding.split()[0]};height=720;width=1280;endianness=big\n% end\n".encode()
    with pytest.raises(DataError, match=r"states the byte order 'big'; EVT[0-9]+ is read in little"):
        read(words_file(tmp_path / "a", encoding, [], header=header))
