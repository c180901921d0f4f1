# ruff: noqa: UP006, UP035, UP045  -- spaCy reads these signatures on every supported Python
"""Component factories. Kept light: spaCy imports this module at the first ``spacy.blank`` of everyone who has us."""

from typing import List, Literal, Optional

from spacy.language import Language

from spacy_embed.pipeline.form_options import Accents, Case, Drop, Lemma, Script, Terms, Width, Yo, form_options


@Language.factory(
    "lookup_forms",
    default_config={
        "case": None,
        "accents": None,
        "yo": None,
        "width": None,
        "script": None,
        "lemma": None,
        "stop_words": None,
        "punctuation": None,
        "numbers": None,
        "template": None,
        "terms": None,
    },
    assigns=["doc._.forms"],
)
def make_lookup_forms(
    nlp: Language,
    name: str,
    case: Optional[Case],
    accents: Optional[Accents],
    yo: Optional[Yo],
    width: Optional[Width],
    script: Optional[Script],
    lemma: Optional[Lemma],
    stop_words: Optional[Drop],
    punctuation: Optional[Drop],
    numbers: Optional[Drop],
    template: Optional[str],
    terms: Optional[Terms],
):
    """Lookup forms of each token; None takes the language's default (see ``form_options.FormOptions``)."""
    from spacy_embed.pipeline.lookup_forms import make_component

    options = form_options(
        nlp.lang,
        case=case,
        accents=accents,
        yo=yo,
        width=width,
        script=script,
        lemma=lemma,
        stop_words=stop_words,
        punctuation=punctuation,
        numbers=numbers,
        template=template,
        terms=terms,
    )
    return make_component(nlp, options)


@Language.factory(
    "doc_embedder",
    default_config={
        "vectors": None,
        "method": "mean",
        "smoothing": "smooth",
        "sublinear": False,
        "a": 1e-3,
        "frequencies": None,
        "n_components": None,
        "normalize": False,
        "keywords": [],
        "keyword_pos": [],
        "other_weight": 0.0,
        "senses": None,
    },
    assigns=["doc._.embedding", "doc._.bag_rows", "doc._.bag_weights", "doc._.coverage"],
)
def make_doc_embedder(
    nlp: Language,
    name: str,
    vectors: Optional[str],
    method: Literal["sum", "mean", "tfidf", "sif"],
    smoothing: Literal["smooth", "standard", "textbook", "bm25", "probabilistic"],
    sublinear: bool,
    a: float,
    frequencies: Optional[str],
    n_components: Optional[int],
    normalize: bool,
    keywords: List[str],
    keyword_pos: List[str],
    other_weight: float,
    senses: Optional[Literal["soft", "hard"]],
):
    """Document embeddings.

    vectors: path of a table or vector file; None for the pipeline's own vectors.
    method: sum, mean, tfidf or sif; the last two are fitted by ``nlp.initialize``.
    smoothing, sublinear: tfidf's formula. a: sif's.
    frequencies: a TSV of word and count for sif, instead of the corpus it is fitted on.
    n_components: common components to remove; None for the method's own (1 for sif, else 0).
    normalize: use rows of length 1.
    keywords, keyword_pos, other_weight: only these forms and parts of speech count 1, the others this much.
    senses: over a table with senses, spread each token over them by their probability in context (soft), or count it
        for the most probable one (hard); None counts words.
    """
    from dataclasses import replace
    from pathlib import Path

    from spacy_embed.embedding import named_embedding
    from spacy_embed.pipeline.doc_embedder import DocEmbedder
    from spacy_embed.pipeline.extensions import register_extensions
    from spacy_embed.pipeline.keyword_weights import KeywordWeights
    from spacy_embed.weighting import Sif, TfIdf

    embedding = replace(named_embedding(method), normalize=normalize)
    if method == "tfidf":
        embedding = replace(embedding, weighting=TfIdf(smoothing, sublinear))
    elif method == "sif":
        embedding = replace(embedding, weighting=Sif(a))
    if n_components is not None:
        embedding = replace(embedding, n_components=n_components)
    keyword_weights = KeywordWeights(keywords, keyword_pos, other_weight)
    register_extensions()
    component = DocEmbedder(nlp, vectors, embedding, keyword_weights, name, senses)
    # a saved pipeline brings its table and its fitted frequencies along
    if frequencies is not None and (vectors is None or Path(vectors).exists()):
        component.take_frequencies(Path(frequencies))
    return component


@Language.factory(
    "sense_tagger",
    default_config={"model": None, "window": None},
    assigns=[
        "doc._.sense_rows",
        "doc._.sense_probabilities",
        "doc._.sense_offsets",
        "token._.sense",
        "token._.sense_probs",
        "token._.sense_vector",
    ],
)
def make_sense_tagger(nlp: Language, name: str, model: Optional[str], window: Optional[int]):
    """The sense of each token in its context: ``token._.sense``; after ``lookup_forms``, before ``doc_embedder``.

    model: path of a table with senses (spacy-embed train adagram) or of an AdaGram.jl model.
    window: known words to each side that count as context; None for as many as in training.
    """
    from spacy_embed.pipeline.extensions import register_extensions
    from spacy_embed.pipeline.sense_tagger import SenseTagger

    register_extensions()
    return SenseTagger(nlp.lang, model, window, name)


@Language.factory(
    "word_mover",
    default_config={"cost": "euclidean", "weights": "counts", "similarity": False},
    requires=["doc._.embedding", "doc._.bag_rows", "doc._.bag_weights"],
)
def make_word_mover(
    nlp: Language,
    name: str,
    cost: Literal["euclidean", "unit", "cosine"],
    weights: Literal["counts", "weighted"],
    similarity: bool,
):
    """Word Mover's Distance between Docs that ``doc_embedder`` has embedded: ``doc._.wmd(other)``.

    cost: between the vectors of two words: their distance, that of unit vectors, or 1 - cosine.
    weights: the mass of each word: how often it occurs, or its weight by the embedder's method.
    similarity: ``doc.similarity`` and ``span.similarity`` become 1 / (1 + distance).
    """
    from spacy_embed.pipeline.word_mover import WordMover

    return WordMover(cost, weights, similarity)
