"""Statistics, matching and training as job files name them, on real party processes; releases charge real ledgers."""

import json

import numpy as np
import pytest

from privis import Budget, FileLedger, Per, ReleaseKey
from privis.io import tables
from privis.joint.runners import InTheClear
from privis.joint.statistics.sums import Committee
from privis.joint.training.network_programs import Network
from privis.joint.training.schedule import Training
from privis.joint.training.simulate import Labelled, fit, score
from privis.parties.job.specification import Specification, Use
from privis.privacy.answers.answer_ledger import AnswerLedger
from tests.parties.processes.party_group import MEMBERS, PARTIES, Group, Variant

pytest.importorskip("spu")

OWNERS = ("hospital", "clinic")
RULES = """
[[policy]]
submitters = ["boss"]
tasks = ["statistics", "match", "train"]
features = ["none"]
inputs = ["rows", "table", "model"]
receivers = ["hospital", "clinic", "lab", "analyst", "patient"]
scores = true
"""
LENT = """
[answers]
scores = 90
decisions = 30
ledger = "answers.ledger"
[inputs.rows]
arrays = "rows.npz"
ledger = "rows.ledger"
[inputs.table]
table = "table.parquet"
[inputs.model]
arrays = "model.npz"
ledger = "model.ledger"
"""
STRICT = RULES + "epsilon = 2.0\n"
BOTH = {"here": Use("hospital", "rows"), "there": Use("clinic", "rows")}


