"""What the page gets for what it asks: the words and figures of the commands, and errors as sentences.

Answers for `privis.cli.studio.views.protected_image`, `privis.cli.studio.views.attacked_image`,
`privis.cli.studio.views.card_view` and `privis.cli.studio.views.budget_view`.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from privis.cli.studio.studio_app import Studio
from privis.extraction.explain import explain
from privis.features.hog import HOG
from privis.privacy import Laplace, PixelRelease, Pixels
from privis.privacy.ledger.budget import Budget
from privis.privacy.ledger.file import FileLedger

PIXELS = {"noise": "laplace", "at": "pixels", "unit": "pixels:16", "epsilon": 15.0, "block": 4}


def test_a_dropped_image_is_seen_noised_and_explained(page: Any, picture: Callable[..., bytes]) -> None:
    key = page.drop(picture(), "my photo.png")
    told = page.post("views/seen", image=key, feature="hog", parameters=["size=64x64"], **PIXELS).json()
    release = PixelRelease(Laplace(15.0), Pixels(16), 4)
    derived = explain(HOG(size=(64, 64)), (96, 96, 3), release=release)
    assert derived.unit is not None and derived.whole_image is not None
    assert any("15" in line for line in told["sentences"])
    assert any(f"{derived.whole_image.epsilon:,.0f}" in line for line in told["sentences"])
    assert told["command"].startswith("privis extract 'my photo.png' -f hog -p size=64x64 --release laplace")
    assert told["components"] == derived.length
    for name in ("image", "noised", "drawn", "released", "exact"):
        assert page.get(f"pictures/{told[name]}").headers["content-type"].startswith("image/"), name
    assert 15.0 in told["stops"] and 1e6 not in told["stops"]  # no noise on single pixels keeps that one


def test_the_noised_image_is_the_release_of_the_image_that_the_feature_reads(
    page: Any, picture: Callable[..., bytes]
) -> None:
    key = page.drop(picture())
    told = page.post("views/noised", image=key, feature="hog", parameters=["size=64x64"], **PIXELS).json()
    shown = np.asarray(Image.open(io.BytesIO(page.get(f"pictures/{told['noised']}").content)).convert("L"))
    assert shown.shape == (64, 64)
    means = shown.reshape(16, 4, 16, 4).astype(float)
    assert means.std(axis=(1, 3)).mean() < 6  # blocks of 4 x 4 have one value, but for JPEG
    assert shown.std() > 40
    again = page.post("views/noised", image=key, feature="hog", parameters=["size=64x64"], **PIXELS).json()
    assert again["noised"] == told["noised"]


def test_sentences_are_in_the_language_that_is_asked_for(page: Any, picture: Callable[..., bytes]) -> None:
    key = page.drop(picture())
    told = page.post("views/noised?language=zh", image=key, feature="lbp").json()
    assert "没有隐藏任何内容" in told["sentences"][0]
    assert told["noised"] is None


def test_errors_are_sentences_with_all_problems(page: Any, picture: Callable[..., bytes]) -> None:
    key = page.drop(picture())
    wrong = page.post("views/seen", image=key, feature="hog", parameters=["cells=3", "size=big"])
    assert wrong.status_code == 422
    assert len(wrong.json()["problems"]) == 2
    assert page.post("views/seen", image="gone", feature="hog").status_code == 422
    assert page.post("views/seen", image=[1], epsilon="4", block=True).json()["problems"].__len__() == 3
    assert page.post("views/nothing").status_code == 404
    for content in (b"{", b"[]", b"1" * (2 << 20)):
        sent = page.own("POST", "views/seen", content=content)
        assert sent.status_code == 422, sent.text


def test_an_image_is_forgotten(page: Any, picture: Callable[..., bytes]) -> None:
    key = page.drop(picture())
    assert [each["key"] for each in page.get("images").json()] == [key]
    assert page.get(f"images/{key}").headers["content-type"] == "image/jpeg"
    assert page.own("DELETE", f"images/{key}").status_code == 200
    assert page.get("images").json() == []
    assert page.get(f"images/{key}").status_code == 422


def test_a_ledger_is_shown_as_the_command_has_it(page: Any, tmp_path: Path) -> None:
    from privis.privacy import Guarantee

    ledger = FileLedger.create(tmp_path / "budget", Budget(10.0, 1e-6))
    promise = PixelRelease(Laplace(4.0)).guarantee((8, 8))
    assert isinstance(promise, Guarantee)
    ledger.charge("image", promise, "first")
    told = page.post("views/budget", ledger=str(tmp_path / "budget")).json()
    (account,) = told["accounts"]
    assert (told["total"], account["charges"]) == (1, 1)
    assert account["spent"] == "4" or account["spent"].startswith("4.0")
    assert float(account["left"]) <= 6.0
    assert page.post("views/budget", ledger=str(tmp_path / "none")).status_code == 422
    assert page.post("views/budget").status_code == 422


def test_a_task_needs_its_images(page: Any, picture: Callable[..., bytes]) -> None:
    key = page.drop(picture())
    assert page.post("views/start", task="verify", images=[key], values={}).status_code == 422
    for task in ("rm", ["detect"]):
        assert page.post("views/start", task=task, images=[key], values={}).status_code == 422
    assert page.post("views/start", task="detect", images=[key], values={"what": "cats"}).status_code == 422


def test_memory_stays_bounded_after_many_images(studio: Studio, picture: Callable[..., bytes]) -> None:
    content = picture(64)
    for number in range(500):
        studio.uploads.add(f"{number}.png", content + number.to_bytes(4, "big"))
    assert sum(1 for _ in studio.uploads.listed()) <= 500
    assert studio.uploads._decoded is not None  # one image is decoded, whatever was dropped


def test_the_card_and_the_report_are_of_what_is_shown(page: Any, picture: Callable[..., bytes]) -> None:
    key = page.drop(picture(), "x<b>.png")
    asked = {"image": key, "feature": "hog", "parameters": ["size=64x64"], **PIXELS}
    told = page.post("views/documented?language=zh", **asked).json()
    assert told["card"]["release"]["noise"]["epsilon"] == 15.0
    report = page.get(f"reports/{told['report']}")
    assert report.headers["content-type"].startswith("text/html")
    assert "sandbox" in report.headers["content-security-policy"]
    assert '<html lang="zh' in report.text and "<b>.png" not in report.text
    assert page.get("reports/unknown").status_code == 404


def test_an_attacker_gets_back_more_from_an_exact_feature_than_from_noise(
    page: Any, picture: Callable[..., bytes]
) -> None:
    pytest.importorskip("torch")
    content = picture(64)
    key = page.drop(content)
    true = np.asarray(Image.open(io.BytesIO(content)).convert("L"), float)
    likeness = []
    for release in ({}, {"noise": "laplace", "at": "pixels", "unit": "image", "epsilon": 1000.0, "block": 1}):
        asked = {"image": key, "feature": "scattering", **release}
        told = page.post("views/attacked", **asked).json()
        found = np.asarray(Image.open(io.BytesIO(page.get(f"pictures/{told['attack']}").content)), float)
        likeness.append(float(np.corrcoef(found.ravel(), true.ravel())[0, 1]))
    assert likeness[0] > 0.8
    assert likeness[1] < 0.4
    refused = page.post("views/attacked", image=key, feature="glcm")
    assert refused.status_code == 422 and "glcm" in refused.json()["problems"][0]


def test_a_drawn_feature_that_made_room_is_drawn_again(
    studio: Studio, page: Any, picture: Callable[..., bytes]
) -> None:
    key = page.drop(picture())
    asked = {"image": key, "feature": "lbp"}
    page.post("views/seen", **asked)
    studio.pictures.clear()  # as many other pictures would
    told = page.post("views/seen", **asked).json()
    assert page.get(f"pictures/{told['drawn']}").status_code == 200


def test_pictures_of_a_forgotten_image_are_forgotten_with_it(page: Any, picture: Callable[..., bytes]) -> None:
    key = page.drop(picture())
    told = page.post("views/seen", image=key, feature="lbp").json()
    page.own("DELETE", f"images/{key}")
    assert [page.get(f"pictures/{told[name]}").status_code for name in ("image", "drawn")] == [404, 404]


def test_a_page_that_is_loaded_again_finds_what_runs(studio: Studio, page: Any, picture: Callable[..., bytes]) -> None:
    assert page.get("commands").json() == []
    key = page.drop(picture(), "x.png")
    begun = page.post("views/start", task="extract", images=[key], values={"feature": "lbp"}).json()
    (told,) = page.get("commands").json()
    assert told == begun
    assert (told["view"], told["images"]) == ("task", [key])
    assert told["command"].startswith("privis extract x.png")
    command = studio.commands.get(begun["key"])
    deadline = time.monotonic() + 20
    while command.predicted is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert command.predicted is not None and command.predicted > 0
    page.own("DELETE", f"commands/{begun['key']}")
    while page.get("commands").json() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert page.get("commands").json() == []
