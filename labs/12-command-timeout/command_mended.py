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
    """Runs cmd; returns what it printed, its return code (None: the time was over), and whether somebody is left."""
    p = subprocess.Popen(cmd, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, shell=True, start_new_session=True)
    try:
        output, _ = p.communicate(timeout=timeout)
        return output, p.returncode, False
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL)
        try:
            output, _ = p.communicate(timeout=0.25)  # the end of the pipe comes when nobody is left who has it
            return output, None, False
        except subprocess.TimeoutExpired as expired:
            return expired.stdout or b"", None, True


if __name__ == "__main__":
    default = "ping -c 3 127.0.0.1" if shutil.which("ping") else "sleep 1; echo there is no ping"
    cmd = sys.argv[1] if len(sys.argv) > 1 else default
    start = time.monotonic()
    output, returncode, _ = command(cmd, float(sys.argv[2]) if len(sys.argv) > 2 else 60)
    how = "TimeoutError" if returncode is None else f"ended with {returncode}"
    print(output.decode(), end="")
    print(f"{cmd}: {how} after {time.monotonic() - start:.1f} s", flush=True)
    if len(sys.argv) > 1:
        sys.exit(0)

    start = time.monotonic()
    large, ended, _ = command(LARGE, 1)
    print(f"fault 1, {LARGE}: {len(large)} bytes after {time.monotonic() - start:.1f} s", flush=True)
    family, in_time, left = command(FAMILY, 0.5)
    how = "TimeoutError" if in_time is None else "ended"
    print(f"fault 2, {FAMILY}: {how}; sleep is {'alive' if left else 'gone'}", flush=True)
    start = time.monotonic()
    for _ in range(5):
        command(SHORT, 5)
    milliseconds = 1000 * ((time.monotonic() - start) / 5 - 0.05)
    print(f"fault 3, {SHORT}: five of them noticed {milliseconds:.0f} ms late, on average")
    sys.exit(ended != 0 or len(large) != 100000 or in_time is not None or left or family != b"begun\n")
