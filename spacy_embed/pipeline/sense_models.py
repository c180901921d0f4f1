"""Models of senses in a pipeline: opened for its language, and asked about the tokens of Docs."""

import warnings
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from spacy.tokens import Doc

from spacy_embed.errors import InputError
from spacy_embed.pipeline.sense_attributes import senses_of_doc
from spacy_embed.pipeline.token_rows import TokenRows
from spacy_embed.types import Rows
from spacy_embed.vectors.sense_bags import choose
from spacy_embed.vectors.sense_table import Posteriors, SenseTable
from spacy_embed.vectors.table import VectorTable
from spacy_embed.vectors.word_table import WordTable

_ENOUGH_TOKENS = 50
_LEAST_SHARE = 0.01
_ANY_LANGUAGE = "xx"
"""spaCy's code of pipelines for many."""


def senses_for(language: str, table: VectorTable) -> SenseTable:
    """The senses of a table, for a pipeline of a language.

    Raises:
        InputError: The table has none, or they are damaged, or it was trained on text of other languages.
    """
    if not isinstance(table, WordTable):
        raise InputError("The pipeline's own vectors have no senses: set 'vectors' to a table that has.")
    senses = SenseTable.of(table)
    trained_on = languages_of(table)
    if trained_on and language not in (*trained_on, _ANY_LANGUAGE):
        place = f" at {table.path}" if table.path is not None else ""
        raise InputError(
            f"The model of senses{place} was trained on text in {', '.join(map(repr, trained_on))}, but the pipeline's "
            f"language is {language!r}: take a model of that language."
        )
    return senses


def languages_of(table: WordTable) -> list[str]:
    """The languages of the text that a table was trained on, by its model card; empty where nothing is recorded.

    One with less than a hundredth of the documents is left out: detection of languages errs.
    """
    found: object = table.metadata
    for name in ("card", "corpus", "languages"):
        found = found.get(name) if isinstance(found, Mapping) else None
    counts = found if isinstance(found, Mapping) else {}
    documents = {str(lang): n for lang, n in counts.items() if isinstance(n, int)}
    return sorted(lang for lang, n in documents.items() if n >= _LEAST_SHARE * sum(documents.values()))


def posteriors_of_docs(docs: Sequence[Doc], tokens: TokenRows, senses: SenseTable) -> Posteriors:
    """How probable the senses of the tokens of some Docs are; what a tagger with the same model has left is reused.

    Args:
        docs: The Docs.
        tokens: Their tokens, looked up in the table of the senses.
        senses: The senses.

    Raises:
        InputError: Tokens were merged or split since they were tagged, or tagged by other forms.
    """
    kept = [senses_of_doc(doc, senses.table.fingerprint) for doc in docs]
    if not any(kept):
        return token_posteriors(tokens, senses)
    if not all(kept):
        computed = token_posteriors(tokens, senses)
        bounds = pairwise(tokens.offsets.tolist())
        kept = [part or computed.slice(*bound) for part, bound in zip(kept, bounds, strict=True)]
    joined = _joined([part for part in kept if part is not None])
    if not np.array_equal(_words_of(joined), tokens.rows):
        raise InputError(
            "'sense_tagger' has looked tokens up otherwise than 'doc_embedder' does: it must stand after "
            "'lookup_forms', with nothing between the two that changes tokens or forms."
        )
    return joined


def token_posteriors(tokens: TokenRows, senses: SenseTable, window: int | None = None) -> Posteriors:
    """How probable the senses of tokens are.

    Args:
        tokens: Of some Docs, looked up in the table of the senses.
        senses: The senses.
        window: Known words to each side; None for as many as in training.
    """
    if not (tokens.rows >= 0).any():
        _warn_of_unknown_words(tokens)
    return senses.posteriors(tokens.rows, tokens.offsets, window)


def likeliest_rows(posteriors: Posteriors) -> Rows:
    """int32[tokens], the row of each token's most probable sense, the first of equals; -1 for an unknown word."""
    chosen = choose(posteriors, "hard")
    rows = np.full(len(chosen.offsets) - 1, -1, np.int32)
    rows[np.diff(chosen.offsets) > 0] = chosen.rows
    return rows


def _words_of(posteriors: Posteriors) -> Rows:
    """int32[tokens], the row of each token's word, the first of its senses; -1 for an unknown one."""
    is_known = np.diff(posteriors.offsets) > 0
    rows = np.full(len(is_known), -1, np.int32)
    rows[is_known] = posteriors.rows[posteriors.offsets[:-1][is_known]]
    return rows


def _joined(parts: Sequence[Posteriors]) -> Posteriors:
    sizes = [np.zeros(1, np.int64), *(np.diff(part.offsets) for part in parts)]
    return Posteriors(
        np.concatenate([np.empty(0, np.int32), *(part.rows for part in parts)]),
        np.concatenate([np.empty(0, np.float32), *(part.probabilities for part in parts)]),
        np.cumsum(np.concatenate(sizes)),
    )


def _warn_of_unknown_words(tokens: TokenRows) -> None:
    """A file of AdaGram.jl does not name its language, but shows it."""
    n_looked_up = sum(map(bool, tokens.forms))
    if n_looked_up >= _ENOUGH_TOKENS:
        warnings.warn(
            f"The model of senses holds none of {n_looked_up} words in a row: is it of another language, or made with "
            "other lookup forms?",
            stacklevel=2,
        )
