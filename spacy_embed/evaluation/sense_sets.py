"""Contexts of words with the senses that people gave them, in the field's formats."""

import csv
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from spacy_embed.errors import InputError
from spacy_embed.retrieval.text_lines import Fault, Report, read_lines, refuse
from spacy_embed.senses.contexts import Span

RUSSE_COLUMNS = ("context_id", "word", "gold_sense_id", "predict_sense_id", "positions", "context")
TWSI_COLUMNS = ("context_id", "target", "target_position", "gold_sense_ids", "context")
FORMATS = "RUSSE's or TWSI's columns, SemEval-2010's contexts with their key, or a folder of rl_wsd_labeled"

_SEMEVAL_HEADER = re.compile(r"(\S+\.[a-z]) ([1-9][0-9]*)")
_POSITION = re.compile(r"\s*(\d+)\s*[-,]\s*(\d+)\s*")


class SenseContext(NamedTuple):
    """An occurrence of a word."""

    id: str
    word: str
    """As the set calls it, what contexts are grouped by: ``access.n``."""
    lemma: str
    """What to look up: ``access``."""
    gold: str
    """The sense that people gave it."""
    given: str
    """The sense that the file predicts; "" for none."""
    text: str
    spans: tuple[Span, ...]
    """Where the word stands in the text, in characters; () where the set does not say."""


