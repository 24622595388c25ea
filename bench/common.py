"""What the side-by-side benchmarks in Python share: servers of their own on free ports, the machine's
description, tables and charts."""
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
READY_SECONDS_MAX = 10
SETTLE_SECONDS_MAX = 10


class Server:
    """One server in a folder of its own, on a free port of the loopback interface. `core`: pinned to it, unless
    None. `folder`: one that is there already and stays."""

    def __init__(self, program, core=None, options=(), folder=None):
        self.folder = folder or tempfile.mkdtemp(prefix="larder-bench-")
        self.keeps_folder = folder is not None
        self.port = free_port()
        command = pinned(core) + [program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                                  "--appendonly", "no", "--dir", self.folder, *options]
        self.began = time.monotonic()
        with open(os.path.join(self.folder, "log"), "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def wait_ready(self, seconds=READY_SECONDS_MAX):
        """Until it answers PING with PONG, which one that loads does not."""
        self.wait_answer("PING", lambda reply: reply.startswith(b"+PONG"), seconds)

    def wait_answer(self, command, right, seconds, pause=0.005):
        """Until the reply to an inline command is right; how long that was since the start, in seconds."""
        limit = time.monotonic() + seconds
        while True:
            try:
                if right(self.ask(command)):
                    return time.monotonic() - self.began
            except OSError:
                pass
            if self.process.poll() is not None or time.monotonic() > limit:
                with open(os.path.join(self.folder, "log"), encoding="utf-8") as log:
                    text = log.read()
                self.stop()
                sys.exit(f"A server does not start:\n{text}")
            time.sleep(pause)

    def ask(self, command, seconds=30):
        """The first piece of the reply to an inline command: enough for a short one."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            connection.sendall(command.encode() + b"\r\n")
            return connection.recv(65536)

    def figure(self, section, name):
        """One of INFO's figures; 0 when it is not there."""
        found = re.search(rb"\n" + name.encode() + rb":([\d.]+)", self.ask("INFO " + section))
        return float(found.group(1)) if found else 0

    def knows(self, command):
        return not self.ask(f"COMMAND INFO {command}").startswith((b"*1\r\n*-1", b"*1\r\n$-1", b"*1\r\n_"))

    def settled_memory(self):
        """used_memory when it has stopped moving: what is freed or moved in the background has been."""
        limit = time.monotonic() + SETTLE_SECONDS_MAX
        last = -1
        while True:
            now = int(self.figure("memory", "used_memory"))
            if abs(now - last) < 4096 or time.monotonic() > limit:
                return now
            last = now
            time.sleep(0.3)

    def resident(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if not self.keeps_folder:
            shutil.rmtree(self.folder, ignore_errors=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def pinned(core):
    return ["taskset", "-c", str(core)] if core is not None and shutil.which("taskset") else []


def output(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{shlex.join(command)}:\n{done.stdout}{done.stderr}")
    return done.stdout


def programs_of(build):
    """The two servers by name and larder-benchmark; ends with a message when one is missing."""
    load = os.path.join(build, "bench", "larder-benchmark")
    servers = {"redis": shutil.which("redis-server"), "larder": os.path.join(build, "larder-server")}
    if servers["redis"] is None:
        sys.exit("redis-server is missing")
    for program in (load, servers["larder"]):
        if not os.access(program, os.X_OK):
            sys.exit(f"{program} is missing: make bench-build builds it")
    return servers, load


# ---- the page ----

def table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "|---" + "|---:" * (len(heads) - 1) + "|"]
    return lines + ["| " + " | ".join(row) + " |" for row in rows] + [""]


def number(value):
    return f"{value:,.0f}" if value >= 1000 else f"{value:.0f}"


def met(goal, is_met):
    return "" if goal is None else f"{goal:g}{'' if is_met else ': short'}"


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return os.uname().machine


def revision():
    done = subprocess.run(["git", "-C", HERE, "rev-parse", "--short", "HEAD"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, check=False)
    return done.stdout.strip() or "unknown"


def version_of(name, program):
    words = output([program, "--version"]).split()
    return name + " " + next((word[2:] for word in words if word.startswith("v=")), "unknown")
