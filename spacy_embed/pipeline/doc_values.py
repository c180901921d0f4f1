"""What ``doc_embedder`` leaves on a Doc."""

from collections.abc import Sequence

from spacy.tokens import Doc

from spacy_embed.bags import Bags
from spacy_embed.pipeline.composed_words import closed_up, own_words
from spacy_embed.pipeline.doc_counts import DocCounts
from spacy_embed.types import Floats2d

DOC_VALUES = (
    *("token_rows", "share_rows", "shares", "share_offsets", "bag_rows", "bag_weights"),
    *("composed", "embedding", "coverage", "embedder"),
)
"""What is stored; all else is computed from it."""


def set_values(
    docs: Sequence[Doc], counts: DocCounts, weighted: Bags, embeddings: Floats2d, n_rows: int, fingerprint: str
) -> None:
    """Keep what was computed of some Docs with them; arrays are copied, so that none keeps its batch.

    Args:
        docs: The Docs.
        counts: What they hold.
        weighted: The same bags with the weights of the method.
        embeddings: float32[docs, dim].
        n_rows: How many rows the table has: composed words are numbered on from there, in each Doc anew.
        fingerprint: Of the embedder.
    """
    for i, doc in enumerate(docs):
        token_rows = counts.token_rows[i]
        own = own_words(token_rows, n_rows)
        bag_rows, bag_weights = weighted.at(i)
        shares = counts.shares[i].copied() if counts.shares else (None, None, None)
        doc._.composed = [counts.composed[row - n_rows] for row in own.tolist()]
        doc._.token_rows = closed_up(token_rows, own, n_rows)
        doc._.share_rows, doc._.shares, doc._.share_offsets = shares
        doc._.bag_rows, doc._.bag_weights = closed_up(bag_rows, own, n_rows), bag_weights.copy()
        doc._.embedding = embeddings[i].copy()
        found = int((token_rows >= 0).sum())
        doc._.coverage = found / counts.content[i] if counts.content[i] else 0.0
        doc._.embedder = fingerprint
