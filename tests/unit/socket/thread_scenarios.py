"""Small programs about threads, locks and clocks that report what happened.

Each is run with the interpreter's own modules and in a simulated process. Sleeps of `STEP` put the
real threads into a known order; nothing reported depends on chance.
"""

STEP = 0.03


def attempt(call, *args):
    """What `call(*args)` returns, or its error's class."""
    try:
        return call(*args)
    except Exception as error:
        return type(error).__name__


def started(targets, daemon=None):
    """Running threads, one for each target."""
    import threading

    threads = [threading.Thread(target=target, daemon=daemon) for target in targets]
    for thread in threads:
        thread.start()
    return threads


def lock_held_and_waited_for():
    import threading
    import time

    lock, log = threading.Lock(), []

    def wait(number):
        time.sleep(number * STEP)
        log.append((number, lock.acquire(timeout=STEP * 1.5 if number == 1 else 99)))

    lock.acquire()
    threads = started([lambda: wait(1), lambda: wait(2)])
    time.sleep(STEP / 2)
    report = [
        lock.acquire(False),
        lock.locked(),
        attempt(lock.acquire, False, 1),
        attempt(lock.acquire, True, -2),
    ]
    time.sleep(4 * STEP)
    lock.release()
    for thread in threads:
        thread.join()
    lock.release()
    return report, log, attempt(lock.release), lock.locked()


def rlock_taken_twice():
    import threading

    lock, log = threading.RLock(), []
    with lock, lock:
        [other] = started([lambda: log.append((lock.acquire(False), attempt(lock.release)))])
        other.join()
    log.append(attempt(lock.release))
    [other] = started([lambda: log.append(lock.acquire(False))])
    other.join()
    return log


def condition_notified():
    import threading
    import time

    condition, log = threading.Condition(), []

    def wait(number):
        time.sleep(number * STEP)
        with condition:
            log.append((number, condition.wait(20 * STEP)))

    threads = started([lambda n=n: wait(n) for n in range(4)])
    time.sleep(5 * STEP)
    with condition:
        condition.notify(2)
    time.sleep(2 * STEP)
    log.append("two")
    with condition:
        condition.notify_all()
    for thread in threads:
        thread.join()
    log[:2], log[3:] = sorted(log[:2]), sorted(log[3:])
    with condition:
        log += [condition.wait(STEP), condition.wait_for(lambda: False, STEP), condition.wait_for(lambda: 7)]
    return [*log, attempt(condition.wait), attempt(condition.notify)]


def event_set_and_cleared():
    import threading
    import time

    event, log = threading.Event(), []
    threads = started([lambda: log.append(event.wait()), lambda: log.append(event.wait(99))])
    report = [event.wait(STEP), event.is_set()]
    event.set()
    event.clear()
    for thread in threads:
        thread.join()
    time.sleep(STEP)
    return report, log, event.is_set()


def semaphore_counts():
    import threading
    import time

    semaphore, log = threading.BoundedSemaphore(2), []

    def work(number):
        with semaphore:
            log.append(number)
            time.sleep(STEP)

    before = time.monotonic()
    threads = started([lambda n=n: work(n) for n in range(6)])
    for thread in threads:
        thread.join()
    rounds = (time.monotonic() - before) / STEP
    return sorted(log), 2.9 < rounds < 9, attempt(semaphore.release), semaphore.acquire(timeout=0)


def barrier_passed_and_broken():
    import threading
    import time

    barrier, log = threading.Barrier(3, action=lambda: log.append("action")), []
    threads = started([lambda: log.append(barrier.wait()) for _ in range(3)])
    for thread in threads:
        thread.join()
    log[1:] = sorted(log[1:])
    threads = started(
        [lambda: log.append(attempt(barrier.wait, STEP)), lambda: log.append(attempt(barrier.wait))]
    )
    for thread in threads:
        thread.join()
    log += [barrier.broken, attempt(barrier.wait)]
    barrier.reset()
    [waiter] = started([lambda: log.append(attempt(barrier.wait))])
    time.sleep(STEP)
    log.append(barrier.n_waiting)
    barrier.reset()
    waiter.join()
    return [*log, barrier.broken, barrier.n_waiting]


