"""Joint extraction: what owners announce, the job that follows, and what its receivers read.

Answers for `privis.joint.concatenation`.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pytest
from skimage import data

from privis import CNN, HOG, LBP, SIFT, ColourHistogram
from privis.errors import ImageError, ParameterError
from privis.features.feature import Feature
from privis.features.image_ops import resize
from privis.features.keypoints.oblivious import SURFKeyPoints, key_points
from privis.joint.extraction import (
    Extracted,
    Extraction,
    FeatureOutput,
    ImageAnnouncement,
    announce,
    extracted,
    extraction_job,
    groups,
    model_arrays,
    public_model,
    shared_arrays,
)
from privis.joint.image_splits import ByChannels, ByExposures, ByTiles, ByTime, OverTime
from privis.program import Input, Program, Value, ops, trace
from privis.readings import evaluate
from privis.run.mpc.job import Job, Reveal, Run, Share
from privis.run.mpc.protocols import ABY3

PARTIES = ("alice", "bob", "carol")
PHOTOGRAPHS = [resize(photograph, (32, 32)) for photograph in (data.astronaut(), data.coffee(), data.chelsea())]


def network(seed: int = 1) -> Program:
    """A small convolutional network with weights of magnitudes between a quarter and a half."""
    random = np.random.default_rng(seed)

    def weights(*shape: int) -> np.ndarray:
        return random.uniform(0.26, 0.49, shape) * random.choice([-1, 1], shape)

    def build(x: Value) -> Value:
        hidden = ((x >> ops.Conv(weights(4, 3, 3, 3), (2, 2), (1, 1, 1, 1))) + weights(4, 1, 1)).relu()
        pooled = (hidden >> ops.Window((4, 4), (4, 4))).sum(-1, -2) * (1 / 16)
        return (pooled.reshape(-1) >> ops.Dense(weights(5, 64))) + weights(5)

    return trace(build, Input((3, 32, 32), -10.0, 10.0, None))


def in_the_clear(job: Job, arrays: Mapping[str, np.ndarray], receiver: str) -> dict[str, np.ndarray]:
    """What ``receiver`` gets when somebody trusted by all runs ``job``: the meaning that shares must not change."""
    variables: dict[str, np.ndarray] = {}
    revealed = {}
    for step in job.instructions:
        match step:
            case Share(name):
                job.check_array(name, arrays[name])
                variables[name] = arrays[name]
            case Run(program, inputs, outputs):
                made = evaluate(job.programs[program], *(variables[name] for name in inputs))
                variables |= dict(zip(outputs, made if len(outputs) > 1 else (made,), strict=True))
            case Reveal(name, receivers) if receiver in receivers:
                revealed[name] = variables[name]
    return revealed


def clear_job(
    extraction: Extraction, images: Mapping[str, Sequence[np.ndarray]], secrets: Mapping[str, np.ndarray] | None = None
) -> tuple[Job, tuple[ImageAnnouncement, ...], dict[str, np.ndarray]]:
    """The job, its announcements and all its arrays."""
    pairs = [announce(extraction, owner, own) for owner, own in images.items()]
    announcements = tuple(announcement for announcement, _ in pairs)
    arrays = dict(secrets or {})
    for announcement, cores in pairs:
        arrays |= shared_arrays(extraction, announcement, cores)
    return extraction_job(extraction, announcements, ABY3, PARTIES), announcements, arrays


def vectors(found: Sequence[Extracted]) -> dict[tuple[tuple[str, ...], int], np.ndarray]:
    return {(one.owners, one.index): one.vector for one in found}


def alone(feature: Feature, image: np.ndarray) -> np.ndarray:
    core = feature.before(image)
    return feature.after(evaluate(feature.program(core.shape), core))


@pytest.mark.parametrize("batch", [1, 2])
def test_every_owner_gets_the_features_of_its_own_images(batch):
    images = {"alice": PHOTOGRAPHS, "outsider": [PHOTOGRAPHS[1], PHOTOGRAPHS[0][:24]]}
    extraction = Extraction(HOG(), batch=batch)
    job, announcements, arrays = clear_job(extraction, images)
    assert job.outsiders == ("outsider",)
    for owner, own in images.items():
        found = extracted(extraction, announcements, in_the_clear(job, arrays, owner))
        assert [one.owners for one in found] == [(owner,)] * len(own)
        for one in found:
            np.testing.assert_allclose(one.vector, alone(HOG(), own[one.index]), atol=1e-6)
            assert len(one.names) == len(one.vector)
    assert in_the_clear(job, arrays, "carol") == {}
    runs = [step for step in job.instructions if isinstance(step, Run)]
    assert len(runs) == (5 if batch == 1 else 4) and len(job.programs) == (2 if batch == 1 else 3)


def test_receivers_are_who_the_extraction_says():
    extraction = Extraction(LBP(), receivers=("analyst", "bob"))
    job, announcements, arrays = clear_job(extraction, {"alice": PHOTOGRAPHS[:1]})
    assert [step.receivers for step in job.instructions if isinstance(step, Reveal)] == [("analyst", "bob")]
    assert in_the_clear(job, arrays, "alice") == {}
    for receiver in ("analyst", "bob"):
        (one,) = extracted(extraction, announcements, in_the_clear(job, arrays, receiver))
        np.testing.assert_array_equal(one.vector, alone(LBP(), PHOTOGRAPHS[0]))


def test_nothing_stays_behind():
    job, _, _ = clear_job(Extraction(LBP(), batch=2), {"alice": PHOTOGRAPHS, "bob": PHOTOGRAPHS[:1]})
    assert job.left == {}


def test_the_job_follows_from_the_announcements_alone():
    other = [255 - photograph for photograph in PHOTOGRAPHS]
    first, _, _ = clear_job(Extraction(HOG()), {"alice": PHOTOGRAPHS})
    second, _, _ = clear_job(Extraction(HOG()), {"alice": other})
    assert first.digest == second.digest
    for changed in (
        clear_job(Extraction(HOG(), receivers=("bob",)), {"alice": PHOTOGRAPHS}),
        clear_job(Extraction(HOG(orientations=8)), {"alice": PHOTOGRAPHS}),
        clear_job(Extraction(HOG()), {"bob": PHOTOGRAPHS}),
        clear_job(Extraction(HOG()), {"alice": PHOTOGRAPHS[:2]}),
    ):
        assert changed[0].digest != first.digest


def test_patches_of_key_points_are_shared_as_real_numbers():
    extraction = Extraction(SIFT(keypoints=3))
    job, announcements, arrays = clear_job(extraction, {"alice": [data.camera()[:128, 100:228]]})
    (source,) = job.sources.values()
    assert source.declared.step is None and arrays["alice.0"].dtype == np.float32
    (one,) = extracted(extraction, announcements, in_the_clear(job, arrays, "alice"))
    np.testing.assert_allclose(np.linalg.norm(one.vector.reshape(3, 128), axis=1), 1, atol=1e-5)


def test_a_split_image_is_one_image():
    extraction = Extraction(HOG(), split=ByTiles(1, 2))
    left, right = zip(*(ByTiles(1, 2).cut(photograph) for photograph in PHOTOGRAPHS), strict=True)
    job, announcements, arrays = clear_job(extraction, {"alice": left, "dave": right})
    for receiver in ("alice", "dave"):
        found = vectors(extracted(extraction, announcements, in_the_clear(job, arrays, receiver)))
        assert list(found) == [(("alice", "dave"), index) for index in range(3)]
        for (_, index), vector in found.items():
            np.testing.assert_array_equal(vector, alone(HOG(), PHOTOGRAPHS[index]))
    assert in_the_clear(job, arrays, "bob") == {}


@pytest.mark.parametrize("batch", [1, 2])
def test_a_secret_model_and_secret_images(batch):
    model = CNN(network(), mean=(0.5, 0.4, 0.3), std=0.25)
    extraction = Extraction(public_model(model), receivers=("alice",), batch=batch, model_owner="bob")
    job, announcements, arrays = clear_job(extraction, {"alice": PHOTOGRAPHS}, model_arrays(extraction, model))
    owners = {source.owner for name, source in job.sources.items() if name.startswith("model")}
    assert owners == {"bob"}
    found = vectors(extracted(extraction, announcements, in_the_clear(job, arrays, "alice")))
    for (_, index), vector in found.items():
        np.testing.assert_allclose(vector, alone(model, PHOTOGRAPHS[index]), rtol=1e-4, atol=1e-4)
    assert in_the_clear(job, arrays, "bob") == {} and job.left == {}


def test_neither_job_nor_announcement_holds_a_weight():
    models = [CNN(network(seed), std=0.25) for seed in (1, 2)]
    jobs = []
    for model in models:
        extraction = Extraction(public_model(model), receivers=("alice",), model_owner="bob")
        jobs.append(clear_job(extraction, {"alice": PHOTOGRAPHS}, model_arrays(extraction, model))[0])
    assert jobs[0].digest == jobs[1].digest
    for node in public_model(models[0]).program((3, 32, 32)).nodes:
        for array in (getattr(node.op, f.name) for f in dataclasses.fields(node.op)):
            assert not isinstance(array, np.ndarray) or np.unique(array).size == 1


def test_another_architecture_is_refused():
    extraction = Extraction(public_model(CNN(network())), model_owner="bob")
    with pytest.raises(ParameterError, match="another architecture"):
        model_arrays(extraction, CNN(network(), std=(0.2, 0.3, 0.4)))


def test_only_the_class_is_revealed():
    model = CNN(network(), std=0.25)
    extraction = Extraction(model, answer=FeatureOutput.LARGEST, batch=2)
    job, announcements, arrays = clear_job(extraction, {"alice": PHOTOGRAPHS})
    found = extracted(extraction, announcements, in_the_clear(job, arrays, "alice"))
    assert [one.vector.shape for one in found] == [(1,)] * 3 and found[0].names == ("largest",)
    expected = [np.argmax(alone(model, photograph)) for photograph in PHOTOGRAPHS]
    assert [int(one.vector[0]) for one in sorted(found, key=lambda one: one.index)] == expected


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(ParameterError, match="at least 1"):
        Extraction(HOG(), batch=0)
    with pytest.raises(ParameterError, match="one of the three"):
        Extraction(HOG(), batch=2, split=ByTiles())
    with pytest.raises(ParameterError, match="at least one, or None"):
        Extraction(HOG(), receivers=())
    with pytest.raises(ImageError, match="no image"):
        announce(Extraction(HOG()), "alice", [])
    twice = [ImageAnnouncement("alice", ((32, 32),))] * 2
    with pytest.raises(ParameterError, match="each once"):
        extraction_job(Extraction(HOG()), twice, ABY3, PARTIES)


@pytest.fixture(scope="module")
def on_shares() -> Iterator[Callable[[Job, Mapping[str, np.ndarray]], dict[str, np.ndarray]]]:
    """Runs jobs under ABY3 with three processes; parties are started once per fixed point."""
    pytest.importorskip("spu")
    from privis.run.mpc.runtime.local_parties import LocalParties

    with contextlib.ExitStack() as stack:
        started: dict[object, LocalParties] = {}

        def run(job: Job, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            if job.fixed not in started:
                started[job.fixed] = stack.enter_context(LocalParties(ABY3, job.fixed))
            return started[job.fixed].run(job, arrays)

        yield run


SHIFTED = [np.roll(PHOTOGRAPHS[0], shift, 1)[:24, :24] for shift in (0, 3, 7)]
SMALL = SHIFTED[0]


@pytest.mark.parametrize(
    ("feature", "split", "parts"),
    [
        (LBP(), ByChannels(), SMALL.transpose(2, 0, 1)),
        (ColourHistogram(bins=4), ByChannels(), SMALL.transpose(2, 0, 1)),
        (LBP(), ByTiles(1, 2), ByTiles(1, 2).cut(SMALL)),
        (LBP(), ByTiles(2, 1), ByTiles(2, 1).cut(SMALL)),
        (ColourHistogram(bins=4), ByExposures(), SHIFTED),
        (LBP(), ByTime(), SHIFTED[:2]),
        (LBP(), ByTime(OverTime.DIFFERENCE), SHIFTED[:2]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_split_images_on_shares_equal_the_clear_exactly(on_shares, feature, split, parts):
    images = {owner: [part] for owner, part in zip(("alice", "bob", "carol"), parts, strict=False)}
    extraction = Extraction(feature, split=split)
    job, announcements, arrays = clear_job(extraction, images)
    (got,) = extracted(extraction, announcements, on_shares(job, arrays))
    (expected,) = extracted(extraction, announcements, in_the_clear(job, arrays, "alice"))
    np.testing.assert_array_equal(got.vector, expected.vector)


def test_a_gradient_across_the_border_of_two_owners_on_shares(on_shares):
    extraction = Extraction(HOG(cell=8, block=2), split=ByTiles(1, 2))
    halves = dict(zip(("alice", "bob"), ([half] for half in ByTiles(1, 2).cut(PHOTOGRAPHS[0])), strict=True))
    job, announcements, arrays = clear_job(extraction, halves)
    (got,) = extracted(extraction, announcements, on_shares(job, arrays))
    np.testing.assert_allclose(got.vector, alone(HOG(cell=8, block=2), PHOTOGRAPHS[0]), atol=0.02)


def test_a_batch_on_shares(on_shares):
    extraction = Extraction(ColourHistogram(bins=4), batch=3)
    job, announcements, arrays = clear_job(extraction, {"alice": SHIFTED, "outsider": SHIFTED[:1]})
    found = extracted(extraction, announcements, on_shares(job, arrays))
    assert [(one.owners, one.index) for one in found] == [(("alice",), i) for i in range(3)] + [(("outsider",), 0)]
    for one in found:
        np.testing.assert_array_equal(one.vector, alone(ColourHistogram(bins=4), SHIFTED[one.index]))


@pytest.mark.parametrize("answer", list(FeatureOutput))
def test_a_secret_model_on_shares(on_shares, answer):
    model = CNN(network(), std=0.5)
    extraction = Extraction(public_model(model), ("alice",), batch=2, model_owner="bob", answer=answer)
    job, announcements, arrays = clear_job(extraction, {"alice": PHOTOGRAPHS[:2]}, model_arrays(extraction, model))
    found = vectors(extracted(extraction, announcements, on_shares(job, arrays)))
    for (_, index), vector in found.items():
        expected = alone(model, PHOTOGRAPHS[index])
        if answer is FeatureOutput.LARGEST:
            assert int(vector[0]) == np.argmax(expected)
        else:
            np.testing.assert_allclose(vector, expected, atol=2e-3 * np.abs(expected).max())


def test_key_points_are_found_on_shares(on_shares):
    """The only noise is fixed point's: positions are equal, strengths nearly."""
    image = resize(data.camera(), (56, 56))
    extraction = Extraction(SURFKeyPoints(keypoints=8))
    job, announcements, arrays = clear_job(extraction, {"alice": [image]})
    (got,) = extracted(extraction, announcements, on_shares(job, arrays))
    expected = alone(SURFKeyPoints(keypoints=8), image)
    found, there = got.vector.reshape(8, 4), expected.reshape(8, 4)
    assert len(key_points(expected)) >= 4
    np.testing.assert_allclose(found[:, :3], there[:, :3], atol=0.05)
    np.testing.assert_allclose(found[:, 3], there[:, 3], rtol=2e-3, atol=0.2)


def test_groups_hold_images_of_one_shape_and_owner():
    announcement = ImageAnnouncement("alice", ((8, 8), (9, 9), (8, 8), (8, 8)))
    found = groups(Extraction(HOG(), batch=2), [announcement])
    assert [(group.shapes[0], group.indices) for group in found] == [((8, 8), (0, 2)), ((8, 8), (3,)), ((9, 9), (1,))]
