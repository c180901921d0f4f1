"""Learning from scored pairs of texts: read, encoded, weighted, and written by word."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from spacy.language import Language

from spacy_embed.bags import Bags
from spacy_embed.embedding import unit_rows
from spacy_embed.evaluation.scored_pairs import ScoredPairs
from spacy_embed.pipeline.text_bags import encode_groups
from spacy_embed.training.encoder_file import EncoderFile, encoder_file
from spacy_embed.training.judged_encoder import JudgedEncoder
from spacy_embed.training.pair_encoder import PairEncoder, ScoredBags, groups_of_pairs
from spacy_embed.vectors.word_table import WordTable
from spacy_embed.weighting import TfIdf


class PairFit(NamedTuple):
    """What was learned."""

    encoder: PairEncoder
    file: EncoderFile
    """The same by word, as 'doc_embedder' takes it."""


def fit_pairs(
    encoder: PairEncoder,
    sets: Sequence[ScoredPairs],
    nlp: Language,
    table: WordTable,
    *,
    texts: Sequence[str] = (),
    normalize: bool = True,
) -> PairFit:
    """Fit an encoder on pairs, over TF-IDF.

    Args:
        encoder: Its settings.
        sets: Files of pairs; the scores of each are scaled to 0 to 1, so that files on several scales can be mixed.
        nlp: A pipeline with ``lookup_forms``.
        table: The vectors.
        texts: What the idf is counted on; none for the texts of the pairs.
        normalize: Use rows of length 1.

    Raises:
        InputError: There is nothing to learn from.
    """
    left = [text for pairs in sets for text in pairs.left]
    right = [text for pairs in sets for text in pairs.right]
    encoded = encode_groups(nlp, [left + right, texts], table)
    counts = encoded.counts(0)
    rows = encoded.vocabulary.rows
    idf = TfIdf().fit(encoded.counts(1) if len(texts) else counts, len(rows))
    bags: Bags = idf.transform(counts)
    gold = np.concatenate([_scaled(pairs) for pairs in sets])
    scored = ScoredBags(bags, unit_rows(rows) if normalize else rows, gold, groups_of_pairs(left, right))
    fitted = encoder.fit(scored)
    judged = replace(JudgedEncoder(), factors=fitted.factors, projection=fitted.projection)
    words = list(encoded.vocabulary.forms)
    return PairFit(fitted, encoder_file(judged, nlp.lang, words, encoded.vocabulary.form_rows))


def _scaled(pairs: ScoredPairs) -> np.ndarray:
    lowest, span = pairs.gold.min(), np.ptp(pairs.gold)
    return np.asarray((pairs.gold - lowest) / span if span else np.zeros(len(pairs)))
