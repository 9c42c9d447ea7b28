"""The tasks that job files name: what each owner prepares, the job all build, what a receiver reads; in the clear.

Answers for `privis.cli.joint.extract`, `privis.cli.joint.options` and `privis.cli.joint.train`; matching has a file
of its own beside this one.
"""

import numpy as np
import pytest
from PIL import Image

from privis import ReleaseKey
from privis.cli.joint import TASKS
from privis.errors import ImageError, ParameterError
from privis.io import tables
from privis.joint.runners import InTheClear
from privis.parties.job.specification import Specification, Use
from privis.parties.job.task import AgreedJob, LocalData, PrivateState
from privis.run.mpc.job import Reveal

PARTIES = ("a", "b", "c")
KEYS = {}


def played(specification, lent):
    """Run a specification as its members would, without protection; returns the job and everyone's outputs."""
    task = TASKS[specification.task]
    prepared = {name: task.prepare(specification, name, lent[name]) for name in specification.inputs}
    announcements = {name: one.announcement for name, one in prepared.items()}
    job = task.build(specification, announcements)
    assert task.build(specification, announcements).digest == job.digest
    releasing = task.releasing(specification)
    homes = {}
    for member in specification.members:
        own = {name: prepared[name] for name, use in specification.inputs.items() if use.owner == member}
        homes[member] = PrivateState(member, own, KEYS.setdefault(member, ReleaseKey.generate()))
    pledges = {m: dict(releasing.pledge(announcements, state)) if releasing else {} for m, state in homes.items()}
    agreed = AgreedJob(specification, announcements, job, pledges)
    arrays = {name: array for one in prepared.values() for name, array in one.arrays.items()}
    for state in homes.values():
        arrays |= task.draw(agreed, state)
    revealed = InTheClear()(job, arrays)
    outputs = {}
    for member in specification.members:
        mine = {s.name: revealed[s.name] for s in job.instructions if isinstance(s, Reveal) and member in s.receivers}
        own = {name: prepared[name].labels for name, use in specification.inputs.items() if use.owner == member}
        outputs[member] = task.finish(agreed, member, own, mine) if mine else {}
    return job, outputs


def table(path, vectors, names):
    columns = [f"v{i}" for i in range(vectors.shape[1])]
    tables.write(path, names, [vectors.astype(np.float32)], names=columns, metadata={})
    return LocalData(path.stem, table=path)


def test_statistics_over_owners_equal_those_of_all_rows_together(tmp_path):
    rows = {"x": np.random.default_rng(0).uniform(-2, 2, (50, 3)), "y": np.random.default_rng(1).uniform(-2, 2, (7, 3))}
    lent = {
        name: table(tmp_path / f"{name}.npz", value, [str(i) for i in range(len(value))])
        for name, value in rows.items()
    }
    inputs = {"x": Use("a", "x"), "y": Use("b", "y")}
    options = {"statistic": "covariance", "bound": 2}
    specification = Specification("cov", "statistics", PARTIES, inputs, {"result": ("c",)}, options)
    _, outputs = played(specification, lent)
    together = np.concatenate(list(rows.values()))
    assert outputs["a"] == outputs["b"] == {} and outputs["c"]["result"]["images"] == 57
    np.testing.assert_allclose(outputs["c"]["result"]["mean"], together.mean(0), atol=1e-4)
    np.testing.assert_allclose(outputs["c"]["result"]["covariance"], np.cov(together.T, bias=True), atol=1e-3)


def test_pictures_held_in_parts_need_all_owners(tmp_path):
    pixels = np.random.default_rng(5).integers(0, 256, (16, 16), dtype=np.uint8)
    for name, part in (("top", pixels[:8]), ("bottom", pixels[8:])):
        (tmp_path / name).mkdir()
        Image.fromarray(part).save(tmp_path / name / "scan.png")
    inputs = {"upper": Use("a", "scans"), "lower": Use("b", "scans")}
    options = {"feature": "lbp", "split": ["tiles", "rows=2", "columns=1"]}
    specification = Specification("scan", "extract", PARTIES, inputs, {"features": ("owner",)}, options)
    lent = {
        "upper": LocalData("scans", images=tmp_path / "top"),
        "lower": LocalData("scans", images=tmp_path / "bottom"),
    }
    job, outputs = played(specification, lent)
    from privis import LBP, extract

    for owner in ("a", "b"):
        np.testing.assert_array_equal(outputs[owner]["features"].features, extract(LBP(), [pixels]).features)
    assert outputs["c"] == {} and len(job.sources) == 2


def test_receivers_of_features_are_those_of_the_job_file(tmp_path):
    for owner in ("x", "y"):
        (tmp_path / owner).mkdir()
        Image.fromarray(np.full((8, 8), 7, np.uint8)).save(tmp_path / owner / f"{owner}.png")
    inputs = {"left": Use("a", "x"), "right": Use("d", "y")}
    lent = {"left": LocalData("x", images=tmp_path / "x"), "right": LocalData("y", images=tmp_path / "y")}
    for words, counts in (
        (("owner",), (1, 0, 0, 1)),
        (("b",), (0, 2, 0, 0)),
        (("all",), (2, 2, 2, 2)),
        (("owner", "c"), (1, 0, 2, 1)),
    ):
        receivers = {"features": words}
        _, outputs = played(Specification("f", "extract", PARTIES, inputs, receivers, {"feature": "lbp"}), lent)
        assert tuple(len(outputs[m]["features"].paths) if outputs[m] else 0 for m in ("a", "b", "c", "d")) == counts


