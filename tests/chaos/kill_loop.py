"""Tocsin's processes on a three-node Kafka, killed and frozen at random while telemetry flows, against `replay`.

A round has topics of its own. Generated runs (three days with their incidents, and a planted credential each twenty
minutes) are fed in step by step; meanwhile processes die by kill -9, are stopped for longer than their session and
go on, are restarted one by one, get more and fewer; brokers die and come back, the coordinators' among them; the
receiver answers late, with 503, or not at all. When everything was fed in and healed, page ids and halt ids must be
those that `replay` makes of the same records: none lost, none extra. One page may have come several times under its
id; how many did is printed. On the topics nothing may stand twice, and a page that resolves comes after its trigger.

    python3 tests/chaos/kill_loop.py [--kills 500] [--seed 1] [--feed-seconds 150] [--membership both|static|dynamic]

Exit status 1 where anything is lost, extra, missing, invented or out of order; the logs are kept then.
"""

import argparse
import collections
import heapq
import json
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from load import PARTITIONS, RULES, Feed, expect, telemetry  # first: it says where the next ones are
from broker import Broker, die_with_parent
from kafka_support import Setup, create_topic, read_all
from support import TOCSIN, Receiver

SESSION_S = 6
# Once the last fault is healed: so long without a page means that no more come.
SILENT_FOR_S = 90


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


class Slot:
    """One place for a process; its configuration and, where it has one, its static name stay the same."""

    def __init__(self, name, config, folder):
        self.name, self.config, self.folder = name, config, folder
        self.process, self.is_frozen, self.starts, self.log = None, False, 0, None

    def start(self):
        self.starts += 1
        with open(self.folder / f"{self.name}-{self.starts}.log", "wb") as self.log:
            self.process = subprocess.Popen([TOCSIN, "run", "--config", str(self.config)], stdout=self.log,
                                            stderr=self.log, preexec_fn=die_with_parent)

    def is_running(self):
        return self.process is not None and not self.is_frozen

    def kill(self):
        self.process.kill()
        self.process.wait(30)
        self.process, self.is_frozen = None, False

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)
        self.is_frozen = True

    def thaw(self):
        if self.is_frozen:
            self.process.send_signal(signal.SIGCONT)
            self.is_frozen = False

    def stop(self):
        """As an orderly restart does. Returns the seconds that it took."""
        begun = time.monotonic()
        self.process.terminate()
        self.process.wait(60)
        status, self.process = self.process.returncode, None
        # By the signal itself where it came before the program had begun to look out for it.
        assert status in (0, -signal.SIGTERM), f"{self.name} ended with {status}"
        return time.monotonic() - begun


def java_hash(text):
    value = 0
    for letter in text:
        value = (31 * value + ord(letter)) & 0xFFFFFFFF
    return value & 0x7FFFFFFF


