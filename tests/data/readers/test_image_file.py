"""Image files become pixels: every mode, orientation and size; very large and broken ones."""

import io
import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from modelyard.data.readers import image_file
from modelyard.data.readers.image_file import DecodedImage, Fit, ImageFormat, UnreadableImage, decode

GREY = ImageFormat(size=(8, 8), colour="grey")
RGB = ImageFormat(size=(8, 8), colour="rgb")
GRADIENT = np.arange(64, dtype=np.uint8).reshape(8, 8)


def saved(image: Image.Image, kind: str = "png", **options: object) -> BytesIO:
    content = BytesIO()
    image.save(content, kind, **options)
    return content


def decoded(image: Image.Image, image_format: ImageFormat = GREY, kind: str = "png", **options: object) -> DecodedImage:
    return decode(saved(image, kind, **options), image_format)


def test_an_image_of_the_size_and_colour_is_kept_as_it_is(tmp_path: Path) -> None:
    for fit in ("letterbox", "crop", "stretch"):
        found = decoded(Image.fromarray(GRADIENT), ImageFormat(size=(8, 8), colour="grey", fit=fit))
        np.testing.assert_array_equal(found.pixels[..., 0], GRADIENT)
        assert (found.pixels.dtype, found.size, found.mode, found.remarks) == (np.uint8, (8, 8), "L", ())
    colours = np.stack([GRADIENT, GRADIENT[::-1], GRADIENT.T], axis=-1)
    np.testing.assert_array_equal(decoded(Image.fromarray(colours), RGB).pixels, colours)
    Image.fromarray(GRADIENT).save(tmp_path / "a.png")
    np.testing.assert_array_equal(decode(tmp_path / "a.png", GREY).pixels[..., 0], GRADIENT)


WHITE = {
    "1": 1, "L": 255, "P": 255, "RGB": (255,) * 3, "RGBA": (255,) * 4, "LA": (255, 255), "CMYK": (0,) * 4,
    "I;16": 65535, "I;16B": 65535, "YCbCr": (255, 128, 128),
}  # fmt: skip


@pytest.mark.parametrize("image_format", [GREY, RGB], ids=["grey", "rgb"])
@pytest.mark.parametrize("mode", WHITE)
def test_white_is_255_and_black_is_0_in_every_mode(mode: str, image_format: ImageFormat) -> None:
    black = {"CMYK": (0, 0, 0, 255), "RGBA": (0, 0, 0, 255), "LA": (0, 255), "YCbCr": (0, 128, 128)}.get(mode, 0)
    image = Image.new("L" if mode == "P" else mode, (8, 8), WHITE[mode])
    image.paste(black, (0, 0, 8, 4))
    found = decoded(image.convert("P") if mode == "P" else image, image_format, "tiff")
    assert found.pixels.shape == image_format.shape
    assert (found.pixels[:4] == 0).all() and (found.pixels[4:] == 255).all()


def test_sixteen_bits_are_divided_and_not_clipped() -> None:
    values = GRADIENT.astype(np.uint16) * 1040
    for kind in ("png", "tiff"):
        np.testing.assert_array_equal(decoded(Image.fromarray(values), kind=kind).pixels[..., 0], values // 257)


def test_colours_of_a_palette_and_of_cmyk_are_kept() -> None:
    red = Image.new("RGB", (8, 8), (255, 0, 0))
    for image, kind in ((red.convert("P"), "png"), (red.convert("P"), "gif"), (red.convert("CMYK"), "tiff")):
        assert decoded(image, RGB, kind).pixels.reshape(-1, 3).tolist() == [[255, 0, 0]] * 64
    jpeg = decoded(red.convert("CMYK"), RGB, "jpeg", quality=100).pixels.astype(int)
    assert np.abs(jpeg - [255, 0, 0]).max() < 6


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "PA"])
def test_transparent_pixels_become_white(mode: str) -> None:
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 4, 8))
    found = decoded(image.convert(mode) if mode != "PA" else image.quantize(4), GREY)
    np.testing.assert_array_equal(found.pixels[0, :, 0], [0, 0, 0, 0, 255, 255, 255, 255])
    assert found.is_transparent


