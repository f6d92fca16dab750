"""command_mended.py: the same, mended: it reads while it waits, ends the whole process group, and does not poll."""
import os
import shutil
import signal
import subprocess
import sys
import time

LARGE = "head -c 100000 /dev/zero"  # prints more than a pipe holds
FAMILY = "echo begun; sleep 60 & wait"  # a shell with a child of its own
SHORT = "sleep 0.05"


def command(cmd, timeout=60):
    """Runs cmd; returns what it printed, its return code, and whether it was ended since the time was over."""
    p = subprocess.Popen(cmd, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, shell=True, start_new_session=True)
    try:
        output, _ = p.communicate(timeout=timeout)
        return output, p.returncode, False
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL)
        output, _ = p.communicate(timeout=5)  # the end of the pipe comes when nobody is left who has it
        return output, p.returncode, True


if __name__ == "__main__":
    default = "ping -c 3 127.0.0.1" if shutil.which("ping") else "sleep 1; echo there is no ping"
    cmd = sys.argv[1] if len(sys.argv) > 1 else default
    start = time.monotonic()
    output, returncode, timed_out = command(cmd, float(sys.argv[2]) if len(sys.argv) > 2 else 60)
    how = "TimeoutError" if timed_out else f"ended with {returncode}"
    print(output.decode(), end="")
    print(f"{cmd}: {how} after {time.monotonic() - start:.1f} s", flush=True)
    if len(sys.argv) > 1:
        sys.exit(0)

    start = time.monotonic()
    large, _, late = command(LARGE, 1)
    print(f"fault 1, {LARGE}: {len(large)} bytes after {time.monotonic() - start:.1f} s", flush=True)
    family, _, timed_out = command(FAMILY, 0.5)
    print(f"fault 2, {FAMILY}: TimeoutError; sleep is gone", flush=True)
    start = time.monotonic()
    for _ in range(5):
        command(SHORT, 5)
    milliseconds = 1000 * ((time.monotonic() - start) / 5 - 0.05)
    print(f"fault 3, {SHORT}: five of them noticed {milliseconds:.0f} ms late, on average")
    sys.exit(late or len(large) != 100000 or not timed_out or family != b"begun\n")
