"""Checks of larder-benchmark: what it counts, what it prints, and what it says when something is
wrong. run.sh starts the servers: LARDER_PORT one that allows DEBUG, with a socket in LARDER_FOLDER;
LARDER_SECRET_PORT one with the password `secret`."""
import csv
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree

PROGRAM = os.environ["LARDER_BENCHMARK"]
PORT = int(os.environ["LARDER_PORT"])
SECRET_PORT = int(os.environ["LARDER_SECRET_PORT"])
SOCKET = os.path.join(os.environ["LARDER_FOLDER"], "benchmark.sock")
SECONDS_MAX = 60
STALL_SECONDS = 0.6


def bench(*arguments, port=PORT):
    """Exit status, standard output and standard error of one call."""
    command = [PROGRAM, "-p", str(port), *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=SECONDS_MAX)
    return done.returncode, done.stdout, done.stderr


def rows(*arguments, port=PORT):
    """The JSON objects of a call that must succeed in silence."""
    status, out, err = bench("--json", *arguments, port=port)
    assert status == 0 and err == "", (status, err)
    return [json.loads(line) for line in out.splitlines()]


def row(*arguments, port=PORT):
    found = rows(*arguments, port=port)
    assert len(found) == 1, found
    return found[0]


class Connection:
    """Asks the server itself."""

    def __init__(self, port=PORT):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=SECONDS_MAX)
        self.file = self.socket.makefile("rb")

    def ask(self, line):
        self.socket.sendall(line.encode() + b"\r\n")
        head = self.file.readline()
        if head[:1] == b"$" and int(head[1:]) >= 0:
            return self.file.read(int(head[1:]) + 2)[:-2].decode()
        return head[1:-2].decode()

    def field(self, section, name):
        for line in self.ask(f"INFO {section}").splitlines():
            if line.startswith(name + ":"):
                return line.partition(":")[2]
        return None

    def calls(self, command):
        fields = self.field("commandstats", f"cmdstat_{command}")
        return int(fields.split(",")[0].partition("=")[2]) if fields else 0


def wait_for(condition):
    limit = time.monotonic() + SECONDS_MAX
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.005)


def fresh():
    """A connection to a server without keys and without statistics."""
    connection = Connection()
    connection.ask("FLUSHALL")
    connection.ask("CONFIG RESETSTAT")
    return connection


def serve_badly(behave):
    """A listening socket whose connections are each handled by `behave`, in a thread."""
    listener = socket.create_server(("127.0.0.1", 0))

    def handle(connection):
        try:
            behave(connection)
        except OSError:
            pass  # the other side has had enough

    def accept():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=handle, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener


# ---- what is counted ----

def check_number_of_requests():
    server = fresh()
    for threads in (1, 3):
        for pipeline in (1, 7):
            server.ask("CONFIG RESETSTAT")
            found = row("-t", "get", "-n", 1001, "-c", 5, "--threads", threads, "-P", pipeline)
            assert found["requests"] == 1001 and server.calls("get") == 1001, found
            assert found["nulls"] == 1001 and found["errors"] == 0


def check_warmup_is_not_counted():
    server = fresh()
    found = row("-t", "get", "-n", 500, "-c", 2, "--warmup", 0.2)
    assert found["requests"] == 500 and server.calls("get") > 500


def check_nulls_of_warmup_are_not_counted():
    fresh()
    found = row("-t", "get", "-n", 500, "-c", 1, "--warmup", 0.1)
    assert found["nulls"] == 500, found


def check_time():
    found = row("-t", "ping", "--seconds", 0.3, "-c", 4)
    assert abs(found["seconds"] - 0.3) < 1e-6 and found["requests"] > 0


def check_load():
    server = fresh()
    row("-t", "get", "--load", "-r", 5000, "-n", 100, "--threads", 3, "-d", 77,
        "--key-prefix", "user-", "--key-size", 30)
    assert server.ask("DBSIZE") == "5000"
    assert server.ask("STRLEN user-" + "4999".zfill(25)) == "77"
    found = row("-t", "get", "-r", 5000, "-n", 1000, "--key-prefix", "user-", "--key-size", 30)
    assert found["nulls"] == 0


