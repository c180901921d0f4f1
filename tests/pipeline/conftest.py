"""Tables with senses for the forms of the short texts, and pipelines over them."""

import pytest

from spacy_embed.pipeline.language_pipelines import default_pipeline
from tests.conftest import LANGUAGES, TEXTS, forms_of_texts
from tests.vectors.sense_models import sense_table


@pytest.fixture(scope="session")
def sense_tables(tmp_path_factory):
    """One saved table a language, with one to three senses for every form but the last one of TEXTS."""
    folder = tmp_path_factory.mktemp("senses")
    made = {}
    for seed, code in enumerate(LANGUAGES):
        made[code] = sense_table(seed, tuple(forms_of_texts(code)[:-1])).save(folder / code)
    return made


@pytest.fixture
def make_sense_nlp(sense_tables):
    """A pipeline with ``sense_tagger``, ``doc_embedder`` over its senses and ``word_mover``."""

    def make(code, *, tagger=(), senses="soft", **embedder):
        path = str(sense_tables[code].path)
        nlp = default_pipeline(code)
        if tagger is not None:
            nlp.add_pipe("sense_tagger", config={"model": path, **dict(tagger)})
        nlp.add_pipe("doc_embedder", config={"vectors": path, "senses": senses, **embedder})
        nlp.add_pipe("word_mover")
        nlp.get_pipe("doc_embedder").fit_texts(TEXTS[code])
        return nlp

    return make
