"""Frames in: times, sizes, colours, turning, and what is refused, on files made here."""

import itertools
import struct
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image
from videos import texture, write_video

from snnface.errors import ConfigError, DataError, DatasetNotFoundError, EventOrderError
from snnface.events import Resolution
from snnface.events.video import FrameSource, luma, open_frames

# Irregular, in microseconds: 300 Hz, 90 Hz, 30 Hz and a gap of 0.1 s.
TIMES_US = [0, 3_333, 14_444, 47_777, 87_777, 187_777, 191_110, 202_221, 235_554, 335_554, 368_887, 379_998]


def pictures(num: int, *, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """Frame k has the mean luminance 60 + 10 k."""
    wave = 20 * np.sin(np.arange(width) / 5)[None].repeat(height, axis=0)
    return [np.rint(60 + 10 * k + wave).astype(np.uint8) for k in range(num)]


def times_of(source: FrameSource) -> list[int]:
    return [t_us for _, t_us in source]


def save(path: Path, *, frames: np.ndarray, **arrays: np.ndarray) -> Path:
    np.savez_compressed(path, frames=frames, **arrays)  # type: ignore[arg-type]
    return path


# --- video files ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "codec", "tolerance_us"),
    [
        ("h264.mp4", "libx264", 6),
        ("h264.mkv", "libx264", 500),
        ("mpeg4.mp4", "mpeg4", 9),
        ("h264.ts", "libx264", 6),
        ("vp9.webm", "libvpx-vp9", 500),
        ("ffv1.mkv", "ffv1", 500),
    ],
)
def test_irregular_times_come_back_to_the_precision_of_the_container(
    tmp_path: Path, name: str, codec: str, tolerance_us: int
) -> None:
    clock = Fraction(1, 60_000) if codec == "mpeg4" else Fraction(1, 90_000)
    path = write_video(tmp_path / name, pictures(12), TIMES_US, codec=codec, clock=clock)
    frames = list(open_frames(path))
    np.testing.assert_allclose([t for _, t in frames], TIMES_US, atol=tolerance_us, rtol=0)
    # In order of presentation, though B-frames are stored in another.
    np.testing.assert_allclose([frame.mean() for frame, _ in frames], 60 + 10 * np.arange(12), atol=3)


def test_avi_with_b_frames_has_right_times(tmp_path: Path) -> None:
    regular = [40_000 * k for k in range(12)]
    path = write_video(tmp_path / "a.avi", pictures(12), regular, codec="mpeg4", clock=Fraction(1, 25))
    assert times_of(open_frames(path)) == regular


def test_time_counts_from_the_first_frame(tmp_path: Path) -> None:
    path = write_video(tmp_path / "late.mp4", pictures(12), [t + 500_000 for t in TIMES_US])
    assert times_of(open_frames(path))[0] == 0


