"""An index made by a cluster: workers encode, count and write; this process numbers words and commits, once."""

import logging
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from spacy_embed.atomic_files import write_atomically
from spacy_embed.cluster.document_parts import DONE, DocumentFacts, DocumentPart
from spacy_embed.cluster.index_tasks import (
    ROWS,
    Fitted,
    PartOfIndex,
    counts_of,
    merged_words,
    summed_counts,
    summed_grams,
    words_of,
)
from spacy_embed.cluster.part_files import remove
from spacy_embed.cluster.part_names import part_name
from spacy_embed.cluster.repeated_documents import find_repeated
from spacy_embed.cluster.shared_paths import check_shared
from spacy_embed.cluster.splits import Split
from spacy_embed.cluster.tasks import reduce_tree, result_of, run_all, submit
from spacy_embed.embedding import BagEmbedding
from spacy_embed.errors import InputError
from spacy_embed.pipeline.text_kernel import TextKernel
from spacy_embed.progress import progress_bar
from spacy_embed.retrieval import manifest as files
from spacy_embed.retrieval.corpus_words import CorpusWords
from spacy_embed.retrieval.fits import Fits, IndexCounts
from spacy_embed.retrieval.generation_writer import GenerationWriter
from spacy_embed.retrieval.index_build import begin_generation, index_in_making, put_in_place
from spacy_embed.retrieval.index_plan import IndexPlan, tables_of
from spacy_embed.retrieval.manifest import Manifest, read_manifest
from spacy_embed.retrieval.pieces import Piece, append_pieces
from spacy_embed.retrieval.text_lines import Report, refuse
from spacy_embed.state import state_to_bytes

if TYPE_CHECKING:
    from distributed import Client

T = TypeVar("T")

_GROUPS_A_THREAD = 4
_LOG = logging.getLogger(__name__)


def build_on_cluster(
    client: "Client",
    splits: Sequence[Split],
    kernel: TextKernel,
    out: Path,
    plan: IndexPlan,
    *,
    report: Report = refuse,
    overwrite: bool = False,
) -> Manifest:
    """Make an index by a cluster: the same bytes as ``build_index`` makes, but for how the data set's rows are stored.

    The common components of SIF are the same to rounding: sums of several parts are added in another order.

    What a run that was killed had finished is not done again. The folder appears whole or not at all.

    Args:
        client: Of the cluster.
        splits: The corpus, on storage that all machines share.
        kernel: What encodes it.
        out: The folder to write, on such storage too.
        plan: How; vectors may be given or distilled, not trained.
        report: What becomes of faults, in the order of the corpus, if the kernel keeps going.
        overwrite: Replace an index that is there.

    Raises:
        InputError: The path is taken, the corpus is empty or malformed, the vectors know none of its words, or a worker
            does not see a path.
    """
    out = out.resolve()
    with index_in_making(out, plan, overwrite=overwrite) as scratch:
        job = _Job(client, scratch)
        try:
            job.check_shared(splits, kernel)
            with _pass("encoding"):
                parts = job.encode(splits, kernel, report)
        except BaseException:
            # nothing that the next run could go on with
            if not any(scratch.glob(f"parts/*/{DONE}")):
                shutil.rmtree(scratch, ignore_errors=True)
            raise
        with _pass("vocabulary"):
            vocabulary = job.vocabulary(parts, plan, kernel)
        of_index = [PartOfIndex(part, vocabulary) for part in parts]
        with _pass("counting and fitting"):
            fits = job.fits(of_index, plan)
        with _pass("writing"):
            pieces = job.pieces(of_index, fits)
        with _pass("putting together"):
            manifest = job.assemble(vocabulary, fits, pieces)
        put_in_place(scratch / "made", manifest, out, overwrite=overwrite)
        # a worker that was taken for dead may still write there
        shutil.rmtree(scratch, ignore_errors=True)
    return manifest


