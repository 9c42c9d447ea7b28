"""Encrypted images through a server: the results, who can decrypt, and what damaged ciphertexts do.

Answers for `privis.serve.offerings.estimate`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("tenseal")

from privis.errors import OutputError, ParameterError, ProtocolError, UnsupportedError
from privis.extraction.images import extract
from privis.features.cnn import Channels
from privis.program import Input, save, trace
from privis.readings import evaluate
from privis.run.he.compiler.compiler import Options
from privis.run.he.packing.batching import Batching
from privis.run.he.wire.ciphertext_messages import MessageKind, read, written
from privis.serve.client.client import Client
from privis.serve.client.executor import Remote
from privis.serve.client.program_keys import OwnerKeys, ask
from privis.serve.client.remote_model import PrivateModel
from privis.serve.http.server import Server
from privis.serve.offerings.program import OfferProgram
from tests.serve.place import LIMITS, Running, new_place
from tests.serve.test_faults import held_by_workers
from tests.serve.test_server import metrics

ENERGY = trace(lambda x: (x * x).sum(1) * (1 / 255**2), Input((8, 8)))
CONTRAST = trace(lambda x: (x[:, 1:] - x[:, :-1]) * (1 / 255), Input((8, 8)))
IMAGE = np.arange(64, dtype=np.uint8).reshape(8, 8) * 3


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    place = new_place(tmp_path_factory.mktemp("encrypted"))
    beside = Options(batching=Batching.SIDE_BY_SIDE)
    offerings = [
        OfferProgram("energy", "energies of rows", ENERGY),
        OfferProgram("contrast", "steps", CONTRAST),
        OfferProgram("beside", "energies of rows", ENERGY, beside),
    ]
    limits = replace(LIMITS, memory=2 << 30, job_memory=0)
    server = Server(offerings, place.tokens, place.folder / "state", port=0, limits=limits)
    with server.running() as url:
        yield Running(place, url, server)


@pytest.fixture(scope="module")
def keys(running):
    with running.client() as client:
        return OwnerKeys.generate(client.terms("energy"), running.place.folder / "keys")


def remote(running: Running, keys: OwnerKeys) -> Remote:
    return Remote(running.url, keys.folder, running.place.folder / "alice.token", patience=5.0)


def test_encrypted_results_are_those_of_the_definition(running, keys):
    with running.client() as client:
        steps = []
        ((found,),) = ask(client, keys, [(IMAGE,)], steps.append)
        np.testing.assert_allclose(found, evaluate(ENERGY, IMAGE), atol=1e-4)
        assert {step.phase for step in steps} >= {"sending keys", "running"}
        steps.clear()
        ask(client, keys, [(255 - IMAGE,)], steps.append)
        assert "sending keys" not in {step.phase for step in steps}


def test_images_that_share_ciphertexts_are_one_job(running):
    with running.client() as client:
        terms = client.terms("beside")
        shared = OwnerKeys.generate(terms, running.place.folder / "shared keys")
    together = shared.spec.batch_size
    assert terms.estimate.images == together > 1
    images = np.random.default_rng(1).integers(0, 256, (together + 2, 8, 8), np.uint8)
    with remote(running, shared) as executor:
        assert executor.together(ENERGY) == together
        found = executor.prepare_many(ENERGY)([(image,) for image in images])
        alone = executor.prepare(ENERGY)(images[0])
    np.testing.assert_allclose(found, [evaluate(ENERGY, image) for image in images], atol=1e-4)
    np.testing.assert_allclose(alone, evaluate(ENERGY, images[0]), atol=1e-4)
    with running.http() as http:
        assert metrics(http)['privis_jobs_total{offer="beside",state="done"}'] == 3  # two for all of them, one for one


def test_what_a_job_takes_is_known_before(running, keys):
    said = keys.terms.estimate
    with running.client() as client, running.http() as http:
        message = keys.encrypt([(IMAGE,)]).message
        reply = client.compute("energy", client.send_keys("energy", keys.evaluation), message)
        assert keys.evaluation.stat().st_size == pytest.approx(said.keys_bytes, rel=0.3)
        assert len(message) == pytest.approx(said.message_bytes, rel=0.3)
        assert len(reply) == pytest.approx(said.reply_bytes, rel=0.3)
        assert 8 << 20 < held_by_workers() < metrics(http)["privis_worker_memory_bytes"]


def test_a_server_is_an_executor_like_the_others(running, keys):
    with remote(running, keys) as under:
        assert under.supports(ENERGY) == [] and under.cost(ENERGY).sent > 10_000
        (problem,) = under.supports(CONTRAST)
        assert "use keys for what you ask" in problem.remedy
        with pytest.raises(UnsupportedError):
            under.prepare(CONTRAST)
        model = PrivateModel((8, 8), 8, Channels.RGB)
        with pytest.raises(UnsupportedError):  # what is computed is public here, and not this
            extract(model, [IMAGE], under=under)
        assert "sees the images and the features; the server" in under.seen
        assert str(keys.folder) not in repr(under)


def test_what_was_prepared_opens_its_connection_again_and_a_child_has_its_own(running, keys):
    expected = evaluate(ENERGY, IMAGE)
    with remote(running, keys) as under:
        run = under.prepare(ENERGY)
        np.testing.assert_allclose(run(IMAGE), expected, atol=1e-4)
        under.close()
        np.testing.assert_allclose(run(IMAGE), expected, atol=1e-4)
        ours = under._open()
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            right = under._open() is not ours and np.allclose(run(IMAGE), expected, atol=1e-4)
            under.close()
            os._exit(0 if right and under._opened == [ours] else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert under._open() is ours
        np.testing.assert_allclose(run(IMAGE), expected, atol=1e-4)


def test_keys_are_saved_whole_private_and_once(running, keys):
    again = OwnerKeys.load(keys.folder)
    assert again.terms == keys.terms
    with running.client() as client:
        np.testing.assert_allclose(ask(client, again, [(IMAGE,)])[0][0], evaluate(ENERGY, IMAGE), atol=1e-4)
        with pytest.raises(OutputError, match="never overwritten"):
            OwnerKeys.generate(keys.terms, keys.folder)
    secret = keys.folder / "secret.key"
    assert secret.stat().st_mode & 0o777 == 0o600 and keys.folder.stat().st_mode & 0o777 == 0o700
    secret.chmod(0o644)
    with pytest.raises(ParameterError, match="mode 0644"):
        OwnerKeys.load(keys.folder)
    secret.chmod(0o600)
    with pytest.raises(TypeError):
        __import__("pickle").dumps(again)


def test_the_secret_key_does_not_get_through_the_client(running, keys):
    with running.client() as client, pytest.raises(ProtocolError, match="got a secret key"):
        client.send_keys("energy", keys.folder / "secret.key")


def test_terms_that_were_tampered_with_make_no_keys(keys, tmp_path):
    weaker = replace(keys.terms, specification=keys.terms.specification.replace('"scale"', '"scale" '))
    with pytest.raises(ProtocolError, match="do not trust"):
        OwnerKeys.generate(weaker, tmp_path / "keys")
    with pytest.raises(ProtocolError, match="specification"):
        OwnerKeys.generate(replace(keys.terms, specification="{}"), tmp_path / "keys")
    assert not (tmp_path / "keys").exists()


def test_another_owner_reads_nothing(running, keys, tmp_path):
    """Her message under his evaluation keys gives a reply that neither of them can read."""
    other = OwnerKeys.generate(keys.terms, tmp_path / "other")
    with running.client() as client:
        query = keys.encrypt([(IMAGE,)])
        mine = client.compute("energy", client.send_keys("energy", keys.evaluation), query.message)
        wrong = other.decrypt(query, mine)[0]
        assert np.abs(wrong - evaluate(ENERGY, IMAGE)).max() > 10, "uniform modulo the lowest prime: some 2,000 here"
        crossed = client.compute("energy", client.send_keys("energy", other.evaluation), query.message)
        assert np.abs(keys.decrypt(query, crossed)[0][0] - evaluate(ENERGY, IMAGE)).max() > 10


def test_messages_and_keys_of_another_program(running, keys, tmp_path):
    with running.client() as client:
        contrast = OwnerKeys.generate(client.terms("contrast"), tmp_path / "contrast")
        with pytest.raises(ProtocolError, match="keys of another program"):
            client.send_keys("energy", contrast.evaluation)
        digest = client.send_keys("energy", keys.evaluation)
        with pytest.raises(ProtocolError, match="one for the program"):
            client.compute("energy", digest, contrast.encrypt([(IMAGE,)]).message)


def test_old_keys_say_that_the_program_changed(place, tmp_path):
    limits = replace(LIMITS, memory=1 << 30, job_memory=0)
    state = place.folder / "state"
    servers = [
        Server([OfferProgram("model", "of today", program)], place.tokens, state, port=0, limits=limits)
        for program in (ENERGY, CONTRAST)
    ]
    with servers[0].running() as url, Client(url, place.token("alice")) as client:
        keys = OwnerKeys.generate(client.terms("model"), tmp_path / "keys")
        ask(client, keys, [(IMAGE,)])
    with servers[1].running() as url, Client(url, place.token("alice")) as client:
        with pytest.raises(ProtocolError, match="make new keys"):
            ask(client, keys, [(IMAGE,)])
        with pytest.raises(ProtocolError, match="make new keys"):
            Remote(url, keys.folder, place.folder / "alice.token").prepare(ENERGY)


@pytest.fixture(scope="module")
def query(keys):
    return keys.encrypt([(IMAGE,)])


@settings(max_examples=25)
@given(
    how=st.sampled_from(["header", "anywhere", "cut", "random"]),
    where=st.floats(0, 1, exclude_max=True),
    change=st.integers(1, 255),
    noise=st.binary(max_size=500),
)
def test_damaged_ciphertexts_reach_the_library_and_the_server_lives(running, keys, query, how, where, change, noise):
    """The frame is made anew, with a right checksum, so that the damage reaches the library's own parser."""
    part = bytearray(read(MessageKind.QUERY, keys.spec.digest, query.message)[0])
    match how:
        case "header":
            part[int(where * 120)] ^= change
        case "anywhere":
            part[int(where * len(part))] ^= change
        case "cut":
            del part[int(where * len(part)) :]
        case "random":
            part = bytearray(noise)
    message = written(MessageKind.QUERY, keys.spec.digest, [bytes(part)])
    with running.client() as client:
        digest = client.send_keys("energy", keys.evaluation)
        try:
            keys.decrypt(query, client.compute("energy", digest, message))
        except ProtocolError:
            pass
        np.testing.assert_allclose(ask(client, keys, [(IMAGE,)])[0][0], evaluate(ENERGY, IMAGE), atol=1e-4)


