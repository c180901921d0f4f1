"""Appending documents to arrays on disk and to a data set, a batch at a time in memory."""

import errno
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spacy_embed.bags import Bags
from spacy_embed.embedding import unit_rows
from spacy_embed.retrieval.encoded import list_columns, packed
from spacy_embed.retrieval.fits import Fits, embed
from spacy_embed.retrieval.generation import DOCUMENT_FIELDS, array_layouts
from spacy_embed.retrieval.growing_array import GrowingArray
from spacy_embed.retrieval.growing_keys import KeysWriter
from spacy_embed.retrieval.manifest import Manifest
from spacy_embed.threads import map_ahead
from spacy_embed.types import Doubles1d, Floats2d

RECORDS = pa.schema(
    [
        *((name, pa.int32() if name == "tokens" else pa.string()) for name in DOCUMENT_FIELDS),
        ("bag_rows", pa.list_(pa.int32())),
        ("bag_counts", pa.list_(pa.float32())),
        ("term_rows", pa.list_(pa.int32())),
        ("term_counts", pa.list_(pa.float32())),
    ]
)
"""The rows of the data set."""


class MappedBatch(NamedTuple):
    """Documents with their bags over the rows and terms of an index."""

    documents: pa.RecordBatch
    """``DOCUMENT_FIELDS``."""
    bags: Bags
    """Counts over rows of vectors."""
    terms: Bags
    """Counts over terms."""


class _Embedded(NamedTuple):
    batch: MappedBatch
    units: Floats2d
    norms: Doubles1d
    terms: Bags


def found_tokens(bags: Bags) -> int:
    """Tokens that have a vector; the shares of one that is spread over senses are one token."""
    return int(np.rint(bags.totals()).sum())


