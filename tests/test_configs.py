"""The ready pipelines in configs/ are what the package builds by itself, and ``spacy assemble`` takes them."""

import subprocess
import sys

import pytest
import spacy
from spacy import util

from spacy_embed.pipeline.language_pipelines import default_pipeline, load_pipeline, lookup_forms_of
from tests.conftest import CORPORA, ROOT, TEXTS
from tests.vectors.sense_models import sense_table


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


def test_config_of_senses_is_that_of_the_language_with_senses(lang, tmp_path):
    config = util.load_config(ROOT / "configs" / "senses" / f"{lang}.cfg")
    plain = util.load_config(ROOT / "configs" / f"{lang}.cfg")
    assert config["nlp"]["pipeline"] == ["lookup_forms", "sense_tagger", "doc_embedder", "word_mover"]
    assert {**config["nlp"], "pipeline": None} == {**plain["nlp"], "pipeline": None}
    assert config["components"]["lookup_forms"] == plain["components"]["lookup_forms"]
    forms = sorted({form for doc in default_pipeline(lang).pipe(TEXTS[lang]) for form in doc._.forms if form})
    config["paths"]["model"] = str(sense_table(words=tuple(forms)).save(tmp_path / "model").path)
    nlp = util.load_model_from_config(config.interpolate(), auto_fill=True, validate=True)
    assert {**nlp.config["components"]["doc_embedder"], "vectors": None, "senses": None} == {
        **plain["components"]["doc_embedder"],
        "vectors": None,
    }
    nlp.initialize()
    flooded, bread, bridge = nlp.pipe(TEXTS[lang])
    assert flooded._.wmd(bridge) < flooded._.wmd(bread)
    assert all(token._.sense.startswith(f"{token._.form}#") for token in flooded if token._.form)