@contextmanager
def _pass(name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    _LOG.info("%s: %.1f s", name, time.perf_counter() - started)


class _Job:
    """The passes over the corpus, each over what the one before left in the scratch folder."""

    def __init__(self, client: "Client", scratch: Path) -> None:
        self.client = client
        self.scratch = scratch
        self.facts: dict[Path, DocumentFacts] = {}
        """Of the parts that are to be indexed, by their folders."""

    def check_shared(self, splits: Sequence[Split], kernel: TextKernel) -> None:
        """Refuse workers that do not see what they are to read, or where they are to write."""
        corpus = {Path(piece.file) for split in splits for piece in split.pieces[:1]}
        models = [Path(model.path) for model in kernel.senses.models.values()] if kernel.senses else []
        check_shared(self.client, self.scratch, [*sorted(corpus), *kernel.pipelines.values(), *models])

    def encode(self, splits: Sequence[Split], kernel: TextKernel, report: Report) -> list[DocumentPart]:
        """Have the parts encoded, those with repeated ids once more without them."""
        folder = self.scratch / "parts"
        folder.mkdir(exist_ok=True)
        parts = [_placed(folder, i, DocumentPart(split, kernel, folder)) for i, split in enumerate(splits)]
        kept = {part.folder for part in parts}
        self._make(parts)
        n_read = sum(_facts(part).read for part in parts)
        repeated = find_repeated(self.client, splits, [part.folder for part in parts], n_read)
        for number, of_part in sorted(repeated.items()):
            parts[number] = _placed(folder, number, parts[number]._replace(repeated=of_part))
            if not kernel.keep_going:
                # the first one says what is wrong
                break
        self._make(parts)
        # those that were made twice stay for a next run, which begins with the first
        kept |= {part.folder for part in parts}
        for place in folder.iterdir():
            if place not in kept:
                remove(place)
        self.facts = {part.folder: _facts(part) for part in parts}
        for fault in (fault for of_part in self.facts.values() for fault in of_part.faults):
            report(fault)
        if not sum(of_part.encoded for of_part in self.facts.values()):
            raise InputError("The corpus holds no documents that can be indexed.")
        return parts

    def _make(self, parts: Sequence[DocumentPart]) -> None:
        # a network file system remembers for a while that a name it was asked for is not there: the folder is listed
        there = set(os.listdir(self.scratch / "parts"))
        missing = [p for p in parts if p.folder.name not in there or DocumentFacts.read_from(p.folder) is None]
        total = sum(part.split.bytes for part in parts)
        with progress_bar(total=total, label="encoding", unit="B") as bar:
            bar.update(total - sum(part.split.bytes for part in missing))
            for place, _ in run_all(self.client, DocumentPart.make, [(part,) for part in missing]):
                bar.update(missing[place].split.bytes)

    def vocabulary(self, parts: Sequence[DocumentPart], plan: IndexPlan, kernel: TextKernel) -> Path:
        """A generation's folder with all but documents and fits, of these parts and this plan."""
        # a folder for each plan: a worker of a run that was killed may still be writing for another
        place = self.scratch / f"plan-{_identity(parts, plan)}"
        folder = place / "vocabulary"
        for stale in self.scratch.glob("plan-*"):
            if stale != place or not (folder / files.MARKER).is_file():
                remove(stale)
        if place.is_dir():
            return folder
        (place / ROWS).mkdir(parents=True)
        reading = [submit(self.client, words_of, group) for group in self._groups(parts)]
        words: CorpusWords = result_of(reduce_tree(self.client, merged_words, reading, fan_in=2))
        tables = tables_of(plan, words.forms, self.scratch / "distilling")
        manifest = begin_generation(folder, plan, words, tables, kernel.save_pipelines)
        # codes of languages are those of the whole corpus in every piece; it is there once this is
        replace(manifest, lang_codes=list(words.languages)).save(folder)
        return folder

    def _groups(self, parts: Sequence[T]) -> list[list[T]]:
        """Parts for tasks whose results are as large as the vocabulary: a few for each thread, however many parts."""
        n = _GROUPS_A_THREAD * sum(self.client.nthreads().values())
        size = -(-len(parts) // n)
        return [list(parts[start : start + size]) for start in range(0, len(parts), size)]

    def fits(self, parts: Sequence[PartOfIndex], plan: IndexPlan) -> Path:
        """The file of the fits."""
        folder = parts[0].vocabulary.with_name("fits")
        folder.mkdir(exist_ok=True)
        file = folder / files.FITS
        if file.exists():
            return file
        counting = [submit(self.client, counts_of, group) for group in self._groups(parts)]
        counts: IndexCounts = result_of(reduce_tree(self.client, summed_counts, counting, fan_in=2))

        unfitted = plan.settings.embeddings(normalize=plan.normalize)
        weighted = {
            (name, lang): embedding.weighted_by(counts.by_lang[lang])
            for name, embedding in unfitted.items()
            for lang in counts.languages
        }
        with_components = {of: one for of, one in weighted.items() if one.n_components}
        fitted = weighted | self._with_components(with_components, parts, folder)
        embeddings = {name: {lang: fitted[name, lang] for lang in counts.languages} for name in unfitted}
        Fits(embeddings, plan.settings.bm25().fit_counts(counts.terms)).save(file)
        return file

    def _with_components(
        self, weighted: Mapping[Fitted, BagEmbedding], parts: Sequence[PartOfIndex], folder: Path
    ) -> dict[Fitted, BagEmbedding]:
        """Embeddings with their common components, which take a pass of their own."""
        if not weighted:
            return {}
        states = {of: folder / f"{of[0]}.{of[1]}.npz" for of in weighted}
        for of, embedding in weighted.items():
            write_atomically(states[of], state_to_bytes(embedding.state()))
        adding = [submit(self.client, PartOfIndex.grams, part, states) for part in parts]
        grams = result_of(reduce_tree(self.client, summed_grams, adding))
        fitted = {of: embedding.with_components(grams[of]) for of, embedding in weighted.items()}
        for of, embedding in fitted.items():
            write_atomically(states[of], state_to_bytes(embedding.state()))
            mine = (part for part in parts if of[1] in self.facts[part.part.folder].languages)
            # a document or two tell, unless all are alike
            if not any(
                result_of(submit(self.client, PartOfIndex.is_something_left, p, states[of], of[1])) for p in mine
            ):
                fitted[of] = embedding.without_components()
        return fitted

    def pieces(self, parts: Sequence[PartOfIndex], fits: Path) -> list[Piece]:
        """Have the documents written, each part a piece."""
        folder = fits.parent.with_name("pieces")
        folder.mkdir(exist_ok=True)
        places = [folder / part.part.folder.name for part in parts]
        missing = [i for i, place in enumerate(places) if Piece.read(place) is None]
        tasks = [(parts[i], fits, places[i]) for i in missing]
        encoded = [self.facts[part.part.folder].encoded for part in parts]
        with progress_bar(total=sum(encoded), label="writing", unit="doc") as bar:
            bar.update(sum(encoded) - sum(encoded[i] for i in missing))
            for _, n in run_all(self.client, PartOfIndex.write, tasks):
                bar.update(n)
        pieces = [_there(Piece.read(place), place) for place in places]
        for piece, part, n in zip(pieces, parts, encoded, strict=True):
            if piece.documents != n:
                raise InputError(f"{part.part.folder} is damaged: remove {self.scratch} to start over.")
        return pieces

    def assemble(self, vocabulary: Path, fits: Path, pieces: Sequence[Piece]) -> Manifest:
        """Put the generation together."""
        made = self.scratch / "made"
        shutil.rmtree(made, ignore_errors=True)
        shutil.copytree(vocabulary, made, ignore=shutil.ignore_patterns(files.MARKER))
        shutil.copyfile(fits, made / files.FITS)
        manifest = replace(read_manifest(vocabulary), lang_codes=[])
        with GenerationWriter(made, manifest) as writer:
            append_pieces(writer, pieces)
            return writer.finish()


def _placed(folder: Path, number: int, part: DocumentPart) -> DocumentPart:
    name = part_name(number, part.split, part.kernel.identity(), part.repeated)
    return part._replace(folder=folder / name, keep_going=part.kernel.keep_going)


def _facts(part: DocumentPart) -> DocumentFacts:
    return _there(DocumentFacts.read_from(part.folder), part.folder)


def _there(facts: T | None, folder: Path) -> T:
    if facts is None:
        raise InputError(
            f"A worker has written {folder}, but it is not there: put the output on storage that all machines of the "
            "cluster share."
        )
    return facts


def _identity(parts: Sequence[DocumentPart], plan: IndexPlan) -> str:
    """A hash of what decides which vocabulary and fits a plan gives."""
    tables = {lang: table.fingerprint for lang, table in (plan.tables or {}).items()}
    senses = plan.senses.identity() if plan.senses else None
    decides = [part.folder.name for part in parts], tables, senses, replace(plan, tables=None, senses=None)
    return blake2b(repr(decides).encode(), digest_size=16).hexdigest()
