"""Joint training: the textbook's steps, on shares as in the clear, within proven bounds, and nothing revealed."""

import math
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("spu")

from benchmarks import mpc_training
from privis.errors import BudgetError, DomainError, ParameterError, UnsupportedError
from privis.joint.runners import InTheClear
from privis.joint.statistics.sums import Committee
from privis.joint.training import network_programs
from privis.joint.training.network_programs import Network
from privis.joint.training.private_schedule import STEP, PrivateTraining, private_network
from privis.joint.training.private_simulate import PrivateOwner, bounded, train_privately
from privis.joint.training.schedule import Training
from privis.joint.training.simulate import Labelled, batches, fit, label, one_hot, pixels, score
from privis.privacy.ledger.budget import Budget, Per
from privis.privacy.ledger.file import FileLedger
from privis.privacy.mechanisms.additive import Gaussian
from privis.privacy.sampling.release_key import ReleaseKey
from privis.privacy.units import Person
from privis.readings import evaluate, ranges
from privis.run.mpc.fixed_point import FixedPoint
from privis.run.mpc.job import Reveal
from privis.run.mpc.lowering.precision import representation_problems
from privis.run.mpc.protocols import ABY3
from privis.run.mpc.runtime.local_parties import LocalParties

COMMITTEE = Committee(("alice", "bob", "carol"))
SMALL = Network((16, 8, 3))


def images_of(classes, seed=0):
    """4 x 4 images whose brightest row tells the class."""
    random = np.random.default_rng(seed)
    shown = np.where(np.arange(4)[None, :, None] == np.asarray(classes)[:, None, None], 190, 60)
    return Labelled.of_bytes((shown + random.integers(0, 60, (len(classes), 4, 4))).astype(np.uint8), np.array(classes))


def random_classes(rows, seed=0, among=3):
    return np.random.default_rng(seed).integers(0, among, rows)


BOB, CAROL = images_of(random_classes(150, 1), 1), images_of(random_classes(150, 2), 2)
ALICE = images_of(random_classes(60, 3), 3)
TRAINING = Training(SMALL, (("bob", 150), ("carol", 150)), COMMITTEE, batch=60, rates=((0.5,), (0.5,)), steps_per_job=3)
DATA = {"bob": BOB, "carol": CAROL}


@pytest.fixture(scope="module")
def parties():
    with LocalParties(ABY3, FixedPoint()) as started:
        yield started


@pytest.fixture(scope="module")
def clear():
    run = InTheClear()
    fit(TRAINING, run, DATA, seed=7)
    return run


def test_steps_are_those_of_torch():
    torch = pytest.importorskip("torch")
    training = Training(Network((16, 8, 3)), (("bob", 40),), batch=40, rates=((0.25,),), momentum=0.5)
    layers = training.network.start(3)
    linear = [torch.nn.Linear(16, 8), torch.nn.Linear(8, 3)]
    for module, layer in zip(linear, layers, strict=True):
        module.weight.data, module.bias.data = torch.tensor(layer[:-1].T), torch.tensor(layer[-1])
    model = torch.nn.Sequential(linear[0], torch.nn.ReLU(), linear[1])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.25, momentum=0.5)
    state = [*layers, *(np.zeros_like(layer) for layer in layers)]
    images, labels = BOB.images[:40], one_hot(BOB.classes[:40], 3)
    for _ in range(5):
        state = evaluate(training.programs["step at 0.25"], *state, images, labels)
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(torch.tensor(images)), torch.tensor(BOB.classes[:40]))
        loss.backward()
        optimizer.step()
    for module, layer in zip(linear, state, strict=False):
        np.testing.assert_allclose(layer[:-1].T, module.weight.detach(), atol=2e-6)
        np.testing.assert_allclose(layer[-1], module.bias.detach(), atol=2e-6)
    logits = model(torch.tensor(ALICE.images))
    expected = torch.nn.functional.cross_entropy(logits, torch.tensor(ALICE.classes), reduction="sum").item()
    total, right = evaluate(
        network_programs.score_program(SMALL, 60), *state[:2], ALICE.images, one_hot(ALICE.classes, 3)
    )
    assert total == pytest.approx(expected, rel=1e-5)
    assert right == (logits.argmax(1).numpy() == ALICE.classes).sum()