@pytest.mark.parametrize("kind", ["jpeg", "png", "tiff", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_is_upright_as_pillow_turns_it(orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"exif": exif} | ({"quality": 100} if kind == "jpeg" else {"lossless": True} if kind == "webp" else {})
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (4, 8), dtype=np.uint8)).resize((32, 16))
    content = saved(image, kind, **options)
    turned = ImageOps.exif_transpose(Image.open(content)).convert("L")
    found = decode(content, ImageFormat(size=(turned.height, turned.width), colour="grey"))
    np.testing.assert_array_equal(found.pixels[..., 0], np.asarray(turned))
    assert found.size == (turned.height, turned.width) == ((16, 32) if orientation < 5 else (32, 16))


def test_exif_data_that_pillow_cannot_write_again_turn_an_image() -> None:
    upright = Image.new("L", (8, 8))
    upright.paste(255, (0, 0, 8, 4))
    orientation = struct.pack("<HHII", 0x0112, 3, 1, 6)
    resolution = struct.pack("<HHII", 0x011A, 10, 1, 38)  # a signed fraction, stored after the entries
    directory = struct.pack("<2sHIH", b"II", 42, 8, 2) + orientation + resolution + struct.pack("<I", 0)
    found = decoded(upright, kind="jpeg", exif=b"Exif\0\0" + directory + struct.pack("<ii", -1, 0), quality=100)
    assert (found.pixels[:, 4:] > 250).all() and (found.pixels[:, :4] < 5).all()


@pytest.mark.parametrize("kind", ["tiff", "gif", "webp", "png"])
def test_of_several_pages_or_frames_the_first_is_read(kind: str) -> None:
    first, second, third = (Image.new("L", (8, 8), value) for value in (7, 77, 177))
    options = {"lossless": True} if kind == "webp" else {}
    found = decoded(first, kind=kind, save_all=True, append_images=[second, third], **options)
    assert (found.pixels == 7).all()
    assert found.remarks == ("only the first of its 3 pages or frames was read",)


# --- sizes ---


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from(["letterbox", "crop", "stretch"]),
)
def test_every_size_becomes_the_size_of_the_sample(own: tuple[int, int], size: tuple[int, int], fit: Fit) -> None:
    image = Image.new("L", own[::-1], 255)
    try:
        found = decoded(image, ImageFormat(size=size, colour="grey", fit=fit))
    except UnreadableImage as error:
        assert "nothing is left of it" in str(error) and fit == "letterbox"
        return
    assert (found.pixels.shape, found.size) == ((*size, 1), own)
    white = int((found.pixels == 255).sum())
    if fit == "letterbox":  # its area, without distortion
        scale = min(size[0] / own[0], size[1] / own[1])
        low, high = (np.prod([own[axis] * scale + more for axis in (0, 1)]) for more in (-1, 1))
        assert max(0, low) <= white <= high
    else:
        assert white == size[0] * size[1]


def test_letterbox_centres_the_whole_image_and_crop_fills_the_sample_with_its_middle() -> None:
    image = Image.new("L", (32, 16), 200)
    image.paste(100, (8, 0, 24, 16))
    letterbox = decoded(image, ImageFormat(size=(8, 8), colour="grey")).pixels[..., 0]
    assert (letterbox[[0, 1, 6, 7]] == 0).all()
    assert (letterbox[2:6, [0, 7]] > 190).all() and (letterbox[2:6, [3, 4]] < 110).all()
    crop = decoded(image, ImageFormat(size=(8, 8), colour="grey", fit="crop")).pixels[..., 0]
    assert (crop[:, 1:7] < 110).all()


