"""Making an index: encoded batches in, a folder out that holds all a search needs."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from spacy_embed import __version__
from spacy_embed.atomic_files import new_directory
from spacy_embed.bags import Bags
from spacy_embed.embedding import EMBEDDINGS, BagEmbedding, named_embedding
from spacy_embed.errors import InputError, require
from spacy_embed.progress import progress_bar
from spacy_embed.retrieval import index_files as files
from spacy_embed.retrieval.encoded import SEPARATOR, Vocabulary, form_of, list_bags, list_columns
from spacy_embed.retrieval.methods import Bm25
from spacy_embed.retrieval.ranking import id_ranks
from spacy_embed.retrieval.vector_sources import (
    CorpusRows,
    Tables,
    corpus_rows,
    distilled_table,
    provenance,
    trained_tables,
)
from spacy_embed.state import state_to_bytes
from spacy_embed.types import Floats2d, Rows
from spacy_embed.vectors.directory_format import save_keys
from spacy_embed.vectors.key_index import KeyIndex
from spacy_embed.vectors.word_table import WordTable

Source = Literal["tables", "train", "distill"]
Fitted = dict[str, dict[str, BagEmbedding]]
"""Embeddings by name and language: each language has its own idf, frequencies and common components."""

_SPOOLED = ("id", "lang", "title", "text", "metadata", "tokens")


@dataclass(frozen=True)
class IndexPlan:
    """How to make an index.

    Attributes:
        source: Where vectors come from.
        tables: A table for each language, for ``source="tables"``; "" serves the languages that have none.
        embedding: The embedding that is stored, and searched by default.
        dim: Dimensions of trained or distilled vectors.
        seed: Of training.
        normalize: Use rows of length 1.
    """

    source: Source = "tables"
    tables: Tables | None = None
    embedding: str = "tfidf"
    dim: int = 256
    seed: int = 1
    normalize: bool = False


@dataclass(frozen=True)
class IndexSummary:
    """What indexing did."""

    documents: int
    languages: dict[str, int]
    tokens: int
    covered: float
    """Share of the looked-up tokens that have a vector."""
    without_vector: int
    """Documents with no known word."""


def build_index(
    batches: Iterable[pa.RecordBatch],
    out: Path,
    plan: IndexPlan,
    save_pipelines: Callable[[Path, Sequence[str]], None],
    *,
    total: int | None = None,
    overwrite: bool = False,
) -> IndexSummary:
    """Make an index; the folder appears whole or not at all.

    Args:
        batches: Batches of ``ENCODED``; with forms in running order when vectors are to be trained.
        out: The folder to write.
        plan: How.
        save_pipelines: Called with a folder and the languages of the corpus, to keep their pipelines.
        total: Number of documents, if known, for the progress bar.
        overwrite: Replace an index that is there.

    Raises:
        InputError: The path is taken, the corpus is empty, or the vectors know none of its words.
    """
    require("lance", extra="search", purpose="index a corpus")
    named_embedding(plan.embedding)
    with new_directory(out, overwrite=overwrite, marker=files.MARKER) as folder:
        corpus = _Corpus.spool(batches, folder / "spool.arrow", total)
        tables = _tables(plan, corpus, out.with_name(f".{out.name}.distilling"))
        rows = corpus_rows(corpus.forms, corpus.keys.ids, tables)
        _refuse_no_coverage(rows, corpus)
        fitted = _fit(corpus, rows, plan)
        summary = _write_documents(corpus, rows, fitted[plan.embedding], folder)
        _with_origin(rows.table, tables).save(folder / files.VECTORS)
        _write_terms(corpus, folder)
        states = {name: {lang: e.state() for lang, e in by_lang.items()} for name, by_lang in fitted.items()}
        (folder / files.EMBEDDINGS_FILE).write_bytes(state_to_bytes(states))
        (folder / files.PIPELINES).mkdir()
        save_pipelines(folder / files.PIPELINES, sorted(corpus.forms))
        corpus.close()
        files.write_manifest(folder, _manifest(plan, tables, summary))
    return summary


class _Corpus:
    """The encoded corpus in a temporary Arrow file, with ids of the whole corpus, read batch by batch."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.keys = Vocabulary()
        self.terms = Vocabulary()

    @classmethod
    def spool(cls, batches: Iterable[pa.RecordBatch], file: Path, total: int | None) -> "_Corpus":
        corpus = cls(file)
        writer = None
        with progress_bar(total=total, label="encoding", unit="doc") as bar:
            try:
                for batch in batches:
                    bags = corpus.keys.bags(batch.column("keys"), batch.column("key_counts"))
                    terms = corpus.terms.bags(batch.column("terms"), batch.column("term_counts"))
                    spooled = pa.record_batch(
                        [*(batch.column(name) for name in _SPOOLED), *list_columns(bags), *list_columns(terms)],
                        names=[*_SPOOLED, "keys", "key_counts", "terms", "term_counts"],
                    )
                    writer = writer or pa.ipc.new_file(str(file), spooled.schema)
                    writer.write_batch(spooled)
                    bar.update(batch.num_rows)
            finally:
                if writer is not None:
                    writer.close()
        if writer is None:
            raise InputError("The corpus holds no documents.")
        return corpus

    @cached_property
    def forms(self) -> dict[str, list[str]]:
        """The vocabulary of each language."""
        forms: dict[str, list[str]] = {lang: [] for lang in sorted(set(self.column("lang")))}
        for key in self.keys.ids:
            lang, _, form = key.partition(SEPARATOR)
            forms[lang].append(form)
        return forms

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The spooled batches, memory-mapped."""
        with pa.memory_map(str(self.file)) as source:
            reader = pa.ipc.open_file(source)
            for i in range(reader.num_record_batches):
                yield reader.get_batch(i)

    def column(self, name: str) -> list[Any]:
        """One column of all documents."""
        return [value for batch in self.batches() for value in batch.column(name).to_pylist()]

    def sequences(self, lang: str) -> Iterator[list[str]]:
        """The forms of each document of a language, in running order."""
        forms = np.array([form_of(key) for key in self.keys.ids], dtype=object)
        for batch in self.batches():
            bags = list_bags(batch.column("keys"), batch.column("key_counts"))
            for i, of_document in enumerate(batch.column("lang").to_pylist()):
                if of_document == lang:
                    yield forms[bags.at(i)[0]].tolist()

    def bags(self, batch: pa.RecordBatch, key_rows: Rows) -> Bags:
        """Bags of counts over table rows."""
        return list_bags(batch.column("keys"), batch.column("key_counts")).map_rows(key_rows)

    def close(self) -> None:
        self.file.unlink()


def _with_origin(table: WordTable, tables: Tables) -> WordTable:
    """The rows with what is known of their tables, a distilled table's projection included."""
    origins = {id(origin): origin for origin in tables.values()}
    origin = next(iter(origins.values()))
    if len(origins) > 1 or not isinstance(origin, WordTable):
        return replace(table, metadata={"source": {"method": "rows of several tables"}})
    return replace(table, metadata={"source": origin.metadata.get("source", {})}, extras=origin.extras)


