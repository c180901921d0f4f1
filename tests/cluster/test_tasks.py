import os

import pytest

from spacy_embed.cluster.tasks import FAN_IN, reduce_tree, result_of, run_all, submit
from spacy_embed.errors import InputError, SpacyEmbedError


def test_results_come_with_their_places(client):
    assert dict(run_all(client, divmod, [(i, 3) for i in range(40)])) == {i: divmod(i, 3) for i in range(40)}
    assert list(run_all(client, divmod, [])) == []


def test_an_error_of_ours_comes_as_it_was_raised(client):
    with pytest.raises(InputError, match=r"^not 3$"):
        list(run_all(client, refuse_three, [(i,) for i in range(10)]))


@pytest.mark.parametrize("n", [1, FAN_IN, FAN_IN + 1, FAN_IN**2 + 3])
def test_a_tree_keeps_the_order(client, n):
    parts = [submit(client, str, i) for i in range(n)]
    assert result_of(reduce_tree(client, joined, parts)) == "".join(map(str, range(n)))


def test_a_task_that_kills_every_worker_is_told_from_bad_luck(client):
    with pytest.raises(SpacyEmbedError, match=r"^A task killed \d workers one after the other, .* they lack memory"):
        result_of(submit(client, os._exit, 1))


def joined(*parts):
    return "".join(parts)


def refuse_three(i):
    if i == 3:
        raise InputError("not 3")
    return i
