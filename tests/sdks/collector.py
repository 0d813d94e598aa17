"""The OpenTelemetry Collector with its Kafka exporter in front of a real broker, and the real program behind it.

It builds a Collector (OTLP receiver, contrib's Kafka exporter) into a cache folder, posts the recorded uploads of the
clients of OTLP to it, and compares what stands on Tocsin's topic of events with what is true of them. Twice: with the
exporter as it comes, so without keys, and `keyed_by: none`; then with `partition_traces_by_id: true` and
`keyed_by: correlation_id`. It needs the Go module proxy, Maven for the broker, python3-confluent-kafka, and the
recordings beside the project, so it runs by command only:

    python3 tests/sdks/collector.py [--version VERSION] [--keep] [--cache DIR]

TOCSIN names the program, as for the tests of tests/e2e. The first build takes minutes. Exit status 1 where a figure is
wrong.
"""
import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "kafka"), str(HERE.parent / "e2e")]
from broker import Broker, free_ports  # noqa: E402
from kafka_support import Receiver, Setup, create_topic, read_all  # noqa: E402
from recorded import DATA, FIGURES, requests_of, truth  # noqa: E402
from support import ROOT  # noqa: E402

CLIENTS = ("otel_genai", "openinference", "traceloop", "agents_openinference", "langchain_openinference",
           "pydantic_logfire", "vercel_ai", "claude_code")
PLANTED = (b"jane.roe@example.com", b"PLANTD27", b"wT9fKe3PLANTED7qZr4vKd")
MODULES = {"receivers": "go.opentelemetry.io/collector/receiver/otlpreceiver",
           "exporters": "github.com/open-telemetry/opentelemetry-collector-contrib/exporter/kafkaexporter"}
BUILDER = "go.opentelemetry.io/collector/cmd/builder"
BUILD_S, READY_S, SETTLE_S = 3000, 60, 60
PARTITIONS = 4


def built(version, cache):
    """The Collector's binary; built when it is not there."""
    folder = cache / f"collector-{version}"
    binary = folder / "built/tocsin-collector"
    if binary.exists():
        return binary
    folder.mkdir(parents=True, exist_ok=True)
    manifest = "dist:\n  name: tocsin-collector\n  output_path: ./building\n"
    manifest += "".join(f"{kind}:\n- gomod: {module} v{version}\n" for kind, module in MODULES.items())
    (folder / "builder.yaml").write_text(manifest)
    print(f"building a Collector {version}; log: {folder / 'build.log'}", flush=True)
    with open(folder / "build.log", "wb") as log:
        done = subprocess.run(["go", "run", f"{BUILDER}@v{version}", "--config", "builder.yaml"], cwd=folder, stdout=log,
                              stderr=log, timeout=BUILD_S)
    if done.returncode != 0:
        raise SystemExit("the Collector can't be built:\n" + (folder / "build.log").read_text()[-3000:])
    os.rename(folder / "building", folder / "built")
    return binary


class Collector:
    """A Collector that writes traces to a topic; `exporter` adds to the exporter's settings."""

    def __init__(self, binary, bootstrap, topic, exporter, folder):
        door, telemetry = free_ports(2)
        self.url = f"http://127.0.0.1:{door}"
        self.metrics_url = f"http://127.0.0.1:{telemetry}/metrics"
        settings = {"brokers": [bootstrap], "traces": {"topic": topic}, **exporter}
        config = {
            "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{door}"}}}},
            "exporters": {"kafka": settings},
            "service": {
                "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["kafka"]}},
                "telemetry": {"metrics": {"readers": [{"pull": {"exporter": {"prometheus": {
                    "host": "127.0.0.1", "port": telemetry}}}}]}}}}
        (folder / "collector.yaml").write_text(json.dumps(config))
        self.log_path = folder / "collector.log"
        self.log_file = open(self.log_path, "wb")
        self.process = subprocess.Popen([str(binary), "--config", str(folder / "collector.yaml")], stdout=self.log_file,
                                        stderr=self.log_file, env={**os.environ, "GOMAXPROCS": "1"})
        deadline = time.monotonic() + READY_S
        while "Everything is ready" not in self.log():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise SystemExit("the Collector did not start:\n" + self.log()[-3000:])
            time.sleep(0.05)

    def log(self):
        return self.log_path.read_text(errors="replace")

    def post(self, path, headers, body):
        request = urllib.request.Request(self.url + path, body, headers, method="POST")
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status

    def sent(self):
        """How many spans the exporter says it has written."""
        with urllib.request.urlopen(self.metrics_url, timeout=30) as reply:
            found = re.findall(r"^otelcol_exporter_sent_spans\S* (\d+)", reply.read().decode(), re.M)
        return sum(int(one) for one in found)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)
        self.log_file.close()


