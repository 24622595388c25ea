"""redis-py with its default settings: what a cache's user does with it."""
import os
import sys
import threading
import time

import redis

PORT = int(os.environ["LARDER_PORT"])
BINARY = bytes(range(256)) * 3 + b"\r\n$-1\r\n\0"
counts = {"passed": 0, "failed": 0}


def check(name, test):
    """Runs one test; an exception, of an assertion or of the library, is its failure."""
    client = redis.Redis("127.0.0.1", PORT)
    try:
        test(client)
        counts["passed"] += 1
    except Exception as problem:  # whatever it is, it goes on with the next test
        counts["failed"] += 1
        print(f"FAILED {name}: {type(problem).__name__}: {problem}")
    finally:
        client.close()


def raises(kind, words, call):
    try:
        call()
    except kind as problem:
        assert words in str(problem), str(problem)
        return
    raise AssertionError(f"no {kind.__name__}")


def connects(client):
    assert client.ping() is True
    assert client.echo("text") == b"text"
    assert client.client_id() > 0
    assert client.client_setname("py") is True
    assert client.client_getname() == "py"


def strings(client):
    assert client.set("s", "value") is True
    assert client.get("s") == b"value"
    assert client.set("s", "x", nx=True) is None
    assert client.set("s", "new", get=True) == b"value"
    assert client.getset("s", "newer") == b"new"
    assert client.append("s", "!") == 6
    assert client.getrange("s", 0, 2) == b"new"
    assert client.setrange("s", 0, "N") == 6
    assert client.strlen("s") == 6
    assert client.getdel("s") == b"Newer!"
    assert client.get("s") is None


def binary_values(client):
    assert client.set(BINARY, BINARY) is True
    assert client.get(BINARY) == BINARY
    assert client.delete(BINARY) == 1
    client.set("empty", b"")
    assert client.get("empty") == b""
    big = os.urandom(3 * 1024 * 1024)
    client.set("big", big)
    assert client.get("big") == big
    assert client.delete("big", "empty") == 2


def unicode_text(client):
    text = redis.Redis("127.0.0.1", PORT, decode_responses=True)
    text.set("ключ", "значение ✓")
    assert text.get("ключ") == "значение ✓"
    assert client.get("ключ") == "значение ✓".encode()
    text.delete("ключ")
    text.close()


def deadlines(client):
    client.set("d", 1, ex=100)
    assert 99 <= client.ttl("d") <= 100
    assert client.expire("d", 50) is True
    assert 49000 < client.pttl("d") <= 50000
    assert client.persist("d") is True
    assert client.ttl("d") == -1
    assert client.setex("d", 10, "v") is True
    assert client.psetex("d", 10000, "v") is True
    assert client.getex("d", persist=True) == b"v"
    assert client.ttl("none") == -2
    client.set("d", 1, px=20)
    end = time.monotonic() + 20
    while client.exists("d"):
        assert time.monotonic() < end, "the key never expires"
    assert client.get("d") is None


def counters(client):
    assert client.incr("n") == 1
    assert client.incrby("n", 41) == 42
    assert client.decr("n", 2) == 40
    assert client.incrbyfloat("n", 0.5) == 40.5
    raises(redis.ResponseError, "not an integer", lambda: client.incr("n"))
    client.delete("n")


def several_keys(client):
    assert client.mset({"a": 1, "b": 2}) is True
    assert client.mget("a", "none", "b") == [b"1", None, b"2"]
    assert client.exists("a", "b", "none") == 2
    assert client.touch("a", "b") == 2
    assert client.type("a") == b"string"
    assert client.rename("a", "c") is True
    assert client.unlink("b", "c") == 2


def hashes(client):
    assert client.hset("h", mapping={"f": "1", "g": BINARY, "": "x"}) == 3
    assert client.hset("h", "f", "2") == 0
    assert client.hget("h", "f") == b"2"
    assert client.hgetall("h") == {b"f": b"2", b"g": BINARY, b"": b"x"}
    assert client.hmget("h", "f", "none") == [b"2", None]
    assert client.hincrby("h", "f", 5) == 7
    assert client.hlen("h") == 3
    assert sorted(client.hkeys("h")) == [b"", b"f", b"g"]
    assert client.hexists("h", "f") is True
    assert dict(client.hscan_iter("h")) == client.hgetall("h")
    assert client.hdel("h", "f", "g", "none") == 2
    assert client.delete("h") == 1


def scanning(client):
    pipeline = client.pipeline(transaction=False)
    for i in range(1000):
        pipeline.set(f"scan:{i}", i)
    assert all(pipeline.execute())
    found = set(client.scan_iter(match="scan:*", count=50))
    assert found == {f"scan:{i}".encode() for i in range(1000)}
    assert len(client.keys("scan:99*")) == 11
    assert client.delete(*found) == 1000


