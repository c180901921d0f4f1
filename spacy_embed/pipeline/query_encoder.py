"""Queries for an index: encoded by its own pipelines, in the language that they are in."""

import threading
from collections.abc import Sequence

from spacy_embed.pipeline.form_options import LANGUAGES
from spacy_embed.pipeline.text_kernel import AUTO, TextKernel
from spacy_embed.retrieval.corpus_formats import Document
from spacy_embed.retrieval.encoded import text_batches
from spacy_embed.retrieval.queries import Queries
from spacy_embed.retrieval.snapshot import Snapshot

_OTHER_SCRIPTS = ("ru", "zh")


class QueryEncoder:
    """Encodes queries as the documents of an index were; pipelines are loaded once, and used by one thread at a time.

    Args:
        snapshot: The index.
        before: The encoder of an earlier version, whose pipelines are used on if they are the same.
    """

    def __init__(self, snapshot: Snapshot, before: "QueryEncoder | None" = None) -> None:
        self.snapshot = snapshot
        pipelines, candidates = snapshot.pipelines, candidate_languages(snapshot)
        self.kernel = TextKernel(AUTO, pipelines, candidates, senses=snapshot.senses)
        self._lock = threading.Lock()
        if before is not None and before.kernel.identity() == self.kernel.identity():
            self.kernel, self._lock = before.kernel, before._lock

    def __call__(self, texts: Sequence[str], langs: Sequence[str]) -> Queries:
        """Encode queries and find their words.

        Args:
            texts: The queries.
            langs: The language code of each; "" detects it.

        Raises:
            InputError: Unknown language.
        """
        documents = [
            Document(f"query {i}", lang, "", text, {}, "")
            for i, (text, lang) in enumerate(zip(texts, langs, strict=True), start=1)
        ]
        with self._lock:
            encoded = [self.kernel(batch) for batch in text_batches(documents)]
        return self.snapshot.queries(encoded)


def candidate_languages(snapshot: Snapshot) -> list[str]:
    """The languages that a query's is detected among: the index's, and those of other scripts.

    Short texts in Latin script tell languages apart badly, so the others must be named.
    """
    mine = snapshot.languages
    candidates = [*mine, *(language for language in _OTHER_SCRIPTS if language not in mine)]
    if not set(mine) - set(_OTHER_SCRIPTS):
        candidates += [language for language in LANGUAGES if language not in candidates]
    return candidates
