"""``privis mpc`` and ``privis party`` as a user types them.

Answers for `privis.cli.joint.mpc` and `privis.cli.joint.party`.
"""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from privis import LBP, extract
from privis.cli.main import app
from privis.features.lbp import Patterns
from privis.io.tables import read
from privis.parties.configuration import load_party, load_submitter
from privis.parties.job.specification import load_specification
from privis.parties.job.views import views_of

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "mpc"


def privis(*words):
    command = [sys.executable, "-m", "privis", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    from skimage import data

    where = tmp_path_factory.mktemp("pictures")
    for owner, names in {"hospital": ("astronaut", "coffee"), "clinic": ("rocket",)}.items():
        (where / owner).mkdir()
        for name in names:
            Image.fromarray(getattr(data, name)()[100:132, 200:232]).save(where / owner / f"{name}.png")
    return where


def test_a_local_job_gives_everyone_their_own_and_nothing_more(pictures, tmp_path):
    pytest.importorskip("spu")
    lend = [f"hospital.photos={pictures / 'hospital'}", f"clinic.photos={pictures / 'clinic'}"]
    words = ["--lend", lend[0], "--lend", lend[1], "-o", tmp_path / "out"]
    done = privis("mpc", "local", EXAMPLES / "job.toml", *words)
    assert done.returncode == 0, done.stderr
    tables = {path.parents[1].name: read(path) for path in tmp_path.glob("out/*/*/features.parquet")}
    assert {member: len(table.paths) for member, table in tables.items()} == {"hospital": 2, "clinic": 1, "analyst": 3}
    assert "lab received nothing" in done.stdout and "analyst received" in done.stdout
    for owner in ("hospital", "clinic"):
        paths = sorted((pictures / owner).glob("*.png"))
        assert tables[owner].paths == tuple(map(str, paths))
        clear = extract(LBP(patterns=Patterns.UNIFORM), paths)
        np.testing.assert_array_equal(tables[owner].features, clear.features)
        assert tables[owner].names == clear.names
    analyst = tables["analyst"]
    assert analyst.paths == ("hospital/0", "hospital/1", "clinic/0"), "an owner's file names are its own affair"
    np.testing.assert_array_equal(analyst.features[:2], tables["hospital"].features)
    receipt = json.loads(analyst.metadata["privis.receipt"])
    assert receipt["member"] == "analyst" and receipt["epsilon"] is None and str(pictures) not in json.dumps(receipt)
    hidden = [path for path in (tmp_path / "out").rglob(".*")]
    assert hidden == []


def test_what_a_job_would_show_to_whom():
    done = privis("mpc", "show", EXAMPLES / "job.toml")
    assert done.returncode == 0, done.stderr
    assert "analyst receives features of hospital, clinic." in done.stdout
    assert "lab computes as rank 2 on shares that say nothing by themselves; receives nothing." in done.stdout
    assert views_of(load_specification(EXAMPLES / "job.toml"))[0] in " ".join(done.stdout.split("\n"))


def test_sample_data_tell_digest_and_cost(pictures):
    pytest.importorskip("spu")
    lend = [f"--lend={owner}.photos={pictures / owner}" for owner in ("hospital", "clinic")]
    done = privis("mpc", "show", EXAMPLES / "job.toml", *lend)
    assert done.returncode == 0, done.stderr
    assert "12 steps, 3 of them runs of 1 programs" in done.stdout and "messages per party" in done.stdout
    digest = re.search(r"Digest of the job: ([0-9a-f]{64})$", done.stdout, re.MULTILINE)
    assert digest is not None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("statistics", ["epsilon 1 and delta 1e-06", "analyst receives result of hospital, clinic."]),
        ("match", ["analyst lends faces, which nobody else sees; receives matches of analyst."]),
        ("train", ["lab computes as rank 2", "receives score of"]),
    ],
)
def test_every_sample_job_says_what_it_shows(name, said):
    from privis.cli.joint.job_checks import protection_of

    specification = load_specification(EXAMPLES / f"{name}.toml")
    lines = " ".join(views_of(specification, protection_of(specification)))
    assert all(part in lines for part in said), lines