def check_sequential_keys():
    server = fresh()
    row("-t", "set", "-n", 3000, "-r", 3000, "--keys", "sequential", "--threads", 2, "-P", 16)
    assert server.ask("DBSIZE") == "3000"


def check_zipf_keys():
    server = fresh()
    row("-t", "set", "-n", 20000, "-r", 1000000, "--keys", "zipf:1.2", "-P", 100)
    # Evenly drawn, there would be some 19800.
    assert 1000 < int(server.ask("DBSIZE")) < 10000


def check_sizes():
    server = fresh()
    row("-t", "fill", "-r", 300, "-d", "100:1,200:1", "-P", 10)
    found = {server.ask("STRLEN key:" + str(i).zfill(12)) for i in range(300)}
    assert found == {"100", "200"}, found


def check_mix():
    server = fresh()
    row("--mix", "80/20", "-n", 10000, "-P", 50, "-r", 10)
    gets, sets = server.calls("get"), server.calls("set")
    assert gets + sets == 10000 and 1700 < sets < 2300, (gets, sets)
    server.ask("CONFIG RESETSTAT")
    row("--mix", "incr:1,exists:3", "-n", 4000, "-P", 50)
    assert 800 < server.calls("incr") < 1200 and server.calls("exists") > 2700


def check_own_command():
    server = fresh()
    found = row("-n", 200, "-r", 10, "-P", 3, "hset", "h", "f:__rand_int__", "__value__")
    assert found["test"] == "hset" and server.ask("HLEN h") == "10"


def check_all_tests():
    names = "ping,ping_inline,set,setex,get,incr,mset,mget,hset,hget,exists,expire,del"
    found = rows("-t", names, "-n", 500, "-r", 100, "-P", 5)
    assert [one["test"] for one in found] == names.split(",")
    assert all(one["requests"] == 500 for one in found)
    found = rows("-3", "-t", names, "-n", 500, "-r", 100, "-P", 5)
    assert all(one["errors"] == 0 for one in found)


def check_large_values():
    found = rows("-t", "set,get", "-n", 200, "-d", 300000, "-P", 4, "-c", 3)
    assert all(one["requests"] == 200 and one["nulls"] == 0 for one in found)
    assert row("--mix", "50/50", "-n", 400, "-d", "lognormal:20kb:2", "-P", 8)["requests"] == 400


def check_several_pipelines():
    found = rows("-t", "get", "-P", "1,4,16", "-n", 300)
    assert [one["pipeline"] for one in found] == [1, 4, 16]


def check_database():
    server = fresh()
    row("-t", "set", "-n", 10, "--dbnum", 3)
    assert server.ask("DBSIZE") == "0"
    server.ask("SELECT 3")
    assert server.ask("DBSIZE") == "1"


def check_unix_socket():
    assert row("-s", SOCKET, "-t", "get", "-n", 500)["requests"] == 500


# ---- open loop ----

def check_open_loop_counts():
    found = row("-t", "get", "--rate", 4000, "--arrivals", "fixed", "--seconds", 0.5, "--threads", 2)
    assert found["requests"] + found["unsent"] == 2000, found
    found = row("-t", "get", "--rate", 4000, "--seconds", 0.5)
    # Poisson: within six standard deviations.
    assert abs(found["requests"] + found["unsent"] - 2000) < 6 * 45, found
    assert row("-t", "get", "--rate", 5000, "-n", 777)["requests"] == 777


def stall(connection):
    """Holds the server up once it has load."""
    def act():
        asking = Connection()
        wait_for(lambda: asking.calls("get") > 200)
        asking.ask(f"DEBUG SLEEP {STALL_SECONDS}")
    connection.ask("CONFIG RESETSTAT")
    thread = threading.Thread(target=act)
    thread.start()
    return thread


