"""
Celery with broker and results in one server: tasks, retries, countdowns, groups, chords, priorities. Arguments: the
port. Starts a worker, and exits with 0 if every task ends as it should.
"""

import os
import subprocess
import sys

from celery import Celery, chain, chord, group

PORT = int(os.environ.get("MEMDB_PORT") or sys.argv[1])
WAIT_SECONDS = 60
URL = f"redis://127.0.0.1:{PORT}/0"
app = Celery("celery_jobs", broker=URL, backend=URL)


@app.task
def add(x, y):
    return x + y


@app.task
def total(numbers):
    return sum(numbers)


@app.task(bind=True, max_retries=5)
def fails_twice(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0.1)
    return self.request.retries


def same(actual, expected):
    if actual != expected:
        raise AssertionError(f"{actual!r} is not {expected!r}")


def use_tasks():
    same(add.delay(2, 3).get(timeout=WAIT_SECONDS), 5)
    same(fails_twice.delay().get(timeout=WAIT_SECONDS), 2)
    same(add.apply_async((1, 1), countdown=0.3).get(timeout=WAIT_SECONDS), 2)
    same(add.apply_async((1, 2), priority=9).get(timeout=WAIT_SECONDS), 3)
    same(chain(add.s(1, 2), add.s(3))().get(timeout=WAIT_SECONDS), 6)
    same(group(add.s(i, i) for i in range(20))().get(timeout=WAIT_SECONDS), [2 * i for i in range(20)])
    same(chord(add.s(i, i) for i in range(10))(total.s()).get(timeout=WAIT_SECONDS), 90)
    lock = app.backend.client.lock("lock", timeout=60)
    same(lock.acquire(blocking=False), True)
    same(app.backend.client.lock("lock", timeout=60).acquire(blocking=False), False)
    lock.release()


if __name__ == "__main__":
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "celery_jobs", "worker", "-c", "2", "--loglevel=ERROR"],
        cwd=os.path.dirname(os.path.abspath(__file__)),
        env={**os.environ, "MEMDB_PORT": str(PORT), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        use_tasks()
    finally:
        worker.terminate()
        worker.wait()
