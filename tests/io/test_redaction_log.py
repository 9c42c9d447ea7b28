"""`redaction_log`: what was made here, after whatever kill."""

import json

import pytest

from privis.errors import OutputError
from privis.io.redaction_log import digest_of, log_path, redaction_log

SETTINGS = "ab" * 32


def entry(name: str, output: str) -> dict:
    return {"name": name, "input": "1", "output": output, "regions": []}


def test_lines_are_read_again_and_the_last_of_a_name_counts(tmp_path):
    with redaction_log(tmp_path / "out", SETTINGS) as log:
        log.append(entry("a.png", "1"))
        log.append(entry("Müller/照片\udce9.png", "2"))
        log.append(entry("a.png", "3"))
    with redaction_log(tmp_path / "out", SETTINGS) as log:
        assert {name: each["output"] for name, each in log.entries.items()} == {
            "a.png": "3",
            "Müller/照片\udce9.png": "2",
        }
    assert not (tmp_path / "out").exists() and log_path(tmp_path / "out").name == "out.redaction.jsonl"


def test_only_files_of_the_log_count_as_made_here(tmp_path):
    (tmp_path / "a.png").write_bytes(b"painted")
    with redaction_log(tmp_path / "out", SETTINGS) as log:
        assert not log.made("a.png", tmp_path / "a.png")
        log.append(entry("a.png", digest_of(tmp_path / "a.png")))
        assert log.made("a.png", tmp_path / "a.png") and not log.made("a.png", tmp_path / "b.png")
        (tmp_path / "a.png").write_bytes(b"touched")
        assert not log.made("a.png", tmp_path / "a.png")


def test_a_kill_between_a_line_and_its_file_leaves_the_earlier_file_as_our_own(tmp_path):
    (tmp_path / "a.png").write_bytes(b"painted")
    with redaction_log(tmp_path / "out", SETTINGS) as log:
        log.append(entry("a.png", digest_of(tmp_path / "a.png")))
        log.append(entry("a.png", "of a file that never came"))
    with redaction_log(tmp_path / "out", SETTINGS) as log:
        assert log.own("a.png", tmp_path / "a.png") and not log.made("a.png", tmp_path / "a.png")
        (tmp_path / "a.png").write_bytes(b"touched")
        assert not log.own("a.png", tmp_path / "a.png") and not log.own("b.png", tmp_path / "a.png")


@pytest.mark.parametrize("lost", range(1, 60, 7))
def test_a_kill_in_the_middle_of_a_line_costs_that_line(tmp_path, lost):
    with redaction_log(tmp_path / "out", SETTINGS) as log:
        log.append(entry("a.png", "1"))
        log.append(entry("b.png", "2"))
    path = log_path(tmp_path / "out")
    path.write_bytes(path.read_bytes()[:-lost])
    with redaction_log(tmp_path / "out", SETTINGS) as log:
        assert set(log.entries) == {"a.png"}
        log.append(entry("c.png", "3"))
    with redaction_log(tmp_path / "out", SETTINGS) as log:
        assert set(log.entries) == {"a.png", "c.png"}


def test_other_settings_other_files_and_a_second_run_are_refused(tmp_path):
    with redaction_log(tmp_path / "out", SETTINGS):
        with pytest.raises(OutputError, match="another run"), redaction_log(tmp_path / "out", SETTINGS):
            pass
    with pytest.raises(OutputError, match="other options"), redaction_log(tmp_path / "out", "other"):
        pass
    path = log_path(tmp_path / "other")
    for content in (b"notes", b"notes\n", b"[]\n", json.dumps({"format": "privis redaction 2"}).encode() + b"\n"):
        path.write_bytes(content)
        with pytest.raises(OutputError, match="a file of another kind"), redaction_log(tmp_path / "other", SETTINGS):
            pass
        assert path.read_bytes() == content
    path.write_bytes(b'{"format": "priv')  # killed in the first line
    with redaction_log(tmp_path / "other", SETTINGS) as log:
        assert log.entries == {}
