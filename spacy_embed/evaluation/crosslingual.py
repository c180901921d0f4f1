"""Search across languages: queries in one, documents in another, every direction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from spacy_embed.errors import InputError
from spacy_embed.evaluation.judgements import Qrels, Query
from spacy_embed.evaluation.retrieval import Encode, Search, evaluate_methods
from spacy_embed.retrieval.snapshot import Snapshot
from spacy_embed.types import Doubles2d


@dataclass(frozen=True)
class Documents:
    """The documents of a language: an index, or the part of one that a condition holds for.

    Attributes:
        index: The index.
        encode: Encodes queries for it; they name their own language.
        where: The condition, in SQL.
    """

    index: Snapshot
    encode: Encode
    where: str | None = None

    @property
    def ids(self) -> set[str]:
        """Ids of these documents."""
        return set(self.index.ids if self.where is None else self.index.matching(self.where))


class Asked(NamedTuple):
    """The queries of a language, and its judgements."""

    queries: list[Query]
    qrels: Qrels


class Directions(NamedTuple):
    """One method's measure in every direction."""

    method: str
    measure: str
    query_langs: list[str]
    document_langs: list[str]
    values: Doubles2d
    """float64[query languages, document languages]; NaN where no query has a relevant document."""
    n_queries: list[list[int]]
    """How many queries each value is the mean of."""

    @property
    def across(self) -> list[float]:
        """The values of two different languages."""
        return [
            float(self.values[i, j])
            for i, asked in enumerate(self.query_langs)
            for j, searched in enumerate(self.document_langs)
            if asked != searched and not np.isnan(self.values[i, j])
        ]


def evaluate_directions(
    documents: Mapping[str, Documents],
    asked: Mapping[str, Asked],
    methods: Sequence[str],
    measures: Sequence[str],
    depth: int = 100,
    *,
    judged_by_documents: bool = False,
) -> list[Directions]:
    """Search the documents of each language with the queries of each.

    A query takes part in a direction if one of its relevant documents is among the documents searched.

    Args:
        documents: By language.
        asked: By language.
        methods: Names of methods.
        measures: Names of measures.
        depth: Hits kept a query.
        judged_by_documents: Judgements are those given with the documents' language, not the queries'.

    Returns:
        One for each method and measure, the methods in their order.

    Raises:
        InputError: No direction has a judged query.
    """
    shape = len(asked), len(documents)
    values = {(method, measure): np.full(shape, np.nan) for method in methods for measure in measures}
    counts = np.zeros(shape, np.int64)
    for j, (searched_lang, searched) in enumerate(documents.items()):
        ids = searched.ids
        for i, (asked_lang, of_lang) in enumerate(asked.items()):
            judged_with = asked.get(searched_lang) if judged_by_documents else of_lang
            if judged_with is None:
                continue
            qrels = among(judged_with.qrels, ids)
            queries = [query._replace(lang=asked_lang) for query in of_lang.queries if query.id in qrels]
            counts[i, j] = len(queries)
            if not queries:
                continue
            search = Search(depth, searched.where)
            found = evaluate_methods(
                searched.index, queries, searched.encode, qrels, methods, search,
                measures=measures, label=f"{asked_lang} → {searched_lang}",
            )  # fmt: skip
            for result in found.results:
                for measure, mean in result.scores.means.items():
                    values[result.method, measure][i, j] = mean
    if not counts.any():
        raise InputError("None of the judged documents is in any index: do the ids of documents and judgements match?")
    return [
        Directions(method, measure, list(asked), list(documents), of_both, counts.tolist())
        for (method, measure), of_both in values.items()
    ]


def among(qrels: Qrels, ids: set[str]) -> Qrels:
    """Judgements of some documents, of the queries that have a relevant one among them."""
    kept = {query: {doc: grade for doc, grade in grades.items() if doc in ids} for query, grades in qrels.items()}
    return {query: grades for query, grades in kept.items() if any(grade > 0 for grade in grades.values())}


def translations(documents: Documents, lang: str) -> Asked:
    """Documents as queries for their translations: the documents of the same id in another language.

    By P@1 this is the accuracy of sentence matching (Artetxe and Schwenk 2019, "Massively Multilingual Sentence
    Embeddings for Zero-Shot Cross-Lingual Transfer and Beyond", section 4.3, without their margin).

    Args:
        documents: The documents.
        lang: Their language.
    """
    ids = documents.ids
    rows = documents.index.dataset.to_table(columns=["id", "title", "text"]).to_pylist()
    texts = {row["id"]: f"{row['title'] or ''}\n{row['text']}".strip() for row in rows}
    queries = [Query(identifier, text, lang) for identifier, text in texts.items() if identifier in ids]
    return Asked(queries, {query.id: {query.id: 1} for query in queries})
