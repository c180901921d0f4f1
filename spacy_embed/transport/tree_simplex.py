"""Exact optimal transport between two bags: the network simplex on a spanning tree, compiled.

Sources and sinks hang on a root by arcs that cost more than any way between them; while an arc would make the tree
cheaper, it goes in and another goes out (Ahuja, Magnanti and Orlin 1993, "Network Flows", chapter 11). Which one goes
out is chosen so that the tree stays strongly feasible (Cunningham 1976): equal masses, of which texts are full, cannot
make it go round in circles. POT solves the same problems by the same method; between bags of a few dozen words a call
of it costs more than its work, and from compiled threads it would hold all of them up.
"""

from typing import Any

import numpy as np

from spacy_embed.compiled import compiled_to_the_letter
from spacy_embed.types import Doubles1d, Doubles2d

_PIVOTS_A_NODE = 200


@compiled_to_the_letter
def tree_simplex(supply: Doubles1d, demand: Doubles1d, costs: Doubles2d, flow: Doubles2d) -> Any:
    """Move all supply to where it is in demand at the least cost.

    Args:
        supply: float64[n], positive masses.
        demand: float64[m], positive masses of the same sum up to rounding.
        costs: float64[n, m], each >= 0.
        flow: float64[n, m], filled with what goes where.

    Returns:
        The cost, and whether it is the least: False after more steps than any such problem should need.
    """
    n, m = costs.shape
    root = n + m
    # a tree: each node's arc to its parent, what flows on it, and whether that is towards the parent
    parent, depth = np.full(root + 1, root), np.ones(root + 1, np.int64)
    on_arc, is_up = np.empty(root + 1), np.empty(root + 1, np.bool_)
    first_child, next_child, last_child = np.full(root + 1, -1), np.full(root + 1, -1), np.full(root + 1, -1)
    potential = np.empty(root + 1)
    stack = np.empty(root + 1, np.int64)
    parent[root], depth[root], potential[root], first_child[root] = -1, 0, 0.0, 0
    greatest = costs.max()
    far = (greatest if greatest > 0.0 else 1.0) * (root + 1)
    for node in range(root):
        next_child[node] = node + 1 if node + 1 < root else -1
        last_child[node] = node - 1
        on_arc[node] = supply[node] if node < n else demand[node - n]
        is_up[node] = node < n
        potential[node] = -far if node < n else far
    tolerance = 1e-13 * greatest
    block = max(int(np.sqrt(n * m)), m)
    place, left = 0, n * m
    for _ in range(_PIVOTS_A_NODE * (root + 1)):
        # the arc that saves most of a block, the next blocks while none saves
        best, entering = -tolerance, -1
        left = n * m
        while left > 0 and entering < 0:
            scanned = 0
            while scanned < block and left > 0:
                i, j = place // m, place % m
                stop = min(m, j + left)
                base = potential[i]
                for at in range(j, stop):
                    reduced = costs[i, at] + base - potential[n + at]
                    if reduced < best:
                        best, entering = reduced, i * m + at
                scanned += stop - j
                left -= stop - j
                place = place + stop - j if place + stop - j < n * m else 0
        if entering < 0:
            return _read(costs, flow, parent, on_arc, is_up), True
        source, sink = entering // m, n + entering % m
        u, v = source, sink
        while u != v:
            if depth[u] >= depth[v]:
                u_next = parent[u]
                if depth[u] == depth[v]:
                    v = parent[v]
                u = u_next
            else:
                v = parent[v]
        join = u
        # flow goes from the source by the new arc to the sink, up to where their ways meet, and down again
        amount, leaving, from_source = np.inf, -1, True
        node = source
        while node != join:
            if is_up[node] and on_arc[node] < amount:
                amount, leaving = on_arc[node], node
            node = parent[node]
        node = sink
        while node != join:
            if not is_up[node] and on_arc[node] <= amount:
                amount, leaving, from_source = on_arc[node], node, False
            node = parent[node]
        if leaving < 0:
            # no arc to take out: masses or costs are no numbers
            return np.nan, False
        if amount > 0.0:
            node = source
            while node != join:
                on_arc[node] += -amount if is_up[node] else amount
                node = parent[node]
            node = sink
            while node != join:
                on_arc[node] += amount if is_up[node] else -amount
                node = parent[node]
        # the part that hung on the leaving arc is turned round and hangs on the new one
        node, above = (source, sink) if from_source else (sink, source)
        top, new_flow, new_up = node, amount, from_source
        while True:
            after, old_flow, old_up = parent[node], on_arc[node], is_up[node]
            before, behind = last_child[node], next_child[node]
            if before >= 0:
                next_child[before] = behind
            else:
                first_child[after] = behind
            if behind >= 0:
                last_child[behind] = before
            parent[node], on_arc[node], is_up[node] = above, new_flow, new_up
            last_child[node], next_child[node] = -1, first_child[above]
            if first_child[above] >= 0:
                last_child[first_child[above]] = node
            first_child[above] = node
            if node == leaving:
                break
            above, node, new_flow, new_up = node, after, old_flow, not old_up
        change = -best if from_source else best
        stack[0], height = top, 1
        while height > 0:
            height -= 1
            node = stack[height]
            depth[node] = depth[parent[node]] + 1
            potential[node] += change
            child = first_child[node]
            while child >= 0:
                stack[height] = child
                height += 1
                child = next_child[child]
    return np.nan, False


@compiled_to_the_letter
def _read(costs: Doubles2d, flow: Doubles2d, parent: Any, on_arc: Doubles1d, is_up: Any) -> float:
    """The plan that the tree holds, and its cost."""
    n, m = costs.shape
    flow[:] = 0.0
    total = 0.0
    for node in range(n + m):
        above = parent[node]
        if above < n + m:
            i, j = (node, above - n) if node < n else (above, node - n)
            flow[i, j] = max(on_arc[node], 0.0)
            total += flow[i, j] * costs[i, j]
    return total
