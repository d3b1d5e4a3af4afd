"""Follows a master with redis-py; README.md, one folder up, says what a driver does."""

import json
import os
import sys
import threading
import time

import redis
from redis.sentinel import Sentinel

GAP_S = 0.4
PAUSE_S = 0.02


def say(step, **facts):
    # One write a line: several threads speak.
    sys.stdout.write(json.dumps({"step": step, **facts}) + "\n")
    sys.stdout.flush()


def write_on(master, key, stopped):
    """Counts upwards until told to stop; returns how often a write was accepted and refused."""
    written = refused = refused_since = 0
    last = None
    while not stopped.is_set():
        try:
            master.set(key, written + 1)
        except redis.RedisError:
            refused += 1
            refused_since += 1
        else:
            now = time.monotonic()
            written += 1
            if last is None:
                say("writing")
            elif refused_since or now - last > GAP_S:
                say("gap", ms=round((now - last) * 1000), refused=refused_since)
            last, refused_since = now, 0
        time.sleep(PAUSE_S)
    return written, refused


def find(sentinel, name):
    _, port = sentinel.discover_master(name)
    replicas = [replica_port for _, replica_port in sentinel.discover_slaves(name)]
    # One after the other, both questions go over the one connection of its pool, and so to one replica.
    reader = sentinel.slave_for(name, socket_timeout=2, decode_responses=True)
    read_from = reader.info("server")["tcp_port"]
    say("found", master=port, replicas=sorted(replicas), read_from=read_from, read=reader.get("seeded"))
    reader.close()


def listen(sentinel):
    """Prints what the first Sentinel that answers says of a new master."""
    for client in sentinel.sentinels:
        try:
            channel = client.pubsub()
            channel.subscribe("+switch-master")
            for message in channel.listen():
                if message["type"] == "subscribe":
                    say("listening")
                else:
                    say("switch", payload=message["data"].decode())
        except redis.ConnectionError:
            continue


def crash(trouble):
    threading.__excepthook__(trouble)
    os._exit(1)


def main():
    # What nobody catches ends the process, in whatever thread.
    threading.excepthook = crash
    name, key, user, password, *ports = sys.argv[1:]
    access = {"socket_timeout": 2}
    if user != "-":
        access["username"] = user
    if password != "-":
        access["password"] = password
    hosts = [("127.0.0.1", int(port)) for port in ports]
    sentinel = Sentinel(hosts, sentinel_kwargs=access, socket_timeout=2)
    # A listener may wait for its message as long as it likes.
    listener = Sentinel(hosts, sentinel_kwargs={**access, "socket_timeout": None})
    threading.Thread(target=listen, args=[listener], daemon=True).start()

    stopped, totals = threading.Event(), {}

    def work():
        totals["written"], totals["refused"] = write_on(sentinel.master_for(name), key, stopped)

    writer = threading.Thread(target=work, daemon=True)
    writer.start()
    for line in sys.stdin:
        if line.strip() == "find":
            try:
                find(sentinel, name)
            except redis.RedisError as error:
                say("not-found", reason=repr(error))
        elif line.strip() == "stop":
            break
    stopped.set()
    writer.join()
    say("end", **totals)


main()
