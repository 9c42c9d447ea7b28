"""A studio without a browser, and pictures to drop on it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from privis.cli.studio.access import Access
from privis.cli.studio.studio_app import Studio

ORIGIN = "http://127.0.0.1:8000"


def png(side: int = 96, seed: int = 0) -> bytes:
    """A picture of soft blobs, as bytes of a file."""
    noise = np.random.default_rng(seed).integers(0, 256, (side // 16, side // 16, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).resize((side, side), Image.Resampling.BICUBIC).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def picture() -> Callable[..., bytes]:
    """What makes pictures."""
    return png


@pytest.fixture
def studio() -> Iterator[Studio]:
    """A studio whose commands are stopped at the end."""
    made = Studio()
    yield made
    made.commands.close()


class Page:
    """A browser's requests to a studio, from its own page unless headers say otherwise."""

    def __init__(self, studio: Studio) -> None:
        self.access = Access(8000, token="t" * 43)
        self.application = studio.application(self.access)

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """Send any request."""

        async def send() -> Any:
            transport = httpx.ASGITransport(self.application)
            async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
                return await client.request(method, path, **options)

        return asyncio.run(send())

    def get(self, path: str) -> Any:
        """Fetch a path below the token."""
        return self.ask("GET", f"/{self.access.token}/{path}")

    def own(self, method: str, path: str, **options: Any) -> Any:
        """Send a request below the token as the page itself does."""
        return self.ask(method, f"/{self.access.token}/{path}", headers={"origin": ORIGIN}, **options)

    def post(self, path: str, **body: Any) -> Any:
        """Post JSON as the page does."""
        return self.own("POST", path, json=body)

    def drop(self, content: bytes, name: str = "a.png") -> str:
        """Drop a picture; its key."""
        headers = {"origin": ORIGIN, "x-file-name": name}
        answer = self.ask("POST", f"/{self.access.token}/images", content=content, headers=headers)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["key"])


@pytest.fixture
def page(studio: Studio) -> Page:
    """The page of a studio."""
    return Page(studio)
