"""`privis.training.polynomial_networks`: networks of squares, from a budget of levels to ciphertexts.

Answers for `privis.training.polynomial_networks.network_design`, `.network_file`, `.network_fitting`,
`.network_forecast` and `.square_network`.
"""

import json
from dataclasses import replace

import numpy as np
import pytest

import privis
from privis.errors import ParameterError
from privis.identity import identity
from privis.run.clear import Clear
from privis.run.he.compiler.compiler import Options, compile_program
from privis.run.he.packing.batching import Batching
from privis.training.polynomial_networks.network_design import Convolution, NetworkDesign, design_for
from privis.training.polynomial_networks.network_file import load_network, save_network
from privis.training.polynomial_networks.network_fitting import NetworkFitting, _moved, fit_network
from privis.training.polynomial_networks.network_forecast import forecast_before_training, forecast_of
from privis.training.polynomial_networks.square_network import normalised, scored_of, square_network

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

CLASSES = ("bars", "rows", "plain")
DESIGN = design_for(5, (1, 16, 16), 3, filters=2, hidden=8)
PLAN = NetworkFitting(epochs=4, rate=0.02, batch=16, shift=1)


def pictures(count=96, seed=0):
    """Bars, rows and plain grey with noise: equal means, so that no pixel alone tells them apart."""
    rng = np.random.default_rng(seed)
    numbers = np.arange(count) % 3
    wave = np.where(np.arange(16) // 2 % 2, 60, -60)
    patterns = np.stack([np.broadcast_to(wave, (16, 16)), np.broadcast_to(wave[:, None], (16, 16)), np.zeros((16, 16))])
    images = 128 + patterns[numbers] * rng.choice([-1, 1], (count, 1, 1)) + rng.normal(0, 20, (count, 16, 16))
    return np.clip(images, 0, 255).astype(np.uint8)[:, None], numbers


@pytest.fixture(scope="module")
def trained():
    network = square_network(DESIGN)
    fit_network(PLAN, network, *pictures())
    return network


@pytest.mark.parametrize("levels", range(3, 22))
def test_no_design_takes_more_levels_than_its_budget(levels):
    for shape in ((1, 64, 64), (3, 32, 32), (1, 28, 28)):
        design = design_for(levels, shape, 10)
        assert design.levels == levels - (levels + 1) % 2 and design.planes[0] == shape
        assert design.hidden == 0 or min(design.planes[-1][1:]) <= 16 or levels < 5


def test_what_cannot_be_designed_is_refused():
    for levels in (2, 22, True, 4.5):
        with pytest.raises(ParameterError, match="levels"):
            design_for(levels, (1, 64, 64), 10)
    with pytest.raises(ParameterError) as error:
        NetworkDesign((2, 64, 64), 1, (), 0)
    assert all(name in str(error.value) for name in ("shape", "classes", "no layer"))
    with pytest.raises(ParameterError, match="larger images"):
        NetworkDesign((1, 8, 8), 2, (Convolution(4, 9, 1, 0),))
    with pytest.raises(ParameterError) as error:
        NetworkFitting(epochs=0, rate=-1.0, batch=1, shift=-1, warp=1.0)
    assert all(f"NetworkFitting.{name}" in str(error.value) for name in ("epochs", "rate", "batch", "shift", "warp"))
    with pytest.raises(ParameterError, match=r"NetworkDesign\.border"):
        NetworkDesign((1, 8, 8), 2, border=-1)
    with pytest.raises(ParameterError, match="smaller border"):
        NetworkDesign((1, 8, 8), 2, border=4)


def test_new_settings_leave_the_identity_of_earlier_trainings_alone():
    assert identity(NetworkFitting(warp=0.0)) == identity(NetworkFitting()) != identity(NetworkFitting(warp=0.1))
    design = NetworkDesign((1, 8, 8), 2)
    assert identity(NetworkDesign((1, 8, 8), 2, border=0)) == identity(design)
    assert identity(NetworkDesign((1, 8, 8), 2, border=1)) != identity(design)


def test_every_image_is_warped_by_a_map_of_its_own_and_none_without_warp():
    images = np.zeros((4, 1, 16, 16), np.uint8)
    images[:, :, 4:12, 6:9] = 200
    plan, rng = NetworkFitting(shift=1, warp=0.2), np.random.default_rng
    moved = _moved(images, plan, rng(0))
    assert moved.shape == images.shape and moved.dtype == np.uint8
    assert len({each.tobytes() for each in moved}) == 4
    assert np.array_equal(moved, _moved(images, plan, rng(0)))
    assert np.abs(moved.sum((1, 2, 3)) / images.sum((1, 2, 3)) - 1).max() < 0.5
    assert np.array_equal(_moved(images, NetworkFitting(shift=0), rng(0)), images)


def test_the_border_of_images_decides_nothing(tmp_path):
    design = NetworkDesign((1, 12, 12), 2, (), hidden=4, border=2)
    assert design.planes == ((1, 8, 8),)
    network = square_network(design).eval()
    save_network(network, design, ("a", "b"), tmp_path / "net.onnx")
    feature, _ = load_network(tmp_path / "net.onnx")
    images = np.random.default_rng(0).integers(0, 256, (2, 12, 12), np.uint8)
    images[1, 2:-2, 2:-2] = images[0, 2:-2, 2:-2]
    first, second = privis.extract(feature, list(images)).features
    np.testing.assert_array_equal(first, second)
    with torch.no_grad():
        np.testing.assert_allclose(first, network(normalised(images[:1, None])).numpy()[0], atol=1e-4)
    sources = compile_program(feature.program((1, 12, 12)), Options(1e-2, batching=Batching.SLOT)).spec.sources
    assert sources[0].layout.ciphertexts == 64


def test_it_learns_and_the_same_training_gives_the_same_network(trained):
    images, numbers = pictures(60, seed=1)
    with torch.no_grad():
        right = (trained(normalised(images)).argmax(1).numpy() == numbers).mean()
    assert right > 0.9
    again = square_network(DESIGN)
    fit_network(PLAN, again, *pictures())
    assert all(
        torch.equal(a, b) for a, b in zip(trained.state_dict().values(), again.state_dict().values(), strict=True)
    )


def test_a_killed_training_goes_on_and_ends_as_if_it_had_not_been_killed(trained, tmp_path):
    def killed(progress):
        if progress.done == 2:
            raise KeyboardInterrupt

    path, network = tmp_path / "checkpoint", square_network(DESIGN)
    with pytest.raises(KeyboardInterrupt):
        fit_network(PLAN, network, *pictures(), checkpoint=path, on_progress=killed)
    told, fresh = [], square_network(DESIGN)
    fit_network(PLAN, fresh, *pictures(), checkpoint=path, on_progress=told.append)
    assert [each.done for each in told] == [3, 4]
    for name, value in trained.state_dict().items():
        assert torch.equal(fresh.state_dict()[name], value), name
    with pytest.raises(ParameterError, match="another training"):
        fit_network(replace(PLAN, seed=1), square_network(DESIGN), *pictures(), checkpoint=path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ParameterError, match="move it away"):
        fit_network(PLAN, square_network(DESIGN), *pictures(), checkpoint=path)


def test_steps_that_overflow_change_nothing_and_too_many_end_the_training():
    images, numbers = pictures()
    network = square_network(DESIGN)
    with torch.no_grad():
        network.get_submodule("last").weight.fill_(float("inf"))
    with pytest.raises(ParameterError, match="overflow"):
        fit_network(PLAN, network, images, numbers)


def test_feature_file_and_ciphertexts_give_the_scores_of_torch(trained, tmp_path):
    images, _ = pictures(6, seed=2)
    scored = scored_of(trained, DESIGN, CLASSES)
    with torch.no_grad():
        wanted = trained(normalised(images)).numpy()
    given = [image[0] for image in images]
    assert np.allclose(privis.extract(scored, given).features, wanted, atol=1e-4)
    save_network(trained, DESIGN, CLASSES, tmp_path / "net.onnx")
    whole, classes = load_network(tmp_path / "net.onnx")
    assert classes == CLASSES and np.allclose(privis.extract(whole, given).features, wanted, atol=1e-4)
    under = privis.CKKS(precision=1e-2)
    program = whole.program(whole.shape)
    assert under.compiled(program).choice.arrangement.depth == DESIGN.levels
    run, clear = under.prepare(program), Clear().prepare(program)
    hidden = run(whole.before(given[0]))
    assert np.abs(hidden - clear(whole.before(given[0]))).max() < 0.01 * np.abs(wanted).max()
    assert hidden.argmax() == wanted[0].argmax()


def test_a_network_of_others_is_refused_by_name(trained, tmp_path):
    from privis.training import save_onnx

    save_onnx(trained, DESIGN.shape, tmp_path / "other.onnx")
    with pytest.raises(ParameterError, match="without classes"):
        load_network(tmp_path / "other.onnx")


def test_the_forecast_knows_seconds_and_bytes_before_and_after(trained):
    images, numbers = pictures(60, seed=1)
    under = privis.CKKS(precision=1e-2)
    before, seconds = forecast_before_training(DESIGN, PLAN, *pictures(), images, numbers, CLASSES, under)
    with torch.no_grad():
        scores = trained(normalised(images)).numpy()
    after = forecast_of(scored_of(trained, DESIGN, CLASSES), scores, numbers, under)
    assert (before.levels, before.degree, before.query) == (after.levels, after.degree, after.query)
    assert abs(before.keys - after.keys) <= 0.2 * after.keys and abs(before.seconds - after.seconds) < after.seconds
    assert 0 < seconds < 60 and after.accuracy > 0.9 and 0 <= after.changed <= 0.1
    margins = np.diff(np.sort(scores, 1)[:, -2:])[:, 0]
    assert after.changed == (margins <= 2 * after.error * np.abs(scores).max()).mean()
    assert json.dumps(before.keys)
