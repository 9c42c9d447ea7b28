"""``privis serve --threshold`` and ``privis query --question``: decisions over HTTP, for both kinds of gallery.

Answers for `privis.cli.server.query_decisions` and `privis.cli.server.offered_galleries`.
"""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from privis.cli.main import app
from privis.cli.server.offered_galleries import MatchingAnswers
from privis.cli.server.query_decisions import GalleryQuestion, require_asked
from privis.errors import ParameterError
from privis.io.tables import write

DECIDES, SCORED = {"answers": "decisions"}, {"dimension": 8}


def test_scores_and_decisions_are_asked_for_by_name():
    assert require_asked(DECIDES, False, None, None) and not require_asked(SCORED, True, None, None)
    assert require_asked(DECIDES, False, GalleryQuestion.CLAIM, "a")
    for words, scores, question, claim, said in (
        (DECIDES, True, None, None, "decisions alone"),
        (SCORED, False, None, None, "every cosine"),
        (SCORED, True, GalleryQuestion.ANY, None, "neither"),
        (DECIDES, False, GalleryQuestion.CLAIM, None, "--claim"),
        (DECIDES, False, None, "a", "--claim"),
    ):
        with pytest.raises(ParameterError, match=said):
            require_asked(words, scores, question, claim)


def test_galleries_decide_or_tell_scores():
    assert not MatchingAnswers().problems(0) and not MatchingAnswers(0.4).problems(1)
    assert not MatchingAnswers(scores=True).problems(2)
    for answers, galleries, said in (
        (MatchingAnswers(), 1, "--scores, which tells"),
        (MatchingAnswers(0.4), 0, "no gallery"),
        (MatchingAnswers(gap=0.1, scores=True), 1, "not decided"),
        (MatchingAnswers(gap=0.1), 1, "no threshold"),
    ):
        assert said in str(answers.problems(galleries)[0])
    made = MatchingAnswers(0.4).encrypted("50x24", None)()
    assert made.terms.name == "encrypted-50x24" and "at cosine 0.4" in made.terms.summary
    assert "0.05" in made.terms.summary
    assert "cosines" in MatchingAnswers(scores=True).encrypted("50x24", "x")().terms.summary


@pytest.mark.long
def test_both_kinds_of_gallery_over_http(tmp_path):
    faces = np.eye(6, 8)
    names = [f"part {number}" for number in range(8)]
    write(tmp_path / "faces.npz", [f"face {number}" for number in range(6)], [faces], names=names, metadata={})
    write(tmp_path / "asked.npz", ["one", "none"], [np.stack([faces[4] + 0.05, -faces[0]])], names=names, metadata={})
    typed("keygen", tmp_path / "a.token", "--for", "token", "--name", "a", "--tokens", tmp_path / "tokens")
    command = [sys.executable, "-m", "privis", "serve", "--gallery", "faces.npz", "--encrypted-gallery", "20x8"]
    command += ["--threshold", "0.5", "--gap", "0.3", "--answers", "unlimited"]
    command += ["--tokens", "tokens", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if line.startswith("http"):
                break
        try:
            assert any("decisions at cosine 0.5" in line for line in said), said
            address = ["--server", said[-1].split(": ")[0], "--token-file", tmp_path / "a.token"]
            _questions(tmp_path, address, "faces", [], "4")
            _questions(tmp_path, address, "encrypted-20x8", ["--gallery", tmp_path / "faces.npz"], "face 4")
        finally:
            process.terminate()


def _questions(folder: Path, address: list[object], offer: str, more: list[object], claim: str) -> None:
    keys, output = folder / offer, folder / f"{offer}.csv"
    made = typed("keygen", keys, *address, "--offer", offer, "--for", "homomorphic", *more)
    assert made.exit_code == 0, made.stderr
    for words, expected in (
        ([], [["one", "accepted", "face 4", ""], ["none", "rejected", "", ""]]),
        (["--question", "count"], [["one", "accepted", "", "1"], ["none", "rejected", "", "0"]]),
        (["--question", "any"], [["one", "accepted", "", ""], ["none", "rejected", "", ""]]),
        (["--question", "claim", "--claim", claim], [["one", "accepted", claim, ""], ["none", "rejected", claim, ""]]),
    ):
        done = typed("query", folder / "asked.npz", *address, "--keys", keys, *words, "-o", output)
        assert done.exit_code == 0, done.stderr
        with open(output, encoding="utf-8", newline="") as file:
            head, *rows = csv.reader(file)
        assert head == ["query", "decision", "template", "count"] and rows == expected
    refused = typed("query", folder / "asked.npz", *address, "--keys", keys, "--scores", "-o", output)
    assert refused.exit_code == 2 and "decisions alone" in " ".join(refused.stderr.split())


def typed(*words: object):
    return CliRunner().invoke(app, [*map(str, words)])
