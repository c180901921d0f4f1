"""An index in object storage does what a local one does, on several machines; nothing is lost, twice or half there."""

import json
import shutil
import threading
import time
import warnings

import pytest

from spacy_embed.errors import InputError
from spacy_embed.pipeline.index import Index
from spacy_embed.retrieval import remote_follow, remote_pull, remote_push
from spacy_embed.retrieval.remote_cleaning import clean
from spacy_embed.retrieval.remote_publish import building_place, check_url_free, publish
from spacy_embed.retrieval.remote_pull import NoIndexError, pull
from spacy_embed.retrieval.remote_push import OvertakenError
from spacy_embed.retrieval.remote_store import RemoteError, RemoteStore
from spacy_embed.retrieval.remote_version import list_versions, name_of_version, read_version
from spacy_embed.retrieval.snapshot import Snapshot
from tests.conftest import LANGUAGES
from tests.object_storage import BUCKET
from tests.stores import (
    METHODS,
    assert_same_scores,
    contents,
    corpus_documents,
    forms_of,
    make_index,
    queries_of,
    random_table,
    scores,
)

pytestmark = pytest.mark.usefixtures("cached_pipelines")

URL = "s3://bucket/some/index"


@pytest.fixture(scope="module")
def documents():
    return {lang: [each for each in corpus_documents() if each["lang"] == lang] for lang in LANGUAGES}


@pytest.fixture(scope="module")
def saved_tables(documents, tmp_path_factory):
    folder = tmp_path_factory.mktemp("vectors")
    forms = forms_of([each for of_lang in documents.values() for each in of_lang])
    return {lang: random_table(forms[lang], i).save(folder / lang) for i, lang in enumerate(LANGUAGES)}


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """The index as a machine of that name opens it."""

    def open_(name, **options):
        monkeypatch.setenv("SPACY_EMBED_CACHE", str(tmp_path / name))
        return Index(URL, **options)

    return open_


@pytest.fixture(scope="module")
def twenty(documents, saved_tables, tmp_path_factory):
    """A local index of twenty English documents."""
    folder = tmp_path_factory.mktemp("twenty") / "index"
    make_index(folder, documents["en"][:20], saved_tables)
    return folder


@pytest.fixture
def made(s3, twenty, documents, monkeypatch, tmp_path):
    """The same in object storage; gives the documents that it lacks."""
    monkeypatch.setenv("SPACY_EMBED_CACHE", str(tmp_path / "first"))
    place = building_place(URL)
    shutil.copytree(twenty, place)
    publish(place, URL)
    s3.forget()
    return documents["en"][20:]


def store():
    return RemoteStore(URL)


def newest():
    return read_version(store(), list_versions(store())[-1])


def same_answers(langs, methods, one, *others):
    held = contents(one.snapshot)
    for other in others:
        assert contents(other.snapshot) == held
    for lang in langs:
        for method in methods:
            expected = scores(one, method, queries_of(lang)[:2], lang)
            assert any(expected)
            for other in others:
                assert_same_scores(scores(other, method, queries_of(lang)[:2], lang), expected)


def test_it_does_what_a_local_index_does_in_five_languages(s3, documents, saved_tables, tmp_path, machine):
    mine = [each for five in zip(*documents.values(), strict=True) for each in five]
    local = make_index(tmp_path / "local", mine[:100], saved_tables)
    place = building_place(URL)
    make_index(place, mine[:100], saved_tables)
    check_url_free(URL, overwrite=False)
    publish(place, URL)
    near, far = machine("near"), machine("far")
    same_answers(LANGUAGES, ("bm25", "tfidf"), local, near, far)
    # one of each language or more
    changed = [*({**mine[i], "text": mine[140 + i]["text"]} for i in range(20, 25)), *mine[150:155]]
    for step in (
        lambda index: index.add(mine[100:120]),
        lambda index: index.delete([each["id"] for each in (*mine[:5], *mine[105:112])]),
        lambda index: index.update(changed),
        lambda index: index.compact(),
        lambda index: index.add(mine[120:125]),
    ):
        step(local)
        step(near)
        far.reopen()
        same_answers(LANGUAGES, ("tfidf",), local, far)
    same_answers(LANGUAGES, (*METHODS, "wmd"), local, near, machine("new"))


def test_the_copy_of_who_made_it_needs_no_fetching(s3, made):
    index = Index(URL)
    assert s3.requests == {"LIST": 1}
    assert len(index) == 20
    assert not building_place(URL).exists()


