"""What an index learned of its corpus: every embedding, language by language, and BM25."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spacy_embed.atomic_files import write_atomically
from spacy_embed.bags import Bags
from spacy_embed.bm25 import Bm25Weighting
from spacy_embed.corpus_counts import CorpusCounts
from spacy_embed.embedding import BagEmbedding, embedding_from_state
from spacy_embed.errors import InputError
from spacy_embed.retrieval.fit_settings import FitSettings
from spacy_embed.state import state_from_bytes, state_to_bytes
from spacy_embed.training.judged_encoder import JudgedEncoder
from spacy_embed.types import Floats1d, Floats2d, Ints1d

ByLanguage = Mapping[str, BagEmbedding]


class CountedBatch(NamedTuple):
    """Some documents as bags of counts."""

    langs: list[str]
    """Their languages."""
    bags: Bags
    """Over the rows of the vector table."""
    terms: Bags
    """Over BM25's terms."""

    def bags_of(self, lang: str) -> Bags | None:
        """The bags of a language's documents; None where there are none."""
        mine = by_language(self.langs).get(lang)
        return None if mine is None else _bags_at(self.bags, mine)


DEFAULTS = FitSettings()

LEARNED_OVER = "tfidf"
"""The embedding that encoders learned from judgements start from."""

Batches = Callable[[], Iterator[CountedBatch]]
"""Gives the whole corpus, batch by batch, as often as it is called."""


@dataclass(frozen=True)
class Fits:
    """Fitted embeddings and BM25.

    Attributes:
        embeddings: By name, then language: each language has its own idf, frequencies and common components.
        bm25: Over the terms of all languages.
        learned: Encoders learned from judgements, by name: all languages share one, over their own idf. They are kept
            in a file of their own.
    """

    embeddings: Mapping[str, ByLanguage]
    bm25: Bm25Weighting
    learned: Mapping[str, JudgedEncoder] = field(default_factory=dict)

    def widened(self, n_rows: int, n_terms: int) -> "Fits":
        """For a vocabulary that has grown since."""
        embeddings = {
            name: {lang: fit.widened(n_rows) for lang, fit in by_lang.items()}
            for name, by_lang in self.embeddings.items()
        }
        learned = {name: encoder.widened(n_rows) for name, encoder in self.learned.items()}
        return Fits(embeddings, self.bm25.widened(n_terms), learned)

    def by_language(self, name: str) -> ByLanguage:
        """The fits of an embedding, or of a learned encoder, by language."""
        if name not in self.learned:
            return self.embeddings[name]
        return {lang: self.learned[name].embedding(start) for lang, start in self.embeddings[LEARNED_OVER].items()}

    def for_languages(self, name: str, langs: Sequence[str]) -> dict[str, BagEmbedding]:
        """A fit for each language; one that the fitted corpus lacked borrows that of its main language."""
        by_lang = self.by_language(name)
        if not by_lang:
            return {}
        main = next(iter(by_lang))
        return {lang: by_lang.get(lang, by_lang[main]) for lang in set(langs)}

    def save(self, file: Path) -> None:
        """Write them in one step."""
        embeddings = {
            name: {"langs": list(by_lang), **{lang: fit.state() for lang, fit in by_lang.items()}}
            for name, by_lang in self.embeddings.items()
        }
        write_atomically(file, state_to_bytes({"embeddings": embeddings, "bm25": self.bm25.state()}))

    @classmethod
    def load(cls, file: Path) -> "Fits":
        """Read them. Raises InputError when the file is missing or damaged."""
        try:
            state = state_from_bytes(file.read_bytes(), where=str(file))
            embeddings = {
                name: {lang: embedding_from_state(states[lang]) for lang in states["langs"]}
                for name, states in state["embeddings"].items()
            }
            return cls(embeddings, Bm25Weighting(**state["bm25"]))
        except FileNotFoundError as error:
            raise InputError(f"{file} is missing: index the corpus again.") from error
        except (KeyError, TypeError) as error:
            raise InputError(f"{file} is damaged ({error}): index the corpus again.") from error