WATCH = """
import os, signal, sys
def tell(*_):
    with open(os.path.join({folder!r}, str(os.getpid())), "w") as file:
        file.write("\\n".join(sorted(sys.modules)) + "\\n")
signal.signal(signal.SIGUSR1, tell)
"""


def test_no_process_of_a_running_server_holds_anything_that_decrypts(place, tmp_path):
    """`privis serve` after a job: the process that speaks HTTP, the fork server and the worker tell their modules."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (tmp_path / "sitecustomize.py").write_text(WATCH.format(folder=str(folder)))
    save(ENERGY, tmp_path / "energy.program")
    offered = ["--program", "energy.program", "--tokens", f"{place.folder}/tokens", "--listen", "127.0.0.1:0"]
    paths = [str(tmp_path), *sys.path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
    command = [sys.executable, "-m", "privis", "serve", *offered]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        lines = iter(process.stderr.readline, "")
        url = next(line for line in lines if line.startswith("http")).split(": ")[0]
        with Client(url, place.token("alice")) as client:
            keys = OwnerKeys.generate(client.terms("energy"), tmp_path / "keys")
            np.testing.assert_allclose(ask(client, keys, [(IMAGE,)])[0][0], evaluate(ENERGY, IMAGE), atol=1e-4)
        pids = [process.pid, *descendants(process.pid)]
        told = {}
        deadline = time.monotonic() + 60
        while len(told) < 3 and time.monotonic() < deadline:
            for pid in pids:
                if b"resource_tracker" not in cmdline(pid):
                    os.kill(pid, signal.SIGUSR1)
            time.sleep(0.5)
            told = {path.name: path.read_text().split() for path in folder.iterdir() if path.read_text().endswith("\n")}
        assert len(told) == 3, "server, fork server and worker"
        for modules in told.values():
            assert "privis.serve.workers.fork_server" in modules
            forbidden = [name for name in modules if name.startswith("privis.run.he.") and "secret" in name]
            assert forbidden == [] and "privis.serve.client.program_keys" not in modules
        engines = ["tenseal.sealapi" in modules for _, modules in sorted(told.items(), key=lambda each: int(each[0]))]
        assert engines == [False, True, True], "the process that speaks HTTP does not even hold the engine"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        process.stderr.close()


def descendants(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        found = [int(word) for word in file.read().split()]
    return [each for child in found for each in (child, *descendants(child))]


def cmdline(pid: int) -> bytes:
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read()
