"""Fair division of one limit among clients, so that no client can starve the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from privis.errors import Problem, ServiceError


class OverShare(ServiceError):
    """A client holds as much as one client may; ``seconds`` is when to ask again."""

    def __init__(self, problem: Problem, seconds: int) -> None:
        super().__init__(problem)
        self.seconds = seconds


@dataclass(frozen=True)
class Shares:
    """A limit of something (places, bytes) that ``clients`` clients divide among them.

    Half of the limit is set aside in equal parts, one for each client; where a limit of places is too small for that,
    one place each as far as it goes. The rest is for whoever comes first. So a client that stays within its part is
    never refused because of others, however many of them are greedy.

    Args:
        limit: what all clients together may hold.
        clients: how many clients there are.
        most: what one client may hold; 0 for its part and all of the rest.
    """

    limit: int
    clients: int
    most: int = 0

    @property
    def part(self) -> int:
        """What is set aside for each client.

        >>> Shares(64, 4).part, Shares(64, 50).part, Shares(64, 65).part
        (8, 1, 0)
        """
        clients = max(1, self.clients)
        return self.limit // (2 * clients) or int(self.limit >= clients)

    @property
    def rest(self) -> int:
        """Part of the limit that is not set aside for anybody."""
        return self.limit - self.part * max(1, self.clients)

    @property
    def each(self) -> int:
        """What one client may hold while nobody else holds anything."""
        return min(self.most or self.limit, self.part + self.rest)

    def fits(self, held: Mapping[str, int], client: str, amount: int) -> bool:
        """Whether ``client`` may take ``amount`` more while clients hold what ``held`` says.

        >>> shares = Shares(8, 2)  # 2 are set aside for each, 4 for whoever comes first
        >>> shares.fits({"bob": 6}, "bob", 1), shares.fits({"bob": 6}, "alice", 2), shares.fits({"bob": 6}, "alice", 3)
        (False, True, False)
        """
        wanted = held.get(client, 0) + amount
        others = [count for name, count in held.items() if name != client]
        beyond = sum(max(0, count - self.part) for count in (*others, wanted))
        enough = wanted <= self.part or beyond <= self.rest
        return wanted <= self.each and sum(others) + wanted <= self.limit and enough

    def is_own_doing(self, held: Mapping[str, int], client: str, amount: int) -> bool:
        """Whether ``client`` would not get ``amount`` even if it were alone, because of what it holds itself."""
        return amount <= self.each < held.get(client, 0) + amount
