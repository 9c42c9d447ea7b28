"""Programs kept on disk: found again by whoever may trust them, made anew in every other case, never an error.

Answers for `privis.run.program_cache`.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from privis.cli import doctor
from privis.errors import ParameterError
from privis.run import program_cache
from privis.run.program_cache import FORMAT, CacheKey, ProgramCache, default_folder, machine

KEY = CacheKey("test", "0" * 64, "some settings", ("numpy",))
OTHER = dataclasses.replace(KEY, program="1" * 64)
CONTENT = bytes(range(256)) * 40


@pytest.fixture
def cache(tmp_path) -> ProgramCache:
    return ProgramCache(tmp_path / "cache" / "programs")


def entries(cache: ProgramCache) -> list[Path]:
    return sorted(cache.folder.iterdir())


def kept(cache: ProgramCache, key: CacheKey = KEY) -> bytes | None:
    found = cache.load(key)
    return None if found is None else bytes(found)


def test_an_entry_is_found_by_its_whole_key_and_nobody_else_may_read_it(cache):
    assert kept(cache) is None and not cache.folder.exists() and cache.usage() == (0, 0)
    assert cache.store(KEY, [CONTENT[:100], memoryview(CONTENT)[100:]])
    assert kept(cache) == CONTENT
    for name, value in (("kind", "x"), ("program", "x"), ("settings", "x"), ("libraries", ("numpy", "scipy"))):
        assert kept(cache, dataclasses.replace(KEY, **{name: value})) is None
    (entry,) = entries(cache)
    assert cache.usage() == (1, entry.stat().st_size)
    assert stat.S_IMODE(entry.stat().st_mode) == 0o600 and stat.S_IMODE(cache.folder.stat().st_mode) == 0o700
    assert cache.store(KEY, [b"other"]) and kept(cache) == b"other" and len(entries(cache)) == 1


@pytest.mark.parametrize("decides", ["code_digest", "machine", "_version"])
def test_other_code_another_processor_or_another_library_finds_nothing(cache, monkeypatch, decides):
    cache.store(KEY, [CONTENT])
    monkeypatch.setattr(program_cache, decides, lambda *_: "another one")
    assert kept(cache) is None
    monkeypatch.undo()
    assert kept(cache) == CONTENT


def test_code_that_changed_under_a_running_process_keeps_nothing(cache, monkeypatch):
    cache.store(KEY, [CONTENT])
    program_cache.code_digest.cache_clear()
    monkeypatch.setattr(program_cache, "_LOADED", 0.0)
    try:
        assert kept(cache) is None and not cache.store(OTHER, [CONTENT])
        assert program_cache.code_digest() == program_cache.code_digest()
    finally:
        monkeypatch.undo()
        program_cache.code_digest.cache_clear()
    assert kept(cache) == CONTENT and kept(cache, OTHER) is None


def test_what_cannot_be_read_is_made_anew(cache):
    made = []

    def make() -> str:
        made.append(1)
        return "made"

    def keep(from_bytes) -> str:
        return cache.kept(KEY, make, to_bytes=lambda text: [text.encode()], from_bytes=from_bytes)

    def read(content) -> str:
        return bytes(content).decode()

    assert keep(read) == keep(read) == "made" and len(made) == 1
    assert keep(lambda content: 1 / 0) == "made" and len(made) == 2
    assert keep(read) == "made" and len(made) == 2
    with pytest.raises(ZeroDivisionError):
        cache.kept(OTHER, lambda: 1 / 0, to_bytes=lambda text: [], from_bytes=read)


def damaged(data: bytes) -> dict[str, bytes]:
    found = {f"byte {at}": data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :] for at in range(0, len(data), 61)}
    found |= {f"cut at {at}": data[:at] for at in (0, 1, len(FORMAT), len(FORMAT) + 31, len(data) - 1)}
    return found | {"longer": data + b"\0", "twice": data * 2, "next number": data.replace(b"cache/1", b"cache/2")}


def test_damage_anywhere_is_seen_and_the_entry_deleted(cache):
    cache.store(KEY, [CONTENT])
    (entry,) = entries(cache)
    whole = entry.read_bytes()
    for what, data in damaged(whole).items():
        entry.write_bytes(data)
        entry.chmod(0o600)
        assert kept(cache) is None, what
        assert not entry.exists(), what
    cache.store(OTHER, [b"of another program"])
    entries(cache)[0].rename(entry)  # whole, but not what was asked for
    assert kept(cache) is None and not entry.exists()


def test_what_others_could_have_written_is_not_read(cache, tmp_path, monkeypatch):
    cache.store(KEY, [CONTENT])
    (entry,) = entries(cache)
    entry.chmod(0o620)
    assert kept(cache) is None and not entry.exists()
    cache.store(KEY, [CONTENT])
    cache.folder.chmod(0o770)
    assert kept(cache) is None and not cache.store(OTHER, [CONTENT])
    with pytest.raises(PermissionError, match="others may write"):
        cache.usage()
    cache.folder.chmod(0o700)
    assert kept(cache) == CONTENT
    user = os.geteuid()
    monkeypatch.setattr(program_cache.os, "geteuid", lambda: user + 1)
    assert kept(cache) is None and not cache.store(KEY, [b"x"])
    monkeypatch.undo()
    assert kept(cache) == CONTENT


def test_an_entry_of_another_user_is_made_anew(cache, monkeypatch):
    """The folder is ours, as in a home that was copied by the administrator; the entry is not."""
    cache.store(KEY, [CONTENT])
    own = program_cache._is_own
    monkeypatch.setattr(program_cache, "_is_own", lambda found: own(found) and not stat.S_ISREG(found.st_mode))
    assert kept(cache) is None and entries(cache) == []


def test_links_pipes_and_folders_in_place_of_an_entry_are_neither_followed_nor_waited_for(cache, tmp_path):
    cache.store(KEY, [CONTENT])
    (entry,) = entries(cache)
    elsewhere = tmp_path / "elsewhere"
    entry.rename(elsewhere)
    entry.symlink_to(elsewhere)
    assert kept(cache) is None and not entry.is_symlink() and elsewhere.exists()
    entry.symlink_to(elsewhere)
    assert cache.store(KEY, [b"new"]) and not entry.is_symlink() and kept(cache) == b"new"
    assert elsewhere.read_bytes().endswith(CONTENT)
    entry.unlink()
    os.mkfifo(entry)
    assert kept(cache) is None
    entry.mkdir()
    assert kept(cache) is None and not cache.store(KEY, [CONTENT])


@pytest.mark.parametrize("where", ["/dev/null", "/proc/no such", "/dev/null/under"])
def test_a_place_that_cannot_be_used_costs_time_only(monkeypatch, where):
    monkeypatch.setenv("PRIVIS_CACHE", where)
    assert ProgramCache().load(KEY) is None and not ProgramCache().store(KEY, [CONTENT])


def test_a_full_disk_costs_time_only_and_leaves_nothing(cache, monkeypatch):
    cache.store(KEY, [CONTENT])
    written = os.write

    def full(file: int, data) -> int:
        if len(data) > 1000:
            raise OSError(28, "No space left on device")
        return written(file, data)

    monkeypatch.setattr(program_cache.os, "write", full)
    assert not cache.store(OTHER, [CONTENT])
    monkeypatch.undo()
    assert len(entries(cache)) == 1 and kept(cache) == CONTENT


def test_a_folder_that_may_not_be_written_is_read(cache):
    cache.store(KEY, [CONTENT])
    cache.folder.chmod(0o500)
    try:
        assert kept(cache) == CONTENT
        assert cache.store(OTHER, [CONTENT]) == (os.geteuid() == 0)  # root may write anything
    finally:
        cache.folder.chmod(0o700)


def test_entries_that_were_not_used_for_longest_go_first(tmp_path):
    cache = ProgramCache(tmp_path, 2000)
    keys = [dataclasses.replace(KEY, settings=str(number)) for number in range(3)]
    for age, key in zip((30, 20, 10), keys, strict=True):
        assert cache.store(key, [b"x" * 200])
        newest = max(entries(cache), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, (time.time() - age,) * 2)
    assert kept(cache, keys[0])  # used now
    assert cache.store(OTHER, [b"x" * 200])
    assert [kept(cache, key) is not None for key in (*keys, OTHER)] == [True, False, True, True]
    assert sum(path.stat().st_size for path in entries(cache)) <= 2000
    assert not cache.store(KEY, [b"x" * 2001])
    (tmp_path / "notes.txt").write_text("not ours")
    assert ProgramCache(tmp_path, 900).store(KEY, [b"x" * 100]) and (tmp_path / "notes.txt").exists()
    assert [kept(cache, key) for key in (*keys, OTHER)] == [None] * 4
    for limit in (0, -1, 1.5, True):
        with pytest.raises(ParameterError, match="limit_bytes"):
            ProgramCache(tmp_path, limit)


def test_the_folder_is_where_told(tmp_path, monkeypatch):
    monkeypatch.delenv("PRIVIS_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_folder() == tmp_path / "xdg" / "privis" / "programs"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_folder() == tmp_path / "home" / ".cache" / "privis" / "programs"
    monkeypatch.setenv("PRIVIS_CACHE", str(tmp_path / "told"))
    assert default_folder() == tmp_path / "told"
    assert ProgramCache().store(KEY, [CONTENT]) and kept(ProgramCache()) == CONTENT
    assert len(machine()) == 64


def test_doctor_says_how_much_is_kept_and_why_nothing_is(tmp_path, monkeypatch):
    def told() -> doctor.Finding:
        return next(each for each in doctor.findings() if each.check == "programs on disk")

    monkeypatch.setenv("PRIVIS_CACHE", str(tmp_path / "programs"))
    assert told().found.startswith("0 in") and not told().advice
    ProgramCache().store(KEY, [CONTENT])
    assert told().found.startswith(f"1 in {tmp_path / 'programs'}, 0 of at most 4096 MiB")
    (tmp_path / "programs").chmod(0o777)
    assert "others may write" in told().found and "PRIVIS_CACHE" in told().advice
    monkeypatch.setenv("PRIVIS_CACHE", "/dev/null")
    assert "none" in told().found


CALLS = ("mkdir", "open", "fstat", "listdir", "stat", "write", "rename", "close", "unlink", "preadv", "utime")
"""What a cache asks of the system."""


def killed_at(cache: ProgramCache, step: int) -> bool:
    """Store and load in a child that is killed before its call number ``step``; whether it was."""
    child = os.fork()
    if child == 0:
        left = [step]

        def counted(function, *args, **named):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **named)

        for name in CALLS:
            setattr(program_cache.os, name, functools.partial(counted, getattr(os, name)))
        cache.store(KEY, [CONTENT[:5000], CONTENT[5000:]])
        cache.load(KEY)
        os._exit(0)
    return os.waitpid(child, 0)[1] != 0


def test_a_kill_at_every_step_leaves_the_whole_entry_or_none(tmp_path):
    steps = 0
    assert KEY.text  # what reads the code is no step
    for before in (None, b"earlier"):
        for step in range(100):
            cache = ProgramCache(tmp_path / f"{before} {step}" / "programs")
            if before is not None:
                cache.store(KEY, [before])
            if not killed_at(cache, step):
                break
            steps += 1
            assert kept(cache) in (before, CONTENT), step
            assert cache.store(KEY, [b"later"]) and kept(cache) == b"later", step
            assert len(entries(cache)) == 1, f"what a killed process left is removed: {step}"
    assert steps > 30


RACE = """
import sys
from pathlib import Path
from privis.run.program_cache import CacheKey, ProgramCache
cache, own = ProgramCache(Path(sys.argv[1]), 60_000), int(sys.argv[2])
for turn in range(150):
    number = (turn * 7 + own) % 5
    key = CacheKey("race", str(number))
    found = cache.load(key)
    assert found is None or bytes(found) == bytes([number]) * (9_000 + number), number
    cache.store(key, [bytes([number]) * 9_000, bytes([number]) * number])
"""


def test_two_processes_never_read_half_an_entry(tmp_path):
    command = [sys.executable, "-c", RACE, str(tmp_path / "race")]
    children = [subprocess.Popen([*command, str(number)]) for number in (1, 2)]
    assert [child.wait() for child in children] == [0, 0]
    left = list((tmp_path / "race").iterdir())
    assert 0 < sum(path.stat().st_size for path in left) <= 60_000
    assert not [path for path in left if path.name.startswith(".")]


def test_what_is_being_written_is_no_rubbish(cache):
    cache.store(KEY, [CONTENT])
    with cache._opened(create=False) as folder, program_cache._unfinished(folder, "0" * 64) as (_, temporary):
        assert cache.store(OTHER, [CONTENT])
        assert (cache.folder / temporary).exists()
    assert not (cache.folder / temporary).exists()
