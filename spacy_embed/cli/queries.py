"""Queries of the command line."""

from collections.abc import Sequence

from spacy_embed.errors import InputError
from spacy_embed.evaluation.judgements import Query
from spacy_embed.pipeline.query_encoder import QueryEncoder
from spacy_embed.pipeline.text_kernel import AUTO
from spacy_embed.retrieval.encoded import form_of
from spacy_embed.retrieval.queries import Queries
from spacy_embed.retrieval.snapshot import Snapshot


def encode_queries(index: Snapshot, queries: Sequence[Query], lang: str = AUTO) -> Queries:
    """Encode queries and find their words in the index.

    Raises:
        InputError: Unknown language.
    """
    return encode_with(QueryEncoder(index), queries, lang)


def encode_with(encoder: QueryEncoder, queries: Sequence[Query], lang: str = AUTO) -> Queries:
    """The same by an encoder that is there already."""
    langs = [query.lang if lang == AUTO else lang for query in queries]
    return encoder([query.text for query in queries], langs)


def refuse_unknown(index: Snapshot, encoded: Queries, i: int, query: str, method: str) -> None:
    """Raise when a method knows no word of a query."""
    if not index.method(method).knows(encoded, i):
        keys = [form_of(encoded.keys[row]) for row in encoded.key_bags.at(i)[0]]
        words = ", ".join(repr(key) for key in keys) if keys else "only stop words or punctuation"
        raise InputError(
            f"Nothing in the query {query!r} is known to {index.path} ({words}; language taken: {encoded.langs[i]}): "
            "its vectors lack these words, or no word of the corpus is near them. Use other words, name the language "
            "with --lang, or index with vectors that cover them."
        )
