"""own_root.py COMMAND...: runs a command where user namespaces can be made, also from inside a chroot.

Linux makes no user namespace for a process whose root is not the root of its mount namespace (unshare(2), EPERM), which is what a plain
`chroot` into a fresh Debian gives. Then this program takes a mount namespace of its own, moves a copy of the present root over that
namespace's root, and runs the command there: the same files, the same paths. Elsewhere it just runs the command.
"""
import ctypes
import os
import sys

CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
MS_BIND, MS_REC, MS_MOVE, MS_PRIVATE = 0x1000, 0x4000, 0x2000, 0x40000
libc = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    if getattr(libc, name)(*arguments) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f'{name}: {os.strerror(error)}')


def user_namespaces_work():
    pid = os.fork()
    if pid == 0:
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        os._exit(0 if libc.unshare(CLONE_NEWUSER) == 0 else 1)
    return os.waitpid(pid, 0)[1] == 0


def take_own_root():
    call('unshare', CLONE_NEWNS)
    present = os.open('/', os.O_RDONLY | os.O_DIRECTORY)
    os.chroot('/proc')  # any directory below: the present root is then outside, and the way up from it is open
    os.fchdir(present)
    while not os.path.samestat(os.stat('.'), os.stat('..')):
        os.chdir('..')
    os.chroot('.')
    call('mount', None, b'/', None, MS_REC | MS_PRIVATE, None)
    os.fchdir(present)
    path = os.getcwd().encode()
    call('mount', path, path, None, MS_BIND | MS_REC, None)
    os.chdir(path)  # onto the mount that now covers it
    call('mount', b'.', b'/', None, MS_MOVE, None)
    os.chroot('.')
    os.close(present)


def main():
    cwd = os.getcwd()
    if not user_namespaces_work():
        try:
            take_own_root()
            os.chdir(cwd)
        except OSError as why:
            print(f'own_root.py: {why}', file=sys.stderr)
        if not user_namespaces_work():
            print('No user namespace can be made here (is this a chroot, or is user.max_user_namespaces 0?): no worker can be jailed.', file=sys.stderr)
            sys.exit(1)
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == '__main__':
    main()