def _tables(plan: IndexPlan, corpus: _Corpus, scratch: Path) -> Tables:
    forms = corpus.forms
    if plan.source == "train":
        return trained_tables(corpus.sequences, forms, dim=plan.dim, seed=plan.seed)
    if plan.source == "distill":
        return dict.fromkeys(forms, distilled_table(forms, scratch, dim=plan.dim))
    given: Mapping[str, Any] = plan.tables or {}
    missing = [lang for lang in forms if lang not in given and "" not in given]
    if missing:
        raise InputError(
            f"The corpus has documents in {', '.join(missing)}, but vectors were given for "
            f"{', '.join(given) or 'none'}: add --vectors {missing[0]}=TABLE."
        )
    return {lang: given.get(lang) or given[""] for lang in forms}


def _refuse_no_coverage(rows: CorpusRows, corpus: _Corpus) -> None:
    if not len(rows.table.rows):
        example = next(iter(corpus.keys.ids), None)
        raise InputError(
            f"The vectors know none of the corpus's {len(corpus.keys)} words"
            + (f" (such as {form_of(example)!r})" if example else "")
            + ": check their language, and that their keys fit the lookup forms (case, lemma, template)."
        )


def _fit(corpus: _Corpus, rows: CorpusRows, plan: IndexPlan) -> Fitted:
    """Every embedding, fitted on each language's documents."""
    fitted: Fitted = {name: {} for name in EMBEDDINGS}
    parts: dict[str, list[Bags]] = {}
    for batch in corpus.batches():
        bags = corpus.bags(batch, rows.key_rows)
        langs = np.array(batch.column("lang").to_pylist())
        for lang in np.unique(langs):
            parts.setdefault(str(lang), []).append(bags.take(np.flatnonzero(langs == lang)))
    for lang, of_lang in sorted(parts.items()):
        bags = Bags.concatenate(of_lang)
        for name, embedding in EMBEDDINGS.items():
            if len(bags.rows):
                embedding = replace(embedding, normalize=plan.normalize)
                fitted[name][lang] = embedding.fit(bags, rows.table.rows)
    return fitted


