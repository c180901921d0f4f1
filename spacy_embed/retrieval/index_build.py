"""Making an index: encoded batches in, a folder out that holds all a search needs."""

import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from spacy_embed.atomic_files import check_free, fsync, make_folder
from spacy_embed.embedding import named_embedding
from spacy_embed.errors import InputError, require_installed
from spacy_embed.progress import progress_bar
from spacy_embed.retrieval import manifest as files
from spacy_embed.retrieval.encoded import form_of, list_bags
from spacy_embed.retrieval.fit_settings import FitSettings
from spacy_embed.retrieval.fits import DEFAULTS, CountedBatch, Fits, fit
from spacy_embed.retrieval.generation import DOCUMENT_FIELDS, GenerationReader
from spacy_embed.retrieval.generation_writer import GenerationWriter, MappedBatch
from spacy_embed.retrieval.generations import commit_generation, new_generation
from spacy_embed.retrieval.locks import READERS, only_one, writer_lock
from spacy_embed.retrieval.manifest import Manifest
from spacy_embed.retrieval.method_names import check_method
from spacy_embed.retrieval.origin import save_origin
from spacy_embed.retrieval.sense_sources import SenseModels, record
from spacy_embed.retrieval.spool import Spool, refuse_empty, spooled_bags
from spacy_embed.retrieval.vector_sources import (
    Tables,
    check_tables,
    distilled_table,
    provenance,
    trained_tables,
    vocabulary_of,
)
from spacy_embed.threads import map_ahead
from spacy_embed.types import Rows
from spacy_embed.vectors.sense_table import SenseTable
from spacy_embed.vectors.word_table import WordTable

Source = Literal["tables", "spacy", "train", "distill"]


@dataclass(frozen=True)
class IndexPlan:
    """How to make an index.

    Attributes:
        source: Where vectors come from.
        tables: A table for each language, for ``tables`` and ``spacy``; "" serves the languages that have none.
        embedding: The embedding that is stored.
        dim: Dimensions of trained or distilled vectors.
        seed: Of training.
        normalize: Use rows of length 1.
        senses: How the corpus's words became senses; its tables are the models.
        method: What is searched by default, a name or a composition; "" for ``hybrid``.
        settings: How words weigh.
    """

    source: Source = "tables"
    tables: Tables | None = None
    embedding: str = "tfidf"
    dim: int = 256
    seed: int = 1
    normalize: bool = False
    senses: SenseModels | None = None
    method: str = ""
    settings: FitSettings = DEFAULTS


SavePipelines = Callable[[Path, Sequence[str]], None]
"""Called with a folder and languages, to keep their pipelines."""


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
    require_installed("lance", extra="search", purpose="index a corpus")
    named_embedding(plan.embedding)
    if plan.method:
        check_method(plan.method)
    out = out.resolve()
    check_free(out, overwrite=overwrite, marker=files.MARKER)
    scratch = scratch_folder(out)
    make_folder(scratch)
    with only_one(scratch, f"Another process is making an index at {out}: wait for it, or choose another place."):
        try:
            spool = spool_documents(scratch / "spool")
        except BaseException:
            # nothing that the next run could go on with
            if not any((scratch / "spool").glob("*.arrow")):
                shutil.rmtree(scratch)
            raise
        refuse_empty(spool)
        shutil.rmtree(scratch / "made", ignore_errors=True)
        manifest = _make_generation(spool, plan, scratch, scratch / "made", save_pipelines, threads)
        _put_in_place(scratch / "made", manifest, out, overwrite=overwrite)
        shutil.rmtree(scratch)
    return manifest


def _make_generation(
    spool: Spool, plan: IndexPlan, scratch: Path, folder: Path, save_pipelines: SavePipelines, threads: int
) -> Manifest:
    forms = spool.forms
    tables = _tables(plan, spool, forms, scratch / "distilling")
    check_tables(tables)
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
        fitted_on=spool.documents,
    )
    save_origin(folder / files.ORIGIN, tables)
    (folder / files.PIPELINES).mkdir()
    save_pipelines(folder / files.PIPELINES, sorted(spool.languages))
    (folder / READERS).touch()
    with GenerationWriter(folder, manifest) as writer:
        key_rows = np.full(len(spool.keys), -1, np.int32)
        for words in vocabulary_of(forms, _keyed(tables) if plan.senses else tables):
            writer.add_words(words)
            key_rows[spool.keys.add(words.keys)] = words.rows
        if not writer.n_rows:
            _refuse_no_coverage(spool)
        writer.add_terms(list(spool.terms.ids))
        table = GenerationReader(folder, writer.sync_vocabulary()).array("vectors")
        fits = fit(
            lambda: _counted(spool, key_rows, threads),
            table,
            len(spool.terms),
            plan.settings,
            normalize=plan.normalize,
            threads=threads,
        )
        fits.save(folder / files.FITS)
        write_all(writer, _mapped(spool, key_rows, threads), fits, table, spool.documents, threads)
        return writer.finish()


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


def _counted(spool: Spool, key_rows: Rows, threads: int) -> Iterator[CountedBatch]:
    for documents, bags, terms in _mapped(spool, key_rows, threads):
        yield CountedBatch(documents.column("lang").to_pylist(), bags, terms)


def _mapped(spool: Spool, key_rows: Rows, threads: int) -> Iterator[MappedBatch]:
    def mapped(batch: pa.RecordBatch) -> MappedBatch:
        return MappedBatch(
            batch.select(list(DOCUMENT_FIELDS)),
            spooled_bags(batch).map_rows(key_rows),
            list_bags(batch.column("terms"), batch.column("term_counts")),
        )

    return map_ahead(mapped, spool.batches(), threads)


def _put_in_place(made: Path, manifest: Manifest, out: Path, *, overwrite: bool) -> None:
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


def _tables(plan: IndexPlan, spool: Spool, forms: Mapping[str, list[str]], scratch: Path) -> Tables:
    if plan.source == "train":
        return trained_tables(spool.sequences, forms, dim=plan.dim, seed=plan.seed)
    if plan.source == "distill":
        return dict.fromkeys(forms, distilled_table(forms, scratch, dim=plan.dim))
    given: Mapping[str, Any] = plan.tables or {}
    missing = [lang for lang in forms if lang not in given and "" not in given]
    if missing:
        raise InputError(
            f"The corpus has documents in {', '.join(missing)}, but vectors were given for "
            f"{', '.join(given) or 'none'}: add --vectors {missing[0]}=TABLE."
        )
    # a language without documents has queries
    return {lang: given[lang] if lang in given else given[""] for lang in {**forms, **given} if lang}


def _keyed(tables: Tables) -> Tables:
    """Tables whose words are senses, one for each model."""
    distinct = {id(table): table for table in tables.values() if isinstance(table, WordTable)}
    keyed = {key: SenseTable.of(table).keyed for key, table in distinct.items()}
    return {lang: keyed[id(table)] for lang, table in tables.items()}


def _refuse_no_coverage(spool: Spool) -> None:
    example = next(iter(spool.keys.ids), None)
    raise InputError(
        f"The vectors know none of the corpus's {len(spool.keys)} words"
        + (f" (such as {form_of(example)!r})" if example else "")
        + ": check their language, and that their keys fit the lookup forms (case, lemma, template)."
    )
