"""Writing an index's documents anew: without the deleted ones, in one piece, and fitted again if that is wanted."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spacy_embed.atomic_files import link_or_copy
from spacy_embed.bags import Bags
from spacy_embed.errors import InputError
from spacy_embed.retrieval import manifest as files
from spacy_embed.retrieval.document_writer import MappedBatch
from spacy_embed.retrieval.encoded import list_bags
from spacy_embed.retrieval.fit_settings import FitSettings
from spacy_embed.retrieval.fits import CountedBatch, fit
from spacy_embed.retrieval.generation import DOCUMENT_FIELDS, VOCABULARY_FILES, GenerationReader
from spacy_embed.retrieval.generation_writer import GenerationWriter
from spacy_embed.retrieval.generations import commit_generation, new_generation
from spacy_embed.retrieval.growing_keys import layouts
from spacy_embed.retrieval.index_build import write_all
from spacy_embed.retrieval.locks import READERS, writer_lock
from spacy_embed.retrieval.manifest import Manifest, read_manifest

_MAKING = ".making"
_BATCH_ROWS = 1024


def compact(index: Path, *, refit: bool = False, on_wait: Callable[[], None] = lambda: None) -> Manifest:
    """Rewrite the documents of an index as a new generation, in one commit.

    Every array is made anew from the stored documents, so this also mends a truncated or damaged one; the vocabulary
    and its vectors are taken over.

    Args:
        index: The index.
        refit: Learn idf, frequencies, components and BM25's statistics again from the documents as they are now.
        on_wait: Called when another process is writing.

    Raises:
        InputError: There is no index, or its documents or vectors cannot be read; it is as it was.
    """
    read_manifest(index)
    with writer_lock(index, on_wait):
        manifest = read_manifest(index)
        if not manifest.documents:
            raise InputError(f"{index} holds no documents: there is nothing to keep.")
        made = index / _MAKING
        shutil.rmtree(made, ignore_errors=True)
        try:
            new = _rewrite(GenerationReader(manifest.folder(index), manifest), made, refit=refit)
            new = replace(new, generation=new_generation(index))
            commit_generation(made, new, index)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return new


def _rewrite(old: GenerationReader, made: Path, *, refit: bool) -> Manifest:
    made.mkdir()
    (made / READERS).touch()
    start = _take_over(old, made)
    with GenerationWriter(made, start) as writer:
        for name in ("keys", "term_names"):
            writer.keys[name].index_anew()
        start = writer.sync_vocabulary()
        table = GenerationReader(made, start).array("vectors")
        if refit:
            n_terms = old.n_keys("term_names")
            settings = FitSettings.recorded(old.manifest.weighting)
            fits = fit(lambda: _counted(old), table, n_terms, settings, normalize=old.manifest.normalize)
            writer.manifest = replace(start, fitted_on=old.manifest.documents)
        else:
            fits = old.fits
        fits.save(made / files.FITS)
        write_all(writer, _documents(old), fits, table, old.manifest.documents)
        return writer.finish()


def _take_over(old: GenerationReader, made: Path) -> Manifest:
    """What stays as it is: the vocabulary, its vectors and their origin, the pipelines, what judgements taught."""
    for name in (files.ORIGIN, files.PIPELINES):
        _copy(old.folder / name, made / name)
    if old.manifest.learned:
        # factors are by row, and rows stay; idf may be fitted again
        shutil.copyfile(old.folder / old.manifest.learned, made / old.manifest.learned)
    names = [*VOCABULARY_FILES, *layouts("keys"), *layouts("term_names")]
    for name in names:
        if name in old.layouts:
            old.array(name)
        # what is committed never changes, and only the newest generation is appended to
        link_or_copy(old.folder / name, made / name)
    return replace(
        old.manifest,
        extents={name: extent for name, extent in old.manifest.extents.items() if name in names},
        runs={},
        dataset_version=0,
        postings=(),
        positions=0,
        deleted="",
        languages={},
        tokens=0,
        found=0,
        without_vector=0,
    )


def _copy(source: Path, target: Path) -> None:
    # not copytree, whose errors are a list of what went wrong
    target.mkdir()
    for path in sorted(source.rglob("*")):
        place = target / path.relative_to(source)
        if path.is_dir():
            place.mkdir()
        else:
            shutil.copyfile(path, place)


def _documents(old: GenerationReader) -> Iterator[MappedBatch]:
    """The stored documents in order, without the deleted ones."""
    columns = [*DOCUMENT_FIELDS, "bag_rows", "bag_counts", "term_rows", "term_counts"]
    start = 0
    for batch in old.dataset().to_batches(columns=columns, batch_size=_BATCH_ROWS, batch_readahead=2):
        first, last = np.searchsorted(old.deleted, [start, start + batch.num_rows])
        live = np.delete(np.arange(batch.num_rows), old.deleted[first:last] - start)
        start += batch.num_rows
        if len(live):
            yield MappedBatch(
                batch.select(list(DOCUMENT_FIELDS)).take(live),
                _bags(batch, "bag_rows", "bag_counts").take(live),
                _bags(batch, "term_rows", "term_counts").take(live),
            )


def _bags(batch: Any, rows: str, counts: str) -> Bags:
    return list_bags(batch.column(rows), batch.column(counts))


def _counted(old: GenerationReader) -> Iterator[CountedBatch]:
    for documents, bags, terms in _documents(old):
        yield CountedBatch(documents.column("lang").to_pylist(), bags, terms)
