"""No other page, no other name and nobody without the address can use the studio."""

from __future__ import annotations

from typing import Any

import pytest

from privis.cli.studio.access import HEADERS, Access

OWN = {"host": "127.0.0.1:8000"}
ACCESS = Access(8000, token="secret")


def refused(method: str = "POST", path: str = "/secret/views/seen", **headers: str) -> int | None:
    found = ACCESS.refusal(method, path, {**OWN, **{name.replace("_", "-"): value for name, value in headers.items()}})
    return None if found is None else found.value


def test_the_own_page_is_answered_by_both_names_of_this_machine() -> None:
    assert refused(origin="http://127.0.0.1:8000", sec_fetch_site="same-origin") is None
    assert refused(host="localhost:8000", origin="http://localhost:8000") is None
    assert refused("GET", "/secret/", sec_fetch_site="none", sec_fetch_mode="navigate") is None


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1", "127.0.0.1:80", "[::1]:8000", ""])
def test_a_name_that_was_rebound_to_this_machine_is_refused(host: str) -> None:
    assert refused("GET", "/secret/", host=host) == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:8001", "https://127.0.0.1:8000"])
def test_another_page_cannot_post(origin: str) -> None:
    assert refused(origin=origin) == 403


def test_a_post_without_an_origin_is_refused() -> None:
    assert refused() == 403
    assert refused("DELETE", "/secret/images/x") == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_page_can_only_open_the_page_itself(site: str) -> None:
    opening = {"sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    assert refused("GET", "/secret/", sec_fetch_site=site, **opening) is None  # as the file that a browser opens first
    assert refused("GET", "/secret/", sec_fetch_site=site, sec_fetch_mode="navigate", sec_fetch_dest="iframe") == 403
    assert refused("GET", "/secret/pictures/x", sec_fetch_site=site, **opening) == 403
    assert refused("GET", "/secret/images/x", sec_fetch_site=site, sec_fetch_dest="image") == 403


@pytest.mark.parametrize("path", ["/", "/secre/", "/secretx/", "//secret/", "/Secret/", "/static/studio.js"])
def test_without_the_token_nothing_is_there(path: str) -> None:
    assert refused("GET", path) == 404


def test_tokens_differ_and_are_not_shown() -> None:
    assert Access(1).token != Access(1).token
    assert len(Access(1).token) >= 43
    assert "secret" not in repr(ACCESS)


def test_every_answer_has_the_policy(page: Any) -> None:
    answers = [page.get(""), page.get("static/studio.js"), page.get("nothing"), page.ask("GET", "/elsewhere")]
    for answer in answers:
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert "'unsafe" not in HEADERS["content-security-policy"]
    assert [answer.status_code for answer in answers] == [200, 200, 404, 404]
