"""How root looks: each function yields (where, bytes) of what it could read. For test_canaries.py."""
import ctypes
import mmap
import os
import re
import socket
import stat
import struct
import subprocess

from house import wait_for

LIBC = ctypes.CDLL(None, use_errno=True)
PIDFD_GETFD = 438
CHUNK = 1 << 22
PTRACE_DETACH, PTRACE_GETREGSET, PTRACE_SEIZE, PTRACE_INTERRUPT, WALL = 17, 0x4204, 0x4206, 0x4207, 0x40000000
NT_PRSTATUS, NT_FPREGSET, NT_X86_XSTATE, NT_ARM_SVE = 1, 2, 0x202, 0x405
VECTORS = NT_X86_XSTATE if os.uname().machine == 'x86_64' else NT_FPREGSET
KERNELS = ('[vvar]', '[vsyscall]', '[vvar_vclock]')


def processes(roots):
    """(name, pid) of these processes and of all below them."""
    pids = list(roots)
    for pid in sorted(int(p) for p in os.listdir('/proc') if p.isdigit()):
        try:
            with open(f'/proc/{pid}/stat') as f:
                parent = int(f.read().rsplit(')', 1)[1].split()[1])
        except OSError:
            continue
        if parent in pids and pid not in pids:
            pids.append(pid)
    return [(open(f'/proc/{p}/cmdline').read().split('\0')[0].rsplit('/', 1)[-1], p) for p in pids]


def ranges(pid):
    """(label, start, end) of every readable mapping."""
    with open(f'/proc/{pid}/maps') as f:
        lines = f.read().splitlines()
    for line in lines:
        addresses, rights, _, _, _, *name = line.split(None, 5)
        start, end = (int(a, 16) for a in addresses.split('-'))
        if rights[0] == 'r' and not (name and name[0] in KERNELS):
            yield f'{addresses} {rights} {name[0] if name else ""}', start, end


def by_mem(pid):
    with open(f'/proc/{pid}/mem', 'rb', 0) as mem:
        for label, start, end in ranges(pid):
            for at in range(start, end, CHUNK):
                try:
                    mem.seek(at)
                    yield label, mem.read(min(CHUNK, end - at))
                except OSError:
                    continue


class Piece(ctypes.Structure):
    _fields_ = [('base', ctypes.c_void_p), ('size', ctypes.c_size_t)]


def by_vm_readv(pid):
    buffer = ctypes.create_string_buffer(CHUNK)
    for label, start, end in ranges(pid):
        for at in range(start, end, CHUNK):
            size = min(CHUNK, end - at)
            here, there = Piece(ctypes.addressof(buffer), size), Piece(at, size)
            got = LIBC.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
            if got > 0:
                yield label, ctypes.string_at(buffer, got)


# ---- cores ----

def core(pid, folder):
    """gdb's core of a running process, with everything that a process can ask to be left out; its path."""
    path = folder / f'core.{pid}'
    with open(f'/proc/{pid}/coredump_filter', 'r+') as f:
        before = f.read()
        f.seek(0)
        f.write('0x7f')  # shared and file mappings, too
    done = subprocess.run(['gdb', '-nx', '-batch', '--readnever', '-iex', 'set auto-load off', '-ex', 'set dump-excluded-mappings on', '-ex', f'gcore {path}',
                           '-p', str(pid)], capture_output=True, text=True, timeout=60)
    with open(f'/proc/{pid}/coredump_filter', 'w') as f:
        f.write(f'0x{before}')
    assert path.exists(), done.stderr
    return path


def notes(data):
    """(type, bytes) of a core's notes."""
    offset, = struct.unpack_from('<Q', data, 32)
    size, count = struct.unpack_from('<HH', data, 54)
    for header in range(offset, offset + count * size, size):
        kind, _, start, _, _, length = struct.unpack_from('<IIQQQQ', data, header)
        at = start
        while kind == 4 and at < start + length:
            name, content, what = struct.unpack_from('<III', data, at)
            begin = at + 12 + (name + 3) // 4 * 4
            yield what, data[begin:begin + content]
            at = begin + (content + 3) // 4 * 4


