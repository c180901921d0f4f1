"""``Index`` in a program: searched by several threads while it changes, with Docs and Spans, into data frames."""

import threading
from contextlib import suppress

import numpy as np
import pytest

from spacy_embed.errors import InputError
from spacy_embed.pipeline.index import Added, Index
from spacy_embed.pipeline.language_pipelines import default_pipeline
from tests.conftest import LANGUAGES, TEXTS
from tests.stores import METHODS, contents, make_index, scores


@pytest.fixture
def index(tables, tmp_path):
    fields = [
        {"id": f"{code}{i}", "lang": code, "title": f"T{i}", "text": text, "metadata": {"n": i}}
        for code in LANGUAGES
        for i, text in enumerate(TEXTS[code])
    ]
    return make_index(tmp_path / "index", fields, tables)


def rivers(ids):
    return [{"id": f"d{i:03}", "lang": "en", "text": f"The old river. Bridge {i}."} for i in ids]


def test_threads_that_search_while_another_changes_the_index(tables, tmp_path):
    index = make_index(tmp_path / "index", rivers(range(10)), {"en": tables["en"]})
    steps = [
        (lambda: index.add(rivers(range(10, 40))), range(40)),
        (lambda: index.delete([f"d{i:03}" for i in range(5)]), range(5, 40)),
        (lambda: index.compact(), range(5, 40)),
        (lambda: index.add(rivers(range(40, 45))), range(5, 45)),
        (lambda: index.update(rivers(range(40, 50))), range(5, 50)),
        (lambda: index.compact(refit=True), range(5, 50)),
        (lambda: index.delete([f"d{i:03}" for i in range(10, 50)]), range(5, 10)),
    ]
    versions = [frozenset(f"d{i:03}" for i in ids) for ids in (range(10), *(ids for _, ids in steps))]
    seen, errors, done = [[] for _ in METHODS], [], threading.Event()

    def keep_searching(number):
        try:
            is_last = False
            while not is_last:
                is_last = done.is_set()
                found = index.search("old river", 100, method=METHODS[number], lang="en")
                condition = index.search("bridge", 100, method=METHODS[number], lang="en", where="lang = 'en'")
                assert all(hit.text.startswith("The old river. Bridge") for hit in found)
                seen[number] += [frozenset(hit.id for hit in hits) for hits in (found, condition)]
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=keep_searching, args=(number,)) for number in range(len(METHODS))]
    for thread in threads:
        thread.start()
    for change, _ in steps:
        change()
    done.set()
    for thread in threads:
        thread.join()
    assert errors == []
    for of_thread in seen:
        assert set(of_thread) <= set(versions)
        assert of_thread[-1] == versions[-1]
        ranks = [versions.index(version) for version in of_thread]
        assert ranks == sorted(ranks)


