"""The model card of a trained table: what it was made of, how, and what came out, for people."""

from collections.abc import Iterator, Mapping
from typing import Any

FILE = "model_card.md"


def model_card(card: Mapping[str, Any], source: Mapping[str, Any]) -> str:
    """Markdown of the facts that a table's metadata hold.

    Args:
        card: ``metadata["card"]``, in sections.
        source: ``metadata["source"]``, the trainer's settings.
    """
    settings = {name: value for name, value in source.items() if name not in ("method", "loss", "tokens")}
    sections = {
        "Corpus": card["corpus"],
        "Vocabulary": card["vocabulary"],
        "Training": {**settings, **card["run"]},
        "Quick scores": card["scores"],
        "Made with": card["versions"],
    }
    lines = [f"# {source['method']} vectors, {card['vocabulary']['words']:,} words of {card['dim']} dimensions", ""]
    for title, facts in sections.items():
        lines += [f"## {title}", "", *_listed(facts), ""]
    if source.get("loss"):
        of = "pair" if "pairs" in source else "token"
        lines += ["## Loss", "", f"| epoch | mean of a {of} |", "|--:|--:|"]
        lines += [f"| {epoch} | {loss:.4f} |" for epoch, loss in enumerate(source["loss"], start=1)]
        lines.append("")
    if card["neighbours"]:
        lines += ["## Neighbours of frequent words", "", "| word | nearest by cosine |", "|---|---|"]
        lines += [f"| {_cell(word)} | {_cell(', '.join(near))} |" for word, near in card["neighbours"].items()]
        lines.append("")
    return "\n".join(lines)


def _listed(facts: Mapping[str, Any]) -> Iterator[str]:
    for name, value in facts.items():
        name = name.replace("_", " ") if name.isidentifier() else name
        if isinstance(value, list) and value and isinstance(value[0], dict):
            yield f"- {name}:"
            yield from (f"  - {', '.join(f'{_text(part)}' for part in item.values())}" for item in value)
        else:
            yield f"- {name}: {_text(value)}"


def _text(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(part)}" for name, part in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
