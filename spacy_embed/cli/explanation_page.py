"""Answers as one page of HTML that needs no server: texts with their words marked, and what counted."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from spacy_embed.atomic_files import write_atomically
from spacy_embed.cli.highlight import MarkedHit

_MOST_ROWS = 40
_FAINTEST = 0.25


class Answer(NamedTuple):
    """A query and its hits."""

    query: str
    lang: str
    method: str
    corpus: str
    hits: list[MarkedHit]


def write_page(file: Path, answers: Sequence[Answer]) -> None:
    """Write the page in one step.

    Args:
        file: Where.
        answers: The queries, in order.
    """
    environment = Environment(
        loader=PackageLoader("spacy_embed.cli", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    template = environment.get_template("explanation.html.jinja")
    title = answers[0].query if len(answers) == 1 else f"{len(answers)} queries"
    page = template.render(title=title, answers=[_shown(answer) for answer in answers])
    write_atomically(file, page.encode("utf-8", "replace"))


def _shown(answer: Answer) -> dict[str, Any]:
    words = sorted({flow.source for marked in answer.hits for flow in marked.reasons.flows})
    # neighbours in the alphabet are far apart in colour
    hue_of = {word: round(i * 137.5) % 360 for i, word in enumerate(words)}
    chips = [{"word": word, "hue": hue} for word, hue in hue_of.items()]
    hits = [_hit(marked, hue_of) for marked in answer.hits]
    return {**answer._asdict(), "lang": _tag(answer.lang), "chips": chips, "hits": hits}


def _hit(marked: MarkedHit, hue_of: dict[str, int]) -> dict[str, Any]:
    hit = marked.hit
    return {
        "rank": hit.rank,
        "id": hit.id,
        "title": hit.title,
        "lang": _tag(hit.lang),
        "score": hit.score,
        "distance": hit.distance,
        "pieces": _pieces(marked, hue_of),
        "moves": bool(marked.reasons.flows),
        "rows": _rows(marked),
    }


def _pieces(marked: MarkedHit, hue_of: dict[str, int]) -> list[dict[str, Any]]:
    amounts = marked.reasons.amounts
    greatest = max(amounts.values(), default=0.0)
    arriving: dict[str, list[Any]] = {}
    for flow in marked.reasons.flows:
        for form in marked.reasons.forms_of.get(flow.target, [flow.target]):
            arriving.setdefault(form, []).append(flow)
    pieces: list[dict[str, Any]] = []
    last = marked.body
    for place in marked.places:
        amount = amounts.get(place.form, 0.0)
        if place.start < marked.body or amount <= 0 or greatest <= 0:
            continue
        pieces.append({"text": marked.text[last : place.start], "hue": None})
        came = sorted(arriving.get(place.form, []), key=lambda flow: -flow.mass)
        note = ", ".join(f"{flow.source}: mass {flow.mass:.3f}, distance {flow.distance:.3f}" for flow in came[:3])
        pieces.append(
            {
                "text": marked.text[place.start : place.stop],
                "hue": hue_of.get(came[0].source, 45) if came else 45,
                "weight": round(_FAINTEST + (1 - _FAINTEST) * amount / greatest, 2),
                "note": note or f"{place.form}: {amount:+.4f}",
            }
        )
        last = place.stop
    return [*pieces, {"text": marked.text[last:], "hue": None}]


def _rows(marked: MarkedHit) -> list[dict[str, Any]]:
    found = marked.reasons.flows[:_MOST_ROWS]
    if found:
        greatest = max(flow.contribution for flow in found) or 1.0
        return [
            {
                "words": [flow.source, flow.target],
                "numbers": [f"{flow.mass:.3f}", f"{flow.distance:.3f}", f"{flow.contribution:.4f}"],
                "width": round(100 * flow.contribution / greatest, 1),
            }
            for flow in found
        ]
    amounts = sorted(((a, word) for word, a in marked.reasons.amounts.items() if a > 0), key=lambda x: (-x[0], x[1]))
    return [
        {"words": [word], "numbers": [f"{amount:+.4f}"], "width": round(100 * amount / amounts[0][0], 1)}
        for amount, word in amounts[:_MOST_ROWS]
    ]


def _tag(lang: str) -> str:
    """The language as HTML wants it: Han characters look different in each script that has them."""
    return "zh-Hans" if lang == "zh" else lang
