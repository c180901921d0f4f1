"""An index in object storage does what a local one does, in five languages, on several machines."""

import warnings

import pytest

from spacy_embed.errors import InputError
from spacy_embed.pipeline.index import Index
from spacy_embed.retrieval import remote_follow
from spacy_embed.retrieval.remote_publish import building_place, check_url_free, publish
from spacy_embed.retrieval.remote_pull import NoIndexError
from tests.conftest import LANGUAGES
from tests.object_storage import BUCKET
from tests.retrieval.remote_indexes import URL, newest, same_answers, store
from tests.stores import METHODS, make_index

pytestmark = pytest.mark.usefixtures("cached_pipelines")


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
