"""Appending to a generation of an index: the vocabulary first, then documents."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from spacy_embed.atomic_files import fsync
from spacy_embed.bags import Bags
from spacy_embed.embedding import unit_rows
from spacy_embed.retrieval import manifest as files
from spacy_embed.retrieval.encoded import list_columns
from spacy_embed.retrieval.fits import Fits, embed
from spacy_embed.retrieval.generation import DOCUMENT_FIELDS, KEY_LISTS, VOCABULARY_FILES, array_layouts
from spacy_embed.retrieval.growing_array import GrowingArray, read_items
from spacy_embed.retrieval.growing_keys import KeysWriter, Runs, layouts
from spacy_embed.retrieval.manifest import Manifest
from spacy_embed.retrieval.postings import Postings, plan_ranges, write_postings
from spacy_embed.threads import map_ahead
from spacy_embed.types import Doubles1d, Floats2d, Ints1d, Rows

_LAST_VERSION = 2**64 - 1
"""Lance names the files of its versions by what is left to this, the newest first."""


class NewWords(NamedTuple):
    """Words that join the vocabulary."""

    keys: list[str]
    """``lang:form``."""
    rows: Rows
    """int32[keys], the row of each: one that is there, one of ``vectors`` counted from the rows there are, or -1."""
    vectors: Floats2d
    """float32[m, dim], new rows."""
    origins: Ints1d
    """int64[m], which row of which table each came from (see ``vector_sources``), -1 for none."""


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


class GenerationWriter:
    """Appends to a generation; nothing counts before a manifest with ``finish()``'s fields is saved.

    Args:
        folder: The generation's folder.
        manifest: The version to go on from.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self.layouts = array_layouts(manifest.dim, manifest.embedding)
        extents, runs = manifest.extents, manifest.runs
        self.keys = {name: KeysWriter(folder, name, extents, runs.get(name, ())) for name in KEY_LISTS}
        key_files = {name for keys in KEY_LISTS for name in layouts(keys)}
        self.arrays = {
            name: GrowingArray(folder / name, layout, manifest.extent(name))
            for name, layout in self.layouts.items()
            if name not in key_files
        }
        for name in ("bags.offsets", "terms.offsets"):
            if not self.arrays[name].extent.items:
                self.arrays[name].append(np.zeros(1, np.int64))
        self._lang_codes = list(manifest.lang_codes)
        self._languages = dict(manifest.languages)
        self._sums = {"tokens": manifest.tokens, "found": manifest.found, "without_vector": manifest.without_vector}
        self._dataset_version = manifest.dataset_version

    def __enter__(self) -> "GenerationWriter":
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        for file in (
            *self.arrays.values(),
            *(part for keys in self.keys.values() for part in (keys.text, keys.offsets)),
        ):
            if error is not None:
                # a disk may be full: give back what does not count
                file.cut_off()
            file.close()

    @property
    def n_rows(self) -> int:
        """Rows of vectors."""
        return self.arrays["vectors"].extent.items

    def add_words(self, words: NewWords) -> None:
        """Add to the vocabulary."""
        self.keys["keys"].append(words.keys)
        self.arrays["keys.rows"].append(words.rows)
        self.arrays["vectors"].append(words.vectors)
        norms: Doubles1d = np.sqrt(np.einsum("ij,ij->i", words.vectors, words.vectors, dtype=np.float64))
        self.arrays["vectors.norms"].append(norms)
        self.arrays["vectors.origins"].append(words.origins)

    def add_terms(self, names: list[str]) -> None:
        """Add terms of BM25."""
        self.keys["term_names"].append(names)

    def sync_vocabulary(self) -> Manifest:
        """The version with the vocabulary as it is now: what documents need to be embedded."""
        extents = {name: self.arrays[name].sync() for name in VOCABULARY_FILES}
        runs = dict(self.manifest.runs)
        for name in ("keys", "term_names"):
            extents |= self.keys[name].sync()
            runs[name] = tuple(self.keys[name].runs)
        self.manifest = replace(self.manifest, extents={**self.manifest.extents, **extents}, runs=runs)
        return self.manifest

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
            self._write_dataset(pa.RecordBatchReader.from_batches(first.schema, chain([first], stream)))
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
            self.arrays[f"units.{self.manifest.embedding}"].append(units)
            self._add_bags("bags", bags)
            self._add_bags("terms", weighted_terms)
            self._add_languages(documents.column("lang").to_pylist())
            self.keys["ids"].append(documents.column("id").to_pylist())
            self._sums["tokens"] += int(np.sum(documents.column("tokens").to_numpy(zero_copy_only=False)))
            self._sums["found"] += found_tokens(bags)
            self._sums["without_vector"] += int((bags.sizes == 0).sum())
            columns = [documents.column(name) for name in DOCUMENT_FIELDS]
            yield pa.record_batch(
                [*columns, *list_columns(bags), *list_columns(terms)],
                names=[*DOCUMENT_FIELDS, "bag_rows", "bag_counts", "term_rows", "term_counts"],
            )

    def _add_bags(self, name: str, bags: Bags) -> None:
        start = self.arrays[f"{name}.rows"].extent.items
        self.arrays[f"{name}.rows"].append(bags.rows)
        self.arrays[f"{name}.weights"].append(bags.weights)
        self.arrays[f"{name}.offsets"].append(start + bags.offsets[1:])

    def _add_languages(self, langs: list[str]) -> None:
        for lang in langs:
            self._languages[lang] = self._languages.get(lang, 0) + 1
        self._lang_codes += [lang for lang in dict.fromkeys(langs) if lang not in self._lang_codes]
        code = {lang: i for i, lang in enumerate(self._lang_codes)}
        self.arrays["langs"].append(np.array([code[lang] for lang in langs], np.uint8))

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
        extents = {name: array.sync() for name, array in self.arrays.items()}
        runs = dict(self.manifest.runs)
        for name, keys in self.keys.items():
            extents |= keys.sync()
            runs[name] = tuple(keys.runs)
        return replace(
            self.manifest,
            revision=self.manifest.revision + 1,
            extents=extents,
            runs=runs,
            postings=self._write_postings(),
            positions=len(self.keys["ids"]),
            languages=dict(sorted(self._languages.items())),
            lang_codes=self._lang_codes,
            dataset_version=self._dataset_version,
            tokens=self._sums["tokens"],
            found=self._sums["found"],
            without_vector=self._sums["without_vector"],
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
