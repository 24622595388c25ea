"""Django with django-redis: the cache, and sessions kept in it."""
import django
from django.conf import settings

from checks import URL, check, finish, until

settings.configure(
    CACHES={
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": URL,
            "KEY_PREFIX": "site",
            "OPTIONS": {"CLIENT_CLASS": "django_redis.client.DefaultClient"},
        },
        "packed": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": URL.replace("/0", "/1"),
            "OPTIONS": {
                "COMPRESSOR": "django_redis.compressors.zlib.ZlibCompressor",
                "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
            },
        },
    },
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
    SECRET_KEY="not one",
)
django.setup()

from django.contrib.sessions.backends.cache import SessionStore  # noqa: E402
from django.core.cache import cache, caches  # noqa: E402


@check
def values_are_kept():
    cache.set("a", {"list": [1, 2, 3], "text": "ä"}, timeout=100)
    assert cache.get("a") == {"list": [1, 2, 3], "text": "ä"}
    assert 99 <= cache.ttl("a") <= 100
    assert cache.get("none", "default") == "default"
    assert cache.has_key("a") and "none" not in cache


@check
def values_are_added_once():
    assert cache.add("once", 1, timeout=100)
    assert not cache.add("once", 2)
    assert cache.get("once") == 1
    assert cache.get_or_set("made", lambda: "value", 100) == "value"


@check
def many_at_once():
    cache.set_many({f"many:{i}": i for i in range(200)}, timeout=50)
    assert cache.get_many([f"many:{i}" for i in range(200)]) == {f"many:{i}": i for i in range(200)}
    assert cache.delete_many([f"many:{i}" for i in range(100)]) == 100
    assert sorted(cache.keys("many:*")) == sorted(f"many:{i}" for i in range(100, 200))
    assert len(list(cache.iter_keys("many:*"))) == 100
    assert cache.delete_pattern("many:*") == 100


@check
def values_are_touched():
    cache.set("n", 5, timeout=None)
    assert cache.ttl("n") is None
    assert cache.touch("n", 100) and cache.ttl("n") <= 100
    assert cache.persist("n") and cache.ttl("n") is None


@check
def keys_expire():
    cache.set("short", "value", timeout=100)
    assert cache.pexpire("short", 1)
    until(lambda: cache.get("short") is None)


@check
def compressed_json():
    value = {"text": "x" * 10000}
    caches["packed"].set("big", value)
    assert caches["packed"].get("big") == value
    caches["packed"].clear()
    assert caches["packed"].get("big") is None


@check
def sessions_last():
    session = SessionStore()
    session["user"] = 42
    session.create()
    again = SessionStore(session_key=session.session_key)
    assert again["user"] == 42
    again.cycle_key()
    assert not SessionStore().exists(session.session_key)
    again.flush()
    assert SessionStore(session_key=again.session_key).load() == {}


finish()