def test_an_edit_list_leaves_out_the_frames_before_it(tmp_path: Path) -> None:
    path = write_video(tmp_path / "edited.mp4", pictures(12), TIMES_US)
    data = bytearray(path.read_bytes())
    place = data.index(b"elst") + 12
    duration, media_time = struct.unpack_from(">Ii", data, place)
    start_us = TIMES_US[4]
    struct.pack_into(">Ii", data, place, duration - start_us // 1000, media_time + start_us * 9 // 100)
    path.write_bytes(data)
    np.testing.assert_allclose(times_of(open_frames(path)), np.array(TIMES_US[4:]) - start_us, atol=12)


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ((1, 0, 0, 1), lambda picture: picture),
        ((0, 1, -1, 0), lambda picture: np.rot90(picture, -1)),
        ((-1, 0, 0, -1), lambda picture: np.rot90(picture, 2)),
        ((0, -1, 1, 0), lambda picture: np.rot90(picture, 1)),
        ((-1, 0, 0, 1), np.fliplr),
        ((1, 0, 0, -1), np.flipud),
        ((0, 1, 1, 0), np.transpose),
    ],
)
def test_rotation_and_mirroring_in_the_header_are_followed(tmp_path: Path, matrix: tuple, expected) -> None:  # type: ignore[no-untyped-def]
    picture = np.rint(texture(48, 64)).astype(np.uint8)
    path = write_video(tmp_path / "turned.mp4", [picture] * 3, [0, 40_000, 80_000])
    upright = next(iter(open_frames(path)))[0]
    data = bytearray(path.read_bytes())
    a, b, c, d = (65536 * entry for entry in matrix)
    # The matrix stands 40 bytes behind the name of the track header.
    struct.pack_into(">9i", data, data.index(b"tkhd") + 44, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    source = open_frames(path)
    turned = next(iter(source))[0]
    np.testing.assert_array_equal(turned, expected(upright))
    assert (source.resolution.height, source.resolution.width) == turned.shape


def test_odd_sizes_and_colours_survive_a_lossless_codec(tmp_path: Path) -> None:
    rgb = np.zeros((47, 63, 3), np.uint8)
    rgb[...] = (40, 200, 10)
    path = write_video(tmp_path / "odd.mkv", [rgb, rgb], [0, 40_000], codec="ffv1", pixel_format="bgr0")
    source = open_frames(path)
    frame = next(iter(source))[0]
    assert not source.is_compressed
    # 0.299 * 40 + 0.587 * 200 + 0.114 * 10 = 130.5, which rounds up.
    np.testing.assert_array_equal(frame, np.full((47, 63), 131, np.uint8))


def test_ten_bits_are_rounded_to_eight(tmp_path: Path) -> None:
    path = write_video(tmp_path / "ten.mkv", pictures(3), [0, 40_000, 80_000], codec="ffv1", pixel_format="yuv444p10le")
    first = next(iter(open_frames(path)))[0]
    assert np.abs(first.astype(int) - pictures(1)[0]).max() <= 1


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_video_is_refused_by_name(tmp_path: Path, transfer: int, name: str) -> None:
    path = write_video(
        tmp_path / "hdr.mkv", pictures(2), [0, 40_000], codec="ffv1", pixel_format="yuv444p10le", transfer=transfer
    )
    with pytest.raises(DataError, match=f"hdr.mkv is HDR \\({name}\\)"):
        open_frames(path)


def test_a_repeated_time_is_left_out_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    times = [0, 40_000, 40_200, 80_000]
    path = write_video(tmp_path / "twice.mkv", pictures(4), times, num_b_frames=0)
    assert times_of(open_frames(path)) == [0, 40_000, 80_000]
    assert "left out 1 frames with the time of the frame before" in caplog.text


def test_a_frame_rate_replaces_the_times(tmp_path: Path) -> None:
    path = write_video(tmp_path / "slow.mp4", pictures(4), [0, 40_000, 80_000, 120_000])
    assert times_of(open_frames(path, fps=900)) == [0, 1111, 2222, 3333]


def test_a_stream_without_times_asks_for_a_rate(tmp_path: Path) -> None:
    path = write_video(tmp_path / "raw.h264", pictures(4), [0, 40_000, 80_000, 120_000])
    with pytest.raises(DataError, match="frame 0 has no time; give the frame rate"):
        list(open_frames(path))
    assert times_of(open_frames(path, fps=50)) == [0, 20_000, 40_000, 60_000]


def test_a_lossy_codec_is_told_and_the_header_gives_length(tmp_path: Path) -> None:
    source = open_frames(write_video(tmp_path / "clip.mp4", pictures(12), TIMES_US))
    assert (source.is_compressed, source.num_frames, source.name) == (True, 12, "clip")
    assert source.duration_us == pytest.approx(TIMES_US[-1] + 20_000, abs=100_000)


def test_a_source_can_be_read_twice(tmp_path: Path) -> None:
    source = open_frames(write_video(tmp_path / "clip.mp4", pictures(4), TIMES_US[:4]))
    first = [frame for frame, _ in source]
    next(iter(source))
    np.testing.assert_array_equal(first, [frame for frame, _ in source])


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("name", ["cut.mkv", "cut.mp4"])
def test_a_video_that_was_cut_off_is_an_error(tmp_path: Path, name: str, part: float) -> None:
    # MP4 with its index in front, so that what is there can be decoded.
    options = {"movflags": "+faststart"} if name.endswith("mp4") else {}
    frames = [np.rint(texture(96, 128, seed=k)).astype(np.uint8) for k in range(12)]
    path = write_video(tmp_path / name, frames, TIMES_US, container_options=options)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(DataError, match=f"{name}.*(damaged|cannot be opened)"):
        list(open_frames(path))


@pytest.mark.parametrize(("offset", "cause"), [(8, "Invalid data found"), (200, "its data do not decode")])
def test_damage_in_the_middle_names_the_frame(tmp_path: Path, offset: int, cause: str) -> None:
    frames = [np.rint(texture(96, 128, seed=k)).astype(np.uint8) for k in range(12)]
    path = write_video(
        *(tmp_path / "hurt.avi", frames, [40_000 * k for k in range(12)]),
        codec="mpeg4",
        clock=Fraction(1, 25),
        num_b_frames=0,
    )
    data = bytearray(path.read_bytes())
    # The name of the video's chunks; the first stands in the header.
    chunks = [place for place in range(len(data)) if data[place : place + 4] == b"00dc"]
    start = chunks[1 + 4] + offset
    data[start : start + 40] = b"\xff" * 40
    path.write_bytes(data)
    given_out: list[object] = []
    with pytest.raises(DataError, match=rf"hurt\.avi: frame 4 cannot be decoded \({cause}"):
        given_out.extend(open_frames(path))
    assert len(given_out) == 4


@given(st.binary(max_size=300))
def test_random_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("random") / "noise.mp4"
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"noise.mp4"):
        list(open_frames(path))