def embed(bags: Bags, langs: Sequence[str], by_lang: Mapping[str, BagEmbedding], table: Floats2d) -> Floats2d:
    """Embeddings of bags of counts, each by its own language's fit; zero rows where a language was not fitted.

    Args:
        bags: ``n`` bags over the rows of the table.
        langs: ``n`` language codes.
        by_lang: Fitted embeddings.
        table: float32[rows, dim].
    """
    out = np.zeros((len(bags), table.shape[1]), np.float32)
    codes = np.array(langs)
    for lang in np.unique(codes):
        if str(lang) in by_lang:
            mine = np.flatnonzero(codes == lang)
            out[mine] = by_lang[str(lang)].transform(bags.take(mine), table)
    return out


def _write_documents(
    corpus: _Corpus, rows: CorpusRows, by_lang: Mapping[str, BagEmbedding], folder: Path
) -> IndexSummary:
    import lance

    table = rows.table.rows
    counts = {"documents": 0, "tokens": 0, "found": 0, "without_vector": 0}
    languages: dict[str, int] = {}
    names = [*_SPOOLED, "bag_rows", "bag_weights", "term_rows", "term_counts", "embedding"]

    def with_embeddings() -> Iterator[pa.RecordBatch]:
        for batch in corpus.batches():
            bags = corpus.bags(batch, rows.key_rows)
            langs = batch.column("lang").to_pylist()
            embeddings = embed(bags, langs, by_lang, table)
            counts["documents"] += len(bags)
            counts["tokens"] += int(np.sum(batch.column("tokens").to_numpy()))
            counts["found"] += int(bags.weights.sum(dtype=np.float64))
            counts["without_vector"] += int((bags.sizes == 0).sum())
            for lang in langs:
                languages[lang] = languages.get(lang, 0) + 1
            yield pa.record_batch(
                [
                    *(batch.column(name) for name in _SPOOLED),
                    *list_columns(bags),
                    *(batch.column(name) for name in ("terms", "term_counts")),
                    pa.FixedSizeListArray.from_arrays(pa.array(embeddings.ravel()), table.shape[1]),
                ],
                names=names,
            )

    stream = with_embeddings()
    first = next(stream)
    reader = pa.RecordBatchReader.from_batches(first.schema, _chain(first, stream))
    lance.write_dataset(reader, str(folder / files.DOCUMENTS))
    return IndexSummary(
        counts["documents"],
        dict(sorted(languages.items())),
        counts["tokens"],
        counts["found"] / counts["tokens"] if counts["tokens"] else 0.0,
        counts["without_vector"],
    )


def _chain(first: pa.RecordBatch, rest: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield first
    yield from rest


def _write_terms(corpus: _Corpus, folder: Path) -> None:
    terms = list(corpus.terms.ids)
    save_keys(KeyIndex.build(terms, np.arange(len(terms), dtype=np.int32)), folder / files.TERMS)
    bags = Bags.concatenate([list_bags(b.column("terms"), b.column("term_counts")) for b in corpus.batches()])
    Bm25.build(bags, len(terms), id_ranks(corpus.column("id"))).save(folder / files.BM25_SCORES)


def _manifest(plan: IndexPlan, tables: Tables, summary: IndexSummary) -> dict[str, Any]:
    return {
        "made_by": f"spacy-embed {__version__}",
        "dataset_version": 1,
        "embedding": plan.embedding,
        "normalize": plan.normalize,
        "source": plan.source,
        "tables": provenance(tables),
        "documents": summary.documents,
        "languages": summary.languages,
        "tokens": summary.tokens,
        "covered": round(summary.covered, 4),
        "without_vector": summary.without_vector,
    }
