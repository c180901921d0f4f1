"""Several machines write, read and clean one index in object storage: nothing is lost, twice or half there."""

import shutil
import threading
import time

import pytest

from spacy_embed.errors import InputError
from spacy_embed.retrieval import remote_pull, remote_push
from spacy_embed.retrieval.remote_cleaning import clean
from spacy_embed.retrieval.remote_publish import building_place, publish
from spacy_embed.retrieval.remote_pull import NoIndexError, pull
from spacy_embed.retrieval.remote_push import OvertakenError
from spacy_embed.retrieval.remote_store import RemoteError
from spacy_embed.retrieval.remote_version import list_versions, name_of_version
from spacy_embed.retrieval.snapshot import Snapshot
from tests.retrieval.remote_indexes import URL, newest, store
from tests.stores import contents

pytestmark = pytest.mark.usefixtures("cached_pipelines")


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