def test_a_play_list_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "list.m3u8"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n")
    with pytest.raises(DataError, match=r"list.m3u8 should be a video"):
        open_frames(path)


# --- folders of pictures -------------------------------------------------------------------


def test_pictures_of_a_folder_come_in_natural_order(tmp_path: Path) -> None:
    for k in (1, 2, 9, 10, 11, 100):
        Image.fromarray(np.full((6, 8), k, np.uint8)).save(tmp_path / f"frame{k}.png")
    (tmp_path / "notes.txt").write_text("no picture")
    source = open_frames(tmp_path, fps=30)
    assert [(int(frame[0, 0]), t) for frame, t in source] == [
        (1, 0), (2, 33_333), (9, 66_667), (10, 100_000), (11, 133_333), (100, 166_667)
    ]  # fmt: skip
    assert (source.num_frames, source.is_compressed) == (6, False)


def test_a_folder_needs_a_rate_and_pictures(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"have no times; give their rate \(fps\)"):
        open_frames(tmp_path)
    with pytest.raises(DataError, match=r"should hold pictures .* it has none"):
        open_frames(tmp_path, fps=30)


def test_a_picture_of_another_size_is_named(tmp_path: Path) -> None:
    for name, size in (("1.png", (6, 8)), ("2.png", (8, 6))):
        Image.fromarray(np.zeros(size, np.uint8)).save(tmp_path / name)
    with pytest.raises(DataError, match=r"2.png should be 8x6 pixels like 1.png; it is 6x8"):
        list(open_frames(tmp_path, fps=30))


