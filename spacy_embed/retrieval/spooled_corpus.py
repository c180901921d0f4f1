"""An encoded corpus in a temporary file: flat in memory however long it is, read as often as fitting needs."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from spacy_embed.bags import Bags
from spacy_embed.errors import InputError
from spacy_embed.progress import progress_bar
from spacy_embed.retrieval.encoded import SEPARATOR, Vocabulary, form_of, list_bags, list_columns
from spacy_embed.types import Rows

SPOOLED_COLUMNS = ("id", "lang", "title", "text", "metadata", "tokens")
"""What is kept of a document as it is."""


class SpooledCorpus:
    """The encoded corpus in a temporary Arrow file, with ids of the whole corpus, read batch by batch."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.keys = Vocabulary()
        self.terms = Vocabulary()

    @classmethod
    def spool(cls, batches: Iterable[pa.RecordBatch], file: Path) -> "SpooledCorpus":
        """Write encoded batches to a file. Raises InputError when there are none."""
        corpus = cls(file)
        writer = None
        with progress_bar(label="encoding", unit="doc") as bar:
            try:
                for batch in batches:
                    bags = corpus.keys.bags(batch.column("keys"), batch.column("key_counts"))
                    terms = corpus.terms.bags(batch.column("terms"), batch.column("term_counts"))
                    spooled = pa.record_batch(
                        [*(batch.column(name) for name in SPOOLED_COLUMNS), *list_columns(bags), *list_columns(terms)],
                        names=[*SPOOLED_COLUMNS, "keys", "key_counts", "terms", "term_counts"],
                    )
                    writer = writer or pa.ipc.new_file(str(file), spooled.schema)
                    writer.write_batch(spooled)
                    bar.update(batch.num_rows)
            finally:
                if writer is not None:
                    writer.close()
        if writer is None:
            raise InputError("The corpus holds no documents.")
        return corpus

    @cached_property
    def forms(self) -> dict[str, list[str]]:
        """The vocabulary of each language."""
        forms: dict[str, list[str]] = {lang: [] for lang in sorted(set(self.column("lang")))}
        for key in self.keys.ids:
            lang, _, form = key.partition(SEPARATOR)
            forms[lang].append(form)
        return forms

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The spooled batches, memory-mapped."""
        with pa.memory_map(str(self.file)) as source:
            reader = pa.ipc.open_file(source)
            for i in range(reader.num_record_batches):
                yield reader.get_batch(i)

    def column(self, name: str) -> list[Any]:
        """One column of all documents."""
        return [value for batch in self.batches() for value in batch.column(name).to_pylist()]

    def sequences(self, lang: str) -> Iterator[list[str]]:
        """The forms of each document of a language, in running order."""
        forms = np.array([form_of(key) for key in self.keys.ids], dtype=object)
        for batch in self.batches():
            bags = list_bags(batch.column("keys"), batch.column("key_counts"))
            for i, of_document in enumerate(batch.column("lang").to_pylist()):
                if of_document == lang:
                    yield forms[bags.at(i)[0]].tolist()

    def bags(self, batch: pa.RecordBatch, key_rows: Rows) -> Bags:
        """Bags of counts over table rows."""
        return list_bags(batch.column("keys"), batch.column("key_counts")).map_rows(key_rows)

    def close(self) -> None:
        """Delete the file."""
        self.file.unlink()
