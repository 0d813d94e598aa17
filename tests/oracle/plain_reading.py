#!/usr/bin/env python3
"""A plain, slow, independent reading of the seven shipped rules over recorded events.

It shares no code with Tocsin and was written from the design's documents alone, so that the two can be held
against each other. Everything is evaluated literally, once a minute:

    plain_reading.py --specs rules/specs/demo.yaml [--json] [--incidents FILE] EVENTS

EVENTS ("-" is stdin) holds a record a line, `value` or `key TAB value`, in the native format. It is one partition:
a record's log time is the greatest time of the records up to it. --incidents names the planted incidents, a JSON
object a line: then each must be found exactly once, within its time, and nothing else; else the exit status is 1.

How the documents were read where they leave room:
  * Windows are [floor_minute(T) - w, T) and change with the minute, so T runs over whole minutes; deadlines, over
    the 10 s grid.
  * A block of an hour of which some quarters are excluded counts with what is left, scaled to an hour.
  * Without enough blocks the declared bound is the baseline, with a spread of 0.
  * The resolution clock (keep_firing_for) starts at the first minute in which the condition is false; unknown
    minutes neither start nor stop it, and are no minute to resolve at.
  * A group that is silent (no event of the type that the rule reads, for an hour) resolves with "no_traffic".
"""

import argparse
import json
import math
import re
import sys
from bisect import bisect_left
from collections import defaultdict
from datetime import datetime, timezone
from itertools import accumulate

MINUTE, QUARTER, HOUR = 60, 900, 3600  # times are seconds since the epoch
DAY = 24 * HOUR
WINDOWS = [QUARTER, 2 * QUARTER, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY]  # of a window given as a range
Z = 2.576  # two-sided confidence of 0.99
KEEP_FIRING_FOR = 30 * MINUTE
LEARN_AFTER = DAY
NO_TRAFFIC_AFTER = HOUR
SECRET = re.compile(r"AKIA[A-Z2-7]{16}")


def wilson(hits, samples):
    """The Wilson score bounds of hits / samples."""
    p, zz = hits / samples, Z * Z
    middle = p + zz / (2 * samples)
    reach = Z * math.sqrt(p * (1 - p) / samples + zz / (4 * samples * samples))
    return (middle - reach) / (1 + zz / samples), (middle + reach) / (1 + zz / samples)


# ---- reading ----


def to_seconds(time):
    if isinstance(time, str):
        return datetime.fromisoformat(time).timestamp()
    for divisor, least in ((1e9, 1e17), (1e6, 1e14), (1e3, 1e11)):
        if time >= least:
            return time / divisor
    return float(time)


def parse_duration(text):
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
    return sum(float(n) * units[unit] for n, unit in re.findall(r"(\d+)(ms|[smhdw])", text))


def read_specs(path):
    """{(name, version): {min, max, wall_clock, per_hour}} of a file with one spec a line."""
    specs = {}
    for line in open(path, encoding="utf-8"):
        name = re.search(r"name: *\"?([\w.-]+)", line.split("#")[0])
        if not name:
            continue
        found = {
            key: match.group(1)
            for key in ("version", "min", "max", "wall_clock", "per_hour")
            if (match := re.search(key + r": *\"?([\w.]+)", line))
        }
        specs[name.group(1), found["version"]] = {
            "min": float(found["min"]) if "min" in found else None,
            "max": float(found["max"]) if "max" in found else None,
            "per_hour": float(found["per_hour"]) if "per_hour" in found else None,
            "wall_clock": parse_duration(found["wall_clock"]) if "wall_clock" in found else None,
        }
    return specs


def read_events(path):
    """Pairs (log time, event), in the order of the file."""
    log_time = -math.inf
    with sys.stdin if path == "-" else open(path, encoding="utf-8") as lines:
        for line in lines:
            key, value = (None, line) if line.startswith("{") else line.split("\t", 1)
            event = json.loads(value)
            event.setdefault("correlation_id", key)
            event["at"] = to_seconds(event["time"])
            log_time = max(log_time, event["at"])
            yield log_time, event