def fit(
    batches: Batches,
    table: Floats2d,
    n_terms: int,
    settings: FitSettings = DEFAULTS,
    *,
    normalize: bool,
    threads: int = 1,
) -> Fits:
    """Fit everything in a few passes over the corpus, holding a batch at a time.

    Args:
        batches: The corpus.
        table: float32[rows, dim].
        n_terms: How many terms there are.
        settings: How words weigh.
        normalize: Use rows of length 1.
        threads: How many work on batches.
    """
    counts = IndexCounts.of(batches(), len(table), n_terms)

    def fitted(embedding: BagEmbedding, lang: str) -> BagEmbedding:
        def bags_of_language() -> Iterator[Bags]:
            for batch in batches():
                mine = batch.bags_of(lang)
                if mine is not None:
                    yield mine

        return embedding.fit_batches(bags_of_language, table, counts.by_lang[lang], threads)

    unfitted = settings.embeddings(normalize=normalize)
    embeddings = {name: {lang: fitted(one, lang) for lang in counts.languages} for name, one in unfitted.items()}
    return Fits(embeddings, settings.bm25().fit_counts(counts.terms))


@dataclass(eq=False)
class IndexCounts:
    """What fits need to know of a corpus; those of its parts add up to those of the whole.

    Attributes:
        by_lang: Over the rows of the vector table, each language apart.
        terms: Over BM25's terms.
    """

    by_lang: dict[str, CorpusCounts]
    terms: CorpusCounts

    @property
    def languages(self) -> list[str]:
        """Languages with any known word, the main one first: others borrow its fit."""
        langs = sorted(self.by_lang, key=lambda lang: (-self.by_lang[lang].n_documents, lang))
        return [lang for lang in langs if self.by_lang[lang].row_totals.any()]

    @classmethod
    def of(cls, batches: Iterable[CountedBatch], n_rows: int, n_terms: int) -> "IndexCounts":
        """Count documents, a batch at a time."""
        counts = cls({}, CorpusCounts.zeros(n_terms))
        for batch in batches:
            counts.terms.add(batch.terms)
            for lang, mine in by_language(batch.langs).items():
                counts.by_lang.setdefault(lang, CorpusCounts.zeros(n_rows)).add(_bags_at(batch.bags, mine))
        return counts

    @classmethod
    def sum(cls, parts: "Sequence[IndexCounts]") -> "IndexCounts":
        """The counts of several parts together."""
        langs = dict.fromkeys(lang for part in parts for lang in part.by_lang)
        return cls(
            {lang: CorpusCounts.sum([part.by_lang[lang] for part in parts if lang in part.by_lang]) for lang in langs},
            CorpusCounts.sum([part.terms for part in parts]),
        )


def by_language(langs: Sequence[str]) -> dict[str, Ints1d]:
    """Positions of the documents of each language, int64."""
    distinct = sorted(set(langs))
    if len(distinct) == 1:
        return {distinct[0]: np.arange(len(langs), dtype=np.int64)}
    codes = np.array(langs)
    return {lang: np.flatnonzero(codes == lang) for lang in distinct}


def _bags_at(bags: Bags, places: Ints1d) -> Bags:
    """Those at some places, which ascend; all of them as they are."""
    return bags.take(places) if len(places) < len(bags) else bags


def embed(bags: Bags, langs: Sequence[str], fits: ByLanguage, table: Floats2d) -> Floats2d:
    """Embeddings of bags of counts, each by its own language's fit; zero rows where a language has none.

    Args:
        bags: ``n`` bags over the rows of the table.
        langs: ``n`` language codes.
        fits: Fitted embeddings.
        table: float32[rows, dim].
    """
    out = np.zeros((len(bags), table.shape[1]), np.float32)
    for lang, mine in by_language(langs).items():
        if lang in fits:
            out[mine] = fits[lang].transform(_bags_at(bags, mine), table)
    return out


def weighted_bags(bags: Bags, langs: Sequence[str], fits: ByLanguage) -> Bags:
    """Bags of counts with the weights of each document's own language.

    Args:
        bags: ``n`` bags.
        langs: Their languages.
        fits: Fitted embeddings, whose weighting is taken.
    """
    if len(fits) == 1:
        return next(iter(fits.values())).weighting.transform(bags)
    codes = np.array(langs)[bags.owners]
    weights: Floats1d = np.zeros(len(bags.rows), np.float32)
    for lang, fit in fits.items():
        mine = codes == lang
        weights[mine] = fit.weighting.transform(bags).weights[mine]
    return bags.with_weights(weights)
