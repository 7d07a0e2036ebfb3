# SPDX-License-Identifier: Apache-2.0
"""Programs started oddly: no argv, no environment, two megabytes of it; by exec, vfork and spawn. Prints
what went wrong."""
import ctypes
import os
import subprocess

libc = ctypes.CDLL(None, use_errno=True)


def started(how, path, argv, env):
    pid = os.fork()
    if pid == 0:
        libc.execve(path.encode(), argv, env)
        os._exit(99)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status != 0:
        print(f"{how}: exit status {status}")


preload = f"LD_PRELOAD={os.environ['LD_PRELOAD']}".encode()
one = (ctypes.c_char_p * 2)(b"true", None)
bare = (ctypes.c_char_p * 1)(None)
with_us = (ctypes.c_char_p * 2)(preload, None)
many = (ctypes.c_char_p * 21)(*([b"x" * 60000] * 20), None)
odd = (ctypes.c_char_p * 5)(preload, b"", b"=", b"TRACEBATON_HEADERS=" + b"a" * 100000, None)
started("no argument vector", "/bin/true", None, with_us)
started("an empty argument vector", "/bin/true", bare, with_us)
started("no environment", "/bin/true", one, None)
started("long arguments", "/bin/true", many, with_us)
started("an odd environment", "/bin/true", one, odd)
if libc.execve(b"/nonexistent", one, with_us) != -1 or ctypes.get_errno() != 2:
    print("exec of nothing: another error")
if subprocess.run(["true"] + ["y" * 100000] * 10, close_fds=False).returncode != 0:
    print("spawn fails")
bad_string = (ctypes.c_void_p * 3)(ctypes.cast(one, ctypes.c_void_p), 8, None)
for how, env in (("a bad environment", ctypes.c_void_p(8)), ("a bad variable", bad_string)):
    if libc.execve(b"/bin/true", one, env) != -1 or ctypes.get_errno() != 14:
        print(f"{how}: errno {ctypes.get_errno()}, not EFAULT")
