"""Bilingual lexicon induction: how often a word's nearest neighbour in another language is its translation."""

from typing import NamedTuple

import numpy as np

from spacy_embed.embedding import unit_rows
from spacy_embed.evaluation.dictionaries import Dictionary, word_pairs_of
from spacy_embed.evaluation.word_lookup import WordLookup
from spacy_embed.vectors.csls import leading_rows, nearest_by_cosine, nearest_by_csls, neighbourhood_means, precision_at
from spacy_embed.vectors.word_table import WordTable


class LexiconInduction(NamedTuple):
    """Precision of translation. A source word counts as right if any of its translations is among the nearest."""

    nearest_1: float
    """P@1 by cosine over the covered words, 0 to 1; NaN if there are none."""
    nearest_5: float
    """P@5 by cosine."""
    csls_1: float
    """P@1 by CSLS."""
    csls_5: float
    """P@5 by CSLS."""
    words: int
    """Source words of the dictionary."""
    covered: int
    """Source words that are known and have a known translation among the candidates."""
    candidates: int
    """Target words that were chosen among."""

    @property
    def coverage(self) -> float:
        """Share of the source words that are covered, 0 to 1."""
        return self.covered / self.words if self.words else 0.0


def lexicon_induction(
    source: WordTable,
    target: WordTable,
    dictionary: Dictionary,
    *,
    source_lookup: WordLookup | None = None,
    target_lookup: WordLookup | None = None,
    vocabulary: int = 200_000,
) -> LexiconInduction:
    """P@1 and P@5 as in MUSE (Conneau et al. 2018): over the source words that have a known translation.

    Args:
        source: Vectors of one language.
        target: Vectors of the other, in the same space.
        dictionary: Test words.
        source_lookup: How source words are found; absent: as they are, then lower-cased.
        target_lookup: The same for translations.
        vocabulary: The first so many words of either table are candidates and make up CSLS's neighbourhoods.
    """
    pairs = word_pairs_of(dictionary)
    words = list(dictionary)
    number = {word: i for i, word in enumerate(words)}
    of_pair = np.array([number[word] for word, _ in pairs], np.int64)
    asked = (source_lookup or WordLookup()).vectors(source, words)
    answers = (target_lookup or WordLookup()).rows(target, [translation for _, translation in pairs])
    chosen = leading_rows(target, vocabulary)
    candidates = unit_rows(target.rows[chosen])
    place = np.full(len(target.rows) + 1, -1, np.int32)
    place[chosen] = np.arange(len(chosen), dtype=np.int32)
    answers = place[answers]
    usable = asked.known[of_pair] & (answers >= 0)
    covered, local = np.unique(of_pair[usable], return_inverse=True)
    queries = unit_rows(asked.vectors[covered])
    sources = unit_rows(source.rows[leading_rows(source, vocabulary)])
    means = neighbourhood_means(queries, candidates), neighbourhood_means(candidates, sources)
    by_cosine, by_csls = nearest_by_cosine(queries, candidates, 5), nearest_by_csls(queries, candidates, *means, 5)
    cosine, csls = (precision_at(found, local, answers[usable]) for found in (by_cosine, by_csls))
    return LexiconInduction(
        float(cosine[0]),
        float(cosine[-1]),
        float(csls[0]),
        float(csls[-1]),
        words=len(words),
        covered=len(covered),
        candidates=len(candidates),
    )
