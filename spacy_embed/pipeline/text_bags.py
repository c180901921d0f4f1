"""Texts to bags over the words of a table, for what is evaluated or learned outside an index."""

from collections.abc import Sequence
from typing import NamedTuple

from spacy.language import Language

from spacy_embed.bags import Bags
from spacy_embed.evaluation.text_bags import Vocabulary
from spacy_embed.pipeline.batch_forms import encode_texts
from spacy_embed.vectors.word_table import WordTable


class EncodedGroups(NamedTuple):
    """Groups of texts over one vocabulary."""

    vocabulary: Vocabulary
    forms: list[Bags]
    """Of each group, over the vocabulary's forms, in running order."""

    def counts(self, group: int) -> Bags:
        """Bags of counts of a group over the vocabulary's rows."""
        return self.vocabulary.bags(self.forms[group])


def encode_groups(nlp: Language, groups: Sequence[Sequence[str]], table: WordTable) -> EncodedGroups:
    """Texts as bags.

    Args:
        nlp: A pipeline with ``lookup_forms``.
        groups: The texts.
        table: Where their words are looked up.

    Raises:
        InputError: No word of any has a vector.
    """
    encoded = encode_texts(nlp, [text for group in groups for text in group]).forms
    forms, start = [], 0
    for group in groups:
        forms.append(encoded.bags.slice(start, start + len(group)))
        start += len(group)
    return EncodedGroups(Vocabulary.of(encoded.strings, table), forms)
