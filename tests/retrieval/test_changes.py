"""Documents added, replaced and deleted: an index that grew is the index of what it holds."""

import json
import shutil

import numpy as np
import pytest

from spacy_embed.errors import InputError
from spacy_embed.pipeline.index import Added, Index
from spacy_embed.retrieval.snapshot import Snapshot
from spacy_embed.vectors import load_vectors
from tests.conftest import LANGUAGES, TEXTS
from tests.stores import (
    METHODS,
    assert_same_scores,
    contents,
    corpus_documents,
    embeddings,
    forms_of,
    make_index,
    queries_of,
    random_table,
    scores,
    word_bags,
    words_by_row,
)

pytestmark = pytest.mark.usefixtures("cached_pipelines")

SHARING = ("es", "ru")
"""Languages whose tables hold two words a row."""


@pytest.fixture(scope="module")
def documents():
    return corpus_documents()


@pytest.fixture(scope="module")
def full_tables(documents, tmp_path_factory):
    folder, made = tmp_path_factory.mktemp("full"), {}
    for seed, (lang, forms) in enumerate(forms_of(documents).items()):
        known = [form for i, form in enumerate(forms) if i % 9]
        table = random_table(known, seed, words_a_row=2 if lang in SHARING else 1)
        made[lang] = table.save(folder / lang)
    return made


@pytest.fixture(scope="module")
def stages(documents, full_tables, tmp_path_factory):
    """An index of every other document, the same with the rest added, that refitted, and one of all at once."""
    folder = tmp_path_factory.mktemp("stages")
    before, after = documents[::2], documents[1::2]
    made = {"before": make_index(folder / "grown", before, full_tables)}
    for name, change in [("added", None), ("refitted", lambda index: index.compact(refit=True))]:
        shutil.copytree(folder / ("added" if change else "grown"), folder / name)
        made[name] = Index(folder / name)
        assert change or made[name].add(after) == Added(len(after), 0, 0)
        if change:
            change(made[name])
    made["whole"] = make_index(folder / "whole", [*before, *after], full_tables)
    return made


@pytest.mark.parametrize("stage", ["added", "refitted"])
def test_a_grown_index_holds_what_one_of_all_documents_holds(stages, stage):
    grown, whole = stages[stage].snapshot, stages["whole"].snapshot
    assert grown.ids == whole.ids
    assert contents(grown) == contents(whole)
    assert word_bags(grown) == word_bags(whole)
    for fact in ("documents", "languages", "tokens", "found", "without_vector", "covered", "positions"):
        assert getattr(grown.manifest, fact) == getattr(whole.manifest, fact)


def test_documents_added_and_refitted_score_as_if_indexed_at_once(stages, lang):
    refitted, whole = stages["refitted"], stages["whole"]
    assert refitted.snapshot.manifest.fitted_on == len(whole)
    for method in METHODS:
        assert_same_scores(*(scores(index, method, queries_of(lang), lang) for index in (refitted, whole)))
        if method != "bm25":
            ours, theirs = (embeddings(index.snapshot, method) for index in (refitted, whole))
            for id_ in theirs:
                np.testing.assert_allclose(ours[id_], theirs[id_], rtol=1e-3, atol=2e-6)


def test_weights_stay_as_fitted_until_the_index_is_refitted(stages, lang):
    before, added, refitted = (stages[name].snapshot for name in ("before", "added", "refitted"))
    assert added.manifest.fitted_on == before.manifest.fitted_on == len(before)
    old, kept, new = (s.fits.embeddings["tfidf"][lang].weighting.idf for s in (before, added, refitted))
    np.testing.assert_array_equal(kept[: len(old)], old)
    assert not np.allclose(new[: len(old)], old)
    np.testing.assert_array_equal(added.fits.bm25.idf[: len(before.fits.bm25.idf)], before.fits.bm25.idf)
    for method in ("tfidf", "sif"):
        was, now, then = (embeddings(s, method) for s in (before, added, refitted))
        mine = [id_ for id_ in was if id_.startswith(lang)]
        assert all(np.array_equal(was[id_], now[id_]) for id_ in mine)
        assert any(not np.allclose(was[id_], then[id_], atol=1e-3) for id_ in mine)


def test_new_words_get_the_vectors_of_the_full_table(stages, full_tables, lang):
    before, added = stages["before"].snapshot, stages["added"].snapshot
    new = sorted(set(added.table.keys) - set(before.table.keys))
    mine = [key for key in new if key.startswith(f"{lang}:")]
    assert len(mine) > 100
    for snapshot in (added, stages["refitted"].snapshot):
        rows = snapshot.table.rows[snapshot.table.find(mine)]
        np.testing.assert_array_equal(rows, [full_tables[lang].vector(key.partition(":")[2]) for key in mine])


