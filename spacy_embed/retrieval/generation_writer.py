"""Appending to a generation of an index: the vocabulary first, then documents."""

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from spacy_embed.atomic_files import fsync
from spacy_embed.bags import Bags
from spacy_embed.retrieval import manifest as files
from spacy_embed.retrieval.document_writer import RECORDS, DocumentWriter
from spacy_embed.retrieval.generation import KEY_LISTS, VOCABULARY_FILES, array_layouts
from spacy_embed.retrieval.growing_array import Extent, read_items
from spacy_embed.retrieval.growing_keys import Runs, layouts
from spacy_embed.retrieval.manifest import Manifest
from spacy_embed.retrieval.postings import Postings, plan_ranges, write_postings
from spacy_embed.types import Doubles1d, Floats2d, Ints1d, Rows
from spacy_embed.vectors.key_index import PackedWords

_SYNCED_AT_ONCE = 4

_LAST_VERSION = 2**64 - 1
"""Lance names the files of its versions by what is left to this, the newest first."""


class NewWords(NamedTuple):
    """Words that join the vocabulary."""

    keys: PackedWords
    """``lang:form``."""
    rows: Rows
    """int32[keys], the row of each: one that is there, one of ``vectors`` counted from the rows there are, or -1."""
    vectors: Floats2d
    """float32[m, dim], new rows."""
    origins: Ints1d
    """int64[m], which row of which table each came from (see ``vector_sources``), -1 for none."""


class GenerationWriter(DocumentWriter):
    """Appends to a generation; nothing counts before a manifest with ``finish()``'s fields is saved.

    Args:
        folder: The generation's folder.
        manifest: The version to go on from.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        key_files = {name for keys in KEY_LISTS for name in layouts(keys)}
        arrays = [name for name in array_layouts(manifest.dim, manifest.embedding) if name not in key_files]
        super().__init__(folder, manifest, arrays, KEY_LISTS)
        self._dataset_version = manifest.dataset_version

    def __enter__(self) -> "GenerationWriter":
        return self

    @property
    def n_rows(self) -> int:
        """Rows of vectors."""
        self.wait()
        return self.arrays["vectors"].extent.items

    def add_words(self, words: NewWords) -> None:
        """Add to the vocabulary."""
        self.keys["keys"].append(words.keys)
        self.arrays["keys.rows"].append(words.rows)
        self.append_ahead("vectors", words.vectors)
        norms: Doubles1d = np.sqrt(np.einsum("ij,ij->i", words.vectors, words.vectors, dtype=np.float64))
        self.arrays["vectors.norms"].append(norms)
        self.arrays["vectors.origins"].append(words.origins)

    def add_terms(self, names: PackedWords) -> None:
        """Add terms of BM25."""
        self.keys["term_names"].append(names)

    def sync_vocabulary(self) -> Manifest:
        """The version with the vocabulary as it is now: what documents need to be embedded."""
        self.wait()
        extents, runs = self._sync(VOCABULARY_FILES, ("keys", "term_names"))
        self.manifest = replace(self.manifest, extents={**self.manifest.extents, **extents}, runs=runs)
        return self.manifest

    def _sync(self, arrays: Iterable[str], key_lists: Iterable[str]) -> tuple[dict[str, Extent], dict[str, Runs]]:
        """Make some files durable, and give the extents and runs that the version has then."""
        # each waits for the disk
        pool = ThreadPoolExecutor(_SYNCED_AT_ONCE)
        try:
            of_keys = {name: pool.submit(self.keys[name].sync) for name in key_lists}
            of_arrays = {name: pool.submit(self.arrays[name].sync) for name in arrays}
            extents = {name: synced.result() for name, synced in of_arrays.items()}
            for synced in of_keys.values():
                extents |= synced.result()
        finally:
            # after an error or Ctrl-C the files are cut off: nothing may be at work on them then
            pool.shutdown(cancel_futures=True)
        return extents, {**self.manifest.runs, **{name: tuple(self.keys[name].runs) for name in of_keys}}

    def _write_dataset(self, records: pa.RecordBatchReader) -> None:
        import lance

        place, started = str(self.folder / files.DOCUMENTS), time.time() - 60
        if not self._dataset_version:
            dataset = lance.write_dataset(records, place)
        else:
            dataset = self._newest_dataset(place)
            if dataset.version != self._dataset_version:
                # a writer was killed between the data set's commit and the manifest's
                lance.dataset(place, version=self._dataset_version).restore()
            dataset = lance.write_dataset(records, place, mode="append")
        self._dataset_version = dataset.version
        for part in ("data", "_versions"):
            folder = self.folder / files.DOCUMENTS / part
            for file in [file for file in folder.iterdir() if file.stat().st_mtime >= started]:
                fsync(file)
            fsync(folder)

    def commit_fragments(self, fragments: Sequence[str]) -> None:
        """Make a data set of fragments whose files are there, in order; each is given by its metadata, JSON."""
        import lance

        operation = lance.LanceOperation.Overwrite(
            RECORDS, [lance.FragmentMetadata.from_json(one) for one in fragments]
        )
        self._dataset_version = lance.LanceDataset.commit(str(self.folder / files.DOCUMENTS), operation).version

    def _newest_dataset(self, place: str) -> Any:
        import lance

        try:
            return lance.dataset(place)
        except (OSError, ValueError):
            # a machine that lost power in a commit of the data set: what came after ours was never acknowledged
            for file in (self.folder / files.DOCUMENTS / "_versions").glob("*.manifest"):
                if file.stem.isdigit() and _LAST_VERSION - int(file.stem) > self._dataset_version:
                    file.unlink()
            return lance.dataset(place)

    def finish(self) -> Manifest:
        """Make everything durable and give the version that holds it; it counts once it is saved."""
        extents, runs = self._sync(self.arrays, self.keys)
        return replace(
            self.manifest,
            revision=self.manifest.revision + 1,
            extents=extents,
            runs=runs,
            postings=self._write_postings(),
            positions=len(self.keys["ids"]),
            languages=dict(sorted(self.languages.items())),
            lang_codes=self.lang_codes,
            dataset_version=self._dataset_version,
            tokens=self.sums["tokens"],
            found=self.sums["found"],
            without_vector=self.sums["without_vector"],
        )

    def _write_postings(self) -> Runs:
        offsets_file = self.arrays["terms.offsets"]
        offsets = read_items(offsets_file.file, offsets_file.layout, 0, offsets_file.extent.items)
        ranges = plan_ranges(self.manifest.postings, offsets)
        for start, stop in ranges:
            if (start, stop) not in self.manifest.postings:
                first, last = int(offsets[start]), int(offsets[stop])
                rows = read_items(self.folder / "terms.rows", self.layouts["terms.rows"], first, last)
                weights = read_items(self.folder / "terms.weights", self.layouts["terms.weights"], first, last)
                bags = Bags(rows, weights, offsets[start : stop + 1] - first)
                write_postings(self.folder, Postings.invert(bags, start), stop)
        return tuple(ranges)
