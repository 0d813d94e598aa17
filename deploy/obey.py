#!/usr/bin/env python3
"""An agent's side of a halt, to run or to copy from:

  obey.py --url http://127.0.0.1:8686 --task ID     hears halts over Tocsin's HTTP doors (token: TOCSIN_TOKEN)
  obey.py --kafka BROKER:9092 --agent NAME          hears them from Kafka, whether Tocsin runs or not

Fails open: while it hears nothing it works on, by what it knew last. With --fail-closed it stops until it hears again."""
import argparse, json, os, sys, threading, time, urllib.request
from datetime import datetime, timezone

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
where = parser.add_mutually_exclusive_group(required=True)
where.add_argument("--url")
where.add_argument("--kafka", metavar="BOOTSTRAP")
parser.add_argument("--topic-prefix", default="tocsin.")
parser.add_argument("--kafka-properties", metavar="FILE", help="of librdkafka, a line each: NAME=VALUE")
parser.add_argument("--task")
parser.add_argument("--agent")
parser.add_argument("--fail-closed", action="store_true", help="stop after 30 s of silence, and before the first word")
args = parser.parse_args()
scopes = {f"{kind}:{name}" for kind, name in (("task", args.task), ("agent", args.agent)) if name}
if not scopes:
    parser.error("--task or --agent is needed, or both")
if args.kafka:
    try:
        from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition
    except ImportError:
        sys.exit("--kafka needs confluent-kafka: pip install confluent-kafka, or apt install python3-confluent-kafka")

# Halts are state in a log: fold it from its start. One is in force until its release, its tombstone or its end.
halts, releases = {}, set()  # by (scope, id)
known = {}  # what was in force when we last knew all that there was to know, with the ends
heard = float("-inf")  # and when that was


def fold(key, value):
    kind, _, rest = key.partition("/")  # halt/SCOPE/ID or release/SCOPE/ID; value None is a tombstone
    name = rest.rpartition("/")[::2]
    if kind == "halt" and value and value.get("enforced") is True:  # dry runs and held ones stop nobody
        halts[name] = value.get("expires_at")
    elif kind == "halt":
        halts.pop(name, None)
    elif kind == "release":
        (releases.add if value else releases.discard)(name)


def in_force():
    if args.url:  # what is over gets its tombstone by Tocsin's clock, which may be that of events played back
        return set(known)
    now = datetime.now(timezone.utc)
    return {name for name, ends in known.items() if not ends or now < datetime.fromisoformat(ends.replace("Z", "+00:00"))}


class OverHttp:
    offset = 0

    def call(self, path, body=None):
        headers = {"Content-Type": "application/json"}
        if "TOCSIN_TOKEN" in os.environ:
            headers["Authorization"] = "Bearer " + os.environ["TOCSIN_TOKEN"]
        request = urllib.request.Request(args.url.rstrip("/") + path, body and json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as reply:  # longer than wait_ms
            return json.loads(reply.read() or b"{}")

    def hear(self):
        page = self.call(f"/v1/topics/halts?from={self.offset}&wait_ms=10000")
        for record in page["records"]:
            fold(record["key"], record["value"])
        self.offset = page["next"]
        return True

    def acknowledge(self, scope, halt_id):
        self.call("/v1/halt-acks", {"halt_id": halt_id, "scope": scope, "by": "obey.py"})


class OverKafka:
    consumer = producer = None
    unread, asked = set(), 0

    def __init__(self):
        self.settings = {"bootstrap.servers": args.kafka, "log_level": 0}
        if args.kafka_properties:
            with open(args.kafka_properties, encoding="utf-8") as file:
                lines = [line.strip() for line in file]
            self.settings.update(line.split("=", 1) for line in lines if "=" in line and line[0] != "#")
        self.topic = args.topic_prefix + "halts"

    def ask(self):
        """The topic's partitions. Raises where no broker answers: that nothing comes is news only where one does."""
        topic = self.consumer.list_topics(self.topic, timeout=5).topics[self.topic]
        if topic.error:
            raise KafkaException(topic.error)
        self.asked = time.monotonic()
        return topic.partitions

    def hear(self):
        # No group: each agent reads all of it from its start, and commits nothing. The group's name is never used.
        self.consumer = self.consumer or Consumer({
            **self.settings, "group.id": "unused", "enable.auto.commit": False, "auto.offset.reset": "earliest",
            "enable.partition.eof": True, "fetch.wait.max.ms": 100})
        if not self.asked:
            self.unread = set(self.ask())
            self.consumer.assign([TopicPartition(self.topic, number, OFFSET_BEGINNING) for number in self.unread])
        message = self.consumer.poll(0.5)
        if message and message.error():
            if message.error().code() != KafkaError._PARTITION_EOF:
                raise KafkaException(message.error())
            self.unread.discard(message.partition())
        elif message and message.key():
            fold(message.key().decode(), json.loads(message.value()) if message.value() else None)
        if time.monotonic() - self.asked > 5:
            self.ask()
        return not self.unread

    def acknowledge(self, scope, halt_id):
        self.producer = self.producer or Producer({**self.settings, "message.timeout.ms": 10000})
        at = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        ack = {"kind": "halt_ack", "halt_id": halt_id, "scope": scope, "by": "obey.py", "at": at}
        answers = []
        self.producer.produce(args.topic_prefix + "halt-acks", json.dumps(ack), halt_id,
                              on_delivery=lambda error, _: answers.append(error))
        self.producer.flush(15)
        if answers != [None]:
            raise OSError(answers[0] if answers else "no answer")


def listen():
    global known, heard
    while True:
        try:
            if door.hear():
                mine = {name: ends for name, ends in halts.items() if name[0] in scopes and name not in releases}
                known, heard = mine, time.monotonic()
        except Exception as error:  # away, restarting, or not speaking our language: ask again
            print("cannot hear Tocsin:", error, flush=True)
            time.sleep(0.05)


door = OverHttp() if args.url else OverKafka()
threading.Thread(target=listen, daemon=True).start()
acknowledged = set()
while True:
    halted_by = in_force()
    if halted_by:
        for scope, halt_id in halted_by - acknowledged:  # only now, when the work has stopped
            print("halted", flush=True)
            try:
                door.acknowledge(scope, halt_id)
                acknowledged.add((scope, halt_id))
            except Exception as error:  # said again in the next round
                print("cannot acknowledge:", error, flush=True)
        time.sleep(0.2)
    elif args.fail_closed and time.monotonic() - heard > 30:
        print("stopped: nothing was heard for 30 s", flush=True)
        time.sleep(0.2)
    else:
        print("working", flush=True)  # the agent's next step; a step is as long as a halt may take to bite
        time.sleep(0.05)
