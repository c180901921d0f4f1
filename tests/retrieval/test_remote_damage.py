"""An index in object storage when uploads fail, fetches end half way, and objects are not what was stored."""

import json
import re
import shutil

import pytest

from spacy_embed.errors import InputError
from spacy_embed.pipeline.index import Index
from spacy_embed.retrieval import remote_pull
from spacy_embed.retrieval.remote_publish import building_place, publish
from spacy_embed.retrieval.remote_pull import NoIndexError, pull
from spacy_embed.retrieval.remote_store import RemoteError
from spacy_embed.retrieval.remote_version import name_of_version
from spacy_embed.retrieval.snapshot import Snapshot
from tests.object_storage import BUCKET
from tests.retrieval.remote_indexes import URL, newest, same_answers
from tests.stores import METHODS, contents

pytestmark = pytest.mark.usefixtures("cached_pipelines")


def test_a_change_whose_upload_fails_was_not_made(s3, made, machine):
    index = machine("first")
    before = contents(index.snapshot)
    s3.refuse = lambda method, path: (507, "QuotaExceeded") if method == "PUT" else None
    for change in (lambda: index.add(made[:2]), lambda: index.delete(index.snapshot.ids[:1]), index.compact):
        with pytest.raises(RemoteError, match="the bucket is full"):
            change()
        index.reopen()
        assert contents(index.snapshot) == before
    s3.refuse = lambda method, path: None
    index.add(made[:3])
    assert contents(machine("second").snapshot) == contents(index.snapshot)
    assert len(index) == 23


def test_a_full_bucket_takes_no_first_version(s3, twenty):
    place = building_place(URL)
    shutil.copytree(twenty, place)
    s3.refuse = lambda method, path: (507, "QuotaExceeded") if method == "PUT" and "/versions/" in path else None
    with pytest.raises(RemoteError, match=f"the bucket is full .*'spacy-embed publish {place} {URL}'"):
        publish(place, URL)
    with pytest.raises(NoIndexError):
        pull(URL)
    s3.refuse = lambda method, path: None
    publish(place, URL)
    assert len(Index(URL)) == 20


def test_a_fetch_that_ends_half_way_leaves_the_old_version(s3, made, machine, monkeypatch):
    two = machine("second")
    before = contents(two.snapshot)
    one = machine("first")
    one.add(made[:10])
    fetch = remote_pull.fetch
    for compacted in (False, True):
        if compacted:
            one.compact()

        def fetch_half(of, wanted):
            wanted = list(wanted)
            fetch(of, wanted[: len(wanted) // 2])
            raise KeyboardInterrupt

        monkeypatch.setattr(remote_pull, "fetch", fetch_half)
        with pytest.raises(KeyboardInterrupt):
            two.reopen()
        assert contents(Snapshot(two.path)) == before
        monkeypatch.setattr(remote_pull, "fetch", fetch)
    two.reopen()
    assert contents(two.snapshot) == contents(one.snapshot)


@pytest.mark.parametrize("harm", ["flip a bit", "cut off", "remove"])
def test_a_damaged_pack_is_named(s3, made, machine, harm):
    (pack,) = newest().packs
    client, key = s3.client(), f"some/index/{pack}"
    data = bytearray(client.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    if harm == "remove":
        client.delete_object(Bucket=BUCKET, Key=key)
    else:
        data[len(data) // 2] ^= 1
        client.put_object(Bucket=BUCKET, Key=key, Body=bytes(data[: len(data) // 2] if harm == "cut off" else data))
    with pytest.raises(RemoteError, match=pack):
        machine("second")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("version", 2, "of version 2 of its format; this package reads 1"),
        ("format", "another", "is damaged"),
        ("files", None, "is damaged"),
        ("manifest", {"format": "spacy-embed index", "version": 99}, "index of version 99; this package reads"),
    ],
)
def test_versions_that_cannot_be_read(s3, made, machine, field, value, message):
    key = f"some/index/{name_of_version(1)}"
    header = json.loads(s3.client().get_object(Bucket=BUCKET, Key=key)["Body"].read())
    s3.client().put_object(Bucket=BUCKET, Key=key, Body=json.dumps({**header, field: value}).encode())
    with pytest.raises(InputError, match=message) as raised:
        machine("second")
    assert URL in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_copy_that_lost_a_file_gets_it_again(made, machine):
    one, two = machine("first"), machine("second")
    one.add(made[:1])
    (two.path / "generations" / two.snapshot.manifest.generation / "vectors").unlink()
    two.reopen()
    assert contents(two.snapshot) == contents(one.snapshot)
    same_answers(["en"], METHODS, one, two)


@pytest.mark.parametrize("name", ["../../outside", "/outside", "vectors/../../../outside", r"..\outside", "C:outside"])
@pytest.mark.parametrize("what", ["files", "generation"])
def test_a_version_writes_nothing_outside_of_its_copy(s3, made, machine, name, what):
    key = f"some/index/{name_of_version(1)}"
    header = json.loads(s3.client().get_object(Bucket=BUCKET, Key=key)["Body"].read())
    if what == "files":
        header["files"][name] = []
    else:
        header["manifest"]["generation"] = name
    s3.client().put_object(Bucket=BUCKET, Key=key, Body=json.dumps(header).encode())
    with pytest.raises(RemoteError, match=re.escape(f"is damaged (ValueError: the name {name!r})")):
        machine("second")
