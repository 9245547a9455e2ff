"""terminal.py COMMAND…: runs it on a terminal of its own, types ^C, stops and continues it, types lines. Prints what it said."""
import os
import pty
import signal
import sys

pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])

said = b""


def until(text):
    global said
    while text not in said:
        said += os.read(terminal, 4096)


until(b"ready")
os.write(terminal, b"\x03")
until(b"interrupted")
# An orphaned process group is not stopped by its terminal: so by hand, to the command's pid, which is run's.
os.kill(pid, signal.SIGSTOP)
_, status = os.waitpid(pid, os.WUNTRACED)
stopped = os.WIFSTOPPED(status)
os.kill(pid, signal.SIGCONT)
os.write(terminal, b"one\ntwo\n")
try:
    until(b"got ")
    while True:
        said += os.read(terminal, 4096)
except OSError:  # EIO: the other side is closed
    pass
_, status = os.waitpid(pid, 0)
sys.stdout.write(said.decode())
print("stopped and continued" if stopped else "not stopped")
sys.exit(os.waitstatus_to_exitcode(status))