def test_a_document_added_twice_at_once_by_two_threads_is_there_once(tables, tmp_path):
    index = make_index(tmp_path / "index", rivers(range(3)), {"en": tables["en"]})
    adders = [Index(index.path) for _ in range(2)]
    added, wait = [], threading.Barrier(2)

    def add(own):
        wait.wait()
        added.append(own.add(rivers(range(3, 30))))

    threads = [threading.Thread(target=add, args=(own,)) for own in adders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(one.added for one in added) == 27
    assert sorted(contents(index.snapshot)) == [f"d{i:03}" for i in range(30)]


def test_docs_and_spans_are_queries(index, lang):
    nlp = default_pipeline(lang)
    doc = nlp(TEXTS[lang][1])
    for method in METHODS:
        as_text = index.search(TEXTS[lang][1], method=method, lang=lang)
        assert index.search(doc, method=method) == index.search(doc[:], method=method) == as_text
        assert as_text[0].id == f"{lang}1"
    both = nlp(" ".join(TEXTS[lang][:2]))
    span = both[len(nlp(TEXTS[lang][0])) :]
    assert index.search(span, k=1)[0].id == f"{lang}1"
    assert [hits[0].id for hits in index.search_batch([doc, TEXTS[lang][0]], lang=lang)] == [f"{lang}1", f"{lang}0"]


def test_docs_are_added_by_their_user_data(index):
    nlp = default_pipeline("es")
    doc = nlp("El pan cruza el puente.")
    with pytest.raises(InputError, match="needs an id"):
        index.add([doc])
    doc.user_data["id"] = "doc"
    assert index.add([doc]) == Added(1, 0, 0)
    assert contents(index.snapshot)["doc"] == ("es", "", doc.text, {})
    assert index.search(doc, k=1)[0].id == "doc"


def test_tables_of_hits_become_data_frames(index):
    pytest.importorskip("pandas")
    queries = ["old river", "xyzzyqwv", "sourdough bread"]
    frame = index.search_table(queries, 2, method="bm25", lang="en").to_pandas()
    columns = ["query", "rank", "id", "score", "lang", "title", "text", "metadata", "distance"]
    assert list(frame.columns) == columns
    expected = [
        (i, hit) for i, hits in enumerate(index.search_batch(queries, 2, method="bm25", lang="en")) for hit in hits
    ]
    assert frame["query"].tolist() == [i for i, _ in expected] == [0, 0, 2]
    assert frame["id"].tolist() == [hit.id for _, hit in expected]
    assert frame["metadata"].tolist() == [f'{{"n": {hit.metadata["n"]}}}' for _, hit in expected]
    np.testing.assert_array_equal(frame["score"], [hit.score for _, hit in expected])
    assert len(index.search_table([], 2)) == 0


def test_an_index_follows_the_changes_of_others_or_waits_to_be_told(index):
    follower, waiting = Index(index.path), Index(index.path, follow=False)
    old = waiting.snapshot
    found = {method: scores(waiting, method, ["river"], "en") for method in ("tfidf", "bm25")}
    assert not waiting.reopen()
    index.add(rivers([1]))
    assert (len(follower), len(waiting)) == (16, 15)
    index.delete(["en0"])
    index.compact(refit=True)
    index.update(rivers([1]))
    assert "d001" in scores(follower, "bm25", ["river"], "en")[0]
    assert waiting.snapshot is old
    assert {method: scores(waiting, method, ["river"], "en") for method in ("tfidf", "bm25")} == found
    assert scores(waiting, "mean", ["river"], "en")[0].keys() >= {"en0"}
    assert waiting.search("river", lang="en", where="n = 0")[0].id == "en0"
    assert waiting.reopen()
    assert not waiting.reopen()
    assert len(waiting) == 15
    assert {"d001", "en0"} & scores(waiting, "bm25", ["river"], "en")[0].keys() == {"d001"}


def test_faulty_searches(index):
    for arguments, message in [
        ({"k": 0}, "k must be at least 1"),
        ({"method": "bm52"}, "Unknown method"),
        ({"lang": "tlh"}, "unknown language 'tlh'"),
        ({"where": "n ="}, "cannot be used"),
        ({"where": "position = 1; DROP TABLE documents"}, "cannot be used"),
    ]:
        with pytest.raises(InputError, match=message):
            index.search("river", **arguments)
    assert index.search("", lang="en") == index.search("xyzzyqwv", lang="en") == []


def test_faulty_documents_leave_the_index_as_it_was(index):
    held, revision = contents(index.snapshot), index.snapshot.manifest.revision
    for fields, message in [
        ({"text": "no id"}, "needs an id"),
        ({"id": "x"}, "expected 'text' to be a string"),
        ({"id": "x", "text": 5}, "expected 'text' to be a string"),
        ({"id": "x", "text": "a \ud800 b"}, "lone surrogate"),
        ({"id": "x", "text": "river", "lang": "tlh"}, "unknown language 'tlh'"),
    ]:
        with pytest.raises(InputError, match=message):
            index.add([{"id": "good", "text": "the river", "lang": "en"}, fields])
    assert (contents(index.snapshot), index.snapshot.manifest.revision) == (held, revision)


def test_a_document_given_twice_is_there_once(index):
    for change, id_ in ((index.add, "x"), (index.update, "y")):
        with suppress(InputError):
            change([{"id": id_, "lang": "en", "text": text} for text in ("river", "bridge")])
    assert set(contents(index.snapshot)) <= {*(f"{code}{i}" for code in LANGUAGES for i in range(3)), "x", "y"}
