"""Queries for an index: encoded by its own pipelines, in the language that they are in."""

from collections.abc import Sequence

from spacy_embed.errors import InputError
from spacy_embed.evaluation.judgements import Query
from spacy_embed.pipeline.form_options import LANGUAGES
from spacy_embed.pipeline.text_kernel import AUTO, TextKernel
from spacy_embed.retrieval.corpus import Document
from spacy_embed.retrieval.encoded import form_of, text_batches
from spacy_embed.retrieval.index import Index, Queries

_OTHER_SCRIPTS = ("ru", "zh")


def query_kernel(index: Index, lang: str) -> TextKernel:
    """The kernel that made the index's documents, for queries.

    A query's language is detected among the index's, and those of other scripts; short texts in Latin script tell
    languages apart badly, so the others must be named.
    """
    mine = index.languages
    candidates = [*mine, *(language for language in _OTHER_SCRIPTS if language not in mine)]
    if not set(mine) - set(_OTHER_SCRIPTS):
        candidates += [language for language in LANGUAGES if language not in candidates]
    return TextKernel(lang, index.pipelines, candidates)


def encode_queries(index: Index, queries: Sequence[Query], lang: str = AUTO) -> Queries:
    """Encode queries and find their words in the index.

    Raises:
        InputError: Unknown language.
    """
    documents = [Document(query.id, query.lang, "", query.text, {}, "") for query in queries]
    (batch,) = text_batches(documents, size=max(len(documents), 1))
    return index.queries(query_kernel(index, lang)(batch))


def refuse_unknown(index: Index, encoded: Queries, i: int, query: str, method: str) -> None:
    """Raise when a method knows no word of a query."""
    if not encoded.knows(i, method):
        keys = [form_of(encoded.keys[row]) for row in encoded.key_bags.at(i)[0]]
        words = ", ".join(repr(key) for key in keys) if keys else "only stop words or punctuation"
        raise InputError(
            f"Nothing in the query {query!r} is known to {index.path} ({words}; language taken: {encoded.langs[i]}): "
            "its vectors lack these words, or no word of the corpus is near them. Use other words, name the language "
            "with --lang, or index with vectors that cover them."
        )