@pytest.mark.parametrize("stage", ["before", "added", "refitted", "whole"])
def test_words_that_share_a_row_share_one_in_the_index(stages, full_tables, stage, lang):
    shared = 0
    for words in words_by_row(stages[stage].snapshot).values():
        assert len({full_tables[lang].find([key.partition(":")[2]])[0] for key in words if key[:2] == lang}) <= 1
        shared += len(words) > 1 and all(key.startswith(lang) for key in words)
    assert (shared > 100) == (lang in SHARING)
    used = [set(words) for words in words_by_row(stages[stage].snapshot).values()]
    assert len(used) == len(stages[stage].snapshot.table.rows)


def test_many_small_commits_equal_a_large_one(documents, full_tables, tmp_path):
    small, large = (make_index(tmp_path / name, documents[:20], full_tables) for name in ("small", "large"))
    rest = documents[20:70]
    for fields in rest:
        assert small.add([fields]) == Added(1, 0, 0)
    large.add(rest)
    assert small.snapshot.manifest.revision == large.snapshot.manifest.revision + len(rest) - 1
    assert small.snapshot.ids == large.snapshot.ids
    assert word_bags(small.snapshot) == word_bags(large.snapshot)
    for method in METHODS:
        assert_same_scores(*(scores(index, method, queries_of("en"), "en") for index in (small, large)))
    files = [file.name for file in small.snapshot.reader.folder.iterdir() if file.name.startswith("postings")]
    assert len(small.snapshot.manifest.postings) < 10 < len(files)


@pytest.fixture(scope="module")
def made(tables, tmp_path_factory):
    fields = [
        {"id": f"{code}{i}", "lang": code, "text": text, "metadata": {"n": i}}
        for code in LANGUAGES
        for i, text in enumerate(TEXTS[code])
    ]
    return make_index(tmp_path_factory.mktemp("made") / "index", fields, tables).path


@pytest.fixture
def index(made, tmp_path):
    return Index(shutil.copytree(made, tmp_path / "index"))


def test_deleted_documents_are_found_by_no_method_and_not_counted(index, lang):
    assert index.delete([f"{lang}0", f"{lang}2"]) == 2
    assert len(index) == 13
    assert index.snapshot.manifest.languages[lang] == 1
    for method in METHODS:
        for text in TEXTS[lang]:
            assert {f"{lang}0", f"{lang}2"}.isdisjoint(scores(index, method, [text], lang)[0])
        assert [hit.id for hit in index.search(TEXTS[lang][1], method=method, lang=lang, where=f"lang = '{lang}'")] == [
            f"{lang}1"
        ]
    assert index.snapshot.matching(f"lang = '{lang}'") == [f"{lang}1"]
    whole = index.snapshot.manifest
    index.compact()
    kept = index.snapshot.manifest
    assert (kept.positions, kept.documents, kept.tokens, kept.found) == (13, 13, whole.tokens, whole.found)


def test_documents_without_a_vector_are_counted_and_discounted(index):
    index.add([{"id": "none", "lang": "en", "text": "xyzzyqwv"}, {"id": "empty", "lang": "en", "text": ""}])
    assert (index.snapshot.manifest.without_vector, len(index)) == (2, 17)
    index.delete(["none", "empty"])
    assert (index.snapshot.manifest.without_vector, index.snapshot.manifest.covered) == (0, 1.0)


def test_deleting_what_is_not_there(index):
    revision = index.snapshot.manifest.revision
    with pytest.raises(InputError, match="holds no document 'x'"):
        index.delete(["en0", "x"])
    assert (len(index), index.snapshot.manifest.revision) == (15, revision)
    assert index.delete(["en0", "x", "en0"], missing_ok=True) == 1
    with pytest.raises(InputError, match="holds no document 'en0'"):
        index.delete(["en0"])


def test_update_replaces_and_adds(index, lang):
    changed = {"id": f"{lang}0", "lang": lang, "text": TEXTS[lang][1], "title": "neu", "n": 7}
    assert index.update([changed, {**changed, "id": "new"}]) == Added(1, 1, 0)
    held = contents(index.snapshot)
    assert held[f"{lang}0"] == held["new"] == (lang, "neu", TEXTS[lang][1], {"n": 7})
    found = scores(index, "bm25", [TEXTS[lang][1]], lang)[0]
    assert set(found) == {"new", f"{lang}0", f"{lang}1"}
    assert len(index) == 16
    for text in ("a", "b", "c"):
        index.update([{**changed, "text": text}])
    assert contents(index.snapshot)["new"][2] == TEXTS[lang][1]
    assert contents(index.snapshot)[f"{lang}0"][2] == "c"
    assert index.snapshot.manifest.languages == {**dict.fromkeys(LANGUAGES, 3), lang: 4}


def test_update_to_another_language(index):
    assert index.update([{"id": "en0", "lang": "ru", "text": TEXTS["ru"][0]}]) == Added(0, 1, 0)
    assert index.snapshot.manifest.languages == {**dict.fromkeys(LANGUAGES, 3), "en": 2, "ru": 4}
    assert set(scores(index, "tfidf", [TEXTS["ru"][0]], "ru")[0]) >= {"en0", "ru0"}


