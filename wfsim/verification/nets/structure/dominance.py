"""Where all ways from a node to the end of a net meet again."""

from __future__ import annotations

from wfsim.verification.nets.structure.draft import Draft

END = -1


def joins(draft: Draft) -> dict[int, list[int]]:
    """For each transition, the transitions that every way from it to the end passes, the nearest first.

    Ends are the places of the final marking; without one, those that nothing takes tokens from. Transitions from
    which no way leads to an end are left out.

    Notes
    -----
    Postdominators by iteration [1]_; near linear in the arcs for nets of workflows.

    References
    ----------
    .. [1] Cooper, Harvey, Kennedy (2001), A simple, fast dominance algorithm.
    """
    # Places are even, transitions odd.
    ends = sorted(draft.final) or [place for place, numbers in sorted(draft.consumers.items()) if not numbers]
    before: dict[int, list[int]] = {END: [2 * place for place in ends]}
    after: dict[int, list[int]] = {}
    for place, numbers in draft.producers.items():
        before[2 * place] = [2 * number + 1 for number in sorted(numbers)]
        after[2 * place] = [2 * number + 1 for number in sorted(draft.consumers[place])]
    for number, step in draft.steps.items():
        before[2 * number + 1] = [2 * place for place in step.consumes]
        after[2 * number + 1] = [2 * place for place in step.produces]
    for place in ends:
        after[2 * place].append(END)
    order = _postorder(before)
    position = {node: i for i, node in enumerate(order)}
    nearest: dict[int, int] = {END: END}

    def meet(a: int, b: int) -> int:
        while a != b:
            while position[a] < position[b]:
                a = nearest[a]
            while position[b] < position[a]:
                b = nearest[b]
        return a

    changed = True
    while changed:
        changed = False
        for node in reversed(order[:-1]):
            known = [other for other in after[node] if other in nearest]
            found = known[0]
            for other in known[1:]:
                found = meet(found, other)
            if nearest.get(node) != found:
                nearest[node] = found
                changed = True
    return {node >> 1: _chain(nearest, node) for node in nearest if node != END and node & 1}


def _chain(nearest: dict[int, int], node: int) -> list[int]:
    found = []
    while (node := nearest[node]) != END:
        if node & 1:
            found.append(node >> 1)
    return found


def _postorder(edges: dict[int, list[int]]) -> list[int]:
    order, seen = [], {END}
    todo = [(END, iter(edges[END]))]
    while todo:
        node, rest = todo[-1]
        for other in rest:
            if other not in seen:
                seen.add(other)
                todo.append((other, iter(edges[other])))
                break
        else:
            order.append(node)
            todo.pop()
    return order
