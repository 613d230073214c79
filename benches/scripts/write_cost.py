"""What one stored decision costs SQLite, and which part of the schema costs it.

    python3 benches/scripts/write_cost.py target/release/cavra

Lets the binary create a store, then writes decisions with their sessions and leaves into copies of it that lack
triggers or indexes, or have more, as 64 clients make them, in transactions of 25 with synchronous=FULL. Prints the
processor time and the pages of write-ahead log of each. Needs nothing but Python.
"""

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request

TRANSACTIONS = 800
BATCH = 25
CLIENTS = 64
# Decisions of one session.
SESSION = 40
# Bytes of a page and its head in the write-ahead log.
FRAME = 4096 + 24

DECISIONS = "activity_decisions"
FACETS = ("agent_id", "repository", "policy_pack", "action_type", "decision", "severity")
FACET_INDEXES = [
    f"CREATE INDEX trial_{name} ON {DECISIONS} ({name}, timestamp DESC, decision_id ASC)" for name in FACETS
]

# Name, what is dropped, what is made.
TRIALS = [
    ("the schema", lambda kind, table: False, []),
    ("without triggers", lambda kind, table: kind == "trigger", []),
    ("without indexes of sessions", lambda kind, table: kind == "index" and table == "activity_sessions", []),
    ("without indexes of decisions", lambda kind, table: kind == "index" and table == DECISIONS, []),
    ("with an index for each facet of decisions", lambda kind, table: False, FACET_INDEXES),
]


def make_store(binary, folder):
    """A store with one decision; answers the decision."""
    env = {"PATH": os.environ["PATH"], "HOME": folder, "CAVRA_ACTIVITY_DB": f"{folder}/a.db"}
    command = [binary, "serve", "--port", "0"]
    server = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=folder)
    address = server.stdout.readline().decode().split()[-1]
    action = {"action_type": "write_file", "target": "src/a.rs", "session_id": "s0"}
    request = urllib.request.Request(f"{address}/decisions", data=json.dumps(action).encode())
    decision = json.load(urllib.request.urlopen(request))
    server.terminate()
    server.wait()
    with sqlite3.connect(f"{folder}/a.db") as db:
        # The server leaves its log to whoever opens the store next; a copy of the file alone must have everything.
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return decision


class Store:
    """A copy of the store that was made, with another schema."""

    def __init__(self, folder, drop, make):
        # A place of its own: SQLite would take another copy's write-ahead log for this one's.
        self.path = f"{tempfile.mkdtemp(dir=folder)}/activity.db"
        shutil.copy(f"{folder}/a.db", self.path)
        self.db = sqlite3.connect(self.path, isolation_level=None)
        for pragma in ("synchronous=FULL", "wal_autocheckpoint=0", "cache_size=-8192"):
            self.db.execute(f"PRAGMA {pragma}")
        objects = "SELECT type, name, tbl_name FROM sqlite_schema WHERE type IN ('trigger', 'index') AND sql IS NOT NULL"
        for kind, name, table in self.db.execute(objects).fetchall():
            if drop(kind, table):
                self.db.execute(f'DROP {kind} "{name}"')
        for statement in make:
            self.db.execute(statement)
        self.columns = {table: self.columns_of(table) for table in (DECISIONS, "activity_sessions")}
        self.session = dict(zip(self.columns["activity_sessions"], self.row("SELECT * FROM activity_sessions")))
        self.leaves = self.row("SELECT coalesce(max(leaf_index), -1) + 1 FROM evidence_log")[0]
        self.sessions = set()

    def row(self, sql):
        return self.db.execute(sql).fetchone()

    def columns_of(self, table):
        return [row[1] for row in self.db.execute(f"PRAGMA table_info({table})")]

    def insert(self, table, record):
        columns = self.columns[table]
        places = ",".join("?" * len(columns))
        self.db.execute(f"INSERT OR ROLLBACK INTO {table} VALUES ({places})", [record.get(name) for name in columns])

    def write(self, decision):
        self.insert(DECISIONS, dict(decision, payload=json.dumps(decision)))
        session, moment = decision["session_id"], decision["timestamp"]
        if session in self.sessions:
            update = "UPDATE activity_sessions SET updated_at = ?, decision_count = ?, payload = ? WHERE session_id = ?"
            self.db.execute(update, (moment, self.leaves, self.session["payload"], session))
        else:
            self.sessions.add(session)
            same = {name: decision[name] for name in ("session_id", "agent_id", "repository")}
            self.insert("activity_sessions", dict(self.session, updated_at=moment, **same))
        self.db.execute("INSERT INTO evidence_log VALUES (?, ?)", (self.leaves, "x" * 180))
        self.leaves += 1

    def pages(self):
        """Pages of the write-ahead log, which is emptied."""
        pages = os.path.getsize(f"{self.path}-wal") // FRAME
        self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return pages


def decisions(template):
    """Transactions: in each, some of the clients have made a decision."""
    chance = random.Random(1)
    made = [0] * CLIENTS
    moment = 0
    for _ in range(TRANSACTIONS):
        batch = []
        for client in chance.sample(range(CLIENTS), BATCH):
            moment += 130
            batch.append(
                dict(
                    template,
                    decision_id="dec_%012x" % chance.getrandbits(48),
                    session_id=f"load-{client}-{made[client] // SESSION}",
                    agent_id=f"agent-{client % 16}",
                    repository=f"group/repository-{client % 32}",
                    timestamp="2031-01-01T00:%02d:%09.6f+00:00" % (moment // 60_000_000, moment % 60_000_000 / 1e6),
                )
            )
            made[client] += 1
        yield batch


def trial(folder, template, drop, make):
    """Microseconds of processor time and pages for each decision."""
    store = Store(folder, drop, make)
    pages, busy = 0, 0.0
    for number, batch in enumerate(decisions(template), 1):
        started = time.thread_time()
        store.db.execute("BEGIN IMMEDIATE")
        for decision in batch:
            store.write(decision)
        store.db.execute("COMMIT")
        busy += time.thread_time() - started
        if number % 40 == 0:
            pages += store.pages()
    count = TRANSACTIONS * BATCH
    return busy / count * 1e6, pages / count


def main():
    with tempfile.TemporaryDirectory() as folder:
        template = make_store(os.path.abspath(sys.argv[1]), folder)
        for name, drop, make in TRIALS:
            busy, pages = trial(folder, template, drop, make)
            print(f"{name:<44}{busy:8.1f} us{pages:8.2f} pages")


main()
