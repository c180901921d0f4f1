"""Word sense induction scored: clusters of a set's contexts by any method, beside simple ones."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from spacy_embed.errors import InputError
from spacy_embed.evaluation.cluster_measures import MEASURES, Agreement, WordAgreement, agreement, word_agreement
from spacy_embed.evaluation.sense_sets import SenseContext, SenseSet
from spacy_embed.senses.clustering import Clustering, cluster_contexts
from spacy_embed.senses.context_vectors import Background, ContextWeights, context_vectors, form_vectors
from spacy_embed.senses.contexts import Contexts, FormsInText, build_contexts, target_tokens
from spacy_embed.types import Doubles2d, Ints1d
from spacy_embed.vectors.sense_table import SenseTable
from spacy_embed.vectors.word_table import WordTable

FormsOfTexts = Callable[[Sequence[str]], Iterable[FormsInText]]
"""From texts to their lookup forms with places."""

FormsOfWords = Callable[[Sequence[str]], Sequence[str]]
"""From words to their lookup forms."""

Labels = dict[str, list[Hashable]]
"""The cluster of each context of each word, in the set's order."""

ONE_SENSE = "one sense"


class SenseScore(NamedTuple):
    """A method on a set."""

    method: str
    agreement: Agreement
    """The mean over runs with different seeds."""
    runs: int
    spread: float
    """Standard deviation of the weighted ARI over the runs."""
    words: list[WordAgreement]
    """Of the first run."""

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        of_all = self.agreement._asdict()
        return {"method": self.method, **of_all, "runs": self.runs, "spread": self.spread}


def set_contexts(
    sense_set: SenseSet, forms_of_texts: FormsOfTexts, forms_of_words: FormsOfWords | None = None
) -> Contexts:
    """The contexts of a set, one each in its order; the words themselves are no part of them.

    Args:
        sense_set: The set.
        forms_of_texts: What makes lookup forms of texts.
        forms_of_words: What makes lookup forms of words; None: a word is its own.
    """
    lemmas = sorted({context.lemma for context in sense_set.contexts})
    forms = dict(zip(lemmas, forms_of_words(lemmas) if forms_of_words else lemmas, strict=True))
    texts = forms_of_texts([context.text for context in sense_set.contexts])
    return build_contexts(
        (text, _target(text, context, forms[context.lemma]))
        for text, context in zip(texts, sense_set.contexts, strict=True)
    )


def _target(text: FormsInText, context: SenseContext, form: str) -> Any:
    return target_tokens(text, context.spans, {context.lemma, form} - {""})


def vectors_by_word(
    sense_set: SenseSet, contexts: Contexts, tables: Sequence[WordTable], weights: ContextWeights | None = None
) -> dict[str, Doubles2d]:
    """float64[contexts, dim] for each word: the vectors of its contexts, all of the set being the background."""
    spaces = [form_vectors(table, list(contexts.forms)) for table in tables]
    background = Background.of(contexts)
    return {
        word: context_vectors(contexts.take(np.array(members)), spaces, background, weights)
        for word, members in sense_set.by_word.items()
    }


def induced_labels(vectors: Mapping[str, Doubles2d], clustering: Clustering | None = None) -> Labels:
    """Clusters of each word's contexts, their number found."""
    return {word: cluster_contexts(of_word, clustering).tolist() for word, of_word in vectors.items()}


def kmeans_labels(vectors: Mapping[str, Doubles2d], k: int, seed: int) -> Labels:
    """k-means over each word's contexts: a baseline."""
    from sklearn.cluster import KMeans

    def labels(of_word: Doubles2d) -> list[Hashable]:
        distinct = len(np.unique(of_word, axis=0))
        found: Ints1d = KMeans(min(k, distinct), n_init=10, random_state=seed).fit_predict(of_word)
        return list(found.tolist())

    return {word: labels(of_word) for word, of_word in vectors.items()}


def one_sense_labels(sense_set: SenseSet) -> Labels:
    """One sense for each word: a baseline."""
    return {word: [0] * len(members) for word, members in sense_set.by_word.items()}


def given_labels(sense_set: SenseSet) -> Labels:
    """The senses that the file itself predicts. Raises InputError where it leaves one out."""
    for context in sense_set.contexts:
        if not context.given:
            raise InputError(
                f"Context {context.id} of {context.word!r} in {sense_set.name} has no predict_sense_id: give a method."
            )
    return {word: [sense_set.contexts[i].given for i in members] for word, members in sense_set.by_word.items()}


def disambiguated_labels(
    sense_set: SenseSet,
    contexts: Contexts,
    model: SenseTable,
    forms_of_words: FormsOfWords | None = None,
    window: int | None = None,
) -> Labels:
    """The most probable sense of each context by a model with senses; a word that it does not hold has one.

    Args:
        sense_set: The set.
        contexts: See ``set_contexts``.
        model: The model.
        forms_of_words: What makes lookup forms of words that the model does not hold as they stand.
        window: Words of the context to each side; None: as many as in training; 0: all.
    """
    window = model.window if window is None else window
    bags = contexts.bags.keep(contexts.bags.weights <= window) if window else contexts.bags
    nearest = Contexts(contexts.forms, bags)
    labels: Labels = {}
    for word, members in sense_set.by_word.items():
        key = model_key(sense_set.contexts[members[0]].lemma, model, forms_of_words)
        labels[word] = [int(model.disambiguate(key, nearest.words_of(i)).argmax()) if key else 0 for i in members]
    return labels


def model_key(lemma: str, model: SenseTable, forms_of_words: FormsOfWords | None) -> str:
    """What a model calls a word: as it stands, lower-cased, or by its lookup form; "" where it does not hold it."""
    candidates = [lemma, lemma.lower(), *(forms_of_words([lemma]) if forms_of_words else [])]
    return next((candidate for candidate in candidates if candidate and candidate in model.table), "")


def score_labels(method: str, sense_set: SenseSet, runs: Sequence[Labels]) -> SenseScore:
    """A method's measures, averaged over runs with different seeds; at least one run."""
    gold = {word: [sense_set.contexts[i].gold for i in members] for word, members in sense_set.by_word.items()}
    of_runs = [[word_agreement(word, gold[word], labels[word]) for word in gold] for labels in runs]
    scores = [agreement(words) for words in of_runs]
    mean = scores[0]._replace(
        weighted={name: float(np.mean([score.weighted[name] for score in scores])) for name in MEASURES},
        mean={name: float(np.mean([score.mean[name] for score in scores])) for name in MEASURES},
        clusters=float(np.mean([score.clusters for score in scores])),
    )
    spread = float(np.std([score.weighted["ari"] for score in scores]))
    return SenseScore(method, mean, len(runs), spread, of_runs[0])


def baseline_scores(sense_set: SenseSet, vectors: Mapping[str, Doubles2d], seeds: Sequence[int]) -> list[SenseScore]:
    """One sense for each word, and k-means over its contexts for k of 2 and 3."""
    scores = [score_labels(ONE_SENSE, sense_set, [one_sense_labels(sense_set)])]
    for k in (2, 3) if vectors else ():
        runs = [kmeans_labels(vectors, k, seed) for seed in seeds]
        scores.append(score_labels(f"k-means, k = {k}", sense_set, runs))
    return scores
