"""One version of an index, opened: its documents, words and terms mapped, whatever is written meanwhile."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from spacy_embed.bags import Bags
from spacy_embed.errors import InputError, require
from spacy_embed.retrieval import manifest as files
from spacy_embed.retrieval.derived import document_fields
from spacy_embed.retrieval.filters import DocumentFields
from spacy_embed.retrieval.fits import Fits
from spacy_embed.retrieval.generation import PinnedVersion, open_pinned, open_version
from spacy_embed.retrieval.growing_keys import GrowingKeys
from spacy_embed.retrieval.hits import Hit, read_hits
from spacy_embed.retrieval.origin import SourceTables, open_origin
from spacy_embed.retrieval.queries import Queries
from spacy_embed.retrieval.query_rows import QueryWords
from spacy_embed.retrieval.ranking import Hits
from spacy_embed.retrieval.sense_sources import SenseModels, recorded_models
from spacy_embed.vectors.word_table import WordTable


class OpenedVersion:
    """One version of an index, opened for reading; safe to search from several threads.

    Its arrays are mapped when they are first needed, once.

    Args:
        path: The index.
        pinned: Which version, the newest when absent.

    Raises:
        InputError: It is missing, damaged, or of another version of the format.
    """

    def __init__(self, path: str | Path, pinned: PinnedVersion | None = None) -> None:
        require("lance", extra="search", purpose="open an index")
        self.path = Path(path)
        self.reader, self._lock_of_readers = open_pinned(self.path, pinned) if pinned else open_version(self.path)
        self.manifest = self.reader.manifest
        # whoever pins a version has looked at its documents
        if not pinned and self.dataset.count_rows() != self.manifest.positions:
            raise InputError(
                f"{self.path} holds {self.dataset.count_rows()} documents, expected {self.manifest.positions}: "
                "index the corpus again."
            )
        origin = open_origin(self.reader.folder / files.ORIGIN)
        keys = self.reader.keys("keys")
        self.table = WordTable(keys, self.reader.array("vectors"), origin.metadata, None, origin.extras)

    def __len__(self) -> int:
        return self.manifest.documents

    @cached_property
    def dataset(self) -> Any:
        """The Lance data set of the documents."""
        return self.reader.dataset()

    @property
    def languages(self) -> list[str]:
        """Languages of its documents, the most frequent first."""
        counts = self.manifest.languages
        return sorted(counts, key=lambda lang: (-counts[lang], lang))

    @property
    def pipelines(self) -> dict[str, Path]:
        """Saved pipelines by language."""
        # those of languages whose documents were deleted too: more of them may come
        folders = {lang: self.reader.folder / files.PIPELINES / lang for lang in self.manifest.lang_codes}
        missing = [str(folder) for folder in folders.values() if not (folder / "config.cfg").is_file()]
        if missing:
            raise InputError(f"{missing[0]} is missing: the index is incomplete, index the corpus again.")
        return folders

    @cached_property
    def senses(self) -> SenseModels | None:
        """What makes senses of forms; None where they stay what they are."""
        return recorded_models(self.manifest, self.path / files.FULL_TABLES)

    @cached_property
    def id_keys(self) -> GrowingKeys:
        """Document ids by position, deleted ones included."""
        return self.reader.keys("ids")

    @property
    def ids(self) -> list[str]:
        """Ids of the documents, in order."""
        ids = self.id_keys.all()
        deleted = set(self.reader.deleted.tolist())
        return [id_ for i, id_ in enumerate(ids) if i not in deleted] if deleted else ids

    def langs(self, start: int = 0, stop: int | None = None) -> list[str]:
        """Languages by position."""
        codes = self.reader.array("langs")[start:stop]
        return [self.manifest.lang_codes[code] for code in codes.tolist()]

    @cached_property
    def bags(self) -> Bags:
        """Bags of counts over ``table``'s rows, by position."""
        return self.reader.bags("bags")

    @property
    def fits(self) -> Fits:
        """What was learned of the corpus."""
        return self.reader.fits

    @cached_property
    def term_names(self) -> GrowingKeys:
        """BM25's terms."""
        return self.reader.keys("term_names")

    @cached_property
    def _query_words(self) -> QueryWords:
        manifest = self.manifest
        sources = SourceTables(manifest.tables, self.path / files.FULL_TABLES, senses=manifest.senses)
        return QueryWords(self.table, self.reader.array("vectors.norms"), sources)

    @cached_property
    def fields(self) -> DocumentFields:
        """The documents' fields, for conditions."""
        return document_fields(self.reader)

    def queries(self, encoded: Iterable[pa.RecordBatch]) -> Queries:
        """Find the words of encoded queries (batches of ``ENCODED``) in this index."""
        return Queries.find(list(encoded), self.term_names, self._query_words)

    def hits(self, ranked: Hits) -> list[Hit]:
        """The documents behind positions."""
        return self.hits_of_all([ranked])[0]

    def hits_of_all(self, ranked: Sequence[Hits]) -> list[list[Hit]]:
        """The documents behind the positions of several queries, read at once. Raises InputError if they cannot be."""
        return read_hits(self.dataset, self.path, ranked)
