"""Texts as lookup forms with their places, for whoever has to find a word again."""

from collections.abc import Iterator, Sequence

import numpy as np
from spacy.language import Language

from spacy_embed.pipeline.batch_forms import tokenizable
from spacy_embed.pipeline.language_pipelines import lookup_forms_of
from spacy_embed.senses.contexts import FormsInText


def forms_in_texts(nlp: Language, texts: Sequence[str]) -> Iterator[FormsInText]:
    """The tokens of each text; "" for one that is left out.

    Args:
        nlp: A pipeline with ``lookup_forms``; what comes after it is not run.
        texts: The texts.
    """
    lookup = lookup_forms_of(nlp)
    before = [component for _, component in nlp.pipeline].index(lookup)
    # a text of the same length: places stay what they are
    tokenized = [tokenizable(text, nlp) for text in texts]
    docs = nlp.pipe(tokenized, disable=nlp.pipe_names[before:]) if before else map(nlp.tokenizer, tokenized)
    for doc in docs:
        starts = np.fromiter((token.idx for token in doc), np.int64, len(doc))
        lengths = np.fromiter(map(len, doc), np.int64, len(doc))
        yield FormsInText(lookup.forms(doc), starts, starts + lengths)
