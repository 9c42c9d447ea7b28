"""Two runs under one key are one training with one charge, or share neither noise nor sample and are two.

Every way in which sums may differ is tried: images, plan, network, code, threads, versions, arithmetic, and sums that
differ where nothing told beforehand. The mutants put noise back that knows only the key and the step.

Answers for `privis.training.arithmetic`.
"""

import copy
import itertools

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.privacy import Dataset, Gaussian, ReleaseKey
from privis.privacy.learning import subsampling
from privis.privacy.learning.clipped_gradients import LEVELS, IntegerRows
from privis.privacy.learning.least_squares import LeastSquaresTraining
from privis.privacy.learning.logistic_regression import LogisticTraining, TrainingState, steps
from privis.privacy.learning.moments import KMeansRelease, MomentRelease
from privis.privacy.ledger.budget import Budget, BudgetUnit, Per
from privis.privacy.ledger.file import FileLedger
from privis.training import networks
from privis.training.fitting import solve_head, train_head
from privis.training.learned import private_codebook, private_projection

KEY = ReleaseKey(bytes(range(32)))
CLASSES = ("cat", "dog", "eel")
ROWS, STEPS, ODD = 900, 6, 3  # the step from which on sums are other ones


@pytest.fixture
def ledger(tmp_path):
    return FileLedger.create(tmp_path / "ledger", Budget(1000.0, 1e-2, Per.CORPUS, BudgetUnit.DATASET))


def corpus(seed=0):
    rng = np.random.default_rng(seed)
    numbers = rng.integers(0, 3, ROWS)
    vectors = rng.normal(size=(ROWS, 6))
    vectors[np.arange(ROWS), numbers] += 4
    return vectors, numbers


def head_plan(**changes):
    words = {"sampling": 0.25, "steps": STEPS, "clip": 0.1} | changes
    return LogisticTraining(3, 6, ROWS, Gaussian(1.0, 1e-5), Dataset(), **words)


def correlation(one, two):
    return abs(np.corrcoef(np.ravel(one), np.ravel(two))[0, 1])


# Heads


def noise_of_steps(monkeypatch, wrong_by=0):
    """Noise and members of every step; from `ODD` on one number of the sums is ``wrong_by`` too large."""
    from privis.privacy.learning import logistic_regression as train

    exact, seen, members = train.clipped_sum, [], []

    def odd(*words):
        total, losses = exact(*words)
        total[0, 0] += wrong_by if len(seen) >= ODD else 0
        seen.append(total)
        members.append(words[1].tolist())
        return total, losses

    monkeypatch.setattr(train, "clipped_sum", odd)
    vectors, numbers = corpus()
    plan = head_plan()
    rows, everyone = IntegerRows.of(vectors), np.arange(ROWS)
    start = TrainingState.start(plan)
    stream = KEY.stream("c", b"content", plan.digest)
    states = [start, *steps(plan, rows, numbers, everyone, np.ones(ROWS, np.int64), stream, start)]
    unit = LEVELS * rows.unit * plan.sampling * plan.size
    moved = [(b.velocity - plan.momentum * a.velocity) * unit for a, b in itertools.pairwise(states)]
    monkeypatch.setattr(train, "clipped_sum", exact)
    return [noisy - hidden for noisy, hidden in zip(moved, seen, strict=True)], members


def shared(monkeypatch):
    """The steps whose noise, and those whose members, two runs share although their sums differ by one unit."""
    (first, ours), (second, theirs) = noise_of_steps(monkeypatch), noise_of_steps(monkeypatch, wrong_by=1)
    noise = [step for step in range(STEPS) if (np.abs(first[step] - second[step]) < 0.5).all()]
    return noise, [step for step in range(STEPS) if ours[step] == theirs[step]]


def test_heads_share_noise_as_long_as_they_share_sums_and_nothing_after(monkeypatch):
    assert shared(monkeypatch) == ([*range(ODD)], [*range(ODD + 1)])


def only_the_step(noise, scale, stream, sums):
    return sums + subsampling.draw_noise(noise, scale, stream, sums.shape, "gradient and loss")


def test_noise_of_the_step_alone_would_be_caught(monkeypatch):
    monkeypatch.setattr("privis.privacy.learning.logistic_regression.noisy_sums", only_the_step)
    noise, _ = shared(monkeypatch)
    assert ODD in noise


def one_more(exact):
    def odd(*words):
        total, losses = exact(*words)
        total[0, 0] += 1
        return total, losses

    return odd


def another_clipping(monkeypatch):
    from privis.privacy.learning import logistic_regression as train

    monkeypatch.setattr(train, "clipped_sum", one_more(train.clipped_sum))


def another_arithmetic(monkeypatch):
    monkeypatch.setattr("privis.training.fitting.arithmetic", lambda: b"another processor")
    monkeypatch.setattr("privis.training.learned.arithmetic", lambda: b"another processor")


