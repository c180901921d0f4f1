"""Data sets of ``ir_datasets`` by their ids, such as ``beir/scifact/test`` or ``miracl/ru/dev``."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from spacy_embed.atomic_files import make_folder, new_file
from spacy_embed.errors import InputError, SpacyEmbedError, require
from spacy_embed.evaluation.judgements import Qrels, Query
from spacy_embed.progress import progress_bar


class JudgedQueries(NamedTuple):
    """Queries and their judgements."""

    queries: list[Query]
    qrels: Qrels


def load_judged_queries(identifier: str) -> JudgedQueries:
    """Queries and judgements of a data set; what is not on this machine yet, ``ir_datasets`` downloads.

    Raises:
        InputError: There is no such data set, or it has no queries or no judgements.
        MissingExtraError: ir_datasets is not installed.
        SpacyEmbedError: It cannot be read.
    """
    dataset = _load(identifier)
    missing = [kind for kind in ("queries", "qrels") if not getattr(dataset, f"has_{kind}")()]
    if missing:
        raise InputError(f"The data set {identifier!r} has no {' and no '.join(missing)}: name one of its parts.")
    qrels: Qrels = {}
    try:
        lang = dataset.queries_lang() or ""
        queries = [Query(str(query.query_id), _text(query), lang) for query in dataset.queries_iter()]
        for judged in dataset.qrels_iter():
            qrels.setdefault(str(judged.query_id), {})[str(judged.doc_id)] = int(judged.relevance)
    except (OSError, RuntimeError) as error:
        raise _unreadable(identifier, error) from error
    return JudgedQueries(queries, qrels)


def export_dataset(identifier: str, folder: Path) -> dict[str, int]:
    """Write a data set as a folder in BEIR's layout, to index: ``corpus.jsonl.gz``, queries and ``qrels/test.tsv``.

    Returns:
        How many documents, queries and judgements there are.

    Raises:
        InputError: There is no such data set, it lacks a part, or the folder cannot be written.
        MissingExtraError: ir_datasets is not installed.
        SpacyEmbedError: It cannot be read.
    """
    judged = load_judged_queries(identifier)
    dataset = _load(identifier)
    if not dataset.has_docs():
        raise InputError(f"The data set {identifier!r} has no documents.")
    make_folder(folder / "qrels")
    try:
        n_documents = _write_json_lines(folder / "corpus.jsonl.gz", _documents(dataset))
    except (OSError, RuntimeError) as error:
        raise _unreadable(identifier, error) from error
    _write_json_lines(folder / "queries.jsonl.gz", ({"_id": q.id, "lang": q.lang, "text": q.text} for q in judged[0]))
    lines = [f"{query}\t{doc}\t{grade}\n" for query, grades in judged.qrels.items() for doc, grade in grades.items()]
    with new_file(folder / "qrels" / "test.tsv", overwrite=True) as temporary:
        temporary.write_text("query-id\tcorpus-id\tscore\n" + "".join(lines), encoding="utf-8")
    return {"documents": n_documents, "queries": len(judged.queries), "judgements": len(lines)}


def _load(identifier: str) -> Any:
    library = require("ir_datasets", extra="datasets", purpose="read data sets of ir_datasets")
    try:
        return library.load(identifier)
    except KeyError as error:
        raise InputError(
            f"ir_datasets knows no data set {identifier!r}: its ids stand at https://ir-datasets.com."
        ) from error


def _unreadable(identifier: str, error: Exception) -> SpacyEmbedError:
    return SpacyEmbedError(f"The data set {identifier!r} cannot be read ({type(error).__name__}: {error}).")


def _text(record: Any) -> str:
    """What a record says: its own choice where ir_datasets is recent enough to have one."""
    return str(record.default_text() if hasattr(record, "default_text") else record.text)


def _documents(dataset: Any) -> Iterator[dict[str, str]]:
    lang = dataset.docs_lang() or ""
    documents = progress_bar(dataset.docs_iter(), total=dataset.docs_count(), label="writing", unit="document")
    for document in documents:
        title = getattr(document, "title", None)
        # the default text begins with the title, where there is one
        text = str(document.text) if title and hasattr(document, "text") else _text(document)
        yield {"_id": str(document.doc_id), "lang": lang, "title": str(title or ""), "text": text}


def _write_json_lines(path: Path, rows: Iterator[dict[str, str]]) -> int:
    n_rows = 0
    with new_file(path, overwrite=True) as temporary, gzip.open(temporary, "wt", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps({name: value for name, value in row.items() if value}, ensure_ascii=False) + "\n")
            n_rows += 1
    return n_rows
