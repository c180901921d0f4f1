"""Fixtures shared by all tests: short texts in five languages, small tables, the real data where it is at hand."""

from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
CORPORA = ROOT / "corpora"
LANGUAGES = ("en", "es", "pt", "ru", "zh")

TEXTS = {
    "en": ["The river flooded the old bridge.", "She baked bread with sourdough.", "The bridge crosses a river."],
    "es": ["El río inundó el puente viejo.", "Ella horneó pan con masa madre.", "El puente cruza un río."],
    "pt": ["O rio inundou a ponte velha.", "Ela assou pão com fermento natural.", "A ponte atravessa um rio."],
    "ru": ["Река затопила старый мост.", "Она испекла хлеб на закваске.", "Мосты стоят над рекой."],
    "zh": ["河流淹没了古老的桥梁。", "她用酵母烤面包。", "桥梁横跨河流。"],
}


def pytest_sessionstart(session):
    """Remove compiled loops that are older than any of their sources: Numba looks at a function's own file only."""
    if hasattr(session.config, "workerinput"):
        # done once, before the workers of pytest-xdist start
        return
    sources = ROOT / "spacy_embed"
    newest = max(f.stat().st_mtime for f in sources.rglob("*.py") if "spacy_embed.compiled" in f.read_text("utf-8"))
    for kept in (*sources.rglob("__pycache__/*.nbi"), *sources.rglob("__pycache__/*.nbc")):
        if kept.stat().st_mtime < newest:
            kept.unlink(missing_ok=True)


@pytest.fixture(params=LANGUAGES)
def lang(request):
    """Each of the five languages."""
    return request.param


@pytest.fixture(scope="session")
def shared_data():
    """The folder of real research data, which is not part of the project."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no real data at ../shared/data")
    return folder


def forms_of_texts(code):
    """The distinct lookup forms of TEXTS in a language, sorted."""
    from spacy_embed.pipeline.language_pipelines import default_pipeline, lookup_forms_of

    nlp = default_pipeline(code)
    lookup = lookup_forms_of(nlp)
    return sorted({form for doc in nlp.pipe(TEXTS[code]) for form in lookup.forms(doc) if form})


@pytest.fixture(scope="session")
def tables(tmp_path_factory):
    """One saved table a language: random unit vectors for every form of TEXTS, the same ones in every run."""
    from spacy_embed.embedding import unit_rows
    from spacy_embed.vectors import WordTable

    folder = tmp_path_factory.mktemp("tables")
    made = {}
    for seed, code in enumerate(LANGUAGES):
        forms = forms_of_texts(code)
        rows = unit_rows(np.random.default_rng(seed).normal(size=(len(forms), 64)))
        made[code] = WordTable.build(forms, rows).save(folder / code)
    return made


@pytest.fixture
def make_nlp(tables):
    """A pipeline of a language with both components, fitted on TEXTS where the method needs it."""
    from spacy.training import Example

    from spacy_embed.pipeline.language_pipelines import default_pipeline

    def make(code, **config):
        nlp = default_pipeline(code)
        nlp.add_pipe("doc_embedder", config={"vectors": str(tables[code].path), "method": "tfidf", **config})
        nlp.initialize(lambda: [Example.from_dict(nlp.make_doc(text), {}) for text in TEXTS[code]])
        return nlp

    return make


@pytest.fixture(scope="session")
def s3_server():
    """An S3 emulator on loopback."""
    for module in ("obstore", "moto", "flask", "boto3"):
        pytest.importorskip(module)
    from tests.object_storage import Emulator

    server = Emulator()
    yield server
    server.close()


@pytest.fixture
def s3(s3_server, monkeypatch, tmp_path):
    """The emulator with one empty bucket, the environment that leads to it, and an empty cache."""
    from tests.object_storage import BUCKET, ENVIRONMENT

    for name, value in {**ENVIRONMENT, "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server.endpoint)
    monkeypatch.setenv("SPACY_EMBED_CACHE", str(tmp_path / "cache"))
    s3_server.reset()
    client = s3_server.client()
    client.create_bucket(Bucket=BUCKET)
    s3_server.forget()
    yield s3_server
    s3_server.reset()
    for name in s3_server.objects():
        client.delete_object(Bucket=BUCKET, Key=name)
