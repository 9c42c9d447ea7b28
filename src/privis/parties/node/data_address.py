"""Where the data link of a session listens."""

from __future__ import annotations

import socket

from privis.errors import PartyError, Problem
from privis.parties.configuration import PartyConfiguration
from privis.parties.table_reader import host_and_port


def free_data_address(configuration: PartyConfiguration) -> str:
    """The data address to announce, found free just now; port 0 in the configuration means any free one.

    SPU reports a port in use only after all its retries, so this asks first. PartyError says what to do.
    """
    assert configuration.data is not None
    listen = configuration.listen_data or configuration.data
    host, port = host_and_port(listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as error:
            where = f"data link of {configuration.name} at {listen}"
            got = (error.strerror or str(error)).lower()
            remedy = "choose another data address in its configuration, or stop what uses the port"
            raise PartyError(Problem(where, got, "a port that is free", remedy)) from None
        chosen = trial.getsockname()[1]
    announced_host, announced_port = configuration.data.rsplit(":", 1)
    return f"{announced_host}:{chosen if announced_port == '0' else announced_port}"
