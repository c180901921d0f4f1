"""Corpora: BEIR folders, files, folders of text, and pipes, streamed, with every fault located."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from typing import Literal, NamedTuple

from spacy_embed.errors import InputError, SpacyEmbedError
from spacy_embed.retrieval.corpus_formats import (
    TEXT_SUFFIXES,
    Document,
    read_file,
    read_pipe,
    read_text_files,
    read_text_lines,
)
from spacy_embed.retrieval.language_detection import detect_language
from spacy_embed.retrieval.seen_ids import SeenIds
from spacy_embed.retrieval.text_lines import STANDARD_INPUT, Fault, FilePart, ReadingPlace, Report, refuse

_CHECKED_AT_ONCE = 512
_LOCATED = 9
"""Of repeated ids, how many are told where they stood first."""
_LOOKED_AT = 20
"""Documents, for the languages of a corpus."""


class Corpus:
    """The documents of a corpus, read one after the other.

    Args:
        path: A BEIR folder (``corpus.jsonl[.gz]``); a folder of BEIR folders, whose ids become ``folder/id``; a JSONL,
            CSV, TSV or Parquet file with ``text`` and, if it has them, ``_id`` or ``id``, ``title`` and ``lang``;
            a ``.txt`` file, a document a line; a folder of ``.txt`` files, a document a file; a pipe, or ``-`` for
            standard input: JSONL if it begins with a brace, else a document a line.
        lines: Take each line of the text files of a folder as a document.
        report: What becomes of a malformed line or a repeated id.

    Raises:
        InputError: While reading: the path is none of these, there are no documents, or a fault as ``report`` sees fit.
    """

    def __init__(self, path: Path, *, lines: bool = False, report: Report = refuse) -> None:
        self.path = path
        self.lines = lines
        self.report = report
        self._place = ReadingPlace()
        self._repeated = 0

    @property
    def fraction(self) -> float | None:
        """Share of the corpus that has been read, 0 to 1; None where its size is not known."""
        return self._place.fraction

    def __iter__(self) -> Iterator[Document]:
        seen, is_empty = SeenIds(), True
        documents = self._documents(self.report)
        while block := list(islice(documents, _CHECKED_AT_ONCE)):
            is_empty = False
            repeated = set(seen.repeated([document.id for document in block]))
            for i, document in enumerate(block):
                if i in repeated:
                    self._report_repeated(document)
                else:
                    yield document
        if is_empty:
            raise InputError(f"{self.path} holds no documents.")

    def _report_repeated(self, document: Document) -> None:
        first = "an earlier document"
        self._repeated += 1
        if not self.is_pipe and self._repeated <= _LOCATED:
            # read again from the start: only a fault is worth the time, and no place is kept for each document
            others = Corpus(self.path, lines=self.lines)._documents(lambda _: None)
            first = next((other.where for other in others if other.id == document.id), first)
        reason = f"the id {document.id!r} is taken already by {first}. Ids must be unique."
        self.report(Fault.at(document.where, reason, document.text))

    @property
    def is_pipe(self) -> bool:
        """Whether it can be read only once, from its start."""
        return self.path == STANDARD_INPUT or self.path.is_fifo()

    def _documents(self, report: Report) -> Iterator[Document]:
        path = self.path
        if self.is_pipe:
            return read_pipe(path, report)
        found = corpus_files(path, lines=self.lines)
        self._place = ReadingPlace(sum(file.stat().st_size for file in found.files))
        return chain.from_iterable(found.documents_of(file, report, self._place) for file in found.files)


class CorpusFiles(NamedTuple):
    """The files of a corpus, and how they are read."""

    kind: Literal["rows", "texts", "lines"]
    """Each file by its suffix; a document a file; or a document a line."""
    files: list[Path]
    root: Path
    """What the ids of texts and lines are relative to."""
    is_nested: bool = False
    """Ids begin with the folder of their file."""

    def documents_of(
        self, file: Path, report: Report, place: ReadingPlace, part: FilePart | None = None
    ) -> Iterator[Document]:
        """The documents of one file, or of a part of it."""
        if self.kind == "texts":
            yield from read_text_files([file], self.root, report, place)
        elif self.kind == "lines":
            yield from read_text_lines([file], self.root, report, place, part)
        else:
            documents = read_file(file, report, place, part)
            if not self.is_nested:
                yield from documents
                return
            for document in documents:
                yield document._replace(id=f"{file.parent.name}/{document.id}")


def corpus_files(path: Path, *, lines: bool = False) -> CorpusFiles:
    """The files of a corpus that is no pipe, see ``Corpus``. Raises InputError when there are none."""
    if not path.exists():
        raise InputError(f"There is no corpus at {path}: check the path.")
    if path.is_file():
        return CorpusFiles("rows", [path], path.parent)
    if not path.is_dir():
        raise InputError(f"{path} is neither a file nor a folder.")
    own = beir_file(path, "corpus")
    if own is not None:
        return CorpusFiles("rows", [own], path)
    folders = [folder for folder in sorted(path.iterdir()) if folder.is_dir()]
    nested = [file for folder in folders if (file := beir_file(folder, "corpus"))]
    if nested:
        return CorpusFiles("rows", nested, path, is_nested=True)
    texts = sorted(file for file in path.rglob("*") if file.is_file() and file.name.endswith(TEXT_SUFFIXES))
    if not texts:
        raise InputError(
            f"{path} holds neither corpus.jsonl nor .txt files: expected a BEIR folder or a folder of text."
        )
    return CorpusFiles("lines" if lines else "texts", texts, path)


def read_corpus(path: Path, *, lines: bool = False) -> Iterator[Document]:
    """Stream the documents of a corpus, see ``Corpus``; a fault raises InputError."""
    return iter(Corpus(path, lines=lines))


def first_languages(path: Path, candidates: Sequence[str]) -> set[str]:
    """The languages of a corpus's first documents, up to the first fault, as they are named or else detected.

    None of a pipe, whose documents would be gone, of Parquet, which threads read, and of a folder that is not of BEIR.

    Args:
        path: As for ``Corpus``.
        candidates: What detection chooses among.
    """
    languages: set[str] = set()
    # whoever reads it is told what is wrong with it
    with suppress(SpacyEmbedError, OSError):
        file = beir_file(path, "corpus") if path.is_dir() else path
        if file is None or not file.is_file() or file.suffix == ".parquet":
            return languages
        for document in islice(read_file(file, refuse, ReadingPlace()), _LOOKED_AT):
            languages.add(document.lang or detect_language(document.full_text, candidates))
    return languages


def beir_file(folder: Path, name: str) -> Path | None:
    """``NAME.jsonl`` or ``NAME.jsonl.gz`` of a BEIR folder."""
    return next((file for suffix in ("", ".gz") if (file := folder / f"{name}.jsonl{suffix}").is_file()), None)