def registers(pid):
    """(what, bytes) of the register sets of every thread, each stopped for as long as that takes."""
    buffer = ctypes.create_string_buffer(1 << 14)
    for tid in map(int, os.listdir(f'/proc/{pid}/task')):
        assert LIBC.ptrace(PTRACE_SEIZE, tid, None, None) == 0, os.strerror(ctypes.get_errno())
        assert LIBC.ptrace(PTRACE_INTERRUPT, tid, None, None) == 0
        os.waitpid(tid, WALL)
        for what in (NT_PRSTATUS, NT_FPREGSET, NT_X86_XSTATE, NT_ARM_SVE):
            piece = Piece(ctypes.addressof(buffer), len(buffer))
            if LIBC.ptrace(PTRACE_GETREGSET, tid, ctypes.c_void_p(what), ctypes.byref(piece)) == 0:
                yield what, buffer.raw[:piece.size]
        LIBC.ptrace(PTRACE_DETACH, tid, None, None)


# ---- fds and files ----

def taken_fds(pid):
    """(what it is, our own fd) of every fd of a process; closed on the way."""
    pidfd = os.pidfd_open(pid)
    try:
        for fd in os.listdir(f'/proc/{pid}/fd'):
            what = os.readlink(f'/proc/{pid}/fd/{fd}')
            taken = LIBC.syscall(PIDFD_GETFD, pidfd, int(fd), 0)
            assert taken >= 0, f'{what}: {os.strerror(ctypes.get_errno())}'
            try:
                yield what, taken
            finally:
                os.close(taken)
    finally:
        os.close(pidfd)


def everything_in(fd):
    """What an fd gives without taking it from its owner: a file's bytes, a socket's and a pipe's waiting ones."""
    kind = os.fstat(fd)
    if stat.S_ISREG(kind.st_mode):
        try:  # anew, since the owner's may be for writing alone
            with open(f'/proc/self/fd/{fd}', 'rb') as f:
                return f.read()
        except OSError:
            with mmap.mmap(fd, kind.st_size, mmap.MAP_SHARED, mmap.PROT_READ) as m:
                return bytes(m)
    if stat.S_ISSOCK(kind.st_mode):
        with socket.socket(fileno=os.dup(fd)) as s:
            try:
                return s.recv(1 << 20, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            except OSError:  # it listens, or nothing waits
                return b''
    if stat.S_ISFIFO(kind.st_mode):
        ours, theirs = os.pipe()
        got = LIBC.tee(fd, theirs, 1 << 16, 2)  # SPLICE_F_NONBLOCK
        data = os.read(ours, 1 << 16) if got > 0 else b''
        os.close(ours)
        os.close(theirs)
        return data
    return b''


def mapped_files(pid):
    """What the links in map_files lead to; a link that does not open gives no bytes."""
    folder = f'/proc/{pid}/map_files'
    for name in os.listdir(folder):
        try:
            what = os.readlink(f'{folder}/{name}')
            fd = os.open(f'{folder}/{name}', os.O_RDONLY)
        except OSError:
            yield what, b''
            continue
        try:
            yield what, everything_in(fd)
        finally:
            os.close(fd)


def files_below(folder, leave_out=()):
    for directory, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(directory, name)
            if os.path.isfile(path) and directory not in leave_out:
                with open(path, 'rb') as f:
                    yield path, f.read()


def swap_areas():
    with open('/proc/swaps') as f:
        areas = [line.split()[0] for line in f.read().splitlines()[1:]]
    for area in areas:
        with open(area, 'rb') as f:
            while data := f.read(CHUNK):
                yield area, data


class Disk:
    """An ext4 file system of its own in a file, so that its freed blocks can be seen, too."""

    def __init__(self, image, folder, size):
        self.image, self.folder = image, folder
        folder.mkdir()
        with open(image, 'wb') as f:
            f.truncate(size)
        subprocess.run(['mke2fs', '-q', '-F', '-t', 'ext4', '-E', 'nodiscard,lazy_itable_init=0', image], check=True)
        subprocess.run(['mount', '-o', 'loop,nodiscard', image, folder], check=True)

    def written(self):
        """(where, bytes) of the raw image."""
        fd = os.open(self.folder, os.O_RDONLY)
        LIBC.syncfs(fd)
        os.close(fd)
        with open(self.image, 'rb') as f:
            overlap = b''
            while data := f.read(CHUNK):
                yield f'{self.image} at {f.tell()}', overlap + data
                overlap = data[-256:]

    def end(self):
        wait_for(lambda: subprocess.run(['umount', self.folder], capture_output=True).returncode == 0, why='the disk to be free')


def locked_kib(pid):
    """(resident, swapped) of the secret mappings."""
    with open(f'/proc/{pid}/smaps') as f:
        text = f.read()
    secret = re.findall(r'secretmem.*?\nVmFlags', text, re.S)
    return [sum(int(n) for part in secret for n in re.findall(rf'^{what}: +(\d+) kB', part, re.M)) for what in ('Size', 'Swap')]
