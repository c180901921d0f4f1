"""AdaGram models of several seeds, trained once and kept."""

from pathlib import Path
from typing import Any

from reporting import say

from spacy_embed.pipeline.training_corpus import TrainingCorpus
from spacy_embed.pipeline.workers import WorkerPool
from spacy_embed.training.adagram import train_adagram
from spacy_embed.training.sequences import TokenSequences
from spacy_embed.vectors import load_vectors
from spacy_embed.vectors.sense_table import SenseTable

RETRIEVAL = {
    "en": ("xquad/en", "tydiqa-goldp/en", "msmarco-5k/en", "pira/en"),
    "ru": ("xquad/ru", "ru-news-rt/ru"),
    "zh": ("xquad/zh", "cmrc2018/zh", "csl/zh"),
}
"""Corpora beside train-text; their queries and judgements are not read."""


def read_text(data: Path, lang: str, work: Path) -> TokenSequences:
    """A language's text through its default pipeline; what was read before is not tokenized again."""
    paths = [data / "train-text" / lang, *(data / name / "corpus.jsonl.gz" for name in RETRIEVAL[lang])]
    with WorkerPool(1) as pool:
        return TrainingCorpus([path for path in paths if path.exists()], lang, lines=True).spool(work, pool).sequences()


def adagram_models(
    data: Path, lang: str, work: Path, seeds: range, settings: dict[str, Any]
) -> list[tuple[int, SenseTable]]:
    """Seed and model of each run; models of the same settings in ``work`` are taken as they are."""
    name = "-".join(f"{key}={value}" for key, value in sorted(settings.items())) or "defaults"
    folder = work / lang / name
    missing = [seed for seed in seeds if not (folder / str(seed)).is_dir()]
    text = read_text(data, lang, work / lang / "text") if missing else None
    for seed in missing:
        say(f"AdaGram {lang}, seed {seed} ...")
        assert text is not None
        train_adagram(text, seed=seed, **settings).save(folder / str(seed))
    return [(seed, SenseTable.of(load_vectors(folder / str(seed)))) for seed in seeds]