@pytest.mark.parametrize("progressive", [False, True])
def test_a_large_jpeg_is_decoded_smaller_with_nearly_the_same_pixels(progressive: bool, monkeypatch) -> None:
    ramp = np.linspace(0, 255, 1000)
    image = Image.fromarray((ramp[:, None] * 0.5 + ramp * 0.5).astype(np.uint8))
    content = saved(image, "jpeg", quality=95, progressive=progressive)
    sizes: list[tuple[int, int]] = []
    monkeypatch.setattr(image_file, "_reduced", lambda image, side: (sizes.append(image.size), image)[1])
    found = decode(content, GREY)
    assert (sizes, found.size) == ([(125, 125)], (1000, 1000))
    expected = np.asarray(image.resize((8, 8)))
    assert np.abs(found.pixels[..., 0].astype(int) - expected).max() <= 4


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P", "1", "CMYK"])
def test_another_large_image_is_reduced_with_nearly_the_same_pixels(mode: str, monkeypatch) -> None:
    ramp = np.linspace(0, 255, 400)
    image = Image.fromarray((ramp[:, None] * 0.5 + ramp * 0.5).astype(np.uint8)).convert("RGB").convert(mode)
    kind = "tiff" if mode == "CMYK" else "png"
    expected = decoded(image, GREY, kind).pixels.astype(int)
    monkeypatch.setattr(image_file, "LARGE", 1000)
    found = decoded(image, GREY, kind)
    assert np.abs(found.pixels - expected).max() <= (12 if mode == "1" else 5)
    assert found.size == (400, 400)


def test_an_image_of_too_many_pixels_is_refused_before_they_are_decoded(monkeypatch) -> None:
    monkeypatch.setattr(image_file, "MOST_PIXELS", 300)
    with pytest.raises(UnreadableImage, match=r"20 x 20 pixels, and at most .* million are decoded: scale it down"):
        decoded(Image.new("L", (20, 20)))
    decoded(Image.new("L", (128, 128)), GREY, "jpeg")  # an eighth of it is decoded
    with pytest.raises(UnreadableImage, match="128 x 128 pixels"):
        decoded(Image.new("L", (128, 128)), GREY, "jpeg", progressive=True)  # needs memory for all


def test_a_png_that_claims_to_be_huge_is_refused() -> None:
    content = bytearray(saved(Image.new("L", (8, 8))).getvalue())
    content[16:24] = struct.pack(">II", 60_000, 60_000)
    content[29:33] = struct.pack(">I", __import__("zlib").crc32(content[12:29]))
    with pytest.raises(UnreadableImage, match="60000 x 60000 pixels, and at most 100 million"):
        decode(io.BytesIO(content), GREY)


# --- what is no image ---


def test_what_is_no_image_is_refused_with_a_reason_that_is_always_the_same() -> None:
    for content in (b"", b"no image", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n", b"<svg></svg>"):
        with pytest.raises(UnreadableImage, match=r"^not an image, or of another kind than AVIF, BMP") as raised:
            decode(BytesIO(content), GREY)
        assert "0x" not in str(raised.value)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("kind", ["png", "jpeg", "tiff", "gif", "bmp", "webp", "ppm"])
def test_a_truncated_image_is_refused(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    whole = saved(Image.fromarray(noise), kind).getvalue()
    for length in (10, len(whole) // 3, len(whole) * 2 // 3):
        with pytest.raises(UnreadableImage):
            decode(BytesIO(whole[:length]), GREY)


@pytest.mark.filterwarnings("ignore:Tag data larger than file")
@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["png", "jpeg", "tiff", "gif"]), st.integers(0), st.integers(0, 255))
def test_a_damaged_byte_gives_an_image_or_a_reason(kind: str, position: int, value: int) -> None:
    content = bytearray(saved(Image.fromarray(GRADIENT), kind).getvalue())
    content[position % len(content)] = value
    try:
        assert decode(BytesIO(content), GREY).pixels.shape == (8, 8, 1)
    except UnreadableImage as error:
        assert str(error)


def test_pixels_of_32_bits_are_refused() -> None:
    with pytest.raises(UnreadableImage, match="32 bits, and the value of white is unknown"):
        decoded(Image.new("F", (8, 8)), GREY, "tiff")


def test_a_file_that_is_missing_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        decode(tmp_path / "nothing.png", GREY)
