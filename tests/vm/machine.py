"""A Debian machine under qemu (TCG: no hardware help needed): boots the image of tests/vm/image, obeys commands, can be cut off the power."""
import base64
import pathlib
import signal
import socket
import subprocess
import time


class Machine:
    def __init__(self, folder, append='', forward=(), memory=1024, processors=2):
        self.folder, self.append, self.forward = pathlib.Path(folder), append, forward
        self.memory, self.processors = memory, processors

    def start(self, seconds=180):
        port = self.folder / 'command.sock'
        port.unlink(missing_ok=True)
        forward = ''.join(f',hostfwd=tcp:127.0.0.1:{here}-:{there}' for here, there in self.forward)
        self.console = open(self.folder / 'console', 'ab')
        self.qemu = subprocess.Popen([
            'qemu-system-x86_64', '-accel', 'tcg,thread=multi', '-cpu', 'Nehalem,+rdrand,+aes,+pclmulqdq,+ssse3', '-m', str(self.memory), '-smp', str(self.processors),
            '-display', 'none', '-no-reboot', '-kernel', self.folder / 'kernel', '-initrd', self.folder / 'initrd',
            '-append', f'root=/dev/vda rw console=ttyS0 quiet systemd.show_status=0 {self.append}',
            # writethrough: what the guest synced is on this machine's side of qemu when qemu is killed
            '-drive', f'file={self.folder / "disk.ext4"},format=raw,if=virtio,cache=writethrough',
            '-netdev', f'user,id=n,restrict=on{forward}', '-device', 'virtio-net-pci,netdev=n,romfile=',
            '-device', 'virtio-rng-pci',
            '-serial', 'stdio', '-serial', f'unix:{port},server=on,wait=off', '-monitor', 'none'],
            stdin=subprocess.DEVNULL, stdout=self.console, stderr=self.console)
        end = time.monotonic() + seconds
        self.port = socket.socket(socket.AF_UNIX)
        while True:
            try:
                self.port.connect(str(port))
                break
            except OSError:
                assert time.monotonic() < end and self.qemu.poll() is None, self.log()
                time.sleep(0.1)
        self.port.settimeout(seconds)
        self.lines = self.port.makefile('rb')
        assert b'ready' in self.lines.readline(), self.log()
        return self

    def log(self):
        return (self.folder / 'console').read_text(errors='replace')[-4000:]

    def run(self, command, seconds=120, check=True):
        """Runs a shell command in the machine; returns its output, or (status, output) with check=False."""
        self.port.settimeout(seconds)
        self.port.sendall(base64.b64encode(command.encode()) + b'\n')
        line = self.lines.readline()
        assert line.strip(), f'no answer to {command!r}\n{self.log()}'
        status, _, output = line.strip().partition(b' ')
        output = base64.b64decode(output).decode(errors='replace')
        if not check:
            return int(status), output
        assert int(status) == 0, f'{command!r}: {int(status)}: {output}\n{self.log()}'
        return output

    def cut_power(self):
        self.qemu.send_signal(signal.SIGKILL)
        self.qemu.wait()
        self.port.close()

    def stop(self):
        if self.qemu.poll() is None:
            self.qemu.kill()
            self.qemu.wait()
        self.port.close()
