"""
RQ: jobs, dependencies, retries, failures, scheduled jobs. Arguments: the port. Runs a worker in this process, and exits
with 0 if every job ends as it should.
"""

import datetime
import os
import sys

import redis
from rq import Queue, Retry, SimpleWorker
from rq.job import Job

connection = redis.Redis(port=int(sys.argv[1]))


def add(x, y):
    return x + y


def fails_once():
    if connection.incr("attempts") == 1:
        raise ValueError("not yet")
    return "done"


def fails():
    raise ValueError("never")


def same(actual, expected):
    if actual != expected:
        raise AssertionError(f"{actual!r} is not {expected!r}")


def result(job):
    return Job.fetch(job.id, connection=connection).result


queue = Queue(connection=connection)
module = os.path.splitext(os.path.basename(__file__))[0]
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

if __name__ == "__main__":
    first = queue.enqueue(f"{module}.add", 2, 3)
    after = queue.enqueue(f"{module}.add", 4, 5, depends_on=first)
    retried = queue.enqueue(f"{module}.fails_once", retry=Retry(max=3))
    failed = queue.enqueue(f"{module}.fails")
    later = queue.enqueue_in(datetime.timedelta(hours=1), f"{module}.add", 1, 1)
    worker = SimpleWorker([queue], connection=connection)
    worker.log.disabled = True
    worker.work(burst=True, logging_level="CRITICAL")
    same(result(first), 5)
    same(result(after), 9)
    same(result(retried), "done")
    same(Job.fetch(failed.id, connection=connection).get_status(), "failed")
    same(queue.failed_job_registry.get_job_ids(), [failed.id])
    same(queue.scheduled_job_registry.get_job_ids(), [later.id])
    same(len(queue), 0)