def test_cross_entropy_is_right_for_ten_classes_and_far_logits():
    network = Network((10, 10), inputs=(-40.0, 40.0), step=None)
    layer = np.vstack([np.eye(10), np.zeros(10)]).astype(np.float32)
    logits = np.random.default_rng(0).normal(0, 12, (200, 10)).clip(-40, 40)
    classes = random_classes(200, among=10)
    total, right = evaluate(network_programs.score_program(network, 200), layer, logits, one_hot(classes, 10))
    expected = np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1)) + logits.max(1)
    assert total == pytest.approx((expected - logits[np.arange(200), classes]).sum(), abs=200 * 3e-5)
    assert right == (logits.argmax(1) == classes).sum()


def test_training_on_shares_is_training_in_the_clear(parties, clear):
    fit(TRAINING, parties.run, DATA, seed=7)
    expected = score(TRAINING, clear, "alice", ALICE)
    got = score(TRAINING, parties.run, "alice", ALICE, receivers=("alice", "carol"))
    assert expected.accuracy > 0.9
    assert got.loss == pytest.approx(expected.loss, abs=2e-3)
    assert abs(got.accuracy - expected.accuracy) <= 1 / 60
    labels = label(TRAINING, parties.run, "alice", ALICE.images)
    assert (labels == label(TRAINING, clear, "alice", ALICE.images)).mean() >= 59 / 60
    assert (labels == ALICE.classes).mean() == pytest.approx(got.accuracy)


def test_an_interrupted_training_goes_on_where_it_stopped(clear):
    class Stop(Exception):
        pass

    def stop(progress):
        if progress.jobs_done == 2:
            assert progress.jobs == len(TRAINING.jobs) == 4 and progress.seconds_left > 0
            raise Stop

    run = InTheClear()
    with pytest.raises(Stop):
        fit(TRAINING, run, DATA, seed=7, progress=stop)
    fit(TRAINING, run, DATA, seed=7, first=2)
    for name in TRAINING.layers:
        np.testing.assert_array_equal(run.variables[name], clear.variables[name])
    assert set(run.variables) == set(TRAINING.layers)  # no batch, no velocity is left behind


def test_classes_that_only_one_owner_has_are_learned():
    bob, carol = images_of(random_classes(200, 4, among=2), 4), images_of(np.full(100, 2), 5)
    training = Training(SMALL, (("bob", 200), ("carol", 100)), batch=60, rates=((0.5,), (0.5,), (0.5,)))
    assert training.rows == (40, 20)
    run = InTheClear()
    fit(training, run, {"bob": bob, "carol": carol}, seed=0)
    assert score(training, run, "alice", ALICE).accuracy > 0.95


def test_only_the_score_and_the_owners_labels_are_revealed():
    revealed = [each for job in TRAINING.jobs for each in job.instructions if isinstance(each, Reveal)]
    assert revealed == []
    for job, expected in (
        (TRAINING.score_job("alice", 60, ("bob",)), [Reveal("score", ("bob",))]),
        (TRAINING.label_job("alice", 60), [Reveal("labels 0", ("alice",))]),
    ):
        assert [each for each in job.instructions if isinstance(each, Reveal)] == expected
        assert set(job.left) == set(TRAINING.layers)


def test_the_briefs_network_on_sixty_thousand_images_is_proved_to_fit_64_bits():
    training = Training(Network((784, 128, 10)), (("bob", 30_000), ("carol", 30_000)), COMMITTEE)
    assert training.fixed_point == FixedPoint(64, 18)
    moving = training.network.moving(0.7, 0.75, training.steps)[0][0]
    assert 785 * moving.high < FixedPoint(64, 18).largest(2)


