"""Objects of a store give the rows that their files give, and nothing secret gets out, whatever the store does."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from privis.errors import ImageError, ParameterError, PrivisError
from privis.extraction.contributions import image_identities
from privis.extraction.folder import FolderResult, extract_folder
from privis.features import LBP
from privis.io import tables
from privis.io.images.sources import find
from privis.io.objects import object_store
from privis.io.objects.any_source import AnySource, ReadAhead
from privis.io.objects.object_store import Patience, bucket_and_key, read_object
from privis.io.objects.source_bytes import SourceBytes
from tests.io.objects.conftest import SECRET
from tests.io.objects.store_servers import BUCKET, Faults, jpeg, tar_of

Put = Callable[[str, bytes], object]
HERE = f"s3://{BUCKET}"


def _rows(output: Path) -> dict[str, bytes]:
    table = tables.read(output)
    return {Path(path).name: vector.tobytes() for path, vector in zip(table.paths, table.features, strict=True)}


def _extract(sources: tuple[str, ...], output: Path, **options) -> FolderResult:
    return extract_folder(LBP(), sources, output, **options)


def test_names_of_buckets_folders_and_globs(faults: Faults, put: Put) -> None:
    for key in ("a/1.jpg", "a/b/2.JPG", "a/b/notes.txt", "a/.hidden/3.jpg", "ab/4.png", "a/#6 ü.jpg"):
        put(key, b"x")
    found = {name: find([f"{HERE}{name}"]) for name in ("/a/", "", "/a/*.jpg", "/**/*.jpg", "/a?/*", "/a/b/notes.txt")}
    names = {name: [path.removeprefix(f"{HERE}/") for path in paths] for name, paths in found.items()}
    assert names == {
        "/a/": ["a/#6 ü.jpg", "a/1.jpg", "a/b/2.JPG"],
        "": ["a/#6 ü.jpg", "a/1.jpg", "a/b/2.JPG", "ab/4.png"],
        "/a/*.jpg": ["a/#6 ü.jpg", "a/1.jpg"],
        "/**/*.jpg": ["a/#6 ü.jpg", "a/1.jpg"],
        "/a?/*": ["ab/4.png"],
        "/a/b/notes.txt": ["a/b/notes.txt"],
    }
    with pytest.raises(ParameterError, match="no image"):
        find([f"{HERE}/nothing/"])
    with pytest.raises(ParameterError, match="no such object or bucket"):
        find(["s3://no-such-bucket/a/"])
    assert bucket_and_key("S3://b") == ("s3://b", "")


def test_every_spelling_of_an_object_is_one_source(faults: Faults, put: Put) -> None:
    for key in ("a/b[1].jpg", "a/b1.jpg", "a/c*.jpg", "a/cd.jpg"):
        put(key, key.encode())
    upper = HERE.replace("s3:", "S3:")
    assert find([f"{upper}/a/b1.jpg", f"{HERE}/a/b?.jpg", f"{upper}/a/*1.jpg"]) == (f"{HERE}/a/b1.jpg",)
    for key in ("a/b[1].jpg", "a/c*.jpg"):  # keys are written as they are
        assert find([f"{HERE}/{key}"]) == (f"{HERE}/{key}",)
        assert AnySource().read(f"{HERE}/{key}").data == key.encode()
    for key in ("/a/b1.jpg", "a//b1.jpg", "a/../b1.jpg"):  # obstore reads a/b1.jpg for the first
        with pytest.raises(ImageError, match="an empty part"):
            AnySource().read(f"{HERE}/{key}")


def test_equal_bytes_are_one_image_wherever_they_are(
    faults: Faults, put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for key, number in (("a.jpg", 1), ("b/a.jpg", 1), ("c.jpg", 2)):
        put(key, jpeg(number))
    Path("f.jpg").write_bytes(jpeg(1))
    Path("s.tar").write_bytes(tar_of([("m.jpg", jpeg(1)), ("n.jpg", jpeg(2))]))
    same = [f"{HERE}/a.jpg", f"{HERE}/b/a.jpg", "f.jpg", "s.tar#member=m.jpg"]
    others = [f"{HERE}/c.jpg", "s.tar#member=n.jpg"]
    found = image_identities([*same, *others, f"{HERE}/none.jpg"])
    assert len(set(found[:4])) == 1 and len(set(found[4:6])) == 1 and len(set(found)) == 3


def test_a_shard_that_could_not_be_listed_says_why(faults: Faults, put: Put) -> None:
    assert find([f"{HERE}/none.tar"]) == (f"{HERE}/none.tar",)
    with pytest.raises(ImageError, match="no such object or bucket"):
        AnySource().read(f"{HERE}/none.tar")
    put("none.tar", tar_of([("a.jpg", jpeg(0))]))
    with pytest.raises(ImageError, match="run the same command again"):
        AnySource().read(f"{HERE}/none.tar")


def test_rows_are_those_of_files_and_failures_are_listed(faults: Faults, put: Put, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    for number in range(12):
        data = jpeg(number) if number != 7 else b"no picture"
        put(f"in/{number:02}.jpg", data)
        (tmp_path / "files" / f"{number:02}.jpg").write_bytes(data)
    faults.plan = {
        "/03.jpg": [503, 500, None],
        "/04.jpg": [429, None],
        "/05.jpg": ["cut", None],
        "/06.jpg": ["stall", None],
        "/08.jpg": [503],
        "/09.jpg": [403],
        "/10.jpg": ["cut"],
        "/11.jpg": ["stall"],
    }
    remote = _extract((*find([f"{HERE}/in/"]), f"{HERE}/in/gone.jpg"), tmp_path / "remote.npz", chunk=5)
    _extract(find([str(tmp_path / "files")]), tmp_path / "local.npz")
    rows, wanted = _rows(tmp_path / "remote.npz"), _rows(tmp_path / "local.npz")
    assert sorted(rows) == [f"{number:02}.jpg" for number in range(7)]
    assert all(wanted[name] == row for name, row in rows.items())
    reasons = {failure.path.rpartition("/")[2]: failure.reason for failure in remote.outcome.failures}
    for name, word in {
        "07.jpg": "no known image format",
        "08.jpg": "503",
        "09.jpg": "no permission",
        "10.jpg": "",
        "11.jpg": "",
        "gone.jpg": "no such object",
    }.items():
        assert word in reasons.pop(name)
    assert not reasons
    assert faults.seen["/08.jpg"] >= 4 and faults.seen["/09.jpg"] <= 4


def test_waits_grow_between_retries(faults: Faults, put: Put) -> None:
    put("a.jpg", b"abc")
    faults.plan = {"/a.jpg": [503, 503, 503, 503, None]}
    assert read_object(f"{HERE}/a.jpg", Patience(8, 0.05, 2.0, 5.0)).data == b"abc"
    assert faults.seen["/a.jpg"] == 5


def test_identity_is_the_content_and_no_etag(faults: Faults, put: Put, tmp_path: Path) -> None:
    for number in range(4):
        put(f"{number}.jpg", jpeg(number))
    sources, output = find([HERE]), tmp_path / "t.npz"
    faults.etags = {"/1.jpg": '"same"'}

    def stop(progress) -> None:
        if progress.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _extract(sources, output, chunk=1, on_progress=stop)
    put("1.jpg", jpeg(9))  # another content under the etag that it had
    put("0.jpg", jpeg(0))
    faults.etags["/0.jpg"] = '"another"'  # the same content under another one
    result = _extract(sources, output, chunk=1)
    assert result.outcome.resumed == 1 and result.outcome.rows == 4
    _extract(find([HERE]), tmp_path / "fresh.npz")
    assert _rows(output) == _rows(tmp_path / "fresh.npz")


def test_an_object_that_comes_back_is_read_when_a_run_goes_on(faults: Faults, put: Put, tmp_path: Path) -> None:
    for number in range(3):
        put(f"{number}.jpg", jpeg(number))
    sources, output = find([HERE]), tmp_path / "t.npz"
    faults.plan = {"/0.jpg": [503]}

    def stop(progress) -> None:
        if progress.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _extract(sources, output, chunk=1, on_progress=stop)
    faults.plan = {}
    result = _extract(sources, output, chunk=1)
    assert (result.outcome.rows, result.outcome.resumed) == (3, 1)


def test_no_secret_gets_out(
    faults: Faults, put: Put, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    put("a.jpg", jpeg(1))
    put("b.jpg", jpeg(2))
    faults.plan = {"/b.jpg": [503]}  # whose answer quotes the request's signature
    _extract(find([HERE]), tmp_path / "t.parquet")
    faults.plan = {"/b.jpg": [403]}
    with pytest.raises(ImageError) as caught:
        AnySource().read(f"{HERE}/b.jpg")
    out = "".join(capfd.readouterr()) + caplog.text + str(caught.value) + repr(caught.value.__cause__)
    out += "".join(path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file())
    assert not any(word in out for word in (SECRET, "AKIASENTINEL", "Signature", "AWS4"))


@pytest.mark.parametrize(
    "name",
    [
        f"s3://AKIASENTINEL:{SECRET.replace('/', '%2F')}@{BUCKET}/a.jpg",
        f"https://host/a.jpg?X-Amz-Credential=AKIASENTINEL&X-Amz-Signature={SECRET}",
        f"https://account.blob.example.org/c/a.jpg?sv=2024&sig={SECRET}",
        f"https://ann:{SECRET.replace('/', '%2F')}@host/a.jpg",
    ],
)
def test_names_with_credentials_are_refused_and_not_repeated(name: str, tmp_path: Path) -> None:
    for call in (
        lambda: find([name]),
        lambda: find(["-"], _text(name)),
        lambda: _extract((name,), tmp_path / "t.npz"),
        lambda: AnySource().read(name),
    ):
        with pytest.raises(PrivisError, match="credentials in a name") as caught:
            call()
        words = str(caught.value)
        assert "SENTINEL" not in words.upper() and "sentinel" not in json.dumps([str(p) for p in caught.value.problems])
    assert not list(tmp_path.iterdir())


def _text(line: str):
    import io

    return io.StringIO(line + "\n")


def test_reading_ahead_is_bounded_and_in_order() -> None:
    class Reader:
        def __init__(self) -> None:
            self.asked: list[str] = []

        def read(self, name: str) -> SourceBytes:
            self.asked.append(name)
            if name == "3":
                raise ImageError()
            return SourceBytes(name, name.encode() * (40 << 20 if name in "01" else 1))

    reader, names = Reader(), [str(number) for number in range(40)]
    with ReadAhead(names, reader) as ahead:
        assert ahead.read("0").name == "0" and len(reader.asked) <= 9
        with pytest.raises(ImageError):
            ahead.read("3")
        assert [ahead.read(name).name for name in names[4:20]] == names[4:20]
        assert len(reader.asked) <= 29
        assert ahead.read("0").name == "0"


def test_a_profile_gives_the_credentials(
    faults: Faults, put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("a.jpg", jpeg(1))
    (tmp_path / "credentials").write_text(
        f"[work]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = {SECRET}\n"
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert AnySource().read(f"{HERE}/a.jpg").data == jpeg(1)
    object_store._store.cache_clear()
    monkeypatch.setenv("AWS_PROFILE", "none")
    with pytest.raises(ImageError, match="AWS_PROFILE"):
        AnySource().read(f"{HERE}/a.jpg")
