"""command_as_written.py: the tutorial's command with a timeout, in Python 3; it has three faults."""
import array
import fcntl
import os
import select
import shutil
import signal
import subprocess
import sys
import termios
import time

LARGE = "head -c 100000 /dev/zero"  # prints more than a pipe holds
FAMILY = "echo begun; sleep 60 & wait"  # a shell with a child of its own
SHORT = "sleep 0.05"  # ends between two looks


class TimeoutError(Exception):
    pass


def command(cmd, timeout=60):
    """Runs cmd and returns what it printed; raises TimeoutError when it takes longer than timeout seconds."""
    global p  # for those who look at what is left over; so is its session
    p = subprocess.Popen(cmd, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, shell=True, start_new_session=True)
    t_beginning = time.monotonic()
    seconds_passed = 0
    while True:
        if p.poll() is not None:
            break
        seconds_passed = time.monotonic() - t_beginning
        if seconds_passed > timeout:
            p.terminate()
            raise TimeoutError(cmd, timeout)
        time.sleep(0.1)
    return p.stdout.read()


def clear_away():
    """Kills all of its process group; returns whether nobody is left who has the pipe."""
    try:
        os.killpg(p.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # nobody is left
    p.wait()
    ends = select.poll()
    ends.register(p.stdout, 0)
    return bool(ends.poll(5000))


def try_command(cmd, timeout):
    """Returns what it printed, or None when the time was over, and how many seconds it took."""
    start = time.monotonic()
    try:
        return command(cmd, timeout), time.monotonic() - start
    except TimeoutError:
        return None, time.monotonic() - start


if __name__ == "__main__":
    default = "ping -c 3 127.0.0.1" if shutil.which("ping") else "sleep 1; echo there is no ping"
    cmd = sys.argv[1] if len(sys.argv) > 1 else default
    output, seconds = try_command(cmd, float(sys.argv[2]) if len(sys.argv) > 2 else 60)
    print((output or b"").decode(), end="")
    how = "TimeoutError" if output is None else f"ended with {p.returncode}"
    print(f"{cmd}: {how} after {seconds:.1f} s", flush=True)
    gone = clear_away()
    if len(sys.argv) > 1:
        sys.exit(0)

    large, seconds = try_command(LARGE, 1)
    unread = array.array("i", [0])
    fcntl.ioctl(p.stdout, termios.FIONREAD, unread)
    how = "TimeoutError" if large is None else "ended"
    print(f"fault 1, {LARGE}: {how} after {seconds:.1f} s; {unread[0]} bytes lie in the pipe", flush=True)
    gone &= clear_away()
    family, _ = try_command(FAMILY, 0.5)
    p.wait()
    ends = select.poll()
    ends.register(p.stdout, 0)
    left = not ends.poll(0)  # the end of the pipe has not come
    how = "TimeoutError" if family is None else "ended"
    print(f"fault 2, {FAMILY}: {how}; sleep is {'alive' if left else 'gone'}", flush=True)
    gone &= clear_away()
    late = []
    for _ in range(5):
        late.append(try_command(SHORT, 5)[1] - 0.05)
        gone &= clear_away()
    print(f"fault 3, {SHORT}: five of them noticed {1000 * sum(late) / 5:.0f} ms late, on average")
    sys.exit(large is not None or family is not None or not left or not gone)
