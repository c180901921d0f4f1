"""Pipelines and indexes in MTEB, the Massive Text Embedding Benchmark (Muennighoff et al. 2023).

``mteb.evaluate(MtebEncoder(nlp), tasks)`` runs a pipeline's embeddings on any text task; ``MtebSearch`` ranks the
corpora of retrieval tasks by any method of an index, BM25 and Word Mover's Distance among them. Needs the extra
``mteb``.
"""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from spacy.language import Language

from spacy_embed.errors import InputError, require
from spacy_embed.types import Floats2d

_PURPOSE = "run MTEB tasks"
_LANGUAGES = {"en": "eng-Latn", "es": "spa-Latn", "pt": "por-Latn", "ru": "rus-Cyrl", "zh": "cmn-Hans"}


class MtebEncoder:
    """A pipeline with a fitted ``doc_embedder`` as an encoder of ``mteb`` 2 (``EncoderProtocol``).

    Queries and documents are embedded alike. A text without a known word is a zero vector, of cosine 0 to all others.

    Args:
        nlp: The pipeline.
        name: What results are filed under, ``ORGANIZATION/NAME``.
        revision: The same, for a changed pipeline under one name.

    Raises:
        MissingExtraError: ``mteb`` is not installed.
        InputError: The pipeline has no ``doc_embedder``.
    """

    def __init__(self, nlp: Language, name: str = "spacy-embed/pipeline", revision: str = "1") -> None:
        require("mteb", extra="mteb", purpose=_PURPOSE)
        if "doc_embedder" not in nlp.pipe_names:
            raise InputError("The pipeline has no 'doc_embedder' component: add and fit one first.")
        self.nlp = nlp
        self._meta = _meta(name, revision, [nlp.lang], "cosine", "dense")

    def encode(self, inputs: Iterable[Mapping[str, Any]], **_: Any) -> Floats2d:
        """Embeddings of texts.

        Args:
            inputs: Batches of MTEB's data loader, each with a ``text`` list. What else MTEB passes is of no use here.

        Returns:
            float32[n, dim].
        """
        texts = (text for batch in inputs for text in batch["text"])
        return np.array([doc._.embedding for doc in self.nlp.pipe(texts)], np.float32)

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
        """All cosines, as a torch tensor of n x m."""
        return _similarities().cos_sim(embeddings1, embeddings2)

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Cosines of the first and the first, the second and the second, as a torch tensor of n."""
        return _similarities().pairwise_cos_sim(embeddings1, embeddings2)

    @property
    def mteb_model_meta(self) -> Any:
        """What MTEB files results under."""
        return self._meta


class MtebSearch:
    """An index as a searcher of ``mteb`` 2 (``SearchProtocol``): each task's corpus is indexed, then searched.

    Args:
        method: What ``Index.search`` takes: ``bm25``, ``tfidf``, ``wmd`` and others.
        lang: Language of the tasks; ``auto`` detects it, text by text.
        vectors: A table or vector file; None distils a table for the corpus (the extra ``distill``).
        dim: Dimensions of a distilled table.
        name: What results are filed under; default: ``spacy-embed/METHOD``.
        revision: The same, for what changes under one name.

    Raises:
        MissingExtraError: ``mteb`` is not installed.
    """

    def __init__(
        self,
        method: str,
        *,
        lang: str = "auto",
        vectors: str | Path | None = None,
        dim: int = 256,
        name: str | None = None,
        revision: str = "1",
    ) -> None:
        require("mteb", extra="mteb", purpose=_PURPOSE)
        self.method, self.lang, self.vectors, self.dim = method, lang, vectors, dim
        self._meta = _meta(name or f"spacy-embed/{method}", revision, [lang], None, "sparse")
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._index: Any = None

    def index(self, corpus: Iterable[Mapping[str, Any]], **_: Any) -> None:
        """Index a task's corpus, in a folder that goes with this object.

        Args:
            corpus: Rows with ``id``, ``text`` and perhaps ``title``.
        """
        from spacy_embed.pipeline.index import Index
        from spacy_embed.pipeline.text_kernel import TextKernel
        from spacy_embed.pipeline.workers import encode_batches
        from spacy_embed.retrieval.corpus_formats import Document
        from spacy_embed.retrieval.encoded import text_batches
        from spacy_embed.retrieval.index_build import build_index
        from spacy_embed.retrieval.index_plan import IndexPlan
        from spacy_embed.retrieval.spool import Spool
        from spacy_embed.vectors import load_vectors

        self._folder = tempfile.TemporaryDirectory(prefix="spacy-embed-mteb-")
        kernel = TextKernel(self.lang, {})
        plan = IndexPlan("distill", dim=self.dim)
        if self.vectors is not None:
            plan = IndexPlan("tables", {"": load_vectors(self.vectors)})
        documents = (
            Document(str(row["id"]), "", row.get("title") or "", row["text"], {}, f"document {row['id']!r}")
            for row in corpus
        )

        def spool_documents(folder: Path) -> Spool:
            spool = Spool(folder, kernel.identity())
            spool.add(encode_batches(kernel, text_batches(spool.rest(documents)), 1))
            return spool

        path = Path(self._folder.name) / "index"
        build_index(path, plan, spool_documents, kernel.save_pipelines)
        self._index = Index(path, follow=False)

    def search(
        self,
        queries: Iterable[Mapping[str, Any]],
        *,
        top_k: int,
        top_ranked: Mapping[str, Sequence[str]] | None = None,
        **_: Any,
    ) -> dict[str, dict[str, float]]:
        """The best documents of each query.

        Args:
            queries: Rows with ``id`` and ``text``.
            top_k: Hits at most.
            top_ranked: Of a reranking task: ids of each query's candidates, the only ones that count.

        Returns:
            Scores by document id, by query id.

        Raises:
            InputError: Nothing has been indexed.
        """
        if self._index is None:
            raise InputError("Nothing has been indexed: MTEB calls index() before search().")
        rows = list(queries)
        depth = top_k if top_ranked is None else len(self._index)
        lang = "" if self.lang == "auto" else self.lang
        found = self._index.search_batch([row["text"] for row in rows], depth, method=self.method, lang=lang)
        results = {}
        for row, hits in zip(rows, found, strict=True):
            wanted = None if top_ranked is None else set(top_ranked.get(row["id"], ()))
            kept = [hit for hit in hits if wanted is None or hit.id in wanted][:top_k]
            results[str(row["id"])] = {hit.id: float(hit.score) for hit in kept}
        return results

    @property
    def mteb_model_meta(self) -> Any:
        """What MTEB files results under."""
        return self._meta


def _similarities() -> Any:
    return require("mteb.similarity_functions", extra="mteb", purpose=_PURPOSE)


def _meta(name: str, revision: str, langs: Sequence[str], similarity: str | None, kind: str) -> Any:
    from spacy_embed import __version__

    if name.count("/") != 1:
        raise InputError(f"MTEB files results under ORGANIZATION/NAME, got {name!r}.")
    return require("mteb.models.model_meta", extra="mteb", purpose=_PURPOSE).ModelMeta.create_empty(
        {
            "name": name,
            "revision": f"{__version__}-{revision}",
            "languages": [_LANGUAGES[lang] for lang in langs if lang in _LANGUAGES] or None,
            "similarity_fn_name": similarity,
            "model_type": [kind],
        }
    )