def test_bounds_hold_for_the_worst_images():
    bound = {name: known.high for name, known in TRAINING.jobs[0].left.items()}
    white = Labelled(np.full((150, 16), 255 / 256, np.float32), np.zeros(150, int))
    other = Labelled(white.images, np.full(150, 2))
    run = InTheClear()
    corners = [np.where(np.indices(shape).sum(0) % 2, 2.0, -2.0) for shape in SMALL.shapes]
    arrays = dict(zip(TRAINING.layers, corners, strict=True))
    for place, data in enumerate((white, other)):
        arrays |= batches(TRAINING, place, data, np.random.default_rng(0), range(3))
    run(TRAINING.jobs[0], arrays)
    assert all(np.abs(run.variables[name]).max() <= high for name, high in bound.items())
    assert np.abs(run.variables["velocity 0"]).max() > 0  # it did move


def test_a_rate_for_which_values_could_wrap_is_refused():
    network, owners = Network((784, 128, 10)), (("bob", 40),)
    fast = Training(network, owners, batch=4, rates=((1e6,),))
    narrow = representation_problems(fast.programs["step at 1e+06"], FixedPoint())
    assert any("MatMul" in problem.where for problem in narrow)
    assert fast.fixed_point != FixedPoint()  # a wider ring, never a silent wrap
    with pytest.raises(DomainError):
        _ = Training(network, owners, batch=4, rates=((1e30,),)).fixed_point


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"owners": ()}, "owners"),
        ({"owners": (("bob", 10), ("bob", 10))}, "owners"),
        ({"batch": 1000}, "batch"),
        ({"rates": ((0.5,), ())}, "rates"),
        ({"momentum": 1.0}, "momentum"),
        ({"steps_per_job": 0}, "steps_per_job"),
    ],
)
def test_bad_parameters_are_named(changed, where):
    with pytest.raises(ParameterError, match=f"Training.{where}"):
        Training(**{"network": SMALL, "owners": (("bob", 150), ("carol", 150)), "batch": 60, **changed})


def test_bad_data_are_refused_before_anything_is_shared():
    run = InTheClear()
    with pytest.raises(ParameterError, match="data of carol"):
        fit(TRAINING, run, {"bob": BOB, "carol": ALICE})
    with pytest.raises(ParameterError, match="classes"):
        fit(TRAINING, run, {"bob": BOB, "carol": Labelled(CAROL.images, CAROL.classes + 1)})
    with pytest.raises(ParameterError, match="uint8"):
        pixels(CAROL.images)
    with pytest.raises(DomainError, match="bob's images 0"):
        fit(TRAINING, run, {"bob": Labelled(BOB.images * 256, BOB.classes), "carol": CAROL})


# Differential privacy


def private_plan(**changed):
    owners = (("bob", 150), ("carol", 150))
    values = {"batch": 100, "epochs": 2, "rate": 2.0, "committee": COMMITTEE, **changed}
    return PrivateTraining(private_network(16, 3), owners, Gaussian(4.0, 1e-6), "rows", ("alice",), **values)


KEYS = {name: ReleaseKey(bytes([index]) * 32) for index, name in enumerate(COMMITTEE.members)}  # test keys


def private_owners(folder, epsilon=10.0):
    made = {}
    for index, (name, data) in enumerate(DATA.items()):
        ledger = FileLedger.create(folder / name, Budget(epsilon, 1e-5, per=Per.CORPUS))
        made[name] = PrivateOwner(data, ReleaseKey(bytes([9 + index]) * 32), ledger)
    return made


def test_a_network_is_refused_with_the_reason():
    with pytest.raises(UnsupportedError, match="each example's gradient of all layers"):
        PrivateTraining(Network((16, 8, 3)), (("bob", 150),), Gaussian(1.0, 1e-6), "rows", ("alice",))


def test_an_owners_vectors_are_bounded_on_the_grid():
    random = np.random.default_rng(0)
    rows = np.vstack([random.normal(0, 10.0**e, (20, 50)) for e in (-3, 0, 3, 200)] + [np.full((1, 50), np.nan)])
    found = bounded(rows)
    assert ((found.astype(np.int64) ** 2).sum(1) + 1024**2 <= 4096**2).all()
    assert (found == np.trunc(found)).all() and not found[-1].any()
    assert (np.linalg.norm(found[40:80], axis=1) > 3900).all()


