"""redis-py's Lock, whose release and extension are scripts, and scripts registered by an application."""
import threading

import redis

from checks import PORT, check, finish, until

client = redis.Redis("127.0.0.1", PORT)


@check
def one_holds_it():
    first = client.lock("lock", timeout=60)
    second = client.lock("lock", timeout=60, blocking=False)
    assert first.acquire() and first.owned()
    assert not second.acquire() and second.locked() and not second.owned()
    first.extend(40)
    assert 95000 < client.pttl("lock") <= 100000
    first.extend(30, replace_ttl=True)
    assert client.pttl("lock") <= 30000
    first.reacquire()
    assert client.pttl("lock") > 50000
    first.release()
    assert second.acquire()
    second.release()


@check
def what_is_lost_is_not_released():
    lock = client.lock("lost", timeout=60)
    lock.acquire()
    client.set("lost", "somebody else")
    for attempt in (lock.release, lock.reacquire):
        try:
            attempt()
        except redis.exceptions.LockError:
            pass
        else:
            raise AssertionError("no error")
    assert client.get("lost") == b"somebody else"


@check
def each_has_its_turn():
    total = [0]

    def add():
        for _ in range(20):
            with client.lock("turn", timeout=60, sleep=0.001):
                seen = total[0]
                client.ping()
                total[0] = seen + 1

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert total[0] == 80


@check
def registered_scripts():
    script = client.register_script(
        "local t = cmsgpack.unpack(cmsgpack.pack({ARGV[1], 2}))"
        " redis.call('rpush', KEYS[1], unpack(t)) return redis.call('lrange', KEYS[1], 0, -1)"
    )
    assert script(keys=["list"], args=["a"]) == [b"a", b"2"]
    client.script_flush()
    assert script(keys=["list"], args=["b"]) == [b"a", b"2", b"b", b"2"]
    with client.pipeline() as pipe:
        script(keys=["list"], args=["c"], client=pipe)
        assert len(pipe.execute()[0]) == 6


@check
def locks_end_with_their_time():
    client.lock("short", timeout=0.01).acquire()
    until(lambda: client.lock("short", blocking=False, timeout=60).acquire())


finish()
