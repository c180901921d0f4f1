"""The language of a text, among those that are possible: by script first, then by py3langid."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from spacy_embed.errors import require

_SCRIPTS = {"ru": re.compile("[\u0400-\u04ff]"), "zh": re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")}
_LATIN = re.compile("[A-Za-z\u00c0-\u024f]")
_SEEN_CHARACTERS = 2000


def detect_language(text: str, candidates: Sequence[str]) -> str:
    """One of the candidates.

    Args:
        text: The text; its first 2,000 characters decide.
        candidates: Possible language codes, at least one; the first is the answer for a text without letters.

    Returns:
        The candidate whose script (Cyrillic, Han, Latin) the text is written in; among several of Latin script,
        py3langid's choice.

    Raises:
        MissingExtraError: py3langid is needed and not installed.
    """
    head = text[:_SEEN_CHARACTERS]
    counts = {language: len(script.findall(head)) for language, script in _SCRIPTS.items()}
    latin = len(_LATIN.findall(head))
    # a Han character says about as much as two letters
    counts["zh"] *= 2
    by_script = max(counts, key=lambda language: counts[language])
    if counts[by_script] > latin and by_script in candidates:
        return by_script
    in_latin = tuple(language for language in candidates if language not in _SCRIPTS)
    if latin == 0 or not in_latin:
        return by_script if counts[by_script] and by_script in candidates else candidates[0]
    if len(in_latin) == 1:
        return in_latin[0]
    language: str = _identifier(in_latin).classify(head)[0]
    return language


@lru_cache(maxsize=8)
def _identifier(languages: tuple[str, ...]) -> Any:
    langid = require("py3langid.langid", extra="search", purpose="detect languages")
    identifier = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE)
    identifier.set_languages(list(languages))
    return identifier
