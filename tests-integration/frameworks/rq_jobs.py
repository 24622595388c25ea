"""What the jobs of rq_queue.py do: a worker imports it by name."""


def add(a, b):
    return a + b


def fail():
    raise ValueError("meant to fail")
