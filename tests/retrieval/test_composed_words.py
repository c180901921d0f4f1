"""Indexes made with FastText tables: words that a table lacks have vectors, in documents and in queries."""

import shutil

import numpy as np
import pytest
from spacy.vectors import Vectors

from spacy_embed.embedding import cosine_similarity
from spacy_embed.errors import InputError
from spacy_embed.pipeline.index import Index
from spacy_embed.pipeline.language_pipelines import default_pipeline
from spacy_embed.pipeline.text_kernel import TextKernel
from spacy_embed.pipeline.workers import encode_batches
from spacy_embed.retrieval.encoded import text_batches
from spacy_embed.retrieval.index_build import build_index
from spacy_embed.retrieval.index_plan import IndexPlan
from spacy_embed.retrieval.spool import Spool
from spacy_embed.vectors import load_vectors
from spacy_embed.vectors.subwords import subword_table
from tests.conftest import LANGUAGES, TEXTS
from tests.stores import as_document, assert_same_scores, embeddings, forms_of, make_index, scores, word_bags

pytestmark = pytest.mark.usefixtures("cached_pipelines")

DOCUMENTS = [
    {"id": f"{lang}-{i}", "lang": lang, "text": text} for lang in LANGUAGES for i, text in enumerate(TEXTS[lang])
]
UNSEEN = {"en": "bridged", "es": "puentecito", "pt": "pontezinha", "ru": "мостовой", "zh": "桥头堡"}


def half_known(forms, seed=0):
    """A table that holds every second form and composes the others."""
    words, rng = forms[::2], np.random.default_rng(seed)
    return subword_table(words, rng.normal(size=(len(words), 16)), rng.normal(size=(300, 16)), 1, 4)


@pytest.fixture(scope="module")
def fasttext_tables(tmp_path_factory):
    """A saved table a language."""
    folder = tmp_path_factory.mktemp("fasttext")
    forms = forms_of(DOCUMENTS)
    return {lang: half_known(forms[lang], seed).save(folder / lang) for seed, lang in enumerate(LANGUAGES)}


@pytest.fixture(scope="module")
def index(fasttext_tables, tmp_path_factory):
    return make_index(tmp_path_factory.mktemp("indexes") / "index", DOCUMENTS, fasttext_tables)


def test_every_word_of_the_corpus_has_the_tables_vector(index, fasttext_tables):
    table, forms = index.snapshot.table, forms_of(DOCUMENTS)
    for lang, of_lang in forms.items():
        rows = table.find([f"{lang}:{form}" for form in of_lang])
        assert (rows >= 0).all()
        source = fasttext_tables[lang]
        np.testing.assert_array_equal(table.rows[rows[::2]], [source.vector(form) for form in of_lang[::2]])
        np.testing.assert_array_equal(table.rows[rows[1::2]], source.compose(of_lang[1::2]))
    assert len(set(table.keys.word_rows.tolist())) == sum(map(len, forms.values()))


def test_subwords_are_not_copied_into_the_index(index):
    assert not index.snapshot.table.composes
    assert not list(index.snapshot.path.rglob("*subwords*"))


@pytest.mark.parametrize("method", ["tfidf", "sif", "mean", "wmd"])
def test_queries_of_unseen_words_find_what_is_nearest(index, fasttext_tables, lang, method):
    found = index.search(UNSEEN[lang], 3, method=method, lang=lang)
    assert len(found) == 3
    assert all(np.isfinite(hit.score) for hit in found)
    if method != "mean" or lang in ("ru", "zh"):
        return
    # its form is itself, so the cosines are those of the composed vector
    query = fasttext_tables[lang].compose([UNSEEN[lang]])[0]
    documents = embeddings(index.snapshot, "mean")
    for hit in found:
        assert hit.score == pytest.approx(cosine_similarity(query, documents[hit.id]), abs=1e-5)


def test_added_documents_are_as_if_they_had_been_there(index, fasttext_tables, tmp_path):
    first, added = DOCUMENTS[::2], DOCUMENTS[1::2]
    grown = make_index(tmp_path / "grown", first, fasttext_tables)
    grown.add(added)
    assert word_bags(grown.snapshot) == word_bags(index.snapshot)
    ours, theirs = embeddings(grown.snapshot, "mean"), embeddings(index.snapshot, "mean")
    for id_, row in theirs.items():
        np.testing.assert_allclose(ours[id_], row, atol=1e-6)
    queries = [TEXTS["ru"][0], UNSEEN["ru"]]
    assert_same_scores(scores(grown, "mean", queries, "ru"), scores(index, "mean", queries, "ru"))


def test_new_words_need_the_table(fasttext_tables, tmp_path):
    copies = {lang: table.save(tmp_path / lang) for lang, table in fasttext_tables.items()}
    grown = make_index(tmp_path / "index", DOCUMENTS, copies)
    shutil.rmtree(tmp_path / "ru")
    with pytest.raises(InputError, match="is gone"):
        grown.add([{"id": "new", "lang": "ru", "text": UNSEEN["ru"]}])
    # a query goes on without
    assert grown.search(TEXTS["ru"][0], method="mean", lang="ru")


def test_a_facebook_model_serves_an_index(tmp_path):
    from tests.vectors.fasttext_models import train_facebook

    folder = tmp_path / "model"
    folder.mkdir()
    model = train_facebook(folder, minCount=20)
    model.save_model(str(folder / "model.bin"))
    table = load_vectors(folder / "model.bin")
    made = make_index(tmp_path / "index", DOCUMENTS, dict.fromkeys(LANGUAGES, table))
    assert made.snapshot.manifest.without_vector == 0
    made.add([{"id": "new", "lang": "ru", "text": UNSEEN["en"]}])
    word = made.snapshot.table.vector(f"ru:{UNSEEN['en']}")
    np.testing.assert_allclose(word, model.get_word_vector(UNSEEN["en"]), rtol=0, atol=1e-6)
    assert made.search(UNSEEN["en"], 1, method="mean", lang="ru")[0].id == "new"


def test_floret_vectors_of_a_pipeline_serve_an_index(tmp_path):
    nlp = default_pipeline("ru")
    data = np.random.default_rng(0).normal(size=(200, 8)).astype(np.float32)
    nlp.vocab.vectors = Vectors(strings=nlp.vocab.strings, data=data, mode="floret", minn=2, maxn=3, hash_count=2)
    documents = [document for document in DOCUMENTS if document["lang"] == "ru"]
    nlp.to_disk(tmp_path / "own")
    kernel = TextKernel(pipelines={"ru": tmp_path / "own"})

    def spool_documents(folder):
        spool = Spool(folder, kernel.identity())
        spool.add(encode_batches(kernel, text_batches(map(as_document, documents)), 1))
        return spool

    build_index(
        tmp_path / "index", IndexPlan("spacy", kernel.pipeline_tables()), spool_documents, kernel.save_pipelines
    )
    made = Index(tmp_path / "index")
    made.add([{"id": "new", "lang": "ru", "text": UNSEEN["en"]}])
    word = made.snapshot.table.vector(f"ru:{UNSEEN['en']}")
    np.testing.assert_allclose(word, nlp.vocab.vectors[UNSEEN["en"]], rtol=0, atol=1e-6)
