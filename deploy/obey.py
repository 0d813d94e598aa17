#!/usr/bin/env python3
"""An agent's side of a halt: obey.py --url http://127.0.0.1:8080 --task ID (or --agent NAME)

Fails open: while Tocsin is away it works on, by what it knew last. To fail closed, see FAIL CLOSED below."""
import argparse, json, os, threading, time, urllib.request

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--url", required=True)
who = parser.add_mutually_exclusive_group(required=True)
who.add_argument("--task")
who.add_argument("--agent")
args = parser.parse_args()
scope = f"task:{args.task}" if args.task else f"agent:{args.agent}"
in_force, heard = frozenset(), time.monotonic()  # ids of the halts that hold us; when Tocsin last answered


def call(path, body=None):
    headers = {"Content-Type": "application/json"}
    if "TOCSIN_TOKEN" in os.environ:
        headers["Authorization"] = "Bearer " + os.environ["TOCSIN_TOKEN"]
    request = urllib.request.Request(args.url.rstrip("/") + path, body and json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as reply:  # longer than wait_ms
        return json.loads(reply.read() or b"{}")


def watch():
    """Halts are state in a log: read it from its start, then wait at its end. Null is a tombstone."""
    global in_force, heard
    offset, halts, releases = 0, set(), set()
    while True:
        try:
            page = call(f"/v1/topics/halts?from={offset}&wait_ms=10000")
            for record in page["records"]:
                kind, _, rest = record["key"].partition("/")  # halt/SCOPE/ID or release/SCOPE/ID
                of, _, halt_id = rest.rpartition("/")
                value = record["value"]
                if of == scope and kind == "halt":  # dry runs and held ones stop nobody
                    (halts.add if value and value.get("enforced") is True else halts.discard)(halt_id)
                elif of == scope and kind == "release":
                    (releases.add if value else releases.discard)(halt_id)
            offset, in_force, heard = page["next"], frozenset(halts - releases), time.monotonic()
        except Exception as error:  # away, restarting, or not speaking our language: ask again
            print("cannot hear Tocsin:", error, flush=True)
            time.sleep(0.05)


threading.Thread(target=watch, daemon=True).start()
acknowledged = set()
while True:
    halted_by = in_force
    if halted_by:  # FAIL CLOSED: ... or time.monotonic() - heard > 30 (and start with heard = -inf)
        for halt_id in halted_by - acknowledged:  # only now, when the work has stopped
            print("halted", flush=True)
            try:
                call("/v1/halt-acks", {"halt_id": halt_id, "scope": scope, "by": "obey.py"})
                acknowledged.add(halt_id)
            except OSError as error:  # said again in the next round
                print("cannot acknowledge:", error, flush=True)
        time.sleep(0.2)
    else:
        print("working", flush=True)  # the agent's next step; a step is as long as a halt may take to bite
        time.sleep(0.05)
