// Attempts to get out of the sandbox, for tests/runtime/process_escape.cpp, which runs this program in it:
//     escape_attempts NAME [ARGUMENT...]      says what came of the attempt, mostly the name of an error
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
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
    };
    const auto chosen = attempts.find(argc > 1 ? argv[1] : "");
    if (chosen == attempts.end()) {
        std::fprintf(stderr, "no such attempt\n");
        return EXIT_FAILURE;
    }
    chosen->second({argv + 2, argv + argc});
}
