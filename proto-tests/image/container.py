"""Runs a program in the image's file system as a container runtime would: own mounts, read-only root, no capabilities,
no new privileges, a uid and gid, a limit of memory and CPU. No container engine is needed, only root."""

import contextlib
import ctypes
import os
import pathlib
import shutil
import subprocess
import tempfile

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS = 0x00020000
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG = 24, 38, 1


def checked(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class Container:
    """One image, as mounted, to be run as often as wanted."""

    def __init__(self, root, environment):
        self.root = pathlib.Path(root)
        self.environment = environment

    def start(self, arguments, *, user=1000, group=1000, environment=None, files=None, state="tmpfs", limits=None, **popen):
        """A `Popen` of the program. `files` maps directories of the image to directories here; `state` is "tmpfs"
        or "read-only"."""

        def enter():
            checked(LIBC.prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0))
            for group_file in limits or ():
                group_file.write_text(str(os.getpid()))
            checked(LIBC.unshare(CLONE_NEWNS))
            mount = lambda *words: subprocess.run(["mount", *words], check=True)
            mount("--make-rprivate", "/")
            mount("--bind", self.root, self.root)
            for name in ("proc", "sys", "dev"):
                mount("--rbind", f"/{name}", self.root / name)
            if state == "tmpfs":
                mount("-t", "tmpfs", "-o", f"uid={user},gid={group}", "tmpfs", self.root / "state")
            for inside, outside in (files or {}).items():
                # An engine makes the mount point in the container's own layer, too.
                point = self.root / inside.lstrip("/")
                point.mkdir(parents=True, exist_ok=True)
                mount("--bind", outside, point)
            mount("-o", "remount,ro,bind", self.root)
            os.chroot(self.root)
            os.chdir("/")
            for capability in range(64):
                if LIBC.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
                    break
            os.setgroups([])
            os.setgid(group)
            os.setuid(user)
            checked(LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))

        return subprocess.Popen(
            arguments, preexec_fn=enter, env={**self.environment, **(environment or {})}, close_fds=True, **popen
        )

    def run(self, arguments, **options):
        """The finished program with its output."""
        process = self.start(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
        output, _ = process.communicate(timeout=60)
        return subprocess.CompletedProcess(arguments, process.returncode, output)


@contextlib.contextmanager
def limits(cpus, memory):
    """The process lists of control groups with these limits; none where this machine lets nobody make a group."""
    made = []
    base = pathlib.Path("/sys/fs/cgroup")
    name = f"ermine-image-{os.getpid()}"
    try:
        if (base / "cgroup.controllers").exists():
            group = base / name
            group.mkdir()
            made.append(group)
            (group / "cpu.max").write_text(f"{int(cpus * 100000)} 100000")
            (group / "memory.max").write_text(str(memory))
        else:
            for controller, settings in {
                "cpu": {"cpu.cfs_period_us": 100000, "cpu.cfs_quota_us": int(cpus * 100000)},
                "memory": {"memory.limit_in_bytes": memory},
            }.items():
                group = base / controller / name
                group.mkdir()
                made.append(group)
                for setting, value in settings.items():
                    (group / setting).write_text(str(value))
    except OSError:
        pass
    try:
        yield [group / "cgroup.procs" for group in made]
    finally:
        for group in made:
            with contextlib.suppress(OSError):
                group.rmdir()


@contextlib.contextmanager
def directory():
    """A directory that every user can read."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="ermine-image-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
