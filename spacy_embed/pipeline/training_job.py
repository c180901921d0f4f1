"""One training run: a corpus in, a table folder with its model card out, resumed where a killed one stopped."""

import json
import platform
import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from spacy_embed import __version__
from spacy_embed.atomic_files import check_free, make_folder
from spacy_embed.errors import InputError
from spacy_embed.evaluation.intrinsic import intrinsic_scores
from spacy_embed.evaluation.word_lookup import WordLookup
from spacy_embed.evaluation.word_pairs import read_word_pairs
from spacy_embed.evaluation.words import word_similarity
from spacy_embed.pipeline.training_corpus import TrainingCorpus
from spacy_embed.pipeline.workers import WorkerPool
from spacy_embed.retrieval.locks import only_one
from spacy_embed.retrieval.text_lines import Report, refuse
from spacy_embed.retrieval.token_spool import CHUNK
from spacy_embed.training import model_card
from spacy_embed.training.checkpoints import Checkpoints
from spacy_embed.training.dimensions import fourth_root
from spacy_embed.training.phrases import JoinedPhrases, Scoring, checked_threshold, join_phrases
from spacy_embed.training.sequences import TokenSequences
from spacy_embed.vectors.directory_format import MARKER, open_table, write_table
from spacy_embed.vectors.word_table import WordTable

CHECKPOINTS = "checkpoints"
"""In a run's scratch folder."""

_SHOWN_WORDS = 12
_SHOWN_PHRASES = 8
_LIBRARIES = ("gensim", "numpy", "scipy", "spacy")


class Trainer(Protocol):
    """From sequences to a table in memory whose ``metadata["source"]`` holds ``method`` and every setting."""

    def __call__(self, sequences: TokenSequences, *, dim: int, checkpoints: Checkpoints) -> WordTable: ...


class Text(Protocol):
    """A corpus that has been read."""

    @property
    def languages(self) -> Counter[str]:
        """Documents that could be encoded, by language."""

    @property
    def documents(self) -> int:
        """How many those are."""

    def sequences(self) -> TokenSequences:
        """The documents that hold any token, in order."""


Reader = Callable[[TrainingCorpus, Path, Report], Text]
"""Reads a corpus into a folder."""


@dataclass(frozen=True)
class TrainingJob:
    """What to train, and on what.

    Attributes:
        method: What the run is called.
        corpus: What to read.
        trainer: What trains.
        settings: All that decides what the trainer gives, as plain JSON values: a checkpoint of others is not used.
        dim: Dimensions; None for the fourth root of the vocabulary.
        min_count: Below which the trainer leaves words out.
        phrases: Passes that join phrases.
        phrase_scoring: Of ``join_phrases``.
        phrase_threshold: Of ``join_phrases``.
        checkpoint_every: Epochs between checkpoints; 0 for none.
        wordsim: Files of word pairs and scores that the table is measured on.
        workers: Processes that read.
        reader: What reads instead of such processes.
    """

    method: str
    corpus: TrainingCorpus
    trainer: Trainer
    settings: Mapping[str, Any]
    dim: int | None = None
    min_count: int = 1
    phrases: int = 0
    phrase_scoring: Scoring = "npmi"
    phrase_threshold: float | None = None
    checkpoint_every: int = 1
    wordsim: Sequence[Path] = ()
    workers: int = 1
    reader: Reader | None = None


def scratch_folder(out: Path) -> Path:
    """Where a run keeps its text and checkpoints; what a killed one left there, the same command goes on with."""
    return out.with_name(f".{out.name}.training")


def train_table(
    job: TrainingJob,
    out: Path,
    *,
    overwrite: bool = False,
    report: Report = refuse,
    tell: Callable[[str], None] = lambda _: None,
) -> WordTable:
    """Train, and write the table with its model card; the folder appears whole or not at all.

    Args:
        job: What to train.
        out: The folder to write.
        overwrite: Replace a table that is there.
        report: What becomes of malformed documents.
        tell: Called with a line for people about what was found or chosen.

    Returns:
        The table, memory-mapped; ``metadata["card"]`` holds what the model card says.

    Raises:
        InputError: The path is taken, the corpus is empty, or no word is frequent enough.
    """
    out = out.resolve()
    check_free(out, overwrite=overwrite, marker=MARKER)
    # what would fail at the end fails at the beginning
    checked_threshold(job.phrase_scoring, job.phrase_threshold)
    for file in job.wordsim:
        read_word_pairs(file)
    scratch = scratch_folder(out)
    make_folder(scratch)
    with only_one(scratch, f"Another process is training a table at {out}: wait for it, or choose another place."):
        started = time.perf_counter()
        try:
            text = _read(job, scratch / "spool", report)
        except BaseException:
            # nothing that the next run could go on with
            if not any((scratch / "spool").glob(f"*/{CHUNK}")):
                shutil.rmtree(scratch)
            raise
        read_seconds = time.perf_counter() - started
        try:
            table = _trained(job, text, scratch, tell)
        except InputError:
            # a text that nothing can be learned from, unless epochs or counts are done
            done = scratch / CHECKPOINTS
            if not any((*done.glob("epoch-*"), *done.glob("*/job.json"))):
                shutil.rmtree(scratch)
            raise
        table.metadata["card"]["run"]["seconds_of_reading"] = round(read_seconds, 1)
        page = model_card.model_card(table.metadata["card"], table.metadata["source"])
        write_table(table, out, overwrite=overwrite, documents={model_card.FILE: page})
        # a cluster's worker that was taken for dead may still write there
        shutil.rmtree(scratch, ignore_errors=True)
    return open_table(out)


