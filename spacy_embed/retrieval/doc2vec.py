"""Doc2Vec as an older rival: a vector a document, learned on the documents of the index."""

from typing import Any
from zlib import crc32

import numpy as np

from spacy_embed.bags import Bags
from spacy_embed.embedding import unit_rows
from spacy_embed.retrieval.method_names import DOC2VEC
from spacy_embed.retrieval.methods import Cosine, IdsOf
from spacy_embed.types import Floats2d, Ints1d

DIM = 100
EPOCHS = 40
_SEED = 1


class Doc2Vec(Cosine):
    """Cosine of the vectors of a distributed bag of words (gensim's ``Doc2Vec``, dm=0, one thread).

    (Le and Mikolov 2014, "Distributed Representations of Sentences and Documents": a document's vector predicts its
    words, whose order does not matter. 100 dimensions, 40 epochs, 5 negative samples.) It is learned anew whenever an
    index is opened and asked for it.

    Args:
        documents: Bags of counts over the rows of the index.
        deleted: int64[n], positions of documents that are gone.
        ids: Gives the ids of documents, for ties.
    """

    def __init__(self, documents: Bags, deleted: Ints1d, ids: IdsOf) -> None:
        from gensim.models.doc2vec import Doc2Vec as Model
        from gensim.models.doc2vec import TaggedDocument

        units: Floats2d = np.zeros((len(documents), DIM), np.float32)
        there = np.setdiff1d(np.flatnonzero(documents.sizes > 0), deleted)
        # counts are of words, a token each; a weight of less is still one
        texts = [TaggedDocument(_tokens(documents, int(i)), [tag]) for tag, i in enumerate(there)]
        self._model: Any = None
        if texts:
            self._model = Model(
                texts,
                dm=0,
                vector_size=DIM,
                epochs=EPOCHS,
                negative=5,
                min_count=1,
                workers=1,
                seed=_SEED,
                hashfxn=_hash,
            )
            units[there] = unit_rows(self._model.dv.vectors)
        super().__init__(DOC2VEC, units, ids)

    def infer(self, queries: Bags) -> Floats2d:
        """float32[queries, 100]; a zero row for a query without a word of the documents.

        Args:
            queries: Bags of counts over the rows of the index, and others that are passed over.
        """
        vectors: Floats2d = np.zeros((len(queries), DIM), np.float32)
        if self._model is None:
            return vectors
        for i in range(len(queries)):
            words = [word for word in _tokens(queries, i) if word in self._model.wv]
            if words:
                # the same vector, whichever queries came before
                self._model.random.seed(_SEED)
                vectors[i] = self._model.infer_vector(words)
        return vectors


def _tokens(bags: Bags, i: int) -> list[str]:
    rows, counts = bags.at(i)
    repeated = np.repeat(rows, np.maximum(np.rint(counts), 1).astype(np.int64))
    return [str(row) for row in repeated.tolist()]


def _hash(text: str) -> int:
    """Python's own differs from one process to the next."""
    return crc32(text.encode())