def test_keys_and_configurations_that_load_as_they_are(tmp_path):
    group = tmp_path / "group"
    parties = [f"--party={name}={name}.example.org:9440" for name in ("hospital", "clinic", "lab")]
    done = privis("mpc", "keygen", group, *parties, "--outsider=analyst=analyst.example.org:9440", "--submitter=boss")
    assert done.returncode == 0, done.stderr
    assert "delete it, or keep it offline" in done.stdout.replace("\n", " ")
    hospital = load_party(group / "hospital" / "party.toml")
    assert hospital.data == "hospital.example.org:9441" and set(hospital.peers) == {"clinic", "lab", "analyst"}
    assert hospital.policy.rules == (), "nothing is agreed to unless its operator writes it down"
    assert load_party(group / "analyst" / "party.toml").data is None
    assert set(load_submitter(group / "boss" / "submitter.toml").members) == {"hospital", "clinic", "lab", "analyst"}
    again = privis("mpc", "keygen", group, *parties)
    assert again.returncode != 0 and "never overwritten" in again.stderr
    wrong = privis("mpc", "keygen", tmp_path / "new", "--party=a", "--party=b=x", "--party=c=c:1")
    assert wrong.returncode == 2 and wrong.stderr.count("NAME=HOST:PORT") == 2


def test_the_sample_files_mean_what_they_say(tmp_path):
    """Every line of the samples, the commented ones too, is read by the loaders."""
    group = tmp_path / "group"
    privis("mpc", "keygen", group, "--party=hospital=hospital.example.org:9440", "--submitter=boss")
    text = (EXAMPLES / "party.toml").read_text()
    words = ("listen", "parties", "epsilon", "delta", "colluding", "options", "release_key", "ledger")
    for key in (*words, "subject", "disjoint", "labels", "parameters", "release", "networks"):
        text = text.replace(f"# {key} =", f"{key} =")
    for name in ("release.key", "photos.ledger"):
        (group / "hospital" / name).touch()
    (group / "hospital" / "party.toml").write_text(text)
    (group / "hospital" / "photos").mkdir()
    (rule,) = load_party(group / "hospital" / "party.toml").policy.rules
    assert (rule.epsilon, rule.delta, rule.colluding) == (1.0, 1e-5, 2)
    assert rule.parameters == {"grid": ("4x4",)} and rule.release["unit"] == ("person:5",)
    assert rule.networks == ("faces",)
    assert rule.options == {"batch": (1, 4)} and rule.parties == ("hospital", "clinic", "lab")
    (group / "boss" / "submitter.toml").write_text((EXAMPLES / "submitter.toml").read_text())
    assert "lab" in load_submitter(group / "boss" / "submitter.toml").members
    assert load_specification(EXAMPLES / "job.toml").members == ("hospital", "clinic", "lab", "analyst")


def test_mistakes_are_sentences_not_tracebacks(pictures, tmp_path):
    job = tmp_path / "job.toml"
    job.write_text('name = "x"\ntask = "extract"\nparties = ["a"]\n')
    done = privis("mpc", "run", job, "--as", tmp_path / "nobody.toml")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "inputs: got none" in done.stderr and "receivers: got nobody" in done.stderr
    done = privis("mpc", "local", EXAMPLES / "job.toml", "--lend", f"lab.photos={pictures}")
    assert done.returncode == 2 and done.stderr.count("got nothing for") == 2 and "one of clinic.photos" in done.stderr
    done = privis("party", "--config", tmp_path / "none.toml")
    assert done.returncode == 2 and "no such file" in done.stderr


