"""The real SDKs from PyPI and npm against a scripted model and the doors of the real program.

For each client an environment of its own is installed into a cache folder. Then a small agent of agents/ asks a scripted
model twice: the first reply asks for the tool `lookup_order`, with a planted key in the tool's argument, the second is
the answer. The truth is counted at the model. What Tocsin counted from the client's upload has to be the same, with one
task, one halt and nothing refused, and the planted key must not come out anywhere. It also has to pass each upload on.
Needs the package registries, so it runs by command only:

    python3 tests/sdks/run.py [--only NAME ...] [--api chat|stream|responses] [--latest] [--slow] [--keep] [--cache DIR]

TOCSIN names the program, as for the tests of tests/e2e. One line a client; exit status 1 where a figure is wrong or a
client could not be run.
"""
import argparse
import dataclasses
import hashlib
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
from support import ROOT, Receiver, Service  # noqa: E402

# A token of the tests alone; in two parts, so that no scanner of sources takes it for a leak.
PLANTED = "AK" + "IAQYLPMN5HHHFPZAM2"
TEXT = "It is on its way."
ARGUMENTS = {"order": "4711", "note": f"the shop's key is {PLANTED}"}
FIGURES = ("model_calls", "tokens_in", "tokens_cached", "tokens_out", "tool_calls", "tasks", "halts")
EXPORTER = {"OTEL_EXPORTER_OTLP_ENDPOINT": "{door}", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
AUTO = EXPORTER | {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_LOGS_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "otlp",
                   "OTEL_SERVICE_NAME": "shop", "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true"}
OTEL = ["opentelemetry-sdk==1.45.2", "opentelemetry-exporter-otlp-proto-http==1.45.2"]
OPENAI = "openai==3.57.0"
ALL = ("chat", "stream", "responses")
LANGFUSE_KEYS = {"LANGFUSE_PUBLIC_KEY": "pk-lf-tests", "LANGFUSE_SECRET_KEY": "sk-lf-tests"}
DATADOG = {"DD_TRACE_AGENT_URL": "{door}", "DD_LLMOBS_AGENTLESS_ENABLED": "0", "DD_SERVICE": "shop",
           "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false", "DD_REMOTE_CONFIGURATION_ENABLED": "false"}
INSTALL_S, AGENT_S, SETTLE_S = 900, 120, 20
SLOW_S = 7  # exporters post each 5 s


@dataclasses.dataclass
class ClientSetup:
    """How one client is installed and pointed at the door."""
    agent: str
    packages: list
    environment: dict
    prefix: list = dataclasses.field(default_factory=list)  # a command of the environment that runs the agent
    cached: tuple = ALL     # by which of openai's ways the client sends cached tokens
    apis: tuple = ("chat",)  # which of openai's ways the agent knows and the client watches
    names_early: bool = False  # whether what it posts before the root ends names the agent
    held: tuple = ()        # packages that keep their version under --latest: the newest don't work together


CLIENTS = {
    "otel_openai_v2": ClientSetup(
        "otel.py", ["opentelemetry-instrumentation-openai-v2==2.4b0", "opentelemetry-util-genai==0.4b0", "openai==2.54.0",
                    "opentelemetry-distro", *OTEL], AUTO, ["opentelemetry-instrument"], cached=(), apis=("chat", "stream"),
        held=("opentelemetry-instrumentation-openai-v2", "opentelemetry-util-genai", "openai")),
    "otel_genai": ClientSetup(
        "otel.py", ["opentelemetry-instrumentation-genai-openai==1.3b0", OPENAI, "opentelemetry-distro", *OTEL],
        AUTO | {"OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental",
                "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_AND_EVENT"},
        ["opentelemetry-instrument"], apis=ALL),
    "openinference": ClientSetup(
        "openinference_openai.py", ["openinference-instrumentation-openai==0.1.66", OPENAI, *OTEL], EXPORTER,
        apis=ALL),
    "traceloop": ClientSetup(
        "traceloop_sdk.py", ["traceloop-sdk==0.62.4", "openai==2.54.0", "opentelemetry-sdk==1.45.1"],
        {"TRACELOOP_BASE_URL": "{door}", "TRACELOOP_API_KEY": "tests", "TRACELOOP_TELEMETRY": "false"},
        apis=ALL, names_early=True, held=("openai", "opentelemetry-sdk")),
    "langfuse": ClientSetup(
        "langfuse_python.py", ["langfuse==5.0.4", OPENAI], {"LANGFUSE_HOST": "{door}"} | LANGFUSE_KEYS,
        apis=ALL),
    "langsmith": ClientSetup(
        "langsmith_python.py", ["langsmith==0.15.1", "zstandard", OPENAI],
        {"LANGSMITH_ENDPOINT": "{door}", "LANGSMITH_API_KEY": "tests", "LANGSMITH_TRACING": "true"},
        apis=ALL, names_early=True),
    "ddtrace": ClientSetup("ddtrace_llmobs.py", ["ddtrace==4.16.0", OPENAI], DATADOG, apis=ALL,
                           names_early=True),
    "ddtrace_without_apm": ClientSetup(
        "ddtrace_llmobs.py", ["ddtrace==4.16.0", OPENAI], DATADOG | {"DD_APM_TRACING_ENABLED": "false"},
        apis=ALL, names_early=True),
    "pydantic_logfire": ClientSetup(
        "pydantic_ai_logfire.py", ["pydantic-ai-slim[openai]==2.68.0", "logfire==5.2.0", OPENAI], EXPORTER,
        names_early=True),
    "langchain_openinference": ClientSetup(
        "langchain_openinference.py", ["openinference-instrumentation-langchain==0.1.80", "langchain==1.4.7",
                                       "langchain-openai==1.7.3", OPENAI, *OTEL], EXPORTER, apis=("chat", "responses")),
    "agents_openinference": ClientSetup(
        "openai_agents_openinference.py", ["openinference-instrumentation-openai-agents==2.6.0", "openai-agents==0.24.0",
                                           OPENAI, *OTEL], EXPORTER, cached=("responses",), apis=("chat", "responses")),
    "langfuse_js": ClientSetup(
        "langfuse_js.mjs", ["@langfuse/otel@5.11.1", "@langfuse/tracing@5.11.1", "@langfuse/openai@5.11.1", "openai@6.49.0",
                            "@opentelemetry/sdk-trace-node@2.12.0"], {"LANGFUSE_BASE_URL": "{door}"} | LANGFUSE_KEYS),
    "langsmith_js": ClientSetup(
        "langsmith_js.mjs", ["langsmith@0.12.0", "openai@6.49.0"],
        {"LANGSMITH_ENDPOINT": "{door}", "LANGSMITH_API_KEY": "tests", "LANGSMITH_TRACING": "true"},
        names_early=True),
    "vercel_ai": ClientSetup(
        "vercel_ai.mjs", ["ai@6.0.322", "@ai-sdk/openai-compatible@2.0.87", "@opentelemetry/sdk-trace-node@2.12.0",
                          "@opentelemetry/exporter-trace-otlp-http@0.223.1", "zod@4"], EXPORTER, names_early=True),
    "vercel_ai_7": ClientSetup(
        "vercel_ai_7.mjs", ["ai@7.0.173", "@ai-sdk/otel@1.0.173", "@ai-sdk/openai-compatible@3.0.92",
                            "@opentelemetry/sdk-trace-node@2.12.1", "@opentelemetry/exporter-trace-otlp-http@0.223.1",
                            "zod@4"], EXPORTER),
}


class NotRun(Exception):
    """Why a client could not be run."""


class Server(http.server.ThreadingHTTPServer):
    """A server of the test's own: `answer(path, headers, body)` gives a status and an object, or a list for a
    stream of events."""

    def __init__(self):
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                status, said = server.answer(self.path, dict(self.headers.items()), body)
                kind = "application/json"
                if isinstance(said, list):
                    kind = "text/event-stream"
                    said = "".join(f"data: {json.dumps(one)}\n\n" for one in said) + "data: [DONE]\n\n"
                said = said.encode() if isinstance(said, str) else json.dumps(said).encode()
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            do_PUT = do_PATCH = do_POST

            def log_message(self, *arguments):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Model(Server):
    """A model that speaks OpenAI's chat completions, says what its script says, and counts the truth."""

    SCRIPT = [  # tokens in, of which cached, out, of which reasoning
        (1201, 1024, 37, 0), (1423, 1152, 41, 8)]

    def __init__(self):
        super().__init__()
        self.counted = dict.fromkeys(FIGURES, 0)

    def answer(self, path, headers, body):
        if path not in ("/v1/chat/completions", "/v1/responses"):
            return 404, {"error": {"message": f"no {path} here"}}
        request = json.loads(body)
        number = self.counted["model_calls"]
        if number == len(self.SCRIPT):
            return 400, {"error": {"message": "not in the script"}}
        tokens_in, cached, out, reasoning = self.SCRIPT[number]
        self.counted["model_calls"] += 1
        self.counted["tokens_in"] += tokens_in
        self.counted["tokens_cached"] += cached
        self.counted["tokens_out"] += out
        # A tool was called when its result comes back.
        self.counted["tool_calls"] += sum(one.get("role") == "tool" or one.get("type") == "function_call_output"
                                          for one in request.get("messages") or request["input"])
        self.counted["tasks"] = self.counted["halts"] = 1
        if path == "/v1/responses":
            return 200, self.response(number, tokens_in, cached, out, reasoning)
        completion = self.completion(number, tokens_in, cached, out, reasoning)
        return 200, self.chunks(completion) if request.get("stream") else completion

    @staticmethod
    def completion(number, tokens_in, cached, out, reasoning):
        message = {"role": "assistant", "content": TEXT, "refusal": None}
        if number == 0:
            message = {"role": "assistant", "content": None, "refusal": None, "tool_calls": [
                {"id": "call_1", "type": "function",
                 "function": {"name": "lookup_order", "arguments": json.dumps(ARGUMENTS)}}]}
        return {
            "id": f"chatcmpl-{number}", "object": "chat.completion", "created": int(time.time()),
            "model": "gpt-4o-mini-2024-07-18", "service_tier": "default", "system_fingerprint": "fp_tests",
            "choices": [{"index": 0, "message": message, "logprobs": None,
                         "finish_reason": "tool_calls" if number == 0 else "stop"}],
            "usage": {"prompt_tokens": tokens_in, "completion_tokens": out, "total_tokens": tokens_in + out,
                      "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
                      "completion_tokens_details": {"reasoning_tokens": reasoning, "audio_tokens": 0,
                                                    "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}}}

    @staticmethod
    def chunks(completion):
        """The same as a stream: the text or the arguments in pieces, the usage in a last chunk without choices."""
        choice, message = completion["choices"][0], completion["choices"][0]["message"]
        deltas = [{"role": "assistant", "content": None if message["content"] is None else ""}]
        if message["content"]:
            deltas += [{"content": word + " "} for word in message["content"].split()]
        for index, call in enumerate(message.get("tool_calls", [])):
            arguments = call["function"]["arguments"]
            deltas.append({"tool_calls": [{**call, "index": index, "function": {**call["function"], "arguments": ""}}]})
            deltas += [{"tool_calls": [{"index": index, "function": {"arguments": arguments[at:at + 9]}}]}
                       for at in range(0, len(arguments), 9)]
        head = {**completion, "object": "chat.completion.chunk", "usage": None}
        made = [{**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}]}
                for delta in deltas]
        made.append({**head, "choices": [{"index": 0, "delta": {}, "logprobs": None,
                                          "finish_reason": choice["finish_reason"]}]})
        made.append({**head, "choices": [], "usage": completion["usage"]})
        return made

    @staticmethod
    def response(number, tokens_in, cached, out, reasoning):
        item = {"type": "message", "id": f"msg_{number}", "role": "assistant", "status": "completed",
                "content": [{"type": "output_text", "text": TEXT, "annotations": []}]}
        if number == 0:
            item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "lookup_order",
                    "arguments": json.dumps(ARGUMENTS), "status": "completed"}
        return {
            "id": f"resp_{number}", "object": "response", "created_at": int(time.time()), "status": "completed",
            "model": "gpt-4o-mini-2024-07-18", "output": [item], "parallel_tool_calls": True, "tool_choice": "auto",
            "tools": [], "error": None, "incomplete_details": None, "instructions": None, "metadata": {},
            "temperature": 1.0, "top_p": 1.0, "text": {"format": {"type": "text"}}, "truncation": "disabled",
            "usage": {"input_tokens": tokens_in, "input_tokens_details": {"cached_tokens": cached},
                      "output_tokens": out, "output_tokens_details": {"reasoning_tokens": reasoning},
                      "total_tokens": tokens_in + out}}


class Vendor(Server):
    """Where Tocsin passes the uploads on to; with --keep they stay as files."""

    def __init__(self, folder):
        super().__init__()
        self.folder, self.paths = folder, []

    def answer(self, path, headers, body):
        self.paths.append(path)
        if self.folder:
            file = self.folder / f"upload-{len(self.paths):02d}"
            file.write_bytes(body)
            shown = {name: value for name, value in headers.items() if name.lower().startswith("content-")}
            file.with_suffix(".json").write_text(json.dumps({"path": path, "headers": shown}))
        return 202, {}


def unpinned(package, setup):
    name = re.match(r"@?[^@=]+", package)[0]
    return package if name in setup.held else name


def installed(setup, cache, latest):
    """The folder with the client's environment; made when it is not there."""
    packages = [unpinned(one, setup) for one in setup.packages] if latest else setup.packages
    script = setup.agent.endswith(".mjs")
    digest = hashlib.sha256(json.dumps([packages, sys.version if not script else "node"]).encode()).hexdigest()[:12]
    folder = cache / digest
    if (folder / "done").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    commands = [["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder), *packages]]
    if not script:
        commands = [[sys.executable, "-m", "venv", str(folder)],
                    [str(folder / "bin/python"), "-m", "pip", "install", "-q", "--prefer-binary", *packages]]
    for command in commands:
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotRun(f"can't be installed: {error}") from error
        if done.returncode != 0:
            last = (done.stderr.strip() or done.stdout.strip() or "no reason").splitlines()[-1]
            raise NotRun(f"can't be installed: {last[:300]}")
    (folder / "done").touch()
    return folder


def versions(setup, folder):
    names = [re.match(r"@?[^@=\[]+", one)[0] for one in setup.packages]
    if setup.agent.endswith(".mjs"):
        return {name: json.loads((folder / "node_modules" / name / "package.json").read_text())["version"]
                for name in names if (folder / "node_modules" / name / "package.json").exists()}
    code = "import sys, importlib.metadata as m; print(' '.join(m.version(n) for n in sys.argv[1:]))"
    done = subprocess.run([str(folder / "bin/python"), "-c", code, *names], capture_output=True, text=True, check=True)
    return dict(zip(names, done.stdout.split()))


def run_agent(setup, folder, model, door, tool_s, api, log):
    """Runs the agent to its end, as its user would start it; its tool takes `tool_s`."""
    environment = {name: value for name, value in os.environ.items()
                   if not re.match("OTEL_|DD_|LANG|TRACELOOP_|OPENAI_|PYTHONPATH|NODE_", name)}
    environment |= {name: value.format(door=door) for name, value in setup.environment.items()}
    environment |= {"MODEL_URL": model.url + "/v1", "TOOL_S": str(tool_s), "API": api, "MODULES": str(folder),
                    "NO_PROXY": "127.0.0.1", "PYTHONDONTWRITEBYTECODE": "1"}
    agent = str(HERE / "agents" / setup.agent)
    if agent.endswith(".mjs"):
        command = ["node", agent]
    else:
        command = [*(str(folder / "bin" / one) for one in setup.prefix), str(folder / "bin/python"), agent]
        environment["PATH"] = f"{folder / 'bin'}:{environment['PATH']}"
    try:
        with open(log, "wb") as out:
            done = subprocess.run(command, env=environment, stdout=out, stderr=out, cwd=folder, timeout=AGENT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotRun(f"the agent: {error}") from error
    said = log.read_text(errors="replace").strip()
    if done.returncode != 0 or model.counted["model_calls"] != len(model.SCRIPT):
        raise NotRun(f"the agent ended with {done.returncode} after {model.counted['model_calls']} model calls: "
                     f"{(said.splitlines() or ['silent'])[-1][:300]}")


def counted_by(service):
    """What stands on the topic of events, and the halts."""
    events = [record["value"] for record in service.topic("events")]
    events = [json.loads(event) if isinstance(event, str) else event for event in events]
    calls = [event for event in events if event["type"] == "step"]
    figures = {name: sum(event.get(name, 0) for event in calls) for name in FIGURES if name.startswith("tokens_")}
    figures["model_calls"] = len(calls)
    figures["tool_calls"] = sum(event["type"] == "tool.call" for event in events)
    figures["tasks"] = len({event["correlation_id"] for event in events if event.get("correlation_id")})
    figures["halts"] = len(service.get("/v1/halts")["halts"])
    return figures, events


def settled_figures(service):
    """The figures when the task has finished and nothing has been added for a second."""
    deadline, before = time.monotonic() + SETTLE_S, None
    while True:
        service.settle()
        figures, events = counted_by(service)
        finished = sum(event["type"] == "task.finished" for event in events)
        if (finished and (figures, len(events)) == before) or time.monotonic() > deadline:
            return figures, events, finished
        before = figures, len(events)
        time.sleep(1)


def differences(setup, model, service, receiver, options):
    """What is not as it should be, what is odd but the client's doing, both in words, and what was counted."""
    figures, events, finished = settled_figures(service)
    wrong, noted = [], []
    for name in FIGURES:
        expected = model.counted[name] if name != "tokens_cached" or options.api in setup.cached else 0
        if figures[name] != expected:
            wrong.append(f"{name} {figures[name]} instead of {expected}")
    if finished != 1:
        wrong.append(f"{finished} tasks finished")
    agents = {event.get("agent", "") for event in events if event["type"] in ("step", "tool.call", "task.finished")}
    if agents != {"support"}:
        late = options.slow and not setup.names_early and agents <= {"support", "shop", ""}
        (noted if late else wrong).append(f"agents {sorted(agents)}")
    leaks = [page["data"] for page in receiver.pages if page["data"]["alert"] == "SecretLeak"]
    if len(leaks) != 1:
        named = sorted(leak["labels"].get("agent", "") for leak in leaks)
        late = not setup.names_early and named in (["", "support"], ["shop", "support"])
        (noted if late else wrong).append(f"{len(leaks)} pages of the leak, of agents {named}")
    others = sorted({page["data"]["alert"] for page in receiver.pages} - {"SecretLeak"})
    if others or receiver.bad_signatures:
        wrong.append(f"pages of {others}, {len(receiver.bad_signatures)} with a bad signature")
    tools = {event.get("tool", "") for event in events if event["type"] == "tool.call"}
    if tools - {"lookup_order"}:
        wrong.append(f"tools {sorted(tools)}")
    if any("error_type" in event for event in events):
        wrong.append("an error that was none")
    metrics = service.call("GET", "/metrics")[1].decode()
    taken = 0
    for door, result, times in re.findall(r'^tocsin_uploads_total\{door="(.*?)",result="(.*?)"\} (\d+)', metrics, re.M):
        if result == "taken":
            taken += int(times)
        elif int(times):
            wrong.append(f"{times} uploads at {door}: {result}")
    letters = service.get("/v1/status")["dead_letters"]
    if letters:
        wrong.append(f"{letters} dead letters")
    passed_on = sum(int(times) for times in re.findall(r'^tocsin_uploads_forwarded_total\{result="taken"\} (\d+)',
                                                       metrics, re.M))
    if passed_on != taken:
        wrong.append(f"{passed_on} of {taken} uploads passed on")
    if any(PLANTED.encode() in part for part in [service.everything(), *receiver.bodies]):
        wrong.append("the planted key came out")
    return wrong, noted, figures, taken


def run_client(name, setup, options, kept):
    """One line about the client, and whether all is right."""
    folder = installed(setup, options.cache, options.latest)
    shown = versions(setup, folder)
    with tempfile.TemporaryDirectory() as scratch:
        own = kept / name if kept else pathlib.Path(scratch)
        own.mkdir(parents=True, exist_ok=True)
        model, vendor, receiver = Model(), Vendor(own if kept else None), Receiver()
        service = Service(receiver, clock="wall", rules=[ROOT / "rules"], extra=f"receive: {{forward_to: '{vendor.url}'}}")
        try:
            run_agent(setup, folder, model, service.url, SLOW_S if options.slow else 0, options.api,
                      own / "agent.log")
            wrong, noted, figures, taken = differences(setup, model, service, receiver, options)
            if kept:
                (own / "events.jsonl").write_text("".join(json.dumps(one) + "\n" for one in service.topic("events")))
                (own / "pages.jsonl").write_text("".join(json.dumps(one) + "\n" for one in receiver.pages))
                (own / "status.json").write_text(json.dumps(service.get("/v1/status")))
                (own / "tocsin.log").write_text(service.log())
        finally:
            service.stop()
            for server in (model, vendor):
                server.shutdown()
                server.server_close()
            receiver.close()
    packages = " ".join(f"{package} {version}" for package, version in shown.items())
    counted = " ".join(f"{figure} {figures[figure]}/{model.counted[figure]}" for figure in FIGURES)
    paths = " ".join(sorted(set(vendor.paths)))
    note = "" if options.api in setup.cached else " (this client sends no cached tokens)"
    odd = f"; noted, as this client names its agent last: {'; '.join(noted)}" if noted else ""
    verdict = "WRONG: " + "; ".join(wrong) if wrong else "ok"
    print(f"{name}: {packages}: {counted}{note}; {taken} uploads, {paths}{odd}: {verdict}", flush=True)
    return not wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=CLIENTS, metavar="NAME", help="of: " + ", ".join(CLIENTS))
    parser.add_argument("--api", choices=("chat", "stream", "responses"), default="chat",
                        help="which of openai's ways the agents use (default: %(default)s); clients that don't watch it "
                        "are left out")
    parser.add_argument("--latest", action="store_true", help="the newest packages in place of the pinned ones")
    parser.add_argument("--slow", action="store_true",
                        help=f"the tool takes {SLOW_S} s, so that spans that have ended are posted before the root")
    parser.add_argument("--keep", action="store_true", help="leaves uploads, events and logs in a folder and prints it")
    parser.add_argument("--cache", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "tocsin-sdks",
                        help="where the environments are (default: %(default)s)")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    kept = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-sdks-kept-")) if options.keep else None
    right = True
    chosen = options.only or [name for name, setup in CLIENTS.items() if options.api in setup.apis]
    for name in chosen:
        try:
            right = run_client(name, CLIENTS[name], options, kept) and right
        except NotRun as reason:
            print(f"{name}: not run: {reason}", flush=True)
            right = False
    if kept:
        print(f"kept: {kept}", flush=True)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