def strings_of(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from strings_of(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings_of(each)


# ---- what was counted, minute by minute ----


class Series:
    """Samples, hits and an amount, by the minute, of one group under one rule."""

    def __init__(self, origin):
        self.origin = origin  # the start of a quarter
        self.samples, self.hits, self.amount = defaultdict(int), defaultdict(int), defaultdict(float)
        self.spec = None  # (name, version) of the last event
        self.baselines = {}  # what was computed once, by end and exclusions
        self.tasks = []  # (log time, correlation id) of the hits
        self.times = []

    def add(self, at, hit, amount=0.0, task=None):
        minute = int((at - self.origin) // MINUTE)
        self.samples[minute] += 1
        self.hits[minute] += hit
        self.amount[minute] += amount
        self.times.append(at)
        if hit and task is not None:
            self.tasks.append((at, task))

    def close(self, end):
        length = int((end - self.origin) // MINUTE) + 2
        self.sums = [
            [0, *accumulate(counted.get(minute, 0) for minute in range(length))]
            for counted in (self.samples, self.hits, self.amount)
        ]
        self.length = length

    def quarters(self, end, excluded):
        """(start, samples, hits, amount) of the day's quarters before `end` that are not excluded."""
        key = end, len(excluded.spans)
        if key not in self.baselines:
            starts = range(int(end - DAY), int(end), QUARTER)
            self.baselines[key] = [(q, *self.total(q, q + QUARTER)) for q in starts if q not in excluded]
        return self.baselines[key]

    def total(self, begin, end):
        """(samples, hits, amount) in [begin, end), whole minutes."""
        first, last = (min(max(int((t - self.origin) // MINUTE), 0), self.length) for t in (begin, end))
        return tuple(sums[last] - sums[first] for sums in self.sums)

    def distinct_tasks(self, begin, end):
        first, last = bisect_left(self.tasks, (begin, "")), bisect_left(self.tasks, (end, ""))
        return len({task for _, task in self.tasks[first:last]})

    def silent_for(self, at):
        before = bisect_left(self.times, at)
        return at - self.times[before - 1] if before else math.inf

    def smallest_window(self, at, windows, min_samples):
        for window in windows:
            if self.total(at - window, at)[0] >= min_samples:
                return window
        return None


class Excluded:
    """The quarters that touch an episode, from pending to resolved; at most learn_after of each."""

    def __init__(self):
        self.spans = []

    def add(self, begin, end):
        self.spans.append((begin, min(end, begin + LEARN_AFTER)))

    def __contains__(self, quarter):
        return any(quarter < end and begin < quarter + QUARTER for begin, end in self.spans)


def baseline_end(at, window):
    return (at - window) // QUARTER * QUARTER


# ---- the windowed rules: each returns (condition or None for unknown, value, baseline) ----


class CostSpike:
    alert, reads, hold, by_spec = "CostSpike", "step", 0, False

    def sample(self, event):
        return (0, float(event["cost_usd"])) if event.get("cost_usd") is not None else None

    def baseline(self, series, at, spec, excluded):
        end = baseline_end(at, HOUR)
        totals = []
        blocks = defaultdict(list)
        for start, samples, _, cost in series.quarters(end, excluded):
            blocks[(end - start - 1) // HOUR].append((samples, cost))
        for block in blocks.values():
            if len(block) >= 2 and any(samples for samples, _ in block):
                totals.append(sum(cost for _, cost in block) * 4 / len(block))
        if len(totals) >= 6:
            mean = sum(totals) / len(totals)
            spread = math.sqrt(sum((t - mean) ** 2 for t in totals) / len(totals))
            return max(mean, 1.0), spread
        declared = (spec or {}).get("per_hour")
        return None if declared is None else (max(declared, 1.0), 0.0)

    def judge(self, series, at, spec, baseline):
        samples, _, value = series.total(at - HOUR, at)
        if samples < 20 or baseline is None:
            return None, value
        mean, spread = baseline
        return value > 2 * mean and value > mean + 5 * spread and value - mean > 5.0, value


class ErrorRateSpike:
    alert, reads, hold, by_spec = "ErrorRateSpike", "task.finished", 0, False

    def sample(self, event):
        return (int(event["outcome"] in ("errored", "timed_out")), 0.0) if "outcome" in event else None

    def baseline(self, series, at, spec, excluded):
        window = series.smallest_window(at, WINDOWS, 10)
        if window is None:
            return None
        quarters = series.quarters(baseline_end(at, window), excluded)
        samples = sum(q[1] for q in quarters)
        return (max(sum(q[2] for q in quarters) / samples, 0.01), None) if samples >= 50 else None

    def judge(self, series, at, spec, baseline):
        window = series.smallest_window(at, WINDOWS, 10)
        if window is None:
            return None, None
        samples, hits, _ = series.total(at - window, at)
        if baseline is None:
            return None, hits / samples
        low, _ = wilson(hits, samples)
        return low > min(3 * baseline[0], (1 + baseline[0]) / 2) and hits >= 4, hits / samples


class SurfaceRate:
    reads, hold, by_spec = "task.finished", 15 * MINUTE, True

    def sample(self, event):
        return (int(event["outcome"] == "surfaced"), 0.0) if "outcome" in event else None

    def baseline(self, series, at, spec, excluded):
        return None

    def judge(self, series, at, spec, baseline):
        window = series.smallest_window(at, self.windows, self.min_samples)
        if window is None:
            return None, None
        samples, hits, _ = series.total(at - window, at)
        bound = (spec or {}).get(self.bound)
        return None if bound is None else self.outside(*wilson(hits, samples), bound), hits / samples


class SurfaceRateOutOfBand(SurfaceRate):
    alert, windows, min_samples, bound = "SurfaceRateOutOfBand", WINDOWS, 20, "max"

    def outside(self, low, high, bound):
        return low > bound


class SurfaceRateTooLow(SurfaceRate):
    alert, windows, min_samples, bound = "SurfaceRateTooLow", WINDOWS[2:], 130, "min"

    def outside(self, low, high, bound):
        return high < bound


class AuthorizationRefusalSpike:
    alert, reads, hold, by_spec = "AuthorizationRefusalSpike", "tool.call", 2 * MINUTE, False

    def sample(self, event):
        return int(event.get("authz") in ("refused", "refused_with_reason")), 0.0

    def baseline(self, series, at, spec, excluded):
        quarters = series.quarters(baseline_end(at, 5 * MINUTE), excluded)
        hits = sum(q[2] for q in quarters)
        return max(hits * 5 * MINUTE / max(len(quarters) * QUARTER, 1), 1.0), None

    def judge(self, series, at, spec, baseline):
        _, value, _ = series.total(at - 5 * MINUTE, at)
        tasks = series.distinct_tasks(at - 5 * MINUTE, at)
        return value >= 10 and value > 3 * baseline[0] and tasks >= 3, value


RULES = [CostSpike(), ErrorRateSpike(), SurfaceRateOutOfBand(), SurfaceRateTooLow(), AuthorizationRefusalSpike()]


def episodes_of(rule, group, series, specs, first, last):
    """The episodes of one group under one windowed rule."""
    spec = specs.get(series.spec)
    excluded = Excluded()
    pending = firing = clearing = frozen = None  # since when; clearing: first false minute of the firing one
    episodes = []

    def resolve(at, reason):
        episodes[-1].update(resolved=at, reason=reason)
        excluded.add(episodes[-1]["pending"], at)

    for at in range(first, last + 1, MINUTE):
        baseline = frozen
        if firing is None or at - firing > LEARN_AFTER:
            baseline = rule.baseline(series, at, spec, excluded)
        condition, value = rule.judge(series, at, spec, baseline)

        if condition is None:
            if firing is not None and series.silent_for(at) >= NO_TRAFFIC_AFTER:
                resolve(at, "no_traffic")
                pending = firing = clearing = frozen = None
        elif firing is not None:
            if condition:
                clearing = None
            else:
                clearing = at if clearing is None else clearing
                if at - clearing >= KEEP_FIRING_FOR:
                    resolve(at, "")
                    pending = firing = clearing = frozen = None
        elif condition:
            pending = at if pending is None else pending
            if at - pending >= rule.hold:
                firing, frozen = at, baseline
                episodes.append(
                    dict(alert=rule.alert, env=group[0], agent=group[1], correlation_id="", fired=at, resolved=None,
                         pending=pending, value=value, baseline=baseline[0] if baseline else None, reason="")
                )
        else:
            pending = None
    return episodes


# ---- the rules over one task and one event ----


class Task:
    def __init__(self, event, specs):
        budget = event.get("budget", {}).get("wall_clock_s")
        declared = specs.get((event.get("spec"), event.get("spec_version")), {}).get("wall_clock")
        self.event, self.started = event, event["at"]
        self.budget = float(budget) if budget is not None else declared
        self.paused_since, self.paused = None, 0.0
        self.episode = None

    def deadline(self):
        if self.budget is None or self.paused_since is not None:
            return math.inf
        return self.started + self.paused + 2 * self.budget


class TaskOverWallClock:
    """A deadline fires at the first grid time T >= deadline + 5 s, unless an end of before was read."""

    def __init__(self, specs):
        self.specs, self.open, self.ended, self.episodes = specs, {}, set(), []
        self.grid = None

    def fire(self, task):
        fired = -(-(task.deadline() + 5) // 10) * 10
        task.episode = dict(
            alert="TaskOverWallClock", env=task.event.get("env"), agent=task.event.get("agent"),
            correlation_id=task.event["correlation_id"], fired=fired, resolved=None, pending=fired,
            value=fired - task.started - task.paused, baseline=2 * task.budget, reason="",
        )
        self.episodes.append(task.episode)

    def advance(self, log_time):
        """Closes every grid time up to log_time."""
        grid = log_time // 10 * 10
        if grid == self.grid:
            return
        self.grid = grid
        for task in self.open.values():
            if task.episode is None and grid >= task.deadline() + 5:
                self.fire(task)

    def read(self, log_time, event):
        self.advance(log_time)
        task_id, kind = event["correlation_id"], event["type"]
        if kind == "task.started" and task_id not in self.open and task_id not in self.ended:
            self.open[task_id] = Task(event, self.specs)
        task = self.open.get(task_id)
        if task is None:
            return
        if kind == "task.paused" and task.paused_since is None:
            task.paused_since = event["at"]
        elif kind == "task.resumed" and task.paused_since is not None:
            task.paused += event["at"] - task.paused_since
            task.paused_since = None
        elif kind == "task.finished":
            if task.episode is None and event["at"] > task.deadline():  # late, though before the grid time
                self.fire(task)
            if task.episode:
                task.episode["resolved"] = (log_time // 10 + 1) * 10
            del self.open[task_id]
            self.ended.add(task_id)


class SecretLeak:
    def __init__(self):
        self.episodes = {}

    def read(self, log_time, event):
        for text in strings_of(event):
            if SECRET.search(text):
                key = (event.get("env"), event.get("agent"), event["correlation_id"])
                episode = self.episodes.setdefault(
                    key,
                    dict(alert="SecretLeak", env=key[0], agent=key[1], correlation_id=key[2], fired=log_time,
                         resolved=None, pending=log_time, value=0, baseline=None, reason=""),
                )
                episode["value"] += 1  # how often it was seen


# ---- the whole ----


def read_all(path, specs):
    """All episodes, by the time they fired, and how many events were read."""
    series, over_wall_clock, secrets = {}, TaskOverWallClock(specs), SecretLeak()
    first = last = origin = None
    count = 0
    for log_time, event in read_events(path):
        if origin is None:
            origin = log_time // QUARTER * QUARTER
            first = int(log_time // MINUTE * MINUTE + MINUTE)
        last, count = log_time, count + 1
        over_wall_clock.read(log_time, event)
        secrets.read(log_time, event)
        for rule in RULES:
            if rule.reads != event["type"]:
                continue
            sample = rule.sample(event)
            if sample is None:
                continue
            spec = event.get("spec"), event.get("spec_version")
            group = (event.get("env"), event.get("agent"), *(spec if rule.by_spec else ()))
            if (rule.alert, group) not in series:
                series[rule.alert, group] = Series(origin)
            series[rule.alert, group].spec = spec
            series[rule.alert, group].add(log_time, sample[0], sample[1], event["correlation_id"])
    if origin is None:
        return [], 0

    over_wall_clock.advance(last)
    episodes = over_wall_clock.episodes + list(secrets.episodes.values())
    by_alert = {rule.alert: rule for rule in RULES}
    for (alert, group), each in sorted(series.items(), key=lambda item: tuple(map(str, item[0][1])) + (item[0][0],)):
        each.close(last)
        episodes += episodes_of(by_alert[alert], group, each, specs, first, int(last // MINUTE * MINUTE))
    return sorted(episodes, key=lambda e: (e["fired"], e["alert"], e["agent"])), count


def rfc3339(seconds):
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def judge_incidents(episodes, path):
    """What differs between the episodes and the planted incidents, a sentence each."""
    wrong, left = [], list(episodes)
    for incident in map(json.loads, open(path, encoding="utf-8")):
        begin, end = to_seconds(incident["begin"]), to_seconds(incident["end"])
        found = [
            e for e in left
            if (e["alert"], e["agent"]) == (incident["alert"], incident["agent"])
            and incident["correlation_id"] in ("", e["correlation_id"])
        ]
        if len(found) != 1:
            wrong.append(f"{incident['alert']} of {incident['agent']}: found {len(found)} times")
        elif not begin <= found[0]["fired"] <= end:
            wrong.append(f"{incident['alert']} of {incident['agent']}: fired at {rfc3339(found[0]['fired'])}")
        left = [e for e in left if e not in found]
    return wrong + [f"unplanned: {e['alert']} of {e['agent']} at {rfc3339(e['fired'])}" for e in left]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    arguments.add_argument("--specs", required=True)
    arguments.add_argument("--json", action="store_true", help="one JSON object an episode")
    arguments.add_argument("--incidents", help="the planted incidents, to be found exactly once each")
    arguments.add_argument("events")
    options = arguments.parse_args()

    episodes, count = read_all(options.events, read_specs(options.specs))
    for episode in episodes:
        shown = {k: v for k, v in episode.items() if k != "pending"}
        shown.update(fired=rfc3339(episode["fired"]), resolved=rfc3339(episode["resolved"]))
        if options.json:
            print(json.dumps(shown))
        else:
            number = lambda x: "-" if x is None else f"{x:.4g}"
            resolved = shown["resolved"] or "not resolved"
            print(f"{shown['fired']}  {resolved:24}  {shown['alert']:25} {shown['agent']:18}"
                  f" value {number(shown['value'])} baseline {number(shown['baseline'])} {shown['correlation_id']}")
    print(f"{count} events, {len(episodes)} episodes", file=sys.stderr)
    if options.incidents:
        wrong = judge_incidents(episodes, options.incidents)
        print(*wrong, sep="\n", end="\n" if wrong else "", file=sys.stderr)
        return 1 if wrong else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
