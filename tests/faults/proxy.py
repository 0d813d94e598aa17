"""A TCP proxy in front of a Kafka node, which does to a connection what networks do: cut one direction, swallow
everything, delay; and, as it knows where a request begins, hold back requests of one kind."""

import random
import socket
import struct
import threading
import time

ADD_OFFSETS_TO_TXN, END_TXN, TXN_OFFSET_COMMIT = 25, 26, 28  # Kafka's numbers of its requests


class Proxy:
    def __init__(self, port, target):
        self.target = target
        self.lets_requests_through = self.lets_answers_through = True
        self.delay_s = (0.0, 0.0)  # of each piece, between these
        self.held_kind, self.held = None, threading.Event()
        self.chance = random.Random(port)
        self.connections = set()
        self.lock = threading.Lock()
        self.server = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, daemon=True).start()

    # What goes wrong.

    def swallow(self, requests=True, answers=True):
        """Connections stay open, new ones are taken, and nothing comes through any more."""
        self.lets_requests_through, self.lets_answers_through = not requests, not answers

    def hold(self, kind):
        """Requests of this kind wait, and what their connection sends after them. `held` is set when one does."""
        self.held.clear()
        self.held_kind = kind

    def drop_connections(self):
        with self.lock:
            connections, self.connections = self.connections, set()
        for one in connections:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def heal(self):
        self.held_kind, self.delay_s = None, (0.0, 0.0)
        swallowed = not (self.lets_requests_through and self.lets_answers_through)
        self.lets_requests_through = self.lets_answers_through = True
        if swallowed:
            self.drop_connections()  # bytes are missing in them

    # How it works: two threads a connection.

    def _accept(self):
        while True:
            client, _ = self.server.accept()
            try:
                broker = socket.create_connection(("127.0.0.1", self.target), 5)
                broker.settimeout(None)
            except OSError:
                client.close()
                continue
            for one in (client, broker):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.connections |= {client, broker}
            threading.Thread(target=self._requests, args=(client, broker), daemon=True).start()
            threading.Thread(target=self._answers, args=(client, broker), daemon=True).start()

    def _wait(self):
        if self.delay_s[1] > 0:
            time.sleep(self.chance.uniform(*self.delay_s))

    def _requests(self, client, broker):
        try:
            stream = client.makefile("rb")
            while len(size := stream.read(4)) == 4:
                frame = stream.read(struct.unpack(">i", size)[0])
                self._wait()
                kind = struct.unpack_from(">h", frame)[0]
                while kind == self.held_kind:
                    self.held.set()
                    time.sleep(0.01)
                if self.lets_requests_through:
                    broker.sendall(size + frame)
        except (OSError, struct.error):
            pass
        self._end(client, broker)

    def _answers(self, client, broker):
        try:
            while piece := broker.recv(65536):
                self._wait()
                if self.lets_answers_through:
                    client.sendall(piece)
        except OSError:
            pass
        self._end(client, broker)

    def _end(self, *connections):
        with self.lock:
            self.connections -= set(connections)
        for one in connections:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()
