"""What a table is trained on: corpora through their languages' pipelines, or sequences that are tokens already."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from spacy_embed.errors import InputError
from spacy_embed.pipeline.language_pipelines import lookup_forms_of
from spacy_embed.pipeline.text_kernel import AUTO, TextKernel
from spacy_embed.pipeline.workers import WorkerPool
from spacy_embed.progress import advance, progress_bar
from spacy_embed.retrieval.corpus import Corpus
from spacy_embed.retrieval.encoded import text_batches
from spacy_embed.retrieval.pretokenized import PretokenizedCorpus, PretokenizedKernel
from spacy_embed.retrieval.text_lines import STANDARD_INPUT, Report, name_of, refuse
from spacy_embed.retrieval.token_spool import TokenSpool


@dataclass(frozen=True)
class TrainingCorpus:
    """One or several corpora, read as one text.

    Attributes:
        paths: As ``Corpus`` reads them, or ``PretokenizedCorpus``.
        language: A code for every document, or ``auto``.
        pipelines: Paths of saved pipelines or configs by language.
        lines: In folders of text files, take each line as a document.
        pretokenized: Lines are token sequences: nothing is tokenized, folded or left out.
        keep_going: Pass over what is malformed; it is reported.

    Raises:
        InputError: Token sequences are to be tokenized as well.
    """

    paths: Sequence[Path]
    language: str = AUTO
    pipelines: Mapping[str, Path] = field(default_factory=dict)
    lines: bool = False
    pretokenized: bool = False
    keep_going: bool = False

    def __post_init__(self) -> None:
        if self.pretokenized and (self.language != AUTO or self.pipelines or self.lines):
            raise InputError("Pretokenized lines are taken as they are: leave out --lang, --pipeline and --lines.")

    def kernel(self) -> TextKernel | PretokenizedKernel:
        """What makes tokens of texts. Raises InputError for an unknown language."""
        if self.pretokenized:
            return PretokenizedKernel()
        return TextKernel(self.language, self.pipelines, sequences=True, keep_going=self.keep_going)

    def spool(self, folder: Path, pool: WorkerPool, report: Report = refuse) -> TokenSpool:
        """Read everything into a folder; what an interrupted run left there is not encoded again.

        Raises:
            InputError: A corpus is missing, empty or malformed, as ``report`` sees fit.
        """
        kernel = self.kernel()
        spool = TokenSpool(folder, kernel.identity(), report)
        texts = spool.rest(self._text_batches(report))
        spool.add(map(kernel, texts) if isinstance(kernel, PretokenizedKernel) else pool.encode(kernel, texts))
        return spool

    def lookup_forms(self, languages: Iterable[str]) -> dict[str, dict[str, Any]] | str:
        """How tokens became words, for the record: the options of each language's lookup forms."""
        kernel = self.kernel()
        if isinstance(kernel, PretokenizedKernel):
            return "tokens as they were given"
        options = {lang: asdict(lookup_forms_of(kernel.pipeline(lang)).options) for lang in languages}
        # terms are what BM25 counts, no keys of a table
        return {lang: {name: value for name, value in of.items() if name != "terms"} for lang, of in options.items()}

    def _text_batches(self, report: Report) -> Iterator[pa.RecordBatch]:
        for path in self.paths:
            documents: Any = (
                PretokenizedCorpus(path, report) if self.pretokenized else Corpus(path, lines=self.lines, report=report)
            )
            with progress_bar(label=f"reading {path.name or path}", unit="doc") as bar:
                for batch in text_batches(documents):
                    yield batch
                    advance(bar, batch.num_rows, documents.fraction)

    def described(self) -> list[dict[str, Any]]:
        """Name and size of each path, for the record."""
        return [{"path": name_of(path), "bytes": _bytes_of(path)} for path in self.paths]


def _bytes_of(path: Path) -> int | None:
    if path == STANDARD_INPUT or path.is_fifo():
        return None
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)
