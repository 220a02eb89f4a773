"""What an archive's source names: directories, globs, manifests, URLs, and shards of them."""

from __future__ import annotations

import itertools

import fsspec
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from voicestress.bulk.sources import Shard, SourceError, list_recordings

FILES = ["a.wav", "b.FLAC", "sub/c.mp3", "sub/deep/d.m4a", "notes.txt", "sub/e.pdf"]
RECORDINGS = ["a.wav", "b.FLAC", "sub/c.mp3", "sub/deep/d.m4a"]


@pytest.fixture
def archive(tmp_path):
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_a_directory_gives_its_recordings_in_order(archive):
    assert list_recordings(str(archive)) == [str(archive / name) for name in RECORDINGS]


def test_a_glob_gives_what_it_matches(archive):
    assert list_recordings(f"{archive}/**/*.mp3") == [str(archive / "sub/c.mp3")]
    assert list_recordings(f"{archive}/?.*") == [str(archive / "a.wav"), str(archive / "b.FLAC")]


def test_a_file_is_an_archive_of_one(archive):
    assert list_recordings(str(archive / "a.wav")) == [str(archive / "a.wav")]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_manifest_names_recordings_beside_it_and_elsewhere(archive, kind):
    names = ["a.wav", "sub/c.mp3", "a.wav", "/elsewhere/x.wav", "memory://bucket/y.wav"]
    manifest = archive / f"list.{kind}"
    if kind == "csv":
        manifest.write_text("speaker,path\n" + "".join(f"s,{name}\n" for name in names), encoding="utf-8-sig")
    else:
        pyarrow.parquet.write_table(pyarrow.table({"path": names}), manifest)
    expected = [str(archive / "a.wav"), str(archive / "sub/c.mp3"), "/elsewhere/x.wav", "memory://bucket/y.wav"]
    assert list_recordings(str(manifest)) == expected


@pytest.fixture
def bucket():
    files = fsspec.filesystem("memory")
    for name in FILES:
        files.pipe(f"/bucket/{name}", b"")
    yield files
    files.rm("/bucket", recursive=True)


def test_a_url_may_be_each_of_these(bucket):
    everything = [f"memory:///bucket/{name}" for name in RECORDINGS]
    assert list_recordings("memory://bucket") == everything
    assert list_recordings("memory://bucket/**/*.mp3") == [everything[2]]
    assert list_recordings("memory://bucket/a.wav") == ["memory://bucket/a.wav"]
    bucket.pipe("/bucket/list.csv", b"path\na.wav\nmemory://other/b.wav\n")
    assert list_recordings("memory://bucket/list.csv") == ["memory://bucket/a.wav", "memory://other/b.wav"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere", "no such file or directory"),
        ("nowhere/*.wav", "no recordings"),
        ("memory://nowhere/", "no such object"),
        ("nonsense://bucket/", "can't be listed"),
    ],
)
def test_a_source_that_has_none_is_named(archive, monkeypatch, source, message):
    monkeypatch.chdir(archive)
    with pytest.raises(SourceError, match=message):
        list_recordings(source)


@pytest.mark.parametrize(
    ("text", "message"),
    [(b"file,label\na.wav,sad\n", "'path'"), (b"path\n\xff\xfe\n", "UTF-8"), (b"", "'path'")],
)
def test_a_manifest_that_cannot_be_read_is_named(tmp_path, text, message):
    (tmp_path / "list.csv").write_bytes(text)
    with pytest.raises(SourceError, match=message):
        list_recordings(str(tmp_path / "list.csv"))
    (tmp_path / "list.parquet").write_bytes(text)
    with pytest.raises(SourceError, match="no Parquet file"):
        list_recordings(str(tmp_path / "list.parquet"))


@given(st.lists(st.text(min_size=1), unique=True), st.integers(1, 9))
def test_each_recording_is_in_one_shard(recordings, count):
    shards = [[r for r in recordings if Shard(index, count).has(r)] for index in range(count)]
    assert sorted(itertools.chain(*shards)) == sorted(recordings)


def test_shards_are_about_alike():
    recordings = [f"calls/2026/{number:06d}.wav" for number in range(10_000)]
    sizes = [sum(Shard(index, 8).has(r) for r in recordings) for index in range(8)]
    assert max(sizes) < 1.15 * min(sizes)


def test_a_shard_is_named_or_told_by_the_job(monkeypatch, tmp_path):
    monkeypatch.delenv("JOB_COMPLETION_INDEX", raising=False)
    assert Shard.parse("2/8") == Shard(2, 8)
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "5")
    assert Shard.parse("8") == Shard(5, 8)
    assert Shard(5, 8).named(tmp_path / "out.parquet") == tmp_path / "out-00005-of-00008.parquet"


@pytest.mark.parametrize("text", ["8/8", "9/8", "-1/8", "a/8", "1/b", "0/0", "1/2/3", "8", ""])
def test_a_shard_that_is_none_is_refused(monkeypatch, text):
    monkeypatch.delenv("JOB_COMPLETION_INDEX", raising=False)
    with pytest.raises(ValueError):
        Shard.parse(text)
