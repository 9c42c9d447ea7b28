"""Clients of a server that are slow, silent, greedy or malformed."""

from __future__ import annotations

from tests.mutants import Mutant

SHARES = "tests/serve/test_fair_shares.py::"
GREEDY = "tests/serve/test_greedy_clients.py::"
IMPATIENT = "tests/serve/test_impatient_server.py::"
MALFORMED = "tests/serve/http/test_malformed_requests.py::"
HONEST = GREEDY + "test_an_honest_client_beside_a_greedy_one_gets_her_result"

SERVER = (
    Mutant(
        16, "a refused upload deletes keys", "serve/store.py",
        "        self._victims(kept, new, amount, in_use)\n        shares = self._arriving_shares",
        "        for each in kept:\n            self._delete([each])\n"
        "        self._victims(kept, new, amount, in_use)\n        shares = self._arriving_shares",
        SHARES + "test_a_refused_upload_deletes_nobodys_keys",
    ),
    Mutant(
        16, "an upload that is only announced deletes keys", "serve/store.py",
        "        self._victims(kept, new, amount, in_use)\n        shares = self._arriving_shares",
        "        self._delete(self._victims(kept, new, amount, in_use))\n        shares = self._arriving_shares",
        SHARES + "test_an_upload_that_does_not_become_whole_deletes_nobodys_keys",
    ),
    Mutant(
        16, "the oldest keys go, whoever uploads", "serve/evictions.py",
        "(modest or held[name] >= held[new.client])", "True",
        SHARES + "test_who_uploads_more_than_its_share_takes_nothing_from_who_holds_less",
    ),
    Mutant(
        16, "no client has a share of keys", "serve/evictions.py",
        "(held[name] > share and (modest", "(held[name] > 0 and (modest",
        SHARES + "test_who_uploads_more_than_its_share_takes_nothing_from_who_holds_less",
    ),
    Mutant(
        16, "keys go although jobs wait for them", "serve/evictions.py",
        "        if (bundle.client, bundle.digest) not in in_use:", "        if True:",
        SHARES + "test_keys_in_use_and_those_of_a_client_within_its_share_stay",
    ),
    Mutant(
        16, "the same keys again count twice", "serve/store.py",
        "if (each.client, each.digest) != (new.client, new.digest)]", "]",
        SHARES + "test_the_same_keys_again_take_no_room_twice",
    ),
    Mutant(
        16, "the order of uses hangs on the clock", "serve/store.py",
        "self._used.get((client, digest), 0)))", "path.stat().st_mtime))",
        SHARES + "test_the_order_of_uses_survives_a_clock_that_is_put_back_and_a_restart",
    ),
    Mutant(
        16, "keys of a client that is gone stay", "serve/store.py",
        "revoked = [path for path in self._keys.iterdir() if self._clients and path.name not in self._clients]",
        "revoked = []", SHARES + "test_keys_of_a_client_whose_token_was_taken_back_go_with_it",
    ),
    Mutant(
        16, "what is left of the disk is not looked at", "serve/store.py",
        "        amount = count - self._free()\n", "        amount = 0\n",
        SHARES + "test_on_a_disk_that_is_too_small_keys_go_only_as_bytes_come",
    ),
    Mutant(
        16, "reservations are given back twice", "serve/store.py",
        "    if held[client] <= 0:", "    if held[client] == 0:", SHARES + "test_reservations_are_given_back_once",
    ),
    Mutant(
        16, "two clients share a token", "serve/http/tokens.py",
        "elif bytes.fromhex(text) in (digest for _, digest in known):", "elif False:",
        SHARES + "test_one_token_of_two_clients_is_refused",
    ),
    Mutant(
        16, "one client may have all bundles", "serve/store.py",
        "idle[: max(0, too_many)]", "idle[:0]", SHARES + "test_whoever_uploads_much_loses_its_own_keys",
    ),
    Mutant(
        16, "one client may have all uploads", "serve/service.py",
        "Shares(self.limits.uploads_at_once, len(self.clients), self.limits.uploads_per_client)",
        "Shares(self.limits.uploads_at_once, 1)",
        GREEDY + "test_uploads_of_one_client_are_refused_beyond_its_share_and_no_sooner",
    ),
    Mutant(
        16, "one client may have the whole spool", "serve/store.py",
        "Shares(limits.spool_bytes, len(clients))", "Shares(limits.spool_bytes, 1)",
        SHARES + "test_a_part_of_the_spool_is_set_aside_for_each",
    ),
    Mutant(
        16, "one client may reserve all that keys may be", "serve/store.py",
        "Shares(limits.arriving_bytes, len(clients), limits.keys_bytes)", "Shares(limits.arriving_bytes, 1)",
        SHARES + "test_what_is_only_announced_takes_nothing_from_anybody",
    ),
    Mutant(
        16, "one client may have the whole queue", "serve/workers/scheduler.py",
        "Shares(limits.queued_jobs, clients, limits.queued_jobs_per_client)", "Shares(limits.queued_jobs, 1)",
        GREEDY + "test_places_in_the_queue_are_kept_for_others",
    ),
    Mutant(
        16, "one client may leave any number of results", "serve/service.py",
        "if len(mine) >= self.limits.jobs_per_client:", "if False:", HONEST + "[results_that_nobody_fetches]",
    ),
    Mutant(
        16, "one client may have any number of requests", "serve/http/app.py",
        "self._at_once[client] >= self._most:", "False:",
        GREEDY + "test_requests_at_once_are_refused_beyond_a_share_until_their_client_goes_away",
    ),
    Mutant(
        16, "one client may have any number of connections", "serve/http/connections.py",
        "if len(self._waiting[owner]) > self.limits.connections_per_client:", "if False:",
        GREEDY + "test_connections_that_wait_are_closed_beyond_a_share_the_oldest_first",
    ),
    Mutant(
        16, "a head is waited for", "serve/http/connections.py",
        "call_later(self._limits.header_seconds, self.give_up)", "call_later(9999, self.give_up)",
        IMPATIENT + "test_a_head_that_does_not_end_is_not_waited_for",
    ),
    Mutant(
        16, "bytes of a head win time", "serve/http/connections.py",
        "        if not self.transport.is_closing():\n            super()",
        "        self._stop_waiting()\n        if not self.transport.is_closing():\n            super()",
        IMPATIENT + "test_a_head_that_does_not_end_is_not_waited_for",
    ),
    Mutant(
        16, "an answer that is not read is waited for", "serve/http/connections.py",
        "        self._stop_reader()\n"
        "        self._reader = self.loop.call_later(self._limits.answer_idle_seconds, self.transport.abort)",
        "        pass", IMPATIENT + "test_a_result_that_is_not_read_is_not_waited_for",
    ),
    Mutant(
        16, "the end of an answer is waited for", "serve/http/connections.py",
        "                self._reader = self.loop.call_later(self._limits.answer_idle_seconds, self.transport.abort)",
        "                pass", IMPATIENT + "test_what_is_left_of_an_answer_is_not_waited_for_after_its_end",
    ),
    Mutant(
        16, "a body may come as slowly as it likes", "serve/http/bodies.py",
        "left = min(idle, idle + bytes_ / rate - waited, ", "left = min(idle, ",
        IMPATIENT + "test_a_body_by_the_byte_is_not_waited_for",
    ),
    Mutant(
        16, "questions for news outlive their clients", "serve/http/bodies.py",
        "tasks = (asyncio.create_task(changed.wait()), asyncio.create_task(disconnected(request)))",
        "tasks = (asyncio.create_task(changed.wait()),)",
        GREEDY + "test_requests_at_once_are_refused_beyond_a_share_until_their_client_goes_away",
    ),
    Mutant(
        16, "places of uploads are not given back", "serve/service.py",
        "            self._uploads[client] -= 1\n", "            pass\n",
        GREEDY + "test_uploads_of_one_client_are_refused_beyond_its_share_and_no_sooner",
    ),
    Mutant(
        16, "room for keys is not given back", "serve/service.py",
        "                self.store.release_key_room(length, client)\n", "                pass\n",
        HONEST + "[aborted_uploads]",
    ),
    Mutant(
        16, "the spool of a refused message is not given back", "serve/service.py",
        "                if not kept:\n", "                if False:\n", HONEST + "[silent_messages]",
    ),
    Mutant(
        16, "a client of which others take no more gives up", "serve/client/client.py",
        "_AGAIN = (408, 429,", "_AGAIN = (408,", GREEDY + "test_a_client_waits_until_its_own_share_is_free_again",
    ),
    Mutant(
        16, "a digest that is not ASCII is the server's fault", "serve/http/headers.py",
        "except ValueError:  # not ASCII, or not base64", "except __import__('binascii').Error:",
        MALFORMED + "test_what_is_malformed_is_refused_in_words",
    ),
    Mutant(
        16, "a number of 5000 digits is the server's fault", "serve/http/headers.py",
        " and len(text) <= _DIGITS):", "):", MALFORMED + "test_a_wait_that_is_none_is_refused",
    ),
    Mutant(
        16, "of two headers one counts", "serve/http/headers.py",
        "    if len(values) > 1:\n        raise ParameterError(Problem(name",
        "    if False:\n        raise ParameterError(Problem(name",
        MALFORMED + "test_what_is_malformed_is_refused_in_words",
    ),
    Mutant(
        16, "a length and a coding of one body", "serve/http/headers.py",
        "if said is not None and coding is not None:", "if False:",
        MALFORMED + "test_what_is_malformed_is_refused_in_words",
    ),
    Mutant(
        16, "any kind of content passes", "serve/http/headers.py",
        "if kind is not None and", "if False and", MALFORMED + "test_what_is_malformed_is_refused_in_words",
    ),
    Mutant(
        16, "malformed tokens are tokens nobody knows", "serve/http/headers.py",
        "    if got:\n", "    if False:\n",
        MALFORMED + "test_a_malformed_token_is_refused_in_words_that_do_not_repeat_it",
    ),
    Mutant(
        16, "a job deleted twice at once is the server's fault", "serve/service.py",
        "        entry = self._entries.get(job.id)\n"
        "        if entry is not None and entry.job is job:  # another request may have been faster\n"
        "            self._drop(entry)", "        self._drop(self._entries[job.id])",
        MALFORMED + "test_a_job_deleted_twice_at_once_is_gone_once",
    ),
    Mutant(
        16, "a refused body that breaks is answered again", "serve/http/connections.py",
        "        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):\n            for",
        "        if True:\n            for",
        MALFORMED + "test_a_body_that_breaks_after_its_refusal_is_not_answered_again",
    ),
    Mutant(
        16, "who reads a body that broke waits on", "serve/http/connections.py",
        "            self.cycle.disconnected = True  # whoever reads the body is told that no more comes\n"
        "            self.cycle.message_event.set()", "            pass",
        MALFORMED + "test_a_body_whose_framing_breaks_ends_its_request_and_nothing_else",
    ),
)  # fmt: skip
