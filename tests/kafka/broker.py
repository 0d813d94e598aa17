"""A real Apache Kafka for tests: one KRaft node or three from its Maven packages, on free ports, with its data in a
temporary folder. Nothing is left behind, even where the test is killed, but the downloaded packages and an archive of
their classes, in a cache folder.

As a command it starts one, prints its address and stays until Ctrl-C:

    python3 tests/kafka/broker.py [VERSION] [--nodes N] [--auto-create]
"""

import argparse
import ctypes
import fcntl
import os
import pathlib
import random
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>tocsin</groupId><artifactId>broker</artifactId><version>1</version>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{version}</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>{version}</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-reload4j</artifactId><version>1.7.36</version></dependency>
</dependencies></project>
"""
LOG4J = """log4j.rootLogger=WARN, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d %p %m (%c)%n
"""
READY_WITHIN_S = 120
# Below the range from which systems take the ports of outgoing connections: while a broker is away, nobody gets its port.
PORTS = range(20_000, 32_000)
# Of the SASL listener that a broker with rights has.
USER, PASSWORD = "tocsin", "of the tests alone"


def jars(version):
    """The folder of the broker's packages; fetched once, whoever asks first."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    root = pathlib.Path(os.environ.get("TOCSIN_KAFKA_CACHE") or os.path.join(home, "tocsin", "kafka"))
    root.mkdir(parents=True, exist_ok=True)
    done = root / f"{version}-with-tools"
    with open(root / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if done.is_dir():
            return done
        with tempfile.TemporaryDirectory(dir=root) as work:
            (pathlib.Path(work) / "pom.xml").write_text(POM.format(version=version), encoding="ascii")
            subprocess.run(["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={work}/libs"],
                           cwd=work, check=True, timeout=240)
            os.rename(f"{work}/libs", done)
    return done


def classes(version):
    """Kafka's classes as this JVM has them once it has loaded them (class data sharing): a node starts with half the
    work. Made once, by a node that is started and stopped; None where that leaves no archive."""
    root = jars(version).parent
    java = int(os.stat(os.path.realpath(shutil.which("java"))).st_mtime)
    archive = root / f"{version}-{java}-classes.jsa"
    with open(root / "lock-classes", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not archive.exists():
            making = root / f"making-{version}-classes.jsa"
            with Broker(version, java_options=[f"-XX:ArchiveClassesAtExit={making}"]) as broker:
                making.unlink(missing_ok=True)  # that of what formats the storage
                broker.nodes[0].process.terminate()
                broker.nodes[0].process.wait(120)
            if not making.exists():
                return None
            os.rename(making, archive)
    return archive


def free_ports(count):
    ports = []
    for port in random.SystemRandom().sample(PORTS, 500):
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise RuntimeError("no free ports")


def die_with_parent():
    """Linux: however the test ends, the broker ends with it."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def known_brokers(port):
    """The ids of the brokers that the one at this port knows, asked as a client would (Metadata, version 4)."""
    with socket.create_connection(("127.0.0.1", port), 2) as connection:
        connection.settimeout(5)
        body = struct.pack(">hhih", 3, 4, 1, -1) + struct.pack(">i?", 0, False)
        connection.sendall(struct.pack(">i", len(body)) + body)
        stream = connection.makefile("rb")
        answer = stream.read(struct.unpack(">i", stream.read(4))[0])
    count, at = struct.unpack_from(">i", answer, 8)[0], 12
    ids = set()
    for _ in range(count):
        ids.add(struct.unpack_from(">i", answer, at)[0])
        at += 6 + struct.unpack_from(">h", answer, at + 4)[0] + 4  # id, host, port
        at += 2 + max(0, struct.unpack_from(">h", answer, at)[0])  # rack
    return ids


class Node:
    def __init__(self, number, folder, ports):
        self.number, self.folder = number, folder / f"node{number}"
        self.port, self.controller, self.sasl, self.door, self.proxy = ports
        self.process = None


class Broker:
    """`with Broker() as broker:` gives a cluster that answers at `broker.bootstrap`. Its nodes are numbered from 1.

    acls: "open" lets everybody do what no rule speaks of, "closed" nobody. Who comes to `bootstrap` may do all;
    who comes to `sasl_bootstrap` is User:tocsin (SASL PLAIN; USER and PASSWORD).

    proxied: who comes to `proxied_bootstrap` is told to go on there: to each node's port `proxy`, on which the test
    has to put a proxy to its port `door`.

    java_options: for its JVMs, in place of the archive of classes.
    """

    def __init__(self, version=None, partitions=2, nodes=1, auto_create=False, acls=None, proxied=False,
                 java_options=None):
        self.version = version or os.environ.get("TOCSIN_KAFKA_VERSION") or "3.9.1"
        if java_options is None:
            archive = classes(self.version)
            java_options = [f"-XX:SharedArchiveFile={archive}"] if archive else []
        # An archive that does not fit is passed over; what the JVM says of it would stand among a tool's answers.
        self.java = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xlog:disable", *java_options, "-cp",
                     str(jars(self.version) / "*")]
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-kafka-"))
        # Outlives us: reads until our end of the pipe closes, then takes the folder away.
        self.guard = subprocess.Popen(["sh", "-c", 'cat >/dev/null; sleep 1; rm -rf "$1"', "sh", str(self.folder)],
                                      stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                      start_new_session=True)
        ports = free_ports(5 * nodes)
        self.nodes = [Node(i + 1, self.folder, ports[5 * i:5 * i + 5]) for i in range(nodes)]
        self.proxied_bootstrap = ",".join(f"127.0.0.1:{node.proxy}" for node in self.nodes) if proxied else None
        self.bootstrap = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        self.sasl_bootstrap = ",".join(f"127.0.0.1:{node.sasl}" for node in self.nodes) if acls else None
        (self.folder / "log4j.properties").write_text(LOG4J, encoding="ascii")
        for node in self.nodes:
            node.folder.mkdir()
            lines = self._properties(node, partitions, auto_create) + (self._rights(acls) if acls else [])
            (node.folder / "server.properties").write_text("\n".join(lines) + "\n", encoding="ascii")

    def _properties(self, node, partitions, auto_create):
        copies = min(3, len(self.nodes))
        doors = {"PLAINTEXT": node.port, "CONTROLLER": node.controller}
        if self.sasl_bootstrap:
            doors["SASL_PLAINTEXT"] = node.sasl
        if self.proxied_bootstrap:
            doors["PROXIED"] = node.door
        addresses = {name: f"{name}://127.0.0.1:{port}" for name, port in doors.items()}
        advertised = {**addresses, "PROXIED": f"PROXIED://127.0.0.1:{node.proxy}"}
        return [
            "process.roles=broker,controller",
            f"node.id={node.number}",
            "controller.quorum.voters=" + ",".join(f"{n.number}@127.0.0.1:{n.controller}" for n in self.nodes),
            "listeners=" + ",".join(addresses.values()),
            "advertised.listeners=" + ",".join(advertised[name] for name in doors if name != "CONTROLLER"),
            "controller.listener.names=CONTROLLER",
            "inter.broker.listener.name=PLAINTEXT",
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,"
            "PROXIED:PLAINTEXT",
            f"log.dirs={node.folder}/data",
            f"num.partitions={partitions}",
            f"auto.create.topics.enable={'true' if auto_create else 'false'}",
            f"default.replication.factor={copies}",
            f"min.insync.replicas={2 if copies == 3 else 1}",
            "offsets.topic.num.partitions=4",
            "transaction.state.log.num.partitions=4",
            f"offsets.topic.replication.factor={copies}",
            f"transaction.state.log.replication.factor={copies}",
            f"transaction.state.log.min.isr={2 if copies == 3 else 1}",
            "share.coordinator.state.topic.replication.factor=1",
            "share.coordinator.state.topic.min.isr=1",
            # A node that was killed may come back when its old session has ended.
            "broker.session.timeout.ms=4000",
            "broker.heartbeat.interval.ms=500",
            # Where three nodes share few cores with others, votes come late.
            "controller.quorum.election.timeout.ms=3000",
            "controller.quorum.fetch.timeout.ms=5000",
            "group.initial.rebalance.delay.ms=0",
            "transaction.abort.timed.out.transaction.cleanup.interval.ms=1000",
            "log.cleaner.backoff.ms=500",
            "log.cleaner.dedupe.buffer.size=8388608",
            "log.retention.ms=-1",
        ]

    @staticmethod
    def _rights(acls):
        return [
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users=User:ANONYMOUS",  # who comes without SASL: other nodes, and the tests' own commands
            f"allow.everyone.if.no.acl.found={'true' if acls == 'open' else 'false'}",
            "sasl.enabled.mechanisms=PLAIN",
            "listener.name.sasl_plaintext.plain.sasl.jaas.config="
            f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";',
        ]

    def __enter__(self):
        try:
            formats = [self._java(node, "kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c",
                                  str(node.folder / "server.properties")) for node in self.nodes]
            for one in formats:
                one.wait(60)
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.guard.stdin.close()
        self.guard.wait(60)

    def _java(self, node, *arguments):
        with open(node.folder / "out.log", "ab") as out:
            return subprocess.Popen(
                [*self.java, "-Xmx400m", f"-Dlog4j.configuration=file:{self.folder}/log4j.properties", *arguments],
                stdout=out, stderr=out, cwd=node.folder, preexec_fn=die_with_parent)

    def _chosen(self, number):
        return self.nodes if number is None else [self.nodes[number - 1]]

    def start(self, node=None, wait=True):
        """Starts one node, or all; returns when each of them answers and knows of all that run."""
        for one in self._chosen(node):
            if one.process is None:
                one.process = self._java(one, "kafka.Kafka", str(one.folder / "server.properties"))
        if not wait:
            return
        running = {one.number for one in self.nodes if one.process}
        for one in self._chosen(node):
            self._wait_until_ready(one, running if 2 * len(running) > len(self.nodes) else set())

    def _wait_until_ready(self, node, wanted):
        until = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < until and node.process.poll() is None:
            try:
                if known_brokers(node.port) >= wanted:
                    return
            except (OSError, struct.error):
                pass
            time.sleep(0.1)
        tail = (node.folder / "out.log").read_text(errors="replace")[-3000:]
        raise RuntimeError(f"node {node.number} did not start:\n{tail}")

    def kill(self, node=None):
        """As kill -9. start() begins again with the same data on the same port."""
        for one in self._chosen(node):
            if one.process:
                one.process.kill()
                one.process.wait(30)
                one.process = None

    def freeze(self, node=None):
        """As kill -STOP: connections stay open, and nobody answers."""
        for one in self._chosen(node):
            one.process.send_signal(signal.SIGSTOP)

    def thaw(self, node=None):
        for one in self._chosen(node):
            one.process.send_signal(signal.SIGCONT)

    def run(self, line):
        """Runs a line of one of Kafka's own tools, such as kafka-topics.sh, as the brokers' admin."""
        name, *arguments = shlex.split(line)
        tools = "org.apache.kafka.tools" if int(self.version.split(".")[0]) >= 4 else "kafka.admin"
        main = {"kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
                "kafka-configs.sh": "kafka.admin.ConfigCommand",
                "kafka-get-offsets.sh": "org.apache.kafka.tools.GetOffsetShell",
                "kafka-delete-records.sh": "org.apache.kafka.tools.DeleteRecordsCommand",
                "kafka-acls.sh": f"{tools}.AclCommand"}[name]
        arguments[arguments.index("--bootstrap-server") + 1] = self.bootstrap
        done = subprocess.run([*self.java, "-Xmx200m",
                               f"-Dlog4j.configuration=file:{self.folder}/log4j.properties", main, *arguments],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
        if done.returncode != 0 or "Error while executing" in done.stdout:
            raise RuntimeError(f"{line}\n{done.stdout}")
        return done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("version", nargs="?", help="of Kafka (default: TOCSIN_KAFKA_VERSION, else 3.9.1)")
    parser.add_argument("--nodes", type=int, default=1, choices=(1, 3))
    parser.add_argument("--auto-create", action="store_true", help="make topics when somebody writes to them")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: exit(0))
    with Broker(options.version, nodes=options.nodes, auto_create=options.auto_create) as broker:
        print(broker.bootstrap, flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
