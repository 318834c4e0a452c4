# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What Python on Windows lacks of the standard library, as far as anybody here might ask for it."""

from __future__ import annotations

MISSING = {
    "fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "spwd", "nis",
    "crypt", "readline", "_posixsubprocess"}
"""Modules."""

GONE = {
    "os": "O_CLOEXEC O_DIRECTORY O_NOCTTY O_NOFOLLOW O_NONBLOCK O_SYNC O_DSYNC O_DIRECT O_PATH "
          "O_ASYNC O_NDELAY O_TMPFILE O_NOATIME chown lchown fchown fchmod fchdir pread preadv "
          "pwrite pwritev readv writev sysconf sysconf_names pathconf fpathconf confstr "
          "sched_getaffinity sched_setaffinity sched_yield fork forkpty register_at_fork killpg "
          "getpgid getpgrp setsid getsid setpgid setpgrp geteuid getuid getegid getgid getgroups "
          "setuid setgid seteuid setegid setgroups getresuid getresgid mkfifo mknod statvfs "
          "fstatvfs listxattr getxattr setxattr removexattr memfd_create nice getpriority "
          "setpriority sync getloadavg posix_spawn posix_spawnp wait wait3 wait4 waitid chroot "
          "lockf sendfile copy_file_range splice posix_fadvise posix_fallocate fdatasync uname "
          "pipe2 openpty login_tty ttyname ctermid fwalk eventfd pidfd_open EX_OK WNOHANG "
          "set_blocking get_blocking WIFSIGNALED WTERMSIG",
    "signal": "alarm setitimer getitimer pthread_sigmask pthread_kill sigwait sigwaitinfo pause "
              "sigpending siginterrupt",
    "select": "poll epoll kqueue",
    "socket": "AF_UNIX socketpair_unix SO_PEERCRED AF_NETLINK CMSG_SPACE send_fds recv_fds",
    "selectors": "EpollSelector PollSelector KqueueSelector DevpollSelector",
    "mmap": "PROT_READ PROT_WRITE PROT_EXEC MAP_SHARED MAP_PRIVATE MAP_ANONYMOUS MADV_DONTNEED",
}
"""Names that these modules lack."""
