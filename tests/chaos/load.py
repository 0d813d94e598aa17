"""The load of the kill loop and of the single faults: generated telemetry with planted credentials, what `replay` says
of it, and a feed that gives it to a source topic over some time."""

import collections
import json
import pathlib
import random
import subprocess
import sys
import threading
import time

from confluent_kafka import KafkaError, KafkaException

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/kafka"), str(ROOT / "tests/e2e")]
from kafka_support import Expected, make_producer, shift_to_now, stamp_of  # noqa: E402
from support import DUMP_RUNS  # noqa: E402

PARTITIONS = 4
RULES = [ROOT / "rules", ROOT / "tests/chaos/rules.yaml"]
CLOSING_AFTER_S = 3 * 3600
MOST_TICKS = 600
SECRET_EVERY_MS = 20 * 60_000
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def telemetry(seed, days, most=None):
    """Lines `key TAB event`, by time, the last of them six hours ago; a credential stands in some tool's results."""
    done = subprocess.run([DUMP_RUNS, str(seed), "1", "with", str(days)], capture_output=True, text=True, check=True)
    lines = shift_to_now(done.stdout.splitlines()[:most], before_now_s=6 * 3600)
    chance, last = random.Random(seed), 0
    for i, line in enumerate(lines):
        if '"type":"tool.call"' not in line or stamp_of(line) - last < SECRET_EVERY_MS:
            continue
        key, event = line.split("\t", 1)
        event = json.loads(event)
        event["content"] = {"result": "key AKIA" + "".join(chance.choice(LETTERS) for _ in range(16))}
        lines[i] = f"{key}\t{json.dumps(event, separators=(',', ':'))}"
        last = stamp_of(line)
    stamps = [stamp_of(line) for line in lines]
    assert stamps == sorted(stamps)
    return lines


def closing_line(lines, partition, tick):
    """Closes every slice before it, wherever it lies. Three hours after the last event, and 10 s more each tick: with
    `idle_close: off` what a partition closed may wait for its next record."""
    at = time.gmtime(stamp_of(lines[-1]) // 1000 + CLOSING_AFTER_S + 10 * tick)
    at = time.strftime("%Y-%m-%dT%H:%M:%S", at) + ".000Z"
    return (f'end-{partition}\t{{"type":"review","time":"{at}","correlation_id":"end-{partition}","env":"prod",'
            '"agent":"nobody"}')


def expect(lines, folder, config):
    """What `replay` says; the closing ticks change nothing any more, however many are needed."""
    first = [closing_line(lines, p, 0) for p in range(PARTITIONS)]
    expected = Expected(lines + first, folder, config, *RULES)
    ticks = [closing_line(lines, 0, tick) for tick in range(1, MOST_TICKS)]
    longer = Expected(lines + first + ticks, folder, config, *RULES)
    assert expected.pages == longer.pages and expected.halts == longer.halts
    # One page may cover several alerts; it is sent once.
    expected.pages = collections.Counter(expected.pages)
    return expected


class Feed(threading.Thread):
    """Gives the lines to the source topic, evenly over so many seconds, then closing ones until it is told to end.

    A producer that a lost leader has confused for good is followed by another, which sends again what was not
    acknowledged, in order: what comes twice has the same event id."""

    def __init__(self, bootstrap, topic, lines, seconds):
        super().__init__(daemon=True)
        self.bootstrap, self.producer, self.topic, self.lines = bootstrap, make_producer(bootstrap), topic, lines
        self.seconds, self.fed, self.failed, self.is_over = seconds, 0, None, False
        self.waiting = {}  # what is not acknowledged, by its number, in order
        self.number = self.producers = 0

    def send(self, number, record):
        def done(error, _):
            if error is None:
                self.waiting.pop(number, None)

        try:
            self.producer.produce(self.topic, on_delivery=done, **record)
            self.producer.poll(0)
        except KafkaException as error:
            if not error.args[0].fatal() and error.args[0].code() != KafkaError._FATAL:
                raise
            self.begin_anew()

    def begin_anew(self):
        self.producers += 1
        assert self.producers < 100, "no producer lasts"
        self.producer = make_producer(self.bootstrap)
        for number, record in list(self.waiting.items()):
            self.send(number, record)

    def give(self, record):
        self.number += 1
        self.waiting[self.number] = record
        self.send(self.number, record)

    def end(self):
        self.is_over = True

    def hurry(self):
        self.seconds = 0.001

    def run(self):
        try:
            begun = time.monotonic()
            while self.fed < len(self.lines) and not self.is_over:
                until = min(len(self.lines), int(len(self.lines) * (time.monotonic() - begun) / self.seconds) + 1)
                for line in self.lines[self.fed:until]:
                    key, value = line.split("\t", 1)
                    self.give({"value": value, "key": key, "timestamp": stamp_of(line)})
                self.fed = max(self.fed, until)
                self.producer.poll(0.05)
            for tick in range(MOST_TICKS):
                for p in range(PARTITIONS):
                    line = closing_line(self.lines, p, tick)
                    self.give({"value": line.split("\t", 1)[1], "timestamp": stamp_of(line), "key": f"end-{p}",
                               "partition": p})
                self.producer.poll(0.5)
                if self.is_over:
                    break
                time.sleep(0.5)
            self.producer.purge()
        except Exception as error:  # said by the round, in its own thread
            self.failed = error
