"""Making an index: encoded batches in, a folder out that holds all a search needs."""

import importlib
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import pyarrow as pa

from spacy_embed.atomic_files import check_free, fsync, make_folder
from spacy_embed.embedding import named_embedding
from spacy_embed.errors import InputError, require_installed
from spacy_embed.progress import progress_bar
from spacy_embed.retrieval import manifest as files
from spacy_embed.retrieval.corpus_words import CorpusWords, ascending_places
from spacy_embed.retrieval.document_writer import MappedBatch
from spacy_embed.retrieval.encoded import packed
from spacy_embed.retrieval.fits import CountedBatch, Fits, fit
from spacy_embed.retrieval.generation import DOCUMENT_FIELDS, GenerationReader
from spacy_embed.retrieval.generation_writer import GenerationWriter
from spacy_embed.retrieval.generations import commit_generation, new_generation
from spacy_embed.retrieval.index_plan import IndexPlan, SavePipelines, tables_of
from spacy_embed.retrieval.locks import READERS, only_one, writer_lock
from spacy_embed.retrieval.manifest import Manifest
from spacy_embed.retrieval.method_names import check_method
from spacy_embed.retrieval.origin import save_origin
from spacy_embed.retrieval.sense_sources import record
from spacy_embed.retrieval.spool import COUNTED, NumberedBatch, Spool, refuse_empty
from spacy_embed.retrieval.vector_sources import Tables, provenance, vocabulary_of
from spacy_embed.retrieval.word_numbers import Dictionaries
from spacy_embed.threads import map_ahead
from spacy_embed.types import Rows
from spacy_embed.vectors.sense_table import SenseTable
from spacy_embed.vectors.word_table import WordTable


def scratch_folder(out: Path) -> Path:
    """Where an index is made; what is left there by a run that was killed, the next one goes on with."""
    return out.with_name(f".{out.name}.indexing")


def build_index(
    out: Path,
    plan: IndexPlan,
    spool_documents: Callable[[Path], Spool],
    save_pipelines: SavePipelines,
    *,
    overwrite: bool = False,
    threads: int = 1,
) -> Manifest:
    """Make an index; the folder appears whole or not at all, and one that is there is replaced in one step.

    Args:
        out: The folder to write.
        plan: How.
        spool_documents: Called with a folder for the encoded corpus; with forms in running order when vectors are to be
            trained.
        save_pipelines: Keeps the pipelines of the corpus's languages.
        overwrite: Replace an index that is there.
        threads: How many fit and embed.

    Raises:
        InputError: The path is taken, the corpus is empty, or the vectors know none of its words.
    """
    with index_in_making(out, plan, overwrite=overwrite) as scratch:
        try:
            with _importing_ahead(threads):
                spool = spool_documents(scratch / "spool")
        except BaseException:
            # nothing that the next run could go on with
            if not any((scratch / "spool").glob("*.arrow")):
                shutil.rmtree(scratch)
            raise
        refuse_empty(spool)
        shutil.rmtree(scratch / "made", ignore_errors=True)
        manifest = _make_generation(spool, plan, scratch, scratch / "made", save_pipelines, threads)
        put_in_place(scratch / "made", manifest, out.resolve(), overwrite=overwrite)
        shutil.rmtree(scratch)
    return manifest


@contextmanager
def _importing_ahead(threads: int) -> Iterator[None]:
    """Import what the rest needs while workers encode and this process waits for them."""
    importing = Thread(target=_import, args=("scipy.linalg", "lance"))
    if threads > 1:
        importing.start()
    try:
        yield
    finally:
        # older threadpoolctl, which lists libraries, and an import that loads one would wait for each other for ever
        if threads > 1:
            importing.join()


def _import(*modules: str) -> None:
    # whoever needs one says what is wrong with it
    with suppress(Exception):
        for module in modules:
            importlib.import_module(module)


@contextmanager
def index_in_making(out: Path, plan: IndexPlan, *, overwrite: bool) -> Iterator[Path]:
    """The folder in which an index is made, ours alone for the length of the block; it stays, for a next run.

    Raises:
        InputError: The path is taken, the plan says what there is not, or another process makes an index there.
        MissingExtraError: Lance is not installed.
    """
    require_installed("lance", extra="search", purpose="index a corpus")
    named_embedding(plan.embedding)
    if plan.method:
        check_method(plan.method)
    out = out.resolve()
    check_free(out, overwrite=overwrite, marker=files.MARKER)
    scratch = scratch_folder(out)
    make_folder(scratch)
    with only_one(scratch, f"Another process is making an index at {out}: wait for it, or choose another place."):
        yield scratch


def _make_generation(
    spool: Spool, plan: IndexPlan, scratch: Path, folder: Path, save_pipelines: SavePipelines, threads: int
) -> Manifest:
    words = spool.words(threads)
    tables = tables_of(plan, words.forms, scratch / "distilling", spool.sequences)
    manifest = begin_generation(folder, plan, words, tables, save_pipelines, threads)
    reader = GenerationReader(folder, manifest)
    mapping = RowMapping.of_whole(spool.word_numbers().words, reader, threads)
    fits = fit(
        lambda: counted_batches(spool, mapping, threads),
        reader.array("vectors"),
        len(words.terms),
        plan.settings,
        normalize=plan.normalize,
        threads=threads,
    )
    fits.save(folder / files.FITS)
    with GenerationWriter(folder, manifest) as writer:
        batches = mapped_batches(spool, mapping, threads)
        write_all(writer, batches, fits, reader.array("vectors"), spool.documents, threads)
        return writer.finish()


