#include "bin/runner/syscall_filter.hpp"

#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <system_error>

namespace troupe::runner {

namespace {

/// Agents run compilers, debuggers, browsers and the run-times of many languages: a list of what is allowed would never
/// be complete. ptrace is allowed, for gdb and LeakSanitizer: the PID namespace has nobody else's processes.
constexpr int refused[] = {
    // Mounts, and files by handles that know no mounts.
    SCMP_SYS(mount), SCMP_SYS(umount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(fsopen),
    SCMP_SYS(fsconfig), SCMP_SYS(fsmount), SCMP_SYS(fspick), SCMP_SYS(move_mount), SCMP_SYS(open_tree),
    SCMP_SYS(mount_setattr), SCMP_SYS(name_to_handle_at), SCMP_SYS(open_by_handle_at), SCMP_SYS(quotactl),
    SCMP_SYS(quotactl_fd), SCMP_SYS(fanotify_init),
    // Namespaces of others. Making new ones: see `refuse_namespaces`.
    SCMP_SYS(setns),
    // Parts of the kernel with a history of holes that commands do without.
    SCMP_SYS(add_key), SCMP_SYS(keyctl), SCMP_SYS(request_key), SCMP_SYS(bpf), SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd), SCMP_SYS(kcmp), SCMP_SYS(lookup_dcookie),
    // The machine itself.
    SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(init_module), SCMP_SYS(finit_module),
    SCMP_SYS(delete_module), SCMP_SYS(reboot), SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(acct), SCMP_SYS(vhangup),
    SCMP_SYS(syslog), SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(clock_adjtime), SCMP_SYS(adjtimex),
    SCMP_SYS(sethostname), SCMP_SYS(setdomainname), SCMP_SYS(iopl), SCMP_SYS(ioperm)};

/// Programs that find these missing take another way.
constexpr int missing[] = {SCMP_SYS(clone3), // Its flags are in memory, where a filter cannot see them.
                           SCMP_SYS(io_uring_setup),   SCMP_SYS(io_uring_enter),   SCMP_SYS(io_uring_register),
                           SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev)};

constexpr std::uint64_t namespace_flags[] = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
                                             CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET};
constexpr std::uint64_t new_time_namespace =
    0x80; // CLONE_NEWTIME; in clone() the bit is a part of the signal's number.

constexpr int socket_families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

/// What `ioctl` is asked: the kernel looks at 32 bits.
constexpr std::uint64_t request_bits = 0xffff'ffff;

/// A filter in the making. The first rule that fails is kept.
class rules {
public:
    rules() : filter_(seccomp_init(SCMP_ACT_ALLOW)), failed_(filter_ == nullptr ? -ENOMEM : 0) {}

    template <class... Comparisons>
    void refuse(int error, int call, Comparisons... when) {
        const std::array<scmp_arg_cmp, sizeof...(when)> all{when...};
        note(filter_ ? seccomp_rule_add_array(filter_.get(), SCMP_ACT_ERRNO(static_cast<std::uint32_t>(error)), call,
                                              all.size(), all.data())
                     : 0);
    }

    /// As a program of the kernel. 0, or a negative error number.
    int write(int file) {
        if (filter_) {
            // A program of another architecture could say nothing of use anyway: it ends with SIGSYS.
            note(seccomp_attr_set(filter_.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS));
            note(seccomp_attr_set(filter_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2)); // a tree instead of a chain
        }
        if (failed_ == 0) {
            note(seccomp_export_bpf(filter_.get(), file));
        }
        return failed_;
    }

private:
    void note(int result) { failed_ = failed_ == 0 && result < 0 ? result : failed_; }

    struct release {
        void operator()(void* filter) const { seccomp_release(filter); }
    };
    std::unique_ptr<void, release> filter_;
    int failed_;
};

scmp_arg_cmp has(unsigned argument, std::uint64_t mask, std::uint64_t bits) {
    return SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, mask, bits);
}

void refuse_namespaces(rules& r) {
    for (const auto flag : namespace_flags) {
        r.refuse(EPERM, SCMP_SYS(clone), has(0, flag, flag));
        r.refuse(EPERM, SCMP_SYS(unshare), has(0, flag, flag));
    }
    r.refuse(EPERM, SCMP_SYS(unshare), has(0, new_time_namespace, new_time_namespace));
}

void refuse_sockets(rules& r) {
    const auto last =
        static_cast<std::uint64_t>(*std::max_element(std::begin(socket_families), std::end(socket_families)));
    for (const int call : {SCMP_SYS(socket), SCMP_SYS(socketpair)}) {
        for (std::uint64_t family = 0; family < last; ++family) {
            if (std::find(std::begin(socket_families), std::end(socket_families), static_cast<int>(family)) ==
                std::end(socket_families)) {
                r.refuse(EAFNOSUPPORT, call, SCMP_CMP64(0, SCMP_CMP_EQ, family));
            }
        }
        r.refuse(EAFNOSUPPORT, call, SCMP_CMP64(0, SCMP_CMP_GT, last));
    }
    constexpr std::uint64_t route = 0; // NETLINK_ROUTE: what getifaddrs asks
    r.refuse(EPROTONOSUPPORT, SCMP_SYS(socket), SCMP_CMP64(0, SCMP_CMP_EQ, std::uint64_t{AF_NETLINK}),
             SCMP_CMP64(2, SCMP_CMP_NE, route));
}

/// All but PER_LINUX, ADDR_NO_RANDOMIZE (gdb) and the question (all bits set). A rule compares an argument once only,
/// hence bit by bit: none but the one, unless the highest is set; and with that one, none may be clear.
void refuse_personalities(rules& r) {
    constexpr std::uint64_t highest = 1U << 31;
    for (std::uint64_t bit = 1; bit < highest; bit <<= 1) {
        if (bit != ADDR_NO_RANDOMIZE) {
            r.refuse(EPERM, SCMP_SYS(personality), has(0, highest | bit, bit));
        }
        r.refuse(EPERM, SCMP_SYS(personality), has(0, highest | bit, highest));
    }
}

} // namespace

std::optional<std::string> write_syscall_filter(int file) {
    rules r;
    for (const int call : refused) {
        r.refuse(EPERM, call);
    }
    for (const int call : missing) {
        r.refuse(ENOSYS, call);
    }
    refuse_namespaces(r);
    refuse_sockets(r);
    refuse_personalities(r);
    // Both put characters into what a terminal reads, as if its user had typed them.
    constexpr std::uint64_t linux_console = 0x541C; // TIOCLINUX
    for (const std::uint64_t request : {std::uint64_t{TIOCSTI}, linux_console}) {
        r.refuse(EPERM, SCMP_SYS(ioctl), has(1, request_bits, request));
    }
    if (const int failed = r.write(file); failed != 0) {
        return "cannot make the filter of system calls: " + std::generic_category().message(-failed);
    }
    return std::nullopt;
}

} // namespace troupe::runner
