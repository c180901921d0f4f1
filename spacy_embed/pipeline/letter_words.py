"""A tokenizer's rules for punctuation, not asked about words of letters, where they can find nothing.

A new word is looked at by four regular expressions, which together take up to a third of a tokenizer's time, and most
new words are letters throughout. That a rule finds nothing in letters is proved of the rule itself, whatever
language or user it is from: of every way to match it, some part needs another character.
"""

import importlib
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from spacy.tokenizer import Tokenizer

_re_parser: Any = importlib.import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")

_HOOKS = ("prefix_search", "suffix_search", "infix_finditer", "url_match")
_NO_LETTERS = ("CATEGORY_DIGIT", "CATEGORY_SPACE", "CATEGORY_NOT_WORD")
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")


class PunctuationRule:
    """A regular expression that finds nothing in letters, so that it is not asked about strings of letters.

    Args:
        pattern: One for which ``needs_more_than_letters`` holds.
    """

    def __init__(self, pattern: re.Pattern[str]) -> None:
        # a tokenizer that is saved looks for it by this name
        self.pattern = pattern.pattern
        self._compiled = pattern

    def search(self, text: str) -> re.Match[str] | None:
        """As of the pattern, of a whole text."""
        return None if text.isalpha() else self._compiled.search(text)

    def match(self, text: str) -> re.Match[str] | None:
        """As of the pattern, of a whole text."""
        return None if text.isalpha() else self._compiled.match(text)

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """As of the pattern, of a whole text."""
        return iter(()) if text.isalpha() else self._compiled.finditer(text)


def quick_with_letters(tokenizer: Tokenizer) -> Tokenizer:
    """A tokenizer that gives the same tokens sooner: its rules that need more than letters are not asked about letters.

    The same as the tokenizer gives once it is saved and loaded: what was changed in its ``rules`` by hand counts.

    Args:
        tokenizer: spaCy's own, of any rules; one that is quick is given back.
    """
    hooks = {name: getattr(tokenizer, name) for name in _HOOKS}
    quick = {name: _quick(hook) for name, hook in hooks.items()}
    if all(quick[name] is hook for name, hook in hooks.items()):
        return tokenizer
    return Tokenizer(
        tokenizer.vocab,
        rules=tokenizer.rules,
        **quick,
        token_match=tokenizer.token_match,
        faster_heuristics=tokenizer.faster_heuristics,
        max_cache_size=tokenizer.max_cache_size,
    )


def _quick(rule: Any) -> Any:
    """A pattern's bound method, of the quick rule where that is the same."""
    pattern, name = getattr(rule, "__self__", None), getattr(rule, "__name__", "")
    # a function of somebody's own may do anything, whatever it is bound to
    if not isinstance(pattern, re.Pattern) or rule != getattr(pattern, name, None):
        return rule
    return getattr(PunctuationRule(pattern), name, rule) if needs_more_than_letters(pattern) else rule


@lru_cache(maxsize=64)
def needs_more_than_letters(pattern: re.Pattern[str]) -> bool:
    """Whether a pattern provably matches nothing in strings of which ``str.isalpha`` is true.

    False where it may match, and where that cannot be told.
    """
    # letters without regard to case may be equal to what is none
    if pattern.flags != re.UNICODE:
        return False
    with warnings.catch_warnings():
        # they were given when it was compiled
        warnings.simplefilter("ignore")
        try:
            return not _may_match(_re_parser.parse(pattern.pattern))
        except RecursionError:
            return False


def _may_match(parts: Sequence[tuple[Any, Any]]) -> bool:
    return all(_part_may_match(str(kind), value) for kind, value in parts)


def _part_may_match(kind: str, value: Any) -> bool:
    """Whether a part of a parsed pattern may match within letters; what is not known here may."""
    if kind == "LITERAL":
        return chr(value).isalpha()
    if kind == "IN":
        return any(_holds_letters(str(of_class), what) for of_class, what in value)
    if kind == "BRANCH":
        return any(map(_may_match, value[1]))
    if kind == "SUBPATTERN":
        _, flags_on, flags_off, parts = value
        return bool(flags_on or flags_off) or _may_match(parts)
    if kind in _REPEATS:
        least, _, parts = value
        return least == 0 or _may_match(parts)
    if kind == "ASSERT":
        # what is looked for behind or ahead is letters, too
        return _may_match(value[1])
    return True


def _holds_letters(kind: str, value: Any) -> bool:
    """Whether a part of a character class may be a letter."""
    if kind == "LITERAL":
        return chr(value).isalpha()
    if kind == "RANGE":
        first, last = value
        return any(chr(code).isalpha() for code in range(first, last + 1))
    return kind != "CATEGORY" or str(value) not in _NO_LETTERS
