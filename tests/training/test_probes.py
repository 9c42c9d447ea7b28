"""What a network may do: layers that mix images, draw numbers or keep what they see are refused before any charge.

Answers for `privis.training.probes`.
"""

import copy

import numpy as np
import pytest

from privis.errors import UnsupportedError
from privis.privacy import Dataset, Gaussian, ReleaseKey
from privis.privacy.ledger.budget import Budget, BudgetUnit, Per
from privis.privacy.ledger.file import FileLedger
from privis.training.gradients import Captured
from privis.training.network_identity import network_identity
from privis.training.networks import NetworkTraining, check_network, train_network, trained_numbers

torch = pytest.importorskip("torch")
pytest.importorskip("opacus")
torch.set_num_threads(1)
nn, functional = torch.nn, torch.nn.functional
SHAPE, CLASSES = (1, 8, 8), ("dark", "light")


class Layer(nn.Module):
    """A layer that is one function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Straight(nn.Module):
    """Mixes images in its backward pass alone."""

    def forward(self, x):
        mean = x.mean(0, keepdim=True)
        return x + (mean - mean.detach())


class Attention(nn.Module):
    """Self-attention whose sequence is the batch."""

    def __init__(self):
        super().__init__()
        self.inner = nn.MultiheadAttention(8, 1).requires_grad_(False)

    def forward(self, x):
        return self.inner(x, x, x)[0]


class Turned(nn.Module):
    """A linear layer whose rows are parts of images: alike in shape when there are as many images as parts."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(8, 8)

    def forward(self, x):
        return self.inner(x.reshape(len(x), 8, 8).transpose(0, 1)).transpose(0, 1).reshape(len(x), 64)


class OnlyEvaluated(nn.Module):
    """Mixes images in evaluation mode."""

    def forward(self, x):
        return x if self.training else x - x.mean(0)


class Kept(nn.Module):
    """Keeps what passes."""

    def forward(self, x):
        self.last = x.detach()
        return x


