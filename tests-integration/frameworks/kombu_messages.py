"""Kombu, which Celery speaks through: queues, priorities, fan-out and acknowledgement over the
transport for Redis."""
import socket

import kombu

from checks import URL, check, finish, until


def drain(connection):
    try:
        connection.drain_events(timeout=0.2)
    except socket.timeout:
        pass


@check
def messages_come_in_order():
    with kombu.Connection(URL) as connection:
        queue = connection.SimpleQueue("simple")
        for i in range(50):
            queue.put({"number": i})
        assert queue.qsize() == 50
        for i in range(50):
            message = queue.get(timeout=5)
            assert message.payload == {"number": i}
            message.ack()
        queue.close()


@check
def what_is_rejected_comes_again():
    with kombu.Connection(URL) as connection:
        queue = connection.SimpleQueue("again")
        queue.put("work")
        queue.get(timeout=5).requeue()
        message = queue.get(timeout=5)
        assert message.payload == "work"
        message.ack()
        queue.close()


@check
def what_nobody_acknowledged_comes_again():
    with kombu.Connection(URL) as connection:
        queue = connection.SimpleQueue("lost")
        queue.put("work")
        queue.get(timeout=5)
        queue.close()
    with kombu.Connection(URL) as connection:
        queue = connection.SimpleQueue("lost")
        assert queue.get(timeout=5).payload == "work"
        queue.close()


@check
def messages_fan_out():
    exchange = kombu.Exchange("news", type="fanout")
    with kombu.Connection(URL) as connection:
        received = {"a": [], "b": []}

        def keeper(name):
            def keep(body, message):
                received[name].append(body)
                message.ack()

            return keep

        consumers = [
            kombu.Consumer(connection.channel(), kombu.Queue(f"news.{name}", exchange),
                           callbacks=[keeper(name)])
            for name in received
        ]
        for consumer in consumers:
            consumer.consume()
        drain(connection)
        producer = kombu.Producer(connection.channel(), exchange=exchange)
        producer.publish("headline", declare=[exchange])

        def both():
            drain(connection)
            return received == {"a": ["headline"], "b": ["headline"]}

        until(both)


@check
def keys_choose_queues():
    exchange = kombu.Exchange("topics", type="topic")
    with kombu.Connection(URL) as connection:
        channel = connection.channel()
        queues = {key: kombu.Queue(key, exchange, routing_key=key) for key in ("log.#", "log.error")}
        for queue in queues.values():
            queue(channel).declare()
        producer = kombu.Producer(channel, exchange=exchange)
        producer.publish("one", routing_key="log.error")
        producer.publish("two", routing_key="log.info")
        assert queues["log.#"](channel).get().payload == "one"
        assert queues["log.#"](channel).get().payload == "two"
        assert queues["log.error"](channel).get().payload == "one"
        assert queues["log.error"](channel).get() is None


finish()
