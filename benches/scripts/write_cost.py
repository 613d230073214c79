"""What one stored decision costs SQLite, and which part of the schema costs it.

    python3 benches/scripts/write_cost.py target/release/cavra

Lets the binary create a store, then inserts decisions into copies of it that lack triggers, indexes or sessions, in
transactions of 60 with synchronous=FULL, and prints the processor time of each. Needs nothing but Python.
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

DECISIONS = 20_000
BATCH = 60
TRIALS = [
    ("decisions and sessions, indexes and counting triggers", (), True),
    ("the same without counting triggers", ("trigger",), True),
    ("decisions alone, indexes and triggers", (), False),
    ("decisions alone, no triggers", ("trigger",), False),
    ("decisions alone, neither", ("trigger", "index"), False),
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


def decisions(template):
    chance = random.Random(1)
    for number in range(DECISIONS):
        yield dict(
            template,
            decision_id="dec_%012x" % chance.getrandbits(48),
            session_id="s%d" % chance.randrange(1000),
            agent_id="a%d" % chance.randrange(200),
            repository="r%d" % chance.randrange(500),
            timestamp="2031-01-01T00:00:%09.6f+00:00" % (number / 1000 % 60),
        )


def columns(db, table):
    return [row[1] for row in db.execute(f"PRAGMA table_info({table})")]


def trial(folder, template, drop, with_sessions):
    """Microseconds of processor time for each decision."""
    # A place of its own: SQLite would take another copy's write-ahead log for this one's.
    copy = f"{tempfile.mkdtemp(dir=folder)}/activity.db"
    shutil.copy(f"{folder}/a.db", copy)
    db = sqlite3.connect(copy, isolation_level=None)
    db.execute("PRAGMA synchronous=FULL")
    objects = "SELECT type, name FROM sqlite_schema WHERE type IN ('trigger', 'index') AND sql IS NOT NULL"
    for kind, name in db.execute(objects).fetchall():
        if kind in drop:
            db.execute(f'DROP {kind} "{name}"')
    names, session_names = columns(db, "activity_decisions"), columns(db, "activity_sessions")
    session = db.execute("SELECT * FROM activity_sessions").fetchone()
    payload = session[session_names.index("payload")]
    for number in range(1, 1000):
        places = ",".join("?" * len(session_names))
        db.execute(f"INSERT INTO activity_sessions VALUES ({places})", (f"s{number}",) + session[1:])
    insert = f"INSERT OR ROLLBACK INTO activity_decisions VALUES ({','.join('?' * len(names))})"
    update = "UPDATE activity_sessions SET updated_at = ?, decision_count = ?, payload = ? WHERE session_id = ?"
    rows = [[json.dumps(d) if name == "payload" else d.get(name) for name in names] for d in decisions(template)]
    at, moment = names.index("session_id"), names.index("timestamp")
    started = time.thread_time()
    for start in range(0, DECISIONS, BATCH):
        touched = {}
        db.execute("BEGIN IMMEDIATE")
        for row in rows[start : start + BATCH]:
            db.execute(insert, row)
            touched[row[at]] = row[moment]
        if with_sessions:
            for name, updated in touched.items():
                db.execute(update, (updated, start, payload, name))
        db.execute("COMMIT")
    return (time.thread_time() - started) / DECISIONS * 1e6


def main():
    with tempfile.TemporaryDirectory() as folder:
        template = make_store(os.path.abspath(sys.argv[1]), folder)
        for name, drop, with_sessions in TRIALS:
            print(f"{name:<56}{trial(folder, template, drop, with_sessions):8.1f} us")


main()
