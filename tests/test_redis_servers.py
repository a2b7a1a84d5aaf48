"""The kinds of servers that a queue is kept on: a cluster of three, one that sentinels name and replace, one behind TLS."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack

import headrace
import pytest
from headrace import RequestQueue
from redis_server import redis_server

PATIENT = 60


def tool(name):
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"there is no {name} on this machine")
    return found


def asked(url, *words):
    """What a server answers to a command, by its own client."""
    command = [tool("redis-cli"), "-u", url, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENT, check=False).stdout.strip()


def until(holds):
    end = time.monotonic() + PATIENT
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.1)


def test_a_cluster_of_three(tmp_path):
    with ExitStack() as servers:
        urls = []
        for n in range(3):
            (tmp_path / str(n)).mkdir()
            urls.append(servers.enter_context(redis_server(tmp_path / str(n), "--cluster-enabled", "yes")))
        hosts = [url.removeprefix("redis://") for url in urls]
        made = [tool("redis-cli"), "--cluster", "create", *hosts, "--cluster-yes"]
        subprocess.run(made, check=True, capture_output=True, timeout=PATIENT)
        until(lambda: all("cluster_state:ok" in asked(url, "CLUSTER", "INFO") for url in urls))
        address = "redis+cluster://" + ",".join(hosts)
        for n in range(8):
            q, other = RequestQueue(address, name=f"q{n}"), RequestQueue(address, name=f"q{n}")
            q.put_many(list(range(5)))
            for job in other.get_many(5, timeout=PATIENT):
                job.ack(job.payload)
            assert q.stats()["by_status"]["done"] == 5
        assert all(int(asked(url, "DBSIZE")) > 0 for url in urls), "the queues are spread over the servers"


@pytest.mark.timeout(300)
def test_sentinels_name_the_server_and_its_successor(tmp_path):
    with ExitStack() as servers:
        for name in ("first", "second", "sentinel"):
            (tmp_path / name).mkdir()
        first = servers.enter_context(redis_server(tmp_path / "first"))
        port = first.rpartition(":")[2]
        second = servers.enter_context(redis_server(tmp_path / "second", "--replicaof", "127.0.0.1", port))
        config = tmp_path / "sentinel" / "sentinel.conf"
        config.write_text(
            f"sentinel monitor ours 127.0.0.1 {port} 1\n"
            "sentinel down-after-milliseconds ours 5000\nsentinel failover-timeout ours 20000\n"
        )
        sentinel = servers.enter_context(redis_server(tmp_path / "sentinel", "--sentinel", config=config))
        until(
            lambda: (
                "slave0" in asked(first, "INFO", "replication")
                and "state=online" in asked(first, "INFO", "replication")
            )
        )
        until(lambda: "ip" in asked(sentinel, "SENTINEL", "replicas", "ours"))
        q = RequestQueue(sentinel.replace("redis://", "redis+sentinel://") + "/ours")
        id = q.put("before")
        until(lambda: asked(second, "EXISTS", "headrace:{queue:default}:records") == "1")
        until(lambda: asked(sentinel, "SENTINEL", "failover", "ours") == "OK")
        until(lambda: "role:master" in asked(second, "INFO", "replication"))
        until(lambda: "role:slave" in asked(first, "INFO", "replication"))
        after = q.put("after")
        jobs = [q.get(timeout=PATIENT) for _ in range(2)]
        assert [job.id for job in jobs] == [id, after]
        for job in jobs:
            job.ack()
        assert len(q) == 0


USE = """
import sys, headrace
q = headrace.RequestQueue(sys.argv[1])
q.put("over TLS")
print(q.get(timeout=60).payload)
"""


def test_over_tls(tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = [tool("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    made += [
        "-addext",
        "subjectAltName=DNS:localhost",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-keyout",
        str(key),
        "-out",
        str(certificate),
    ]
    subprocess.run(made, check=True, capture_output=True, timeout=PATIENT)
    tls = ["--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-auth-clients", "no"]
    with redis_server(tmp_path, *tls, tls=True) as url:
        address = url.replace("redis://127.0.0.1", "rediss://localhost")
        environment = {**os.environ, "SSL_CERT_FILE": str(certificate)}
        used = subprocess.run(
            [sys.executable, "-c", USE, address], capture_output=True, text=True, env=environment, timeout=PATIENT
        )
        assert (used.stdout, used.returncode) == ("over TLS\n", 0), used.stderr
        with pytest.raises(headrace.StoreError, match="certificate"):
            RequestQueue(address)
