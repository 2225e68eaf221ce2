"""Images as data URIs."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modelyard.core.errors import ModelyardError
from modelyard.reporting.inline_images import MAX_WIDTH, InlineImage, inline_image


def pixels(image: InlineImage) -> np.ndarray:
    kind, encoded = image.source.split(",")
    assert kind == "data:image/webp;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))))


def noise(height: int, width: int, channels: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, size=(height, width, channels)).astype(np.uint8)


@pytest.mark.parametrize("channels", [3, 4])
def test_a_small_image_keeps_every_pixel(tmp_path: Path, channels: int) -> None:
    original = noise(30, 40, channels)
    original[..., 3:] = np.maximum(original[..., 3:], 1)  # WebP drops the colour of fully transparent pixels
    Image.fromarray(original).save(tmp_path / "a.png")
    image = inline_image(tmp_path / "a.png", "a.png")
    assert (image.width, image.height) == (40, 30)
    np.testing.assert_array_equal(pixels(image), original)


def test_a_large_image_is_scaled_down_and_keeps_its_aspect_ratio(tmp_path: Path) -> None:
    Image.new("RGB", (2 * MAX_WIDTH, MAX_WIDTH), "red").save(tmp_path / "large.png")
    image = inline_image(tmp_path / "large.png", "large.png")
    assert (image.width, image.height) == (MAX_WIDTH, MAX_WIDTH // 2)
    assert pixels(image).shape == (MAX_WIDTH // 2, MAX_WIDTH, 3)


def test_an_opaque_alpha_channel_is_dropped(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (1, 2, 3, 255)).save(tmp_path / "opaque.png")
    assert pixels(inline_image(tmp_path / "opaque.png", "opaque.png")).shape == (4, 4, 3)


def test_the_caption_follows_from_the_file_name(tmp_path: Path) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    image = inline_image(tmp_path / "a.png", "results/mnist_cnn/figures/learning_curve.png")
    assert image.caption == "Learning curve"


def damaged_png() -> bytes:
    """An image with pixels in several chunks, of which the second has a name that is none."""
    content = io.BytesIO()
    Image.fromarray(noise(200, 200, 3)).save(content, "PNG")
    whole = content.getvalue()
    second = whole.index(b"IDAT", whole.index(b"IDAT") + 4)
    return whole[:second] + b"\x00\xff\x00\xff" + whole[second + 4 :]


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n cut short", damaged_png()])
def test_an_unreadable_image_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.png").write_bytes(content)
    with pytest.raises(ModelyardError, match=r"figures/broken\.png: not a readable image"):
        inline_image(tmp_path / "broken.png", "figures/broken.png")