def check_stall_shows():
    """Requests that were due during a stall waited for its end, whether or not they could be sent: with
    the stall three tenths of the time, p99 is near its length, and p90 two thirds of it. A loop that waits for
    replies before it asks again would have had only one request a connection in it."""
    server = fresh()
    thread = stall(server)
    found = row("-t", "get", "--rate", 500, "--arrivals", "fixed", "--seconds", 2, "--warmup", 0,
                "-c", 5)
    thread.join()
    # The last may be due when a busy machine does not let anybody run.
    assert found["requests"] + found["unsent"] == 1000 and found["unsent"] < 200, found
    latency = found["latency_us"]
    assert latency["p99"] > STALL_SECONDS * 1e6 * 0.8, latency
    assert latency["p90"] > STALL_SECONDS * 1e6 * 0.4, latency
    assert latency["min"] < STALL_SECONDS * 1e6 * 0.5, latency


def check_rate_beyond_reach():
    """A server that takes 20 ms for each request bears 50 a second on one connection: what was due and
    never sent is told, and counts as having waited."""
    def answer_slowly(connection):
        while connection.recv(65536):
            time.sleep(0.02)
            connection.sendall(b"+PONG\r\n")

    with serve_badly(answer_slowly) as listener:
        found = row("-t", "ping", "--rate", 1000, "--arrivals", "fixed", "--seconds", 1, "--warmup",
                    0, "-c", 1, port=listener.getsockname()[1])
    assert found["requests"] + found["unsent"] == 1000 and found["unsent"] > 800, found
    assert found["latency_us"]["p50"] > 300000, found


# ---- reports ----

def check_json_fields():
    found = row("-t", "get", "-n", 1000, "-c", 3, "-r", 50, "--keys", "zipf:0.99", "-d", "10-20",
                "--rate", 20000)
    wanted = {"test", "server", "version", "connections", "threads", "pipeline", "value_size",
              "keys", "key_order", "zipf_exponent", "rate_wanted", "arrivals", "requests",
              "seconds", "requests_per_second", "server_ns_per_request", "client_ns_per_request",
              "server_ns_of_rounds", "server_user_ns_of_rounds",
              "latency_us", "late_us", "unsent", "rounds", "requests_per_second_of_rounds",
              "interrupted", "nulls", "errors", "first_error"}
    assert set(found) == wanted, set(found) ^ wanted
    latency = list(found["latency_us"].values())[1:]
    assert latency == sorted(latency) and latency[0] > 0
    assert found["version"].startswith("larder ") and found["client_ns_per_request"] > 0


def check_csv():
    status, out, err = bench("--csv", "-t", "set,get", "-P", "1,4", "-n", 300, "-r", 10)
    table = list(csv.reader(io.StringIO(out)))
    assert status == 0 and err == "" and len(table) == 5
    assert table[0][:8] == ["test", "rps", "avg_latency_ms", "min_latency_ms", "p50_latency_ms",
                            "p95_latency_ms", "p99_latency_ms", "max_latency_ms"]
    for line in table[1:]:
        assert len(line) == len(table[0]) and line[0] in ("set", "get")
        assert all(float(cell) > 0 for cell in line[1:12]), line
    status, out, _ = bench("--csv", "-n", 10, "set", "k", 'a"b,c')
    assert status == 0 and list(csv.reader(io.StringIO(out)))[1][0] == "set"


def check_texts():
    status, out, _ = bench("-q", "-t", "ping,get", "-n", 300)
    assert status == 0 and len(out.splitlines()) == 2 and "requests per second, p50=" in out
    status, out, _ = bench("-t", "get", "-n", 300, "--rate", 3000)
    assert status == 0 and "300 requests in" in out and "p99.9" in out and "Poisson" in out
    for option in ("--help", "--version"):
        status, out, err = bench(option)
        assert status == 0 and out and err == ""


def compare_list():
    return f"one=127.0.0.1:{PORT},other={SOCKET}"


