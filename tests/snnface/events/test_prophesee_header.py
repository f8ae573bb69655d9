"""The text header of RAW and DAT files: all ways to state what they hold, and hostile text."""

from pathlib import Path

import pytest

from snnface.errors import DataError
from snnface.events import Resolution
from snnface.events.readers.prophesee_header import PropheseeHeader, prophesee_header, second_header


def parsed(text: bytes) -> PropheseeHeader:
    header = prophesee_header(Path("a.raw"), text)
    assert header is not None
    return header


@pytest.mark.parametrize(
    "text",
    [
        b"% evt 3.0\n% format EVT3;height=720;width=1280\n% end\n",
        b"% format EVT3;width=1280;height=720\n",
        b"% evt 3.0\n% geometry 1280x720\n",
        b"% evt 3.0\n% width 1280\n% height 720\n",
        b"% evt 3.0\r\n% Width 1280\r\n% Height 720\r\n% end\r\n",
    ],
)
def test_the_header_states_the_sensor_in_any_of_its_ways(text: bytes) -> None:
    header = prophesee_header(Path("a.raw"), text + b"\x01\x80")
    assert header is not None
    assert (header.encoding, header.resolution, header.num_bytes) == ("EVT3", Resolution(720, 1280), len(text))


def test_data_that_begin_with_a_percent_sign_follow_the_end_line() -> None:
    header = prophesee_header(Path("a.raw"), b"% evt 3.0\n% end\n%\x20 data")
    assert header is not None
    assert header.num_bytes == 16


def test_a_header_that_never_ends_is_refused() -> None:
    with pytest.raises(DataError, match="does not end within 1000 bytes"):
        prophesee_header(Path("a.raw"), b"% evt 3.0".ljust(1000, b" "))


@pytest.mark.parametrize("size", [b"% geometry axb", b"% format EVT3;height=0;width=5", b"% geometry 99999999x2"])
def test_an_impossible_sensor_size_is_refused(size: bytes) -> None:
    with pytest.raises(DataError, match="should state the sensor's width and height in pixels"):
        prophesee_header(Path("a.raw"), b"% evt 3.0\n" + size + b"\n% end\n")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (b"% evt 2.0\n% end\n", "EVT2"),
        (b"% format EVT2;width=640;height=480\n", "EVT2"),
        (b"% evt 2.1\n", "EVT21"),
        (b"% format EVT21;height=320;width=320\n", "EVT21"),
        (b"% evt 4.0\n", "EVT4"),
        (b"% Version 2\n", "DAT"),
        (b"% Data file containing TD events\n\x00\x08", "DAT"),
        (b"\x0e\x08data", "DAT"),
        (b"% a comment\n\x01\x80", ""),
    ],
)
def test_the_encoding_is_stated_in_any_of_its_ways(text: bytes, encoding: str) -> None:
    assert parsed(text).encoding == encoding


@pytest.mark.parametrize("data", [b"", b"hello", b"\x00\x08", b"\x0c"])
def test_what_has_no_header_and_no_marks_is_no_prophesee_file(data: bytes) -> None:
    assert prophesee_header(Path("a.raw"), data) is None


OWN = b"% camera_integrator_name Prophesee\n% plugin_integrator_name Prophesee\n"


@pytest.mark.parametrize(
    ("text", "byte_order"),
    [
        (b"% evt 2.1\n", "little"),
        (b"% format EVT21;endianness=legacy;height=720;width=1280\n", "legacy"),
        (b"% format EVT21;height=320;width=320;endianness=little\n", "little"),
        (b"% evt 2.1\n% endianness legacy\n", "legacy"),
        (OWN + b"% evt 2.1\n% system_ID 49\n", "legacy"),
        (OWN + b"% evt 2.1\n% system_ID 55\n", "little"),
        (OWN + b"% evt 2.1\n% system_ID 0\n", "little"),
        (OWN + b"% evt 2.1\n", "little"),
        (OWN + b"% evt 2.1\n% system_ID 49\n% endianness little\n", "little"),
        (b"% camera_integrator_name Prophesee\n% evt 2.1\n% system_ID 49\n", "little"),
        (OWN + b"% evt 3.0\n% system_ID 49\n", "little"),
        (OWN + b"% evt 2.1\n% system_ID " + b"9" * 5000 + b"\n", "little"),
    ],
)
def test_the_order_of_halves_is_stated_or_follows_from_the_camera(text: bytes, byte_order: str) -> None:
    assert parsed(text).byte_order == byte_order


def test_of_two_headers_the_second_goes_before() -> None:
    text = b"% evt 2.0\n% geometry 1x2\n% end\n% evt 3.0\n% geometry 3x4\n% end\n"
    header = parsed(text + b"\x01\x80")
    assert (header.encoding, header.resolution, header.num_bytes) == ("EVT3", Resolution(4, 3), len(text))


@pytest.mark.parametrize("data", [b"% \n", b"% a\n", b"% 12 34\n", b"% evt\x01 3.0\n", b"%evt 3.0\n", b"% evt 3.0"])
def test_data_that_look_like_text_are_data(data: bytes) -> None:
    assert parsed(b"% evt 3.0\n% end\n" + data).num_bytes == 16


def test_data_that_begin_with_a_percent_sign_follow_a_header_without_end_too() -> None:
    assert parsed(b"% evt 3.0\n% \x01\x02\n").num_bytes == 10
    assert parsed(b"% evt 3.0\n%\x01\n").num_bytes == 10


def test_a_second_header_is_found_from_its_first_line_on() -> None:
    text = b"% Date 2024-01-01\n% evt 3.0\n% end\n"
    for before in (b"", b"\x01\x80", b"\x00\n", b"\n", b"% not quite\x01\n", b"%" * 70_000):
        assert second_header(before + text + b"\x01\x80") == (len(before), len(before) + len(text))
    assert second_header(b"\x01\x80% Date\n% evt3\n") is None
    assert second_header(b"") is None
