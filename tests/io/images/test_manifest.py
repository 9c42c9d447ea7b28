"""Lists of images with their subjects."""

import pytest

from privis.errors import ParameterError
from privis.io.images.manifest import read_manifest


def write(folder, text):
    path = folder / "images.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_paths_are_relative_to_the_file_and_named_once(tmp_path):
    path = write(tmp_path, "id,path\nann,a.png\nbob,sub/b.png\nann,a.png\n")
    manifest = read_manifest(path, "id")
    assert manifest.paths == (str(tmp_path / "a.png"), str(tmp_path / "sub/b.png"))
    assert manifest.subjects == ("ann", "bob")


def test_shards_are_relative_to_the_file_too_and_no_image_has_two_people(tmp_path):
    text = "id,path\nann,0.tar#member=./a.png\nann,../{0}/0.tar#member=./a.png\nbob,S3://b/x.png\nbob,s3://b/x.png\n"
    manifest = read_manifest(write(tmp_path, text.format(tmp_path.name)), "id")
    assert manifest.paths == (f"{tmp_path}/0.tar#member=./a.png", "S3://b/x.png")
    with pytest.raises(ParameterError, match="under 'bob'"):
        read_manifest(write(tmp_path, "id,path\nann,S3://b/x.png\nbob,s3://b/x.png\n"), "id")


def test_a_byte_order_mark_as_spreadsheets_write_it_is_no_part_of_a_name(tmp_path):
    path = tmp_path / "images.csv"
    path.write_bytes("\ufeffpath,id\na.png,ann\n".encode())
    assert read_manifest(path, "id").subjects == ("ann",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("file,id\na.png,ann\n", "also path"),
        ("path,name\na.png,ann\n", "also id"),
        ("", "an empty file, expected a CSV file with the columns path and id"),
        ("path,id\n", "no row"),
        ("path,id\na.png,\n", "line 2: got no id"),
        ("path,id\n,ann\n", "line 2: got no path"),
        ("path,id\na.png,ann\na.png,bob\n", "'ann' and 'bob'"),
    ],
)
def test_what_is_missing_is_said(tmp_path, text, says):
    with pytest.raises(ParameterError, match=says):
        read_manifest(write(tmp_path, text), "id")


def test_no_file_and_no_text(tmp_path):
    with pytest.raises(ParameterError, match="no such file"):
        read_manifest(tmp_path / "no.csv", "id")
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00\x80path,id\n")
    with pytest.raises(ParameterError):
        read_manifest(tmp_path / "b.csv", "id")
