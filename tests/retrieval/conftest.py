import pytest

from tests.stores import cache_pipelines


@pytest.fixture
def cached_pipelines(monkeypatch):
    cache_pipelines(monkeypatch)
