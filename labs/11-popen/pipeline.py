"""pipeline.py: two commands joined by a pipe, as the shell's yes | head -n 3."""
import subprocess
import sys
from subprocess import PIPE

if __name__ == "__main__":
    yes = subprocess.Popen(["yes"], stdout=PIPE)
    head = subprocess.Popen(["head", "-n", "3"], stdin=yes.stdout, stdout=PIPE)
    output, _ = head.communicate()
    print("head:", output, "and return code", head.returncode)

    try:
        yes.wait(0.3)
        sys.exit("pipeline: yes has ended though its pipe can be read")
    except subprocess.TimeoutExpired:
        print("yes, with the reading end open here: timeout")
    yes.stdout.close()  # now nobody is left who could read
    print("yes, with it closed:", yes.wait(), "(SIGPIPE)")
    sys.exit(output != b"y\ny\ny\n" or yes.returncode != -13)