@dataclass(frozen=True)
class SenseSet:
    """A set of contexts.

    Attributes:
        name: Of the file or folder.
        contexts: In the order of the file.
        outside: Positions that are empty or lie outside their text, and were passed over.
    """

    name: str
    contexts: list[SenseContext]
    outside: int = 0
    by_word: dict[str, list[int]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        grouped: dict[str, list[int]] = {}
        for i, context in enumerate(self.contexts):
            grouped.setdefault(context.word, []).append(i)
        object.__setattr__(self, "by_word", grouped)


def read_sense_set(
    path: Path, *, key: Path | None = None, report: Report = refuse, unlabelled: bool = False
) -> SenseSet:
    """Read contexts with their senses; the format is seen from the first line.

    - RUSSE'18 (Panchenko et al. 2018): CSV of tabs with ``context_id, word, gold_sense_id, predict_sense_id, positions,
      context``; positions are ``start-stop`` in characters, several with commas between, or nothing.
    - TWSI in the form of context-eval: ``target, target_position (start,stop), gold_sense_ids, context``.
    - SemEval-2010 task 14 as AdaGram's authors give it: a line ``word.n COUNT``, then so many lines of left and right
      context with a tab between; the key has ``word.n word.n.ID SENSE`` lines, by rising id the contexts in order.
    - A folder of rl_wsd_labeled: a .txt or .json file a word; contexts that the annotators left without a sense, or
      gave different ones, are passed over.

    Args:
        path: The file, plain or ``.gz``, or the folder.
        key: Of SemEval's format; default: the file's name with ``key`` for ``dataset``.
        report: What becomes of a malformed line.
        unlabelled: Take contexts of a table that nobody gave a sense.

    Raises:
        InputError: There is nothing of the kind, or a fault as ``report`` sees fit.
    """
    name = path.name.split(".")[0]
    if path.is_dir():
        return SenseSet(name, _checked(list(_labelled_folder(path, report)), path))
    first = next((line for _, line in read_lines(path, report)), "")
    if _SEMEVAL_HEADER.fullmatch(first.strip()):
        return SenseSet(name, _checked(list(_semeval(path, key or _key_beside(path), report)), path))
    columns = first.split("\t")
    faults: list[int] = []
    for needed, read in ((RUSSE_COLUMNS, _russe), (TWSI_COLUMNS, _twsi)):
        if needed[1] in columns:
            if missing := [column for column in needed if column not in columns and column != "predict_sense_id"]:
                raise InputError(f"{path}, line 1: columns are missing: {', '.join(missing)}.")
            contexts = list(_table(path, columns, read, report, faults, unlabelled))
            return SenseSet(name, _checked(contexts, path), len(faults))
    raise InputError(f"{path}, line 1: expected {FORMATS}, got {first[:60]!r}.")


def is_sense_table(path: Path) -> bool:
    """Whether a file is a table of contexts, by its first line."""
    if not path.is_file():
        return False
    columns = next((line for _, line in read_lines(path)), "").split("\t")
    return columns[0] == RUSSE_COLUMNS[0] and columns[-1].strip() == RUSSE_COLUMNS[-1]


def _checked(contexts: list[SenseContext], path: Path) -> list[SenseContext]:
    if not contexts:
        raise InputError(f"{path} holds no contexts: expected {FORMATS}.")
    return contexts


def _table(
    path: Path,
    columns: list[str],
    read: Callable[[dict[str, str]], tuple[SenseContext, int]],
    report: Report,
    outside: list[int],
    unlabelled: bool,
) -> Iterator[SenseContext]:
    """The contexts of a table; the number of each line with a position outside its text is put into ``outside``."""
    lines = read_lines(path, report)
    for number, line in lines:
        if number == 1:
            continue
        # a cell that begins with a quotation mark is quoted, as pandas and the task's own scorer read it
        cells = next(csv.reader([line], delimiter="\t"))
        if len(cells) != len(columns):
            reason = f"expected {len(columns)} columns with tabs between, got {len(cells)}."
            report(Fault(str(path), number, reason, line))
            continue
        fields = dict(zip(columns, cells, strict=True))
        try:
            context, n_outside = read(fields)
        except ValueError as error:
            report(Fault(str(path), number, f"{error}.", line))
            continue
        if not context.text.strip() or not context.word or not (context.gold or unlabelled):
            report(Fault(str(path), number, "a context needs a word, a sense and a text.", line))
            continue
        outside += [number] * n_outside
        yield context


def _russe(fields: dict[str, str]) -> tuple[SenseContext, int]:
    parts = [part for part in fields["positions"].split(",") if part.strip()]
    spans, outside = _spans(parts, fields["context"], "start-stop")
    word = fields["word"]
    context = SenseContext(
        fields["context_id"],
        word,
        word,
        fields["gold_sense_id"],
        fields.get("predict_sense_id", ""),
        fields["context"],
        spans,
    )
    return context, outside


def _twsi(fields: dict[str, str]) -> tuple[SenseContext, int]:
    spans, outside = _spans([fields["target_position"]], fields["context"], "start,stop")
    given = fields.get("predict_sense_ids", "")
    word = fields["target"]
    return SenseContext(
        fields["context_id"], word, word, fields["gold_sense_ids"], given, fields["context"], spans
    ), outside


def _spans(parts: list[str], text: str, expected: str) -> tuple[tuple[Span, ...], int]:
    """Spans within a text, and how many are not, or are empty. Raises ValueError."""
    spans: list[Span] = []
    for part in parts:
        found = _POSITION.fullmatch(part)
        if found is None or int(found[1]) > int(found[2]):
            raise ValueError(f"expected a position {expected}, got {part!r}")
        spans.append((int(found[1]), int(found[2])))
    inside = [span for span in spans if span[0] < span[1] <= len(text)]
    return tuple(inside), len(spans) - len(inside)


def _key_beside(path: Path) -> Path:
    key = path.with_name(path.name.replace("dataset", "key"))
    if key == path or not key.is_file():
        raise InputError(f"{path} holds contexts without their senses: name SemEval's key with --key.")
    return key


def _semeval(path: Path, key: Path, report: Report) -> Iterator[SenseContext]:
    gold = _read_key(key, report)
    word, left_over = "", 0
    places: Iterator[tuple[int, str]] = iter(())
    for number, line in read_lines(path, report):
        if header := _SEMEVAL_HEADER.fullmatch(line.strip()):
            if left_over:
                raise InputError(f"{path}, line {number}: {left_over} more contexts of {word!r} were expected.")
            word, left_over = header[1], int(header[2])
            if len(gold.get(word, {})) != left_over:
                n = len(gold.get(word, {}))
                raise InputError(f"{path}, line {number}: {left_over} contexts of {word!r}, but {n} in {key}.")
            places = iter(sorted(gold[word].items()))
            continue
        left, tab, right = line.partition("\t")
        if not tab or not left_over:
            reason = "expected left context, tab, right context" if left_over else "expected 'word.n COUNT'"
            report(Fault(str(path), number, f"{reason}.", line))
            continue
        left_over -= 1
        place, sense = next(places)
        lemma = word.rpartition(".")[0]
        start = len(left) + 1
        text = f"{left} {lemma} {right}"
        yield SenseContext(f"{word}.{place}", word, lemma, sense, "", text, ((start, start + len(lemma)),))
    if left_over:
        raise InputError(f"{path} ends too soon: {left_over} more contexts of {word!r} were expected.")


def _read_key(path: Path, report: Report) -> dict[str, dict[int, str]]:
    gold: dict[str, dict[int, str]] = {}
    for number, line in read_lines(path, report):
        fields = line.split()
        place = fields[1].rpartition(".")[2] if len(fields) >= 3 else ""
        if not place.isdecimal():
            report(Fault(str(path), number, f"expected 'WORD WORD.NUMBER SENSE', got {line!r}.", line))
            continue
        # several senses may be given with weights: the first is the best
        gold.setdefault(fields[0], {})[int(place)] = fields[2].partition("/")[0]
    return gold


def _labelled_folder(folder: Path, report: Report) -> Iterator[SenseContext]:
    files = sorted(file for file in folder.rglob("*") if file.suffix in (".txt", ".json") and file.is_file())
    for file in files:
        word = file.relative_to(folder).with_suffix("").as_posix()
        rows = _labelled_json(file, report) if file.suffix == ".json" else _labelled_text(file, report)
        for i, (left, target, right, sense) in enumerate(rows):
            left, right = f"{left.strip()} ", f" {right.strip()}"
            text = f"{left}{target.strip()}{right}"
            span = (len(left), len(left) + len(target.strip()))
            yield SenseContext(f"{word}.{i + 1}", word, file.stem, sense, "", text, (span,))


def _labelled_text(path: Path, report: Report) -> Iterator[tuple[str, str, str, str]]:
    """Lines of a tab, a sense's description and number, the last two for "other" and "cannot tell"; then contexts."""
    numbers: list[str] = []
    for number, line in read_lines(path, report):
        if line.startswith("\t"):
            numbers.append(line.split("\t")[-1].strip() or line.strip().split("\t")[-1])
            continue
        cells = [cell for cell in line.rstrip().split("\t") if cell]
        if len(cells) not in (4, 5):
            reason = f"expected left context, word, right context and one sense or two, got {len(cells)} columns."
            report(Fault(str(path), number, reason, line))
            continue
        senses = {cell.strip() for cell in cells[3:]}
        other = max(numbers, key=_number, default="")
        if len(senses) == 1 and not senses & {"0", other}:
            yield cells[0], cells[1], cells[2], senses.pop()


def _labelled_json(path: Path, report: Report) -> Iterator[tuple[str, str, str, str]]:
    text = "\n".join(line for _, line in read_lines(path, report))
    try:
        senses, contexts = json.loads(text)
        rows = [(*map(str, parts), str(sense)) for parts, sense in contexts]
        other = max(map(str, senses), key=_number)
    except (ValueError, TypeError) as error:
        report(Fault(str(path), 0, f"expected senses, and contexts of three parts with a sense each ({error})."))
        return
    for left, target, right, sense in rows:
        if sense not in ("0", other):
            yield left, target, right, sense


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return -1.0
