"""redirect.py: where a command's output goes, and where its input comes from."""
import subprocess
import sys
import tempfile

if __name__ == "__main__":
    thrown = subprocess.run(["echo", "unseen"], stdout=subprocess.DEVNULL)
    print("DEVNULL:", thrown)
    empty = subprocess.run(["cat"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    print("stdin:", empty, flush=True)
    subprocess.run(["echo", "seen"], stdout=sys.stdout.fileno())

    with tempfile.TemporaryFile() as file:
        file.write(b"ours: red\n")
        file.flush()  # or the command would write first
        subprocess.run(["echo", "the command's: blue"], stdout=file)
        file.seek(0)
        lines = subprocess.run(["cat"], stdin=file, stdout=subprocess.PIPE)
    print("a file:", lines)

    command = ["sh", "-c", "echo colour; echo water >&2; echo colour"]
    merged = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    print("STDOUT:", merged)

    wrong = empty.stdout != b"" or lines.stdout != b"ours: red\nthe command's: blue\n"
    sys.exit(wrong or merged.stdout != b"colour\nwater\ncolour\n" or merged.stderr is not None)
