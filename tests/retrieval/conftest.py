import pytest


@pytest.fixture
def cached_pipelines(monkeypatch):
    """Load each pipeline once a test: what loading it takes is most of the time of a small change."""
    from spacy_embed.pipeline import text_kernel

    load, make, loaded = text_kernel.load_pipeline, text_kernel.default_pipeline, {}

    def load_once(path):
        config = (path / "config.cfg").read_bytes()
        if config not in loaded:
            loaded[config] = load(path)
        return loaded[config]

    def make_once(language):
        if language not in loaded:
            loaded[language] = make(language)
        return loaded[language]

    monkeypatch.setattr(text_kernel, "load_pipeline", load_once)
    monkeypatch.setattr(text_kernel, "default_pipeline", make_once)
