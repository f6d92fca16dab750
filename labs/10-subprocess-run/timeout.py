"""timeout.py: a command that takes too long is killed; in Python, what it has started is not."""
import os
import select
import signal
import subprocess
import sys
import time

LINE = "echo begun; sleep 60 & echo $! >&2; wait"  # the shell and its child have both ends of the work

if __name__ == "__main__":
    reader, writer = os.pipe()
    start = time.monotonic()
    try:
        subprocess.run(LINE, shell=True, stdout=subprocess.PIPE, stderr=writer, timeout=0.5)
        sys.exit("timeout: nothing timed out")
    except subprocess.TimeoutExpired as expired:
        print(f"timed out after {time.monotonic() - start:.2f} s; until then it had printed {expired.stdout}")
    os.close(writer)

    child = int(os.read(reader, 100))  # its process id, which the shell printed
    gone = bool(select.select([reader], [], [], 0.5)[0])  # the end of the pipe comes when nobody is left who has it
    print("the shell's child is", "gone" if gone else "alive")
    if not gone:
        os.kill(child, signal.SIGKILL)
