"""Dropped images stay in bounded memory, and what is no picture is refused."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from privis.cli.studio.uploads import Uploads
from privis.errors import ImageError


def test_the_oldest_make_room(picture: Callable[..., bytes]) -> None:
    content = picture()
    uploads = Uploads(most=3 * len(content) + 10)
    keys = [uploads.add(f"{number}.png", content)[0] for number in range(5)]
    assert [each["name"] for each in uploads.listed()] == ["2.png", "3.png", "4.png"]
    with pytest.raises(ImageError, match="no longer kept"):
        uploads.get(keys[0])
    assert uploads.pixels(keys[2]).shape == (96, 96, 3)


def test_pixels_are_those_of_the_image_that_is_named(picture: Callable[..., bytes]) -> None:
    uploads = Uploads()
    first, second = uploads.add("a", picture(seed=1))[0], uploads.add("b", picture(seed=2))[0]
    assert not np.array_equal(uploads.pixels(first), uploads.pixels(second))
    assert np.array_equal(uploads.pixels(first), uploads.pixels(first))
    assert not uploads.pixels(first).flags.writeable


def test_what_was_removed_is_gone(picture: Callable[..., bytes]) -> None:
    uploads = Uploads()
    key, _ = uploads.add("a", picture())
    uploads.remove(key)
    uploads.remove(key)
    with pytest.raises(ImageError):
        uploads.pixels(key)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n", b"<svg/>"])
def test_what_is_no_picture_is_refused_by_its_name(content: bytes) -> None:
    with pytest.raises(ImageError, match="odd"):
        Uploads().add("odd.png", content)


def test_a_picture_of_too_many_pixels_is_refused_for_them() -> None:
    buffer = io.BytesIO()
    Image.new("1", (20000, 20000)).save(buffer, "PNG")
    with pytest.raises(ImageError, match="at most 50,000,000 pixels"):
        Uploads().add("large.png", buffer.getvalue())


def test_a_name_is_shown_and_never_a_path(picture: Callable[..., bytes]) -> None:
    _, upload = Uploads().add("../x\n\x1b[31m" + "y" * 300, picture())
    assert upload.name.isprintable()
    assert len(upload.name) <= 120
    assert "content" not in repr(upload)


def test_many_tiny_images_make_room_too(picture: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("privis.cli.studio.uploads._MOST_IMAGES", 2)
    uploads, content = Uploads(), picture(16)
    for number in range(4):
        uploads.add(str(number), content)
    assert [each["name"] for each in uploads.listed()] == ["2", "3"]
