"""Python's workers, for bench/scaling.c: python3 scaling.py threading|multiprocessing|futures

They do the work of bench/workloads: by a thread or a process for each worker, started and joined in each run, or by a
ProcessPoolExecutor, which is kept. The protocol is in bench/host.h; by hand:
echo cpu 2 5 | python3 bench/peers/scaling.py threading
"""
import collections
import concurrent.futures
import multiprocessing
import resource
import signal
import sys
import threading
import time

from peer import refuse

ADDITIONS = 20000000    # these four: as in bench/workloads
CPU_TASKS = 480
WAIT_NS = 1000000
RAISES = 16384
MOST_WORKERS = 1024     # these two: in one request
RUNS_MOST = 16

context = multiprocessing.get_context("fork")
lock = threading.Lock()
counter = 0

# Each task leaves a number; `wrong` says what is wrong about all of them, or None.
Workload = collections.namedtuple("Workload", "name tasks task wrong")


def empty(task):
    return task + 1


def sum_below(task):
    result = 0
    for i in range(ADDITIONS // CPU_TASKS + task):
        result += i
    return result


def wait(_):
    start = time.monotonic_ns()
    time.sleep(WAIT_NS * 1e-9)
    return time.monotonic_ns() - start


def count_up(_):
    global counter
    for _ in range(RAISES):
        with lock:
            counter += 1
    return RAISES


def wrong_calls(results):
    if results != list(range(1, len(results) + 1)):
        return "a call has not left its number"


def wrong_sums(results):
    for task, result in enumerate(results):
        n = ADDITIONS // CPU_TASKS + task
        if result != n * (n - 1) // 2:
            return "the sum below %d is %d, not %d" % (n, result, n * (n - 1) // 2)


def wrong_waits(results):
    if min(results) < WAIT_NS:
        return "a task waited %d ns, not %d" % (min(results), WAIT_NS)


def wrong_count(results):
    if counter != len(results) * RAISES or counter != sum(results):
        return "counted to %d, not %d" % (counter, len(results) * RAISES)


WORKLOADS = [Workload("empty", 1000, empty, wrong_calls),
             Workload("cpu", CPU_TASKS, sum_below, wrong_sums),
             Workload("io", 16, wait, wrong_waits),
             Workload("lock_mutex", 64, count_up, wrong_count)]     # for threads only: processes share no counter


# What a run takes of the machine, as in bench/usage.c --------------------------------------------------------------

def member_usage(pid):
    """Of a process that has not ended: CPU ns, voluntary and forced switches, minor and major faults; 0: not known."""
    try:
        with open("/proc/%d/schedstat" % pid) as file:
            cpu = int(file.read().split()[0])
        with open("/proc/%d/status" % pid) as file:
            status = dict(line.split(":", 1) for line in file)
        with open("/proc/%d/stat" % pid) as file:
            fields = file.read().rpartition(")")[2].split()     # from the third one on
        return (cpu, int(status["voluntary_ctxt_switches"]), int(status["nonvoluntary_ctxt_switches"]),
                int(fields[7]), int(fields[9]))
    except (OSError, KeyError, IndexError):
        return (0,) * 5


def usage(pids):
    """The same of this process, of its children that have ended, and of these."""
    ended = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    each = [((used.ru_utime + used.ru_stime) * 1e9, used.ru_nvcsw, used.ru_nivcsw, used.ru_minflt, used.ru_majflt)
            for used in ended]
    return [sum(numbers) for numbers in zip(*each, *map(member_usage, pids))]


def peak_kib(pid="self"):
    """Not getrusage's: that one still knows of the program that this process was before it became Python."""
    try:
        with open("/proc/%s/status" % pid) as file:
            return next((int(line.split()[1]) for line in file if line.startswith("VmHWM:")), 0)
    except OSError:
        return 0


def forget_peak(pid="self"):
    try:
        with open("/proc/%s/clear_refs" % pid, "w") as file:
            file.write("5")
    except OSError:
        pass


# The ways to share out ---------------------------------------------------------------------------------------------

def share(work, worker, workers, results, peaks):
    for task in range(worker * work.tasks // workers, (worker + 1) * work.tasks // workers):
        results[task] = work.task(task)
    if peaks:
        peaks[worker] = peak_kib()


def all_at_once(start, work, workers, results, peaks):
    """Starts a thread or a process for each share, and joins them."""
    members = [start(target=share, args=(work, worker, workers, results, peaks)) for worker in range(workers)]
    for member in members:
        member.start()
    for member in members:
        member.join()
    return results


def with_threads(work, workers):
    global counter
    counter, results = 0, [0] * work.tasks
    return [], None, lambda: all_at_once(threading.Thread, work, workers, results, None)


def with_processes(work, workers):
    results, peaks = context.RawArray("Q", work.tasks), context.RawArray("Q", workers)
    return [], peaks, lambda: list(all_at_once(context.Process, work, workers, results, peaks))


executors = {}  # for each number of workers: the executor, and its processes


def with_executor(work, workers):
    if workers not in executors:
        before = set(multiprocessing.active_children())
        executor = concurrent.futures.ProcessPoolExecutor(workers, mp_context=context)
        list(executor.map(abs, range(4 * workers)))     # starts them
        executors[workers] = executor, [child.pid for child in set(multiprocessing.active_children()) - before]
    executor, pids = executors[workers]
    chunk = -(-work.tasks // (4 * workers))
    return pids, None, lambda: list(executor.map(work.task, range(work.tasks), chunksize=chunk))


LIBRARIES = {"threading": with_threads, "multiprocessing": with_processes, "futures": with_executor}


# Requests ----------------------------------------------------------------------------------------------------------

def run_once(library, work, workers):
    pids, peaks, run = LIBRARIES[library](work, workers)
    for pid in ["self"] + pids:
        forget_peak(pid)
    before = usage(pids)
    start = time.perf_counter_ns()
    results = run()
    elapsed = time.perf_counter_ns() - start
    took = [now - then for now, then in zip(usage(pids), before)]
    wrong = work.wrong(results)
    if wrong:
        refuse("wrong", "%s, %d worker%s: %s" % (work.name, workers, "s" if workers > 1 else "", wrong))
    return [elapsed] + took + [sum(map(peak_kib, ["self"] + pids)) + sum(peaks or [])]


def answer(library, request):
    """A line of seven numbers for each run; or why there is none."""
    works = {work.name: work for work in WORKLOADS if library == "threading" or work.name != "lock_mutex"}
    try:
        name, workers, count = request.split()
        work, workers, count = works[name], int(workers), int(count)
        if not (1 <= workers <= MOST_WORKERS and 1 <= count <= RUNS_MOST):
            raise ValueError
    except (KeyError, ValueError):
        return 'lost: not a request: "%.40s"' % request.strip()
    return " ".join("%.6g" % number for _ in range(count) for number in run_once(library, work, workers))


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if len(sys.argv) != 2 or sys.argv[1] not in LIBRARIES:
        sys.exit(__doc__)
    for request in sys.stdin:
        print(answer(sys.argv[1], request), flush=True)


if __name__ == "__main__":
    main()
