"""The encoding kernel: record batches of texts in, record batches of bags out, the same in every process."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from spacy.language import Language

from spacy_embed import __version__
from spacy_embed.bags import Bags
from spacy_embed.errors import InputError, MissingExtraError
from spacy_embed.pipeline.batch_forms import EncodedTexts, StringBags, encode_texts
from spacy_embed.pipeline.encoding_pipelines import encoding_pipeline, made_quick
from spacy_embed.pipeline.form_options import LANGUAGES
from spacy_embed.pipeline.language_pipelines import check_language
from spacy_embed.pipeline.spacy_table import SpacyTable
from spacy_embed.retrieval.encoded import ENCODED, key_of, list_columns
from spacy_embed.retrieval.language_detection import detect_language
from spacy_embed.types import Ints1d

if TYPE_CHECKING:
    from spacy_embed.retrieval.sense_sources import SenseModels

AUTO = "auto"

_MUCH_TEXT = 100_000
"""Characters of a batch: fewer are done before a tokenizer is made quick."""


class TextKernel:
    """Encodes batches, each document through its own language's pipeline. Pickles light: pipelines are built on use.

    Args:
        language: A code for every document, or ``auto``: the document's own ``lang``, else the detected one.
        pipelines: Paths of saved pipelines or configs by language; other languages use the built-in ones.
        candidates: The languages that detection chooses among.
        sequences: Keep forms in running order, unmerged, for training.
        keep_going: Write a document that cannot be encoded down as a fault, instead of raising.
        senses: What makes senses of forms; None: forms stay what they are.

    Raises:
        InputError: Unknown language.
    """

    def __init__(
        self,
        language: str = AUTO,
        pipelines: Mapping[str, Path] | None = None,
        candidates: Iterable[str] = LANGUAGES,
        sequences: bool = False,
        keep_going: bool = False,
        senses: "SenseModels | None" = None,
    ) -> None:
        self.pipelines = dict(pipelines or {})
        self.language = language if language == AUTO else check_language(language, self.pipelines)
        self.candidates = tuple(candidates)
        self.sequences = sequences
        self.keep_going = keep_going
        self.senses = senses
        self._loaded: dict[str, Language] = {}

    def pipeline(self, language: str) -> Language:
        """The pipeline of a language, built once."""
        if language not in self._loaded:
            self._loaded[language] = encoding_pipeline(language, self.pipelines.get(language))
        return self._loaded[language]

    def identity(self) -> dict[str, Any]:
        """What decides how documents are encoded, as plain values: another identity encodes them differently."""
        configs = {lang: path / "config.cfg" if path.is_dir() else path for lang, path in self.pipelines.items()}
        return {
            "made_by": f"spacy-embed {__version__}",
            "language": self.language,
            "pipelines": {lang: [str(path.resolve()), path.stat().st_mtime_ns] for lang, path in configs.items()},
            "candidates": list(self.candidates),
            "sequences": self.sequences,
            "keep_going": self.keep_going,
            **({"senses": self.senses.identity()} if self.senses else {}),
        }

    def save_pipelines(self, folder: Path, languages: Iterable[str]) -> None:
        """Write the pipelines of some languages, each into a folder of its own."""
        for language in languages:
            # the built-in pipelines need nothing of their vocabulary, which holds every word of the corpus
            own = language in self.pipelines
            self.pipeline(language).to_disk(folder / language, exclude=[] if own else ["vocab"])

    def pipeline_tables(self) -> dict[str, SpacyTable]:
        """The vectors of the pipelines that were given, by language. Raises InputError when one has none."""
        tables = {language: SpacyTable(self.pipeline(language).vocab) for language in self.pipelines}
        empty = [language for language, table in tables.items() if not (len(table) or table.composes)]
        if empty:
            raise InputError(f"The pipeline of {', '.join(empty)} has no vectors of its own: give --vectors a table.")
        return tables

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Encode ``TEXTS`` into ``ENCODED``, row for row.

        Raises:
            InputError: A document names an unknown language, or is too long for its pipeline; not if ``keep_going``.
                Or a model of senses is gone or has changed.
        """
        texts = _full_texts(batch)
        faults = [""] * len(texts)
        languages = self._languages(batch, texts, faults)
        keys, terms, order = [], [], []
        n_tokens = []
        for language in sorted(set(languages)):
            mine = [i for i, of_text in enumerate(languages) if of_text == language and not faults[i]]
            for good, (forms, of_terms) in self._encoded(language, texts, mine, batch, faults) if mine else ():
                order += good
                n_tokens.append(forms.bags.sizes)
                forms = self._in_senses(language, forms)
                keys.append(StringBags([key_of(language, form) for form in forms.strings], forms.bags))
                terms.append(of_terms)
        places_in_order = _places_in_order(order, len(texts))
        all_keys = _joined(keys)
        columns = [
            batch.column("id"),
            pa.array(languages, pa.string()),
            *(batch.column(name) for name in ("title", "text", "metadata", "where")),
            pa.array(np.concatenate([*n_tokens, np.zeros(1, np.int64)])[places_in_order]),
            *_dictionary_columns(all_keys, places_in_order, merge=not self.sequences),
            *_dictionary_columns(_joined(terms), places_in_order, merge=True),
            pa.array(faults, pa.string()),
            batch.column("lang"),
        ]
        return pa.RecordBatch.from_arrays(
            [c.cast(f.type) for c, f in zip(columns, ENCODED, strict=True)], schema=ENCODED
        )

    def _languages(self, batch: pa.RecordBatch, texts: list[str], faults: list[str]) -> list[str]:
        if self.language != AUTO:
            return [self.language] * len(texts)
        languages = []
        known = {"", *LANGUAGES, *self.pipelines}
        for i, (language, text) in enumerate(zip(batch.column("lang").to_pylist(), texts, strict=True)):
            if language not in known:
                with self._noting(faults, i, batch):
                    check_language(language, self.pipelines)
            languages.append(language or detect_language(text, self.candidates))
        return languages

    @contextmanager
    def _noting(self, faults: list[str], i: int, batch: pa.RecordBatch) -> Iterator[None]:
        """Raise what goes wrong with a document, saying which one it is, or note it and go on."""
        try:
            yield
        except MissingExtraError:
            raise
        except Exception as error:
            if not self.keep_going:
                if isinstance(error, InputError):
                    raise InputError(f"{_place(batch, i)}: {error}") from error
                raise
            faults[i] = f"{error}" if isinstance(error, InputError) else f"{type(error).__name__}: {error}"

    def _encoded(
        self, language: str, texts: list[str], mine: list[int], batch: pa.RecordBatch, faults: list[str]
    ) -> Iterator[tuple[list[int], EncodedTexts]]:
        """The documents of a language, encoded together, or one by one to find those that cannot be."""
        nlp = self.pipeline(language)
        if sum(len(texts[i]) for i in mine) >= _MUCH_TEXT:
            made_quick(nlp)
        for i in mine:
            if len(texts[i]) > nlp.max_length:
                with self._noting(faults, i, batch):
                    _refuse_length(texts[i], nlp.max_length, language)
        good = [i for i in mine if not faults[i]]
        try:
            yield good, encode_texts(nlp, [texts[i] for i in good])
        except Exception:
            if not self.keep_going:
                raise
            for i in good:
                with self._noting(faults, i, batch):
                    yield [i], encode_texts(nlp, [texts[i]])

    def _in_senses(self, language: str, forms: StringBags) -> StringBags:
        table = self.senses.table(language) if self.senses else None
        if self.senses is None or table is None:
            return forms
        # workers import no more than they use
        from spacy_embed.pipeline.sense_forms import sense_forms

        return sense_forms(forms, table, self.senses.choice)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_loaded": {}}