class Round:
    def __init__(self, broker, receiver, name, seed, options, is_static, kills):
        self.broker, self.receiver, self.name, self.options = broker, receiver, name, options
        self.chance, self.is_static, self.most_kills = random.Random(seed), is_static, kills
        self.counts = collections.Counter()
        self.wrong = {}  # ids by what is wrong with them
        self.slowest_stop, self.healed_in = 0.0, float("nan")
        self.later = []  # (when, order, what): what heals a fault
        self.order = 0
        self.broker_is_hurt = False
        self.admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
        create_topic(broker.bootstrap, f"telemetry-{name}", PARTITIONS, 3)
        self.setup = Setup(broker.bootstrap, [f"telemetry-{name}"], receiver,
                           kafka=f"topic_prefix: {name}.\nidle_close: false\n",
                           extra=f"rules: {json.dumps([str(path) for path in RULES])}\n")
        self.setup.create_topics()
        self.lines = telemetry(seed, options.days)
        self.expected = expect(self.lines, self.setup.path, self.setup.config)
        self.feed = None
        self.slots = [Slot(f"p{i}", self.config_of(i), self.setup.path) for i in range(3)]

    def config_of(self, i):
        text = self.setup.config.read_text()
        if self.is_static:
            text = text.replace("  session_timeout:", f"  instance: p{i}\n  session_timeout:")
        path = self.setup.path / f"p{i}.yaml"
        path.write_text(text)
        return path

    # Faults. Each returns how long to wait before the next one, at least.

    def after(self, seconds, what):
        self.order += 1
        heapq.heappush(self.later, (time.monotonic() + seconds, self.order, what))

    def running(self):
        return [slot for slot in self.slots if slot.is_running()]

    def kill_process(self):
        victims = self.running()
        if not victims:
            return 0
        for slot in self.chance.sample(victims, 1 if self.chance.random() < 0.85 else len(victims)):
            slot.kill()
            self.counts["kills"] += 1
            slot.start()
        return 0

    def freeze_process(self):
        victims = self.running()
        if len(victims) < 2 or any(slot.is_frozen for slot in self.slots):
            return 0
        slot = self.chance.choice(victims)
        slot.freeze()
        self.counts["freezes"] += 1
        self.after(self.chance.uniform(SESSION_S + 1, SESSION_S + 8), slot.thaw)
        return 0

    def roll(self):
        """All of them, one by one, as a deployment does."""
        self.counts["rolling restarts"] += 1
        for slot in self.running():
            self.slowest_stop = max(self.slowest_stop, slot.stop())
            slot.start()
            time.sleep(0.5)
        return 0

    def scale(self):
        """To one, to three, to two; back to three after a while."""
        wanted = self.chance.choice([1, 2])
        victims = self.running()
        if len(victims) < 3:
            return 0
        self.counts["scalings"] += 1
        for slot in victims[wanted:]:
            self.slowest_stop = max(self.slowest_stop, slot.stop())
            self.after(self.chance.uniform(2, 6), lambda slot=slot: slot.process is None and slot.start())
        return 0

    def hurt_broker(self):
        if self.broker_is_hurt:
            return 0
        try:
            topics = self.admin.list_topics(timeout=5).topics
        except KafkaException:  # they are busy with the last fault
            return 0
        if not all(len(part.isrs) == 3 for topic in topics.values() for part in topic.partitions.values()):
            return 0
        node = self.chance.randrange(3) + 1
        kind = self.chance.choice(["brokers", "group coordinators", "transaction coordinators", "frozen brokers"])
        if kind == "group coordinators":
            node = self.leader_of(topics, "__consumer_offsets",
                                  self.chance.choice(["ingest", "evaluate", "deliver-test"]))
        elif kind == "transaction coordinators":
            node = self.leader_of(topics, "__transaction_state",
                                  f"evaluate-p{self.chance.randrange(3)}-evaluate-0")
        if node is None:
            return 0
        self.counts[kind] += 1
        self.broker_is_hurt = True
        if kind == "frozen brokers":
            self.broker.freeze(node)
            self.after(self.chance.uniform(3, 9), lambda: self.heal_broker(node, self.broker.thaw))
        else:
            self.broker.kill(node)
            self.after(self.chance.uniform(1, 8),
                       lambda: self.heal_broker(node, lambda number: self.broker.start(number, wait=False)))
        return 1

    def leader_of(self, topics, topic, name):
        """The node that coordinates the group or the transactions of this name, as Kafka chooses it."""
        partitions = topics[topic].partitions if topic in topics else {}
        leader = partitions[java_hash(f"{self.name}.{name}") % len(partitions)].leader if partitions else -1
        return leader if leader > 0 else None

    def heal_broker(self, node, how):
        how(node)
        self.broker_is_hurt = False

    def hurt_receiver(self):
        if not self.receiver.is_well():
            return 0
        kind = self.chance.choice(["slow receiver", "refusing receiver", "dead receiver"])
        self.counts[kind] += 1
        if kind == "slow receiver":
            self.receiver.delay_s = self.chance.uniform(0.5, 3)
        elif kind == "refusing receiver":
            self.receiver.status = 503
        else:
            self.receiver.stop_listening()
        self.after(self.chance.uniform(3, 10), self.receiver.heal)
        return 0

    def heal_what_is_due(self, all_of_it=False):
        while self.later and (all_of_it or self.later[0][0] <= time.monotonic()):
            heapq.heappop(self.later)[2]()

    def hurt(self):
        """Faults until everything was fed in, or enough were killed."""
        self.feed = Feed(self.broker.bootstrap, self.setup.sources[0], self.lines, self.options.feed_seconds)
        self.feed.start()
        for slot in self.slots[:1]:
            slot.start()
        self.after(2, lambda: [slot.start() for slot in self.slots if slot.process is None])
        faults = [(self.kill_process, 70), (self.freeze_process, 5), (self.roll, 3), (self.scale, 3),
                  (self.hurt_broker, 8), (self.hurt_receiver, 11)]
        next_fault = time.monotonic() + 3
        said = time.monotonic()
        while self.feed.fed < len(self.lines) and self.counts["kills"] < self.most_kills:
            time.sleep(0.05)
            self.heal_what_is_due()
            for slot in self.slots:
                if slot.process is not None and slot.process.poll() is not None:
                    raise AssertionError(f"{slot.name} ended by itself with {slot.process.returncode}")
            if time.monotonic() >= next_fault:
                fault, = self.chance.choices([f for f, _ in faults], [weight for _, weight in faults])
                pause = fault()
                # Members without a static name leave a hole until their session ends: less often, or nothing moves.
                gap = self.chance.expovariate(1 / 1.6) if self.is_static else self.chance.uniform(2, 20)
                next_fault = time.monotonic() + pause + min(gap, 20)
            if time.monotonic() - said > 15:
                said = time.monotonic()
                self.progress()

    def progress(self):
        say(f"{self.name}: {self.counts['kills']} kills, {self.feed.fed}/{len(self.lines)} records, "
            f"{len(set(self.receiver.page_ids()))}/{len(self.expected.pages)} page ids")

    def heal(self):
        self.heal_what_is_due(all_of_it=True)
        self.receiver.heal()
        for slot in self.slots:
            slot.thaw()
            if slot.process is None:
                slot.start()
        self.feed.hurry()
        begun = moved = time.monotonic()
        count = 0
        while self.expected.pages - collections.Counter(self.receiver.page_ids()):
            if len(self.receiver.pages) > count:
                count, moved = len(self.receiver.pages), time.monotonic()
            if time.monotonic() - moved > SILENT_FOR_S:
                break
            time.sleep(0.2)
        assert self.feed.failed is None, f"the feed failed: {self.feed.failed}"
        self.healed_in = time.monotonic() - begun
        time.sleep(5)  # what is extra may come a little later
        for slot in self.slots:
            self.slowest_stop = max(self.slowest_stop, slot.stop())

    def judge(self):
        """Finds what is wrong."""
        received = self.receiver.page_ids()
        outbox = [json.loads(value)["data"]["page_id"] if b'"page_id"' in value else None
                  for _, _, value in self.committed("outbox")]
        outbox = collections.Counter(page for page in outbox if page)
        expected = self.expected.pages
        halts = {json.loads(value)["halt_id"] for _, _, value in self.committed("halts") if value}
        self.counts.update({"records": len(self.lines), "pages": expected.total(), "halts": len(self.expected.halts),
                            "delivered again": len(received) - expected.total()})
        blocks = collections.Counter((partition, value) for partition, _, value in self.committed("blocks"))
        first = {}
        for i, page in enumerate(received):
            first.setdefault(page, i)
        wrong = {
            "lost": sorted((expected - collections.Counter(received)).elements()),
            "extra": sorted(set(received) - set(expected)),
            "missing halts": sorted(self.expected.halts - halts),
            "invented halts": sorted(halts - self.expected.halts),
            "in the outbox and not decided so often": sorted((outbox - expected).elements()),
            "decided and not in the outbox": sorted((expected - outbox).elements()),
            "blocks that stand twice": [f"{p}" for (p, _), count in blocks.items() if count > 1],
            "out of order": sorted(page for page, at in first.items() if page.endswith(":resolved") and
                                   first.get(page[:-len("resolved")] + "firing", -1) > at),
            "bad signatures": [str(len(self.receiver.bad_signatures))] if self.receiver.bad_signatures else [],
        }
        self.wrong = {kind: ids for kind, ids in wrong.items() if ids}

    def committed(self, topic):
        return read_all(self.broker.bootstrap, f"{self.name}.{topic}")

    def keep(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        for path in self.setup.path.glob("*"):
            shutil.copy(path, folder)
        (folder / "wrong.json").write_text(json.dumps(self.wrong, indent=1))
        (folder / "expected.json").write_text(json.dumps(self.expected.alerts, indent=1))
        (folder / "received.json").write_text(json.dumps(self.receiver.pages, indent=1))
        (folder / "events.txt").write_text("\n".join(self.lines) + "\n")

    def close(self):
        if self.feed:
            self.feed.end()
        for slot in self.slots:
            if slot.process is not None:
                slot.kill()
        self.setup.folder.cleanup()


def run_round(broker, number, options, most_kills):
    seed = options.seed + number
    is_static = options.membership == "static" or options.membership == "both" and number % 3 != 2
    receiver = Receiver()
    one = Round(broker, receiver, f"k{number}", seed, options, is_static, most_kills)
    say(f"{one.name}: seed {seed}, {'static' if is_static else 'dynamic'} members, {len(one.lines)} records, "
        f"{one.expected.pages.total()} pages and {len(one.expected.halts)} halts expected")
    try:
        one.hurt()
        one.heal()
        one.judge()
        for kind, ids in one.wrong.items():
            say(f"{one.name}: {len(ids)} {kind}: {ids[:5]}")
    except Exception:  # a process that ended by itself, a feed that can't be fed: said as what is wrong
        one.wrong = {"broken": [traceback.format_exc()]}
        say(f"{one.name}: {one.wrong['broken'][0]}")
    finally:
        if one.wrong:
            one.keep(options.keep / f"{one.name}-seed{seed}")
        one.close()
        receiver.close()
    say(f"{one.name}: {dict(one.counts)}; all pages were there {one.healed_in:.1f} s after the last fault")
    return one


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--days", type=int, default=3, help="of telemetry in a round")
    parser.add_argument("--feed-seconds", type=float, default=150, help="in which a round feeds its telemetry")
    parser.add_argument("--membership", choices=("both", "static", "dynamic"), default="both")
    parser.add_argument("--keep", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "tocsin-kill-loop",
                        help="where the logs of a round go in which something is wrong")
    options = parser.parse_args()
    say(f"seed {options.seed}")
    begun, rounds = time.monotonic(), []
    sums, wrong = collections.Counter(), collections.Counter()
    with Broker(nodes=3, partitions=PARTITIONS) as broker:
        while sums["kills"] < options.kills:
            rounds.append(run_round(broker, len(rounds), options, options.kills - sums["kills"]))
            sums.update(rounds[-1].counts)
            wrong.update({kind: len(ids) for kind, ids in rounds[-1].wrong.items()})
            if "broken" in rounds[-1].wrong:
                break
    say(f"{len(rounds)} rounds in {(time.monotonic() - begun) / 60:.1f} min, seed {options.seed}: {dict(sums)}; "
        f"slowest orderly stop {max(one.slowest_stop for one in rounds):.1f} s")
    say(f"kills {sums['kills']}, records {sums['records']}, pages {sums['pages']}, lost {wrong['lost']}, extra "
        f"{wrong['extra']}, delivered again under the same id {sums['delivered again']}, halts {sums['halts']}, "
        f"missing {wrong['missing halts']}, invented {wrong['invented halts']}, else wrong "
        f"{sum(wrong.values()) - sum(wrong[kind] for kind in ('lost', 'extra', 'missing halts', 'invented halts'))}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
