"""Texts, sets, labels and vectors of the benchmark of senses in retrieval."""

import csv
import gzip
import itertools
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
from reporting import say
from retrieval import RetrievalSet

from spacy_embed.bags import Bags
from spacy_embed.evaluation.judgements import read_qrels, read_queries
from spacy_embed.pipeline.batch_forms import StringBags, encode_texts
from spacy_embed.pipeline.language_pipelines import default_pipeline
from spacy_embed.training.adagram import train_adagram
from spacy_embed.training.sequences import SequenceBlock, TokenSequences
from spacy_embed.training.word2vec import train_word2vec
from spacy_embed.vectors import WordTable, load_vectors
from spacy_embed.vectors.sense_bags import choose, sense_bags
from spacy_embed.vectors.sense_table import SenseTable

VARIANTS = ("single", "word2vec", "first", "soft", "hard")
LABELLED = {
    "en": ("twitter", "bbc", "R8", "sib200"),
    "es": ("es-news", "sib200"),
    "pt": ("fakebr", "sib200"),
    "ru": ("ru-news-rt", "sib200"),
    "zh": ("csl", "sib200"),
}
_LABEL_FILES = {
    "fakebr": "fakebr/categories.tsv.gz",
    "es-news": "es-news/categories.tsv",
    "ru-news-rt": "ru-news-rt/ru/categories.tsv",
    "csl": "csl/categories.tsv",
}
_SAME_LABEL = {"política": "politic", "sociedad": "society", "deporte": "sport", "ciencia": "science"}
_AT_ONCE = 2_000


class Encoder:
    """Lookup forms of texts in running order."""

    def __init__(self, lang: str) -> None:
        self.nlp = default_pipeline(lang)

    def __call__(self, texts: list[str]) -> StringBags:
        number: dict[str, int] = {}
        bags = [Bags.empty()]
        for start in range(0, len(texts), _AT_ONCE):
            strings, block = encode_texts(self.nlp, texts[start : start + _AT_ONCE]).forms
            ids = np.array([number.setdefault(string, len(number)) for string in strings], np.int32)
            bags.append(Bags(ids[block.rows] if len(strings) else block.rows, block.weights, block.offsets))
        return StringBags(list(number), Bags.concatenate(bags))


class Judged(NamedTuple):
    """A retrieval set, encoded."""

    documents: StringBags
    queries: StringBags
    judgements: Bags
    """Grades of documents by position, a bag a query."""


class Labelled(NamedTuple):
    """Documents with labels."""

    documents: StringBags
    labels: np.ndarray
    is_train: np.ndarray


def corpus_texts(file: Path) -> list[tuple[str, str]]:
    """Id and text of each document, its title in front."""
    with gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [(row["_id"], f"{row['title']}\n{row['text']}" if row.get("title") else row["text"]) for row in rows]


def training_text(lang: str, sets: list[RetrievalSet], folder: Path, n_tokens: int, file: Path) -> TokenSequences:
    """The corpora that are searched, then lines of each training text in turn, until there are enough tokens."""
    if not file.exists():
        encode, number, blocks, total = Encoder(lang), {}, [], 0
        say(f"{lang}: encoding text to train on")
        for texts in _blocks_of_text(sets, sorted((folder / lang).glob("*.txt.gz"))):
            strings, bags = encode(texts)
            ids = np.array([number.setdefault(string, len(number)) for string in strings], np.int32)
            blocks.append(Bags(ids[bags.rows] if len(strings) else bags.rows, bags.weights, bags.offsets))
            total += len(bags.rows)
            if total >= n_tokens:
                break
        bags = Bags.concatenate(blocks)
        np.savez(file, ids=bags.rows, offsets=bags.offsets, words=np.array(list(number)))
    saved = np.load(file)
    block = SequenceBlock(saved["ids"], saved["offsets"]).without_empty()
    words = saved["words"].tolist()
    counts = np.bincount(block.ids, minlength=len(words)).astype(np.int64)
    return TokenSequences(words, counts, len(block.offsets) - 1, lambda: [block])


def _blocks_of_text(sets: list[RetrievalSet], files: list[Path]) -> Iterator[list[str]]:
    for corpus in dict.fromkeys(s.corpus for s in sets):
        yield [text for _, text in corpus_texts(corpus)]
    with ExitStack() as stack:
        opened = [stack.enter_context(gzip.open(file, "rt", encoding="utf-8")) for file in files]
        while opened:
            for lines in list(opened):
                if block := list(itertools.islice(lines, _AT_ONCE)):
                    yield block
                else:
                    opened.remove(lines)