def test_a_picture_that_was_cut_off_is_named(tmp_path: Path) -> None:
    for k in range(3):
        Image.fromarray(np.rint(texture(48, 64, seed=k)).astype(np.uint8)).save(tmp_path / f"{k}.jpg")
    data = (tmp_path / "1.jpg").read_bytes()
    (tmp_path / "1.jpg").write_bytes(data[: len(data) // 2])
    source = open_frames(tmp_path, fps=30)
    assert source.is_compressed
    with pytest.raises(DataError, match=r"1.jpg should be a picture; it cannot be decoded"):
        list(source)


def test_deep_pictures_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((6, 8), np.uint16)).save(tmp_path / "1.png")
    with pytest.raises(DataError, match=r"1.png should have 8 bits a channel"):
        open_frames(tmp_path, fps=30)


def test_orientation_tags_are_followed(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = np.arange(48, dtype=np.uint8).reshape(6, 8)
    Image.fromarray(picture).save(tmp_path / "1.png", exif=exif)
    # Tag 6: the camera was turned; the picture is shown turned by 90 degrees clockwise.
    np.testing.assert_array_equal(next(iter(open_frames(tmp_path, fps=1)))[0], np.rot90(picture, -1))


# --- arrays --------------------------------------------------------------------------------


def test_an_array_with_times_comes_back_as_it_is(tmp_path: Path) -> None:
    frames = np.arange(2 * 6 * 8, dtype=np.uint8).reshape(2, 6, 8)
    path = save(tmp_path / "clip.npz", frames=frames, t_us=np.array([5_000, 9_000]))
    source = open_frames(path)
    np.testing.assert_array_equal([frame for frame, _ in source], frames)
    assert (times_of(source), source.num_frames, source.duration_us) == ([0, 4_000], 2, 4_000)
    assert source.start_us == 5_000
    assert open_frames(path, fps=100).start_us == 0


def test_seconds_are_rounded_to_microseconds(tmp_path: Path) -> None:
    path = save(tmp_path / "clip.npz", frames=np.zeros((3, 2, 2), np.uint8), frame_t=np.array([0.1, 0.1333333, 0.2]))
    assert times_of(open_frames(path)) == [0, 33_333, 100_000]
    assert open_frames(path).start_us == 100_000


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_are_digital_numbers_and_rounded(tmp_path: Path, dtype: type) -> None:
    np.save(tmp_path / "clip.npy", np.array([[[0.4, 0.5], [254.6, 255]]], dtype))
    frame = next(iter(open_frames(tmp_path / "clip.npy", fps=10)))[0]
    assert frame.tolist() == [[0, 1], [255, 255]]


def test_colour_arrays_become_luma(tmp_path: Path) -> None:
    np.save(tmp_path / "clip.npy", np.array([[[[255, 0, 0], [0, 255, 0]]]], np.uint8))
    assert next(iter(open_frames(tmp_path / "clip.npy", fps=10)))[0].tolist() == [[76, 150]]


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (np.zeros((3, 4)), r"should hold frames \[T, H, W\] .* its shape is \[3, 4\]"),
        (np.zeros((1, 4, 5, 2)), r"its shape is \[1, 4, 5, 2\]"),
        (np.zeros((1, 4, 5), np.uint16), "they are of uint16"),
        (np.asfortranarray(np.zeros((3, 4, 5))), "they are in Fortran order"),
        (np.full((1, 4, 5), 300.0), "frame 0 should be luminance in 0..255"),
        (np.full((1, 4, 5), np.nan), "frame 0 should be luminance in 0..255"),
        (np.full((1, 4, 5), 0.7), "seems to be in 0..1. Multiply it by 255"),
        (np.zeros((0, 4, 5)), "should hold frames; it has none"),
    ],
)
def test_arrays_that_hold_no_luminance_are_refused(tmp_path: Path, frames: np.ndarray, message: str) -> None:
    np.save(tmp_path / "clip.npy", frames)
    with pytest.raises(DataError, match=message):
        list(open_frames(tmp_path / "clip.npy", fps=10))


def test_an_array_without_times_asks_for_a_rate(tmp_path: Path) -> None:
    np.save(tmp_path / "clip.npy", np.zeros((2, 4, 5), np.uint8))
    with pytest.raises(DataError, match=r"has no frame times .* give their rate \(fps\)"):
        open_frames(tmp_path / "clip.npy")


def test_times_must_be_one_a_frame_and_rise(tmp_path: Path) -> None:
    frames = np.zeros((3, 2, 2), np.uint8)
    with pytest.raises(DataError, match="one number for each of 3 frames"):
        open_frames(save(tmp_path / "few.npz", frames=frames, t_us=np.array([0, 1])))
    with pytest.raises(DataError, match="should be finite"):
        open_frames(save(tmp_path / "nan.npz", frames=frames, frame_t=np.array([0, np.nan, 1])))
    with pytest.raises(DataError, match="should start within 285 years"):
        open_frames(save(tmp_path / "far.npz", frames=frames, frame_t=1e12 + np.arange(3)))
    with pytest.raises(EventOrderError, match="frame 2 at 5 us comes after 9 us"):
        list(open_frames(save(tmp_path / "back.npz", frames=frames, t_us=np.array([0, 9, 5]))))


def test_a_header_that_claims_more_than_there_is_costs_nothing(tmp_path: Path) -> None:
    np.save(tmp_path / "clip.npy", np.zeros((2, 4, 5), np.uint8))
    data = (tmp_path / "clip.npy").read_bytes()
    (tmp_path / "clip.npy").write_bytes(data.replace(b"(2, 4, 5), }          ", b"(2000000000, 4, 5), } "))
    source = open_frames(tmp_path / "clip.npy", fps=10)
    assert source.num_frames == 2_000_000_000
    with pytest.raises(DataError, match="it ends within frame 2"):
        list(source)


def test_every_truncation_of_an_archive_is_a_data_error(tmp_path: Path) -> None:
    whole = save(tmp_path / "clip.npz", frames=np.zeros((2, 4, 5), np.uint8), t_us=np.array([0, 9])).read_bytes()
    for size in range(len(whole)):
        (tmp_path / "cut.npz").write_bytes(whole[:size])
        with pytest.raises(DataError, match=r"cut\.npz"):
            list(open_frames(tmp_path / "cut.npz"))


