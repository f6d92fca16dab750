"""check.py: a command that fails is an error only when that is asked for; how it failed is said in words."""
import subprocess
import sys

if __name__ == "__main__":
    completed = subprocess.run(["sh", "-c", "echo half; exit 3"], stdout=subprocess.PIPE)
    print("not checked:", completed)

    returncodes = []
    for line in "echo half; exit 3", "kill -KILL $$":
        try:
            subprocess.run(["sh", "-c", line], stdout=subprocess.PIPE, check=True)
        except subprocess.CalledProcessError as error:
            print(f"checked: {error}\n  stdout was {error.stdout}")
            returncodes.append(error.returncode)
        else:
            print("checked: no failure")
    try:
        completed.check_returncode()
    except subprocess.CalledProcessError as error:
        print("checked later:", error)
    print(f"check_output: {subprocess.check_output(['echo', 'whole'], text=True)!r}")

    sys.exit(returncodes != [3, -9])
