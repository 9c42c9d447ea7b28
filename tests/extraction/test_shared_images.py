"""One image of two people is refused before anything is charged; one image of one person counts once."""

import itertools
import os
import shutil

import numpy as np
import pytest
from PIL import Image

import privis
from privis.errors import ImageError, ParameterError
from privis.extraction.contributions import NOBODY, contributions, image_identities
from privis.extraction.folder import extract_folder
from privis.extraction.images import repeatable
from privis.io.images.manifest import read_manifest, read_subjects
from privis.io.images.same_files import file_identity
from privis.privacy.ledger.budget import Budget, BudgetUnit, Per
from privis.privacy.ledger.ledger_protocol import WrittenLedger, budget_of

rng = np.random.default_rng(0)
FIRST, SECOND, THIRD = rng.integers(0, 256, (3, 8, 6, 3), dtype=np.uint8)
HISTOGRAM = privis.ColourHistogram(bins=2, density=True)
RELEASE = privis.FeatureRelease(privis.Laplace(1.0), clip=3.0)


def one_of(most):
    return privis.FeatureRelease(privis.Laplace(1.0), clip=3.0, unit=privis.Person(most))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """a.png, another spelling, links and a copy of it, and two other pictures, in the current folder."""
    for name, image in (("a", FIRST), ("b", SECOND), ("c", THIRD)):
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    (tmp_path / "deep").mkdir()
    (tmp_path / "link.png").symlink_to("a.png")
    (tmp_path / "there").symlink_to(".", target_is_directory=True)
    os.link(tmp_path / "a.png", tmp_path / "hard.png")
    shutil.copy(tmp_path / "a.png", tmp_path / "copy.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def ledger(tmp_path):
    return privis.FileLedger.create(tmp_path / "ledger", Budget(9.0, 1e-6, Per.SUBJECT, BudgetUnit.PERSON))


NAMES = ["a.png", "./a.png", "deep/../a.png", "link.png", "there/a.png", "hard.png", "copy.png"]


@pytest.mark.parametrize("name", NAMES)
def test_one_file_of_two_people_is_refused_whatever_it_is_called(folder, ledger, name):
    for release in (RELEASE, one_of(5)):
        for sources in (["b.png", "a.png", name], ["b.png", "a.png", str(folder / name)]):
            with pytest.raises(ParameterError) as caught:
                privis.extract(HISTOGRAM, sources, release=release, ledger=ledger, subjects=["ann", "ann", "bob"])
            with pytest.raises(ParameterError, match=r"ann\+bob"):
                output = folder / "t.npz"
                extract_folder(
                    HISTOGRAM, sources, output, release=release, ledger=ledger, subjects=["ann", "ann", "bob"]
                )
            for told in ("'ann'", "'bob'", "a.png", sources[2]):
                assert told in str(caught.value)
    assert list(ledger.charges()) == []
    assert not (folder / "t.npz").exists()


@pytest.mark.parametrize("name", NAMES)
def test_one_file_of_one_person_counts_once(folder, name):
    sources = ["a.png", name, "b.png"]
    kept = contributions(sources, ["ann"] * 3, one_of(1), repeatable=True)
    assert kept.beyond == {"b.png"}
    assert contributions(["b.png", *sources], ["ann"] * 4, one_of(1), repeatable=True).beyond == {"a.png", name}
    assert contributions(sources, ["ann"] * 3, one_of(2), repeatable=True).beyond == set()
    result = privis.extract(HISTOGRAM, sources[:2], release=one_of(1), subjects=["ann", "ann"])
    assert result.features.shape[0] == 2
    folder_result = extract_folder(HISTOGRAM, sources, folder / "t.npz", release=one_of(1), subjects=["ann"] * 3)
    assert [failure.path for failure in folder_result.outcome.failures] == ["b.png"]


def test_copies_count_once_only_where_they_are_one_release(folder):
    """Encrypted arithmetic errs differently each time, so a copy under it has other noise: another release."""

    pixels = privis.PixelRelease(privis.Laplace(1.0), unit=privis.Person(1))
    for release in (one_of(1), pixels):
        first, second = privis.extract(HISTOGRAM, [FIRST] * 2, release=release, subjects=["ann"] * 2).features
        assert np.array_equal(first, second)
    assert contributions(["a.png", "link.png"], ["ann"] * 2, one_of(1)).beyond == {"link.png"}
    assert not repeatable(one_of(1), privis.MPC()) and repeatable(pixels, privis.MPC())


class Charges:
    """How many releases there were of each person."""

    def __init__(self):
        self.given = {}

    def charge(self, record, guarantee, release_id, *, formerly=()):
        self.given.setdefault(record, set()).add(release_id)


class Cropped(privis.ColourHistogram):
    """Of a random part of the image: another vector for every copy."""

    def before(self, image):
        return super().before(image[: next(HEIGHTS)])


class Named(privis.ColourHistogram):
    """One vector for all copies, which nobody can know."""


HEIGHTS = itertools.cycle(range(2, 9))


def test_what_was_taken_for_a_copy_and_is_another_release_is_refused():
    """Copies count once because they are one release; where they are not, nobody gives more than they may."""
    grey = FIRST[:, :, 0]
    pixels = privis.PixelRelease(privis.Laplace(1.0), unit=privis.Person(1))
    for feature, release, images, most in (
        (privis.ColourHistogram(), pixels, [grey, np.dstack([grey] * 3)], 1),
        (Cropped(density=True), one_of(1), [FIRST] * 6, 1),
        (Cropped(density=True), one_of(2), [FIRST] * 6, 2),
    ):
        ledger = Charges()
        with pytest.raises(ImageError, match=f"already gave {most}"):
            privis.extract(feature, images, release=release, ledger=ledger, subjects=["ann"] * len(images))
        assert len(ledger.given["ann"]) == most
    one_picture = privis.extract(privis.ColourHistogram(), [grey] * 3, release=pixels, subjects=["ann"] * 3)
    assert len(np.unique(one_picture.features, axis=0)) == 1


def test_files_of_one_person_count_each_where_others_wrote_the_feature(folder):
    """Several processes cannot see whether copies are one release."""
    sources, subjects = ["a.png", "copy.png"], ["ann"] * 2
    for feature, release, rows in (
        (Named(density=True), one_of(1), 1),
        (Cropped(density=True), one_of(1), 1),
        (privis.Posted(Cropped(density=True), (privis.L2(),)), one_of(1), 1),
        (privis.Posted(HISTOGRAM, (privis.L2(),)), one_of(1), 2),
        (Cropped(), privis.PixelRelease(privis.Laplace(1.0), unit=privis.Person(1)), 2),
    ):
        result = extract_folder(feature, sources, folder / "t.npz", release=release, subjects=subjects)
        assert result.outcome.rows == rows


class Noting:
    """A ledger of a user's own that notes something and leaves the rest to another one."""

    def __init__(self, inner):
        self.inner = inner

    def __getattr__(self, name):
        return getattr(self.inner, name)


def test_a_ledger_of_people_that_is_wrapped_needs_ids_too(ledger):
    with pytest.raises(ParameterError, match="a subject for every image"):
        privis.extract(HISTOGRAM, [FIRST, SECOND], release=RELEASE, ledger=Noting(ledger))
    privis.extract(HISTOGRAM, [FIRST, SECOND], release=RELEASE, ledger=Noting(ledger), subjects=["ann"] * 2)
    assert ledger.spent("ann").charges == 2


def test_a_run_on_a_wrapped_ledger_is_taken_up_on_the_same_one(folder, ledger):
    """A ledger is asked for its identity and for its last entry, not for its class."""

    def interrupted(progress):
        if progress.done:
            raise KeyboardInterrupt

    options = {"release": RELEASE, "key_path": folder / "key", "subjects": ["ann", "bob"], "chunk": 1}
    sources, output = ["a.png", "b.png"], folder / "t.npz"
    with pytest.raises(KeyboardInterrupt, match="1 of 2"):
        extract_folder(HISTOGRAM, sources, output, ledger=Noting(ledger), on_progress=interrupted, **options)
    result = extract_folder(HISTOGRAM, sources, output, ledger=ledger, **options)
    assert (result.outcome.rows, result.outcome.resumed, ledger.verify().charges) == (2, 1, 2)
    assert isinstance(Noting(ledger), WrittenLedger) and not isinstance(Charges(), WrittenLedger)
    assert budget_of(Noting(ledger)) == ledger.budget and budget_of(Charges()) is None


def test_one_image_in_memory_of_two_people_is_refused(folder, ledger):
    copies = [
        FIRST,
        FIRST.copy(),
        np.asfortranarray(FIRST),
        Image.fromarray(FIRST),
        Image.fromarray(FIRST).convert("RGBA"),
        "a.png",
        folder / "copy.png",
    ]
    for other in copies:
        for sources in ([FIRST, SECOND, other], [other, SECOND, FIRST]):
            with pytest.raises(ParameterError, match=r"'ann' and .*'bob'"):
                subjects = ["ann", "ann", "bob"]
                privis.extract(HISTOGRAM, sources, release=RELEASE, ledger=ledger, subjects=subjects)
            assert contributions(["x", "y", "z"], ["ann"] * 3, one_of(1), None, sources, True).beyond == {"y"}
    assert list(ledger.charges()) == []
    grey = FIRST[:, :, 0]
    with pytest.raises(ParameterError, match="image 1, the same image"):
        privis.extract(privis.LBP(), [grey, grey[:, :, None]], release=RELEASE, subjects=["ann", "bob"])


def test_a_picture_that_lies_on_its_side_is_the_same_in_memory(folder):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(FIRST).save("turned.png", exif=exif)
    upright = np.rot90(FIRST, -1)
    with pytest.raises(ParameterError, match="turned"):
        privis.extract(HISTOGRAM, ["turned.png", upright], release=RELEASE, subjects=["ann", "bob"])


def test_all_shared_images_are_named_at_once(folder):
    with pytest.raises(ParameterError) as caught:
        privis.extract(
            HISTOGRAM,
            ["a.png", "b.png", "link.png", "./b.png", "c.png", "hard.png"],
            release=RELEASE,
            subjects=["ann", "ann", "bob", "eve", "eve", "eve"],
        )
    assert len(caught.value.problems) == 2


def test_other_images_of_other_people_pass(folder, ledger):
    sources = ["a.png", "b.png", SECOND[::-1], THIRD, "link.png"]
    subjects = ["ann", "bob", "eve", "kim", "ann"]
    privis.extract(HISTOGRAM, sources, release=RELEASE, ledger=ledger, subjects=subjects)
    assert [ledger.spent(name).charges for name in ("bob", "eve", "kim")] == [1, 1, 1]
    privis.extract(HISTOGRAM, ["b.png"], release=RELEASE, ledger=ledger, subjects=["ann+bob"])
    assert privis.extract(HISTOGRAM, ["a.png", "copy.png"], subjects=["ann", "bob"]).features.shape[0] == 2  # exact


def test_a_file_called_like_an_image_in_memory_is_not_taken_for_it(folder):
    Image.fromarray(THIRD).save("image 1", format="PNG")
    for release in (RELEASE, None):
        with pytest.raises(ParameterError, match="image 1"):
            privis.extract(HISTOGRAM, ["image 1", FIRST], release=release, subjects=["ann", "bob"])


def test_only_files_of_one_size_are_opened(folder, monkeypatch):
    (folder / "longer.png").write_bytes((folder / "b.png").read_bytes() + b"!")
    opened = []

    def never(path, *_):
        opened.append(path)
        raise OSError

    monkeypatch.setattr("builtins.open", never)
    assert len(set(image_identities(["a.png", "link.png", "hard.png", "longer.png"]))) == 2
    assert opened == []
    image_identities(["a.png", "copy.png", "longer.png"])
    assert opened == ["a.png", "copy.png"]


def test_what_cannot_be_read_is_itself(folder):
    os.mkfifo("pipe.png")
    (folder / "empty.png").touch()
    (folder / "void.png").touch()
    (folder / "loop.png").symlink_to("loop.png")
    sources = [
        "no.png",
        "./no.png",
        "other.png",
        "pipe.png",
        "empty.png",
        "void.png",
        "deep",
        "loop.png",
        "a\0b",
        None,
        3,
    ]
    assert len(set(image_identities(sources))) == len(sources) - 1
    assert file_identity("no.png") == file_identity("there/no.png")


def test_nobody_is_named_or_everybody():
    assert NOBODY.admit("a") is None
    assert contributions(["a"], ["0"], RELEASE).admit("a") == "0"
    assert contributions(["a"], [0], RELEASE).admit("a") == "0"


def listed(folder, *rows):
    path = folder / "images.csv"
    path.write_text("\n".join(["path,who", *rows]), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", NAMES[:-1])
def test_a_list_with_one_file_of_two_people_is_refused(folder, name):
    for read in (read_subjects, read_manifest):
        with pytest.raises(ParameterError, match=r"line 4: .*'ann' and .*'bob'"):
            read(listed(folder, "a.png,ann", "b.png,ann", f"{name},bob"), "who")
        once = read(listed(folder, "a.png,ann", "b.png,bob", f"{name},ann"), "who")
        assert once.paths == (str(folder / "a.png"), str(folder / "b.png"))
    assert read_manifest(listed(folder, "a.png,ann", f"{name},bob"), "path").paths == (str(folder / "a.png"),)


def test_ids_of_one_form_are_one_person_of_a_list(folder):
    assert read_subjects(listed(folder, "a.png,Ame\u0301lie", "link.png,Am\u00e9lie"), "who").subjects == (
        "Am\u00e9lie",
    )


def test_what_is_lent_to_jobs_and_trained_on_is_of_one_person(folder):
    from privis.cli.files.labels import subjects_of
    from privis.cli.joint.datasets import Reading
    from privis.parties.job.task import LocalData

    path = listed(folder, "a.png,ann", "copy.png,bob", "b.png,bob")
    with pytest.raises(ParameterError, match=r"ann\+bob"):
        Reading(None, None).rows(LocalData("x", images=path), "who")
    with pytest.raises(ParameterError, match=r"ann\+bob"):
        subjects_of(path, "who", folder / "table.npz", ("a.png", "copy.png"))
    found = subjects_of(path, "who", folder / "table.npz", ("link.png", str(folder / "b.png")))
    assert found == ["ann", "bob"]


def test_the_second_image_of_a_person_is_still_beyond(folder):
    with pytest.raises(ImageError) as caught:
        privis.extract(HISTOGRAM, [FIRST, SECOND, FIRST], release=one_of(1), subjects=["ann"] * 3)
    assert [problem.where for problem in caught.value.problems] == ["image 1"]
