"""How probable the senses of one word are in many contexts at once, by a model with senses."""

import numpy as np

from spacy_embed.bags import Bags
from spacy_embed.senses.contexts import Contexts
from spacy_embed.types import Doubles2d
from spacy_embed.vectors.sense_table import SenseTable


def known_words(model: SenseTable, contexts: Contexts, most: int | None = None) -> Bags:
    """The words of contexts that a model holds, as rows of its table.

    Args:
        model: The model.
        contexts: Weights are distances.
        most: Words of a context that are kept, the nearest ones; None for all.

    Returns:
        A bag a context, in running order; weights are those of the contexts.
    """
    rows = model.table.find(list(contexts.forms)) if len(contexts.forms) else np.empty(0, np.int32)
    ids = rows[contexts.bags.rows]
    known = Bags(ids, contexts.bags.weights, contexts.bags.offsets).keep(ids >= 0)
    if most is None:
        return known
    by_distance = np.lexsort((known.weights, known.owners))
    rank = np.empty(len(by_distance), np.int64)
    rank[by_distance] = np.arange(len(by_distance)) - known.offsets[known.owners[by_distance]]
    return known.keep(rank < most)


def posteriors_in_contexts(model: SenseTable, word: str, contexts: Bags) -> Doubles2d:
    """How probable each sense of a word is in each context, all words of a context counting alike.

    Args:
        model: The model.
        word: A word of it.
        contexts: A bag a context, of rows as ``table.find`` gives them; see ``known_words``.

    Returns:
        float64[contexts, senses], rows summing to 1, senses as ``model.senses`` lists them; a context without words
        gives the priors.

    Raises:
        UnknownWordError: The model does not hold the word.
    """
    return model.disambiguate_all(word, contexts.rows, contexts.offsets)


def weights_of_evidence(model: SenseTable, word: str, bag: Bags) -> Doubles2d:
    """What each word of one context says for each sense: the weight of evidence (Good 1950, "Probability and the
    weighing of evidence").

    It is the logarithm of how many times the word, were it all of the context, would multiply the odds of the sense:
    log [p(s | w) / (1 - p(s | w))] - log [p(s) / (1 - p(s))], natural logarithms. With two senses, the weights of a
    context's words and the logarithm of the prior odds add up to that of the posterior odds; with more, nearly so.

    Args:
        model: The model.
        word: A word of it.
        bag: One bag: rows of the context's words, distinct; weights are how often each stands there.

    Returns:
        float64[words, senses], above 0 where a word speaks for a sense, below 0 where it speaks against it; zeros for
        a word with one sense.

    Raises:
        UnknownWordError: The model does not hold the word.
    """
    priors = np.array([[sense.prior for sense in model.senses(word)]])
    if priors.shape[1] == 1:
        return np.zeros((len(bag.rows), 1))
    counts = bag.weights.astype(np.int64)
    alone = Bags.build(
        np.repeat(bag.rows, counts),
        np.ones(int(counts.sum())),
        np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]),
    )
    return _log_odds(posteriors_in_contexts(model, word, alone)) - _log_odds(priors)


def _log_odds(shares: Doubles2d) -> Doubles2d:
    """float64[n, senses], with the others added up: 1 less a share near 1 would have no digits left."""
    least = np.finfo(np.float32).tiny
    others = shares @ (1.0 - np.eye(shares.shape[1]))
    odds: Doubles2d = np.log(np.maximum(shares, least)) - np.log(np.maximum(others, least))
    return odds