def made(seed, count):
    """Rows of two classes: where the first component is positive, and where not."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, count)
    values = np.column_stack([labels - 0.5, random.uniform(-0.5, 0.5, (count, 3))]) + random.normal(0, 0.05, (count, 4))
    return np.clip(values, -1, 1).astype(np.float32), labels


DATA = {"hospital": made(1, 60), "clinic": made(2, 40), "patient": made(3, 30)}


@pytest.fixture(scope="module")
def whole_group(tmp_path_factory):
    group = Group(tmp_path_factory.mktemp("group"))
    variants = {}
    for name in MEMBERS:
        folder, lent = group.folder / name, ""
        ReleaseKey.generate().save(folder / "release.key")
        if name in DATA:
            values, labels = DATA[name]
            for file in ("rows", "model"):
                np.savez(folder / f"{file}.npz", features=values, label=labels)
            paths = [f"{name} person {i}" for i in range(len(values))]
            columns = [*"wxyz", "label"]
            table = np.column_stack([values, labels]).astype(np.float32)
            tables.write(folder / "table.parquet", paths, [table], names=columns, metadata={})
            for ledger in ("rows", "model"):
                FileLedger.create(folder / f"{ledger}.ledger", Budget(1.2, 2e-6, Per.CORPUS))
            lent = LENT
        variants[name] = Variant(policy=lent + RULES)
    group.variants_here = variants
    group.ensure(**variants)
    yield group
    for name in list(group.processes):
        group.stop(name)


@pytest.fixture()
def group(whole_group):
    whole_group.ensure(*MEMBERS, **whole_group.variants_here)
    yield whole_group
    whole_group.clear()


def results(group, file):
    """What each member received: the arrays of ``file``, by member, and the receipt."""
    found, receipts = {}, {}
    for folder in group.received():
        with np.load(folder / f"{file}.npz") as members:
            found[folder.parents[1].name] = dict(members)
        receipts[folder.parents[1].name] = json.loads((folder / "receipt.json").read_text())
    return found, receipts


def job(task, options, receivers, inputs=BOTH, **rest):
    return Specification(task, task, PARTIES, inputs, receivers, options, **rest)


def test_a_covariance_over_owners_is_that_of_all_rows_together(group):
    asked = job("statistics", {"statistic": "covariance", "bound": 1.0}, {"result": ("analyst", "lab")})
    group.submission(asked).success()
    found, receipts = results(group, "result")
    together = np.concatenate([DATA[name][0] for name in OWNERS])
    assert set(found) == {"analyst", "lab"}
    for arrays in found.values():
        assert arrays["images"] == 100
        np.testing.assert_allclose(arrays["mean"], together.mean(0), atol=1e-5)
        np.testing.assert_allclose(arrays["covariance"], np.cov(together.T, bias=True), atol=1e-5)
    assert receipts["lab"]["protection"] is None and "exact" in receipts["lab"]["threat_model"]


RELEASE = {"corpus": "rows 2026", "epsilon": 1.0, "delta": 1e-6, "clip": 1.5}


def test_a_release_is_charged_once_and_refused_when_the_budget_is_spent(group):
    asked = job("statistics", {"statistic": "mean"}, {"result": ("analyst",)}, release=RELEASE)
    group.submission(asked).success()
    found, receipts = results(group, "result")
    noisy, clear = found["analyst"]["mean"], np.concatenate([DATA[name][0] for name in OWNERS]).mean(0)
    assert 0 < np.abs(noisy - clear).max() < 1.0 and receipts["analyst"]["epsilon"] == 1.0
    assert "at most 2 compute parties pool their noise" in receipts["analyst"]["threat_model"]
    ledgers = [FileLedger(group.folder / name / "rows.ledger") for name in OWNERS]
    assert [ledger.spent().charges for ledger in ledgers] == [1, 1]

    group.clear()
    group.submission(asked).success()  # the same release of the same rows: the same noise, and free
    np.testing.assert_array_equal(results(group, "result")[0]["analyst"]["mean"], noisy)
    assert [ledger.spent().charges for ledger in ledgers] == [1, 1]

    group.clear()
    another = job("statistics", {"statistic": "mean"}, {"result": ("analyst",)}, release={**RELEASE, "clip": 1.25})
    said = group.submission(another).failure()
    assert "does not pay for this release" in said and ("ledger of hospital" in said or "ledger of clinic" in said)
    assert "spent epsilon" not in said, "how much an owner has left is its own affair"
    for name in (*PARTIES, "analyst"):
        assert "does not pay for this release" in group.failures(name) or "spent epsilon 1" in group.failures(name)
    assert "spent epsilon 1" in group.failures("hospital") + group.failures("clinic")
    assert group.received() == [] and [ledger.spent().charges for ledger in ledgers] == [1, 1]


def test_an_owner_may_demand_noise_and_a_release_needs_a_ledger(group):
    group.ensure(*MEMBERS, **{**group.variants_here, "lab": Variant(policy=STRICT)})
    exact = job("statistics", {"statistic": "mean", "bound": 1.0}, {"result": ("analyst",)})
    assert "policy of lab: release: got exact results" in group.submission(exact).failure()
    unpaid = job(
        "statistics",
        {"statistic": "mean"},
        {"result": ("analyst",)},
        {"here": Use("hospital", "table")},
        release={**RELEASE, "epsilon": 3.0},
    )
    said = group.submission(unpaid).failure()
    assert "ledger of table at hospital: got none" in said and "epsilon 3, expected what its policy allows" in said
    assert group.received() == []


def test_matching_names_templates_to_their_owners_alone(group):
    inputs = {"queries": Use("patient", "rows"), **BOTH}
    asked = job("match", {"answer": "top:2", "score": True}, {"matches": ("owner", "clinic")}, inputs)
    group.submission(asked).success()
    found, receipts = results(group, "matches")
    unit = {name: rows / np.linalg.norm(rows, axis=1)[:, None] for name, (rows, _) in DATA.items()}
    cosines = unit["patient"] @ np.concatenate([unit["hospital"], unit["clinic"]]).T
    best = np.argsort(-cosines, axis=1)[:, :2]
    assert set(found) == {"patient", "clinic"}
    names = [f"hospital/{i}" for i in range(60)] + [f"clinic/{i}" for i in range(40)]
    assert found["patient"]["templates"].tolist() == [[names[i] for i in row] for row in best.tolist()]
    np.testing.assert_allclose(found["patient"]["cosines"], np.take_along_axis(cosines, best, 1), atol=1e-3)
    assert found["patient"]["queries"][7] == "7" and found["clinic"]["queries"][7] == "patient/7"
    own = [str(i - 60) if i >= 60 else f"hospital/{i}" for i in best.ravel()]
    assert found["clinic"]["templates"].ravel().tolist() == own
    limits = "One client gets at most 90 scores about a template in total."
    assert receipts["patient"]["answers"] == receipts["clinic"]["answers"] == {name: limits for name in OWNERS}
    counted = {
        name: {place: account.ever.scores for place, account in AnswerLedger(path).accounts().items()}
        for name in OWNERS
        if (path := group.folder / name / "answers.ledger")
    }
    assert counted == {
        "hospital": {("patient", "rows"): 60, ("clinic", "rows"): 60},
        "clinic": {("patient", "rows"): 60},
    }

    group.clear()
    said = group.submission(asked).failure()  # sixty more are too many
    assert "more answers than its limits allow" in said and "30 of them left" not in said, "what is left is withheld"
    assert "privis answers lift" in group.failures("hospital") + group.failures("clinic")
    assert group.received() == []


def test_claims_are_decided_on_picked_rows_and_receipts_say_what_is_revealed(group):
    inputs = {"queries": Use("patient", "rows"), **BOTH}
    claims = [f"{('here', 'there')[i % 2]}/{(7 * i) % 40}" for i in range(30)]
    asked = job("match", {"answer": "claim", "threshold": 0.4, "claims": claims}, {"matches": ("owner",)}, inputs)
    group.submission(asked).success()
    found, receipts = results(group, "matches")
    unit = {name: rows / np.linalg.norm(rows, axis=1)[:, None] for name, (rows, _) in DATA.items()}
    claimed = [unit[("hospital", "clinic")[i % 2]][(7 * i) % 40] for i in range(30)]
    cosines = (unit["patient"] * claimed).sum(1)
    assert set(found) == {"patient"} and (np.abs(cosines - 0.4) > 1e-3).all()
    assert found["patient"]["found"].tolist() == (cosines >= 0.4).tolist() and 0 < (cosines >= 0.4).sum() < 30
    assert "one bit; nobody learns anything else" in receipts["patient"]["revealed"]
    accounts = AnswerLedger(group.folder / "clinic" / "answers.ledger").accounts()
    assert accounts["patient", "rows"].ever.decisions == 1, "thirty claims, and no template twice"


TRAIN = {"classes": 2, "label": "label", "rates": [2.0, 2.0], "batch": 100}


def test_training_reveals_loss_and_accuracy_of_a_third_owners_rows(group):
    inputs = {"one": Use("hospital", "table"), "two": Use("clinic", "rows"), "score": Use("patient", "rows")}
    asked = job("train", {**TRAIN, "bound": 1.0}, {"score": ("owner", "analyst")}, inputs)
    group.submission(asked).success()
    found, _ = results(group, "score")
    network = Network((4, 2), (-1.0, 1.0), None)
    owners = tuple((name, len(DATA[name][1])) for name in OWNERS)
    rates = tuple((rate,) for rate in TRAIN["rates"])
    training = Training(network, owners, Committee(PARTIES), 100, rates, seed=1)
    run, data = InTheClear(), {name: Labelled(*rows) for name, rows in DATA.items()}
    fit(training, run, data)  # a batch is all rows, so that the owners' secret order does not matter
    clear = score(training, run, "patient", data["patient"])
    assert set(found) == {"patient", "analyst"}
    for arrays in found.values():
        assert set(arrays) == {"loss", "accuracy"} and arrays["accuracy"] == clear.accuracy > 0.9
        np.testing.assert_allclose(arrays["loss"], clear.loss, atol=2e-3)


def test_a_model_is_released_with_noise_in_every_step(group):
    release = {"corpus": "rows 2026", "epsilon": 1.0, "delta": 1e-6}
    inputs = {name: Use(use.owner, "model") for name, use in BOTH.items()}
    asked = job("train", TRAIN, {"model": ("lab",)}, inputs, release=release)
    group.submission(asked).success()
    found, receipts = results(group, "model")
    assert set(found) == {"lab"} and found["lab"]["matrix"].shape == (5, 2) and receipts["lab"]["epsilon"] == 1.0
    assert np.isfinite(found["lab"]["matrix"]).all() and np.abs(found["lab"]["matrix"]).max() <= 32
    assert [FileLedger(group.folder / name / "model.ledger").spent().charges for name in OWNERS] == [1, 1]
