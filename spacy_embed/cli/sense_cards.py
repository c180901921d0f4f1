"""Senses as cards to read: share, telling words, and examples with the word marked."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text

from spacy_embed.senses.contexts import Span


class Example(NamedTuple):
    """A word in a stretch of text."""

    text: str
    span: Span
    document: str = ""


class SenseCard(NamedTuple):
    """What to show of a sense."""

    title: str
    share: float
    occurrences: int
    words: Sequence[str]
    examples: Sequence[Example]


def print_cards(cards: Sequence[SenseCard], console: Console, length: int = 160) -> None:
    """Print a card a sense.

    Args:
        cards: The senses.
        console: Where to.
        length: Characters of an example, at most.
    """
    for card in cards:
        lines = [Text(f"{bar(card.share)}, {card.occurrences} occurrences")]
        if card.words:
            lines.append(Text(", ".join(card.words), style="bold"))
        lines += [example_line(example, length) for example in card.examples]
        print_card(card.title, lines, console)


def print_card(title: str, lines: Sequence[Text], console: Console) -> None:
    """Print lines in a frame with a title."""
    console.print(Panel(Group(*lines), title=Text(title), title_align="left"))


def bar(share: float) -> str:
    """A share of 0 to 1 as blocks and per cent."""
    return f"{'█' * max(round(20 * share), 1)} {share:.0%}"


def example_line(example: Example, length: int, before: str = "") -> Text:
    """An example in about ``length`` characters, its word marked."""
    text, (start, stop) = shortened(example, length)
    shown = Text(f"• {before}")
    shown.append(text[:start])
    # brackets as well: colours do not survive a pipe
    shown.append(f"[{text[start:stop]}]", style="bold yellow")
    shown.append(text[stop:])
    return shown


def shortened(example: Example, length: int) -> tuple[str, Span]:
    """At most about ``length`` characters around the word, on one line, and where the word stands in them."""
    text, (start, stop) = example.text, example.span
    room = max(length - (stop - start), 0)
    begin = max(min(start - room // 2, len(text) - length), 0)
    end = min(begin + max(length, stop - begin), len(text))
    # whole words, where there are words
    gap = text.find(" ", begin, start)
    if begin and 0 <= gap - begin < 20:
        begin = gap + 1
    gap = text.rfind(" ", stop, end)
    if end < len(text) and 0 <= end - gap < 20:
        end = gap
    before = ("… " if begin else "") + text[begin:start]
    after = text[stop:end] + (" …" if end < len(text) else "")
    # one character for one: places stay
    whole = "".join(" " if character.isspace() else character for character in f"{before}{text[start:stop]}{after}")
    return whole, (len(before), len(before) + stop - start)
