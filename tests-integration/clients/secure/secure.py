"""redis-py over TLS, as a user with few permissions. LARDER_TLS_AUTH: whether clients need a certificate."""
import os
import sys

import redis

FOLDER = os.environ["LARDER_CERTIFICATES"]
PORT = int(os.environ["LARDER_TLS_PORT"])
NEEDED = os.environ["LARDER_TLS_AUTH"] == "yes"
CERTIFICATE = {"ssl_certfile": f"{FOLDER}/client.crt", "ssl_keyfile": f"{FOLDER}/client.key"}
BINARY = bytes(range(256)) * 300
counts = {"passed": 0, "failed": 0}


def connect(authority="ca", certificate=True, user="shop", password="secret"):
    return redis.Redis("127.0.0.1", PORT, ssl=True, ssl_ca_certs=f"{FOLDER}/{authority}.crt", username=user,
                       password=password, **(CERTIFICATE if certificate else {}))


def check(test):
    """Runs one test; an exception, of an assertion or of the library, is its failure."""
    try:
        test()
        counts["passed"] += 1
    except Exception as problem:  # whatever it is, it goes on with the next test
        counts["failed"] += 1
        print(f"FAILED {test.__name__}: {type(problem).__name__}: {problem}")


def raises(kind, words, call):
    try:
        call()
    except kind as problem:
        assert words in str(problem), str(problem)
        return
    raise AssertionError(f"no {kind.__name__}")


def works():
    client = connect()
    assert client.acl_whoami() == "shop"
    assert client.set("shop:binary", BINARY) is True
    assert client.get("shop:binary") == BINARY
    pipeline = client.pipeline(transaction=True)
    pipeline.set("shop:n", 1).incrby("shop:n", 41).delete("shop:n", "shop:binary")
    assert pipeline.execute() == [True, 42, 2]
    client.close()


def subscribes():
    client = connect()
    subscriber = client.pubsub()
    subscriber.subscribe("shop:news")
    assert subscriber.get_message(timeout=20)["type"] == "subscribe"
    assert client.publish("shop:news", BINARY) == 1
    assert subscriber.get_message(timeout=20)["data"] == BINARY
    raises(redis.exceptions.NoPermissionError, "", lambda: client.publish("other", "x"))
    subscriber.close()
    client.close()


def is_restricted():
    client = connect()
    raises(redis.exceptions.NoPermissionError, "permissions", lambda: client.get("other"))
    raises(redis.exceptions.NoPermissionError, "permissions", client.flushall)
    assert client.ping() is True
    client.close()
    raises(redis.exceptions.ResponseError, "WRONGPASS", connect(password="wrong").ping)


def certificate_of_client():
    if NEEDED:
        raises(redis.exceptions.ConnectionError, "", connect(certificate=False).ping)
    else:
        assert connect(certificate=False).ping() is True


def certificate_of_server():
    raises(redis.exceptions.ConnectionError, "CERTIFICATE_VERIFY_FAILED", connect("stranger").ping)


for function in works, subscribes, is_restricted, certificate_of_client, certificate_of_server:
    check(function)
print(f"{counts['passed']} passed, {counts['failed']} failed")
sys.exit(1 if counts["failed"] else 0)