def gradient(plan, layer, vectors, labels, noises=(0.0, 0.0, 0.0)):
    """The summed gradient as the step computes it, plus each party's constant noise: integers."""
    given = [array for rows in np.split(np.arange(len(vectors)), 2) for array in (vectors[rows], labels[rows])]
    zeros = np.zeros(plan.network.shapes[0])
    noise = [zeros + constant for constant in noises]
    moved = evaluate(plan.programs[STEP], layer.astype(np.float64), zeros, *given, *noise)[1]
    return np.round(moved * sum(plan.plan.rows) * 65536 / plan.rate)


def test_one_image_moves_a_gradient_by_no_more_than_is_stated_and_by_nearly_that():
    plan, random = private_plan(), np.random.default_rng(0)
    stated = replace(plan, epochs=1).guarantee.sensitivity
    vectors = bounded(random.normal(size=(100, 16)))
    labels = one_hot(random_classes(100), 3).astype(float)
    moved = []
    for trial in range(50):
        layer = random.normal(0, 10.0, plan.network.shapes[0]).clip(-32, 32)
        other, labelled = vectors.copy(), labels.copy()
        other[7] = bounded(random.normal(size=(1, 16)))[0] if trial else -vectors[7]
        labelled[7] = np.roll(labels[7], trial % 3)
        difference = gradient(plan, layer, vectors, labels) - gradient(plan, layer, other, labelled)
        moved.append(np.linalg.norm(difference))
    assert max(moved) <= stated
    # The worst pair: opposite vectors, both taken for another class with certainty.
    layer = np.zeros(plan.network.shapes[0])
    layer[-1], labels[7], vectors[7] = (32.0, -32.0, -32.0), (0, 1, 0), 0.0
    vectors[7, 0] = 3965
    other = vectors.copy()
    other[7, 0] = -3965
    worst = np.linalg.norm(gradient(plan, layer, vectors, labels) - gradient(plan, layer, other, labels))
    assert 0.95 * stated < worst <= stated


