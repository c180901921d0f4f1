"""Making an index: encoded batches in, a folder out that holds all a search needs."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from spacy_embed import __version__
from spacy_embed.atomic_files import new_directory
from spacy_embed.bags import Bags
from spacy_embed.embedding import EMBEDDINGS, BagEmbedding, named_embedding
from spacy_embed.errors import InputError, require
from spacy_embed.retrieval import index_files as files
from spacy_embed.retrieval.encoded import form_of, list_bags, list_columns
from spacy_embed.retrieval.methods import Bm25
from spacy_embed.retrieval.ranking import id_ranks
from spacy_embed.retrieval.spooled_corpus import SPOOLED_COLUMNS, SpooledCorpus
from spacy_embed.retrieval.vector_sources import (
    CorpusRows,
    Tables,
    corpus_rows,
    distilled_table,
    provenance,
    trained_tables,
)
from spacy_embed.state import state_to_bytes
from spacy_embed.types import Floats2d
from spacy_embed.vectors.directory_format import save_keys
from spacy_embed.vectors.key_index import KeyIndex
from spacy_embed.vectors.word_table import WordTable

Source = Literal["tables", "train", "distill"]
Fitted = dict[str, dict[str, BagEmbedding]]
"""Embeddings by name and language: each language has its own idf, frequencies and common components."""


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
    overwrite: bool = False,
) -> IndexSummary:
    """Make an index; the folder appears whole or not at all.

    Args:
        batches: Batches of ``ENCODED``; with forms in running order when vectors are to be trained.
        out: The folder to write.
        plan: How.
        save_pipelines: Called with a folder and the languages of the corpus, to keep their pipelines.
        overwrite: Replace an index that is there.

    Raises:
        InputError: The path is taken, the corpus is empty, or the vectors know none of its words.
    """
    require("lance", extra="search", purpose="index a corpus")
    named_embedding(plan.embedding)
    with new_directory(out, overwrite=overwrite, marker=files.MARKER) as folder:
        corpus = SpooledCorpus.spool(batches, folder / "spool.arrow")
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


def _with_origin(table: WordTable, tables: Tables) -> WordTable:
    """The rows with what is known of their tables, a distilled table's projection included."""
    origins = {id(origin): origin for origin in tables.values()}
    origin = next(iter(origins.values()))
    if len(origins) > 1 or not isinstance(origin, WordTable):
        return replace(table, metadata={"source": {"method": "rows of several tables"}})
    return replace(table, metadata={"source": origin.metadata.get("source", {})}, extras=origin.extras)


def _tables(plan: IndexPlan, corpus: SpooledCorpus, scratch: Path) -> Tables:
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


def _refuse_no_coverage(rows: CorpusRows, corpus: SpooledCorpus) -> None:
    if not len(rows.table.rows):
        example = next(iter(corpus.keys.ids), None)
        raise InputError(
            f"The vectors know none of the corpus's {len(corpus.keys)} words"
            + (f" (such as {form_of(example)!r})" if example else "")
            + ": check their language, and that their keys fit the lookup forms (case, lemma, template)."
        )


def _fit(corpus: SpooledCorpus, rows: CorpusRows, plan: IndexPlan) -> Fitted:
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
    corpus: SpooledCorpus, rows: CorpusRows, by_lang: Mapping[str, BagEmbedding], folder: Path
) -> IndexSummary:
    import lance

    table = rows.table.rows
    counts = {"documents": 0, "tokens": 0, "found": 0, "without_vector": 0}
    languages: dict[str, int] = {}
    names = [*SPOOLED_COLUMNS, "bag_rows", "bag_weights", "term_rows", "term_counts", "embedding"]

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
                    *(batch.column(name) for name in SPOOLED_COLUMNS),
                    *list_columns(bags),
                    *(batch.column(name) for name in ("terms", "term_counts")),
                    pa.FixedSizeListArray.from_arrays(pa.array(embeddings.ravel()), table.shape[1]),
                ],
                names=names,
            )

    stream = with_embeddings()
    first = next(stream)
    reader = pa.RecordBatchReader.from_batches(first.schema, chain([first], stream))
    lance.write_dataset(reader, str(folder / files.DOCUMENTS))
    return IndexSummary(
        counts["documents"],
        dict(sorted(languages.items())),
        counts["tokens"],
        counts["found"] / counts["tokens"] if counts["tokens"] else 0.0,
        counts["without_vector"],
    )


def _write_terms(corpus: SpooledCorpus, folder: Path) -> None:
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
