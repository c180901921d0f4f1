import pytest

from tests.cluster.processes import running_cluster


@pytest.fixture(scope="session")
def cluster_address(tmp_path_factory):
    """The scheduler of a cluster of two workers that all tests share; a worker that is killed comes back."""
    with running_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster.address


@pytest.fixture
def client(cluster_address):
    """A connection to it."""
    from spacy_embed.cluster.connection import connected

    with connected(cluster_address, timeout=60) as client:
        yield client
