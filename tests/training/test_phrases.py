"""Phrases against gensim called directly."""

import pytest
from gensim.models.phrases import Phrases

from spacy_embed.errors import InputError
from spacy_embed.training.phrases import join_phrases
from spacy_embed.training.sequences import TokenSequences
from tests.training.texts import sentences


def planted():
    """Sentences in which "new york city" stands in one of four."""
    return [
        [*sentence, *(["new", "york", "city"] if i % 4 == 0 else []), f"w{i % 7}"]
        for i, sentence in enumerate(sentences(400, n_words=60, longest=6))
    ]


@pytest.mark.parametrize("scoring", ["npmi", "default"])
@pytest.mark.parametrize("threshold", [None, 0.3])
def test_sequences_are_those_of_gensim(scoring, threshold, tmp_path):
    text = planted()
    ours = join_phrases(TokenSequences.of(text), tmp_path, scoring=scoring, threshold=threshold, min_count=4)
    effective = threshold if threshold is not None else {"npmi": 0.5, "default": 10}[scoring]
    model = Phrases(text, min_count=4, threshold=effective, scoring=scoring)
    assert list(ours.sequences) == [model[sentence] for sentence in text]
    assert ours.phrases == model.find_phrases(text)
    # far from chance, but a text this small scores nothing above 10
    assert bool(ours.phrases) == (effective < 10)


def test_a_second_pass_joins_what_the_first_gave(tmp_path):
    once, twice = (join_phrases(TokenSequences.of(planted()), tmp_path, passes=n) for n in (1, 2))
    assert "new_york_city" not in once.phrases
    assert "new_york_city" in twice.phrases
    assert twice.sequences.n_tokens == once.sequences.n_tokens - 100


def test_what_a_killed_run_left_is_not_read(tmp_path):
    join_phrases(TokenSequences.of(planted()), tmp_path)
    (tmp_path / "phrases-0" / "000001.ids.npy").write_bytes(b"old")
    again = join_phrases(TokenSequences.of(planted()), tmp_path).sequences
    assert sum(len(sequence) for sequence in again) == again.n_tokens


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scoring": "chance"}, "npmi or default, got 'chance'"),
        ({"threshold": 3.0}, "between -1 and 1, got 3.0"),
        ({"scoring": "default", "threshold": -1.0}, "above 0, got -1.0"),
    ],
)
def test_bad_settings_are_refused(settings, message, tmp_path):
    with pytest.raises(InputError, match=message):
        join_phrases(TokenSequences.of(planted()), tmp_path, **settings)
