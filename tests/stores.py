"""What tests of changing indexes share: indexes made in Python, and what they hold as plain values."""

import json
from collections import Counter

import numpy as np

from spacy_embed.embedding import unit_rows
from spacy_embed.pipeline import encoding_pipelines
from spacy_embed.pipeline.index import Index
from spacy_embed.pipeline.text_kernel import TextKernel
from spacy_embed.pipeline.workers import encode_batches
from spacy_embed.retrieval.corpus_formats import Document
from spacy_embed.retrieval.encoded import text_batches
from spacy_embed.retrieval.index_build import build_index
from spacy_embed.retrieval.index_plan import IndexPlan
from spacy_embed.retrieval.spool import Spool
from spacy_embed.vectors import WordTable
from tests.conftest import CORPORA, LANGUAGES

METHODS = ("bm25", "tfidf", "sif", "mean", "sum")


_PIPELINES = {}


def cache_pipelines(monkeypatch):
    """Load each built-in pipeline once for all tests: that is most of the time of a small change or search."""
    load, make = encoding_pipelines.load_pipeline, encoding_pipelines.default_pipeline

    def load_once(path):
        if path.is_file() or (path / "vocab").exists():
            return load(path)
        config = (path / "config.cfg").read_bytes()
        if config not in _PIPELINES:
            _PIPELINES[config] = load(path)
        return _PIPELINES[config]

    def make_once(language):
        if language not in _PIPELINES:
            _PIPELINES[language] = make(language)
        return _PIPELINES[language]

    monkeypatch.setattr(encoding_pipelines, "load_pipeline", load_once)
    monkeypatch.setattr(encoding_pipelines, "default_pipeline", make_once)


def corpus_documents():
    """The sixty documents of each language that come with the project, as fields."""
    documents = []
    for lang in LANGUAGES:
        for line in (CORPORA / lang / "corpus.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            fields = {"title": row["title"], "text": row["text"], "metadata": {"n": len(row["text"])}}
            documents.append({"id": f"{lang}-{row['_id']}", "lang": lang, **fields})
    return documents


def queries_of(lang):
    lines = (CORPORA / lang / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["text"] for line in lines[::4]]


def as_document(fields):
    own = ("id", "lang", "title", "text", "metadata")
    return Document(*(fields.get(name, {} if name == "metadata" else "") for name in own), "")


def forms_of(documents):
    """The distinct lookup forms of each language."""
    forms = {lang: set() for lang in LANGUAGES}
    for batch in encode_batches(TextKernel(), text_batches(map(as_document, documents)), 1):
        for key in batch.column("keys").flatten().dictionary.to_pylist():
            lang, _, form = key.partition(":")
            forms[lang].add(form)
    return {lang: sorted(of_lang) for lang, of_lang in forms.items()}


def random_table(forms, seed, *, dim=16, words_a_row=1):
    """A table of random unit rows."""
    word_rows = np.arange(len(forms), dtype=np.int32) // words_a_row
    rows = unit_rows(np.random.default_rng(seed).normal(size=(word_rows[-1] + 1, dim)))
    return WordTable.build(forms, rows, word_rows=word_rows)


def make_index(path, documents, tables, **plan):
    """An index of documents given as fields."""
    kernel = TextKernel()

    def spool_documents(folder):
        spool = Spool(folder, kernel.identity())
        spool.add(encode_batches(kernel, text_batches(spool.rest(map(as_document, documents))), 1))
        return spool

    build_index(path, IndexPlan("tables", tables, **plan), spool_documents, kernel.save_pipelines)
    return Index(path)


def positions(snapshot):
    """Position of each document that is not deleted, by id."""
    deleted = set(snapshot.reader.deleted.tolist())
    found = {id_: i for i, id_ in enumerate(snapshot.id_keys.all()) if i not in deleted}
    assert len(found) == snapshot.manifest.positions - len(deleted) == len(snapshot)
    return found


def contents(snapshot):
    """Language, title, text and metadata of each document, by id; every id stands there once."""
    columns = ["id", "lang", "title", "text", "metadata"]
    rows = snapshot.dataset.to_table(columns=columns).to_pylist()
    held = {id_: rows[position] for id_, position in positions(snapshot).items()}
    assert all(row["id"] == id_ for id_, row in held.items())
    return {id_: (row["lang"], row["title"], row["text"], json.loads(row["metadata"])) for id_, row in held.items()}


def words_by_row(snapshot):
    """The words of each row of the table."""
    words = {}
    for key, row in zip(snapshot.table.keys, snapshot.table.keys.word_rows.tolist(), strict=True):
        words.setdefault(row, set()).add(key)
    return {row: frozenset(of_row) for row, of_row in words.items()}


def word_bags(snapshot):
    """The bag of each document over the words of its rows, by id."""
    words = words_by_row(snapshot)
    bags = {}
    for id_, position in positions(snapshot).items():
        rows, counts = snapshot.bags.at(position)
        bags[id_] = Counter({words[row]: count for row, count in zip(rows.tolist(), counts.tolist(), strict=True)})
    return bags


def embeddings(snapshot, method):
    """The embedding of each document, by id."""
    rows = snapshot.document_embeddings(method)
    return {id_: rows[position] for id_, position in positions(snapshot).items()}


def scores(index, method, queries, lang="", k=1000):
    """For each query the score of each document, by id."""
    found = index.search_batch(queries, k, method=method, lang=lang)
    for hits in found:
        assert len({hit.id for hit in hits}) == len(hits)
        assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    return [{hit.id: hit.score for hit in hits} for hits in found]


def assert_same_scores(one, two, atol=2e-5):
    for ours, theirs in zip(one, two, strict=True):
        assert ours.keys() == theirs.keys()
        np.testing.assert_allclose([ours[i] for i in theirs], list(theirs.values()), rtol=1e-4, atol=atol)
