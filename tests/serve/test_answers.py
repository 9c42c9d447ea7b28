"""A server that counts answers: nobody gets more than allowed, and nothing is computed that is not charged."""

from __future__ import annotations

import concurrent.futures
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from privis.errors import AnswerLimitError, DamagedLedgerError, ParameterError, ServiceError
from privis.privacy.answers.answer_ledger import AnswerLedger
from privis.privacy.answers.answer_limits import Allowance, AnswerKind, AnswerLimits
from privis.serve.answering import AnswerKeeper, AnswerSettings, settings_of, stated_limits
from privis.serve.client.executor import Remote
from privis.serve.http.server import Server
from privis.serve.offerings.offering import Estimate, Terms, answers_words
from tests.serve.place import LIMITS, ServerFolder, serving, until
from tests.serve.test_server import post, total
from tests.serve.toy import Adder, message

FIVE = AnswerSettings(decisions=Allowance(5, 8))


@pytest.fixture
def counting(place):
    with serving(place, LIMITS, Adder(answers=1), Adder("public"), answers=FIVE) as running:
        yield running


def sent(running, name="alice"):
    path, keys = running.place.keys()
    with running.client(name) as client:
        return client.send_keys("sum", path), keys


def counted(place: ServerFolder, client="alice"):
    return AnswerLedger(place.folder / "state" / "answers").account(client, "sum").ever.decisions


def test_a_client_gets_what_its_hour_allows_and_no_more_whatever_others_do(counting):
    digest, keys = sent(counting)
    with counting.client(patience=60.0) as client:
        for number in range(5):
            assert total(client.compute("sum", digest, message(keys, [number]))) == number
        started = time.monotonic()
        again = r"5 per hour; ask again in 6[01] minutes; nothing was computed"
        with pytest.raises(AnswerLimitError, match=again) as caught:
            client.compute("sum", digest, message(keys, [5]))
        assert caught.value.seconds > 3500
        assert time.monotonic() - started < 20, "an hour is not waited out"
    other, content = sent(counting, "bob")
    with counting.client("bob") as client:
        assert total(client.compute("sum", other, message(content, [7]))) == 7
    assert counted(counting.place) == 5 and counted(counting.place, "bob") == 1
    assert counting.left() == [], "nothing is kept of a message that was refused"


def test_new_keys_are_no_new_client(counting):
    for number in range(6):
        digest, keys = sent(counting)
        with counting.http() as http:
            answer = post(http, digest, message(keys, [1]))
        assert answer.status_code == (429 if number == 5 else 202)
    assert int(answer.headers["Retry-After"]) > 3500 and answer.json()["kind"] == "answers"


def test_an_offer_of_a_public_program_is_not_counted(counting):
    path, keys = counting.place.keys("public")
    with counting.client() as client:
        digest = client.send_keys("public", path)
        for number in range(9):
            assert total(client.compute("public", digest, message(keys, [number]))) == number
        assert "answers" not in client.terms("public").words
        said = client.terms("sum")
    assert said.words["answers"] == {
        "kind": "decision", "each": 1, "components": 64, "about": "template", "per_hour": 5, "total": 8,
    }  # fmt: skip
    assert stated_limits(said) == "One client gets at most 5 decisions about a template per hour and 8 in total."


def test_the_same_bytes_again_are_charged_once_whatever_they_are_called(counting):
    digest, keys = sent(counting)
    with counting.http() as http:
        for once in range(9):
            headers = {"Privis-Keys": digest, "Idempotency-Key": str(once)}
            answer = http.post("/v1/offers/sum/jobs", content=message(keys, [3]), headers=headers)
            assert answer.status_code == 202
    assert counted(counting.place) == 1


def test_of_many_connections_at_once_exactly_five_are_answered(counting):
    digest, keys = sent(counting)
    barrier = threading.Barrier(16)

    def ask(number):
        with counting.http() as http:
            barrier.wait()
            return post(http, digest, message(keys, [number])).status_code

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert sorted(pool.map(ask, range(16))) == [202] * 5 + [429] * 11
    assert counted(counting.place) == 5


def test_the_same_message_on_many_connections_is_one_job_and_one_charge(counting):
    digest, keys = sent(counting)
    barrier = threading.Barrier(8)

    def ask(number):
        with counting.http() as http:
            barrier.wait()
            return post(http, digest, message(keys, [1], "sleep", 0.5)).json()["id"]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
    assert counted(counting.place) == 1


def test_what_is_cancelled_or_failed_or_never_fetched_stays_charged_and_may_be_sent_again(counting):
    digest, keys = sent(counting)
    with counting.http() as http:
        for command in ("sleep", "die", "add", "raise"):
            content = message(keys, [len(command)], command, 30.0)
            for _ in range(3):
                answer = post(http, digest, content)
                assert answer.status_code in (200, 202), answer.text
                http.delete(f"/v1/jobs/{answer.json()['id']}")
    assert counted(counting.place) == 4


def test_a_connection_that_is_dropped_before_the_answer_is_charged_and_half_a_message_is_not(counting):
    digest, keys = sent(counting)
    content = message(keys, [1])
    head = counting.head(
        "POST /v1/offers/sum/jobs", "alice", f"Privis-Keys: {digest}", f"Content-Length: {len(content)}"
    )
    counting.connect(head + content[:-1]).close()
    counting.connect(head + content).close()
    until(lambda: counted(counting.place) == 1)
    with counting.http() as http:
        assert post(http, digest, message(keys, [1], "broken")).status_code == 202
    assert counted(counting.place) == 2


