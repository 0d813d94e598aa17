#!/usr/bin/env python3
"""Holds what `tocsin replay` says about generate.py's telemetry against what was planted in it.

    compare.py --tocsin build/release/tocsin --rules rules --data DIR        one generated directory
    compare.py --tocsin build/release/tocsin --rules rules --seeds 1-20      generate and compare each seed

Exit status 0: all as planted; 1: a difference; 2: used wrongly. What each difference is, is on stdout.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from datetime import datetime

import generate

FRAGMENT = 12       # a masked "AKIA****WXYZ" is fine, so many bytes of a secret in a row are not


def seconds(text):
    """RFC 3339 to seconds; Python 3.11 reads at most six digits of a fraction."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text).replace("Z", "+00:00")).timestamp()


def run_replay(tocsin, rules, data):
    command = [tocsin, "replay", "--rules", *rules, "--specs", os.path.join(data, "specs.yaml"), "-o", "json",
               os.path.join(data, "events.jsonl")]
    return subprocess.run(command, capture_output=True, timeout=600)


class Comparison:
    def __init__(self, incidents, truth, lines):
        self.incidents, self.truth = incidents, truth
        self.alerts = [line for line in lines if line.get("kind") == "alert"]
        self.halts = [line for line in lines if line.get("kind") == "halt"]
        self.dead = [line for line in lines if line.get("kind") == "dead_letter"]
        self.summary = lines[-1] if lines and lines[-1].get("kind") == "summary" else None
        self.rows, self.differences, self.notes = [], [], []

    def differ(self, text):
        self.differences.append(text)

    def alerts_of(self, incident, state):
        wanted = incident["labels"].items()
        return [a for a in self.alerts if a["state"] == state and a["alert"] == incident["alert"]
                and all(str(a["labels"].get(k)) == v for k, v in wanted)]

    def check(self):
        claimed = set()
        for incident in self.incidents:
            firing = self.alerts_of(incident, "firing")
            claimed.update(id(a) for a in firing)
            wrong = self.incident_differs(incident, firing)
            self.rows.append((incident, firing[0]["time"] if firing else "-", "ok" if not wrong else "; ".join(wrong)))
            hint = " (silence after it: no_data, see generate.py's Reading.silence_ends)" if "hangs_on" in incident["note"] else ""
            for text in wrong:
                self.differ(f"{incident['alert']} of {incident['labels']['agent']}: {text}{hint}")
        for alert in self.alerts:
            if alert["state"] == "firing" and id(alert) not in claimed:
                self.differ(f"unexpected: {alert['alert']} {alert['labels']} at {alert['time']}, value {alert.get('value')}, "
                            f"baseline {alert.get('baseline')}, samples {alert.get('samples')}")
        self.check_order()
        self.check_halts()
        self.check_summary()

    def incident_differs(self, incident, firing):
        if not firing:
            return ["did not fire"]
        wrong = []
        if len(firing) > 1:
            wrong.append(f"fired {len(firing)} times: {', '.join(a['time'] for a in firing)}")
        at = seconds(firing[0]["time"])
        if at < seconds(incident["begin"]):
            wrong.append(f"fired {seconds(incident['begin']) - at:.0f} s before it began")
        if at > seconds(incident["must_page_by"]):
            wrong.append(f"fired {at - seconds(incident['must_page_by']):.0f} s late")
        pages = {a.get("page_id") for a in firing}
        if len(pages) != 1 or None in pages:
            wrong.append(f"{len(pages)} page ids")
        if incident["must_resolve"] and not any(seconds(a["time"]) > at for a in self.alerts_of(incident, "resolved")):
            wrong.append("never resolved")
        return wrong

    def check_order(self):
        """Lines come in order of event time; of one episode, the firing first."""
        times = [seconds(a["time"]) for a in self.alerts]
        if times != sorted(times):
            self.differ("alert lines are not in order of time")
        open_episodes = set()
        for alert in self.alerts:
            key = (alert["alert"], json.dumps(alert["labels"], sort_keys=True), alert.get("episode"))
            if alert["state"] == "firing":
                open_episodes.add(key)
            elif key not in open_episodes:
                self.differ(f"resolved without a firing: {alert['alert']} {alert['labels']} at {alert['time']}")

    def check_halts(self):
        leaks = [i for i in self.incidents if i["alert"] == "SecretLeak"]
        ids = {h.get("halt_id") for h in self.halts}
        if len(ids) > len(leaks):
            self.differ(f"{len(ids)} halt ids for {len(leaks)} leak")
        if leaks and not ids:
            self.differ("the leak halted nothing")
        for leak in leaks:
            scope = "task:" + leak["labels"]["correlation_id"]
            for halt in self.halts:
                if halt.get("scope") != scope:
                    self.differ(f"halt of {halt.get('scope')}, not of {scope}")
            page = min((seconds(a["time"]) for a in self.alerts_of(leak, "firing")), default=None)
            if self.halts and page is not None and min(seconds(h["time"]) for h in self.halts) > page:
                self.differ("the halt is later than its page")

    def check_summary(self):
        if self.summary is None:
            self.differ("the last line is no summary")
            return
        if self.summary.get("records") != self.truth["records"]:
            self.differ(f"records: {self.summary.get('records')}, written were {self.truth['records']}")
        reasons = {}
        for line in self.dead:
            reasons[line.get("reason")] = reasons.get(line.get("reason"), 0) + 1
        self.notes += [f"dead letters: {n} x {reason}" for reason, n in sorted(reasons.items(), key=str)]
        for name in ("tasks", "model_calls", "tool_calls", "tool_errors", "surfaces", "tokens_in", "tokens_cached", "tokens_out"):
            if self.summary.get(name) != self.truth[name]:
                self.notes.append(f"{name}: {self.summary.get(name)}, by the generator {self.truth[name]}")
        if self.summary.get("cost_usd") not in (None, self.truth["cost_usd_where_priced"]):
            self.notes.append(f"cost_usd: {self.summary['cost_usd']}, by the generator {self.truth['cost_usd_where_priced']}")

    def check_leaks(self, output):
        """No piece of the secret and no PII in anything that was written, however its slashes are escaped."""
        plain = output.replace(b"\\/", b"/")
        for secret in self.truth["secrets"]:
            pieces = {secret[i:i + FRAGMENT].encode() for i in range(len(secret) - FRAGMENT + 1)}
            if any(piece in plain for piece in pieces):
                self.differ("the secret's bytes are in the output")
        leaked = [value for value in self.truth["pii"] if value.encode() in plain]
        if leaked:
            self.differ(f"{len(leaked)} PII values are in the output")