def nothing(monkeypatch):
    pass


def heads(ledger):
    vectors, numbers = corpus()
    labels = [CLASSES[number] for number in numbers]
    return train_head(head_plan(), vectors, labels, CLASSES, corpus="c", key=KEY, ledger=ledger).weights


def solved(ledger):
    vectors, numbers = corpus()
    labels = [CLASSES[number] for number in numbers]
    plan = LeastSquaresTraining(3, 6, ROWS, Gaussian(1.0, 1e-5), Dataset())
    return solve_head(plan, vectors, labels, CLASSES, corpus="c", key=KEY, ledger=ledger).weights


def projections(ledger):
    release = MomentRelease(Gaussian(1.0, 1e-6), 6, clip=1.0, size=ROWS, unit=Dataset())
    return private_projection(release, corpus()[0], 2, corpus="c", key=KEY, ledger=ledger).matrix


def codebooks(ledger):
    release = KMeansRelease(Gaussian(1.0, 1e-6), words=4, components=6, clip=1.0, unit=Dataset())
    return private_codebook(release, corpus()[0], corpus="c", key=KEY, ledger=ledger).centres


@pytest.mark.parametrize("learn", [heads, solved, projections, codebooks])
@pytest.mark.parametrize("changed", [nothing, another_arithmetic])
def test_other_arithmetic_is_another_release_with_a_charge_of_its_own(learn, changed, ledger, monkeypatch):
    first = learn(ledger)
    changed(monkeypatch)
    second = learn(ledger)
    assert ledger.spent().charges == (1 if changed is nothing else 2)
    assert (first == second).all() == (changed is nothing)


def test_a_head_whose_sums_are_others_is_charged_again(ledger, monkeypatch):
    heads(ledger)
    another_clipping(monkeypatch)
    heads(ledger)
    assert ledger.spent().charges == 2


@pytest.mark.parametrize("changed", [another_arithmetic, another_clipping])
def test_a_checkpoint_of_other_sums_is_refused_before_the_charge(changed, ledger, tmp_path, monkeypatch):
    vectors, numbers = corpus()
    labels = [CLASSES[number] for number in numbers]
    words = {"corpus": "c", "key": KEY, "checkpoint": tmp_path / "checkpoint"}
    train_head(head_plan(), vectors, labels, CLASSES, **words)
    with monkeypatch.context() as patched:
        changed(patched)
        with pytest.raises(ParameterError, match=r"another training.*is charged as a release of its own"):
            train_head(head_plan(), vectors, labels, CLASSES, ledger=ledger, **words)
    for plan, other in ((head_plan(steps=7), vectors), (head_plan(), vectors[::-1].copy())):
        with pytest.raises(ParameterError, match="another training"):
            train_head(plan, other, labels, CLASSES, ledger=ledger, **words)
    assert ledger.spent().charges == 0
    train_head(head_plan(), vectors, labels, CLASSES, ledger=ledger, **words)  # a ledger that is added is charged
    assert ledger.spent().charges == 1


def test_a_checkpoint_with_numbers_that_no_training_leaves_is_damaged(ledger, tmp_path):
    from privis.training import checkpoints

    state = TrainingState.start(head_plan())
    broken = copy.copy(state)
    object.__setattr__(broken, "weights", np.full_like(state.weights, np.nan))
    late = copy.copy(state)
    object.__setattr__(late, "step", STEPS + 1)
    for wrong in (broken, late):
        checkpoints.save(tmp_path / "checkpoint", "id", wrong)
        with pytest.raises(ParameterError, match="numbers that no training leaves"):
            checkpoints.load(tmp_path / "checkpoint", "id", (3, 7), STEPS)


# Networks

torch = pytest.importorskip("torch")
pytest.importorskip("opacus")
torch.set_num_threads(1)
nn = torch.nn


