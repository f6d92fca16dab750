"""run_ls.py: the tutorial's "ls -la": another program runs, and what it prints goes where ours goes."""
import subprocess
import sys

if __name__ == "__main__":
    completed = subprocess.run(["ls", "-la"])
    print(completed)
    sys.exit(completed.returncode != 0)