class DocumentWriter:
    """Appends documents: to growing arrays, and to what a subclass makes of the rows of the data set.

    Args:
        folder: Where the arrays are.
        manifest: The version to go on from.
        arrays: Which growing arrays.
        key_lists: Which lists of strings; ``ids`` among them.
    """

    def __init__(self, folder: Path, manifest: Manifest, arrays: Sequence[str], key_lists: Sequence[str]) -> None:
        self.folder = folder
        self.manifest = manifest
        self.layouts = array_layouts(manifest.dim, manifest.embedding)
        self.keys = {
            name: KeysWriter(folder, name, manifest.extents, manifest.runs.get(name, ())) for name in key_lists
        }
        self.arrays = {name: GrowingArray(folder / name, self.layouts[name], manifest.extent(name)) for name in arrays}
        for name in ("bags.offsets", "terms.offsets"):
            if not self.arrays[name].extent.items:
                self.arrays[name].append(np.zeros(1, np.int64))
        self.lang_codes = list(manifest.lang_codes)
        self.languages = dict(manifest.languages)
        self.sums = {"tokens": manifest.tokens, "found": manifest.found, "without_vector": manifest.without_vector}
        self._thread = ThreadPoolExecutor(1)
        self._written: Future[None] | None = None

    def append_ahead(self, name: str, values: NDArray[Any]) -> None:
        """Append to an array while the caller goes on; ``wait`` before anybody asks what is in it.

        What went wrong with the one before is raised here or by ``wait``.
        """
        self.wait()
        self._written = self._thread.submit(self.arrays[name].append, values)

    def wait(self) -> None:
        """Until what ``append_ahead`` was given is written."""
        written, self._written = self._written, None
        if written is not None:
            written.result()

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        self._thread.shutdown()
        for file in (
            *self.arrays.values(),
            *(part for keys in self.keys.values() for part in (keys.text, keys.offsets)),
        ):
            if error is not None:
                # a disk may be full: give back what does not count
                file.cut_off()
            file.close()

    def add_documents(self, batches: Iterable[MappedBatch], fits: Fits, table: Floats2d, threads: int = 1) -> int:
        """Append documents, a batch at a time in memory, to the data set and the arrays.

        Args:
            batches: The documents.
            fits: Fitted on at least the rows and terms that they use.
            table: float32[rows, dim].
            threads: How many embed.

        Returns:
            How many there were.
        """
        before = len(self.keys["ids"])
        stream = self._records(map_ahead(lambda batch: self._embedded(batch, fits, table), batches, threads))
        first = next(stream, None)
        if first is not None:
            self._append_records(first.schema, chain([first], stream))
        self.wait()
        return len(self.keys["ids"]) - before

    def _embedded(self, batch: MappedBatch, fits: Fits, table: Floats2d) -> _Embedded:
        langs = batch.documents.column("lang").to_pylist()
        of_langs = fits.for_languages(self.manifest.embedding, langs)
        embeddings = embed(batch.bags, langs, of_langs, table)
        norms = np.sqrt(np.einsum("ij,ij->i", embeddings, embeddings, dtype=np.float64))
        return _Embedded(batch, unit_rows(embeddings), norms, fits.bm25.transform(batch.terms))

    def _records(self, batches: Iterable[_Embedded]) -> Iterator[pa.RecordBatch]:
        for (documents, bags, terms), units, norms, weighted_terms in batches:
            if not documents.num_rows:
                continue
            self.arrays[f"norms.{self.manifest.embedding}"].append(norms)
            self.append_ahead(f"units.{self.manifest.embedding}", units)
            self._add_bags("bags", bags)
            self._add_bags("terms", weighted_terms)
            self._add_languages(documents.column("lang").to_pylist())
            self.keys["ids"].append(packed(documents.column("id")))
            self.sums["tokens"] += int(np.sum(documents.column("tokens").to_numpy(zero_copy_only=False)))
            self.sums["found"] += found_tokens(bags)
            self.sums["without_vector"] += int((bags.sizes == 0).sum())
            columns = [documents.column(name) for name in DOCUMENT_FIELDS]
            yield pa.record_batch([*columns, *list_columns(bags), *list_columns(terms)], schema=RECORDS)

    def _add_bags(self, name: str, bags: Bags) -> None:
        start = self.arrays[f"{name}.rows"].extent.items
        self.arrays[f"{name}.rows"].append(bags.rows)
        self.arrays[f"{name}.weights"].append(bags.weights)
        self.arrays[f"{name}.offsets"].append(start + bags.offsets[1:])

    def _add_languages(self, langs: list[str]) -> None:
        self.count_languages(Counter(langs))
        code = {lang: i for i, lang in enumerate(self.lang_codes)}
        self.arrays["langs"].append(np.array([code[lang] for lang in langs], np.uint8))

    def count_languages(self, documents: Mapping[str, int]) -> None:
        """Take in how many documents of each language were added."""
        for lang, n in documents.items():
            self.languages[lang] = self.languages.get(lang, 0) + n
        self.lang_codes += [lang for lang in documents if lang not in self.lang_codes]

    def _append_records(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        raised: list[Exception] = []
        try:
            self._write_dataset(pa.RecordBatchReader.from_batches(schema, _noting(batches, raised)))
        except Exception as error:
            # Lance tells what its source raised, and what the disk said, in many lines
            if raised:
                raise raised[0] from None
            if isinstance(error, OSError) and os.strerror(errno.ENOSPC) in str(error):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
            raise

    def _write_dataset(self, records: pa.RecordBatchReader) -> None:
        raise NotImplementedError


def _noting(batches: Iterator[pa.RecordBatch], raised: list[Exception]) -> Iterator[pa.RecordBatch]:
    try:
        yield from batches
    except Exception as error:
        raised.append(error)
        raise


def document_arrays(manifest: Manifest) -> list[str]:
    """The growing arrays that documents are appended to; their ids are a list of strings beside them."""
    of_words = ("keys", "vectors", "term_names", "ids")
    return [name for name in array_layouts(manifest.dim, manifest.embedding) if name.split(".")[0] not in of_words]