def _place(batch: pa.RecordBatch, i: int) -> str:
    where = batch.column("where")[i].as_py()
    return f"{where}: " * bool(where) + f"document {batch.column('id')[i].as_py()!r}"


def _refuse_length(text: str, longest: int, language: str) -> None:
    raise InputError(
        f"it has {len(text)} characters, but the pipeline of {language} takes {longest}: split it, or raise the "
        "pipeline's max_length."
    )


def _full_texts(batch: pa.RecordBatch) -> list[str]:
    titles, texts = batch.column("title").to_pylist(), batch.column("text").to_pylist()
    return [f"{title}\n{text}" if title else text for title, text in zip(titles, texts, strict=True)]


def _joined(parts: list[StringBags]) -> StringBags:
    """All documents over the strings of all parts, and an empty one at the end for those that were left out."""
    if len(parts) == 1:
        return StringBags(parts[0].strings, Bags.concatenate([parts[0].bags, Bags.empty(1)]))
    ids: dict[str, int] = {}
    bags = [Bags.empty()]
    for strings, of_part in parts:
        of_string = np.array([ids.setdefault(string, len(ids)) for string in strings], np.int32)
        bags.append(Bags(of_string[of_part.rows], of_part.weights, of_part.offsets))
    return StringBags(list(ids), Bags.concatenate([*bags, Bags.empty(1)]))


def _places_in_order(order: list[int], n: int) -> Ints1d:
    """int64[n], where each document stands among those that were encoded; behind them if it was not."""
    places = np.full(n, len(order), np.int64)
    places[order] = np.arange(len(order))
    return places


def _dictionary_columns(strings: StringBags, places: Ints1d, *, merge: bool) -> tuple[pa.ListArray, pa.ListArray]:
    """Bags of strings as list columns over one dictionary."""
    bags = strings.bags.take(places)
    row_lists, weights = list_columns(bags.merged() if merge else bags)
    values = pa.DictionaryArray.from_arrays(row_lists.values, pa.array(strings.strings, pa.string()))
    return pa.ListArray.from_arrays(row_lists.offsets, values), weights
