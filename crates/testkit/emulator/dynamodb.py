"""A DynamoDB for tests: moto, serving one request at a time, because its transactions are not safe otherwise.

Started by the testkit with two paths. It writes its port on standard output and closes it. Whoever uses it holds a
shared lock on the first file; when nobody has for a while, it removes the second file, which says the port, and ends.
"""

import copy
import fcntl
import os
import sys
import threading
import time

os.environ.setdefault("AWS_ACCESS_KEY_ID", "test")
os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "test")

import logging

from moto.dynamodb import models
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

IDLE_SECONDS = 10


class CopiedOnce:
    """moto copies a table for every item of a transaction, to roll back; once is the same, and a hundred times faster."""

    def __init__(self):
        self.copies = {}

    def deepcopy(self, thing, *memo):
        if not isinstance(thing, models.Table) or memo:
            return copy.deepcopy(thing, *memo)
        if id(thing) not in self.copies:
            self.copies[id(thing)] = copy.deepcopy(thing)
        return self.copies[id(thing)]

    def __getattr__(self, name):
        return getattr(copy, name)


def copy_tables_once():
    once = CopiedOnce()
    models.copy = once
    transact = models.DynamoDBBackend.transact_write_items

    def transact_write_items(self, *arguments, **named):
        once.copies.clear()
        try:
            return transact(self, *arguments, **named)
        finally:
            once.copies.clear()

    models.DynamoDBBackend.transact_write_items = transact_write_items


def end_when_unused(users, port_file):
    with open(users, "a") as lock:
        unused_since = time.monotonic()
        while True:
            time.sleep(1)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                unused_since = time.monotonic()
                continue
            if time.monotonic() - unused_since > IDLE_SECONDS:
                # Still locked: who comes now waits until this process is gone.
                try:
                    os.remove(port_file)
                finally:
                    os._exit(0)
            fcntl.flock(lock, fcntl.LOCK_UN)


def main():
    users, port_file = sys.argv[1:3]
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    copy_tables_once()
    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=False)
    print(server.port, flush=True)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    threading.Thread(target=end_when_unused, args=(users, port_file), daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main()
