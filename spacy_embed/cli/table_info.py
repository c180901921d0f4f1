"""What ``spacy-embed info`` says about a vector table."""

import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from spacy_embed.errors import InputError, MissingExtraError

_LANGUAGES = ("en", "es", "pt", "ru", "zh")
_SAMPLED_WORDS = 4000
_WORDS_OF_A_TEXT = 25
_PLACES_OF_SAMPLES = (20, 200, 2000)
_SHOWN_NEIGHBORS = 5


def table_facts(path: Path, verify: bool) -> dict[str, Any]:
    """Facts about a table, in the order in which they are shown.

    Raises:
        InputError: It is missing or damaged, or ``verify`` finds other floats than were written.
    """
    from spacy_embed.training.model_card import FILE as MODEL_CARD
    from spacy_embed.vectors.formats import Reading, format_of
    from spacy_embed.vectors.reading_notes import ReadingNotes
    from spacy_embed.vectors.table_facts import row_facts

    format_ = format_of(path)
    if format_.read is None:
        raise InputError(f"{path} is in the format '{format_.name}', which this package only writes.")
    table = format_.read(path, Reading())
    if verify:
        _verify(table, path)
    rows = row_facts(table)
    names = ("smallest", "lower_quartile", "median", "upper_quartile", "largest")
    source = table.metadata.get("source")
    return {
        "kind": "vector table",
        "format": format_.name,
        "words": len(table),
        "rows": len(table.rows),
        "dim": table.dim,
        "norms": {name: round(length, 4) for name, length in zip(names, rows.lengths, strict=True)},
        "words_without_vector": rows.zero_words,
        "words_that_share_a_row": rows.shared_words,
        "repeated_rows": rows.repeated_rows,
        "composes_unknown_words": table.composes,
        "languages": word_languages(table),
        "first_words": [table.words.word(i) for i in range(min(8, len(table)))],
        "neighbors": sample_neighbors(table),
        "source": source,
        **({"model_card": str(path / MODEL_CARD)} if (path / MODEL_CARD).is_file() else {}),
        "notes": ReadingNotes.of(source).sentences(),
        "fingerprint": table.fingerprint,
    }


def word_languages(table: Any) -> dict[str, float]:
    """Shares of languages among the table's words, in a sample: by script, Latin words in bunches by py3langid.

    Without py3langid, and for other scripts, the script's name stands for the language. Guesses for words are rough.
    """
    places = np.unique(np.linspace(0, len(table) - 1, min(len(table), _SAMPLED_WORDS)).astype(int))
    by_script: dict[str, list[str]] = {}
    for word in map(table.words.word, places.tolist()):
        # "ru:слово" and "слово_NOUN" are Russian words
        letters = [c for c in word.split(":", 1)[-1].rsplit("_", 1)[0] if c.isalpha()]
        if letters:
            script = unicodedata.name(letters[0], "UNKNOWN").split()[0].lower()
            by_script.setdefault(script, []).append("".join(letters))
    counts: Counter[str] = Counter()
    for script, words in by_script.items():
        for start in range(0, len(words), _WORDS_OF_A_TEXT):
            bunch = words[start : start + _WORDS_OF_A_TEXT]
            counts[_language(script, bunch)] += len(bunch)
    total = counts.total()
    return {name: round(count / total, 3) for name, count in counts.most_common() if count / total >= 0.01}


def _language(script: str, words: list[str]) -> str:
    from spacy_embed.retrieval.language_detection import detect_language

    if script not in {"latin", "cyrillic", "cjk"}:
        return script
    try:
        return detect_language(" ".join(words), _LANGUAGES)
    except MissingExtraError:
        return script


def sample_neighbors(table: Any) -> dict[str, list[str]]:
    """The nearest words of a few words of the table."""
    from spacy_embed.vectors.neighbors import Neighborhood

    usable = np.flatnonzero(np.asarray(table.keys.word_rows) >= 0)
    places = sorted({min(place, len(usable) - 1) for place in _PLACES_OF_SAMPLES}) if len(usable) > 1 else []
    words = [table.words.word(int(usable[place])) for place in places]
    if not words:
        return {}
    found = Neighborhood(table).of_words(words, _SHOWN_NEIGHBORS)
    return {word: [neighbor.word for neighbor in near] for word, near in zip(words, found, strict=True)}


def _verify(table: Any, path: Path) -> None:
    found = table.computed_fingerprint()
    if found != table.fingerprint:
        raise InputError(
            f"The vectors in {path} changed since they were written: fingerprint {found}, expected "
            f"{table.fingerprint}. Make them again."
        )
