"""wait.py: wait with a timeout gives up after that many seconds, and the command goes on."""
import subprocess
import sys
import time

if __name__ == "__main__":
    start = time.monotonic()
    p = subprocess.Popen(["sleep", "0.3"])
    try:
        p.wait(0.05)
        sys.exit("wait: nothing timed out")
    except subprocess.TimeoutExpired:
        print("wait(0.05): timeout, poll():", p.poll())

    first = p.wait(5)
    late = time.monotonic() - start - 0.3
    print("wait(5):", first)
    second = p.wait()
    print("wait():", second)
    print(f"wait(5) returned {1000 * late:.1f} ms after 0.3 s had passed")
    sys.exit((first, second) != (0, 0))