def test_opening_and_adding_take_few_requests(s3, made, machine):
    index = machine("second")
    assert s3.requests == {"LIST": 1, "GET": 2} or s3.requests == {"LIST": 2, "GET": 2}
    s3.forget()
    machine("second")
    assert s3.requests == {"LIST": 1}
    s3.forget()
    index.add(made[:5])
    assert s3.requests == {"LIST": 1, "PUT": 2}
    s3.forget()
    assert machine("first").snapshot.ids[-5:] == [each["id"] for each in made[:5]]
    assert s3.requests["GET"] == 2
    assert s3.received < 100_000


def test_two_machines_add_at_once(s3, made, machine):
    one, two = machine("first"), machine("second")
    start, faults = threading.Barrier(2), []

    def add(index, mine):
        try:
            start.wait()
            for i in range(0, len(mine), 6):
                index.add(mine[i : i + 6])
        except BaseException as error:
            faults.append(error)

    threads = [
        threading.Thread(target=add, args=(one, made[:18])),
        threading.Thread(target=add, args=(two, made[18:36])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    one.reopen()
    two.reopen()
    expected = {each["id"]: each["text"] for each in made[:36]}
    for index in (one, two, machine("third")):
        held = contents(index.snapshot)
        assert len(held) == 56
        assert {id_: held[id_][2] for id_ in expected} == expected
    assert [each.name for each in list_versions(store())] == [name_of_version(number) for number in range(1, 8)]


def test_who_was_overtaken_changes_what_is_there_now(made, machine):
    one, two = machine("first"), machine("second")
    one.add(made[:2])
    one.delete([one.snapshot.ids[0]])
    assert two.delete([two.snapshot.ids[1]]) == 1
    assert two.update([made[0], {**made[1], "text": "Something else."}]) == (0, 1, 1)
    with pytest.raises(InputError, match="is taken by another document"):
        one.add([{**made[1], "text": "And something else."}])
    one.reopen()
    assert contents(one.snapshot) == contents(two.snapshot) == contents(machine("third").snapshot)
    assert len(one) == 20


def test_an_overtaken_compaction_changes_nothing(made, machine):
    one, two = machine("first", follow=False), machine("second")
    two.add(made[:2])
    before = contents(one.snapshot)
    with pytest.raises(OvertakenError, match=f"{URL} was changed by another machine meanwhile"):
        one.compact()
    assert contents(Snapshot(one.path)) == before
    one.reopen()
    one.compact()
    assert contents(one.snapshot) == {**before, **contents(machine("third").snapshot)}
    two.reopen()
    two.add(made[2:4])
    assert len(machine("first")) == 24


def test_who_is_overtaken_again_and_again_gives_up(made, machine, monkeypatch):
    monkeypatch.setattr(remote_push, "_PATIENCE", 0.05)
    index, tried = machine("first"), []

    def change():
        tried.append(time.sleep(0.01))
        raise OvertakenError(URL)

    with pytest.raises(OvertakenError, match="Run the command again"):
        remote_push.redone(index.path, change)
    assert len(tried) > 1


def test_a_version_number_is_given_once(made):
    name, data = name_of_version(2), b"{}"
    assert store().create(name, data) is not None
    assert store().create(name, b"[]") is None
    assert store().read(name) == data


def test_a_store_that_ignores_conditions_is_refused(s3, twenty):
    s3.ignores_conditions = True
    place = building_place(URL)
    shutil.copytree(twenty, place)
    with pytest.raises(RemoteError, match="it ignores If-None-Match"):
        publish(place, URL)
    with pytest.raises(NoIndexError):
        pull(URL)


def test_an_answer_that_was_lost_is_no_conflict(s3, made, machine):
    index, lost = machine("first"), []

    def lose(method, path):
        if method == "PUT" and path.endswith(name_of_version(2)) and len(lost) < 1:
            lost.append(path)
            return True
        return False

    s3.lose = lose
    index.add(made[:2])
    assert lost
    assert len(machine("second")) == 22
    assert newest().number == 2


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


def test_versions_that_are_being_read_stay_readable(made, machine):
    one, two = machine("first"), machine("second")
    old = Snapshot(two.path)
    before = contents(old)
    one.add(made[:10])
    one.delete(one.snapshot.ids[:5])
    two.reopen()
    assert contents(old) == before
    one.compact()
    two.reopen()
    assert contents(old) == before
    assert contents(two.snapshot) == contents(one.snapshot)


def test_a_version_that_is_cleaned_away_while_it_is_fetched(made, machine, monkeypatch):
    monkeypatch.setenv("SPACY_EMBED_GRACE", "0")
    one = machine("first")
    one.add(made[:2])
    read, compacted = remote_pull.read_version, []

    def read_too_late(of, found):
        if not compacted:
            compacted.append(True)
            one.compact()
        return read(of, found)

    monkeypatch.setattr(remote_pull, "read_version", read_too_late)
    assert contents(machine("second").snapshot) == contents(one.snapshot)


def test_what_no_version_needs_is_removed_after_a_while(s3, made, machine, monkeypatch):
    one, two = machine("first"), machine("second")
    store().write("packs/orphan", b"of a writer that was killed")
    for i in range(4):
        one.add(made[i : i + 1])
    one.compact()
    names = {name.split("some/index/")[1] for name in s3.objects()}
    assert len(names) == 12 or len(names) == 13
    assert newest().packs <= names
    monkeypatch.setenv("SPACY_EMBED_GRACE", "0")
    one.delete(one.snapshot.ids[:1])
    one.compact()
    left = {name.split("some/index/")[1] for name in s3.objects()}
    assert left == {name_of_version(8), *newest().packs}
    two.reopen()
    assert contents(two.snapshot) == contents(one.snapshot) == contents(machine("third").snapshot)
    # numbers go on: who was away is overtaken
    two.add(made[5:6])
    assert newest().number == 9


def test_nothing_of_a_version_that_is_kept_is_removed(s3, made, machine):
    from datetime import timedelta

    machine("first").add(made[:1])
    before = s3.objects()
    assert clean(store(), timedelta(seconds=3600)) == 0
    assert s3.objects() == before


def test_who_was_away_while_numbers_were_cleaned_is_overtaken(made, machine, monkeypatch):
    monkeypatch.setenv("SPACY_EMBED_GRACE", "0")
    one, two = machine("first"), machine("second")
    for i in range(3):
        one.add(made[i : i + 1])
    one.compact()
    two.add(made[3:4])
    one.reopen()
    assert len(one) == 24
    assert contents(one.snapshot) == contents(two.snapshot)


def test_an_index_that_was_removed_and_made_anew_is_fetched_anew(s3, made, machine, documents, saved_tables):
    two = machine("second")
    for name in s3.objects():
        s3.client().delete_object(Bucket=BUCKET, Key=name)
    with pytest.raises(NoIndexError):
        two.reopen()
    place = building_place(URL)
    make_index(place, documents["ru"][:10], saved_tables)
    publish(place, URL)
    two.reopen()
    assert set(two.snapshot.ids) == {each["id"] for each in documents["ru"][:10]}


def test_an_index_is_replaced_only_if_that_is_asked_for(made, machine, documents, saved_tables):
    old = machine("second")
    place = building_place(URL)
    make_index(place, documents["es"][:10], saved_tables)
    for refused in (lambda: check_url_free(URL, overwrite=False), lambda: publish(place, URL)):
        with pytest.raises(InputError, match="exists already"):
            refused()
    check_url_free(URL, overwrite=True)
    publish(place, URL, overwrite=True)
    old.reopen()
    assert set(old.snapshot.ids) == {each["id"] for each in documents["es"][:10]}
    assert newest().number == 2


def test_a_place_that_holds_something_else_is_refused(s3):
    store().write("holiday.jpg", b"")
    with pytest.raises(InputError, match="holds something else"):
        check_url_free(URL, overwrite=True)


def test_searches_follow_what_other_machines_commit(made, machine, monkeypatch, s3):
    monkeypatch.setattr(remote_follow, "EVERY", 0.0)
    one, two, still = machine("first"), machine("second"), machine("third", follow=False)
    one.add(made[:1])
    found = two.search(made[0]["text"], 1, method="bm25")
    assert [hit.id for hit in found] == [made[0]["id"]]
    assert [hit.id for hit in still.search(made[0]["text"], 1, method="bm25")] != [made[0]["id"]]
    s3.refuse = lambda method, path: (403, "AccessDenied")
    with pytest.warns(UserWarning, match="access was refused"):
        assert two.search(made[0]["text"], 1, method="bm25") == found
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert two.search(made[0]["text"], 1, method="bm25") == found


def test_a_search_looks_at_most_about_once_a_second(made, machine, s3):
    index = machine("second")
    s3.forget()
    for _ in range(20):
        index.search("river", 1, lang="en", method="bm25")
    assert s3.requests["LIST"] <= 5


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
