// Attempts to get out of the sandbox, for tests/runtime/process_escape.cpp, which runs this program in it:
//     escape_attempts NAME [ARGUMENT...]      says what came of the attempt, mostly the name of an error
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace {

using words = std::vector<std::string>;

std::string error_name() { return ::strerrorname_np(errno); }

void say(const std::string& what, const std::string& came) { std::printf("%s %s\n", what.c_str(), came.c_str()); }

/// The arguments are such that a call that the filter lets through fails otherwise, or does nothing.
void try_call(const char* name, long number, long first = -1, long second = -1, long third = -1) {
    const auto result = ::syscall(number, first, second, third, -1, -1, -1);
    if (result == 0 && (number == SYS_clone || number == SYS_clone3)) {
        ::_exit(0); // the new process
    }
    say(name, result < 0 ? error_name() : "done");
}

/// In a process of its own: the filter may end it.
void try_apart(const char* name, const std::function<void()>& attempt) {
    std::fflush(stdout);
    const auto child = ::fork();
    if (child == 0) {
        attempt();
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    say(name, WIFSIGNALED(status) ? std::string("SIG") + ::sigabbrev_np(WTERMSIG(status)) : "done");
}

void refused_calls() {
#define TRY(name, ...) try_call(#name, SYS_##name __VA_OPT__(, ) __VA_ARGS__)
    TRY(mount), TRY(umount2), TRY(pivot_root), TRY(chroot), TRY(fsopen), TRY(fsconfig), TRY(fsmount), TRY(fspick);
    TRY(move_mount), TRY(open_tree), TRY(mount_setattr), TRY(name_to_handle_at), TRY(open_by_handle_at), TRY(quotactl);
    TRY(quotactl_fd), TRY(fanotify_init), TRY(setns), TRY(add_key), TRY(keyctl), TRY(request_key), TRY(bpf);
    TRY(perf_event_open), TRY(userfaultfd), TRY(kcmp), TRY(lookup_dcookie), TRY(kexec_load), TRY(kexec_file_load);
    TRY(init_module), TRY(finit_module), TRY(delete_module), TRY(reboot), TRY(swapon), TRY(swapoff), TRY(acct);
    TRY(vhangup), TRY(syslog), TRY(settimeofday), TRY(clock_settime), TRY(clock_adjtime), TRY(adjtimex);
    TRY(sethostname), TRY(setdomainname), TRY(iopl), TRY(ioperm);
}

void missing_calls() {
    TRY(clone3), TRY(io_uring_setup), TRY(io_uring_enter), TRY(io_uring_register), TRY(process_vm_readv);
    TRY(process_vm_writev);
#undef TRY
}

void namespaces() {
    for (const auto& [name, flag] : std::map<std::string, long>{{"mount", CLONE_NEWNS},
                                                                {"cgroup", CLONE_NEWCGROUP},
                                                                {"uts", CLONE_NEWUTS},
                                                                {"ipc", CLONE_NEWIPC},
                                                                {"user", CLONE_NEWUSER},
                                                                {"pid", CLONE_NEWPID},
                                                                {"net", CLONE_NEWNET}}) {
        try_call(("clone-" + name).c_str(), SYS_clone, flag | SIGCHLD, 0, 0);
        try_call(("unshare-" + name).c_str(), SYS_unshare, flag);
    }
    try_call("unshare-time", SYS_unshare, 0x80);
    try_call("unshare-files", SYS_unshare, CLONE_FILES);
}

void sockets() {
    for (int family = 0; family < 48; ++family) {
        const int fd = ::socket(family, family == AF_PACKET || family == AF_NETLINK ? SOCK_RAW : SOCK_STREAM, 0);
        say(std::to_string(family), fd >= 0 ? "done" : error_name());
        ::close(fd);
    }
    say("netlink-audit", ::socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT) >= 0 ? "done" : error_name());
    int pair[2];
    say("pair-rds", ::socketpair(AF_RDS, SOCK_SEQPACKET, 0, pair) == 0 ? "done" : error_name());
    say("pair-unix", ::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 ? "done" : error_name());
}

void personalities() {
    const std::map<std::string, unsigned long> all = {{"linux", PER_LINUX},
                                                      {"no-randomize", ADDR_NO_RANDOMIZE},
                                                      {"question", 0xffffffff},
                                                      {"executable", READ_IMPLIES_EXEC},
                                                      {"both", ADDR_NO_RANDOMIZE | MMAP_PAGE_ZERO},
                                                      {"highest", 1UL << 31},
                                                      {"all-but-one", 0xffffffff & ~1UL}};
    for (const auto& [name, value] : all) {
        say(name, ::syscall(SYS_personality, value) >= 0 ? "done" : error_name());
    }
}

/// What a program on a terminal of its own may put into it.
void terminal() {
    const int master = ::posix_openpt(O_RDWR | O_NOCTTY);
    ::grantpt(master), ::unlockpt(master);
    ::setsid();
    const int slave = ::open(::ptsname(master), O_RDWR);
    char typed = 'x';
    say("TIOCSTI", ::ioctl(slave, TIOCSTI, &typed) == 0 ? "done" : error_name());
    // The kernel looks at 32 bits of what is asked.
    say("TIOCSTI-high", ::syscall(SYS_ioctl, slave, TIOCSTI | 1UL << 32, &typed) == 0 ? "done" : error_name());
    say("TIOCLINUX", ::ioctl(slave, TIOCLINUX, &typed) == 0 ? "done" : error_name());
    winsize size{};
    say("TIOCGWINSZ", ::ioctl(slave, TIOCGWINSZ, &size) == 0 ? "done" : error_name());
}

void architectures() {
    try_apart("native", [] { ::syscall(SYS_getpid); });
#if defined(__x86_64__)
    try_apart("i386", [] {
        long result = 20; // getpid
        __asm__ volatile("int $0x80" : "+a"(result) : : "memory");
    });
    try_apart("x32", [] { ::syscall(0x40000000 | SYS_getpid); });
#endif
}

/// As root would do it on the machine itself.
void mounts() {
    say("tmpfs", ::mount("none", "/project", "tmpfs", 0, nullptr) == 0 ? "done" : error_name());
    say("bind", ::mount("/project", "/tmp", nullptr, MS_BIND, nullptr) == 0 ? "done" : error_name());
    say("remount", ::mount(nullptr, "/", nullptr, MS_REMOUNT | MS_BIND, nullptr) == 0 ? "done" : error_name());
    say("unmount", ::umount2("/tmp", MNT_DETACH) == 0 ? "done" : error_name());
    say("pivot", ::syscall(SYS_pivot_root, "/tmp", "/tmp") == 0 ? "done" : error_name());
    say("proc", ::mount("none", "/proc", "proc", 0, nullptr) == 0 ? "done" : error_name());
}

/// PID: of a process outside.
void others(const words& pid) {
    const auto other = static_cast<pid_t>(std::stol(pid.at(0)));
    say("signal", ::kill(other, 0) == 0 ? "done" : error_name());
    say("trace", ::ptrace(PTRACE_ATTACH, other, nullptr, nullptr) == 0 ? "done" : error_name());
    say("pidfd", ::syscall(SYS_pidfd_open, other, 0) >= 0 ? "done" : error_name());
    say("priority", ::setpriority(PRIO_PROCESS, static_cast<id_t>(other), 5) == 0 ? "done" : error_name());
}

void devices() {
    say("memory", ::mknod("/project/memory", S_IFCHR | 0666, makedev(1, 1)) == 0 ? "done" : error_name());
    say("disk", ::mknod("/tmp/disk", S_IFBLK | 0666, makedev(8, 0)) == 0 ? "done" : error_name());
    say("found", ::open("/project/device", O_RDONLY) >= 0 ? "done" : error_name()); // made outside, by root
}

/// Of each folder: whether programs gain rights and devices work there.
void mount_flags() {
    for (const char* folder : {"/", "/usr", "/project", "/tmp", "/dev/shm", "/dev", "/proc"}) {
        struct statvfs about {};
        ::statvfs(folder, &about);
        say(folder, std::string((about.f_flag & ST_NOSUID) != 0 ? "nosuid," : "suid,") +
                        ((about.f_flag & ST_NODEV) != 0 ? "nodev," : "dev,") +
                        ((about.f_flag & ST_RDONLY) != 0 ? "ro" : "rw"));
    }
}

void connect_to(const char* what, int family, const void* address, std::size_t size) {
    const int fd = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    say(what, ::connect(fd, static_cast<const sockaddr*>(address), static_cast<socklen_t>(size)) == 0 ? "done"
                                                                                                      : error_name());
    ::close(fd);
}

/// PORT of the loopback, NAME of an abstract socket, PATH of another: all of a listener outside.
void connections(const words& to) {
    sockaddr_in local{.sin_family = AF_INET,
                      .sin_port = htons(static_cast<std::uint16_t>(std::stoul(to.at(0)))),
                      .sin_addr = {htonl(INADDR_LOOPBACK)},
                      .sin_zero = {}};
    // Not without waiting: a loopback that refuses does so at once.
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    say("loopback", ::connect(fd, reinterpret_cast<sockaddr*>(&local), sizeof local) == 0 ? "done" : error_name());
    local.sin_addr = {htonl(0x01010101)};
    connect_to("internet", AF_INET, &local, sizeof local);
    for (const bool abstract : {true, false}) {
        sockaddr_un place{.sun_family = AF_UNIX, .sun_path = {}};
        const auto& name = to.at(abstract ? 1 : 2);
        name.copy(place.sun_path + (abstract ? 1 : 0), sizeof place.sun_path - 2);
        connect_to(abstract ? "abstract" : "path", AF_UNIX, &place, offsetof(sockaddr_un, sun_path) + name.size() + 1);
    }
}

void descriptors() {
    for (int fd = 0; fd < 4096; ++fd) {
        if (::fcntl(fd, F_GETFD) >= 0) {
            say(std::to_string(fd), "open");
        }
    }
}

/// Until it is refused. The children wait, so that all are there at once.
void fork_bomb() {
    for (int count = 0; count < 100'000; ++count) {
        const auto child = ::fork();
        if (child < 0) {
            say(std::to_string(count), error_name());
            return;
        }
        if (child == 0) {
            ::pause();
            ::_exit(0);
        }
    }
}

} // namespace

int main(int argc, char** argv) {
    const std::map<std::string, std::function<void(const words&)>> attempts = {
        {"refused-calls", [](const words&) { refused_calls(); }},
        {"missing-calls", [](const words&) { missing_calls(); }},
        {"namespaces", [](const words&) { namespaces(); }},
        {"sockets", [](const words&) { sockets(); }},
        {"personalities", [](const words&) { personalities(); }},
        {"terminal", [](const words&) { terminal(); }},
        {"architectures", [](const words&) { architectures(); }},
        {"mounts", [](const words&) { mounts(); }},
        {"others", others},
        {"devices", [](const words&) { devices(); }},
        {"mount-flags", [](const words&) { mount_flags(); }},
        {"connections", connections},
        {"descriptors", [](const words&) { descriptors(); }},
        {"fork-bomb", [](const words&) { fork_bomb(); }},
    };
    const auto chosen = attempts.find(argc > 1 ? argv[1] : "");
    if (chosen == attempts.end()) {
        std::fprintf(stderr, "no such attempt\n");
        return EXIT_FAILURE;
    }
    chosen->second({argv + 2, argv + argc});
}
