#include "bin/runner/proxy.hpp"

#include "runtime/process/proxy_connection.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <semaphore>
#include <thread>

namespace troupe::runner {

namespace {

constexpr int connections_max = 64; ///< At a time; more wait in the listener's queue.

/// A message of one byte with a descriptor beside it.
struct passed_fd {
    char byte = 'l';
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    iovec bytes = {&byte, 1};
    msghdr message = {};

    passed_fd() {
        message.msg_iov = &bytes;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
    }
};

unique_fd receive_listener(int handover) {
    passed_fd in;
    if (::recvmsg(handover, &in.message, MSG_CMSG_CLOEXEC) != 1) {
        return {}; // The command was not reached.
    }
    const auto* header = CMSG_FIRSTHDR(&in.message);
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(int))) {
        return {};
    }
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return unique_fd(fd);
}

std::optional<std::string> why_refused(const std::vector<runtime::allowed_host>& hosts, const std::string& host,
                                       std::uint16_t port, const std::optional<ip_bytes>& address) {
    if (!address) {
        return runtime::is_allowed(hosts, host, port)
                   ? std::nullopt
                   : std::optional(host + ":" + std::to_string(port) + " is not in sandbox.network");
    }
    return runtime::is_allowed_address(hosts, *address, port)
               ? std::nullopt
               : std::optional(host + " has a private address, which sandbox.network does not name");
}

/// The proxy's process: until its parent ends it.
[[noreturn]] void serve(int handover, const std::vector<runtime::allowed_host>& hosts,
                        std::atomic<std::uint64_t>& refused) {
    const auto listener = receive_listener(handover);
    ::close(handover); // Once only.
    runtime::proxy_rules rules;
    rules.refused = &refused;
    rules.refusal = [&hosts](const std::string& host, std::uint16_t port, const std::optional<ip_bytes>& address) {
        return why_refused(hosts, host, port, address);
    };
    std::counting_semaphore<connections_max> room(connections_max);
    while (listener) {
        room.acquire();
        unique_fd client(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!client) {
            room.release();
            if (errno == EINVAL || errno == EBADF || errno == ENOTSOCK) {
                break; // that was no listener
            }
            continue;
        }
        std::thread([&, held = std::make_shared<unique_fd>(std::move(client))] {
            runtime::serve_connection(*held, rules);
            room.release();
        }).detach();
    }
    for (;;) {
        ::pause();
    }
}

/// What the process inherits of the runner: nothing but its end of the handover, which becomes 3.
void leave_all_behind(int handover) {
    const int null = ::open("/dev/null", O_RDWR);
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        ::dup2(null, fd);
    }
    ::dup2(handover, STDERR_FILENO + 1);
    ::close_range(STDERR_FILENO + 2, ~0U, 0);
}

} // namespace

void proxy::unmap::operator()(counter* shared) const { ::munmap(shared, sizeof *shared); }

expected<proxy> proxy::start(std::vector<runtime::allowed_host> hosts) {
    const auto failed = [](const char* what) {
        return problem{code::unavailable, std::string("cannot start the proxy: ") + what + ": " + std::strerror(errno)};
    };
    void* memory = ::mmap(nullptr, sizeof(counter), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return failed("mmap");
    }
    proxy out;
    out.refused_.reset(new (memory) counter(0));
    int ends[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return failed("socketpair");
    }
    const unique_fd theirs(ends[0]), ours(ends[1]);
    constexpr int first_fd = 16; // above what a child of the runner gets
    out.handover_ = unique_fd(::fcntl(ours.get(), F_DUPFD_CLOEXEC, first_fd));
    const auto parent = ::getpid();
    out.pid_ = ::fork();
    if (out.pid_ < 0) {
        return failed("fork");
    }
    if (out.pid_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) {
            ::_exit(EXIT_SUCCESS);
        }
        leave_all_behind(theirs.get());
        serve(STDERR_FILENO + 1, hosts, *out.refused_);
    }
    return out;
}

std::optional<std::string> hand_out_listener() {
    const unique_fd handover(handover_fd);
    const unique_fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_port = htons(proxy_port);
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(listener.get(), reinterpret_cast<sockaddr*>(&place), sizeof place) != 0 ||
        ::listen(listener.get(), connections_max) != 0) {
        return std::string("cannot listen for the proxy: ") + std::strerror(errno);
    }
    passed_fd out;
    auto* header = CMSG_FIRSTHDR(&out.message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    const int fd = listener.get();
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    if (::sendmsg(handover.get(), &out.message, MSG_NOSIGNAL) != 1) {
        return std::string("cannot reach the proxy: ") + std::strerror(errno);
    }
    return std::nullopt;
}

} // namespace troupe::runner
