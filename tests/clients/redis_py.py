"""
The Python package redis against a server, in a separate program (see ioredis.ts). Arguments: the port, and the
protocol: default, 2 or 3. Exits with 0 if every reply is right.
"""

import sys
import threading

import redis
from redis.cache import CacheConfig

PORT, PROTOCOL = int(sys.argv[1]), sys.argv[2]
OPTIONS = {"port": PORT, "decode_responses": True}
if PROTOCOL != "default":
    OPTIONS["protocol"] = int(PROTOCOL)


def same(actual, expected):
    if actual != expected:
        raise AssertionError(f"{actual!r} is not {expected!r}")


def message(pubsub):
    """The next message of a subscriber."""
    while True:
        found = pubsub.get_message(timeout=1)
        if found is not None:
            return found["type"], found["channel"], found["data"]


def use_commands(client):
    same(client.ping(), True)
    client.flushall()
    same(client.set("greeting", "héllo", ex=100), True)
    same(client.get("greeting"), "héllo")
    same(client.ttl("greeting"), 100)
    same(client.get("missing"), None)
    same(client.set("greeting", "again", nx=True), None)
    same(client.incrby("count", 41), 41)
    same(client.rpush("list", "a", "b", "c"), 3)
    same(client.lrange("list", 0, -1), ["a", "b", "c"])
    same(client.hset("hash", mapping={"f": "1", "g": "2"}), 2)
    same(client.hgetall("hash"), {"f": "1", "g": "2"})
    same(client.zadd("sorted", {"a": 1, "b": 2.5}), 2)
    same([tuple(pair) for pair in client.zrange("sorted", 0, -1, withscores=True)], [("a", 1.0), ("b", 2.5)])
    same(client.smembers("none"), set())
    try:
        client.lpush("greeting", "x")
        raise AssertionError("LPUSH on a string went through")
    except redis.ResponseError as error:
        same("WRONGTYPE" in str(error), True)
    with client.pipeline() as pipe:
        pipe.watch("count")
        pipe.multi()
        pipe.incr("count")
        pipe.get("greeting")
        same(pipe.execute(), [42, "héllo"])
    same(sorted(client.scan_iter(match="*", count=2)), ["count", "greeting", "hash", "list", "sorted"])


def use_waiting(client):
    results = []
    waiting = threading.Thread(target=lambda: results.append(client.blpop(["queue"], timeout=0)))
    waiting.start()
    while client.info("clients")["blocked_clients"] == 0:
        pass
    same(client.rpush("queue", "job"), 1)
    waiting.join()
    same([list(result) for result in results], [["queue", "job"]])
    same(client.bzpopmin("none", timeout=0.01), None)


def use_groups(client):
    """Two workers of a consumer group: one stops before it has acknowledged anything, the other takes that over."""
    same(client.xgroup_create("jobs", "workers", "$", mkstream=True), True)
    ids = [client.xadd("jobs", {"job": i}) for i in range(5)]
    with redis.Redis(**OPTIONS) as stopped:
        read = stopped.xreadgroup("workers", "w2", {"jobs": ">"}, count=2)
        same(jobs(read), [(ids[0], {"job": "0"}), (ids[1], {"job": "1"})])
    read = client.xreadgroup("workers", "w1", {"jobs": ">"}, block=100)
    same(jobs(read), [(ids[i], {"job": str(i)}) for i in range(2, 5)])
    same(client.xack("jobs", "workers", *ids[2:]), 3)
    same(jobs(client.xreadgroup("workers", "w1", {"jobs": ">"}, block=1)), [])
    pending = client.xpending("jobs", "workers")
    same(pending, {"pending": 2, "min": ids[0], "max": ids[1], "consumers": [{"name": "w2", "pending": 2}]})
    same(client.xautoclaim("jobs", "workers", "w1", 0, count=1), [ids[1], [(ids[0], {"job": "0"})], []])
    same(client.xclaim("jobs", "workers", "w1", 0, [ids[1]], justid=True), [ids[1]])
    same([entry["times_delivered"] for entry in client.xpending_range("jobs", "workers", "-", "+", 9)], [2, 1])
    same(client.xack("jobs", "workers", *ids[:2]), 2)
    same([(group["name"], group["lag"]) for group in client.xinfo_groups("jobs")], [("workers", 0)])
    same(client.delete("jobs"), 1)


def jobs(read):
    """The entries of a reply with one stream or none, whose form depends on the protocol."""
    streams = list(read.items()) if isinstance(read, dict) else read
    entries = [entry for _, found in streams for entry in found]
    return [entry for part in entries for entry in (part if isinstance(part, list) else [part])]


def use_subscriptions(client):
    pubsub = client.pubsub()
    pubsub.subscribe("news")
    same(message(pubsub), ("subscribe", "news", 1))
    pubsub.psubscribe("n*")
    same(message(pubsub), ("psubscribe", "n*", 2))
    same(client.publish("news", "hello"), 2)
    same([message(pubsub)[0::2], message(pubsub)[0::2]], [("message", "hello"), ("pmessage", "hello")])
    # After a lost connection the client subscribes again by itself.
    same(client.client_kill_filter(_type="pubsub"), 1)
    again = {message(pubsub)[:2] for _ in range(2)}
    same(again, {("subscribe", "news"), ("psubscribe", "n*")})
    same(client.publish("news", "hello"), 2)
    same([message(pubsub)[0], message(pubsub)[0]], ["message", "pmessage"])
    pubsub.close()


def use_cache(client):
    """The client's own cache: a value comes from the server once, and again after each change."""
    cached = redis.Redis(**OPTIONS, cache_config=CacheConfig())
    client.set("count", "1")
    cached.get("count")
    reads = lambda: client.info("commandstats")["cmdstat_get"]["calls"]
    before = reads()
    same([cached.get("count") for _ in range(5)], ["1"] * 5)
    same(reads(), before)
    changes = [
        lambda: client.incr("count"),
        lambda: client.set("count", "7"),
        lambda: client.delete("count"),
        lambda: client.rename("greeting", "count"),
        lambda: client.swapdb(0, 1),
        lambda: client.swapdb(0, 1),
        lambda: client.flushall(),
    ]
    for change in changes:
        change()
        value = client.get("count")
        # The message may arrive a moment after the reply to the other connection.
        for _ in range(1000):
            if cached.get("count") == value:
                break
        same(cached.get("count"), value)
        if value is None:
            continue  # A missing value is not cached.
        before = reads()
        same(cached.get("count"), cached.get("count"))
        same(reads(), before)
    cached.close()


with redis.Redis(**OPTIONS) as client:
    use_commands(client)
    use_waiting(client)
    use_groups(client)
    use_subscriptions(client)
    if PROTOCOL == "3":
        use_cache(client)