def thread_attributes():
    import threading

    seen = []

    class Named(threading.Thread):
        def run(self):
            seen.append((threading.current_thread() is self, self.name, self.daemon, self.is_alive()))
            seen.append(threading.main_thread() is self)

    thread = Named(name="worker", daemon=True)
    report = [thread.is_alive(), thread.ident, attempt(thread.join)]
    thread.start()
    report += [attempt(thread.start), attempt(setattr, thread, "daemon", False)]
    thread.join()
    report += [thread.is_alive(), thread.ident is not None, thread.ident != threading.get_ident()]
    report += [attempt(threading.current_thread().join)]
    local = threading.local()
    local.value = 1
    [other] = started([lambda: seen.append(hasattr(local, "value"))])
    other.join()
    return report, seen, local.value


def timer_and_exception_hook():
    import threading

    log = []
    timer = threading.Timer(STEP, log.append, args=["rang"])
    cancelled = threading.Timer(STEP, log.append, args=["never"])
    timer.start()
    cancelled.start()
    cancelled.cancel()
    timer.join()
    cancelled.join()

    def fail():
        raise KeyError("x")

    previous = threading.excepthook
    threading.excepthook = lambda args: log.append((args.exc_type.__name__, str(args.exc_value)))
    [thread] = started([fail])
    thread.join()
    threading.excepthook = previous
    return log


def queues_between_threads():
    import queue
    import threading
    import time

    box, log = queue.Queue(2), []

    def produce():
        for number in range(5):
            box.put(number)
        box.put(None)

    [producer] = started([produce])
    while (item := box.get()) is not None:
        log.append(item)
    producer.join()
    simple = queue.SimpleQueue()
    threading.Timer(STEP, simple.put, args=["late"]).start()
    log += [attempt(box.get, True, STEP), attempt(box.get_nowait), simple.get(), attempt(simple.get, False)]
    time.sleep(STEP)
    return log


def futures_in_a_pool():
    import concurrent.futures
    import time

    def work(number):
        time.sleep(number * STEP)
        return 12 // number

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(work, number) for number in (3, 1, 2)]
        done = [future.result() for future in concurrent.futures.as_completed(futures)]
        failed = pool.submit(work, 0).exception()
        late = attempt(pool.submit(work, 2).result, STEP / 2)
    return done, type(failed).__name__, late


def clocks_advance():
    import datetime
    import time

    before = time.time(), time.monotonic(), time.perf_counter_ns(), datetime.datetime.now()
    time.sleep(STEP)
    after = time.time(), time.monotonic(), time.perf_counter_ns(), datetime.datetime.now()
    report = [0.9 * STEP < b - a < 10 * STEP for a, b in zip(before[:2], after, strict=False)]
    report += [0.9e9 * STEP < after[2] - before[2] < 10e9 * STEP]
    report += [0.9 * STEP < (after[3] - before[3]).total_seconds() < 10 * STEP]
    report += [attempt(time.sleep, -1), attempt(time.sleep, "x"), time.sleep(0)]
    report += [time.strftime("%Y-%m-%d", time.gmtime(86400)), tuple(time.gmtime(0)), time.tzname[0] != ""]
    report += [
        isinstance(datetime.datetime.now(), datetime.date),
        isinstance(datetime.date.today(), datetime.datetime),
    ]
    report += [datetime.datetime(2026, 1, 2) - datetime.datetime(2026, 1, 1) == datetime.timedelta(1)]
    report += [datetime.datetime.now(datetime.UTC).tzinfo is datetime.UTC, datetime.datetime.min.year]
    return report


def sender_that_closes_before_the_other_can_answer():
    """EOF stays EOF (SOCK_DONE). Not one of `SCENARIOS`: real threads may be slower."""
    import socket

    report = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listener.accept()
        report.append(connection.recv(10))
        report.append(connection.send(b"an answer"))
        report.append(attempt(connection.recv, 10))
        connection.close()

    (thread,) = started([serve])
    client = socket.create_connection(listener.getsockname())
    client.send(b"the last")
    client.close()
    thread.join()
    listener.close()
    return report


SCENARIOS = [
    lock_held_and_waited_for,
    rlock_taken_twice,
    condition_notified,
    event_set_and_cleared,
    semaphore_counts,
    barrier_passed_and_broken,
    thread_attributes,
    timer_and_exception_hook,
    queues_between_threads,
    futures_in_a_pool,
    clocks_advance,
]