def pipelines(client):
    pipeline = client.pipeline(transaction=False)
    pipeline.set("p", 1).incr("p").hset("p", "f", "v").get("p").delete("p")
    replies = pipeline.execute(raise_on_error=False)
    assert replies[:2] == [True, 2]
    assert isinstance(replies[2], redis.ResponseError)
    assert replies[3:] == [b"2", 1]


def errors(client):
    client.set("e", "text")
    raises(redis.ResponseError, "WRONGTYPE", lambda: client.hget("e", "f"))
    raises(redis.ResponseError, "unknown command", lambda: client.execute_command("NOSUCH"))
    raises(redis.ResponseError, "wrong number of arguments", lambda: client.execute_command("GET"))
    raises(redis.ResponseError, "syntax error", lambda: client.execute_command("SET", "e", 1, "ZZ"))
    assert client.ping() is True
    client.delete("e")


def server_commands(client):
    assert client.info()["redis_version"]
    assert client.info("memory")["used_memory"] > 0
    assert "maxmemory" in client.config_get("maxmemory*")
    assert client.command_count() > 50
    assert client.command()["get"]["arity"] == 2
    assert len(client.time()) == 2
    assert any(entry["addr"] for entry in client.client_list())
    client.set("f", 1)
    assert client.dbsize() == 1
    assert client.flushdb() is True
    assert client.dbsize() == 0


def other_database(client):
    other = redis.Redis("127.0.0.1", PORT, db=3)
    other.set("only-there", 1)
    assert client.get("only-there") is None
    assert other.flushdb() is True
    other.close()


def wait_for_message(subscriber):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        message = subscriber.get_message(ignore_subscribe_messages=True, timeout=0.1)
        if message is not None:
            return message
    raise AssertionError("no message")


def publish_and_subscribe(client):
    subscriber = client.pubsub()
    subscriber.subscribe("news", "other")
    subscriber.psubscribe("n?w*")
    seen = [subscriber.get_message(timeout=20)["type"] for _ in range(3)]
    assert seen == ["subscribe", "subscribe", "psubscribe"], seen
    assert client.publish("news", BINARY) == 2
    message = wait_for_message(subscriber)
    assert (message["type"], message["channel"], message["data"]) == ("message", b"news", BINARY)
    message = wait_for_message(subscriber)
    assert (message["type"], message["pattern"], message["data"]) == ("pmessage", b"n?w*", BINARY)
    subscriber.ping()
    assert client.pubsub_numsub("news", "none") == [(b"news", 1), (b"none", 0)]
    assert sorted(client.pubsub_channels()) == [b"news", b"other"]
    assert client.pubsub_numpat() == 1
    subscriber.unsubscribe()
    subscriber.punsubscribe()
    while subscriber.get_message(timeout=20)["type"] != "punsubscribe":
        pass
    assert client.publish("news", "x") == 0
    subscriber.close()


def keyspace_notifications(client):
    client.config_set("notify-keyspace-events", "Ex")
    subscriber = client.pubsub()
    subscriber.psubscribe("__keyevent@*__:expired")
    subscriber.get_message(timeout=20)
    client.set("goes", 1, px=10)
    assert wait_for_message(subscriber)["data"] == b"goes"
    client.config_set("notify-keyspace-events", "")
    subscriber.close()


def connection_pool(client):
    pool = redis.ConnectionPool(host="127.0.0.1", port=PORT, max_connections=20)
    connections = [pool.get_connection("PING") for _ in range(20)]
    for i, connection in enumerate(connections):
        connection.send_command("ECHO", str(i))
    for i, connection in enumerate(connections):
        assert connection.read_response() == str(i).encode()
    pool.disconnect()
    assert client.ping() is True


def computed_once(client):
    value, ttl, token = client.execute_command("FETCH", "once", "LEASE", 10000, "WAIT", 2000)
    assert value is None and ttl is None and len(token) == 11
    other = redis.Redis("127.0.0.1", PORT)
    found = []
    waiting = threading.Thread(target=lambda: found.append(
        other.execute_command("FETCH", "once", "LEASE", 10000, "WAIT", 4000)))
    waiting.start()
    end = time.time() + 20
    while client.info("leases")["lease_parked"] == 0 and time.time() < end:
        time.sleep(0.001)
    stored = client.execute_command("STORE", "once", BINARY, "EX", 60, "STALE", 300, "LEASE", token)
    waiting.join()
    assert stored in (True, b"OK") and found[0][0] == BINARY and found[0][2] is None
    assert client.execute_command("STORE", "once", "old", "LEASE", token) is None
    assert client.execute_command("UNLEASE", "once", token) == 0
    assert client.get("once") == BINARY and client.delete("once") == 1
    other.close()


for function in (connects, strings, binary_values, unicode_text, deadlines, counters, several_keys,
                 hashes, scanning, pipelines, errors, server_commands, other_database,
                 publish_and_subscribe, keyspace_notifications, connection_pool, computed_once):
    check(function.__name__, function)
print(f"{counts['passed']} passed, {counts['failed']} failed")
sys.exit(1 if counts["failed"] else 0)
