#!/usr/bin/env python3
"""Writes days of hostile but honest telemetry with planted incidents, to be held against `tocsin replay`.

    generate.py --seed N [--days 3] [--no-incidents] --out DIR

DIR/events.jsonl    `key TAB event`, native JSON (DESIGN.md section 5), in the order of arrival
DIR/specs.yaml      the declared bounds
DIR/incidents.json  what must fire: alert, labels to match, begin, end, must_page_by; nothing else may fire
DIR/truth.json      totals without the duplicates, and the byte strings (secret, PII) that no output may hold

It shares no code and no idea with the product's demo generator. Every agent is planned, then judged by a plain
reading of the shipped rules (class Reading; EXACTNESS.md 3.4) in three moods: as written, a little more sensitive and a
little more strict. Only a plan on which all three agree is written, so that a difference is never a matter of
rounding: each incident fires once and in time, each decoy stays below, and no noise pages.
"""

import argparse
import base64
import json
import math
import os
import random
import string
import sys
import uuid
from datetime import datetime, timedelta, timezone
from itertools import accumulate

MINUTE, HOUR, DAY = 60, 3600, 86400
FIRST_DAY = datetime(2026, 1, 20, tzinfo=timezone.utc)     # a Tuesday
ERRORS = ("errored", "timed_out")
REFUSALS = ("refused", "refused_with_reason")


# ---------------------------------------------------------------------------------------------- agents, tasks, events

class Agent:
    """One (env, agent) and how it behaves. `hours` are UTC; `busy` is its tasks an hour within them."""

    def __init__(self, name, spec, busy, hours, errors, surfaces, band, wall, cost, models, *, env="prod",
                 version="1.0", cost_spread=0.6, declared=True, authz=True, offset=None, integer_time=False):
        self.name, self.spec, self.version, self.env = name, spec, version, env
        self.busy, self.hours, self.errors, self.surfaces = busy, hours, errors, surfaces
        self.band, self.wall, self.cost, self.models = band, wall, cost, models
        self.cost_spread, self.declared, self.authz = cost_spread, declared, authz
        self.offset, self.integer_time = offset, integer_time
        self.rollout = None          # (begin, next version, its surface rate, its band)
        self.incidents, self.decoys, self.quiet_night = [], [], False

    def rate(self, hour_of_day):
        first, last = self.hours
        if not first <= hour_of_day < last or (self.quiet_night and 1 <= hour_of_day < 5):
            return 0.0
        return self.busy * (1.15 if 9 <= hour_of_day < 17 else 0.85) if last - first == 24 and self.busy > 8 else self.busy

    def per_hour(self):
        return self.busy * 1.25 * self.cost * math.exp(self.cost_spread ** 2 / 2)

    def bounds(self, version):
        return self.rollout[3] if self.rollout and version == self.rollout[1] else self.band

    def surface_rate(self, version):
        return self.rollout[2] if self.rollout and version == self.rollout[1] else self.surfaces


class Event:
    """`t` is its own time, `at` when it arrives (later: the log's time); both are seconds since the first midnight."""
    __slots__ = ("t", "at", "type", "fields", "task", "copies", "exact", "style")

    def __init__(self, t, type, fields, task, late=None, rng=None):
        if late is None:
            late = rng.uniform(1, 3) if rng.random() < 0.04 else rng.uniform(0, 0.6)
        self.t, self.at, self.type, self.fields, self.task = t, t + late, type, fields, task
        self.copies, self.exact, self.style = [], False, None


class Task:
    __slots__ = ("id", "agent", "begin", "end", "version", "model", "outcome", "events", "started", "budget", "session",
                 "finished", "forced")

    def __init__(self, agent, begin, end, rng):
        self.id = rng.choice((lambda: "%032x" % rng.getrandbits(128), lambda: str(uuid.UUID(int=rng.getrandbits(128), version=4)),
                              lambda: "run_%012d" % rng.randrange(10 ** 12)))()
        self.agent, self.begin, self.end = agent, begin, end
        self.version, self.model, self.outcome, self.session = agent.version, None, "completed", None
        self.events, self.started, self.budget, self.finished, self.forced = [], True, None, True, False


TOOLS = [("search_orders", "read"), ("get_customer", "read"), ("update_ticket", "write"), ("run_query", "read"),
         ("send_mail", "external"), ("read_file", "read"), ("refund", "write")]


def poisson(rng, mean):
    n, product, limit = 0, rng.random(), math.exp(-mean)
    while product > limit:
        n, product = n + 1, product * rng.random()
    return n


