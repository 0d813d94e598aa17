"""Canaries: unique secrets and personal data in every kind of place, the whole service over them, and then every byte
that left it is searched: topics, pages, logs, metrics, answers, and what a killed process leaves behind."""
import base64
import json
import os
import pathlib
import random
import signal
import string
import subprocess
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request
import zlib

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from kafka_support import BrokerTest, TOCSIN, read_all, wait_for
from support import SIGNING_SECRET

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
FIELDS = ["env", "agent", "agent_version", "spec", "spec_version", "session_id", "user_hash", "correlation_id",
          "event_id", "span_id", "parent_span_id", "model", "model_version", "model_tier", "surface_reason",
          "error_type", "tool", "call_id", "result_schema", "authz_reason", "side_effect", "active_spec_version",
          "active_model_version", "suite", "section", "category"]


class Canaries:
    """Makes secrets that nobody else has, and remembers where each was put."""

    def __init__(self, seed):
        self.random, self.planted = random.Random(seed), {}

    def some(self, alphabet, count):
        return "".join(self.random.choice(alphabet) for _ in range(count))

    def aws(self):
        return "AKIA" + self.some("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 14) + "7Q"

    def github(self):
        body = self.some(BASE62, 30)
        check, digits = zlib.crc32(body.encode()), ""
        for _ in range(6):
            check, digit = divmod(check, 62)
            digits = BASE62[digit] + digits
        return "ghp_" + body + digits

    def anthropic(self):
        return "sk-ant-" + "api03-" + self.some(BASE62, 93) + "AA"

    def slack(self):
        return "xoxb-" + self.some("123456789", 12) + "-" + self.some("123456789", 13) + "-" + self.some(BASE62, 24)

    def email(self):
        return self.some(string.ascii_lowercase, 9) + "@" + self.some(string.ascii_lowercase, 8) + ".org"

    def card(self):
        digits = "4" + self.some(string.digits, 14)
        for last in string.digits:
            total = sum(sum(divmod(int(d) * (2 - (16 - i) % 2 if (16 - i) % 2 == 0 else 1), 10))
                        for i, d in enumerate(digits + last))
            if total % 10 == 0:
                return digits + last
        raise AssertionError

    def phone(self):
        return "+44 20 79" + self.some("123456789", 2) + " " + self.some("123456789", 4)

    def password(self):
        return "password=" + self.some(BASE62, 14) + "!7q"

    def url(self):
        return "postgres://shop:" + self.some(BASE62, 16) + "@db.internal:5432/app"

    KINDS = ["aws", "github", "anthropic", "slack", "email", "card", "phone", "password", "url"]

    def new(self, place, kind=None):
        kind = kind or self.KINDS[len(self.planted) % len(self.KINDS)]
        value = getattr(self, kind)()
        # What must not be seen: of an assignment its value, of an address with a password that.
        core = value.split("=", 1)[1] if kind == "password" else value
        core = core.split("shop:")[1].split("@")[0] if kind == "url" else core
        self.planted[core] = f"{kind} in {place}"
        return value

    def seen_in(self, text):
        lower = text.lower()
        return {place for core, place in self.planted.items() if core.lower().encode() in lower}


def utc(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + ".000Z"


class CanaryTest(BrokerTest):
    RULES = """
groups:
- name: canaries
  rules:
  - alert: Talkative
    from: tool.call
    group_by: [env, agent, tool, error_type]
    value: count()
    window: 5m
    when: value >= 1
    labels: {severity: page}
    actions: [page, investigate, spec_gap, eval_candidate]
    annotations: {summary: "{{agent}} in {{env}} called {{tool}} and got {{error_type}}"}
  - alert: Refused
    mode: event
    from: tool.call
    where: authz == "refused"
    group_by: [agent, tool, correlation_id]
    actions: [page, investigate]
    annotations: {summary: "{{tool}} was refused to {{agent}} in {{correlation_id}}"}
  - alert: Leak
    mode: event
    where: has(secret.pattern)
    group_by: [env, agent, correlation_id, secret.pattern]
    actions: [{halt: task}, page, investigate, spec_gap]
    resolve: manual
"""

    def produce(self, key, value):
        self.producer.produce(self.source, value=value, key=key)

    def event(self, **fields):
        self.number += 1
        return {"type": "tool.call", "time": utc(time.time()), "correlation_id": f"t-{self.number}",
                "agent": f"agent-{self.number}", "env": "prod", "tool": "lookup", **fields}

    def send(self, event, key=None):
        self.produce(key or event["correlation_id"], json.dumps(event))

    def plant(self, canary):
        """The places, each with canaries of its own."""
        for field in FIELDS:
            for kind in ("aws", "email"):
                self.send(self.event(**{field: canary.new(f"field {field}", kind)}))
        for field in ("content", "arguments"):
            for kind in canary.KINDS:
                self.send(self.event(**{field: {"text": f"it is {canary.new(field, kind)} and no other"}}))
        self.send(self.event(arguments={canary.new("name of an argument", "aws"): 1}))
        self.send(self.event(**{canary.new("unknown name", "github"): "x"}))
        self.send(self.event(odd={"deep": [{"er": canary.new("unknown value", "anthropic")}]}))
        self.send(self.event(arguments={"json": json.dumps({"inner": json.dumps({"key": canary.new("JSON in JSON")})})}))
        hidden = canary.new("base64", "anthropic")
        self.send(self.event(content={"output": base64.b64encode(f"the key is {hidden} here".encode()).decode()}))
        self.send(self.event(error_type=urllib.parse.quote("token=" + canary.new("percent encoding", "github") + "&", "")))
        self.send(self.event(content={"output": "Traceback (most recent call last):\n  File \"a.py\", line 3\nAuthError: "
                                                f"401 for {canary.new('stack trace', 'slack')}"}))
        self.send(self.event(authz="refused", authz_reason=canary.new("refusal", "github"),
                             tool=canary.new("tool of a refusal", "email")))
        self.send(self.event(type=canary.new("type of an event", "aws")))
        self.send(self.event(time=canary.new("time", "aws")))
        self.send(self.event(cost_usd=canary.new("a number", "github")))
        self.send(self.event(outcome=canary.new("an enumeration", "email")))
        # Records that cannot be read.
        self.produce(b"t-broken", ('{"type":"step","agent":"' + canary.new("broken JSON", "aws") + '"').encode())
        self.produce(b"t-invalid", b'{"type":"step","agent":"\xff\xfe' + canary.new("invalid UTF-8", "github").encode() + b'"}')
        self.produce(b"t-text", canary.new("no JSON at all", "anthropic").encode())
        self.produce(b"t-deep", (b"[" * 5000) + canary.new("deep nesting", "aws").encode())
        huge = json.dumps(self.event(content={"output": "x" * 900_000 + " " + canary.new("oversized record", "aws")}))
        self.produce(b"t-huge", huge.encode())
        self.produce(canary.new("record key", "aws").encode(), json.dumps(self.event()).encode())
        self.produce(canary.new("key of a broken record", "email").encode(), b"{")
        # Spans, as JSON and as protobuf that is cut.
        span = {"resourceSpans": [{"resource": {"attributes": [
            {"key": "service.name", "value": {"stringValue": canary.new("resource", "email")}}]},
            "scopeSpans": [{"spans": [{
                "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174",
                "name": "execute_tool " + canary.new("span name", "aws"),
                "startTimeUnixNano": str(int(time.time() * 1e9)), "endTimeUnixNano": str(int(time.time() * 1e9) + 1000),
                "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "execute_tool"}},
                               {"key": canary.new("attribute's name", "github"), "value": {"stringValue": "x"}},
                               {"key": "any", "value": {"stringValue": canary.new("attribute", "slack")}}],
                "events": [{"name": "exception", "attributes": [
                    {"key": "exception.message", "value": {"stringValue": canary.new("exception", "aws")}},
                    {"key": "exception.stacktrace", "value": {"stringValue": canary.new("stack", "github")}}]}],
                "status": {"code": 2, "message": canary.new("status", "anthropic")}}]}]}]}
        self.produce(b"5b8efff798038103d269b633813fc60c", json.dumps(span).encode())
        self.produce(b"t-proto", b"\x0a\xff\x01" + canary.new("cut protobuf", "aws").encode())
        self.producer.flush(60)

    def ask(self, process, canary):
        """HTTP that is refused, and HTTP that is not: every answer is kept."""
        answers = []

        def call(method, path, body=b"", headers=None):
            request = urllib.request.Request(process.url + path, body if method == "POST" else None, headers or {},
                                             method=method)
            try:
                with urllib.request.urlopen(request, timeout=30) as reply:
                    answers.append(str(reply.headers).encode() + reply.read())
            except urllib.error.HTTPError as error:
                answers.append(str(error.headers).encode() + error.read())

        quoted = urllib.parse.quote
        call("GET", "/" + quoted(canary.new("path", "aws")))
        call("GET", "/v1/topics/" + quoted(canary.new("topic's name", "email")))
        call("GET", "/v1/alerts?agent=" + quoted(canary.new("query", "github")))
        call("POST", "/v1/silences", canary.new("body that is no JSON", "aws").encode())
        call("POST", "/v1/silences", json.dumps({"matchers": {"agent": canary.new("silence without an end", "email")}}).encode())
        call("POST", "/v1/halts/release", json.dumps({"scope": canary.new("scope", "aws")}).encode())
        call("POST", "/v1/traces", canary.new("refused upload", "github").encode(),
             {"content-type": "application/x-protobuf"})
        call("POST", "/v1/traces", b"{}", {"authorization": "Bearer " + canary.new("token", "anthropic")})
        call("POST", "/v1/traces", b"{}", {canary.new("header's name", "aws"): "x", "x-api-key": SIGNING_SECRET})
        call("POST", "/v1/traces", ('{"resourceSpans": [' + canary.new("broken upload", "slack")).encode(),
             {"content-type": "application/json", "x-api-key": SIGNING_SECRET})
        call("POST", "/api/public/ingestion", ('{"batch": [' + canary.new("broken batch", "aws")).encode(),
             {"content-type": "application/json", "x-api-key": SIGNING_SECRET})
        call("POST", "/runs", json.dumps({"id": canary.new("bad id of a run", "aws"), "name": canary.new("run", "github"),
                                          "inputs": {"q": canary.new("inputs of a run", "anthropic")}}).encode(),
             {"content-type": "application/json", "x-api-key": SIGNING_SECRET})
        for path in ("/metrics", "/v1/status", "/v1/alerts", "/v1/halts", "/v1/silences", "/", "/readyz"):
            call("GET", path)
        return answers

    def topics(self):
        names = AdminClient({"bootstrap.servers": self.broker.bootstrap}).list_topics(timeout=20).topics
        return sorted(name for name in names if name != self.source and not name.startswith("__"))

    def test_nothing_of_a_secret_leaves(self):
        canary = Canaries(20261128)
        self.number = 0
        rules = pathlib.Path(os.environ.get("TMPDIR", "/tmp")) / f"canaries-{os.getpid()}.yaml"
        rules.write_text(self.RULES)
        self.addCleanup(rules.unlink)
        # What is kept of content goes out, and must be as clean as the rest.
        kept = rules.with_suffix(".kept.yaml")
        kept.write_text("sanitize: {version: 1, references: {content: {keep: redacted}, results: {keep: redacted}, "
                        "arguments: {keep: redacted, max_bytes: 65536}}}")
        self.addCleanup(kept.unlink)
        setup = self.setup_with("canary", 2, halts="enforce",
                                kafka="publish_spans: true",
                                extra=f"rules: ['{rules}', '{kept}']\nreceive: {{tokens_file: secret}}")
        self.source = setup.sources[0]
        self.producer = Producer({"bootstrap.servers": self.broker.bootstrap, "log_level": 0, "message.max.bytes": 4000000})
        # A receiver that says what it was sent, and secrets of its own, in its refusals.
        echo = canary.new("receiver's refusal", "aws")
        self.receiver.answers = [(500, {"x-reason": echo}), (429, {"retry-after": echo})]

        process = setup.start("first")
        self.plant(canary)
        answers = self.ask(process, canary)
        self.assertGreaterEqual(len(canary.planted), 100)

        def leaks():
            return sum(b'"Leak"' in body for body in self.receiver.bodies)

        wait_for(lambda: leaks() >= 20, 90, lambda: f"{leaks()} pages\n{process.log()[-2000:]}")
        # Crashes in the middle of more of it: one with the signal of a fault, which asks for an image of memory.
        for crash in (signal.SIGKILL, signal.SIGSEGV):
            for kind in canary.KINDS:
                self.send(self.event(content={"output": canary.new(f"content at signal {crash}", kind)}))
            self.producer.flush(60)
            process.process.send_signal(crash)
            process.process.wait(30)
            process.log_file.close()
            process = setup.start("after", cwd=setup.path)
        before = leaks()
        self.send(self.event(content={"output": canary.new("content after the crashes", "aws")}))
        self.producer.flush(60)
        wait_for(lambda: leaks() > before, 90, "nothing came after the crashes")
        time.sleep(12)  # slices are cut, states written
        answers += self.ask(process, canary)
        setup.close_processes()

        places = {}
        for topic in self.topics():
            for _, key, value in read_all(self.broker.bootstrap, topic, committed=False):
                for place in canary.seen_in((key or b"") + b"\0" + (value or b"")):
                    places.setdefault(place, set()).add(topic)
        for name, texts in (("page", self.receiver.bodies), ("answer", answers)):
            for text in texts:
                for place in canary.seen_in(text):
                    places.setdefault(place, set()).add(name)
        files = [path for path in setup.path.rglob("*") if path.is_file()]
        self.assertGreaterEqual(len(files), 4)
        for path in files:
            for place in canary.seen_in(path.read_bytes()):
                places.setdefault(place, set()).add(path.name)
        self.assertEqual(places, {})
        self.assertFalse([path for path in files if path.name.startswith("core")])

        # It was no idle run: events, halts, dead letters, investigations and pages stand there.
        for topic, least in (("events", 60), ("halts", 20), ("dead-letters", 5), ("investigations", 20),
                             ("spec-gaps", 10)):
            self.assertGreaterEqual(len(read_all(self.broker.bootstrap, "canary." + topic)), least, topic)
        self.assertTrue(any(b'"text":"it is [' in value for _, _, value in read_all(self.broker.bootstrap, "canary.events")))
        record = next(json.loads(value) for _, _, value in read_all(self.broker.bootstrap, "canary.investigations")
                      if b'"Leak"' in value)
        self.assertRegex(record["annotations"]["record"], r"^partition \d, offset \d+$")
        self.assertIn("rotate", record["annotations"])
        for name in ("pattern", "place", "fingerprint"):
            self.assertTrue(record["annotations"][name])

    def test_a_crash_leaves_no_image_of_memory(self):
        process = subprocess.Popen([TOCSIN, "run", "--embedded", "--port", "0"], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait, 20)
        self.addCleanup(process.kill)
        proc = pathlib.Path(f"/proc/{process.pid}")
        wait_for(lambda: (proc / "coredump_filter").read_text().strip() == "00000000", 20, "memory would be dumped")
        limit = next(line for line in (proc / "limits").read_text().splitlines() if line.startswith("Max core"))
        self.assertEqual(limit.split()[4:6], ["0", "0"])


if __name__ == "__main__":
    unittest.main()
