import json
import shutil

import numpy as np
import pytest

from spacy_embed.cli.queries import encode_queries
from spacy_embed.errors import InputError
from spacy_embed.evaluation.judgements import Query
from spacy_embed.pipeline.text_kernel import TextKernel
from spacy_embed.pipeline.workers import encode_batches
from spacy_embed.retrieval.corpus_formats import Document
from spacy_embed.retrieval.encoded import text_batches
from spacy_embed.retrieval.index_build import build_index
from spacy_embed.retrieval.index_plan import IndexPlan
from spacy_embed.retrieval.snapshot import Snapshot
from spacy_embed.retrieval.spool import Spool
from tests.conftest import LANGUAGES, TEXTS

DOCUMENTS = [
    Document(f"{code}{i}", code, "", text, {"n": i}, "") for code in LANGUAGES for i, text in enumerate(TEXTS[code])
]


def make(out, plan, documents=DOCUMENTS, *, sequences=False, workers=1, batch=4):
    kernel = TextKernel(sequences=sequences)

    def save_pipelines(folder, languages):
        for language in languages:
            kernel.pipeline(language).to_disk(folder / language)

    def spool_documents(folder):
        spool = Spool(folder, kernel.identity())
        spool.add(encode_batches(kernel, text_batches(spool.rest(documents), size=batch), workers))
        return spool

    return build_index(out, plan, spool_documents, save_pipelines)


@pytest.fixture
def index(tmp_path, tables):
    make(tmp_path / "index", IndexPlan("tables", tables, "tfidf"))
    return Snapshot(tmp_path / "index")


def test_summary_counts(tmp_path, tables):
    summary = make(tmp_path / "index", IndexPlan("tables", tables))
    assert summary.documents == 15
    assert summary.languages == dict.fromkeys(LANGUAGES, 3)
    assert summary.covered == 1.0
    assert summary.without_vector == 0


@pytest.mark.parametrize("method", ["tfidf", "sif", "mean"])
def test_embeddings_are_those_of_the_pipeline(lang, method, index, make_nlp):
    nlp = make_nlp(lang, method=method)
    stored = index.document_embeddings(method)
    for i, text in enumerate(TEXTS[lang]):
        np.testing.assert_allclose(stored[index.ids.index(f"{lang}{i}")], nlp(text)._.embedding, rtol=1e-4, atol=1e-6)


def test_query_equal_to_a_document_finds_it_first(lang, index):
    for method in ("tfidf", "mean", "bm25"):
        encoded = encode_queries(index, [Query("q", TEXTS[lang][1], "")])
        assert encoded.langs == [lang]
        (ranked,) = index.rank(encoded, method, 3)
        best = index.hits(ranked)[0]
        assert (best.id, best.rank, best.text, best.metadata) == (f"{lang}1", 1, TEXTS[lang][1], {"n": 1})
        if method != "bm25":
            assert best.score == pytest.approx(1.0, abs=1e-5)


def test_two_workers_and_other_batches_give_the_same_index(tmp_path, tables):
    make(tmp_path / "one", IndexPlan("tables", tables))
    make(tmp_path / "two", IndexPlan("tables", tables), workers=2, batch=7)
    one, two = Snapshot(tmp_path / "one"), Snapshot(tmp_path / "two")
    assert one.ids == two.ids
    for name in ("sif", "tfidf"):
        np.testing.assert_allclose(one.document_embeddings(name), two.document_embeddings(name), rtol=1e-5, atol=1e-7)


def test_index_travels_without_its_table(tmp_path, tables):
    table = tmp_path / "table"
    shutil.copytree(tables["en"].path, table)
    from spacy_embed.vectors import load_vectors

    make(tmp_path / "index", IndexPlan("tables", {"en": load_vectors(table)}), DOCUMENTS[:3])
    shutil.rmtree(table)
    shutil.move(tmp_path / "index", tmp_path / "elsewhere")
    index = Snapshot(tmp_path / "elsewhere")
    (ranked,) = index.rank(encode_queries(index, [Query("q", "river", "")]), "sif", 3)
    assert len(ranked.positions) > 0


def test_words_beyond_the_corpus_come_from_the_full_table(tmp_path, tables):
    corpus = [document for document in DOCUMENTS if document.id in ("en0", "en1")]
    make(tmp_path / "index", IndexPlan("tables", {"en": tables["en"]}), corpus)
    index = Snapshot(tmp_path / "index")
    assert index.table.find(["en:crosses"])[0] == -1
    encoded = encode_queries(index, [Query("q", "crosses", "")])
    np.testing.assert_allclose(encoded.rows.extra[0], tables["en"].vector("crosses"), rtol=1e-6)
    units = np.asarray(index.table.rows)
    assert encoded.rows.stands_for[0] == int((units @ tables["en"].vector("crosses")).argmax())
    np.testing.assert_allclose(index.embed_queries(encoded, "mean")[0], tables["en"].vector("crosses"), rtol=1e-5)