def compare(tocsin, rules, data, strict_totals):
    with open(os.path.join(data, "incidents.json"), encoding="utf-8") as file:
        incidents = json.load(file)
    with open(os.path.join(data, "truth.json"), encoding="utf-8") as file:
        truth = json.load(file)
    result = run_replay(tocsin, rules, data)
    lines, unreadable = [], 0
    for line in result.stdout.splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            unreadable += 1
    comparison = Comparison(incidents, truth, lines)
    if result.returncode != 0:
        comparison.differ(f"exit status {result.returncode}: {tail(result.stderr, truth)}")
    if unreadable:
        comparison.differ(f"{unreadable} lines are not JSON")
    comparison.check()
    comparison.check_leaks(result.stdout + result.stderr)
    if strict_totals:
        comparison.differences += [f"total: {note}" for note in comparison.notes]
    return comparison


def tail(stderr, truth):
    text = stderr.decode("utf-8", "replace").strip()[-400:]
    for value in truth["secrets"] + truth["pii"]:
        text = text.replace(value, "<planted>")
    return text


def show(name, comparison):
    print(f"== {name}: {'as planted' if not comparison.differences else str(len(comparison.differences)) + ' differences'}")
    for incident, fired, verdict in comparison.rows:
        label = incident["labels"].get("spec_version") or incident["labels"].get("correlation_id", "")[:12]
        print(f"  {incident['alert']:26}{incident['labels']['agent']:14}{label:14}expected {incident['expected'][5:19]}  "
              f"by {incident['must_page_by'][5:19]}  fired {fired[5:19]:15} {verdict}")
    for text in comparison.differences:
        print(f"  DIFFERENCE {text}")
    for text in comparison.notes:
        print(f"  note {text}")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tocsin", required=True)
    parser.add_argument("--rules", required=True, nargs="+", metavar="PATH")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--data", metavar="DIR")
    what.add_argument("--seeds", metavar="A-B")
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--no-incidents", action="store_true", help="with --seeds: only noise, nothing may fire")
    parser.add_argument("--strict-totals", action="store_true", help="the summary's totals and dead letters are differences too")
    parser.add_argument("--keep", metavar="DIR", help="with --seeds: write there and leave the data, to look into")
    args = parser.parse_args()

    if args.data:
        comparison = compare(args.tocsin, args.rules, args.data, args.strict_totals)
        show(args.data, comparison)
        return 1 if comparison.differences else 0

    match = re.fullmatch(r"(\d+)(?:-(\d+))?", args.seeds)
    if not match:
        parser.error("--seeds: A-B, or one number")
    first, last = int(match[1]), int(match[2] or match[1])
    failed = []
    for seed in range(first, last + 1):
        with tempfile.TemporaryDirectory(prefix="tocsin-oracle-") as temporary:
            data = os.path.join(args.keep, f"seed-{seed}") if args.keep else temporary
            generate.write(seed, args.days, not args.no_incidents, data)
            comparison = compare(args.tocsin, args.rules, data, args.strict_totals)
            show(f"seed {seed}", comparison)
            if comparison.differences:
                failed.append(seed)
    print(f"{last - first + 1 - len(failed)} of {last - first + 1} seeds as planted" + (f"; not: {failed}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
