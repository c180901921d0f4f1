"""Word senses in context against people's: what 'evaluate senses' says of every set, on any tables.

    python benchmarks/senses.py DATA [--vectors LANG=TABLE ...] [--model LANG=TABLE ...] [--wsd FOLDER] [--seeds 5]
        [--work FOLDER [--adagram epochs=3 window=5 ...] [--languages ru,en,zh]]

DATA holds russe-wsi, semeval-wsi and mcl-wic. ``--vectors`` adds tables to induce with, beside DATA/pretrained's; with
``LANG=A+B`` the cosines of contexts in both are averaged. ``--model`` adds tables with senses, for disambiguate.
``--wsd`` is the data folder of the package rl_wsd_labeled. ``--work`` has AdaGram models trained on DATA/train-text and
retrieval corpora, one for each seed, and kept there; ``--adagram`` are their settings where they are not the defaults.

The number of components, the threshold and the nearest distance of induction were settled on every second word, by
name, of bts-rnc and active-dict ("chosen on"), not on the others ("held out"). How contexts are weighted, and that
clusters are made by average linkage, was chosen among some dozens of ways with both sets whole in view; wiki-wiki was
in view when clusterings were first compared; rl_wsd_labeled, the English sets and MCL-WiC had no part in any of it.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from reporting import print_table, say
from sense_models import adagram_models

from spacy_embed.evaluation import sense_induction as induction
from spacy_embed.evaluation import word_in_context as wic
from spacy_embed.evaluation.sense_sets import SenseSet, read_sense_set
from spacy_embed.pipeline.forms_in_text import forms_in_texts
from spacy_embed.pipeline.language_pipelines import default_pipeline
from spacy_embed.pipeline.word_forms import word_forms
from spacy_embed.vectors import load_vectors
from spacy_embed.vectors.sense_table import SenseTable

RUSSE = ("wiki-wiki", "bts-rnc", "active-dict")
ADAGRAM = {"wiki-wiki": 0.392, "bts-rnc": 0.224, "active-dict": 0.160}
"""Weighted ARI of the AdaGram baseline that the shared task published."""


def sense_sets(data: Path, wsd: Path | None) -> list[tuple[str, str, SenseSet]]:
    """Language, name and contexts of each set."""
    made = []
    for name in RUSSE:
        whole = read_sense_set(data / "russe-wsi" / f"{name}-train.csv.gz")
        made.append(("ru", name, whole))
        if name != "wiki-wiki":
            words = sorted(whole.by_word)
            for part, start in (("chosen on", 0), ("held out", 1)):
                kept = set(words[start::2])
                made.append(("ru", f"{name}, {part}", SenseSet(name, [c for c in whole.contexts if c.word in kept])))
    if wsd is not None:
        made.append(("ru", "rl_wsd_labeled", read_sense_set(wsd)))
    made.append(("en", "SemEval-2010", read_sense_set(data / "semeval-wsi" / "semeval2010-dataset.txt.gz")))
    made.append(("en", "TWSI dev", read_sense_set(data / "semeval-wsi" / "Dataset-TWSI-dev.csv.gz")))
    return made


def row(name: str, vectors: str, score: induction.SenseScore) -> dict:
    """A line of the table."""
    weighted, mean = score.agreement.weighted, score.agreement.mean
    spread = f" ± {score.spread:.3f}" if score.runs > 1 else ""
    published = f" (AdaGram {ADAGRAM[name]:.3f})" if name in ADAGRAM else ""
    return {
        "set": f"{name}{published}",
        "method": f"{score.method}{', ' * bool(vectors)}{vectors}",
        "ARI": f"{weighted['ari']:.3f}{spread}",
        "ARI, plain mean": f"{mean['ari']:.3f}",
        "V": f"{weighted['v_measure']:.3f}",
        "paired F": f"{weighted['paired_f']:.3f}",
        "accuracy": f"{weighted['accuracy']:.3f}",
        "clusters": f"{score.agreement.clusters:.1f}",
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--vectors", action="append", default=[])
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("--wsd", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--adagram", nargs="*", type=setting, default=[])
    parser.add_argument("--languages", default="en,ru,zh")
    asked = parser.parse_args()
    tables = {
        lang: {"distilled": [load_vectors(asked.data / "pretrained" / f"use-distilled.{lang}.128.w2v.bin.gz")]}
        for lang in asked.languages.split(",")
    }
    for lang, paths in (value.split("=") for value in asked.vectors):
        name = " + ".join(Path(path).name.split(".")[0] for path in paths.split("+"))
        tables[lang][name] = [load_vectors(path) for path in paths.split("+")]
    models = [
        (lang, Path(path).name, SenseTable.of(load_vectors(path)))
        for lang, path in (value.split("=") for value in asked.model)
    ]
    pipelines = {lang: default_pipeline(lang) for lang in tables}
    seeds = range(asked.seeds)
    trained = {
        lang: adagram_models(asked.data, lang, asked.work, range(1, asked.seeds + 1), dict(asked.adagram))
        for lang in (tables if asked.work else ())
    }
    rows = []
    for lang, name, sense_set in sense_sets(asked.data, asked.wsd):
        if lang not in tables:
            continue
        say(f"{name} ...")
        nlp = pipelines[lang]
        contexts = induction.set_contexts(sense_set, lambda texts, nlp=nlp: forms_in_texts(nlp, texts), word_forms(nlp))
        for of_lang, model_name, model in models:
            if of_lang == lang:
                labels = induction.disambiguated_labels(sense_set, contexts, model, word_forms(nlp))
                rows.append(row(name, model_name, induction.score_labels("disambiguate", sense_set, [labels])))
        if lang in trained:
            forms = word_forms(nlp)
            runs = [induction.disambiguated_labels(sense_set, contexts, model, forms) for _, model in trained[lang]]
            rows.append(row(name, "AdaGram trained here", induction.score_labels("disambiguate", sense_set, runs)))
        for vectors_name, of_name in tables[lang].items():
            vectors = induction.vectors_by_word(sense_set, contexts, of_name)
            runs = [induction.induced_labels(vectors)]
            rows.append(row(name, vectors_name, induction.score_labels("induce", sense_set, runs)))
            for score in induction.baseline_scores(sense_set, vectors, seeds)[1:]:
                rows.append(row(name, vectors_name, score))
        one = induction.score_labels(induction.ONE_SENSE, sense_set, [induction.one_sense_labels(sense_set)])
        rows.append(row(name, "", one))
    if rows:
        print_table(rows)
    print_table(list(pair_rows(asked.data, tables, models, trained, pipelines)))


def setting(text: str) -> tuple[str, Any]:
    """A name and a number or word of ``name=value``."""
    name, value = text.split("=")
    try:
        return name, int(value)
    except ValueError:
        return name, value if value == "auto" else float(value)


def pair_rows(data: Path, tables: dict, models: list, trained: dict, pipelines: dict):
    """MCL-WiC: accuracy at the median similarity, and for English at the threshold of the training part."""

    def read(name: str, nlp):
        pairs = wic.read_context_pairs(data / "mcl-wic" / f"{name}.tsv.gz")
        return pairs, wic.pair_contexts(pairs, lambda texts: forms_in_texts(nlp, texts), word_forms(nlp))

    for lang, of_lang in tables.items():
        say(f"MCL-WiC {lang} ...")
        nlp = pipelines[lang]
        forms = word_forms(nlp)
        pairs, contexts = read(f"{lang}-dev", nlp)
        training = read("en-train", nlp) if lang == "en" else None
        methods = [
            (f"induce, {name}", lambda p, c, t=of_name: wic.context_similarities(c, t))
            for name, of_name in of_lang.items()
        ]
        methods += [
            (f"disambiguate, {name}", lambda p, c, m=model, f=forms: wic.sense_similarities(p, c, m, f))
            for model_lang, name, model in models
            if model_lang == lang
        ]
        for name, similarities in methods:
            found = similarities(pairs, contexts)
            at_median = wic.score_pairs(name, pairs, found, float(np.median(found)))
            made = {"set": f"MCL-WiC {lang} dev", "method": name, "at the median": f"{at_median.accuracy:.3f}"}
            if training is not None:
                is_same = np.array([pair.is_same for pair in training[0]])
                threshold = wic.best_threshold(similarities(*training), is_same)
                made["threshold of en train"] = f"{wic.score_pairs(name, pairs, found, threshold).accuracy:.3f}"
            else:
                made["threshold of en train"] = ""
            yield made
        if lang in trained:
            found = [wic.sense_similarities(pairs, contexts, model, forms) for _, model in trained[lang]]
            right = [wic.score_pairs("AdaGram", pairs, one, float(np.median(one))).accuracy for one in found]
            mean = f"{np.mean(right):.3f} ± {np.std(right):.3f}"
            yield {"set": f"MCL-WiC {lang} dev", "method": f"AdaGram trained here, {len(right)} seeds",
                   "at the median": mean, "threshold of en train": ""}  # fmt: skip


if __name__ == "__main__":
    main()
