"""communicate.py: input and output at once, with a timeout; after it Python may lose the rest of the input."""
import subprocess
import sys
from subprocess import PIPE

SIZE = 1 << 20  # far more than the two pipes hold

if __name__ == "__main__":
    p = subprocess.Popen(["sh", "-c", "echo begun; sleep 1; exec cat"], stdin=PIPE, stdout=PIPE)
    paint = bytes(SIZE)
    given, partial = paint, b""
    while not partial:
        try:
            p.communicate(given, timeout=0.2)
            sys.exit("communicate: nothing timed out")
        except subprocess.TimeoutExpired as expired:
            given, partial = None, expired.stdout or b""
    print("communicate(paint, 0.2): timeout; so far", partial, flush=True)

    try:
        output, _ = p.communicate(timeout=2)  # without a timeout it may wait for ever: see the handout
        print("communicate():", len(output), "bytes in all, as they were sent:", output == b"begun\n" + paint)
    except subprocess.TimeoutExpired as expired:
        print("communicate(): timeout; only", len(expired.stdout), "bytes: the rest of the input was lost")
        p.kill()
    print("return code", p.wait())
