"""The ready pipelines in configs/ are what the package builds by itself, and ``spacy assemble`` takes them."""

import subprocess
import sys

import pytest
import spacy
from spacy import util

from spacy_embed.pipeline.language_pipelines import default_pipeline, load_pipeline, lookup_forms_of
from tests.conftest import CORPORA, ROOT, TEXTS


def test_config_spells_out_the_language_defaults(lang):
    config = load_pipeline(ROOT / "configs" / f"{lang}.cfg")
    assert lookup_forms_of(config).options == lookup_forms_of(default_pipeline(lang)).options
    assert type(config.tokenizer) is type(default_pipeline(lang).tokenizer)
    assert util.load_config(ROOT / "configs" / f"{lang}.cfg")["nlp"]["lang"] == lang


@pytest.mark.parametrize("lang", ["ru", "zh"])
def test_spacy_assemble_makes_a_fitted_pipeline(lang, tables, tmp_path):
    options = ["--paths.table", tables[lang].path, "--paths.corpus", CORPORA / lang]
    options += ["--components.doc_embedder.method", "tfidf"]
    command = [sys.executable, "-m", "spacy", "assemble", ROOT / "configs" / f"{lang}.cfg", tmp_path / "nlp", *options]
    subprocess.run([str(word) for word in command], check=True, capture_output=True)
    nlp = spacy.load(tmp_path / "nlp")
    assert nlp.get_pipe("doc_embedder").embedding.weighting.n_documents == 60
    flooded, bread, bridge = nlp.pipe(TEXTS[lang])
    assert flooded.similarity(bridge) > flooded.similarity(bread)
