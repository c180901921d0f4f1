"""``Index``: an index in a Python program, searched with texts, Docs and Spans, and changed meanwhile."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from spacy.tokens import Doc, Span

from spacy_embed.embedding import unit_rows
from spacy_embed.errors import InputError
from spacy_embed.pipeline.query_encoder import QueryEncoder
from spacy_embed.pipeline.text_kernel import AUTO, TextKernel
from spacy_embed.pipeline.workers import encode_batches
from spacy_embed.retrieval.changes import COMMIT_EVERY, IndexWriter
from spacy_embed.retrieval.compaction import compact
from spacy_embed.retrieval.corpus_formats import Document, document_of
from spacy_embed.retrieval.deletion import delete
from spacy_embed.retrieval.encoded import text_batches
from spacy_embed.retrieval.hits import Hit
from spacy_embed.retrieval.manifest import MARKER, read_manifest
from spacy_embed.retrieval.remote_follow import Follower
from spacy_embed.retrieval.remote_pull import pull
from spacy_embed.retrieval.remote_url import is_url, normal_url
from spacy_embed.retrieval.snapshot import Snapshot
from spacy_embed.retrieval.text_lines import refuse
from spacy_embed.types import Floats2d

if TYPE_CHECKING:
    import pyarrow as pa

Query: TypeAlias = str | Doc | Span
"""A text, or what a pipeline made of one: its text is encoded anew by the index's own pipeline of its language."""


class Added(NamedTuple):
    """What ``add`` or ``update`` did."""

    added: int
    replaced: int
    unchanged: int
    """Documents that were there already, word for word."""


class _Opened(NamedTuple):
    snapshot: Snapshot
    encode: QueryEncoder
    seen: tuple[int, int]
    """What the manifest's file looked like."""