def post_recorded(collector):
    """The clients' traces, as they were posted; what is true of them."""
    expected = dict.fromkeys([*FIGURES, "tasks"], 0)
    for client in CLIENTS:
        own = truth()[client]
        for method, path, headers, body in requests_of(client):
            if path == "/v1/traces":
                kept = {name: value for name, value in headers.items() if "<removed>" not in value}
                collector.post(path, kept, body)
        for name in FIGURES:
            expected[name] += own["shown"][name]
        expected["tasks"] += own["tasks"]
    return expected


def counted(events):
    calls = [event for event in events if event["type"] == "step"]
    tools = [event for event in events if event["type"] == "tool.call"]
    figures = {name: sum(event.get(name, 0) for event in calls) for name in FIGURES if name.startswith("tokens_")}
    figures["model_calls"] = len(calls)
    figures["tool_calls"] = len(tools)
    figures["tool_errors"] = sum("error_type" in event for event in tools)
    figures["tasks"] = sum(event["type"] == "task.finished" for event in events)
    return figures


def settled_events(bootstrap, topic, tasks):
    """The events when the tasks have finished and nothing has been added for two seconds."""
    deadline, before = time.monotonic() + SETTLE_S, -1
    while True:
        events = [json.loads(value) for _, _, value in read_all(bootstrap, topic)]
        finished = sum(event["type"] == "task.finished" for event in events)
        if (finished >= tasks and len(events) == before) or time.monotonic() > deadline:
            return events
        before = len(events)
        time.sleep(2)


