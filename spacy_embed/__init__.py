"""spacy-embed: document similarity and retrieval for spaCy that people can train, read and trust.

A document is a weighted bag of rows of a vector table.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spacy_embed.bags import Bags as Bags
    from spacy_embed.pipeline.doc_embedder import attach as attach
    from spacy_embed.pipeline.index import Index as Index
    from spacy_embed.pipeline.own_vectors import set_vectors as set_vectors
    from spacy_embed.vectors import WordTable as WordTable
    from spacy_embed.vectors import load_vectors as load_vectors

__version__ = "0.1.0"
__all__ = ["Bags", "Index", "WordTable", "attach", "load_vectors", "set_vectors"]

_HOMES = {
    "Bags": "spacy_embed.bags",
    "Index": "spacy_embed.pipeline.index",
    "WordTable": "spacy_embed.vectors",
    "attach": "spacy_embed.pipeline.doc_embedder",
    "load_vectors": "spacy_embed.vectors",
    "set_vectors": "spacy_embed.pipeline.own_vectors",
}


def __getattr__(name: str) -> Any:
    # imported at first use: spaCy imports every installed plugin at the first spacy.blank()
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