def test_an_error_that_is_too_long_counts_for_nothing():
    plan = private_plan()
    vectors, labels = np.zeros((100, 16)), np.zeros((100, 3))
    labels[:, 0] = 1
    layer = np.zeros(plan.network.shapes[0])
    layer[-1] = (-32.0, 32.0, -32.0)
    usual = gradient(plan, layer, vectors, labels)
    labels[0] = (1, 0, 1)  # no class at all: its error has a squared norm of almost 3
    np.testing.assert_array_equal(gradient(plan, layer, vectors, labels), usual * 99 // 100)


def test_every_partys_noise_is_added_in_units_of_the_gradient():
    plan = private_plan()
    given = (plan, np.zeros(plan.network.shapes[0]), np.zeros((100, 16)), one_hot(random_classes(100), 3))
    assert np.unique(gradient(*given, (1.0, 20.0, 300.0)) - gradient(*given)).tolist() == [321.0]


def test_nothing_is_rounded_between_the_data_and_the_noise():
    program = private_plan().programs[STEP]
    noise = len(program.inputs) - 3  # the first party's
    (added,) = [index for index, node in enumerate(program.nodes) if noise in node.operands]
    gradient, noisy = (ranges(program)[at] for at in (program.nodes[added].operands[0], len(program.inputs) + added))
    assert gradient.step == noisy.step == 1.0 and noisy.bounds[1] < 2.0**52


def test_guarantee_composes_epochs_and_counts_a_persons_images():
    one, four = private_plan(epochs=1), private_plan(epochs=4)
    assert four.guarantee.scale == pytest.approx(2 * one.guarantee.scale, rel=1e-3)
    assert private_plan(epochs=1, unit=Person(3)).guarantee.scale == pytest.approx(3 * one.guarantee.scale, rel=1e-3)
    assert one.share_scale == one.guarantee.scale
    assert private_plan(epochs=1, colluding=1).share_scale == pytest.approx(one.share_scale / math.sqrt(2), rel=1e-3)
    noise = one.noise_share(KEYS["bob"], "release", 0, 0)
    assert noise.std() == pytest.approx(one.share_scale, rel=0.5)
    assert (noise != one.noise_share(KEYS["bob"], "release", 0, 1)).any()
    assert (noise != one.noise_share(KEYS["carol"], "release", 0, 0)).any()


def test_private_training_on_shares_is_that_in_the_clear_noise_included(parties, tmp_path, monkeypatch):
    # two runs that pretend to be one
    monkeypatch.setattr("privis.joint.training.private_simulate.fresh_run", lambda: "0")
    plan = private_plan(epochs=1)
    owners = private_owners(tmp_path)
    model = train_privately(plan, owners, KEYS, InTheClear())
    again = train_privately(plan, owners, KEYS, parties.run)
    np.testing.assert_allclose(again.matrix, model.matrix, atol=0.01)
    keys = {name: ReleaseKey.generate() for name in KEYS}
    (tmp_path / "other").mkdir()
    other = train_privately(plan, private_owners(tmp_path / "other"), keys, InTheClear())
    assert np.abs(other.matrix - model.matrix).max() > 0.1  # noise and all
    assert again.guarantee.epsilon == 4.0 and "learn the model and nothing else" in again.revealed
    for owner in owners.values():
        assert len(owner.ledger.path.read_text().splitlines()) == 2  # the budget, and one charge for both runs


def test_nothing_is_drawn_when_a_ledger_refuses(tmp_path):
    def run(job, arrays):
        raise AssertionError("noise was drawn for a release that is not paid for")

    with pytest.raises(BudgetError):
        train_privately(private_plan(), private_owners(tmp_path, epsilon=1.0), KEYS, run)


def test_other_images_and_other_runs_get_other_noise_and_a_charge(tmp_path):
    plan = private_plan(epochs=1)
    seen = []

    def run(job, arrays):
        seen.append(arrays["noise of bob 0"])
        return {"layer 0": np.zeros(plan.network.shapes[0])}

    owners = private_owners(tmp_path, epsilon=100.0)
    train_privately(plan, owners, KEYS, run)
    changed = Labelled(CAROL.images[::-1].copy(), CAROL.classes)
    train_privately(
        plan, {**owners, "carol": PrivateOwner(changed, owners["carol"].key, owners["carol"].ledger)}, KEYS, run
    )
    train_privately(plan, owners, KEYS, run)
    first, other, repeated = seen[:: len(plan.jobs)]
    for one, two in ((first, other), (first, repeated), (other, repeated)):
        assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 0.7  # of 51 numbers each
    assert all(owner.ledger.spent().charges == 3 for owner in owners.values())


def test_a_run_without_everybodys_own_number_has_no_name():
    plan = private_plan()
    tags, prints = dict.fromkeys(dict(plan.owners), "tag"), {name: plan.fingerprint(key) for name, key in KEYS.items()}
    runs = {name: f"run of {name}" for name in plan.members}
    names = {plan.release_id(tags, prints, {**runs, name: "another"}) for name in plan.members}
    assert len(names | {plan.release_id(tags, prints, runs)}) == 1 + len(plan.members)
    for short in ({}, {**runs, "bob": ""}):
        with pytest.raises(ParameterError, match="numbers of the run"):
            plan.release_id(tags, prints, short)


def test_benchmark_runs(shared):
    images, classes, test = mpc_training.load(shared / "classification" / "mnist", tiny=True)
    clear, mpc = mpc_training.run(images, classes, test, "784-10")
    assert mpc.score.accuracy == pytest.approx(clear.score.accuracy, abs=0.015) and clear.score.accuracy > 0.6
    assert mpc.sent > 1e6 and mpc.uploaded > 1e6 and mpc.step_seconds > 0


def test_how_often_a_person_occurs_is_named_as_a_promise() -> None:
    """Rows carry no subjects: that nobody has more than k of them is for the owners to know."""
    from privis.joint.training.private_schedule import PrivateTraining, private_network
    from privis.privacy.mechanisms.additive import Gaussian
    from privis.privacy.units import Person, WholeImage

    most = "nobody is in more than 3 images of all owners together"
    for unit, expected in ((WholeImage(), ()), (Person(3), (most,))):
        owners = (("bob", 3000), ("carol", 3000))
        plan = PrivateTraining(private_network(16, 2), owners, Gaussian(1.0, 1e-6), "digits", ("alice",), unit=unit)
        assert plan.guarantee.promises == expected