def build_task(agent, rng, begin, seconds=None, rounds=None):
    """One ordinary task: a prompt, rounds of (model call, tool call), a final model call, the end."""
    if seconds is None:
        seconds = min(rng.lognormvariate(math.log(140), 0.6), 1.2 * agent.wall)
    task = Task(agent, begin, begin + seconds, rng)
    rounds = rounds or rng.randint(3, 8)
    task.model = rng.choices([m[0] for m in agent.models], [m[1] for m in agent.models])[0]
    tier = next(m[2] for m in agent.models if m[0] == task.model)
    if agent.rollout:
        first, version = agent.rollout[:2]
        if rng.random() < (begin - first) / HOUR:
            task.version = version
    cost = agent.cost * rng.lognormvariate(0, agent.cost_spread)
    if rng.random() < 0.10:
        task.budget = rng.choice([agent.wall, 2 * agent.wall, 3 * agent.wall])
    add = lambda t, type, fields: task.events.append(Event(t, type, fields, task, rng=rng))

    task.started = rng.random() > 0.03
    if task.started:
        add(begin, "task.started", {"model": task.model, "model_version": "2025-11"})
    marks = sorted(rng.uniform(begin + 0.02 * seconds, task.end - 0.02 * seconds) for _ in range(rounds))
    add(begin + 0.01 * seconds, "step", {"step_type": "prompt", "content": "in"})
    shares = [rng.uniform(0.3, 1.7) for _ in range(rounds + 1)]
    for share, t in zip(shares, marks + [task.end - min(0.5, 0.005 * seconds)]):
        final = t > marks[-1]
        tokens = int(rng.lognormvariate(7.3, 0.7))
        fields = {"step_type": "final" if final else "tool_call", "model": task.model, "model_tier": tier, "tokens_in": tokens,
                  "tokens_out": int(rng.lognormvariate(4.5, 0.8)), "ttft_ms": round(rng.uniform(150, 1400), 1),
                  "generation_ms": round(rng.uniform(200, 5000), 1), "content": "out",
                  "cost": max(1, int(cost * 1e6 * share / sum(shares)))}
        if rng.random() < 0.3:
            fields["tokens_cached"] = tokens // 2
        if rng.random() < 0.02:
            del fields["cost"]                      # not priced: absent, which is not 0
        if task.started and rng.random() < 0.03:
            del fields["model"]                     # its task knows
        add(t, "step", fields)
        if not final:
            add_tool_call(task, rng, t + min(0.4, 0.005 * seconds))
            if rng.random() < 0.5:
                add(t + min(0.8, 0.01 * seconds), "step", {"step_type": "tool_result", "content": "result"})
    if seconds > 240 and rng.random() < 0.5:
        for k in range(1, int(seconds // 60)):
            add(begin + 60 * k, "task.heartbeat", {})
    add(task.end, "task.finished", {})
    if rng.random() < 0.03 and len(task.events) > 4:       # a step straggles past the end
        last = max((e for e in task.events if e.type == "step"), key=lambda e: e.t)
        task.events[-1].at, last.at = task.end + 0.1, last.t + rng.uniform(1.5, 3)
    return task


def add_tool_call(task, rng, t, authz=None, reason=None, error=None, content="result"):
    tool, effect = rng.choice(TOOLS)
    fields = {"tool": tool, "call_id": "call_%016x" % rng.getrandbits(64), "arguments": "plain", "result_schema": "json",
              "result_bytes": rng.randint(20, 9000), "latency_ms": round(rng.lognormvariate(5, 1), 2), "side_effect": effect,
              "content": content}
    draw = rng.random()
    if task.agent.authz:
        fields["authz"] = authz or "passed"
        if authz is None and draw < 0.004:
            fields["authz"], fields["authz_reason"] = rng.choice(REFUSALS), "policy"
    if authz:
        fields["authz"] = authz
    if reason:
        fields["authz_reason"] = reason
    if error or 0.004 <= draw < 0.05:
        fields["error_type"] = error or rng.choice(["TimeoutError", "HTTP 503", "PermissionError"])
        fields["content"] = "denied" if fields["error_type"] == "PermissionError" else content
    event = Event(t, "tool.call", fields, task, rng=rng)
    task.events.append(event)
    return event


# --------------------------------------------------------------------------------------------- one agent's days

def plan(agent, days, rng, boost):
    """All tasks of an agent: noise first, then outcomes, traps, decoys and incidents. `boost` grows with each attempt."""
    tasks = []
    for hour in range(24 * days):
        rate = agent.rate(hour % 24)
        if not rate:
            continue
        begin = hour * HOUR
        for _ in range(poisson(rng, rate * rng.lognormvariate(0, 0.15))):
            t = begin + rng.uniform(0, HOUR)
            tasks.append(build_task(agent, rng, t))
            if rng.random() < 0.01:                             # a small burst
                tasks += [build_task(agent, rng, t + rng.uniform(0, 20)) for _ in range(rng.randint(2, 3))]
    tasks += traps(agent, days, rng)
    for incident in agent.incidents:
        tasks += incident.extra_tasks(rng, boost)
    for task in tasks:
        assign_outcome(task, rng, boost)
    for decoy in agent.decoys:
        decoy(agent, tasks, days, rng)
    for incident in agent.incidents:
        incident.reshape(tasks, rng, boost)
    tasks.sort(key=lambda task: task.begin)
    return tasks


def assign_outcome(task, rng, boost):
    if task.forced:
        return
    agent, errors, surfaces = task.agent, task.agent.errors, task.agent.surface_rate(task.version)
    for incident in agent.incidents:
        if incident.begin <= task.end < incident.end:
            errors, surfaces = incident.rates(errors, surfaces, boost)
    draw = rng.random()
    if draw < errors:
        task.outcome = "errored" if rng.random() < 0.8 else "timed_out"
    elif draw < errors + surfaces:
        task.outcome = "surfaced"


def office(agent, day, rng, margin=1.0):
    """Some instant of the day's working hours, with room on both sides."""
    first, last = agent.hours
    first = max(first, 6)
    return day * DAY + rng.uniform(first + margin, min(last, 22) - margin) * HOUR


def traps(agent, days, rng):
    """Tasks that tempt a reader into an overrun that is none."""
    made = []
    if not agent.declared:
        hang = build_task(agent, rng, office(agent, days - 1, rng), seconds=120)
        hang.events = [e for e in hang.events if e.type != "task.finished"]      # no bound declared: unknown, not an overrun
        hang.budget, hang.finished, hang.forced = None, False, True
        return [hang]
    for day in range(days):
        for _ in range(2):                                  # ends just inside 2x; the end arrives late
            task = build_task(agent, rng, office(agent, day, rng), seconds=100)
            bound = task.budget = rng.choice([None, agent.wall // 2, agent.wall * 2])
            stretch(task, 2 * (bound or agent.wall) - rng.uniform(1.5, 15))
            must_start(task, rng)
            task.events[-1].at = task.end + rng.uniform(2, 3)
            task.started = True
            made.append(task)
        task = build_task(agent, rng, office(agent, day, rng), seconds=agent.wall * rng.uniform(0.6, 1.6))
        must_start(task, rng)
        task.budget = None
        overnight = day + 1 < days and rng.random() < 0.5
        pause(task, rng, rng.uniform(9, 13) * HOUR if overnight else agent.wall * rng.uniform(2.5, 5))
        made.append(task)
        for _ in range(2):                                  # the end arrives before the start, sometimes with nothing else
            task = build_task(agent, rng, office(agent, day, rng), seconds=rng.uniform(0.4, 1.5), rounds=1)
            must_start(task, rng)
            task.events[0].at = task.begin + rng.uniform(2.5, 3)
            if rng.random() < 0.5:
                task.events = [task.events[0], task.events[-1]]
            task.events[-1].at = task.end + 0.05
            made.append(task)
        task = build_task(agent, rng, office(agent, day, rng))     # known by its end only
        task.events, task.started = [task.events[-1]], False
        made.append(task)
    waiting = build_task(agent, rng, office(agent, 0, rng), seconds=60)          # paused, and never heard of again
    must_start(waiting, rng)
    waiting.events[-1] = Event(waiting.end, "task.paused", {}, waiting, rng=rng)
    waiting.finished, waiting.forced, waiting.budget = False, True, None
    return made + [waiting]


def must_start(task, rng):
    if not task.started:
        task.events.insert(0, Event(task.begin, "task.started", {"model": task.model}, task, rng=rng))
        task.started = True
    for event in task.events:
        event.exact = True


def stretch(task, seconds):
    factor = seconds / (task.end - task.begin)
    for event in task.events:
        late = event.at - event.t
        event.t = task.begin + (event.t - task.begin) * factor
        event.at = event.t + late
    task.end = task.begin + seconds


def pause(task, rng, seconds):
    at = task.begin + 0.4 * (task.end - task.begin)
    for event in task.events:
        if event.t > at:
            event.t, event.at = event.t + seconds, event.at + seconds
    task.end += seconds
    halves = [(at, at + seconds)] if rng.random() < 0.5 else [(at, at + 0.3 * seconds), (at + 0.3 * seconds + 5, at + seconds)]
    end = task.events.pop()
    for low, high in halves:
        task.events += [Event(low + 0.1, "task.paused", {}, task, rng=rng), Event(high - 0.1, "task.resumed", {}, task, rng=rng)]
    task.events.append(end)
    for event in task.events:
        event.exact = True


# ------------------------------------------------------------------------------------------------ decoys: no page

def decoy_three_errors(agent, tasks, days, rng):
    """Three errors close together, each delivered thrice: four hits would page, three must not."""
    at = office(agent, days - 1, rng, 3)
    near = sorted((t for t in tasks if abs(t.end - at) < 26 * HOUR), key=lambda t: abs(t.end - at))
    for task in near:
        if task.outcome in ERRORS and abs(task.end - at) < 8 * HOUR:
            task.outcome = "completed"
    for task in [t for t in near if t.finished and not t.forced][:3]:
        task.outcome = rng.choice(ERRORS)
        task.events[-1].copies = [rng.uniform(0.2, 2), rng.uniform(5, 40)]


def crowd(agent, tasks, at, rng, count, calls, **how):
    for _ in range(count):
        task = build_task(agent, rng, at + rng.uniform(-40, 20), seconds=rng.uniform(280, 320))
        end = task.events.pop()
        for k in range(calls):
            event = add_tool_call(task, rng, task.begin + 45 + k * (180 / calls) + rng.uniform(0, 3), **how)
            if how.get("authz") in REFUSALS:
                event.copies = [rng.uniform(0.1, 2.5)]
        task.events.append(end)
        scale_cost(task, 0.05 * agent.cost)
        assign_outcome(task, rng, 1)
        tasks.append(task)


def decoy_nine_refusals(agent, tasks, days, rng):
    crowd(agent, tasks, office(agent, rng.choice([days - 2, days - 1]), rng, 2), rng, 3, 3, authz="refused")


def decoy_two_tasks_refused(agent, tasks, days, rng):
    crowd(agent, tasks, office(agent, days - 1, rng, 2), rng, 2, 11, authz="refused_with_reason", reason="scope")


def decoy_shadow(agent, tasks, days, rng):
    """A policy in shadow mode would have refused; the call passed."""
    crowd(agent, tasks, office(agent, days - 1, rng, 2), rng, 5, 5, authz="passed", reason="shadow: would be refused")


def decoy_permission_denied(agent, tasks, days, rng):
    crowd(agent, tasks, office(agent, days - 1, rng, 2), rng, 4, 6, error="PermissionError", content="denied")


def decoy_small_cost(agent, tasks, days, rng):
    """Several times the baseline, but less than 5.00 above it."""
    at = office(agent, days - 2, rng, 2)
    scale_cost(min((t for t in tasks if t.finished), key=lambda t: abs(t.begin - at)), 3.4)


def decoy_few_steps(agent, tasks, days, rng):
    """A fortune at night in fewer than 20 steps: too few samples to judge."""
    if agent.hours[1] > 20:
        return
    task = build_task(agent, rng, (days - 2) * DAY + rng.uniform(2, 4) * HOUR, seconds=200, rounds=3)
    scale_cost(task, 25)
    tasks.append(task)


def decoy_stray_model(agent, tasks, days, rng):
    """One task on a model never seen: the old baseline goes on judging."""
    at = office(agent, days - 2, rng, 2)
    task = min((t for t in tasks if t.finished), key=lambda t: abs(t.begin - at))
    task.model = "fallback-" + task.model
    for event in task.events:
        if "model" in event.fields:
            event.fields["model"] = task.model


def decoy_surfaced_run(agent, tasks, days, rng):
    """Where no band is declared any number of hand-backs is no alert, and none is an error."""
    at = office(agent, days - 1, rng, 2)
    for task in sorted((t for t in tasks if t.finished), key=lambda t: abs(t.end - at))[:14]:
        task.outcome = "surfaced"


def scale_cost(task, dollars):
    priced = [e for e in task.events if "cost" in e.fields]
    for event in priced:
        event.fields["cost"] = int(dollars * 1e6 / len(priced))


# ---------------------------------------------------------------------------------------------------- incidents

class Incident:
    """`labels` are what an alert must carry; the times are seconds since the first midnight."""
    windowed = True

    def __init__(self, agent, begin, end):
        self.agent, self.begin, self.end = agent, begin, end
        self.must_page_by = self.expected = self.must_resolve = None
        self.labels = {"agent": agent.name}
        if agent.env:
            self.labels["env"] = agent.env
        self.note = {}

    def extra_tasks(self, rng, boost): return []
    def rates(self, errors, surfaces, boost): return errors, surfaces
    def reshape(self, tasks, rng, boost): pass


class CostSpike(Incident):
    def reshape(self, tasks, rng, boost):
        lo = self.begin - HOUR
        hours = [0] * 24
        inside = 0
        hit = []
        for task in tasks:
            for event in task.events:
                cost = event.fields.get("cost")
                if cost and lo - DAY <= event.t < lo:
                    hours[int((event.t - lo + DAY) // HOUR)] += cost / 1e6
                elif cost and self.begin <= event.t < self.end:
                    inside += cost / 1e6
                    hit.append(event)
        hours = [h for h in hours if h]
        mean = max(1.0, sum(hours) / len(hours))
        spread = math.sqrt(sum((h - mean) ** 2 for h in hours) / len(hours))
        need = max(2 * mean, mean + 5 * spread, mean + 5)
        factor = need * rng.uniform(1.3, 2.0) * boost / (inside / ((self.end - self.begin) / HOUR))
        self.note = {"cost_factor": round(factor, 2), "baseline": round(mean, 3), "threshold": round(need, 3)}
        for event in hit:
            event.fields["cost"] = int(event.fields["cost"] * factor)


class ErrorRateSpike(Incident):
    def rates(self, errors, surfaces, boost):
        bar = min(3 * max(errors, 0.01), (1 + errors) / 2)
        rate = min(1.0, bar + (0.30 if bar < 0.5 else 0.31) * boost)
        self.note = {"error_rate": round(rate, 3), "usual": errors}
        return rate, surfaces * (1 - rate) / (1 - errors)


class SurfaceRateOutOfBand(Incident):
    def rates(self, errors, surfaces, boost):
        rate = min(1 - errors, self.agent.bounds(self.labels["spec_version"])[1] + 0.30 * boost)
        self.note = {"surface_rate": round(rate, 3), "usual": surfaces}
        return errors, rate


class SurfaceRateTooLow(Incident):
    def rates(self, errors, surfaces, boost):
        rate = max(0.0, 0.02 - 0.02 * (boost - 1) * 3)
        self.note = {"surface_rate": round(rate, 3), "usual": surfaces}
        return errors, rate


class AuthorizationRefusalSpike(Incident):
    def extra_tasks(self, rng, boost):
        made, t = [], self.begin + 5
        while t < self.end - 330:
            task = build_task(self.agent, rng, t, seconds=rng.uniform(240, 320))
            end = task.events.pop()
            for k in range(rng.randint(3, 5)):
                event = add_tool_call(task, rng, task.begin + 15 + k * 40 + rng.uniform(0, 20), authz=rng.choice(REFUSALS),
                                      reason="tool not allowed for this session")
                if rng.random() < 0.2:
                    event.copies = [rng.uniform(0.1, 2)]
            task.events.append(end)
            scale_cost(task, 0.05 * self.agent.cost)            # turned away early, so cheap
            made.append(task)
            t += rng.uniform(25, 55) / boost
        self.note = {"tasks": len(made)}
        return made


class SecretLeak(Incident):
    windowed = False

    def extra_tasks(self, rng, boost):
        key = "".join(["AK", "IA"]) + "".join(rng.choice(string.ascii_uppercase + "234567") for _ in range(16))
        alphabet = string.ascii_letters + string.digits + "/+"
        while True:
            secret = "".join(rng.choice(alphabet) for _ in range(40))
            if secret[0].isalnum() and secret[-1].isalnum() and "/" in secret and "+" in secret:
                break
        self.secret = (key, secret)
        task = build_task(self.agent, rng, self.begin - 20, seconds=300, rounds=6)
        must_start(task, rng)
        task.budget = None
        first = True
        steps = [e for e in task.events if "tokens_in" in e.fields and e.t > self.begin][:5]
        calls = [e for e in task.events if e.type == "tool.call"]
        while len(calls) < 4:
            calls.append(add_tool_call(task, rng, task.end - 1 - len(calls)))
        task.events.sort(key=lambda e: e.t)
        end = next(e for e in task.events if e.type == "task.finished")
        task.events.remove(end)
        task.events.append(end)
        places = sorted(steps[:5] + calls[-4:], key=lambda e: e.t)
        styles = {"step": iter(["reply", "escaped", "messages", "transcript", "extra"]),
                  "tool.call": iter(["nested", "environment", "echo", "slashes"])}
        for event in places:
            event.style = next(styles[event.type])
        self.places = len(places)
        self.labels["correlation_id"] = task.id
        self.begin = min(e.t for e in places) - 2
        self.end = task.end
        self.expected = self.begin + 2
        self.must_page_by = min(e.at for e in places) + 20      # within the slice that holds it, whichever is stamped
        self.note = {"places": self.places}
        return [task]


class TaskOverWallClock(Incident):
    windowed = False

    def extra_tasks(self, rng, boost):
        task = build_task(self.agent, rng, self.begin, seconds=self.agent.wall * 0.25)
        must_start(task, rng)
        task.budget, task.forced = rng.choice([None, None, self.agent.wall // 2]), True
        bound = task.budget or self.agent.wall
        finish = task.events.pop()
        task.finished = rng.random() < 0.5
        if task.finished:
            task.end = self.start_end(task, bound, rng)
            finish.t, finish.at = task.end, task.end + 1
            task.outcome = rng.choice(["timed_out", "completed"])
            task.events.append(finish)
        self.labels["correlation_id"] = task.id
        self.note = {"budget_s": bound, "finishes": task.finished, "started": stamp(task.begin)}
        deadline = task.begin + 2 * bound
        self.begin, self.end, self.expected, self.must_page_by = deadline, task.begin + 3 * bound, deadline + 10, deadline + 40
        return [task]

    def start_end(self, task, bound, rng):
        return task.begin + bound * rng.uniform(3, 3.4)


# ---------------------------------------------------------------------------- the plain reading of the windowed rules

def wilson(hits, n, side):
    z, p = 2.576, hits / n
    middle, spread = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle + side * spread) / (1 + z * z / n)


class Life:
    """One alert's state: pending, firing, kept firing, resolved; `excluded` holds the quarters a baseline leaves out."""

    def __init__(self, hold, silence_ends):
        self.silence_ends = silence_ends
        self.hold, self.pending, self.firing, self.false_since = hold, None, None, None
        self.episodes, self.excluded, self.frozen = [], set(), None

    def step(self, m, truth, last_sample, baseline):
        if self.firing is not None:
            if truth is True:
                self.false_since = None
            elif truth is False and self.false_since is None:
                self.false_since = m
            if (self.false_since is not None and m - self.false_since >= 30) or (m - last_sample >= 60 and (self.silence_ends or truth is None)):
                self.excluded.update(range(self.pending // 15, (m - 1) // 15 + 1))
                self.episodes.append((self.firing, m))
                self.pending = self.firing = self.false_since = self.frozen = None
        elif m - last_sample >= 60 and self.silence_ends:
            self.pending = None             # silent: what a long window still remembers is no news, so it pages nobody again
        elif truth is True:
            self.pending = m if self.pending is None else self.pending
            if m - self.pending >= self.hold:
                self.firing, self.frozen = m, baseline
        elif truth is False:
            self.pending = None

    def close(self):
        return self.episodes + ([(self.firing, None)] if self.firing is not None else [])


class Reading:
    """Minute by minute over one (env, agent). mood: -1 more sensitive, 0 as written, +1 more strict."""
    RANGES = [15, 30, 60, 180, 360, 720, 1440]
    # An hour of silence resolves an alert, whatever a window of up to 24 h still remembers, and nothing fires in it. The
    # other reading, that silence counts only where the condition is unknown, is taken to mark what hangs on the choice.
    silence_ends = True

    def __init__(self, agent, tasks, minutes):
        self.agent, self.minutes, self.remembered = agent, minutes, {}
        zero = lambda: [0] * (minutes + 2)
        self.steps, self.priced, self.cost, self.ends, self.errors = zero(), zero(), zero(), zero(), zero()
        self.refused, self.by_version = [[] for _ in range(minutes + 2)], {}
        for task in tasks:
            for e in task.events:
                m = int(e.at // MINUTE) + 1                      # prefix sums: [m] is everything before minute m
                if e.type == "step":
                    self.steps[m] += 1
                    self.priced[m] += "cost" in e.fields
                    self.cost[m] += e.fields.get("cost", 0)
                elif e.type == "task.finished":
                    n, hits = self.by_version.setdefault(task.version, (zero(), zero()))
                    n[m] += 1
                    hits[m] += task.outcome == "surfaced"
                    self.ends[m] += 1
                    self.errors[m] += task.outcome in ERRORS
                elif e.fields.get("authz") in REFUSALS:
                    self.refused[m].append(task.id)
        self.refusals = list(accumulate(len(r) for r in self.refused))
        for name in ("steps", "priced", "cost", "ends", "errors"):
            setattr(self, name, list(accumulate(getattr(self, name))))
        self.by_version = {v: tuple(list(accumulate(s)) for s in pair) for v, pair in self.by_version.items()}

    def grow(self, counts, m, smallest, least):
        for w in self.RANGES:
            if w >= smallest and counts[m] - counts[max(0, m - w)] >= least:
                return w
        return None

    def episodes(self, mood):
        """[(rule, version or None, fired minute, resolved minute or None)]"""
        found = [("CostSpike", None, *e) for e in self.run(self.cost_spike, 0, self.steps, mood)]
        found += [("ErrorRateSpike", None, *e) for e in self.run(self.error_spike, 0, self.ends, mood)]
        found += [("AuthorizationRefusalSpike", None, *e) for e in self.run(self.refusal_spike, 2, None, mood)]
        for version, (n, hits) in self.by_version.items():
            band = self.agent.bounds(version) if self.agent.declared else None
            if band and band[1] is not None:
                over = lambda m, life, mood: self.surface(n, hits, m, 15, 20, lambda h, k: wilson(h, k, -1) > band[1] + 0.02 * mood)
                found += [("SurfaceRateOutOfBand", version, *e) for e in self.run(over, 15, n, mood)]
            if band and band[0] is not None:
                under = lambda m, life, mood: self.surface(n, hits, m, 60, 130, lambda h, k: wilson(h, k, 1) < band[0] * (1 - 0.08 * mood))
                found += [("SurfaceRateTooLow", version, *e) for e in self.run(under, 15, n, mood)]
        return found

    def run(self, condition, hold, counts, mood):
        life, last = Life(hold, self.silence_ends), 0
        for m in range(1, self.minutes + 1):
            if counts is None or counts[m] != counts[m - 1]:
                last = m
            truth, baseline = condition(m, life, mood)
            life.step(m, truth, last, baseline)
        return life.close()

    def surface(self, n, hits, m, smallest, least, holds):
        w = self.grow(n, m, smallest, least)
        if w is None:
            return None, None
        lo = max(0, m - w)
        return holds(hits[m] - hits[lo], n[m] - n[lo]), None

    def cost_spike(self, m, life, mood):
        lo = max(0, m - 60)
        if (self.priced if mood > 0 else self.steps)[m] - (self.priced if mood > 0 else self.steps)[lo] < 20:
            return None, None
        value = (self.cost[m] - self.cost[lo]) / 1e6
        if value < 5 and life.firing is None:
            return False, None                                  # the baseline is at least 1.00
        baseline = life.frozen or self.once(self.cost_baseline, (m - 60) // 15, life.excluded)
        if baseline is None:
            if not self.agent.declared or mood >= 0:
                return None, None
            baseline = (declared_cost(self.agent), 0.0)         # the most sensitive reading of a cold start
        mean, spread = baseline
        scale = 1 + 0.1 * mood
        return value > 2 * mean * scale and value > mean + 5 * spread * scale and value - mean > 5 * scale, baseline

    def once(self, baseline, last, excluded):
        """A baseline changes with its quarter and with what is excluded (which only grows)."""
        key = (baseline.__name__, last, len(excluded), min(excluded, default=0))
        if key not in self.remembered:
            self.remembered[key] = baseline(last, excluded)
        return self.remembered[key]

    def cost_baseline(self, last, excluded):
        blocks = []
        for first in range(last - 96, last, 4):
            quarters = [q for q in range(first, first + 4) if q not in excluded and q >= 0]
            if len(quarters) >= 2 and any(self.steps[15 * q + 15] != self.steps[15 * q] for q in quarters):
                blocks.append(sum(self.cost[15 * q + 15] - self.cost[15 * q] for q in quarters) / 1e6 * 4 / len(quarters))
        if len(blocks) < 6:
            return None
        mean = sum(blocks) / len(blocks)
        return max(1.0, mean), math.sqrt(sum((b - mean) ** 2 for b in blocks) / len(blocks))

    def error_spike(self, m, life, mood):
        w = self.grow(self.ends, m, 15, 10)
        if w is None:
            return None, None
        lo = max(0, m - w)
        hits, n = self.errors[m] - self.errors[lo], self.ends[m] - self.ends[lo]
        if hits < 4 and life.firing is None:
            return False, None
        baseline = life.frozen
        if baseline is None:
            wrong, seen = self.once(self.error_baseline, (m - w) // 15, life.excluded)
            if seen < 50 + 3 * mood:
                return None, None
            baseline = max(0.01, wrong / seen)
        bar = min(3 * baseline, (1 + baseline) / 2)
        return wilson(hits, n, -1) > bar + min(0.1 * bar, 0.02) * mood and hits >= 4, baseline

    def error_baseline(self, last, excluded):
        quarters = [q for q in range(max(0, last - 96), max(0, last)) if q not in excluded]
        return (sum(self.errors[15 * q + 15] - self.errors[15 * q] for q in quarters),
                sum(self.ends[15 * q + 15] - self.ends[15 * q] for q in quarters))

    def refusal_spike(self, m, life, mood):
        lo = max(0, m - 5)
        value = self.refusals[m] - self.refusals[lo]
        if value < (12 if mood > 0 else 10):
            return False, None
        baseline = life.frozen
        if baseline is None:
            last = 15 * max(0, (m - 5) // 15)
            baseline = max(1.0, (self.refusals[last] - self.refusals[max(0, last - 1440)]) / 288)
        tasks = len({t for r in self.refused[lo + 1:m + 1] for t in r})
        return value > 3 * baseline * (1 + 0.1 * mood) and tasks >= 3 + (mood > 0), baseline


def verdict(agent, tasks, minutes, moods=(-1, 0, 1)):
    """What is wrong with this plan, or None; fills the incidents' times where it is good."""
    reading = Reading(agent, tasks, minutes)
    wanted = {i.__class__.__name__: i for i in agent.incidents if i.windowed}
    times = {}
    for mood in moods:
        found = reading.episodes(mood)
        for rule, version, fired, resolved in found:
            incident = wanted.get(rule)
            if incident is None:
                return f"{rule} would fire on noise at {stamp(fired * MINUTE)} (mood {mood})"
            if version and version != incident.labels["spec_version"]:
                return f"{rule} would fire for version {version}"
            if (rule, mood) in times:
                return f"{rule} would fire twice (mood {mood})"
            if not incident.begin <= fired * MINUTE <= incident.end:
                return f"{rule} would fire at {stamp(fired * MINUTE)}, outside of the incident (mood {mood})"
            if incident.end + 3 * HOUR < minutes * MINUTE and (resolved is None or resolved > minutes - 20):
                return f"{rule} would not resolve in time (mood {mood})"
            times[rule, mood] = fired, resolved
        if len(found) != len(wanted):
            return f"{sorted(set(wanted) - {f[0] for f in found})} would not fire (mood {mood})"
    for rule, incident in wanted.items():
        incident.expected = times[rule, 0][0] * MINUTE
        if 1 in moods:
            incident.must_page_by = times[rule, 1][0] * MINUTE + 2 * MINUTE
        incident.must_resolve = incident.end + 3 * HOUR < minutes * MINUTE
    return overruns(tasks, {i.labels.get("correlation_id") for i in agent.incidents if isinstance(i, TaskOverWallClock)}, minutes)


def mark_silence(agent, tasks, minutes):
    """Notes at an incident that a reading of silence other than ours would page twice or not resolve."""
    reading = Reading(agent, tasks, minutes)
    reading.silence_ends = False
    found = reading.episodes(0)
    for incident in agent.incidents:
        ours = [e for e in found if e[0] == incident.__class__.__name__]
        if incident.windowed and (len(ours) != 1 or (incident.must_resolve and ours[0][3] is None)):
            incident.note["hangs_on"] = "no_data"


def overruns(tasks, planted, minutes):
    """No task but the planted ones may exceed twice its budget, declared pauses left out."""
    for task in tasks:
        bound = task.budget or (task.agent.wall if task.agent.declared else None)
        if bound is None or task.id in planted:
            continue
        events = sorted(task.events, key=lambda e: e.t)
        end, away, paused = (task.end if task.finished else minutes * MINUTE), 0, None
        for event in events:
            if event.type == "task.paused":
                paused = event.t
            elif event.type == "task.resumed":
                away, paused = away + event.t - paused, None
        if paused is not None:
            away += end - paused
        if end - events[0].t - away > 2 * bound - 1:
            return f"task {task.id} would overrun"
    return None


# --------------------------------------------------------------------------------------------------- the cast

def cast(seed, days, with_incidents):
    rng = random.Random(f"cast/{seed}")
    two = lambda a, b: [(a, 0.65, "frontier"), (b, 0.35, "small")]
    agents = [
        Agent("night-watch", "watch-policy", 4, (0, 24), 0.02, 0.15, (0.02, 0.32), 900, rng.uniform(0.1, 0.3),
              [("claude-sonnet-4-5", 1, "frontier")], offset=120, version="3.2"),
        Agent("claims-desk", "claims", rng.uniform(18, 24), (8, 18), 0.005, 0.30, (0.15, 0.45), 600, rng.uniform(0.05, 0.3),
              two("gpt-4o", "gpt-4o-mini"), version="1.9"),
        Agent("ledger-bot", "ledger-intent", 4, (9, 18), 0.10, 0.25, None, 1800, rng.uniform(0.15, 0.3),
              two("claude-opus-4-1", "claude-haiku-4-5"), integer_time=True, version="0.7"),
        Agent("front-office", "front-office-policy", rng.uniform(26, 32), (0, 24), 0.10, 0.30, (0.16, 0.50), 1200,
              rng.uniform(0.05, 0.4), two("gpt-4.1", "gpt-4.1-mini"), version="2.1"),
        Agent("scraper", "scrape/terms", rng.uniform(10, 13), (7, 22), 0.30, 0.10, (0.01, 0.30), 2700, rng.uniform(0.02, 0.2),
              [("mistral-large", 1, "frontier")], env=None, offset=-300, version="2024-10-01"),
        Agent("concierge", "concierge", rng.uniform(6, 7), (8, 20), 0.02, 0.20, (None, 0.40), 3600, rng.uniform(0.2, 0.6),
              two("gpt-4o", "gemini-2.5-flash"), offset=345, version="5"),
    ]
    others = [
        Agent("ledger-bot", "ledger-intent", 1, (9, 18), 0.60, 0.2, None, 1800, 0.2, [("claude-opus-4-1", 1, "frontier")],
              env="staging", version="0.7"),
        Agent("sandbox-experiment", "draft", 1, (8, 20), 0.10, 0.50, None, 600, 0.05, [("local-llama", 1, "local")],
              declared=False, authz=False, version="0.0.1"),
    ]
    watch, claims, ledger, front, scraper, concierge = agents
    if seed % 3 == 0:
        for agent in agents:
            agent.quiet_night = True

    hosts = {}
    if with_incidents:
        hosts["SurfaceRateTooLow"] = rng.choice([claims, front])
        free = [a for a in agents if a is not hosts["SurfaceRateTooLow"]]
        while True:
            rng.shuffle(free)
            hosts.update(zip(("CostSpike", "ErrorRateSpike", "SurfaceRateOutOfBand", "AuthorizationRefusalSpike"), free))
            # the ledger's 36 tasks a day are fewer than the 50 an error baseline asks for, and it declares no band
            if hosts["ErrorRateSpike"] is not ledger and hosts["SurfaceRateOutOfBand"] is not ledger:
                break
        hosts["SecretLeak"], hosts["TaskOverWallClock"] = rng.choice(agents), rng.choice(agents)

    # Two roll-outs in the middle, the cost unchanged. One changes the rate and the band together: judged by the other
    # version's band it would page. Versions are strings: 1.10 follows 1.9.
    surfaced = (hosts.get("SurfaceRateTooLow"), hosts.get("SurfaceRateOutOfBand"))
    middle = (days - 2) * DAY
    rolled = [a for a in (claims, front, scraper) if a is not hosts.get("CostSpike")]
    for agent in rng.sample(rolled, 2):
        begin = middle + rng.uniform(9, 15) * HOUR
        following = {"1.9": "1.10", "2.1": "2.10"}.get(agent.version, "2025-10-01")
        if agent in surfaced:
            agent.rollout = (begin, following, agent.surfaces, agent.band)
        else:
            agent.rollout = (begin, following, 0.55, (0.25, 0.80))

    for name, agent in hosts.items():
        agent.incidents.append(make_incident(name, agent, days, rng))

    calm = lambda rule: [a for a in agents if hosts.get(rule) is not a]
    rng.choice([a for a in calm("ErrorRateSpike") if a.errors < 0.05]).decoys.append(decoy_three_errors)
    refusing = rng.sample(calm("AuthorizationRefusalSpike"), 4)
    for agent, decoy in zip(refusing, (decoy_nine_refusals, decoy_two_tasks_refused, decoy_shadow, decoy_permission_denied)):
        agent.decoys.append(decoy)
    (ledger if hosts.get("CostSpike") is not ledger else watch).decoys.append(decoy_small_cost)
    rng.choice([a for a in (claims, concierge) if hosts.get("CostSpike") is not a]).decoys.append(decoy_few_steps)
    rng.choice([a for a in (watch, ledger, concierge)]).decoys.append(decoy_stray_model)
    ledger.decoys.append(decoy_surfaced_run)
    return agents + others


def make_incident(name, agent, days, rng):
    kind, today = globals()[name], (days - 1) * DAY
    first, last = max(agent.hours[0], 6), min(agent.hours[1], 20)
    if name == "SurfaceRateTooLow":
        begin = first + rng.uniform(0, 0.5)
        length = 9.5 if agent.name == "claims-desk" else rng.uniform(8, 9)
    elif name == "SurfaceRateOutOfBand":
        length = min(rng.uniform(2.5, 4) if agent.busy > 9 else rng.uniform(6, 7), last - first - 1.5)
        begin = rng.uniform(first + 1, max(first + 1, min(last, 18) - length))
    elif name == "AuthorizationRefusalSpike":
        length = rng.uniform(0.4, 1)
        begin = rng.uniform(first + 2, last - length - 0.2)
    elif name == "SecretLeak":
        length, begin = 0.1, rng.uniform(first + 1, last - 1)
    elif name == "TaskOverWallClock":
        length, begin = 0.1, rng.uniform(first + 0.3, last - 3.5)
    else:
        length = rng.uniform(2, 3) if agent.busy > 9 else rng.uniform(3, 4)
        begin = rng.uniform(first + 2, last - length - 0.3)
    incident = kind(agent, today + begin * HOUR, today + (begin + length) * HOUR)
    if name.startswith("Surface"):
        incident.labels["spec"] = agent.spec
        incident.labels["spec_version"] = agent.rollout[1] if agent.rollout else agent.version
    return incident


def declared_cost(agent):
    return max(3, math.ceil(1.6 * agent.per_hour()))


# ------------------------------------------------------------------------------------------------ writing it down

def stamp(t):
    return (FIRST_DAY + timedelta(seconds=t)).strftime("%Y-%m-%dT%H:%M:%SZ")


def written_time(t, agent, rng, exact):
    ns = int(FIRST_DAY.timestamp()) * 10 ** 9 + int(t * 1e9)
    draw = rng.random()
    if draw < (0.9 if agent.integer_time else 0.03):
        return ns
    offset = agent.offset if agent.offset is not None and draw < 0.6 else rng.choice([0] * 12 + [60, -480, 345, -210, 840])
    seconds, rest = divmod(ns, 10 ** 9)
    text = (datetime(1970, 1, 1) + timedelta(seconds=seconds + 60 * offset)).strftime("%Y-%m-%dT%H:%M:%S")
    digits = rng.choice([6, 6, 9]) if exact else rng.choice([0, 1, 3, 3, 6, 6, 6, 9])
    if digits:
        text += "." + ("%09d" % rest)[:digits]
    if offset == 0:
        return text + rng.choice(["Z", "Z", "Z", "+00:00"])
    return text + "%s%02d:%02d" % ("+-"[offset < 0], abs(offset) // 60, abs(offset) % 60)


def money(micro):
    text = "%d.%06d" % divmod(micro, 10 ** 6)
    return float(text)


class Writer:
    """Turns planned events into JSON, the way many different producers would write them."""

    WORDS = ("the invoice was matched against the ledger and two lines differ by a cent please confirm the address before "
             "refund because the customer moved last spring and asked for a copy of the token policy").split()

    def __init__(self, seed, secret):
        self.rng, self.secret, self.pii = random.Random(f"write/{seed}"), secret, []
        for i in range(40):
            rng = self.rng
            self.pii += [f"{rng.choice(['mia', 'noor', 'kofi', 'lena'])}.{rng.randrange(10 ** 6)}@mail{i}.example.com",
                         "%03d-%02d-%04d" % (rng.randint(1, 665), rng.randint(1, 99), rng.randint(1, 9999)),
                         luhn(rng), f"+1 {rng.choice(['202', '415'])} 555 {rng.randint(100, 199):04d}"]

    def prose(self, n):
        return " ".join(self.rng.choices(self.WORDS, k=n))

    def lookalike(self):
        """Long, random-looking, and no credential."""
        rng = self.rng
        blob = lambda n: base64.b64encode(rng.randbytes(n)).decode()
        return rng.choice((
            lambda: "trace " + str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            lambda: "sha256:%064x" % rng.getrandbits(256),
            lambda: "commit %040x" % rng.getrandbits(160),
            lambda: "integrity sha512-" + blob(64),
            lambda: "data:image/png;base64,iVBORw0KGgo" + blob(60),
            lambda: "cursor " + base64.b64encode(json.dumps({"after": rng.randrange(10 ** 9), "q": self.prose(3)}).encode()).decode(),
            lambda: "order no. %d-%d, parcel 1Z%016d" % (rng.randrange(10 ** 6), rng.randrange(10 ** 9), rng.randrange(10 ** 16)),
            lambda: "traceparent 00-%032x-%016x-01" % (rng.getrandbits(128), rng.getrandbits(64)),
            lambda: "llm.token_count.prompt=%d" % rng.randrange(10 ** 15),
            lambda: "package sk-learn-pipeline-v2, branch ghp-fix-login, region AKIA-7 dock " + "%08x" % rng.getrandbits(32),
            lambda: "the password field is required; token limit %d" % rng.randrange(10 ** 5),
        ))()

    def text(self):
        rng, parts = self.rng, [self.prose(self.rng.randint(4, 14))]
        if rng.random() < 0.10:
            parts.append("contact " + rng.choice(self.pii))
        if rng.random() < 0.15:
            parts.append(self.lookalike())
        if rng.random() < 0.03:
            parts.append(rng.choice(["Grüße, 東京 \U0001f512", "tab\there \"quoted\" back\\slash", "line\nbreak </script> {{agent}} %s"]))
        return " ".join(parts)

    def content(self, kind):
        if kind == "in":
            return {"input": self.text()}
        if kind == "out":
            return {"output": self.text()} if self.rng.random() < 0.8 else {}
        if kind == "denied":
            return {"result": self.rng.choice(["Permission denied: /etc/hostname", "403 access refused by upstream, not authorized",
                                               "bash: ./run.sh: Permission denied"])}
        return {"result": json.dumps({"rows": self.rng.randint(0, 40), "note": self.text()})}

    def plant(self, event, out):
        """Puts the key pair where `style` says; `escape` marks what must be written with JSON escapes."""
        key, secret = self.secret
        pair = {"aws_access_key_id": key, "aws_secret_access_key": secret}
        style = event.style
        if style == "reply":
            out["content"] = {"output": json.dumps({"tool": "open_ticket", "arguments": json.dumps({"note": f"{key} {secret}"})})}
        elif style == "nested":
            out["arguments"] = {"ticket": {"fields": [{"name": "subject", "value": "deploy"},
                                                      {"name": "note", "value": f"use {key} with {secret} please"}]}}
        elif style == "environment":
            out["arguments"] = {"command": "deploy", "env": {k.upper(): v for k, v in pair.items()}}
        elif style == "echo":
            out["content"] = {"result": f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"}
        elif style == "messages":
            out["content"] = {"messages": [{"role": "user", "content": "deploy it"},
                                           {"role": "tool", "content": json.dumps({"echo": json.dumps({"inner": json.dumps(pair)})})}]}
        elif style == "transcript":
            out["content"] = {"input": f"history: {pair!r} and so on", "output": self.text()}
        elif style == "extra":
            out["x_debug"] = {"frames": [{"locals": {"creds": [key, secret], "joined": f"{key}:{secret}"}}]}
        else:                                               # escaped, slashes
            out["content"] = {"output" if event.type == "step" else "result": f"keys: {key} / {secret}"}

    def event(self, event, repeat=False):
        rng, task, fields = self.rng, event.task, event.fields
        agent = task.agent
        out = {"type": event.type, "time": written_time(event.t, agent, rng, event.exact), "correlation_id": task.id,
               "agent": agent.name, "agent_version": "4.%d" % (len(agent.name) % 7)}
        if agent.env:
            out["env"] = agent.env
        if agent.declared or rng.random() < 0.5:
            out["spec"], out["spec_version"] = agent.spec, task.version
        if event.type == "step" and task.started and rng.random() < 0.02:
            out.pop("spec_version", None)                   # its task knows
        if task.session:
            out["session_id"] = task.session
        out["user_hash"] = "%032x" % (hash_of(task.id) % (1 << 128))
        for name, value in fields.items():
            if name == "cost":
                out["cost_usd"] = money(value)
            elif name == "content":
                out["content"] = self.content(value)
            elif name == "arguments":
                out["arguments"] = {"id": rng.randrange(10 ** 6), "query": self.text()}
            elif not name.startswith("_"):
                out[name] = value
        if event.type == "task.started" and task.budget:
            out["budget"] = {"wall_clock_s": task.budget, "cost_usd": 2.5}
        elif event.type == "task.started" and rng.random() < 0.1:
            out["budget"] = {"tokens": 200000}              # a budget without a wall clock: the spec's holds
        if event.type == "task.finished":
            self.finish(event, task, out)
        if event.style:
            self.plant(event, out)
        out.update(fields["_id"])
        return json_text(out, rng, event.style)

    def finish(self, event, task, out):
        rng = self.rng
        out["outcome"] = task.outcome
        if task.outcome == "surfaced":
            out["surface_reason"] = rng.choice(["error: upstream timeout", "needs a person", "policy unclear", "permission denied by user"])
            out["error_type"] = None
        elif task.outcome in ERRORS:
            out["error_type"] = rng.choice(["ToolError", "ContextLengthExceeded"])
        if rng.random() < 0.7:
            out["started_at"] = written_time(task.begin, task.agent, rng, True)
        calls = [e.fields for e in task.events if "tokens_in" in e.fields]      # totals that must not be counted again
        if calls:
            out["tokens_in"] = sum(c["tokens_in"] for c in calls)
            out["tokens_out"] = sum(c["tokens_out"] for c in calls)
            out["cost_usd"] = money(sum(c.get("cost", 0) for c in calls))


def hash_of(text):
    return random.Random(text).getrandbits(128)


def luhn(rng):
    digits = [4] + [rng.randrange(10) for _ in range(14)]
    total = sum(d if i % 2 else (d * 2 if d < 5 else d * 2 - 9) for i, d in enumerate(digits))
    return "".join(map(str, digits)) + str(-total % 10)


def json_text(out, rng, style):
    draw = rng.random()
    if draw < 0.06:                                         # another producer: numbers as strings, extra fields
        for name in ("tokens_in", "tokens_out", "tokens_cached", "cost_usd", "latency_ms", "ttft_ms", "result_bytes"):
            if name in out:
                out[name] = "%.6f" % out[name] if name == "cost_usd" else str(out[name])
        if out.get("budget", {}).get("wall_clock_s"):
            out["budget"]["wall_clock_s"] = str(out["budget"]["wall_clock_s"])
    elif draw < 0.14:
        out.setdefault("x_host", {"name": "node-%d" % rng.randrange(50), "labels": [{"k": "zone", "v": None}, {"type": "step"}]})
        out["_schema"], out["elapsed"], out["severity"] = 7, 1e9, "ERROR"
    elif draw < 0.18:
        items = list(out.items())
        rng.shuffle(items)
        out = dict(items)
    text = json.dumps(out, ensure_ascii=rng.random() < 0.5, separators=(",", ":") if rng.random() < 0.8 else (", ", ": "))
    if style == "escaped":
        text = text.replace("AK" + "IA", "\\u0041K\\u0049A")
    elif style == "slashes":
        text = text.replace("/", "\\/")
    return text


def scenery(agents, by_agent, days, rng):
    """Events that are no task's life: system figures, sessions, late reviews and evaluations, as (arrival, key, text)."""
    lines = []

    def put(t, key, body):
        body["time"] = stamp(t)
        lines.append((t + rng.uniform(0, 1), key, json.dumps(body)))

    for agent in agents:
        common = {"agent": agent.name, **({"env": agent.env} if agent.env else {}),
                  **({"spec": agent.spec, "spec_version": agent.version} if agent.declared else {})}
        for quarter in range(days * 96):
            if agent.rate(quarter // 4 % 24) and agent.declared and agent.env == "prod":
                put(quarter * 900 + 7, agent.name, {"type": "system", **common, "active_spec_version": agent.version,
                                                    "concurrent_tasks": rng.randint(0, 9), "queue_depth": rng.randint(0, 40),
                                                    "cost_per_hour": 9999.0})
        tasks = by_agent[agent]
        for task in tasks:
            if not task.finished or task.end > days * DAY - HOUR:
                continue
            draw = rng.random()
            if draw < 0.25:                                 # hours after the end: opens nothing
                put(min(task.end + rng.expovariate(1 / (2 * HOUR)), days * DAY - 60), task.id,
                    {"type": "review", **common, "correlation_id": task.id, "accepted": rng.random() < 0.8})
            elif draw < 0.28:
                put(min(task.end + rng.uniform(1, 6) * HOUR, days * DAY - 60), task.id,
                    {"type": "eval.result", **common, "correlation_id": task.id, "suite": "nightly", "score": round(rng.random(), 3)})
            elif draw < 0.31:
                put(task.begin + 0.9 * (task.end - task.begin), task.id,
                    {"type": "spec.gap", **common, "correlation_id": task.id, "section": "refunds", "category": "ambiguous"})
        if agent.declared and agent.env == "prod":
            for task in rng.sample(tasks, min(12 * days, len(tasks))):
                task.session = "sess-%012x" % rng.getrandbits(48)
                hours = rng.uniform(0.5, 3)                 # longer than twice the budget: a session is no task
                for t, what in ((task.begin - 5, "session.started"), (task.end + hours * HOUR, "session.finished")):
                    if 0 < t < days * DAY - 60:
                        put(t, task.session, {"type": what, **common, "correlation_id": task.session, "session_id": task.session,
                                              "tasks": 1, "cost_usd": 77.0})
    return lines


def specs_yaml(agents):
    lines = ["# What each agent is meant to do; versions are strings.", "specs:"]
    walls = {600: "10m", 900: "900s", 1200: "20m", 1800: "30m", 2700: "45m", 3600: "1h"}
    for agent in agents:
        if not agent.declared or agent.env == "staging":
            continue
        versions = [agent.version] + ([agent.rollout[1]] if agent.rollout else [])
        for version in versions:
            band = agent.bounds(version)
            lines += ["", f"  # {agent.name}", f"  - name: {agent.spec}", f"    version: \"{version}\""]
            if band:
                lines += ["    surface_rate:"] + [f"      {k}: {v}" for k, v in zip(("min", "max"), band) if v is not None]
            lines += [f"    wall_clock: {walls[agent.wall]}", "    cost:", f"      per_hour: {declared_cost(agent)}"]
    return "\n".join(lines) + "\n"


# ------------------------------------------------------------------------------------------------------- the whole

def identify(event, rng):
    """Duplicates are known by their ids: an event without any is delivered once."""
    ids, draw = {}, rng.random()
    if draw < 0.85 or event.copies:
        ids["event_id"] = rng.choice(["%032x" % rng.getrandbits(128), "ev-%d" % rng.getrandbits(53)])
    if 0.5 < draw < 0.95:
        ids["span_id"] = "%016x" % rng.getrandbits(64)
    event.fields["_id"] = ids
    if "event_id" in ids and not event.copies and rng.random() < 0.02:
        event.copies = [rng.uniform(0.05, 3) if rng.random() < 0.9 else rng.uniform(10, 50)]


def generate(seed, days=3, with_incidents=True):
    """Returns (agents, {agent: tasks}, incidents, lines, truth)."""
    minutes = days * 1440
    for whole in range(20):
        agents = cast(seed + 100000 * whole, days, with_incidents)
        by_agent = {}
        for agent in agents:
            for attempt in range(12):
                rng = random.Random(f"plan/{seed}/{whole}/{agent.name}/{agent.env}/{attempt}")
                saved = [(i, dict(i.__dict__)) for i in agent.incidents]
                tasks = plan(agent, days, rng, 1 + 0.08 * attempt)
                tasks = [t for t in tasks if t.end < days * DAY - 30]
                why = verdict(agent, tasks, minutes)
                if why is None:
                    by_agent[agent] = tasks
                    break
                if os.environ.get("ORACLE_VERBOSE"):
                    print(f"seed {seed}: {agent.name} attempt {attempt}: {why}", file=sys.stderr)
                for incident, state in saved:
                    incident.__dict__.clear()
                    incident.__dict__.update(state)
            else:
                break
        if len(by_agent) == len(agents):
            break
    else:
        raise SystemExit(f"seed {seed}: no plan found ({why})")

    incidents = [i for agent in agents for i in agent.incidents]
    secret = next((i.secret for i in incidents if isinstance(i, SecretLeak)), None)
    rng = random.Random(f"arrive/{seed}")
    arriving = []                                           # (arrival, order, event)
    for agent in agents:
        for task in by_agent[agent]:
            for event in task.events:
                identify(event, rng)
                arriving.append((event.at, len(arriving), event))
                for later in event.copies:
                    if event.at + later < days * DAY:
                        arriving.append((event.at + later, len(arriving), event))
    extra = scenery(agents, by_agent, days, rng)
    arriving.sort(key=lambda a: a[:2])

    writer, lines = Writer(seed, secret), []
    log_time, stamped = 0.0, set()
    for at, order, event in arriving:                       # the log's time: the running maximum of the events' own
        log_time = max(log_time, event.t)
        lines.append((at, event.task.id, writer.event(event)))
        if id(event) not in stamped:
            stamped.add(id(event))
            event.at = max(0.0, log_time)
    for agent in agents:                                    # the same verdict in log time
        why = verdict(agent, by_agent[agent], minutes, moods=(0,))
        if why:
            raise SystemExit(f"seed {seed}: {agent.name}: in log time {why}")
        mark_silence(agent, by_agent[agent], minutes)
    lines = sorted(lines + extra, key=lambda line: line[0])
    return agents, by_agent, incidents, lines, truth(by_agent, writer, secret, len(lines))


def truth(by_agent, writer, secret, records):
    events = [e for tasks in by_agent.values() for t in tasks for e in t.events]
    calls = [e.fields for e in events if "tokens_in" in e.fields]
    tools = [e.fields for e in events if e.type == "tool.call"]
    return {"records": records, "tasks": sum(len(t) for t in by_agent.values()), "model_calls": len(calls),
            "tokens_in": sum(c["tokens_in"] for c in calls), "tokens_out": sum(c["tokens_out"] for c in calls),
            "tokens_cached": sum(c.get("tokens_cached", 0) for c in calls),
            "tool_calls": len(tools), "tool_errors": sum("error_type" in t for t in tools),
            "surfaces": sum(t.outcome == "surfaced" and t.finished for tasks in by_agent.values() for t in tasks),
            "cost_usd_where_priced": round(sum(c.get("cost", 0) for c in calls) / 1e6, 6),
            "secrets": list(secret or ()), "pii": writer.pii}


def write(seed, days, with_incidents, out):
    agents, by_agent, incidents, lines, facts = generate(seed, days, with_incidents)
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(out, "events.jsonl"), "w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{key}\t{text}\n" for _, key, text in lines)
    with open(os.path.join(out, "specs.yaml"), "w", encoding="utf-8") as file:
        file.write(specs_yaml(agents))
    rows = [{"alert": i.__class__.__name__, "labels": i.labels, "begin": stamp(i.begin), "end": stamp(i.end),
             "expected": stamp(i.expected), "must_page_by": stamp(i.must_page_by), "windowed": i.windowed,
             "must_resolve": bool(i.must_resolve), "note": i.note} for i in incidents]
    rows.sort(key=lambda row: row["expected"])
    for name, value in (("incidents.json", rows), ("truth.json", facts)):
        with open(os.path.join(out, name), "w", encoding="utf-8") as file:
            json.dump(value, file, indent=1)
            file.write("\n")
    return rows, facts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--no-incidents", action="store_true")
    parser.add_argument("--out", required=True, metavar="DIR")
    args = parser.parse_args()
    if args.days < 2:
        parser.error("--days: at least 2, or no baseline is warm on the last day")
    rows, facts = write(args.seed, args.days, not args.no_incidents, args.out)
    for row in rows:
        print(f"{row['expected']}  {row['alert']:26} {row['labels']['agent']:14} {row['note']}", file=sys.stderr)
    print(f"{facts['records']} records, {facts['tasks']} tasks, {len(rows)} incidents in {args.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