def test_counts_outlive_the_server_and_a_limit_in_total_is_lifted_by_its_operator(place):
    settings = AnswerSettings(decisions=Allowance(None, 3))
    path, keys = place.keys()
    for number in range(2):
        with serving(place, LIMITS, Adder(answers=1), answers=settings) as running, running.client() as client:
            digest = client.send_keys("sum", path)
            client.compute("sum", digest, message(keys, [0]))
            client.compute("sum", digest, message(keys, [1 + number]))
    with serving(place, LIMITS, Adder(answers=1), answers=settings) as running, running.client() as client:
        with running.http() as http:
            answer = post(http, digest, message(keys, [3]))
            assert answer.status_code == 403 and "privis answers lift" in answer.text
        AnswerLedger(place.folder / "state" / "answers").lift("alice", "sum", "a test")
        assert total(client.compute("sum", digest, message(keys, [3]))) == 3


def test_two_servers_may_share_a_ledger(place, tmp_path_factory):
    shared = AnswerSettings(decisions=Allowance(3, 3), ledger=place.folder / "shared")
    second = ServerFolder(place.folder / "second")
    second.folder.mkdir()
    for name in ("tokens", "alice.token"):
        (second.folder / name).write_bytes((place.folder / name).read_bytes())
        (second.folder / name).chmod(0o600)
    statuses = []
    with serving(place, LIMITS, Adder(answers=1), answers=shared) as one:
        with serving(second, LIMITS, Adder(answers=1), answers=shared) as other:
            for running in (one, other):
                digest, keys = sent(running)
                with running.http() as http:
                    statuses += [post(http, digest, message(keys, [number])).status_code for number in range(2)]
    assert statuses == [202, 202, 202, 403]


def test_a_ledger_that_is_damaged_answers_nobody_and_names_no_path(counting, caplog):
    digest, keys = sent(counting)
    ledger = counting.place.folder / "state" / "answers"
    ledger.write_bytes(ledger.read_bytes()[:-1])
    with counting.client() as client, pytest.raises(ServiceError, match="nothing was computed") as caught:
        client.compute("sum", digest, message(keys, [1]))
    assert str(counting.place.folder) not in str(caught.value)
    assert any(str(ledger) in record.getMessage() for record in caplog.records)
    elsewhere = ServerFolder(counting.place.folder)
    settings = AnswerSettings(ledger=ledger)
    server = Server((Adder(answers=1),), elsewhere.tokens, counting.place.folder / "other", port=0, answers=settings)
    with pytest.raises(DamagedLedgerError, match="privis answers verify"):
        server.open()


def terms(kind=AnswerKind.SCORE, each=1, components=128, about="template"):
    words = {"answers": answers_words(kind, each, components, about)}
    return {"faces": Terms("faces", "", "", "", Estimate(1, 1, 1, 1, 1), words=words)}


def test_a_message_that_may_be_given_more_than_a_limit_is_refused_when_the_server_opens(tmp_path):
    for settings in (AnswerSettings(), AnswerSettings(scores=Allowance(7, 100))):
        with pytest.raises(ParameterError, match="offer faces: answers: got 32 scores"):
            AnswerKeeper.open(terms(each=32), settings, tmp_path)
    assert not list(tmp_path.iterdir())
    keeper = AnswerKeeper.open(terms(each=32), AnswerSettings(scores=Allowance(None, 64)), tmp_path)
    for number in range(2):
        keeper.charge("alice", "faces", f"{number:064x}")
    with pytest.raises(AnswerLimitError, match="0 of them left"):
        keeper.charge("alice", "faces", "f" * 64)


@pytest.mark.parametrize(
    ("offered", "said"),
    [
        (terms(AnswerKind.DECISION), (8, 32)),
        (terms(AnswerKind.SCORE, 2), (2, 4)),
        (terms(AnswerKind.SCORE, 2, 784, "model"), (49, 196)),
    ],
)
def test_defaults_are_said_in_the_terms(tmp_path, offered, said):
    words = AnswerKeeper.open(offered, AnswerSettings(), tmp_path).terms["faces"].words["answers"]
    assert (words["per_hour"], words["total"]) == said


def test_a_card_and_a_file_of_terms_say_the_limits(tmp_path, monkeypatch):
    from privis.cli.files.info import _terms_lines

    (said,) = AnswerKeeper.open(terms(AnswerKind.SCORE, 2, 784, "model"), AnswerSettings(), tmp_path).terms.values()
    sentence = "One client gets at most 49 scores about an output of the model per hour and 196 in total."
    assert sentence in list(_terms_lines(said))
    under = Remote("http://127.0.0.1:1", tmp_path, tmp_path)
    for found, told in ((said, f"computes on ciphertexts. {sentence}"), (replace(said, words={}), "on ciphertexts.")):
        monkeypatch.setattr(Remote, "terms", property(lambda self, found=found: found))
        assert under.seen.endswith(told)


def test_words_of_the_command_become_settings(tmp_path):
    assert settings_of([]) == AnswerSettings()
    assert settings_of(["unlimited"], tmp_path).scores == AnswerLimits().scores
    assert settings_of(["decisions=9"]) == AnswerSettings(decisions=Allowance(None, 9))
    with pytest.raises(ParameterError) as caught:
        settings_of(["scores=0", "scores=1", "scores=2", "minutes=3", "decisions=x", "unlimited"])
    assert len(caught.value.problems) == 5
    assert stated_limits(Terms("x", "", "", "", Estimate(1, 1, 1, 1, 1), words={"answers": 3})) == ""
    assert Path(tmp_path).is_dir()
