"""``Backend``: the server that remote stages ask, as the environment names it.

==============================  =================================================================================
variable                        what it says
==============================  =================================================================================
``PRIVIS_BACKEND_URL``          where ``privis serve`` listens: https://HOST:PORT, or http on this machine
``PRIVIS_BACKEND_TOKEN_FILE``   file of the client's token, readable by its owner alone
``PRIVIS_BACKEND_AUTHORITY``    PEM file of the certificate to trust; without it those that the system trusts
==============================  =================================================================================

Nothing of them is written into a submission, which is published.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from privis.errors import ParameterError, Problem, ProtocolError, refuse
from privis.run.he.wire import key_file
from privis.run.he.wire.answer import answered
from privis.run.he.wire.key_file import KeyKind
from privis.serve.client.client import Client
from privis.serve.http.tokens import Token
from privis.serve.submission.stage_call import StageCall

URL, TOKEN_FILE, AUTHORITY = "PRIVIS_BACKEND_URL", "PRIVIS_BACKEND_TOKEN_FILE", "PRIVIS_BACKEND_AUTHORITY"


@dataclass(frozen=True)
class Backend:
    """A server that computes on encrypted images, and how stages reach it.

    Args:
        url: https://HOST:PORT; http on this machine only.
        token_file: holds the token, readable by its owner alone.
        authority: PEM file of the certificate to trust; None: those that the system trusts.
    """

    url: str
    token_file: Path = field(repr=False)
    authority: Path | None = field(default=None, repr=False)

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> Backend:
        """Read which server stages ask.

        Args:
            environment: variables, as the table above says.

        Returns:
            The server.

        Raises:
            ParameterError: naming every variable that is missing.

        >>> Backend.of({"PRIVIS_BACKEND_URL": "https://he:8443", "PRIVIS_BACKEND_TOKEN_FILE": "token"}).url
        'https://he:8443'
        """
        wanted = {URL: "the URL of privis serve", TOKEN_FILE: "the file of a token for it"}
        missing = [Problem(name, "not set", text) for name, text in wanted.items() if not environment.get(name)]
        refuse(ParameterError, missing)
        trusted = environment.get(AUTHORITY)
        return cls(environment[URL], Path(environment[TOKEN_FILE]), Path(trusted) if trusted else None)

    def require_offer(self, call: StageCall) -> None:
        """Refuse a server that computes anything else than the submission says.

        Args:
            call: of a stage.

        Raises:
            ProtocolError: the server's terms are not those in the submission.
            ServiceError: the server refuses, or stays out of reach.
        """
        terms = call.terms()
        with self._client() as client:
            found = client.terms(terms.name)
        if found.digest != terms.digest:
            remedy = f"let it serve {call.offer}: privis serve --offer"
            got, expected = f"terms {found.digest[:12]}…", f"{terms.digest[:12]}…, as in {call.terms_path}"
            raise ProtocolError(Problem(f"offer {terms.name} of {self.url}", got, expected, remedy))

    def send_keys(self, call: StageCall) -> None:
        """Send evaluation keys, unless the server has them.

        Args:
            call: of a stage.

        Raises:
            ParameterError: there are none.
            ProtocolError: the file holds anything else, a secret key above all; nothing of it leaves.
            ServiceError: the server refuses, or stays out of reach.
        """
        with self._client() as client:
            client.send_keys(call.terms().name, call.evaluation)

    def compute(self, call: StageCall) -> bytes:
        """Let the server compute on the encrypted query of a run.

        Args:
            call: of a stage.

        Returns:
            The encrypted answer: bytes of a file that says which query it answers.

        Raises:
            ParameterError: there is no query.
            ProtocolError: the server cannot use it.
            ServiceError: the server does not have the keys, refuses, fails, or stays out of reach.
        """
        terms, message = call.terms(), key_file.read_message(call.query)
        keys = key_file.peek(call.evaluation, KeyKind.EVALUATION).digest
        with self._client() as client:
            reply = client.compute(terms.name, keys, message)
        return key_file.packed(KeyKind.ANSWER, terms.digest, answered(message, reply))

    def _client(self) -> Client:
        return Client(self.url, Token.load(self.token_file), authority=self.authority)