class Index:
    """An index on disk, safe to search from several threads.

    A search works on the version that was there when it began. With ``follow``, the next search after a commit, by this
    program or any other, sees the new version; without, ``reopen`` does.

    Args:
        path: The index, made by ``spacy-embed index``; a URL such as ``s3://bucket/path`` for one in object storage, of
            which this machine keeps a copy.
        follow: Look before each search whether there is a new version; of a URL about once a second.

    Raises:
        InputError: It is missing, damaged, or of another version of the format.
    """

    def __init__(self, path: str | Path, *, follow: bool = True) -> None:
        self.url = normal_url(path) if is_url(path) else ""
        self.path = pull(self.url) if self.url else Path(path)
        self._follower = Follower(self.path, self.url)
        self.follow = follow
        self._lock = threading.Lock()
        self._changing = threading.Lock()
        self._kernels: dict[str, TextKernel] = {}
        self._opened = self._open(None)

    def __len__(self) -> int:
        return len(self.snapshot)

    def __repr__(self) -> str:
        return f"Index({self.url or str(self.path)!r}, documents={len(self)})"

    @property
    def snapshot(self) -> Snapshot:
        """The version that the next search works on."""
        return self._current().snapshot

    def reopen(self) -> bool:
        """Open the newest version. Says whether it is another one."""
        self._follower.look()
        return self._reopen()

    def _reopen(self) -> bool:
        with self._lock:
            if self._seen() == self._opened.seen:
                return False
            self._opened = self._open(self._opened.encode)
            return True

    def search(
        self, query: Query, k: int = 10, *, method: str | None = None, lang: str = "", where: str | None = None
    ) -> list[Hit]:
        """The best documents for a query.

        Args:
            query: A text, Doc or Span.
            k: Hits at most.
            method: ``hybrid``, the default unless the index was tuned; ``bm25``, ``soft-bm25``, ``tfidf``, ``wmd`` and
                all others of ``retrieval.method_names.NAMES``, or a composition of them, such as ``bm25+0.3*tfidf``.
            lang: Language code of a text; "" detects it. Docs and Spans bring their own.
            where: A condition in SQL over the documents' fields, such as ``"lang = 'es' and year > 2020"``.

        Returns:
            Hits, best first; none when nothing in the query is known.

        Raises:
            InputError: Unknown method or language, or a faulty condition.
        """
        return self.search_batch([query], k, method=method, lang=lang, where=where)[0]

    def search_batch(
        self,
        queries: Sequence[Query],
        k: int = 10,
        *,
        method: str | None = None,
        lang: str = "",
        where: str | None = None,
        threads: int = 1,
    ) -> list[list[Hit]]:
        """The best documents for each of several queries; see ``search``.

        Embeddings are scored in one matrix product; ``threads`` search by Word Mover's Distance, a query each.
        """
        if k < 1:
            raise InputError(f"k must be at least 1, got {k}.")
        snapshot, encode, _ = self._current()
        langs = [lang if isinstance(query, str) else _language_of(query) for query in queries]
        encoded = encode([query if isinstance(query, str) else query.text for query in queries], langs)
        ranked = snapshot.rank(encoded, method or snapshot.manifest.default_method, k, where, threads=threads)
        return snapshot.hits_of_all(ranked)

    def search_table(
        self,
        queries: Sequence[Query],
        k: int = 10,
        *,
        method: str | None = None,
        lang: str = "",
        where: str | None = None,
        threads: int = 1,
    ) -> "pa.Table":
        """The same as an Arrow table, a row a hit; ``.to_pandas()`` makes a data frame of it.

        Returns:
            Columns ``query`` (position, int32), ``rank`` (int32), ``id``, ``score`` (float64), ``lang``, ``title``,
            ``text``, ``metadata`` (JSON) and ``distance`` (float64, null for methods that rank by none).
        """
        from spacy_embed.retrieval.hit_table import hit_table

        return hit_table(self.search_batch(queries, k, method=method, lang=lang, where=where, threads=threads))

    def embed(self, texts: Sequence[str], *, lang: str = "", embedding: str | None = None) -> Floats2d:
        """Embeddings of queries, for what serves the documents elsewhere: see ``spacy-embed export``.

        Args:
            texts: The queries.
            lang: Their language code; "" detects it.
            embedding: ``tfidf``, ``sif``, ``mean``, ``sum``, or the name of an encoder that the index learned; the
                documents' must be the same. The one that the index stores unless another is given.

        Returns:
            float32[texts, dim], rows of length 1, so that an inner product with a document's is their cosine, the score
            that ``search`` gives; zero rows for texts without a known word, which have no cosine with anything.

        Raises:
            InputError: Unknown embedding or language.
        """
        snapshot, encode, _ = self._current()
        name = snapshot.check_embedding(embedding or snapshot.manifest.embedding)
        return unit_rows(snapshot.embed_queries(encode(texts, [lang] * len(texts)), name))

    def add(self, documents: Iterable[Mapping[str, Any] | Doc], *, lang: str = AUTO, workers: int = 1) -> Added:
        """Add documents, some thousands a commit.

        Args:
            documents: Fields as in JSONL (``id`` and ``text``; ``title``, ``lang``, ``metadata``), or Docs, whose id is
                ``doc.user_data["id"]``.
            lang: A language code for all; ``auto`` takes their own or detects it.
            workers: Processes that encode.

        Raises:
            InputError: An id is missing or taken, or a document cannot be encoded; commits before it stay.
        """
        return self._change(documents, lang, workers, replacing=False)

    def update(self, documents: Iterable[Mapping[str, Any] | Doc], *, lang: str = AUTO, workers: int = 1) -> Added:
        """Replace documents by id, and add those whose id is new; see ``add``."""
        return self._change(documents, lang, workers, replacing=True)

    def delete(self, ids: Sequence[str], *, missing_ok: bool = False) -> int:
        """Delete documents in one commit. Raises InputError when the index does not hold one and that is not ok."""
        deleted = delete(self.path, ids, missing_ok=missing_ok).deleted
        self._reopen()
        return deleted

    def compact(self, *, refit: bool = False) -> None:
        """Write the documents anew, without the deleted ones; fit the weightings again if that is asked for."""
        compact(self.path, refit=refit)
        self._reopen()

    def _change(self, documents: Iterable[Any], lang: str, workers: int, *, replacing: bool) -> Added:
        with self._changing:
            # kept to the end: its pipelines are loaded when a language is first met
            snapshot = self.snapshot
            kernel = self._kernel(snapshot, lang)
            given = kernel.pipeline_tables() if snapshot.manifest.source == "spacy" else None
            writer = IndexWriter(self.path, kernel.save_pipelines, replacing=replacing, given=given)
            rest = writer.rest(map(_document, documents), "" if lang == AUTO else lang)
            commits = list(writer.add(encode_batches(kernel, text_batches(rest), workers), COMMIT_EVERY))
        self._reopen()
        added, replaced = (sum(commit[i] for commit in commits) for i in (0, 1))
        return Added(added, replaced, writer.unchanged)

    def _kernel(self, snapshot: Snapshot, lang: str) -> TextKernel:
        """A kernel of its own for changes, kept while the pipelines are the same: loading them takes long."""
        known = self._kernels.get(lang)
        if known is None or known.pipelines != snapshot.pipelines:
            known = self._kernels[lang] = TextKernel(lang, snapshot.pipelines, senses=snapshot.senses)
        return known

    def _current(self) -> _Opened:
        if self.follow:
            self._follower.look_now_and_then()
        if self.follow and self._seen() != self._opened.seen:
            self._reopen()
        return self._opened

    def _seen(self) -> tuple[int, int]:
        try:
            stat = (self.path / MARKER).stat()
        except OSError:
            # raises what is wrong
            read_manifest(self.path)
            raise
        return stat.st_ino, stat.st_mtime_ns

    def _open(self, before: QueryEncoder | None) -> _Opened:
        seen = self._seen() if self.path.exists() else (0, 0)
        snapshot = Snapshot(self.path)
        return _Opened(snapshot, QueryEncoder(snapshot, before), seen)


def _language_of(query: Doc | Span) -> str:
    doc = query if isinstance(query, Doc) else query.doc
    return "" if doc.lang_ in ("", "xx") else str(doc.lang_)


def _document(given: Mapping[str, Any] | Doc) -> Document:
    fields: Mapping[str, Any]
    if isinstance(given, Doc):
        fields = {"id": given.user_data.get("id"), "lang": _language_of(given), "text": given.text}
    else:
        fields = given
    if fields.get("_id", fields.get("id")) in (None, ""):
        raise InputError("A document needs an id to be added: give 'id' in its fields, or doc.user_data['id'].")
    document = document_of(dict(fields), "documents", 0, "", refuse)
    # what is faulty was refused
    assert document is not None
    return document
