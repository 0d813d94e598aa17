"""A real Apache Kafka for tests: one KRaft node from its Maven packages, on free ports, with its data in a
temporary folder. Nothing is left behind but the downloaded packages, in a cache folder.

As a command it starts one, prints its address and stays until Ctrl-C:  python3 tests/kafka/broker.py
"""

import ctypes
import fcntl
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>tocsin</groupId><artifactId>broker</artifactId><version>1</version>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{version}</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-reload4j</artifactId><version>1.7.36</version></dependency>
</dependencies></project>
"""
LOG4J = """log4j.rootLogger=WARN, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d %p %m (%c)%n
"""
READY_WITHIN_S = 60


def jars(version):
    """The folder of the broker's packages; fetched once, whoever asks first."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    root = pathlib.Path(os.environ.get("TOCSIN_KAFKA_CACHE") or os.path.join(home, "tocsin", "kafka"))
    root.mkdir(parents=True, exist_ok=True)
    done = root / version
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


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def die_with_parent():
    """Linux: however the test ends, the broker ends with it."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Broker:
    """`with Broker() as broker:` gives a broker that answers at `broker.bootstrap`."""

    def __init__(self, version="3.9.1", partitions=2):
        self.classpath = str(jars(version) / "*")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-kafka-"))
        self.port, self.controller = free_ports(2)
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.process = None
        (self.folder / "log4j.properties").write_text(LOG4J, encoding="ascii")
        (self.folder / "server.properties").write_text("\n".join([
            "process.roles=broker,controller",
            "node.id=1",
            f"controller.quorum.voters=1@127.0.0.1:{self.controller}",
            f"listeners=PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller}",
            f"advertised.listeners=PLAINTEXT://127.0.0.1:{self.port}",
            "controller.listener.names=CONTROLLER",
            f"log.dirs={self.folder}/data",
            f"num.partitions={partitions}",
            "auto.create.topics.enable=true",
            "offsets.topic.num.partitions=4",
            "transaction.state.log.num.partitions=4",
            "offsets.topic.replication.factor=1",
            "transaction.state.log.replication.factor=1",
            "transaction.state.log.min.isr=1",
            "group.initial.rebalance.delay.ms=0",
            "transaction.abort.timed.out.transaction.cleanup.interval.ms=1000",
            "log.retention.ms=-1",
        ]) + "\n", encoding="ascii")

    def __enter__(self):
        try:
            self._java("kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c",
                       str(self.folder / "server.properties")).wait(60)
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _java(self, *arguments):
        with open(self.folder / "out.log", "ab") as out:
            return subprocess.Popen(
                ["java", "-Xmx400m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", self.classpath,
                 f"-Dlog4j.configuration=file:{self.folder}/log4j.properties", *arguments],
                stdout=out, stderr=out, cwd=self.folder, preexec_fn=die_with_parent)

    def start(self):
        self.process = self._java("kafka.Kafka", str(self.folder / "server.properties"))
        until = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < until and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.1)
        tail = (self.folder / "out.log").read_text(errors="replace")[-3000:]
        raise RuntimeError(f"the broker did not start:\n{tail}")

    def kill(self):
        """As kill -9. start() begins again with the same data on the same port."""
        if self.process:
            self.process.kill()
            self.process.wait(30)
            self.process = None


def main():
    with Broker(*sys.argv[1:2]) as broker:
        print(broker.bootstrap, flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