def test_words_beyond_the_corpus_weigh_as_the_nearest_word_in_its_own_language(tmp_path):
    from spacy_embed.vectors import WordTable

    rows = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.9, 0.1, 0]], np.float32)
    table = WordTable.build(["river", "мост", "река", "креветка"], rows).save(tmp_path / "table")
    texts = {"en": ["river", "river", "river"], "ru": ["мост", "мост река", "река"]}
    documents = [Document(f"{c}{i}", c, "", text, {}, "") for c, of in texts.items() for i, text in enumerate(of)]
    make(tmp_path / "index", IndexPlan("tables", {"": table}, "tfidf"), documents)
    index = Snapshot(tmp_path / "index")
    encoded = encode_queries(index, [Query("q", "креветка мост", "ru")])
    idf_river, idf_bridge = np.log(4 / 4) + 1, np.log(4 / 3) + 1
    expected = (idf_river * rows[3] + idf_bridge * rows[1]) / (idf_river + idf_bridge)
    np.testing.assert_allclose(index.embed_queries(encoded, "tfidf")[0], expected, rtol=1e-5)


def test_vector_files_are_read_once_for_words_beyond_the_corpus(tmp_path):
    from spacy_embed.vectors import load_vectors

    (tmp_path / "v.txt").write_text("3 2\nriver 1 0\nbridge 0 1\nstream 1 1\n")
    make(tmp_path / "index", IndexPlan("tables", {"": load_vectors(tmp_path / "v.txt")}), DOCUMENTS[:1])
    for _ in range(2):
        encoded = encode_queries(Snapshot(tmp_path / "index"), [Query("q", "stream", "")])
        np.testing.assert_allclose(encoded.rows.extra[0], [1, 1])
    assert len(list((tmp_path / "index" / "full_tables").iterdir())) == 1


def test_a_table_that_changed_since_is_not_used_for_queries(tmp_path, tables):
    from spacy_embed.vectors import load_vectors

    table = tmp_path / "table"
    shutil.copytree(tables["en"].path, table)
    make(tmp_path / "index", IndexPlan("tables", {"en": load_vectors(table)}), DOCUMENTS[:2])
    shutil.rmtree(table)
    shutil.copytree(tables["es"].path, table)
    encoded = encode_queries(Snapshot(tmp_path / "index"), [Query("q", "crosses pan", "")])
    assert len(encoded.rows.extra) == 0


def test_trained_vectors(tmp_path):
    documents = [Document(str(i), "en", "", TEXTS["en"][i % 3], {}, "") for i in range(30)]
    make(tmp_path / "index", IndexPlan("train", dim=8), documents, sequences=True)
    index = Snapshot(tmp_path / "index")
    assert index.table.dim == 8
    assert index.manifest.tables[0]["source"]["method"] == "word2vec"


def test_an_error_leaves_nothing_behind(tmp_path, tables):
    def failing():
        yield from DOCUMENTS[:4]
        raise InputError("line 5 is malformed")

    with pytest.raises(InputError, match="line 5"):
        make(tmp_path / "index", IndexPlan("tables", tables), failing())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (lambda tables: IndexPlan("tables", {"en": tables["en"]}), "--vectors es=TABLE"),
        (lambda tables: IndexPlan("tables", {"": tables["zh"]}, "tfidf"), None),
        (lambda tables: IndexPlan("tables", {"": tables["zh"]}, "wmd"), "Unknown embedding"),
    ],
)
def test_plans_that_do_not_fit(plan, message, tmp_path, tables):
    if message is None:
        assert make(tmp_path / "index", plan(tables)).without_vector == 12
        return
    with pytest.raises(InputError, match=message):
        make(tmp_path / "index", plan(tables))


def test_vectors_of_another_language_are_refused(tmp_path, tables):
    with pytest.raises(InputError, match="know none of the corpus's"):
        make(tmp_path / "index", IndexPlan("tables", {"": tables["zh"]}), DOCUMENTS[:3])


def test_damaged_index_is_refused(index, tmp_path):
    path = tmp_path / "index"
    manifest = json.loads((path / "index.json").read_text())
    for damage, message in [
        (lambda: (path / "index.json").write_text("{"), "damaged"),
        (lambda: (path / "index.json").write_text("{}"), "does not describe"),
        (lambda: (path / "index.json").write_text(json.dumps({**manifest, "version": 99})), "version 99"),
        (
            lambda: (path / "index.json").write_text(json.dumps({**manifest, "positions": 9})),
            "15 documents, expected 9",
        ),
        (lambda: (path / "index.json").unlink(), "not an index"),
    ]:
        damage()
        with pytest.raises(InputError, match=message):
            Snapshot(path)
    with pytest.raises(InputError, match="There is no index"):
        Snapshot(tmp_path / "nowhere")