class Averaged(nn.Module):
    """Keeps a mean of what passes in a buffer."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(8))

    def forward(self, x):
        self.mean = 0.9 * self.mean + 0.1 * x.mean(0).detach()
        return x


class OwnGenerator(nn.Module):
    """Draws from a generator of its own."""

    def __init__(self):
        super().__init__()
        self.generator = np.random.default_rng(0)

    def forward(self, x):
        return x * (1 + 0.1 * self.generator.random())


def around(*between):
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), *between, nn.Linear(8, 2))


def pictures(*between):
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), *between, nn.Flatten(), nn.Linear(144, 2))


MIXING = {
    "softmax over the batch": (lambda: around(nn.Softmax(dim=0)), r"Softmax \(2\), where other images move"),
    "minus the mean": (lambda: around(Layer(lambda x: x - x.mean(0))), r"Layer \(2\), where other images"),
    "a weak mean": (lambda: around(Layer(lambda x: x - 1e-6 * x.mean(0))), r"Layer \(2\), where other images"),
    "length over the batch": (lambda: around(Layer(lambda x: functional.normalize(x, dim=0))), r"Layer \(2\)"),
    "the largest of all": (lambda: around(Layer(lambda x: x / x.abs().max().clamp(min=9))), r"Layer \(2\)"),
    "a threshold of the mean": (lambda: around(Layer(lambda x: x * (x.mean() < 100))), r"Layer \(2\)"),
    "sorted": (lambda: around(Layer(lambda x: x.sort(0)[0])), r"Layer \(2\)"),
    "the neighbour": (lambda: around(Layer(lambda x: x + 0.1 * x.roll(1, 0))), r"Layer \(2\)"),
    "running largest": (lambda: around(Layer(lambda x: x.cummax(0)[0])), "where other images move"),
    "attention": (lambda: around(Attention()), r"MultiheadAttention \(2.inner\)"),
    "standardised over the batch": (
        lambda: around(Layer(lambda x: functional.layer_norm(x.T, (len(x),)).T)),
        r"Layer \(2\)",
    ),
    "batch norm as a function": (
        lambda: around(Layer(lambda x: functional.batch_norm(x, None, None, training=True) if len(x) > 1 else x)),
        r"Layer \(2\)",
    ),
    "flat over the batch": (
        lambda: nn.Sequential(nn.Flatten(0), Layer(lambda x: x.softmax(0).reshape(-1, 64)), nn.Linear(64, 2)),
        "Flatten|Layer",
    ),
    "the backward pass": (lambda: around(Straight()), r"the gradient at Linear \(1\)"),
    "large batches": (
        lambda: around(Layer(lambda x: x - x.mean(0) if len(x) > 40 else x)),
        r"the input of Linear \(3\), where other images move in training mode when one of 64",
    ),
    "the number of images": (lambda: around(Layer(lambda x: x / len(x))), "the number or the order of the others"),
    "the place": (lambda: around(Layer(lambda x: x + torch.arange(len(x))[:, None])), "the number or the order"),
    "rows that are no images": (
        lambda: nn.Sequential(nn.Flatten(), Turned(), nn.Linear(64, 2)),
        r"Linear \(1.inner\) on an input of shape \(8, 3, 8\) for 3 images",
    ),
    "evaluation": (lambda: around(OnlyEvaluated()), r"OnlyEvaluated \(2\).*evaluation mode"),
}
RANDOM = {
    "dropout": (lambda: around(nn.Dropout(0.5)), r"Dropout \(2\), which draws random numbers in training"),
    "rare dropout": (lambda: around(nn.Dropout(1e-9)), r"Dropout \(2\), which draws"),
    "random slopes": (lambda: around(nn.RReLU()), r"RReLU \(2\), which draws"),
    "gumbel": (lambda: around(Layer(lambda x: functional.gumbel_softmax(x, dim=1))), r"Layer \(2\), which draws"),
    "a depth by chance": (lambda: around(Layer(lambda x: x if torch.rand(()) > 1e-6 else 0 * x)), "which draws"),
    "numpy": (lambda: around(Layer(lambda x: x * np.random.rand())), "which draws"),  # noqa: NPY002
    "its own generator": (lambda: around(OwnGenerator()), r"OwnGenerator \(2\), which draws"),
}
KEEPING = {
    "an attribute": (lambda: around(Kept()), "2.last of Kept, which changes when images pass"),
    "a buffer": (lambda: around(Averaged()), "2.mean of Averaged, which changes"),
    "tracked statistics": (
        lambda: pictures(nn.InstanceNorm2d(4, track_running_stats=True)),
        "1.running_mean of InstanceNorm2d, which changes",
    ),
}
OTHERS = {
    "no batch of one": (lambda: around(Layer(lambda x: x.squeeze())), r"scores of shape \(2,\) for 1 images"),
    "double precision": (lambda: around().double(), "single precision, on the processor"),
    "a layer without use": (lambda: around(Layer(lambda x: x.detach())), r"Linear \(1\) that the scores do not depend"),
}
REFUSED = MIXING | RANDOM | KEEPING | OTHERS


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_by_name_before_anything_is_charged(name, tmp_path):
    make, sentence = REFUSED[name]
    network = make()
    before, generator = copy.deepcopy(network.state_dict()), torch.get_rng_state()
    ledger = FileLedger.create(tmp_path / "ledger", Budget(20.0, 1e-3, Per.CORPUS, BudgetUnit.DATASET))
    x = np.random.default_rng(0).random((300, *SHAPE)).astype(np.float32)
    plan = NetworkTraining(trained_numbers(network), 300, Gaussian(2.0, 1e-5), Dataset(), sampling=0.1, steps=2)
    with pytest.raises(UnsupportedError, match=sentence):
        train_network(plan, network, x, list(CLASSES) * 150, CLASSES, corpus="c", ledger=ledger)
    assert ledger.spent().charges == 0
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert torch.equal(generator, torch.get_rng_state())


def test_all_that_is_wrong_is_named_at_once():
    with pytest.raises(UnsupportedError) as caught:
        check_network(around(nn.Dropout(0.5), nn.Softmax(dim=0), Kept()), SHAPE)
    text = str(caught.value)
    assert len(caught.value.problems) == 3
    for part in ("Dropout (2), which draws", "Softmax (3), where other images move", "4.last of Kept, which changes"):
        assert part in text


GOOD = {
    "plain": lambda: around(nn.ReLU()),
    "in place": lambda: around(nn.ReLU(inplace=True), nn.LayerNorm(8), nn.GELU(), nn.Softmax(dim=1)),
    "no dropout": lambda: around(nn.Dropout(0.0), nn.Identity()),
    "groups": lambda: pictures(nn.GroupNorm(2, 4), nn.SiLU()),
    "instances": lambda: pictures(nn.InstanceNorm2d(4, affine=True), nn.Tanh()),
    "sequences": lambda: nn.Sequential(
        nn.Flatten(2), nn.Linear(64, 8),
        nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True).requires_grad_(False),
        nn.Flatten(), nn.Linear(8, 2),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_layers_of_single_images_are_accepted_and_no_image_moves_a_sum_by_more_than_its_clip(name):
    network = GOOD[name]()
    check_network(network, SHAPE)
    rng = np.random.default_rng(1)
    for scale in (1.0, 1e3, 1e6):
        x = torch.tensor(rng.standard_normal((9, *SHAPE)).astype(np.float32))
        other = x.clone()
        other[4] = torch.tensor((scale * rng.standard_normal(SHAPE)).astype(np.float32))
        y = torch.arange(9) % 2
        with Captured(network) as captured:
            moved = captured.clipped_sum(x, y, 0.01) - captured.clipped_sum(other, y, 0.01)
            gone = captured.clipped_sum(x, y, 0.01) - captured.clipped_sum(x[1:], y[1:], 0.01)
        assert np.linalg.norm(moved[:-1]) <= 2 + 1e-4 and np.linalg.norm(gone[:-1]) <= 1 + 1e-4


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("exponent", [*range(0, 39, 6), 38])
def test_an_image_of_any_size_adds_its_clip_at_most_and_takes_nothing_from_others(exponent, label):
    network = pictures(Layer(lambda x: 100 * x), nn.ReLU())  # of 1e38 it makes infinity
    x = torch.tensor(np.random.default_rng(0).random((6, *SHAPE)).astype(np.float32))
    y = torch.arange(6) % 2
    y[0] = label
    with Captured(network) as captured:
        rest = captured.clipped_sum(x[1:], y[1:], 1e-3)
        x[0] *= 10.0**exponent
        whole, single = captured.clipped_sum(x, y, 1e-3), captured.clipped_sum(x[:1], y[:1], 1e-3)
    assert np.linalg.norm(rest[:-1]) > 1
    assert np.linalg.norm(single[:-1]) <= 1 + 1e-6
    assert np.linalg.norm((whole - rest)[:-1]) <= 1 + 1e-4


def test_a_gradient_whose_scaling_single_precision_cannot_hold_is_not_too_long():
    network = around(Layer(lambda x: 1e12 * (x - x.detach())))  # errors of 1e12, whatever the scores
    pixels = torch.tensor(np.random.default_rng(0).random((1, *SHAPE)).astype(np.float32))
    with Captured(network) as captured:
        for size in 10 ** np.linspace(30, 34, 41):
            single = captured.clipped_sum(float(size) * pixels, torch.tensor([0]), 1e-3)
            assert np.linalg.norm(single[:-1]) <= 1 + 1e-6


def straightened(x):
    return functional.relu(x)


def capped(x):
    return functional.relu(x) if x.abs().max() < 1e9 else helper(x)


def helper(x):
    return x


def test_the_identity_of_a_network_is_what_it_holds_and_does(monkeypatch):
    base = around(Layer(straightened))

    def identity(network):
        return network_identity(network, SHAPE, 2)

    changed = [copy.deepcopy(base) for _ in range(5)]
    with torch.no_grad():
        changed[0][1].weight[3, 3] += 1e-3
    changed[1][2].function = capped  # differs on no image that is tried
    changed[2][1].bias.requires_grad_(False)
    changed[3].register_forward_hook(lambda module, given, made: made)
    changed[4][2].slope = np.zeros(2000)
    changed.append(copy.deepcopy(changed[4]))
    changed[5][2].slope[1000] = 1.0  # where printing an array shows dots
    found = [identity(network) for network in (base, *changed)]
    assert len(set(found)) == len(found)
    assert found[0] == identity(copy.deepcopy(base))
    monkeypatch.setitem(globals(), "helper", lambda x: 2 * x)
    assert identity(changed[1]) != found[2]
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert identity(base) != found[0]


def test_noise_keys_are_not_in_a_network_that_was_trained():
    network = around(nn.ReLU())
    x = np.random.default_rng(0).random((300, *SHAPE)).astype(np.float32)
    plan = NetworkTraining(trained_numbers(network), 300, Gaussian(2.0, 1e-5), Dataset(), sampling=0.1, steps=2)
    held = {name: set(vars(module)) for name, module in network.named_modules()}
    train_network(plan, network, x, list(CLASSES) * 150, CLASSES, corpus="c", key=ReleaseKey(bytes(32)))
    assert {name: set(vars(module)) for name, module in network.named_modules()} == held
    assert all(parameter.grad is None for parameter in network.parameters())