class Scaled(nn.Module):
    """A layer with a number that ``repr`` does not show."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor


def network(factor=1.0):
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), Scaled(factor), nn.ReLU(), nn.Linear(8, 2))


def network_plan(**changes):
    words = {"sampling": 0.25, "steps": STEPS, "rate": 0.01} | changes
    count = networks.trained_numbers(network())
    return networks.NetworkTraining(count, 300, Gaussian(2.0, 1e-5), Dataset(), **words)


def network_corpus():
    rng = np.random.default_rng(0)
    return rng.random((300, 1, 4, 4)).astype(np.float32), ["a", "b"] * 150


def trained(plan=None, start=None, images=None, **words):
    made = network() if start is None else start
    x, labels = network_corpus()
    words = {"corpus": "c", "key": KEY} | words
    networks.train_network(plan or network_plan(), made, x if images is None else images, labels, ("a", "b"), **words)
    return torch.nn.utils.parameters_to_vector(made.parameters()).detach().numpy()


def frozen_twice():
    made = network()
    made[1].bias.requires_grad_(False)
    return made


@pytest.mark.parametrize(
    "other",
    [
        {"start": network(1.0 + 1e-6)},
        {"plan": network_plan(rate=0.02)},
        {"plan": network_plan(microbatch=32)},
        {"images": network_corpus()[0][::-1].copy()},
        {"images": network_corpus()[0].astype(float)},
        {"corpus": "d"},
    ],
    ids=["code", "rate", "microbatch", "order", "precision", "corpus"],
)
def test_a_network_with_anything_else_is_another_release(other, ledger):
    first = trained(ledger=ledger)
    assert (trained(ledger=ledger) == first).all() and ledger.spent().charges == 1
    second = trained(ledger=ledger, **{name: copy.deepcopy(value) for name, value in other.items()})
    start = torch.nn.utils.parameters_to_vector(network().parameters()).detach().numpy()
    assert ledger.spent().charges == 2
    assert np.mean(np.sign(first - start) == np.sign(second - start)) < 0.75  # equal noise: nearly all


@pytest.mark.parametrize("changed", ["threads", "version", "sums"])
def test_a_network_that_computes_otherwise_is_charged_again(changed, ledger, monkeypatch):
    trained(ledger=ledger)
    if changed == "threads":
        monkeypatch.setattr(torch, "get_num_threads", lambda: 5)
    elif changed == "version":
        monkeypatch.setattr(torch, "__version__", "99.0")
    else:
        exact = networks._sums
        monkeypatch.setattr(networks, "_sums", lambda *words: exact(*words) + 1)
    trained(ledger=ledger)
    assert ledger.spent().charges == 2


def gradients(monkeypatch, wrong_by=0):
    """Noise of every step of a network that stands still, and the sums; from `ODD` on they are ``wrong_by`` larger."""
    exact, seen = networks._sums, []

    def odd(*words):
        seen.append(exact(*words) + (wrong_by if len(seen) >= ODD else 0))
        return seen[-1]

    monkeypatch.setattr(networks, "_sums", odd)
    plan, (x, _) = network_plan(), network_corpus()
    stream = KEY.stream("c", b"content", plan.digest)
    given = plan, network(), torch.tensor(x), torch.arange(300) % 2, stream
    unit = plan.clip / (plan.sampling * plan.size) * networks.GRID
    noisy = [gradient / unit for gradient, _ in networks.noisy_gradients(*given)]
    monkeypatch.setattr(networks, "_sums", exact)
    return [made - hidden[:-1] for made, hidden in zip(noisy, seen, strict=True)], seen


def alike(monkeypatch):
    (first, sums), (second, others) = gradients(monkeypatch), gradients(monkeypatch, wrong_by=1)
    noise = [step for step in range(STEPS) if correlation(first[step], second[step]) > 0.9]
    return noise, [step for step in range(ODD + 1, STEPS) if np.abs(sums[step] - others[step]).max() < 50]


def test_networks_share_noise_as_long_as_they_share_sums_and_nothing_after(monkeypatch):
    assert alike(monkeypatch) == ([*range(ODD)], [])


def test_noise_of_the_step_alone_would_be_caught_in_networks(monkeypatch):
    monkeypatch.setattr(networks, "noisy_sums", only_the_step)
    assert ODD in alike(monkeypatch)[0]


def two_releases(monkeypatch, ledger):
    """Trainings of a network with dropout that nobody refuses: shared signs of the first step, and charges."""
    monkeypatch.setattr(networks, "check_network", lambda *words: None)
    monkeypatch.setattr(networks, "network_identity", lambda *words: b"")
    plan, start = network_plan(steps=1), network()
    start[3] = nn.Dropout(0.5)
    found = []
    for seed in range(2):
        made = copy.deepcopy(start)
        torch.manual_seed(seed)
        found.append(trained(plan, made, ledger=ledger))
    before = torch.nn.utils.parameters_to_vector(start.parameters()).detach().numpy()
    return np.mean(np.sign(found[0] - before) == np.sign(found[1] - before)), ledger.spent().charges


def test_even_a_random_network_that_passes_shares_no_noise_and_is_charged_twice(monkeypatch, ledger):
    agree, charges = two_releases(monkeypatch, ledger)
    assert agree < 0.7 and charges == 2


def test_a_training_that_does_not_look_at_its_sums_would_be_caught(monkeypatch, ledger):
    monkeypatch.setattr(networks, "first_sums", lambda *words: b"")
    monkeypatch.setattr(networks, "noisy_sums", only_the_step)
    agree, charges = two_releases(monkeypatch, ledger)
    assert agree > 0.8 and charges == 1
