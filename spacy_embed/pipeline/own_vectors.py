"""Giving a pipeline a table for its vectors: by its config (``spacy_embed.TableVectors.v1``) or by a call."""

from collections.abc import Callable
from pathlib import Path

from spacy.language import Language
from spacy.util import registry
from spacy.vocab import Vocab

from spacy_embed.pipeline.table_vectors import LexicalAttribute, TableVectors
from spacy_embed.vectors.word_table import WordTable

REGISTERED = "spacy_embed.TableVectors.v1"


@registry.vectors(REGISTERED)  # type: ignore[untyped-decorator]
def make_table_vectors(path: str, attr: LexicalAttribute = "ORTH") -> Callable[[Vocab], "TableVectors"]:
    """Vectors from a table or vector file, opened when they are first asked for.

    Args:
        path: A table folder, which is memory-mapped, or a vector file of any format.
        attr: What of a token is looked up: ``ORTH``, its text; ``LOWER``, in lower case; ``NORM``, its norm.
    """

    def make(vocab: Vocab) -> TableVectors:
        return TableVectors(path, attr=attr, strings=vocab.strings)

    return make


def set_vectors(nlp: Language, table: WordTable | str | Path, *, attr: LexicalAttribute = "ORTH") -> TableVectors:
    """Give a pipeline a table for its vectors, and say so in its config, so that it can be saved and loaded.

    Args:
        nlp: The pipeline.
        table: A table, or the path of one.
        attr: What of a token is looked up.

    Raises:
        InputError: Unknown attribute, or a table that cannot be opened.
    """
    vectors = TableVectors(table, attr=attr, strings=nlp.vocab.strings)
    path = table.path or "" if isinstance(table, WordTable) else table
    _ = vectors.table  # a missing table is better found now than at the first token
    nlp.config["nlp"]["vectors"] = {"@vectors": REGISTERED, "path": str(path), "attr": attr}
    nlp.vocab.vectors = vectors
    return vectors
