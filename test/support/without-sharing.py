"""Runs a command in a sandbox whose system knows no SO_REUSEPORT, as other systems than Linux do not.

Arguments: the errno that setting it fails with, the command and its arguments.
"""
import ctypes
import errno
import os
import platform
import struct
import sys

SETSOCKOPT = {"x86_64": 54, "aarch64": 208}[platform.machine()]
SOL_SOCKET, SO_REUSEPORT = 1, 15
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, FAIL = 0x7FFF0000, 0x00050000 | getattr(errno, sys.argv[1])
# Offsets in struct seccomp_data: the number, and the lower halves of the second and third argument.
NUMBER, LEVEL, OPTION = 0, 24, 32


def instruction(code, then, otherwise, value):
    return struct.pack("HBBI", code, then, otherwise, value)


program = ctypes.create_string_buffer(
    instruction(LOAD, 0, 0, NUMBER)
    + instruction(JUMP_IF_EQUAL, 0, 4, SETSOCKOPT)
    + instruction(LOAD, 0, 0, LEVEL)
    + instruction(JUMP_IF_EQUAL, 0, 2, SOL_SOCKET)
    + instruction(LOAD, 0, 0, OPTION)
    + instruction(JUMP_IF_EQUAL, 1, 0, SO_REUSEPORT)
    + instruction(RETURN, 0, 0, ALLOW)
    + instruction(RETURN, 0, 0, FAIL)
)
described = ctypes.create_string_buffer(struct.pack("HP", 8, ctypes.addressof(program)))
libc = ctypes.CDLL(None, use_errno=True)
for arguments in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, described, 0, 0)):
    if libc.prctl(*arguments) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
os.execvp(sys.argv[2], sys.argv[2:])