def test_a_party_checks_its_configuration_starts_and_stops(tmp_path):
    pytest.importorskip("grpc")
    privis("mpc", "keygen", tmp_path, "--party=a=127.0.0.1:0", "--submitter=boss")
    config = tmp_path / "a" / "party.toml"
    done = privis("party", "--config", config, "--check")
    assert done.returncode == 0 and "a is configured" in done.stderr
    process = subprocess.Popen([sys.executable, "-m", "privis", "party", "-c", str(config)], stderr=subprocess.PIPE)
    assert process.stderr is not None
    assert b"a listens on" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert b"is stopping" in process.stderr.read()
    process.stderr.close()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('feature = "lbp"', 'feature = "hogg"', "got 'hogg', expected one of colour"),
        ('"patterns=uniform"', '"patterns=unifrom"', "patterns=unifrom"),
        ('"patterns=uniform"', '"grid=2x2", "grid=3x3"', "got grid more than once"),
        ('"hospital", "clinic", "lab"', '"hospital", "clinic"', "3, which aby3 computes with"),
        ('task = "extract"', 'task = "extrakt"', "'extrakt', expected one of"),
        ('name = "joint-lbp"', 'name = "joint-lbp"\npreset = "cheetah"', "2, which cheetah computes with"),
    ],
)
@pytest.mark.parametrize("command", ["show", "local", "run"])
def test_a_job_is_judged_before_anything_starts(pictures, tmp_path, command, old, new, said):
    text = (EXAMPLES / "job.toml").read_text()
    assert text.count(old) == 1
    (tmp_path / "job.toml").write_text(text.replace(old, new))
    words = {
        "show": [],
        "local": [f"--lend={owner}.photos={pictures / owner}" for owner in ("hospital", "clinic")],
        "run": ["--as", submitter(tmp_path)],
    }[command]
    done = typed(
        "mpc", command, tmp_path / "job.toml", *words, *(["-o", tmp_path / "out"] if command == "local" else [])
    )
    assert done.exit_code == 2 and said in " ".join(done.stderr.split()), done.output
    assert not (tmp_path / "out").exists()


def submitter(folder):
    typed("mpc", "keygen", folder / "group", "--party=a=127.0.0.1:1", "--submitter=boss")
    return folder / "group" / "boss" / "submitter.toml"


def test_a_trial_says_what_is_wrong_with_whose_data(pictures, tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "scan.png").write_bytes(b"no picture")
    lend = [f"--lend=hospital.photos={pictures / 'hospital'}", f"--lend=clinic.photos={tmp_path / 'broken'}"]
    done = typed("mpc", "local", EXAMPLES / "job.toml", *lend, "-o", tmp_path / "out")
    said = " ".join(done.stderr.split())
    assert done.exit_code == 3 and "input right, photos of clinic" in said and "scan.png" in said
    assert "input left" not in said and not (tmp_path / "out").exists()


def test_a_trial_that_fails_later_shows_the_logs_of_its_members(pictures, tmp_path, monkeypatch):
    """Every member is a process; what they log of a failure is read before the folder goes."""
    pytest.importorskip("spu")
    from privis.errors import PartyError, Problem
    from privis.parties.node import submitter as node

    def failing(specification, configuration, *, wait, on_event):
        raise PartyError(Problem("job", "a failure", "none", "the log of clinic says what it is"))

    monkeypatch.setattr(node, "submit", failing)
    monkeypatch.setattr("privis.parties.node.local.LocalGroup.logs", lambda group: {"clinic": ["clinic: the reason"]})
    lend = [f"--lend={owner}.photos={pictures / owner}" for owner in ("hospital", "clinic")]
    done = typed("mpc", "local", EXAMPLES / "job.toml", *lend, "-o", tmp_path / "out")
    assert done.exit_code == 6 and "log of clinic: clinic: the reason" in done.stderr


def test_one_name_is_one_member(tmp_path):
    words = ["--party=a=a.example.org:1", "--party=b=b.example.org:1", "--submitter=a"]
    done = typed("mpc", "keygen", tmp_path / "group", *words)
    assert done.exit_code == 2 and "member a: got 2 times, expected once" in done.stderr


def test_what_is_lent_twice_is_refused(pictures, tmp_path):
    lend = [f"--lend={owner}.photos={pictures / 'hospital'}" for owner in ("hospital", "hospital", "clinic")]
    done = typed("mpc", "show", EXAMPLES / "job.toml", *lend)
    assert done.exit_code == 2 and "hospital.photos again, expected every input once" in done.stderr


def typed(*words):
    return CliRunner().invoke(app, [*map(str, words)])
