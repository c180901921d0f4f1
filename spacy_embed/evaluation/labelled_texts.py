"""Texts with a label each, in the forms that data sets have them."""

from pathlib import Path
from typing import NamedTuple

from spacy_embed.errors import InputError
from spacy_embed.retrieval.corpus import read_corpus
from spacy_embed.retrieval.text_lines import Fault, Report, read_lines, refuse

_LABELS = ("label", "class", "category", "topic")
_TEXTS = ("text", "sentence", "body")
_PARTS = ("train", "test")


class LabelledTexts(NamedTuple):
    """Texts with labels."""

    labels: list[str]
    texts: list[str]
    is_test: list[bool]
    """Whether the file says that a text is of the test part."""
    where: list[str]
    """``FILE, line N`` of each."""

    def part(self, *, test: bool) -> "LabelledTexts":
        """The texts of the test part, or of the other."""
        kept = [i for i, is_test in enumerate(self.is_test) if is_test == test]
        return LabelledTexts(*([column[i] for i in kept] for column in self))  # type: ignore[arg-type]


def read_labelled_texts(path: Path, report: Report = refuse) -> LabelledTexts:
    """Read a file of labels and texts with tabs between, plain or ``.gz``.

    A header names the columns (``label``, ``text`` and perhaps ``split``). Without one the label comes first and the
    text last; where every line begins with ``train`` or ``test``, that is its part and the label comes second. Quotes
    around a label are taken off.

    Args:
        path: The file.
        report: What becomes of a line without a label or a text.

    Raises:
        InputError: There is no file, or no texts, or a fault as ``report`` sees fit.
    """
    lines = [(number, line.split("\t")) for number, line in read_lines(path, report)]
    part, label, text = -1, 0, -1
    if lines:
        names = [name.strip().lower() for name in lines[0][1]]
        named = [next((i for i, name in enumerate(names) if name in known), -1) for known in (_LABELS, _TEXTS)]
        if min(named) >= 0:
            label, text = named
            part = names.index("split") if "split" in names else -1
            lines = lines[1:]
        elif all(fields[0] in _PARTS and len(fields) > 2 for _, fields in lines):
            part, label = 0, 1
    read = LabelledTexts([], [], [], [])
    for number, fields in lines:
        if len(fields) <= max(label, text, 1) or not fields[label].strip().strip('"'):
            report(Fault(str(path), number, f"expected a label and a text with tabs between, got {fields[0]!r}."))
            continue
        read.labels.append(fields[label].strip().strip('"'))
        read.texts.append(fields[text])
        read.is_test.append(part >= 0 and fields[part] == "test")
        read.where.append(f"{path}, line {number}")
    if not read.texts:
        raise InputError(f"{path} holds no texts: expected lines of 'LABEL<tab>TEXT'.")
    return read


def read_labelled_corpus(corpus: Path, labels: Path, column: int = 2) -> LabelledTexts:
    """A corpus, as ``spacy-embed index`` reads it, with labels by id from a file of its own.

    Args:
        corpus: The corpus.
        labels: Lines of id and label with tabs between, plain or ``.gz``; documents that it does not name, or
            gives an empty label, are left out.
        column: Where the label stands, from 1.

    Raises:
        InputError: A line lacks the label, or no id is one of the corpus.
    """
    by_id: dict[str, tuple[str, str]] = {}
    for number, line in read_lines(labels):
        fields = line.split("\t")
        if len(fields) < max(column, 2):
            raise InputError(f"{labels}, line {number}: expected an id, and a label in column {column}, got {line!r}.")
        if fields[column - 1].strip():
            by_id[fields[0]] = fields[column - 1].strip(), f"{labels}, line {number}"
    read = LabelledTexts([], [], [], [])
    for document in read_corpus(corpus):
        if document.id in by_id:
            label, where = by_id[document.id]
            read.labels.append(label)
            read.texts.append(document.full_text)
            read.is_test.append(False)
            read.where.append(where)
    if not read.texts:
        raise InputError(f"No id of {labels} is that of a document of {corpus}: check that they belong together.")
    return read
