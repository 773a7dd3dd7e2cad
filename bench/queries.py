"""Requests a second and latency of one dashboard, against peers, round by round."""

import contextlib
import importlib.util
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from bench.children import ended, free_port, module, wait_for
from bench.load import Load, flood
from bench.machine import cpu_s
from bench.query_servers import PATH, rendered, rendered_fleet

NGINX = """
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/errors;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  default_type application/json;
  sendfile on;
  tcp_nodelay on;
  keepalive_requests 1000000000;
  open_file_cache max=200 inactive=60s;
  open_file_cache_valid 60s;
  client_body_temp_path {folder};
  proxy_temp_path {folder};
  fastcgi_temp_path {folder};
  uwsgi_temp_path {folder};
  scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port}; root {folder}/www; }}
}}
"""

FLEET = 100
"""Accounts whose dashboards are requested in turn."""

OURS = ("realtime", "no_shortcut", "aiohttp", "fastapi")


class Round(Struct):
    """What 32 connections and what one connection saw of a server, and what it spent on the 32."""

    many: Load
    one: Load
    cpu_us: float
    """Processor time a request; what other programs do to the machine hardly shows in it."""


@contextlib.contextmanager
def nginx(core: int, bodies: Mapping[str, bytes]) -> Iterator[tuple[int, int]]:
    """nginx with the same bytes as static files under the same paths; its port and process."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        folder.chmod(0o755)
        for path, body in bodies.items():
            file = folder / "www" / path.removeprefix("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)
        config = folder / "nginx.conf"
        config.write_text(NGINX.format(folder=folder, port=port))
        pinned = ["taskset", "-c", str(core)] if shutil.which("taskset") else []
        if shutil.which("setpriv"):  # not even a parent that was killed leaves it behind
            pinned = ["setpriv", "--pdeathsig", "TERM", *pinned]
        process = subprocess.Popen(
            [*pinned, "nginx", "-e", str(folder / "errors"), "-c", str(config)],
            stderr=subprocess.DEVNULL,
        )
        with ended(process):
            yield port, process.pid


def absent() -> dict[str, str]:
    """Peers that cannot be measured here, and why."""
    missing = {}
    if shutil.which("nginx") is None:
        missing["nginx"] = "nginx is not installed (apt-get install nginx-light)"
    if not all(map(importlib.util.find_spec, ("fastapi", "uvicorn"))):
        missing["fastapi"] = "fastapi and uvicorn are not installed (extra `bench`)"
    return missing


def measure(rounds: int, seconds: float) -> dict[str, list[Round]]:
    """server → its rounds. A round measures each server once, one after the other."""
    with contextlib.ExitStack() as running:
        servers: dict[str, tuple[int, int]] = {}
        for kind in OURS:
            if kind not in absent():
                port = free_port()
                child = running.enter_context(module("query_servers", kind, "--port", str(port)))
                child.read_line()
                servers[kind] = port, child.pid
        if "nginx" not in absent():
            servers["nginx"] = running.enter_context(nginx(0, {PATH: rendered()}))
        for port, _ in servers.values():
            wait_for(f"http://127.0.0.1:{port}{PATH}")
        seen: dict[str, list[Round]] = {kind: [] for kind in servers}
        for _ in range(rounds):
            for kind, (port, pid) in servers.items():
                seen[kind].append(_round(port, pid, seconds))
        return seen


class FleetRound(Struct):
    """Ours and nginx, each on its own core's share: requests a second, and processor time each."""

    size: int
    """Bytes of a dashboard."""
    ours: Load
    ours_cpu_us: float
    nginx: Load | None = None
    nginx_cpu_us: float = 0.0


def measure_fleet(rounds: int, seconds: float, positions: int, orders: int) -> list[FleetRound]:
    """Dashboards of `FLEET` accounts in turn, of ours and of nginx."""
    bodies = rendered_fleet(FLEET, positions, orders)
    paths = list(bodies)
    sizes = {"--accounts": FLEET, "--positions": positions, "--orders": orders}
    options = [word for name, value in sizes.items() for word in (name, str(value))]
    with contextlib.ExitStack() as running:
        port = free_port()
        words = ("query_servers", "realtime", "--port", str(port), *options)
        child = running.enter_context(module(*words))
        child.read_line()
        peer = None
        if "nginx" not in absent():
            peer = running.enter_context(nginx(0, bodies))
        seen = []
        for _ in range(rounds):
            ours, ours_cpu_us = _flood_all(port, child.pid, paths, seconds)
            found = FleetRound(len(bodies[paths[0]]), ours, ours_cpu_us)
            if peer is not None:
                found.nginx, found.nginx_cpu_us = _flood_all(*peer, paths, seconds)
            seen.append(found)
        return seen


def _flood_all(port: int, pid: int, paths: list[str], seconds: float) -> tuple[Load, float]:
    for path in paths:
        wait_for(f"http://127.0.0.1:{port}{path}")
    flood(port, *paths, connections=32, seconds=1.0)  # as its clients have asked before
    before = cpu_s(pid)
    load = flood(port, *paths, connections=32, seconds=seconds)
    spent = cpu_s(pid) - before
    return load, spent / max(1.0, load.per_s * max(1, round(seconds))) * 1e6


def _round(port: int, pid: int, seconds: float) -> Round:
    before = cpu_s(pid)
    many = flood(port, PATH, connections=32, seconds=seconds)
    spent = cpu_s(pid) - before
    one = flood(port, PATH, connections=1, seconds=seconds / 2)
    # wrk runs whole seconds
    return Round(many, one, spent / max(1.0, many.per_s * max(1, round(seconds))) * 1e6)
