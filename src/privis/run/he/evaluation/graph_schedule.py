"""Which process does which operation of a graph: list scheduling, with what passing ciphertexts on takes.

Operations that are hardly dearer than passing a ciphertext on stay where their costly neighbour is. Tasks of such
operations go where they would be done first (Topcuoglu, Hariri and Wu, 2002, doi:10.1109/71.993206); then tasks are
moved, alone or with what follows them, as long as that shortens the whole. The lists are fixed before anything runs, in
an order that is one for all processes, so that none ever waits for one that waits for it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from privis.run.he.evaluation.operation_graph import GraphNode, Operation, OperationGraph

_SMALLER = (Operation.RESCALE, Operation.LOWER)  # done before a result is passed on
_WORTH = 10.0  # times what passing a ciphertext on takes: less is not shared out
Passing = Callable[[GraphNode], tuple[float, float]]


@dataclass(frozen=True, eq=False)
class GraphSchedule:
    """Who does what.

    Args:
        orders: for each process its operations, in order.
        owners: for each operation the process that does it; -1: an input, which every process has.
        receivers: for each operation the other processes that read its result, lowest number first.
        seconds: expected for all, in the units of the costs.
        busy: share of that in which the average process works, passing on counted.
    """

    orders: tuple[tuple[int, ...], ...]
    owners: tuple[int, ...]
    receivers: Mapping[int, tuple[int, ...]]
    seconds: float
    busy: float


def scheduled(
    graph: OperationGraph, processes: int, cost: Callable[[GraphNode], float], passing: Passing
) -> GraphSchedule:
    """Share ``graph`` out among ``processes``.

    Args:
        graph: the operations.
        processes: at least one.
        cost: seconds of an operation.
        passing: seconds that sender and receiver take to pass a result on.

    Returns:
        The best of a few schedules.
    """
    costs = [cost(node) for node in graph.nodes]
    if processes == 1:
        own = [(n, 0) for n, node in enumerate(graph.nodes) if node.operation is not Operation.INPUT]
        return _played(graph, own, 1, costs, passing)
    tasks = _tasks(graph, costs, passing)
    order = [(n, rank) for task, rank in _Sharing(tasks, processes).order() for n in tasks.members[task]]
    return _played(graph, order, processes, costs, passing)


@dataclass(frozen=True, eq=False)
class _Tasks:
    """Operations that stay together: a costly one, what is done for it alone, and what is done with its result alone.

    Args:
        members: the operations of each task, in order; inputs belong to none.
        costs: seconds of each.
        reads: for each task the results that it reads of others: (operation, the task that makes it).
        users: for each task those that read of it.
        saving, loading: seconds to pass a result on, by operation.
    """

    members: list[list[int]]
    costs: list[float]
    reads: list[list[tuple[int, int]]]
    users: list[list[int]]
    saving: list[float]
    loading: list[float]


def _tasks(graph: OperationGraph, costs: Sequence[float], passing: Passing) -> _Tasks:
    nodes, users = graph.nodes, _users(graph)
    saving, loading = zip(*map(passing, nodes), strict=True)
    is_input = [node.operation is Operation.INPUT for node in nodes]
    is_heavy = [cost > _WORTH * (save + load) for cost, save, load in zip(costs, saving, loading, strict=True)]
    root = list(range(len(nodes)))
    for number in reversed(range(len(nodes))):  # what is done for one operation alone
        is_cheap = not is_heavy[number] and not is_input[number] and nodes[number].operation not in _SMALLER
        if is_cheap and len(users[number]) == 1:
            root[number] = root[users[number][0]]
    has_heavy = [False] * len(nodes)
    for number in range(len(nodes)):
        has_heavy[root[number]] |= is_heavy[number]
    group = list(range(len(nodes)))
    for number in range(len(nodes)):  # what is done with the results of one
        if root[number] == number and not has_heavy[number] and not is_input[number]:
            before = {group[root[o]] for o in _operands(nodes, root, number) if not is_input[o]}
            if len(before) == 1:
                group[number] = before.pop()
    member_of = [group[root[number]] for number in range(len(nodes))]
    names = dict.fromkeys(name for name, skip in zip(member_of, is_input, strict=True) if not skip)
    numbering = {name: k for k, name in enumerate(names)}
    members: list[list[int]] = [[] for _ in numbering]
    for number, name in enumerate(member_of):
        if not is_input[number]:
            members[numbering[name]].append(number)
    task_of = {number: task for task, own in enumerate(members) for number in own}
    reads = [
        sorted({(o, task_of[o]) for n in own for o in nodes[n].operands if not is_input[o] and task_of[o] != task})
        for task, own in enumerate(members)
    ]
    followers: list[list[int]] = [[] for _ in members]
    for task, own in enumerate(reads):
        for other in dict.fromkeys(other for _, other in own):
            followers[other].append(task)
    return _Tasks(members, [sum(costs[n] for n in own) for own in members], reads, followers, [*saving], [*loading])


MOST_TRIED = 120_000  # tasks that are gone through while schedules are compared: a second
ENOUGH = 1.02  # of the least that is possible


@dataclass(eq=False)
class _Sharing:
    """Which process does which task: each where it would be done first, then what shortens the whole is moved."""

    tasks: _Tasks
    processes: int

    def order(self) -> list[tuple[int, int]]:
        """(task, process), in the order in which they are begun."""
        tasks = self.tasks
        self.ways = [0.0] * len(tasks.members)
        self.sequence = self._topological()
        for task in reversed(self.sequence):
            self.ways[task] = max((self.ways[user] for user in tasks.users[task]), default=0.0) + tasks.costs[task]
        tried = [self._moved(start) for start in ([0] * len(tasks.members), self._first())]
        return min(tried)[1]

    def _moved(self, owners: list[int]) -> tuple[float, list[tuple[int, int]]]:
        """From ``owners`` on, move tasks with what follows them, then alone, while that shortens the whole."""
        least = ENOUGH * max(sum(self.tasks.costs) / self.processes, max(self.ways))
        best, left = self._listed(owners), MOST_TRIED // max(len(owners), 1)
        heavy = sorted(range(len(owners)), key=lambda task: -self.tasks.costs[task])
        for alone in (False, True, False, True):
            improved = True
            while improved and best[0] > least and left > 0:
                improved, before = False, owners
                for task in heavy:
                    moving = [task] if alone else self._following(task, before)
                    for rank in range(self.processes):
                        if rank == before[task] or left <= 0:
                            continue
                        changed = list(before)
                        for each in moving:
                            changed[each] = rank
                        found, left = self._listed(changed), left - 1
                        if found[0] < best[0] * 0.9999:
                            best, owners, improved = found, changed, True
        return best

    def _following(self, task: int, owners: Sequence[int]) -> list[int]:
        """``task`` and what the same process does with its result."""
        found, queue = {task}, [task]
        while queue:
            for user in self.tasks.users[queue.pop()]:
                if user not in found and owners[user] == owners[task]:
                    found.add(user)
                    queue.append(user)
        return [*found]

    def _first(self) -> list[int]:
        """Each task, those on the longest ways first, where it would be done first."""
        tasks, free = self.tasks, [0.0] * self.processes
        owners, made = [0] * len(tasks.members), [0.0] * len(tasks.members)
        for task in sorted(self.sequence, key=lambda task: -self.ways[task]):
            finish = []
            for rank in range(self.processes):
                start, took = free[rank], tasks.costs[task]
                for number, other in tasks.reads[task]:
                    away = owners[other] != rank
                    start = max(start, made[other] + away * tasks.saving[number])
                    took += away * tasks.loading[number]
                finish.append(start + took)
            owners[task] = finish.index(min(finish))
            free[owners[task]] = made[task] = min(finish)
        return owners

    def _topological(self) -> list[int]:
        waiting = [len({other for _, other in reads}) for reads in self.tasks.reads]
        ready, order = [task for task, count in enumerate(waiting) if count == 0], []
        for task in ready:
            order.append(task)
            for user in self.tasks.users[task]:
                waiting[user] -= 1
                if waiting[user] == 0:
                    ready.append(user)
        return order

    def _listed(self, owners: Sequence[int]) -> tuple[float, list[tuple[int, int]]]:
        """How long all takes, and in which order, if every process always does what it can do on the longest way."""
        tasks, order = self.tasks, []
        waiting = [len({other for _, other in reads}) for reads in tasks.reads]
        when = [0.0] * len(waiting)
        free = [0.0] * self.processes
        pending: list[list[tuple[float, int]]] = [[] for _ in free]
        ready: list[list[tuple[float, int]]] = [[] for _ in free]
        sent: set[int] = set()
        there: set[tuple[int, int]] = set()
        for task, count in enumerate(waiting):
            if count == 0:
                heapq.heappush(pending[owners[task]], (0.0, task))
        for _ in waiting:
            start, rank = min(
                (free[r] if ready[r] else max(free[r], pending[r][0][0]), r)
                for r in range(self.processes)
                if ready[r] or pending[r]
            )
            while pending[rank] and pending[rank][0][0] <= start:
                task = heapq.heappop(pending[rank])[1]
                heapq.heappush(ready[rank], (-self.ways[task], task))
            task = heapq.heappop(ready[rank])[1]
            order.append((task, rank))
            took = tasks.costs[task]
            for number, other in tasks.reads[task]:
                if owners[other] != rank and (number, rank) not in there:
                    there.add((number, rank))
                    took += tasks.loading[number]
            for user in tasks.users[task]:
                if owners[user] != rank:
                    for number, other in tasks.reads[user]:
                        if other == task and number not in sent:
                            sent.add(number)
                            took += tasks.saving[number]
            free[rank] = start + took
            for user in tasks.users[task]:
                when[user] = max(when[user], free[rank])
                waiting[user] -= 1
                if waiting[user] == 0:
                    heapq.heappush(pending[owners[user]], (when[user], user))
        return max(free), order


def _operands(nodes: Sequence[GraphNode], root: Sequence[int], number: int) -> list[int]:
    """What an operation, and those done for it alone, read of others."""
    found, queue = [], [number]
    while queue:
        for operand in nodes[queue.pop()].operands:
            (queue if root[operand] == number else found).append(operand)
    return found


def _played(
    graph: OperationGraph, order: Sequence[tuple[int, int]], processes: int, costs: Sequence[float], passing: Passing
) -> GraphSchedule:
    """What happens in an order: results are passed on as soon as they are made."""
    nodes = graph.nodes
    owners = [-1] * len(nodes)
    for number, rank in order:
        owners[number] = rank
    receivers: dict[int, set[int]] = {}
    for number, rank in order:
        for operand in nodes[number].operands:
            if owners[operand] not in (rank, -1):
                receivers.setdefault(operand, set()).add(rank)
    free, work = [0.0] * processes, [0.0] * processes
    there = [dict[int, float]() for _ in range(processes)]
    for number, rank in order:
        took = costs[number]
        for operand in {*nodes[number].operands}:
            if owners[operand] not in (rank, -1) and operand in there[rank]:
                free[rank] = max(free[rank], there[rank].pop(operand))
                took += passing(nodes[operand])[1]
        if number in receivers:
            took += passing(nodes[number])[0]
        free[rank] += took
        work[rank] += took
        for receiver in receivers.get(number, ()):
            there[receiver][number] = free[rank]
    total = max(max(free), 1e-12)
    orders = [tuple(number for number, rank in order if rank == own) for own in range(processes)]
    others = {number: tuple(sorted(ranks)) for number, ranks in receivers.items()}
    return GraphSchedule(tuple(orders), tuple(owners), others, total, sum(work) / total / processes)


def _users(graph: OperationGraph) -> list[list[int]]:
    users: list[list[int]] = [[] for _ in graph.nodes]
    for number, node in enumerate(graph.nodes):
        for operand in dict.fromkeys(node.operands):
            users[operand].append(number)
    return users