def test_options_that_do_not_fit_are_refused_all_at_once(tmp_path):
    inputs = {"x": Use("a", "x")}
    wrong = Specification(
        "f", "extract", PARTIES, inputs, {"colours": ("a",)}, {"split": ["halves"], "speed": 1}, release={"epsilon": 1}
    )
    with pytest.raises(ParameterError) as error:
        TASKS["extract"].build(wrong, {})
    for part in ("feature: got nothing", "split: got 'halves'", "speed: got a key", "release: got one", "got colours"):
        assert part in str(error.value)
    (tmp_path / "x").mkdir()
    for name in ("one", "two"):
        (tmp_path / "x" / f"{name}.png").write_bytes(b"no picture")
    good = Specification("f", "extract", PARTIES, inputs, {"features": ("a",)}, {"feature": "lbp"})
    with pytest.raises(ImageError) as error:
        TASKS["extract"].prepare(good, "x", LocalData("x", images=tmp_path / "x"))
    assert len(error.value.problems) == 2


def test_wrong_options_of_statistics_and_training_are_refused_all_at_once():
    inputs = {"x": Use("a", "x")}
    release = {"epsilon": -1, "noise": "salt", "unit": "pixels:3", "kilos": 1}
    for task, options, parts in (
        (
            "statistics",
            {"statistic": "median"},
            ("statistic: got 'median'", "receivers: got colours", "clip: got nothing"),
        ),
        ("train", {"hidden": [3]}, ("classes: got None", "no hidden layers", "receivers: got colours")),
    ):
        wrong = Specification("f", task, PARTIES, inputs, {"colours": ("a",)}, options, release=release)
        with pytest.raises(ParameterError) as error:
            TASKS[task].releasing(wrong)
        for part in (*parts, "corpus: got nothing", "epsilon", "noise: got 'salt'", "unit: got", "kilos: got a key"):
            assert part in str(error.value), (part, str(error.value))
    mine = Specification("f", "statistics", PARTIES, inputs, {"result": ("owner",)}, {"statistic": "mean", "bound": 1})
    with pytest.raises(ParameterError, match="about all owners together"):
        TASKS["statistics"].releasing(mine)


def test_class_means_and_histograms_of_columns_pictures_and_arrays(tmp_path):
    """Classes from a table's column, from the CSV file that lists pictures, and from an npz file's array."""
    random = np.random.default_rng(0)
    values, labels = random.uniform(-1, 1, (9, 16)), np.arange(9) % 3
    pixels = random.integers(0, 256, (4, 4, 4), dtype=np.uint8)
    rows = ["path,label"]
    for i, picture in enumerate(pixels):
        Image.fromarray(picture).save(tmp_path / f"{i}.png")
        rows.append(f"{i}.png,{i % 2}")
    (tmp_path / "pictures.csv").write_text("\n".join(rows))
    np.savez(tmp_path / "arrays.npz", features=values * 100, label=labels)
    columns = [*(f"v{i}" for i in range(16)), "label"]
    together = np.column_stack([values, labels]).astype(np.float32)
    tables.write(tmp_path / "t.parquet", [str(i) for i in range(9)], [together], names=columns, metadata={})
    lent = {
        "x": LocalData("x", table=tmp_path / "t.parquet"),
        "y": LocalData("y", images=tmp_path / "pictures.csv"),
        "z": LocalData("z", arrays=tmp_path / "arrays.npz"),
    }
    inputs = {"x": Use("a", "x"), "y": Use("d", "y"), "z": Use("a", "z")}
    options = {"statistic": "class-means", "bound": 255, "classes": 3}
    asked = Specification("c", "statistics", PARTIES, inputs, {"result": ("all",)}, options)
    _, outputs = played(asked, lent)
    everything = np.concatenate([values, pixels.reshape(4, -1), values * 100])
    classes = np.concatenate([labels, np.arange(4) % 2, labels])
    for member in "abcd":
        found = outputs[member]["result"]
        assert found["counts"].tolist() == np.bincount(classes).tolist()
        means = [everything[classes == c].mean(0) for c in range(3)]
        np.testing.assert_allclose(found["means"], means, atol=5e-3)


@pytest.mark.parametrize("noise", ["gaussian", "laplace"])
def test_released_histograms_and_means_are_near_the_clear_ones(tmp_path, noise):
    values = np.random.default_rng(0).uniform(0, 1, (500, 2)).astype(np.float32)
    person = np.arange(500) // 2
    np.savez(tmp_path / "x.npz", features=values, person=person)
    lent = {name: LocalData(name, arrays=tmp_path / "x.npz", subject="person") for name in "xy"}
    inputs = {"x": Use("a", "x"), "y": Use("d", "y")}
    release = {"corpus": "c", "epsilon": 4.0, "noise": noise} | ({"delta": 1e-6} if noise == "gaussian" else {})
    options = {"statistic": "histogram", "edges": [0.25, 0.5]}
    asked = Specification("h", "statistics", PARTIES, inputs, {"result": ("b",)}, options, release=release)
    _, outputs = played(asked, lent)
    clear = [np.bincount(np.searchsorted([0.25, 0.5], column, "right"), minlength=3) * 2 for column in values.T]
    noisy = outputs["b"]["result"]["histogram"]
    assert np.abs(noisy - clear).max() < 60 and (noisy != clear).any()
    release |= {"clip": 2.0, "unit": "person:4"}
    asked = Specification(
        "m", "statistics", PARTIES, inputs, {"result": ("b",)}, {"statistic": "mean"}, release=release
    )
    _, outputs = played(asked, lent)
    np.testing.assert_allclose(outputs["b"]["result"]["mean"], values.mean(0), atol=0.25)