def begin_generation(
    folder: Path, plan: IndexPlan, words: CorpusWords, tables: Tables, save_pipelines: SavePipelines, threads: int = 1
) -> Manifest:
    """Make a generation's folder and write all but the documents and what is fitted on them.

    Words and terms are numbered in an order that depends on nothing but themselves, so that the same corpus gives the
    same index however its encoding was shared out.

    Args:
        folder: The folder, new.
        plan: How.
        words: Those of the corpus.
        tables: The table of each language.
        save_pipelines: Keeps the pipelines of the corpus's languages.
        threads: How many work.

    Returns:
        The version so far, with nothing in it but the vocabulary.

    Raises:
        InputError: The vectors know none of the words.
    """
    folder.mkdir()
    sources = provenance(tables)
    manifest = Manifest(
        index_id=uuid.uuid4().hex,
        generation=new_generation(),
        revision=0,
        embedding=plan.embedding,
        normalize=plan.normalize,
        source=plan.source,
        tables=sources,
        dim=next(iter(tables.values())).dim,
        senses=record(plan.senses, sources) if plan.senses else {},
        method=plan.method,
        weighting=plan.settings.changed,
        fitted_on=words.documents,
    )
    save_origin(folder / files.ORIGIN, tables)
    (folder / files.PIPELINES).mkdir()
    save_pipelines(folder / files.PIPELINES, sorted(words.languages))
    (folder / READERS).touch()
    with GenerationWriter(folder, manifest) as writer:
        for new_words in vocabulary_of(words.forms, _keyed(tables) if plan.senses else tables, threads):
            writer.add_words(new_words)
        if not writer.n_rows:
            _refuse_no_coverage(words)
        writer.add_terms(packed(words.terms))
        return writer.sync_vocabulary()


def write_all(
    writer: GenerationWriter,
    batches: Iterable[MappedBatch],
    fits: Fits,
    table: Any,
    n_documents: int,
    threads: int = 1,
) -> None:
    """Write documents with a progress bar."""
    with progress_bar(total=n_documents, label="writing", unit="doc") as bar:

        def counted() -> Iterator[MappedBatch]:
            for batch in batches:
                yield batch
                bar.update(batch.documents.num_rows)

        writer.add_documents(counted(), fits, table, threads)


class RowMapping(NamedTuple):
    """From the numbers of a spool's words and terms to those of an index."""

    keys: Rows
    """int32[keys], rows of vectors; -1 for a word without one."""
    terms: Rows
    """int32[terms]"""

    @classmethod
    def of(cls, words: Dictionaries, reader: GenerationReader) -> "RowMapping":
        """Look up the words and terms of a spool in a vocabulary that holds them."""
        return cls(_key_rows(words.keys, reader), reader.keys("term_names").locate(packed(words.terms)))

    @classmethod
    def of_whole(cls, words: Dictionaries, reader: GenerationReader, threads: int = 1) -> "RowMapping":
        """The same, by so many threads, for the only spool of a new vocabulary, in which terms stand in order."""
        parts: list[Callable[[], Rows]] = [
            lambda: _key_rows(words.keys, reader),
            lambda: ascending_places(words.terms),
        ]
        return cls(*map_ahead(lambda part: part(), parts, threads))


def _key_rows(keys: pa.Array, reader: GenerationReader) -> Rows:
    known = reader.keys("keys")
    return known.rows_at(known.locate(packed(keys)))


def counted_batches(spool: Spool, mapping: RowMapping, threads: int = 1) -> Iterator[CountedBatch]:
    """What fits count of the documents of a spool."""

    def counted(spooled: NumberedBatch) -> CountedBatch:
        documents, bags, terms = spooled.mapped(*mapping)
        return CountedBatch(documents.column("lang").to_pylist(), bags, terms)

    return map_ahead(counted, spool.numbered_batches(COUNTED), threads)


def mapped_batches(spool: Spool, mapping: RowMapping, threads: int = 1) -> Iterator[MappedBatch]:
    """The documents of a spool with their bags over the rows and terms of an index."""

    def mapped(spooled: NumberedBatch) -> MappedBatch:
        documents, bags, terms = spooled.mapped(*mapping)
        return MappedBatch(documents.select(list(DOCUMENT_FIELDS)), bags, terms)

    return map_ahead(mapped, spool.numbered_batches(), threads)


def put_in_place(made: Path, manifest: Manifest, out: Path, *, overwrite: bool) -> None:
    """Make a finished generation the index at a path, in one step, or the newest of the one that is there."""
    if (out / files.MARKER).is_file():
        with writer_lock(out):
            check_free(out, overwrite=overwrite, marker=files.MARKER)
            commit_generation(made, replace(manifest, generation=new_generation(out)), out)
        return
    # a whole new folder, renamed into place
    whole = made.with_name("whole")
    shutil.rmtree(whole, ignore_errors=True)
    whole.mkdir()
    commit_generation(made, manifest, whole)
    check_free(out, overwrite=overwrite, marker=files.MARKER)
    whole.rename(out)
    fsync(out.parent)


def _keyed(tables: Tables) -> Tables:
    """Tables whose words are senses, one for each model."""
    distinct = {id(table): table for table in tables.values() if isinstance(table, WordTable)}
    keyed = {key: SenseTable.of(table).keyed for key, table in distinct.items()}
    return {lang: keyed[id(table)] for lang, table in tables.items()}


def _refuse_no_coverage(words: CorpusWords) -> None:
    forms = [form for of_language in words.forms.values() for form in of_language.to_pylist()]
    raise InputError(
        f"The vectors know none of the corpus's {len(forms)} words"
        + (f" (such as {forms[0]!r})" if forms else "")
        + ": check their language, and that their keys fit the lookup forms (case, lemma, template)."
    )