def test_unchanged_documents_are_passed_over(index):
    revision = index.snapshot.manifest.revision
    same = [{"id": "zh1", "text": TEXTS["zh"][1], "n": 1}, {"id": "en0", "lang": "en", "text": TEXTS["en"][0], "n": 0}]
    assert index.add(same) == index.update(same) == Added(0, 0, 2)
    assert index.snapshot.manifest.revision == revision
    for change in ({"text": "x"}, {"title": "x"}, {"n": 5}, {"lang": "es"}):
        with pytest.raises(InputError, match="'en0' is taken by another document"):
            index.add([{"id": "fresh", "lang": "en", "text": "river"}, {**same[1], **change}])
        assert (len(index), index.snapshot.manifest.revision) == (15, revision)


def test_deleted_ids_are_free_again(index):
    for text in ("the old river", "a bridge"):
        index.delete(["en0"])
        assert index.add([{"id": "en0", "lang": "en", "text": text}]) == Added(1, 0, 0)
        assert contents(index.snapshot)["en0"][2] == text
    index.compact()
    assert (len(index), contents(index.snapshot)["en0"][2]) == (15, "a bridge")


def test_everything_deleted_and_added_again(index):
    everything = contents(index.snapshot)
    found = {method: scores(index, method, TEXTS["en"], "en") for method in METHODS}
    index.delete(list(everything))
    assert (len(index), index.snapshot.ids, index.snapshot.manifest.covered) == (0, [], 0.0)
    for method in METHODS:
        assert scores(index, method, TEXTS["en"], "en") == [{}, {}, {}]
    assert index.search("river", lang="en", where="n >= 0") == []
    with pytest.raises(InputError, match="holds no documents"):
        index.compact(refit=True)
    fields = [{"id": i, "lang": d[0], "text": d[2], "metadata": d[3]} for i, d in everything.items()]
    assert index.add(fields) == Added(15, 0, 0)
    for refit in (False, True):
        index.compact(refit=refit)
        assert contents(index.snapshot) == everything
        for method in METHODS:
            assert_same_scores(scores(index, method, TEXTS["en"], "en"), found[method])


def test_compacting_changes_nothing_twice(index):
    index.add([{"id": "new", "lang": "en", "text": "bread on the bridge"}])
    index.delete(["en1", "zh0"])
    held, bags = contents(index.snapshot), word_bags(index.snapshot)
    found = {method: scores(index, method, TEXTS["en"], "en") for method in METHODS}
    for _ in range(2):
        index.compact()
        assert contents(index.snapshot) == held
        assert word_bags(index.snapshot) == bags
        for method in METHODS:
            assert_same_scores(scores(index, method, TEXTS["en"], "en"), found[method])
        assert index.snapshot.manifest.positions == len(held)
        assert (index.snapshot.reader.folder / "vectors").is_file()


def test_a_language_that_is_new_to_the_index(tables, tmp_path, lang):
    other = "en" if lang != "en" else "es"
    fields = [{"id": f"{other}{i}", "lang": other, "text": text} for i, text in enumerate(TEXTS[other])]
    new = {"id": "new", "lang": lang, "text": TEXTS[lang][0]}
    of_one = make_index(tmp_path / "one", fields, {other: tables[other]})
    assert of_one.add([new]) == Added(1, 0, 0)
    assert (of_one.snapshot.manifest.without_vector, of_one.snapshot.manifest.languages[lang]) == (1, 1)
    assert list(scores(of_one, "bm25", [TEXTS[lang][0]], lang)[0]) == ["new"]
    both = {other: tables[other], lang: tables[lang]}
    of_two = make_index(tmp_path / "two", [*fields, {**new, "id": "old"}], both)
    of_two.delete(["old"])
    assert lang not in of_two.snapshot.manifest.languages
    of_two.add([new])
    assert of_two.search(TEXTS[lang][0], method="mean", lang=lang)[0].id == "new"
    third = next(code for code in LANGUAGES if code not in both)
    with pytest.raises(InputError, match=f"none for {third}"):
        of_two.add([{"id": "third", "lang": third, "text": TEXTS[third][0]}])
    assert len(of_two) == 4


def test_new_words_need_the_table_as_it_was(tables, tmp_path):
    shutil.copytree(tables["en"].path, tmp_path / "table")
    known = [{"id": "a", "lang": "en", "text": TEXTS["en"][0]}]
    index = make_index(tmp_path / "index", known, {"en": load_vectors(tmp_path / "table")})
    new = [{"id": "b", "lang": "en", "text": TEXTS["en"][1]}]
    shutil.rmtree(tmp_path / "table")
    for state, other in (("is gone", None), ("has changed since", tables["es"])):
        if other is not None:
            shutil.copytree(other.path, tmp_path / "table")
        with pytest.raises(InputError, match=state):
            Index(index.path).add(new)
        assert index.add([{"id": f"no new words, {state}", "lang": "en", "text": "the old river"}]).added == 1
    shutil.rmtree(tmp_path / "table")
    shutil.copytree(tables["en"].path, tmp_path / "table")
    assert index.add(new).added == 1
    assert index.search("sourdough", method="mean")[0].id == "b"
    manifest = json.loads((index.path / "index.json").read_text())
    assert Snapshot(index.path).manifest.revision == manifest["revision"] == 4
