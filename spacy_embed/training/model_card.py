"""The model card of a trained table: what it was made of, how, and what came out, for people."""

from collections.abc import Iterator, Mapping
from typing import Any

FILE = "model_card.md"

_MEASURED = {"held_out_log_likelihood": "log-likelihood of held-out text", "senses_per_word": "senses of a word"}
_ELSEWHERE = {"method", "loss", "tokens", "senses_kept", *_MEASURED}


def model_card(card: Mapping[str, Any], source: Mapping[str, Any]) -> str:
    """Markdown of the facts that a table's metadata hold.

    Args:
        card: ``metadata["card"]``, in sections.
        source: ``metadata["source"]``, the trainer's settings.
    """
    settings = {name: value for name, value in source.items() if name not in _ELSEWHERE}
    sections = {
        "Corpus": card["corpus"],
        "Vocabulary": card["vocabulary"],
        "Training": {**settings, **card["run"]},
        **({"Senses": source["senses_kept"]} if "senses_kept" in source else {}),
        "Quick scores": card["scores"],
        "Made with": card["versions"],
    }
    lines = [f"# {source['method']} vectors, {card['vocabulary']['words']:,} words of {card['dim']} dimensions", ""]
    for title, facts in sections.items():
        lines += [f"## {title}", "", *_listed(facts), ""]
    if source.get("loss"):
        lines += ["## Loss", "", *_by_epoch(source), ""]
    if card["neighbours"]:
        lines += ["## Neighbours of frequent words", "", "| word | nearest by cosine |", "|---|---|"]
        lines += [f"| {_cell(word)} | {_cell(', '.join(near))} |" for word, near in card["neighbours"].items()]
        lines.append("")
    return "\n".join(lines)


def _by_epoch(source: Mapping[str, Any]) -> Iterator[str]:
    """A table of what was measured after each epoch."""
    columns = {f"mean of a {'pair' if 'pairs' in source else 'token'}": source["loss"]}
    columns |= {title: source[name] for name, title in _MEASURED.items() if source.get(name)}
    yield f"| epoch | {' | '.join(columns)} |"
    yield "|--:" * (len(columns) + 1) + "|"
    for epoch, values in enumerate(zip(*columns.values(), strict=True), start=1):
        yield f"| {epoch} | {' | '.join(f'{value:.4f}' for value in values)} |"


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
