"""The encoding kernel: record batches of texts in, record batches of bags out, the same in every process."""

import signal
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from spacy.language import Language

from spacy_embed.bags import Bags
from spacy_embed.errors import InputError
from spacy_embed.pipeline.form_options import LANGUAGES
from spacy_embed.pipeline.language_pipelines import check_language, default_pipeline, load_pipeline, lookup_forms_of
from spacy_embed.retrieval.encoded import ENCODED, SEPARATOR, list_columns
from spacy_embed.retrieval.language_detection import detect_language

AUTO = "auto"


class TextKernel:
    """Encodes batches, each document through its own language's pipeline. Pickles light: pipelines are built on use.

    Args:
        language: A code for every document, or ``auto``: the document's own ``lang``, else the detected one.
        pipelines: Paths of saved pipelines or configs by language; other languages use the built-in ones.
        candidates: The languages that detection chooses among.
        sequences: Keep forms in running order, unmerged, for training.

    Raises:
        InputError: Unknown language.
    """

    def __init__(
        self,
        language: str = AUTO,
        pipelines: Mapping[str, Path] | None = None,
        candidates: Iterable[str] = LANGUAGES,
        sequences: bool = False,
    ) -> None:
        self.pipelines = dict(pipelines or {})
        self.language = language if language == AUTO else check_language(language, self.pipelines)
        self.candidates = tuple(candidates)
        self.sequences = sequences
        self._loaded: dict[str, Language] = {}

    def pipeline(self, language: str) -> Language:
        """The pipeline of a language, built once."""
        if language not in self._loaded:
            path = self.pipelines.get(language)
            self._loaded[language] = load_pipeline(path) if path else default_pipeline(language)
        return self._loaded[language]

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Encode ``TEXTS`` into ``ENCODED``, row for row.

        Raises:
            InputError: A document names an unknown language.
        """
        texts = _full_texts(batch)
        languages = self.languages(batch.column("lang").to_pylist(), texts, batch.column("id").to_pylist())
        keys: list[list[str]] = [[]] * len(texts)
        terms: list[list[str]] = [[]] * len(texts)
        for language in sorted(set(languages)):
            mine = [i for i, of_text in enumerate(languages) if of_text == language]
            self._check_lengths(language, batch.column("id").to_pylist(), texts, mine)
            forms, of_terms = self._forms_and_terms(language, [texts[i] for i in mine])
            prefix = language + SEPARATOR
            for i, doc_forms, doc_terms in zip(mine, forms, of_terms, strict=True):
                keys[i] = [prefix + form for form in doc_forms]
                terms[i] = doc_terms
        columns = [
            *(batch.column(name) for name in ("id",)),
            pa.array(languages, pa.string()),
            *(batch.column(name) for name in ("title", "text", "metadata")),
            pa.array(list(map(len, keys))),
            *_dictionary_columns(keys, merge=not self.sequences),
            *_dictionary_columns(terms, merge=True),
        ]
        return pa.RecordBatch.from_arrays(
            [c.cast(f.type) for c, f in zip(columns, ENCODED, strict=True)], schema=ENCODED
        )

    def languages(self, given: list[str], texts: list[str], ids: list[str]) -> list[str]:
        """The language of each text.

        Raises:
            InputError: A given language is unknown.
        """
        if self.language != AUTO:
            return [self.language] * len(texts)
        return [
            check_language(language, self.pipelines, f"document {identifier!r}")
            if language
            else detect_language(text, self.candidates)
            for language, text, identifier in zip(given, texts, ids, strict=True)
        ]

    def _check_lengths(self, language: str, ids: list[str], texts: list[str], mine: list[int]) -> None:
        longest = self.pipeline(language).max_length
        for i in mine:
            if len(texts[i]) > longest:
                raise InputError(
                    f"Document {ids[i]!r} has {len(texts[i])} characters, but the pipeline of {language} takes "
                    f"{longest}: split it, or raise the pipeline's max_length."
                )

    def _forms_and_terms(self, language: str, texts: list[str]) -> tuple[list[list[str]], list[list[str]]]:
        nlp = self.pipeline(language)
        lookup = lookup_forms_of(nlp)
        # what comes after the forms is not needed
        later = nlp.pipe_names[[component for _, component in nlp.pipeline].index(lookup) :]
        forms, terms = [], []
        for doc in nlp.pipe(texts, disable=later):
            aligned = lookup.forms(doc)
            forms.append([form for form in aligned if form])
            terms.append(lookup.terms.terms(aligned, doc.text))
        return forms, terms

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_loaded": {}}


def _full_texts(batch: pa.RecordBatch) -> list[str]:
    titles, texts = batch.column("title").to_pylist(), batch.column("text").to_pylist()
    return [f"{title}\n{text}" if title else text for title, text in zip(titles, texts, strict=True)]


def _dictionary_columns(items: list[list[str]], *, merge: bool) -> tuple[pa.ListArray, pa.ListArray]:
    """Bags of strings as list columns over one dictionary; in running order, each counting 1, unless merged."""
    ids: dict[str, int] = {}
    offsets = np.cumsum([0, *map(len, items)])
    rows = np.fromiter((ids.setdefault(item, len(ids)) for item in chain.from_iterable(items)), np.int32, offsets[-1])
    bags = Bags.from_tokens(rows, offsets) if merge else Bags.build(rows, np.ones(len(rows)), offsets)
    row_lists, weights = list_columns(bags)
    values = pa.DictionaryArray.from_arrays(row_lists.values, pa.array(list(ids), pa.string()))
    return pa.ListArray.from_arrays(row_lists.offsets, values), weights


def encode_batches(kernel: TextKernel, batches: Iterable[pa.RecordBatch], workers: int) -> Iterator[pa.RecordBatch]:
    """Encode in this process, or in worker processes with results in the order of the batches.

    Args:
        kernel: What encodes.
        batches: Batches of ``TEXTS``; read no further ahead than the workers can use.
        workers: Processes; 1 for none beside this one.
    """
    if workers <= 1:
        yield from map(kernel, batches)
        return
    # spawn: a fork of a process with BLAS or Lance threads may hang
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_set_kernel, initargs=(kernel,))
    waiting: list[Future[pa.RecordBatch]] = []
    try:
        for batch in batches:
            waiting.append(pool.submit(_encode, batch))
            if len(waiting) >= 2 * workers:
                yield waiting.pop(0).result()
        while waiting:
            yield waiting.pop(0).result()
        pool.shutdown()
    except BaseException:
        # workers end by themselves after the batch at hand: killed in the middle of a message, they would leave the
        # pool's own thread waiting for the rest of it
        pool.shutdown(wait=False, cancel_futures=True)
        raise


_kernel: TextKernel | None = None


def _set_kernel(kernel: TextKernel) -> None:
    global _kernel
    _kernel = kernel
    # Ctrl-C goes to every process of the terminal; the parent sees to the workers
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _encode(batch: pa.RecordBatch) -> pa.RecordBatch:
    assert _kernel is not None
    return _kernel(batch)