def train(kind: str, text: TokenSequences, folder: Path, *, dim: int, epochs: int, workers: int) -> WordTable:
    """One of the three tables, made once."""
    if not folder.exists():
        say(f"training {folder.name} on {text.n_tokens:,} tokens")
        common = {"dim": dim, "epochs": epochs, "window": 5, "min_count": 5, "workers": workers}
        if kind == "word2vec":
            table = train_word2vec(text, architecture="skip-gram", **common)
        else:
            table = train_adagram(text, senses=1 if kind == "single" else 5, **common)
        table.save(folder)
    return load_vectors(folder)


class Variants:
    """Bags of texts over the rows of each kind of vectors."""

    def __init__(self, single: WordTable, word2vec: WordTable, senses: WordTable) -> None:
        self.plain = {"single": single, "word2vec": word2vec, "first": senses}
        self.senses = SenseTable.of(senses)

    def rows(self, variant: str) -> np.ndarray:
        """The table's rows."""
        return np.asarray(self.plain.get(variant, self.senses.table).rows)

    def bags(self, variant: str, forms: StringBags) -> Bags:
        """Counts."""
        if variant in self.plain:
            return forms.bags.map_rows(self.plain[variant].find(forms.strings))
        ids = self.senses.table.find(forms.strings)[forms.bags.rows]
        return sense_bags(choose(self.senses.posteriors(ids, forms.bags.offsets), variant), forms.bags.offsets)


def judged_set(s: RetrievalSet, encode: Encoder, most: int, seed: int) -> Judged:
    """Documents, and queries with a relevant one among them, ``most`` of them drawn at random."""
    documents = corpus_texts(s.corpus)
    position = {id_: i for i, (id_, _) in enumerate(documents)}
    qrels = {q: {d: g for d, g in of.items() if d in position and g > 0} for q, of in read_qrels(s.qrels).items()}
    queries = [query for query in read_queries(s.queries) if qrels.get(query.id)]
    drawn = np.sort(np.random.default_rng(seed).permutation(len(queries))[:most])
    queries = [queries[i] for i in drawn]
    judged = [qrels[query.id] for query in queries]
    judgements = Bags.build(
        np.array([position[d] for of in judged for d in of]),
        np.array([g for of in judged for g in of.values()]),
        np.cumsum([0, *map(len, judged)]),
    )
    return Judged(encode([text for _, text in documents]), encode([query.text for query in queries]), judgements)


def labelled_set(name: str, lang: str, data: Path, encode: Encoder, seed: int) -> Labelled:
    """R8 and SIB-200 have a split of their own; of the others, 30 % drawn at random are the test."""
    rows = list(_labelled_rows(name, lang, data))
    parts, labels, texts = (list(column) for column in zip(*rows, strict=True))
    is_train = np.array(parts) == "train"
    if not is_train.any():
        is_train = np.random.default_rng(seed).random(len(rows)) >= 0.3
    return Labelled(encode(texts), np.unique(labels, return_inverse=True)[1], is_train)


def _labelled_rows(name: str, lang: str, data: Path) -> Iterator[tuple[str, str, str]]:
    """Part ("" for none), label and text."""
    if name == "sib200":
        for part in ("train", "dev"):
            with gzip.open(data / name / lang / f"{part}.tsv.gz", "rt", encoding="utf-8") as lines:
                for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
                    yield part, row["label"], row["text"]
    elif name in _LABEL_FILES:
        file = data / _LABEL_FILES[name]
        with gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8") as lines:
            labels = dict(line.rstrip("\n").split("\t")[:2] for line in lines)
        for id_, text in corpus_texts(data / name / lang / "corpus.jsonl.gz"):
            if labels.get(id_):
                yield "", _SAME_LABEL.get(labels[id_], labels[id_]), text
    else:
        with gzip.open(data / "wmd-cls" / f"{name}.tsv.gz", "rt", encoding="utf-8") as lines:
            for line in lines:
                fields = line.rstrip("\n").split("\t")
                part, label = (fields[0], fields[1]) if name == "R8" else ("", fields[0])
                yield part, label, fields[-1]
