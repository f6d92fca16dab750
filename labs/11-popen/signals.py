"""signals.py: send_signal, terminate and kill; a signal is a request, but for two of them."""
import subprocess
import sys
from signal import SIGUSR1
from subprocess import PIPE


def start(line):
    """Starts a shell that says when it is ready, and waits until it does."""
    p = subprocess.Popen(["sh", "-c", line], stdin=PIPE, stdout=PIPE)
    p.stdout.readline()
    return p


if __name__ == "__main__":
    p = start("echo ready; exec sleep 60")
    p.send_signal(SIGUSR1)
    codes = [p.wait()]
    print("send_signal(SIGUSR1):", codes[0])
    p = start("echo ready; exec sleep 60")
    p.terminate()
    codes += [p.wait()]
    p.terminate()  # nothing happens: it has ended
    print("terminate():", p.poll())

    p = start("trap 'exit 5' TERM; echo ready; read line")
    p.terminate()
    codes += [p.wait()]
    print("terminate() of one that tidies up:", codes[2])
    p = start("trap '' TERM; echo ready; exec sleep 60")
    p.terminate()
    try:
        p.wait(0.2)
    except subprocess.TimeoutExpired:
        print("terminate() of one that ignores it: timeout")
    p.kill()
    codes += [p.wait()]
    print("kill():", codes[3])
    sys.exit(codes != [-10, -15, 5, -9])