def _read(job: TrainingJob, folder: Path, report: Report) -> Text:
    if job.reader is not None:
        return job.reader(job.corpus, folder, report)
    with WorkerPool(1 if job.corpus.pretokenized else job.workers) as pool:
        return job.corpus.spool(folder, pool, report)


def _trained(job: TrainingJob, text: Text, scratch: Path, tell: Callable[[str], None]) -> WordTable:
    if len(text.languages) > 1:
        tell(f"one table for {', '.join(sorted(text.languages))}: same spellings share a vector")
    sequences, phrases = _with_phrases(job, text.sequences(), scratch, tell)
    dim = job.dim or _rule_of_thumb(int((sequences.counts >= job.min_count).sum()), tell)
    versions = {"spacy-embed": __version__, **{name: version(name) for name in _LIBRARIES}}
    run = {"method": job.method, "dim": dim, "text": sequences.digest, "settings": job.settings, "versions": versions}
    checkpoints = Checkpoints(scratch / CHECKPOINTS, run, every=job.checkpoint_every, tell=tell)
    started = time.perf_counter()
    table = job.trainer(sequences, dim=dim, checkpoints=checkpoints)
    run_facts: dict[str, Any] = {"seconds_of_training": round(time.perf_counter() - started, 1)}
    if checkpoints.resumed_after:
        run_facts["went_on_after_epoch"] = checkpoints.resumed_after
    card = {
        "dim": table.dim,
        "corpus": _corpus_facts(job, text, sequences, phrases),
        "vocabulary": _vocabulary_facts(sequences, table, job.min_count),
        "run": run_facts,
        "versions": {**versions, "python": platform.python_version()},
        **_scores(job, table, sequences),
    }
    return WordTable(table.keys, table.rows, {**table.metadata, "card": card}, None, table.extras)


def _with_phrases(
    job: TrainingJob, sequences: TokenSequences, scratch: Path, tell: Callable[[str], None]
) -> JoinedPhrases:
    if not job.phrases:
        return JoinedPhrases(sequences, {})
    joined = join_phrases(
        sequences,
        scratch / "phrases",
        passes=job.phrases,
        scoring=job.phrase_scoring,
        threshold=job.phrase_threshold,
    )
    best = sorted(joined.phrases, key=lambda phrase: -joined.phrases[phrase])[:_SHOWN_PHRASES]
    tell(f"{len(joined.phrases)} phrases found" + (f", such as {', '.join(best)}" if best else ""))
    return joined


def _rule_of_thumb(n_words: int, tell: Callable[[str], None]) -> int:
    dim = fourth_root(n_words)
    tell(
        f"{dim} dimensions: the fourth root of {n_words} words, a rule of thumb and no law; "
        "word similarity usually wants 100 to 300"
    )
    return dim


def _corpus_facts(
    job: TrainingJob, text: Text, sequences: TokenSequences, phrases: Mapping[str, float]
) -> dict[str, Any]:
    languages = {lang: n for lang, n in sorted(text.languages.items()) if lang}
    facts: dict[str, Any] = {
        "files": job.corpus.described(),
        "documents": text.documents,
        "tokens": sequences.n_tokens,
        "languages": languages,
        "lookup_forms": job.corpus.lookup_forms(languages),
        "digest_of_the_tokens": sequences.digest,
    }
    return {**facts, "phrases": len(phrases)} if job.phrases else facts


def _vocabulary_facts(sequences: TokenSequences, table: WordTable, min_count: int) -> dict[str, Any]:
    known = table.find(sequences.words) >= 0
    tokens = int(sequences.counts[known].sum())
    return {
        "words": len(table),
        "min_count": min_count,
        "types_left_out": int((~known).sum()),
        "tokens_left_out": sequences.n_tokens - tokens,
        "coverage": round(tokens / max(sequences.n_tokens, 1), 4),
    }


def _scores(job: TrainingJob, table: WordTable, sequences: TokenSequences) -> dict[str, Any]:
    # the most frequent words often say little: those a little rarer
    by_count = np.argsort(-sequences.counts, kind="stable")
    places = np.unique(np.geomspace(min(20, len(by_count)), max(len(by_count) // 10, 1), _SHOWN_WORDS).astype(np.int64))
    shown = [sequences.words[i] for i in by_count[np.minimum(places, len(by_count)) - 1].tolist()]
    found = intrinsic_scores(table, list(dict.fromkeys(shown)))
    scores: dict[str, Any] = {
        "mean_cosine_of_random_pairs": found.mean_cosine,
        "effective_rank": found.effective_rank,
    }
    for file in job.wordsim:
        similarity = word_similarity(table, read_word_pairs(file), WordLookup(compose=table.composes))
        scores[f"Spearman on {file.name}"] = {
            "all pairs": _rounded(similarity.spearman_all),
            "covered pairs": _rounded(similarity.spearman),
            "coverage": round(similarity.coverage, 4),
        }
    return {"scores": json.loads(json.dumps(scores)), "neighbours": found.neighbours}


def _rounded(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None