def check_comparison():
    server = fresh()
    with tempfile.TemporaryDirectory() as folder:
        svg = os.path.join(folder, "chart.svg")
        found = rows("--compare", compare_list(), "-t", "get,set", "-P", "1,8", "--rounds", 3,
                     "-n", 400, "--svg", svg, "--load", "-r", 100)
        picture = xml.etree.ElementTree.parse(svg).getroot()
    assert [(one["test"], one["pipeline"], one["server"]) for one in found] == [
        (test, pipeline, name) for test in ("get", "set") for pipeline in (1, 8)
        for name in ("one", "other")]
    for one in found:
        assert one["rounds"] == 3 and one["requests"] == 1200 and one["nulls"] in (0, 1200)
        rates = sorted(one["requests_per_second_of_rounds"])
        assert len(rates) == 3 and abs(one["requests_per_second"] - rates[1]) < 0.11
    for first, second in zip(found[::2], found[1::2]):
        ratio = second["requests_per_second"] / first["requests_per_second"]
        assert first["rate_ratio"] == 1 and abs(second["rate_ratio"] - ratio) < 0.001
    # Twice 1200 of each server, which is the same one here.
    assert server.calls("get") == 4800
    assert picture.tag.endswith("svg")
    texts = "".join(picture.itertext())
    assert all(word in texts for word in ("get, P=1", "set, P=8", "one (larder", "percentile"))


def check_comparison_table():
    status, out, _ = bench("--compare", compare_list(), "-t", "get", "--seconds", 0.1, "--rounds", 2)
    assert status == 0 and "medians of 2 rounds" in out and "\n  other " in out
    status, _, err = bench("--compare", f"one=127.0.0.1:{PORT},gone=127.0.0.1:1", "-n", 10)
    assert status == 1 and "No connection to 127.0.0.1:1" in err


def check_svg_of_one():
    with tempfile.TemporaryDirectory() as folder:
        svg = os.path.join(folder, "<&>.svg")
        assert bench("-q", "-n", 100, "-t", "get", "--svg", svg)[0] == 0
        xml.etree.ElementTree.parse(svg)
        status, _, err = bench("-q", "-n", 100, "-t", "get", "--svg", folder + "/no/such.svg")
    assert status == 1 and "such.svg" in err


# ---- what goes wrong ----

def check_password():
    status, _, err = bench("-t", "get", "-n", 10, port=SECRET_PORT)
    assert status == 1 and "NOAUTH Authentication required." in err, err
    status, _, err = bench("-t", "get", "-n", 10, "-a", "wrong", port=SECRET_PORT)
    assert status == 1 and "WRONGPASS" in err, err
    assert row("-t", "get", "-n", 10, "-a", "secret", port=SECRET_PORT)["requests"] == 10
    assert row("-t", "get", "-n", 10, "-a", "secret", "--user", "default", "-3",
               port=SECRET_PORT)["requests"] == 10


def check_hopeless():
    """Nothing but errors ends a run long before its time."""
    began = time.monotonic()
    status, _, err = bench("-t", "get", "--seconds", 50, "-P", 10, port=SECRET_PORT)
    assert status == 1 and "NOAUTH" in err and time.monotonic() - began < 30, err


def check_out_of_memory():
    server = fresh()
    server.ask("CONFIG SET maxmemory 1")
    try:
        status, out, err = bench("--json", "-t", "set,get", "-n", 100)
    finally:
        server.ask("CONFIG SET maxmemory 0")
    assert status == 1 and "OOM command not allowed" in err, err
    found = [json.loads(line) for line in out.splitlines()]
    assert len(found) == 1 and found[0]["errors"] == 100


def check_wrong_type():
    server = fresh()
    server.ask("HSET key:000000000000 f v")
    status, _, err = bench("-t", "get", "-n", 100)
    assert status == 1 and "WRONGTYPE" in err and "100 replies were errors" in err, err


def check_refused():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        status, out, err = bench("-n", 10, port=port)
    assert status == 1 and out == "" and "Connection refused" in err, err
    status, _, err = bench("-s", "/no/such/socket", "-n", 10)
    assert status == 1 and "No connection to /no/such/socket" in err, err
    status, _, err = bench("-h", "no.such.host.invalid", "-n", 10)
    assert status == 1 and "no.such.host.invalid" in err, err