def pass_through(name, keyed_by, exporter, broker, binary, folder):
    """One line about a setting of the exporter, and whether all is right."""
    bootstrap, source = broker.bootstrap, f"otlp_spans_{name}"
    create_topic(bootstrap, source, PARTITIONS)
    folder.mkdir(parents=True, exist_ok=True)
    receiver = Receiver()
    setup = Setup(bootstrap, [source], receiver, halts="enforce", extra=f"rules: {json.dumps([str(ROOT / 'rules')])}",
                  kafka=f"topic_prefix: {name}.\nkeyed_by: {keyed_by}\n")
    collector = None
    try:
        setup.create_topics()
        collector = Collector(binary, bootstrap, source, exporter, folder)
        process = setup.start("one")
        expected = post_recorded(collector)
        events = settled_events(bootstrap, f"{name}.events", expected["tasks"])
        figures = counted(events)
        wrong = [f"{figure} {figures[figure]} instead of {expected[figure]}" for figure in expected
                 if figures[figure] != expected[figure]]
        leaks = {event["correlation_id"] for event in events if event.get("findings")}
        halts = {json.loads(value)["scope"] for _, _, value in read_all(bootstrap, f"{name}.halts") if value}
        listed = json.loads(process.call("GET", "/v1/halts")[1])["halts"]
        if halts != {f"task:{task}" for task in leaks} or len(leaks) != expected["tasks"] or len(listed) != len(halts):
            wrong.append(f"halts of {len(halts)} scopes, {len(listed)} listed, {len(leaks)} tasks with findings")
        records = read_all(bootstrap, source)
        keys = {key for _, key, _ in records}
        if keyed_by == "none" and keys != {None}:
            wrong.append(f"the exporter wrote {len(keys - {None})} keys")
        if keyed_by != "none" and (None in keys or len(keys) != expected["tasks"]):
            wrong.append(f"the exporter wrote the keys {sorted(str(key) for key in keys)}")
        letters = len(read_all(bootstrap, f"{name}.dead-letters"))
        if letters:
            wrong.append(f"{letters} dead letters")
        alerts = {page["data"]["alert"] for page in receiver.pages}
        paged = collections.defaultdict(set)
        for page in receiver.pages:
            if page["data"]["alert"] == "SecretLeak":
                paged[page["data"]["labels"]["correlation_id"]].add(page["data"]["labels"].get("agent", ""))
        if set(paged) != leaks:
            wrong.append(f"pages for {len(paged)} leaks")
        # A trace that comes in several records may name its agent in a later one than the first leak.
        twice = [sorted(agents) for agents in paged.values() if len(agents) > 1]
        split = {event["correlation_id"] for event in events if event.get("agent") in ("shop", None)
                 and event["type"] in ("step", "tool.call")}
        if alerts - {"SecretLeak"}:
            wrong.append(f"pages of {', '.join(sorted(alerts - {'SecretLeak'}))}")
        ours = [value for topic in ("events", "halts", "outbox", "dead-letters", *(["keyed"] if keyed_by == "none" else []))
                for _, _, value in read_all(bootstrap, f"{name}.{topic}", committed=False) if value]
        if any(planted in value for planted in PLANTED for value in [*ours, *receiver.bodies, setup.logs()]):
            wrong.append("a planted value came out")
        shown = " ".join(f"{figure} {figures[figure]}/{expected[figure]}" for figure in expected)
        noted = f"; noted: steps of {len(split)} tasks without their agent's name, {len(twice)} leaks paged twice, " \
                f"as agents {json.dumps(twice)}" if split or twice else ""
        print(f"{name} (exporter {json.dumps(exporter)}, keyed_by: {keyed_by}): {len(CLIENTS)} clients, "
              f"{collector.sent()} spans in {len(records)} records in {len({p for p, _, _ in records})} partitions, "
              f"{len(keys - {None})} keys: {shown} halts {len(halts)}/{expected['tasks']}, {len(listed)} listed, "
              f"{len(receiver.pages)} pages ({', '.join(sorted(alerts))})"
              f"{noted}: {'WRONG: ' + '; '.join(wrong) if wrong else 'ok'}", flush=True)
        (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
        (folder / "pages.jsonl").write_text("".join(json.dumps(page) + "\n" for page in receiver.pages))
        return not wrong
    finally:
        (folder / "tocsin.log").write_bytes(setup.logs())
        if collector:
            collector.stop()
        setup.close()
        receiver.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", default="0.155.0", help="of the Collector and its parts (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="leaves events and logs in a folder and prints it")
    parser.add_argument("--cache", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "tocsin-sdks",
                        help="where the Collector is built (default: %(default)s)")
    options = parser.parse_args()
    if not DATA.exists():
        raise SystemExit("no recordings beside the project")
    binary = built(options.version, options.cache)
    components = subprocess.run([str(binary), "components"], capture_output=True, text=True, check=True).stdout
    modules = re.findall(r"module: (\S+/(?:otlpreceiver|kafkaexporter) \S+)", components)
    print(f"Collector of {', '.join(modules)}", flush=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-collector-"))
    right = True
    try:
        with Broker() as broker:
            print(f"Kafka {broker.version}", flush=True)
            right = pass_through("as_it_comes", "none", {}, broker, binary, folder / "as_it_comes") and right
            right = pass_through("by_trace", "correlation_id", {"partition_traces_by_id": True}, broker, binary,
                                 folder / "by_trace") and right
    finally:
        if options.keep:
            print(f"kept: {folder}", flush=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
