from pathlib import Path

import pytest

from tests.cluster.processes import running_cluster

_logs = pytest.StashKey[Path]()


@pytest.fixture(scope="session")
def cluster_address(request, tmp_path_factory):
    """The scheduler of a cluster of two workers that all tests share; a worker that is killed comes back."""
    folder = request.config.stash[_logs] = tmp_path_factory.mktemp("cluster")
    with running_cluster(folder) as cluster:
        yield cluster.address


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """With a test that fails, what the cluster's processes have said last: a worker that dies says why only there."""
    report = (yield).get_result()
    folder = item.config.stash.get(_logs, None)
    if report.failed and folder:
        for log in sorted(folder.glob("*.log")):
            said = log.read_text(encoding="utf-8", errors="replace")[-6000:]
            report.sections.append((f"{log.name} of the cluster", said))


@pytest.fixture
def client(cluster_address):
    """A connection to it."""
    from spacy_embed.cluster.connection import connected

    with connected(cluster_address, timeout=60) as client:
        yield client
