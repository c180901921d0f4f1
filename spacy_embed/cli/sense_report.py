"""What ``spacy-embed senses`` says of a word: its senses, what a context says for each, and examples."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.text import Text

from spacy_embed.cli.sense_cards import Example, bar, example_line, print_card
from spacy_embed.types import Doubles1d, Doubles2d

if TYPE_CHECKING:
    from spacy_embed.cli.sense_model import SenseModel
    from spacy_embed.pipeline.occurrences import Occurrences
    from spacy_embed.senses.examples import DescribedSense

_SHOWN_EVIDENCE = 6
_LEAST_EVIDENCE = 0.05
_LENGTH = 150


class ContextReport(NamedTuple):
    """What a context says of a word's senses."""

    text: str
    words: list[str]
    """Its words that count, distinct: those the model knows, as many of the nearest as in training."""
    unknown: list[str]
    """Words that the model does not hold."""
    posterior: Doubles1d
    """float64[senses], the priors where no word counts."""
    evidence: Doubles2d
    """float64[words, senses], see ``weights_of_evidence``."""


@dataclass(frozen=True)
class WordReport:
    """What is said of a word.

    Attributes:
        word: As it was given.
        key: Its lookup form.
        frequency: How often it stood in the training text.
        senses: Its senses.
        context: What a context says; None without one.
        found: Where it stands in a corpus; None without one.
    """

    word: str
    key: str
    frequency: int
    senses: "list[DescribedSense]"
    context: ContextReport | None
    found: "Occurrences | None"

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        facts: dict[str, Any] = {"word": self.word, "form": self.key, "frequency": self.frequency}
        if self.context is not None:
            facts["context"] = {name: getattr(self.context, name) for name in ("text", "words", "unknown")}
        if self.found is not None:
            facts["occurrences"] = self.found.total
        return {**facts, "senses": [self._sense_as_json(i) for i in range(len(self.senses))]}

    def _sense_as_json(self, i: int) -> dict[str, Any]:
        sense = self.senses[i]
        facts: dict[str, Any] = {"sense": sense.key, "prior": round(sense.prior, 6)}
        if self.context is not None:
            facts["posterior"] = round(float(self.context.posterior[i]), 6)
            facts["evidence"] = [
                {"word": word, "weight": round(weight, 4)}
                for word, weight in zip(self.context.words, self.context.evidence[:, i].tolist(), strict=True)
            ]
        facts["neighbors"] = [{"sense": key, "similarity": round(cosine, 6)} for key, cosine in sense.neighbors]
        if self.found is not None and sense.share is not None:
            facts["share"] = round(sense.share, 6)
            facts["examples"] = [
                {**self.found.found[example.occurrence]._asdict(), "probability": round(example.probability, 6)}
                for example in sense.examples
            ]
        return facts


def report_word(
    model: "SenseModel",
    word: str,
    key: str,
    context: str | None,
    found: "Occurrences | None",
    *,
    k: int,
    n_examples: int,
) -> WordReport:
    """Ask a model about a word.

    Args:
        model: The model.
        word: As it was given.
        key: What the model calls it.
        context: A text to find its sense in.
        found: Where it stands in a corpus.
        k: Neighbours a sense.
        n_examples: Examples a sense.
    """
    from spacy_embed.senses.examples import describe_senses

    described = describe_senses(
        model.senses,
        key,
        found.contexts if found else None,
        k=k,
        n_examples=n_examples,
        sources=[occurrence.document for occurrence in found.found] if found else None,
    )
    of_word = model.senses.row_words[described[0].row]
    frequency = int(model.senses.frequencies[of_word])
    report = None if context is None else report_context(model, key, context)
    return WordReport(word, key, frequency, described, report, found)


def report_context(model: "SenseModel", key: str, text: str) -> ContextReport:
    """What a text says of a word's senses.

    Where the word itself stands there, as many of the nearest known words count as in training; else all do.
    """
    from spacy_embed.bags import Bags
    from spacy_embed.senses.posteriors import known_words, posteriors_in_contexts, weights_of_evidence

    contexts, holds_word = model.context(text, key)
    bag = known_words(model.senses, contexts, 2 * model.senses.window if holds_word else None)
    rows, places, counts = np.unique(bag.rows, return_index=True, return_counts=True)
    order = np.argsort(places)
    distinct = Bags.build(rows[order], counts[order], np.array([0, len(rows)]))
    evidence = weights_of_evidence(model.senses, key, distinct)
    table = model.senses.table
    names = [table.words.word(int(model.senses.row_words[row])) for row in distinct.rows]
    unknown = [form for form in contexts.forms if form not in table]
    return ContextReport(text, names, unknown, posteriors_in_contexts(model.senses, key, bag)[0], evidence)


def print_report(report: WordReport, model: "SenseModel", console: Console) -> None:
    """Print a heading and a card a sense."""
    n = len(report.senses)
    heading = Text(f"{report.key}: {n} {'sense' if n == 1 else 'senses'}", style="bold")
    heading.append(f", {report.frequency:,} times in the training text", style="not bold")
    if report.found is not None:
        heading.append(f", {report.found.total:,} in the corpus", style="not bold")
    console.print(heading)
    if report.context is not None:
        console.print(_of_context(report.context))
    for i, sense in enumerate(report.senses):
        lines = [Text(f"prior       {bar(sense.prior)}")]
        if report.context is not None and report.context.words:
            lines.append(Text(f"in context  {bar(float(report.context.posterior[i]))}", style="bold"))
        lines.append(Text(", ".join(f"{_short(model, key)} {cosine:.2f}" for key, cosine in sense.neighbors)))
        if report.context is not None and n > 1:
            lines += _evidence(report.context, i)
        if report.found is not None and sense.share is not None:
            lines.append(Text(f"in the corpus {sense.share:.0%}"))
            for example in sense.examples:
                at = report.found.found[example.occurrence]
                shown = Example(at.text, at.span, at.document)
                lines.append(example_line(shown, _LENGTH, f"{example.probability:.2f} "))
        print_card(sense.key, lines, console)


def _short(model: "SenseModel", key: str) -> str:
    return model.senses.short_key(int(model.senses.keyed.find([key])[0]))


def _of_context(context: ContextReport) -> Text:
    """What is looked at, or why nothing is."""
    unknown = f" (not in the model: {', '.join(context.unknown)})" if context.unknown else ""
    if context.words:
        return Text(f"context: {', '.join(context.words)}{unknown}")
    if not context.text.strip():
        return Text("The context is empty: these are the priors.")
    return Text(f"The context has no word that the model knows{unknown}: these are the priors.")


def _evidence(context: ContextReport, sense: int) -> list[Text]:
    """The words that say most for and against a sense."""
    weights = context.evidence[:, sense]
    order = np.argsort(-np.abs(weights), kind="stable")[:_SHOWN_EVIDENCE]
    named = [(context.words[i], float(weights[i])) for i in order.tolist() if abs(weights[i]) >= _LEAST_EVIDENCE]
    parts = [
        f"{label} " + ", ".join(f"{word} {weight:+.1f}" for word, weight in named if (weight > 0) is is_for)
        for label, is_for in (("for it:", True), ("against it:", False))
        if any((weight > 0) is is_for for _, weight in named)
    ]
    return [Text("; ".join(parts), style="italic")] if parts else []