def test_damaged_members_are_a_data_error(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    path = save(tmp_path / "clip.npz", frames=generator.integers(0, 255, (2, 40, 50), np.uint8), t_us=np.arange(2))
    data = bytearray(path.read_bytes())
    data[1000:1100] = bytes(100)
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"clip\.npz: frame \d is damaged"):
        list(open_frames(path))


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "clip.npz", "w") as archive, archive.open("frames.npy", "w") as member:
        np.lib.format.write_array(member, np.full((1, 2, 2), None), allow_pickle=True)
    with pytest.raises(DataError, match="they are of object"):
        open_frames(tmp_path / "clip.npz", fps=10)


def test_an_archive_without_frames_lists_what_it_has(tmp_path: Path) -> None:
    np.savez(tmp_path / "events.npz", x=np.zeros(3), y=np.zeros(3))
    with pytest.raises(DataError, match="should hold an array called 'frames'; it has x, y"):
        open_frames(tmp_path / "events.npz", fps=10)


# --- all sources ---------------------------------------------------------------------------


@given(npst.arrays(np.uint8, st.tuples(st.integers(1, 5), st.integers(1, 5), st.just(3))))
def test_luma_is_the_exact_weighted_mean(rgb: np.ndarray) -> None:
    expected = [[(299 * int(r) + 587 * int(g) + 114 * int(b) + 500) // 1000 for r, g, b in row] for row in rgb]
    assert luma(rgb).tolist() == expected


def test_a_resize_takes_the_mean_over_areas(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (1, 8, 12), np.uint8)
    np.save(tmp_path / "clip.npy", frames)
    source = open_frames(tmp_path / "clip.npy", fps=1, resolution=Resolution(height=4, width=6))
    means = frames[0].reshape(4, 2, 6, 2).mean(axis=(1, 3))
    assert np.abs(next(iter(source))[0] - means).max() <= 0.5
    assert next(iter(source.native_frames()))[0].shape == (8, 12)


@pytest.mark.parametrize(
    ("size", "rows", "columns"),
    [((4, 4), slice(0, 8), slice(2, 10)), ((2, 6), slice(2, 6), slice(0, 12)), ((2, 3), slice(0, 8), slice(0, 12))],
)
def test_other_aspect_ratios_keep_the_centre(tmp_path: Path, size: tuple, rows: slice, columns: slice) -> None:
    inside = np.zeros((1, 8, 12), np.uint8)
    inside[0, rows, columns] = 200
    np.save(tmp_path / "clip.npy", inside)
    source = open_frames(tmp_path / "clip.npy", fps=1, resolution=Resolution(height=size[0], width=size[1]))
    assert next(iter(source))[0].tolist() == np.full(size, 200).tolist()


def test_pixels_that_are_not_square_count_as_shown(tmp_path: Path) -> None:
    # 4:3 pixels: 48 x 64 is shown as 48 x 85.3, so a square is 48 columns / (4/3) = 36 wide.
    frame = np.zeros((48, 64), np.uint8)
    frame[:, 14:50] = 200
    path = write_video(tmp_path / "wide.mp4", [frame] * 2, [0, 40_000], aspect=Fraction(4, 3), options={"crf": "1"})
    shown = next(iter(open_frames(path, resolution=Resolution(height=48, width=48))))[0]
    assert shown.min() > 150


def test_times_of_a_rate_never_drift(tmp_path: Path) -> None:
    np.save(tmp_path / "clip.npy", np.zeros((3001, 1, 1), np.uint8))
    times = times_of(open_frames(tmp_path / "clip.npy", fps=29.97))
    assert times[3000] == round(3000 / 29.97 * 1e6)
    assert all(0 < b - a < 33_368 for a, b in itertools.pairwise(times))


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf"), 2e6])
def test_a_rate_must_be_possible(tmp_path: Path, fps: float) -> None:
    with pytest.raises(ConfigError, match="fps must be above 0"):
        open_frames(tmp_path, fps=fps)


def test_missing_and_empty_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match=r"nothing.mp4 should be a video.*there is nothing"):
        open_frames(tmp_path / "nothing.mp4")
    (tmp_path / "empty.mp4").write_bytes(b"")
    with pytest.raises(DataError, match=r"empty.mp4 should hold frames; the file has 0 bytes"):
        open_frames(tmp_path / "empty.mp4")
