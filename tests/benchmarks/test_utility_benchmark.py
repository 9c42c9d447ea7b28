"""The utility benchmark, tiny: epsilons are honest, splits disjoint, and choices made on public images alone."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.privacy import utility
from benchmarks.privacy.utility import SOURCES, Ridge, Source, chosen, measured, prepared, run, split
from privis.privacy import ReleaseKey

CLASSES = 4


@pytest.fixture(scope="module")
def bars(tmp_path_factory):
    """Four classes of noisy bars, 28 x 28: 240 training images and 80 test images."""
    rng = np.random.default_rng(0)
    labels = np.arange(320) % CLASSES
    images = rng.integers(0, 60, (320, 28, 28))
    for image, label in zip(images, labels, strict=True):
        at = 4 + rng.integers(0, 3)
        strip = (slice(at, at + 8), slice(None)) if label % 2 else (slice(None), slice(at, at + 8))
        image[strip] += 150
        image[:] = image if label < 2 else image[::-1, ::-1]
    path = tmp_path_factory.mktemp("bars") / "bars.npz"
    x = images.astype(np.uint8)
    np.savez(path, x_train=x[:240], y_train=labels[:240], x_test=x[240:], y_test=labels[240:])
    return Source("bars", path, 140, 100, 80)


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Choose quickly."""
    monkeypatch.setattr(utility, "LEAST_RELEASED", 200)


def lines(source, mechanism):
    return [index for index, line in enumerate(prepared(source)[1]) if line.mechanism == mechanism]


def test_every_line_is_at_its_whole_image_epsilon(bars):
    parts, table = prepared(bars)
    promises = [table[index].routes[0].guarantee(parts.test) for index in lines(bars, "pixels, Laplace")]
    assert [(promise.epsilon, promise.whole_image_epsilon) for promise in promises] == [
        (0.1, pytest.approx(78.4)), (0.5, 392), (1.0, 784), (4.0, 3136), (16.0, 12544), (16.0, 16.0)
    ]  # fmt: skip
    assert promises[-1].unit == "whole image"
    for line in table:
        for route in line.routes:
            promise = route.guarantee(parts.test)
            if "HOG →" in line.mechanism:
                assert promise.whole_image_epsilon == pytest.approx(promise.epsilon)
            elif promise is not None:
                assert promise.whole_image_epsilon >= promise.epsilon


def test_accuracy_follows_what_the_noise_leaves(bars):
    exact = measured(bars, 0, keys=1)
    loud = measured(bars, lines(bars, "pixels, Laplace")[-1], keys=2)
    word = measured(bars, lines(bars, "HOG → PCA-32 → one of k words, randomised response")[-1], keys=2)
    assert exact.noised == exact.clean and exact.noised[0] > 0.95
    assert word.epsilon == loud.epsilon == word.whole_image_epsilon == loud.whole_image_epsilon == 16
    assert max(loud.noised) < 0.5 < 0.9 < min(word.noised)


def test_public_training_and_test_images_are_disjoint(bars):
    parts = split(bars)
    pictures = [{image.tobytes() for image in part.images} for part in (parts.public, parts.train, parts.test)]
    assert [len(part) for part in pictures] == [100, 140, 80]
    assert len(set.union(*pictures)) == 320


def test_a_set_of_ones_own_is_split_without_overlap(bars):
    mine = utility.own(bars.path)
    assert (mine.name, mine.train, mine.public, mine.test) == ("bars", 160, 80, 80)
    parts = split(mine)
    assert not {image.tobytes() for image in parts.train.images} & {image.tobytes() for image in parts.public.images}
    assert list(run([mine], only="no such line")) == []


def test_nothing_is_chosen_on_training_or_test_images(bars):
    """Public labels without a meaning: then the choice has none either, whatever the private images say."""
    parts, table = prepared(bars)
    words = [index for index, line in enumerate(table) if "PCA-32" in line.mechanism][-1]
    senseless = replace(parts.public, labels=np.zeros_like(parts.public.labels))
    first, shrinkage = chosen(table[words], senseless)
    assert first is table[words].routes[0] and shrinkage == utility.SHRINKAGES[0]


def test_a_choice_does_not_hang_on_one_release_of_few_images(bars, monkeypatch):
    monkeypatch.setattr(utility, "LEAST_RELEASED", 250)
    parts, table = prepared(bars)
    route, keys = table[lines(bars, "pixels, Laplace")[0]].routes[0], []

    class Watched:
        guarantee = route.guarantee

        def released(self, part, key):
            keys.append(key)
            return route.released(part, key)

    chosen(replace(table[0], routes=(Watched(), Watched())), parts.public)
    assert len(parts.public.labels) == 100 and len(keys) == 6  # three releases for each of two ways
    assert len({id(key) for key in keys[:3]}) == 3 and not np.array_equal(
        *(route.released(parts.test, k) for k in keys[:2])
    )


def test_each_key_is_another_release(bars):
    parts, table = prepared(bars)
    route = next(line for line in table if "LDA" in line.mechanism).routes[0]
    keys = ReleaseKey.generate(), ReleaseKey.generate()
    once, again, other = (route.released(parts.test, key) for key in (keys[0], keys[0], keys[1]))
    assert np.array_equal(once, again) and not np.array_equal(once, other)
    first = route.released(parts.train, keys[0])
    assert not np.array_equal(first[:80], once)


def test_noise_does_not_favour_large_classes():
    """Three times as many of one class: a query between the two means is still undecided."""
    rng = np.random.default_rng(1)
    labels = np.array([0] * 3000 + [1] * 1000)
    values = rng.normal(0, 5, (4000, 4)) + np.where(labels, 1.0, -1.0)[:, None]
    model = Ridge.fit(values, labels, 0.1)
    queries = np.array([[0.8] * 4, [-0.8] * 4])
    assert model.accuracy(queries, np.array([1, 0])) == 1.0


def test_real_images_when_they_are_there(shared):
    found = list(run([SOURCES[0]], images=1000, keys=2, only="LDA-9, PrivUnit"))
    assert [row.epsilon for row in found] == [1, 2, 4, 8, 16]
    assert all(len(row.noised) == 2 for row in found)
    means = [np.mean(row.noised) for row in found]
    assert means[0] < 0.3 < 0.7 < means[-1]
    assert str(found[0]).startswith("| HOG → LDA-9, PrivUnit | 1 | whole image | 1 |")
