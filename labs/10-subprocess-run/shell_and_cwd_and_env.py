"""shell_and_cwd_and_env.py: a line for the shell, the folder that a command works in, and its environment."""
import subprocess
import sys
from subprocess import DEVNULL, PIPE

if __name__ == "__main__":
    piped = subprocess.run("printf 'red\\nblue\\n' | sort", shell=True, stdout=PIPE)
    print("shell:", piped.stdout, "and return code", piped.returncode)
    missing = subprocess.run("no-such-brush", shell=True, stderr=DEVNULL)
    print("shell: return code", missing.returncode)
    try:
        subprocess.run(["no-such-brush"])
    except FileNotFoundError as error:
        print("no shell:", error)

    root = subprocess.run(["pwd"], cwd="/", stdout=PIPE)
    print("cwd:", root)
    try:
        subprocess.run(["pwd"], cwd="/no-such-studio")
    except FileNotFoundError as error:
        print("cwd:", error)

    paint = subprocess.run(["env"], env={"PAINT": "blue"}, stdout=PIPE)
    print("env:", paint)
    empty = subprocess.run(["env"], env={}, stdout=PIPE)
    print("env:", empty)

    wrong = piped.stdout != b"blue\nred\n" or missing.returncode != 127 or root.stdout != b"/\n"
    sys.exit(wrong or paint.stdout != b"PAINT=blue\n" or empty.stdout != b"")
