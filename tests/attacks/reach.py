"""What one process reaches of another and of files: attempts that say which of them got through. For test_staff.py."""
import ctypes
import json
import os
import socket
import traceback

LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_ATTACH, PTRACE_DETACH, PTRACE_SEIZE = 16, 17, 0x4206
CALL = {'process_vm_readv': 310, 'process_vm_writev': 311, 'pidfd_getfd': 438, 'pidfd_open': 434, 'kcmp': 312, 'get_robust_list': 274,
        'setns': 308, 'process_madvise': 440, 'capset': 126, 'perf_event_open': 298, 'migrate_pages': 256}
if os.uname().machine == 'aarch64':
    CALL = {'process_vm_readv': 270, 'process_vm_writev': 271, 'pidfd_getfd': 438, 'pidfd_open': 434, 'kcmp': 272, 'get_robust_list': 100,
            'setns': 268, 'process_madvise': 440, 'capset': 91, 'perf_event_open': 241, 'migrate_pages': 238}
CHOWN, KILL, SETGID, SETUID = 0, 5, 6, 7


class Iovec(ctypes.Structure):
    _fields_ = [('base', ctypes.c_void_p), ('size', ctypes.c_size_t)]


def call(name, *arguments):
    ctypes.set_errno(0)
    result = LIBC.syscall(CALL[name], *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    return result, ctypes.get_errno()


def keep_capabilities(bits):
    """Root, from now on with these capabilities and no other."""
    head = (ctypes.c_uint32 * 2)(0x20080522, 0)
    mask = sum(1 << b for b in bits)
    data = (ctypes.c_uint32 * 6)(mask, mask, 0, 0, 0, 0)
    if call('capset', head, data)[0] != 0:
        raise OSError('capset')


def as_somebody(attempt, uid=0, gids=(), capabilities=None):
    """Runs attempt() in a child that is that uid in those groups; returns what it returned (JSON)."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reading)
            if capabilities is not None:
                keep_capabilities(capabilities)
            if uid:
                os.setgroups(list(gids))
                os.setresgid(uid, uid, uid)
                os.setresuid(uid, uid, uid)
            result = {'value': attempt()}
        except BaseException:  # noqa: B902 - told to the parent
            result = {'error': traceback.format_exc()}
        with os.fdopen(writing, 'w') as f:
            json.dump(result, f)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as f:
        text = f.read()
    os.waitpid(pid, 0)
    result = json.loads(text) if text else {'error': 'it died'}
    if 'error' in result:
        raise AssertionError(result['error'])
    return result['value']


def opens(path, flags=os.O_RDONLY):
    try:
        fd = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        # /proc/PID/environ and others of an older kernel open and then give nothing.
        return flags != os.O_RDONLY or os.path.isdir(path) or bool(os.read(fd, 1))
    except OSError:
        return False
    finally:
        os.close(fd)


def lists(path):
    try:
        return bool(os.listdir(path))
    except OSError:
        return False


def links(path):
    try:
        return bool(os.readlink(path))
    except OSError:
        return False


def in_proc(pid):
    """The files of /proc that show or change what a process has in memory and in hand."""
    base = f'/proc/{pid}'
    got = [name for name in ('environ', 'auxv', 'maps', 'smaps', 'numa_maps', 'pagemap', 'stack', 'syscall', 'io', 'personality',
                             f'task/{pid}/environ', f'task/{pid}/maps') if opens(f'{base}/{name}')]
    for name in ('mem', f'task/{pid}/mem'):
        for flags in (os.O_RDONLY, os.O_RDWR):
            try:
                os.close(os.open(f'{base}/{name}', flags))
                got.append(name)
            except OSError:
                pass
    got += [name for name in ('fd', 'fdinfo', 'map_files', f'task/{pid}/fd') if lists(f'{base}/{name}')]
    got += [name for name in ('cwd', 'root', 'exe', 'ns/user', 'ns/net', 'ns/mnt', 'fd/3', 'fd/5') if links(f'{base}/{name}')]
    got += [name for name in ('root/', 'cwd/') if lists(f'{base}/{name}')]
    for name in ('clear_refs', 'coredump_filter', 'oom_score_adj'):
        try:
            with open(f'{base}/{name}', 'w') as f:
                f.write('0')
            got.append(name)
        except OSError:
            pass
    return got


def by_call(pid):
    got = []
    byte = ctypes.create_string_buffer(8)
    here, there = Iovec(ctypes.addressof(byte), 8), Iovec(ctypes.addressof(byte), 8)
    for name in ('process_vm_readv', 'process_vm_writev'):
        result, error = call(name, pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
        if result >= 0 or error == 14:  # EFAULT: it was let in, the address is another's
            got.append(name)
    pidfd = call('pidfd_open', pid, 0)[0]
    if pidfd >= 0:
        got += ['pidfd_getfd'] if any(call('pidfd_getfd', pidfd, fd, 0)[0] >= 0 for fd in range(16)) else []
        for kind in (0x10000000, 0x40000000, 0x00020000, 0x20000000):  # user, net, mnt, pid
            if call('setns', pidfd, kind)[0] == 0:
                got.append('setns')
        if call('process_madvise', pidfd, ctypes.byref(there), 1, 20, 0)[0] >= 0:
            got.append('process_madvise')
        os.close(pidfd)
    if call('kcmp', pid, os.getpid(), 1, 0, 0)[0] >= 0:
        got.append('kcmp')
    head, size = ctypes.c_void_p(), ctypes.c_size_t()
    if call('get_robust_list', pid, ctypes.byref(head), ctypes.byref(size))[0] == 0:
        got.append('get_robust_list')
    for request in (PTRACE_ATTACH, PTRACE_SEIZE):
        if LIBC.ptrace(request, pid, None, None) == 0:
            got.append('ptrace')
            os.waitpid(pid, 0) if request == PTRACE_ATTACH else None
            LIBC.ptrace(PTRACE_DETACH, pid, None, None)
            break
    return got


def by_namespace_file(pid):
    got = []
    for name in ('user', 'net', 'mnt', 'pid', 'ipc', 'uts', 'cgroup'):
        try:
            fd = os.open(f'/proc/{pid}/ns/{name}', os.O_RDONLY)
        except OSError:
            continue
        got.append(f'open ns/{name}')
        if call('setns', fd, 0)[0] == 0:
            got.append(f'setns {name}')
        os.close(fd)
    return got


def by_signal(pid):
    got = []
    for number in (0, 15, 9):
        try:
            os.kill(pid, number)
            got.append(f'kill {number}')
        except OSError:
            pass
    return got


def process(pid, signals=True):
    """All of it; [] when nothing got through."""
    return in_proc(pid) + by_namespace_file(pid) + by_call(pid) + (by_signal(pid) if signals else [])


def files(paths):
    """Of these paths, what can be read, written, listed, renamed, linked or given another mode."""
    got = []
    for path in paths:
        for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDONLY | os.O_DIRECTORY):
            if opens(path, flags):
                got.append(f'open {path}')
        if os.path.isdir(path) and lists(path):
            got.append(f'list {path}')
        for name, act in (('chmod', lambda p: os.chmod(p, 0o777)), ('link', lambda p: os.link(p, '/tmp/cloison-stolen')),
                          ('rename', lambda p: os.rename(p, p + '.mine')), ('truncate', lambda p: os.truncate(p, 0)),
                          ('chown', lambda p: os.chown(p, os.getuid(), os.getgid()))):
            try:
                act(path)
                got.append(f'{name} {path}')
            except OSError:
                pass
    return got


def connects(path):
    s = socket.socket(socket.AF_UNIX)
    try:
        s.connect(str(path))
        return True
    except OSError:
        return False
    finally:
        s.close()


def mounts(source, target):
    """A bind mount, as it is and from a user namespace of one's own."""
    got = []
    if LIBC.mount(source.encode(), target.encode(), None, 4096, None) == 0:
        got.append('mount')
    uid = os.getuid()
    if LIBC.unshare(0x10000000 | 0x00020000) == 0:  # user and mount
        try:
            with open('/proc/self/setgroups', 'w') as f:
                f.write('deny')
            with open('/proc/self/uid_map', 'w') as f:
                f.write(f'0 {uid} 1')
            with open('/proc/self/gid_map', 'w') as f:
                f.write(f'0 {os.getgid()} 1')
        except OSError:
            pass
        if LIBC.mount(source.encode(), target.encode(), None, 4096, None) == 0 and lists(target):
            got.append('mount in a namespace of its own')
    return got