def check_lost_connection():
    def answer_some(connection):
        sent = 0
        while sent < 20 and connection.recv(65536):
            connection.sendall(b"+PONG\r\n")
            sent += 1
        connection.close()

    with serve_badly(answer_some) as listener:
        port = listener.getsockname()[1]
        for more in ((), ("--rate", 5000), ("--threads", 2)):
            status, _, err = bench("-t", "ping", "--seconds", 20, "-c", 3, *more, port=port)
            assert status == 1 and "The connection was lost" in err, err


def check_too_many_connections():
    server = fresh()
    server.ask("CONFIG SET maxclients 10")
    try:
        status, _, err = bench("-t", "get", "-n", 1000, "-c", 50)
    finally:
        server.ask("CONFIG SET maxclients 10000")
    assert status == 1 and "max number of clients reached" in err, err


def check_nonsense():
    def answer_nonsense(connection):
        while connection.recv(65536):
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with serve_badly(answer_nonsense) as listener:
        status, _, err = bench("-t", "ping", "-n", 100, port=listener.getsockname()[1])
    assert status == 1 and "not a reply" in err, err


def check_killed_server():
    """A server that goes away in the middle of a pipeline of large values."""
    def vanish(connection):
        connection.recv(100)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()

    with serve_badly(vanish) as listener:
        status, _, err = bench("-t", "set", "-n", 1000, "-P", 16, "-d", 100000, "-c", 2,
                               port=listener.getsockname()[1])
    assert status == 1 and "lost" in err, err


def check_interrupt():
    for more in ((), ("--rate", 5000), ("--threads", 2, "-P", 16)):
        server = fresh()
        command = [PROGRAM, "-p", str(PORT), "-t", "get,set", "--seconds", "50", "--warmup", "0",
                   "--json", *map(str, more)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_for(lambda server=server: server.calls("get") > 500)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=SECONDS_MAX)
        found = [json.loads(line) for line in out.splitlines()]
        assert process.returncode == 130 and "interrupted" in err, (process.returncode, err)
        assert len(found) == 1 and found[0]["interrupted"] and found[0]["requests"] > 0, found
        assert 0 < found[0]["seconds"] < 49


def check_interrupted_warmup():
    server = fresh()
    command = [PROGRAM, "-p", str(PORT), "-t", "get", "--seconds", "50", "--warmup", "50", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: server.calls("get") > 500)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 130 and out == "" and "before anything" in err, err
    assert time.monotonic() - began < 20


WRONG = ["-c 0", "-c x", "-c", "-n 0", "-n -1", "-n 1e6", "-P 0", "-P 1,", "-P 1,x", "-d -1",
         "-d 1gb", "-d 9-1", "-d 64:", "-d lognormal:1", "-r 0", "-t nosuch", "-t get,nosuch",
         "--threads 0", "--seconds 0", "--seconds x", "--warmup -1", "--rate 0", "--rate -5",
         "--rate nan", "--arrivals often", "--mix 80", "--mix get", "--mix 80/20 get k",
         "--keys random", "--keys zipf", "--keys zipf:0", "--keys zipf:-1", "--key-size 3",
         "--key-size 5 -r 1000", "--seed x", "--compare =1", "--compare one=x", "--compare ,",
         "--rounds 0", "--dbnum -1", "--user somebody", "--server-pid 0", "--nosuch", "-z",
         "-n 5 --seconds 1", "-p 0", "-p x", "--json=1", "-t fill --mix fill:1"]


def check_wrong_input():
    for text in WRONG:
        status, out, err = bench(*text.split())
        assert status == 1 and err and out == "", (text, status, out, err)
    _, _, err = bench("--nosuch")
    assert "nosuch" in err and "Usage: larder-benchmark" in err


def main():
    passed = failed = 0
    for name, check in list(globals().items()):
        if name.startswith("check_"):
            began = time.monotonic()
            try:
                check()
                passed += 1
                print(f"ok    {name} {time.monotonic() - began:.2f} s")
            except Exception as problem:  # whatever it is, the others shall run
                failed += 1
                print(f"FAIL  {name}: {type(problem).__name__}: {problem}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
