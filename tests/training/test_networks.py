"""Private training of networks: gradients, bounds, refusals, charges, and the way into a feature."""

import numpy as np
import pytest

from privis.errors import ParameterError, UnsupportedError
from privis.privacy import Dataset, Gaussian, ReleaseKey
from privis.privacy.ledger.budget import Budget, BudgetUnit, Per
from privis.privacy.ledger.file import FileLedger
from privis.training.gradients import Captured
from privis.training.networks import (
    GRID,
    NetworkTraining,
    check_network,
    noisy_gradients,
    train_network,
    trained_numbers,
)

torch = pytest.importorskip("torch")
pytest.importorskip("opacus")
torch.set_num_threads(1)  # of tiny networks; threads that spin take minutes on a busy machine
nn = torch.nn
CLASSES = ("dark", "light")


def network(seed=0, normalised=True):
    torch.manual_seed(seed)
    between = nn.GroupNorm(2, 4) if normalised else nn.Identity()  # the importer reads no group normalisation
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), between, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 5), nn.ReLU(),
        nn.Linear(5, 2),
    )  # fmt: skip


def images(count=64, seed=0):
    rng = np.random.default_rng(seed)
    numbers = rng.integers(0, 2, count)
    return (rng.random((count, 1, 8, 8)) + numbers[:, None, None, None]).astype(np.float32), numbers


def plan(normalised=True, **changes):
    words = {"sampling": 0.25, "steps": 30, "rate": 0.02, "microbatch": 50} | changes
    return NetworkTraining(
        trained_numbers(network(normalised=normalised)), 800, Gaussian(2.0, 1e-5), Dataset(), **words
    )


def single_gradients(trained, x, y):
    found = []
    for row in range(len(x)):
        trained.zero_grad()
        nn.functional.cross_entropy(trained(x[row : row + 1]), y[row : row + 1]).backward()
        found.append(torch.cat([p.grad.reshape(-1).double() for p in trained.parameters()]).numpy())
    return np.array(found)


@pytest.mark.parametrize("clip", [0.05, 1.0, 100.0])
def test_clipped_sums_are_those_of_one_image_at_a_time(clip):
    trained, (x, numbers) = network(), images(12)
    x, y = torch.tensor(x), torch.tensor(numbers)
    with Captured(trained) as captured:
        got = captured.clipped_sum(x, y, clip)
        singles = [captured.clipped_sum(x[row : row + 1], y[row : row + 1], clip) for row in range(12)]
    gradients = single_gradients(trained, x, y)
    lengths = np.linalg.norm(gradients, axis=1, keepdims=True)
    expected = (gradients / np.maximum(lengths, clip)).sum(0)
    assert np.abs(got[:-1] - expected).max() < 1e-6
    assert np.abs(got - np.sum(singles, axis=0)).max() < plan().margin
    assert max(np.linalg.norm(single[:-1]) for single in singles) <= 1 + 1e-6


def test_an_image_that_makes_gradients_infinite_adds_nothing_to_them():
    trained, (x, numbers) = network(), images(3)
    x[1] = 1e38
    with Captured(trained) as captured:
        got = captured.clipped_sum(torch.tensor(x), torch.tensor(numbers), 1.0)
    assert np.isfinite(got).all() and np.linalg.norm(got[:-1]) <= 3


def test_noise_has_the_scale_that_is_stated():
    the_plan, trained, (x, numbers) = plan(), network(), images(8)
    stream = ReleaseKey(bytes(32)).stream("c", b"", b"")
    steps = noisy_gradients(the_plan, trained, torch.tensor(x), torch.tensor(numbers), stream)
    unit = the_plan.clip / (the_plan.sampling * the_plan.size)
    values = np.concatenate([noisy for noisy, _ in steps]) / unit  # weights stand still: gradients of at most 8 images
    sigma = the_plan.noise_multiplier * the_plan.sensitivity * GRID
    assert np.std(values) == pytest.approx(sigma, rel=0.04)


def test_a_network_learns_is_the_same_again_and_becomes_a_feature(tmp_path):
    from privis import CNN
    from privis.training.export import save_onnx

    x, numbers = images(800)
    labels = [CLASSES[number] for number in numbers]
    ledger = FileLedger.create(tmp_path / "ledger", Budget(20.0, 1e-3, Per.CORPUS, BudgetUnit.DATASET))
    made, seen = [], []
    for _ in range(2):
        trained = network(normalised=False)
        guarantee = train_network(
            plan(normalised=False), trained, x, labels, CLASSES, corpus="lamps", key=ReleaseKey(bytes(32)),
            ledger=ledger, on_progress=seen.append,
        )  # fmt: skip
        made.append(trained)
    weights = [torch.cat([p.detach().reshape(-1) for p in trained.parameters()]) for trained in made]
    assert torch.equal(*weights) and ledger.spent().charges == 1
    assert guarantee.epsilon <= 2.0 and [each.done for each in seen] == [*range(1, 31)] * 2
    assert all(0 <= each.loss <= 8 for each in seen)
    fresh, wanted = images(200, seed=1)
    with torch.no_grad():
        assert (made[0](torch.tensor(fresh)).argmax(1).numpy() == wanted).mean() > 0.9

    save_onnx(made[0], (1, 8, 8), tmp_path / "net.onnx")
    feature = CNN.from_onnx(tmp_path / "net.onnx")
    import privis

    picture = np.random.default_rng(3).integers(0, 256, (8, 8), dtype=np.uint8)
    with torch.no_grad():
        expected = made[0](torch.tensor(picture / 255.0, dtype=torch.float32)[None, None]).numpy()
    assert np.abs(privis.extract(feature, [picture]).features - expected).max() < 1e-4


def test_layers_that_mix_images_are_named_with_what_replaces_them():
    with pytest.raises(UnsupportedError, match=r"BatchNorm2d \(1\).*GroupNorm"):
        check_network(nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)))
    with pytest.raises(UnsupportedError, match=r"Bilinear \(0\)"):
        check_network(nn.Sequential(nn.Bilinear(2, 2, 2)))
    shared = nn.Linear(4, 4)
    twice = nn.Sequential(nn.Flatten(), shared, shared)
    with pytest.raises(UnsupportedError, match="used twice"), Captured(twice) as captured:
        captured.clipped_sum(torch.ones(2, 1, 2, 2), torch.tensor([0, 1]), 1.0)


def test_bad_images_are_refused_before_anything_is_charged():
    x, numbers = images(20)
    x[4] = np.nan
    labels = [CLASSES[number] for number in numbers]
    with pytest.raises(ParameterError, match=r"NaN or infinity in 1: \[4\]"):
        train_network(plan(), network(), x, labels, CLASSES, corpus="c")
    with pytest.raises(ParameterError) as caught:
        NetworkTraining(0, 0, Gaussian(1.0, 1e-5), sampling=2.0, clip=0.0)
    assert len(caught.value.problems) == 4
