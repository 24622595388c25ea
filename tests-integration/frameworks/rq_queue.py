"""RQ: jobs are put into queues, a worker takes them, results and failures are kept, jobs wait for
others."""
import logging

import redis
import rq

import rq_jobs
from checks import PORT, check, finish

logging.disable(logging.CRITICAL)
connection = redis.Redis("127.0.0.1", PORT)


def work(*queues):
    rq.SimpleWorker(list(queues), connection=connection).work(burst=True)


@check
def jobs_are_done_in_order():
    queue = rq.Queue("default", connection=connection)
    jobs = [queue.enqueue(rq_jobs.add, i, 1) for i in range(20)]
    assert queue.count == 20 and queue.job_ids == [job.id for job in jobs]
    work(queue)
    assert queue.count == 0
    assert [job.result for job in jobs] == list(range(1, 21))
    assert all(job.get_status(refresh=True) == "finished" for job in jobs)


@check
def failures_are_kept():
    queue = rq.Queue("failing", connection=connection)
    job = queue.enqueue(rq_jobs.fail)
    work(queue)
    registry = rq.registry.FailedJobRegistry(queue=queue)
    assert job.id in registry and len(registry) == 1
    registry.requeue(job.id)
    assert queue.count == 1
    work(queue)
    assert "meant to fail" in job.exc_info or job.is_failed


@check
def jobs_wait_for_others():
    queue = rq.Queue("waiting", connection=connection)
    first = queue.enqueue(rq_jobs.add, 1, 2)
    second = queue.enqueue(rq_jobs.add, 3, 4, depends_on=first)
    assert queue.job_ids == [first.id]
    work(queue)
    assert second.get_status(refresh=True) == "finished" and second.result == 7


@check
def the_most_important_queue_comes_first():
    low = rq.Queue("low", connection=connection)
    high = rq.Queue("high", connection=connection)
    jobs = [low.enqueue(rq_jobs.add, 0, 0), high.enqueue(rq_jobs.add, 0, 0)]
    jobs.append(high.enqueue(rq_jobs.add, 0, 0, at_front=True))
    work(high, low)
    ended = [job.ended_at for job in jobs for _ in [job.refresh()]]
    assert ended[2] <= ended[1] <= ended[0]


@check
def workers_are_known_while_they_live():
    queue = rq.Queue("default", connection=connection)
    worker = rq.SimpleWorker([queue], connection=connection, name="somebody")
    worker.register_birth()
    assert rq.Worker.count(connection=connection) == 1
    assert [w.name for w in rq.Worker.all(queue=queue)] == ["somebody"]
    worker.register_death()
    assert rq.Worker.count(connection=connection) == 0


finish()
