import shutil

import pytest

from spacy_embed.pipeline.index import Index
from tests.conftest import LANGUAGES
from tests.retrieval.remote_indexes import URL
from tests.stores import cache_pipelines, corpus_documents, forms_of, make_index, random_table


@pytest.fixture
def cached_pipelines(monkeypatch):
    cache_pipelines(monkeypatch)


@pytest.fixture(scope="module")
def documents():
    return {lang: [each for each in corpus_documents() if each["lang"] == lang] for lang in LANGUAGES}


@pytest.fixture(scope="module")
def saved_tables(documents, tmp_path_factory):
    folder = tmp_path_factory.mktemp("vectors")
    forms = forms_of([each for of_lang in documents.values() for each in of_lang])
    return {lang: random_table(forms[lang], i).save(folder / lang) for i, lang in enumerate(LANGUAGES)}


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """The index as a machine of that name opens it."""

    def open_(name, **options):
        monkeypatch.setenv("SPACY_EMBED_CACHE", str(tmp_path / name))
        return Index(URL, **options)

    return open_


@pytest.fixture(scope="module")
def twenty(documents, saved_tables, tmp_path_factory):
    """A local index of twenty English documents."""
    folder = tmp_path_factory.mktemp("twenty") / "index"
    make_index(folder, documents["en"][:20], saved_tables)
    return folder


@pytest.fixture
def made(s3, twenty, documents, monkeypatch, tmp_path):
    """The same in object storage; gives the documents that it lacks."""
    monkeypatch.setenv("SPACY_EMBED_CACHE", str(tmp_path / "first"))
    from spacy_embed.retrieval.remote_publish import building_place, publish

    place = building_place(URL)
    shutil.copytree(twenty, place)
    publish(place, URL)
    s3.forget()
    return documents["en"][20:]
