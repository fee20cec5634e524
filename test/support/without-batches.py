"""Runs a command in a sandbox that forbids recvmmsg and sendmmsg, as a container's seccomp filter may.

Arguments: the errno that they fail with, the command and its arguments.
"""
import ctypes
import errno
import os
import platform
import struct
import sys

NUMBERS = {"x86_64": (299, 307), "aarch64": (243, 269)}[platform.machine()]
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
LOAD_NUMBER, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, FAIL = 0x7FFF0000, 0x00050000 | getattr(errno, sys.argv[1])


def instruction(code, then, otherwise, value):
    return struct.pack("HBBI", code, then, otherwise, value)


program = ctypes.create_string_buffer(
    instruction(LOAD_NUMBER, 0, 0, 0)
    + instruction(JUMP_IF_EQUAL, 2, 0, NUMBERS[0])
    + instruction(JUMP_IF_EQUAL, 1, 0, NUMBERS[1])
    + instruction(RETURN, 0, 0, ALLOW)
    + instruction(RETURN, 0, 0, FAIL)
)
described = ctypes.create_string_buffer(struct.pack("HP", 5, ctypes.addressof(program)))
libc = ctypes.CDLL(None, use_errno=True)
for arguments in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, described, 0, 0)):
    if libc.prctl(*arguments) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
os.execvp(sys.argv[2], sys.argv[2:])
