"""Pictures inside the page."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modelyard.core.errors import ModelyardError
from modelyard.reporting.inline_images import WIDEST, Picture, inline


def pixels(picture: Picture) -> np.ndarray:
    kind, encoded = picture.source.split(",")
    assert kind == "data:image/webp;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))))


def noise(height: int, width: int, channels: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, size=(height, width, channels)).astype(np.uint8)


@pytest.mark.parametrize("channels", [3, 4])
def test_a_small_picture_keeps_every_pixel(tmp_path: Path, channels: int) -> None:
    drawn = noise(30, 40, channels)
    drawn[..., 3:] = np.maximum(drawn[..., 3:], 1)  # the colour of what cannot be seen at all is not kept
    Image.fromarray(drawn).save(tmp_path / "a.png")
    picture = inline(tmp_path / "a.png", "a.png")
    assert (picture.width, picture.height) == (40, 30)
    np.testing.assert_array_equal(pixels(picture), drawn)


def test_a_large_picture_is_made_smaller_and_keeps_its_shape(tmp_path: Path) -> None:
    Image.new("RGB", (2 * WIDEST, WIDEST), "red").save(tmp_path / "large.png")
    picture = inline(tmp_path / "large.png", "large.png")
    assert (picture.width, picture.height) == (WIDEST, WIDEST // 2)
    assert pixels(picture).shape == (WIDEST // 2, WIDEST, 3)


def test_an_alpha_channel_that_hides_nothing_is_left_out(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (1, 2, 3, 255)).save(tmp_path / "opaque.png")
    assert pixels(inline(tmp_path / "opaque.png", "opaque.png")).shape == (4, 4, 3)


def test_a_picture_is_named_after_its_file(tmp_path: Path) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    picture = inline(tmp_path / "a.png", "results/mnist_cnn/figures/learning_curve.png")
    assert picture.name == "Learning curve"


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n cut short"])
def test_what_is_no_picture_is_refused_by_its_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.png").write_bytes(content)
    with pytest.raises(ModelyardError, match=r"figures/broken\.png: this is no picture"):
        inline(tmp_path / "broken.png", "figures/broken.png")
