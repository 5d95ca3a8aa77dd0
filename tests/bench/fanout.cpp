// WebSocket fan-out, seen by its clients: any server whose messages hold "@@" and 16 digits, a monotonic time in
// microseconds. One thread and raw frames, so that the client is not what is measured.
//
// Usage: bench_fanout PORT CONNECTIONS SECONDS RATE PATH [SUBSCRIBE [POST_PATHS]]        (the key: BENCH_KEY)
//   RATE 0: as fast as it goes; else events a second. SUBSCRIBE: the first message of each client, "" for none.
//   POST_PATHS: file with a path a line; messages are posted there in turn, at most 128 ahead of the readers. Without
//   it the server sends by itself.
// When all are connected it prints {"connected":N} and goes on after a line on stdin.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::uint64_t ahead_max = 128;
constexpr std::size_t posters = 64;
constexpr std::uint64_t sample_every = 16;
constexpr std::int64_t warm_up_us = 1'500'000;

[[noreturn]] void give_up(const std::string& why) {
    std::cerr << "bench: " << why << "\n";
    std::exit(1);
}

std::int64_t now_us() {
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1'000'000LL + t.tv_nsec / 1000;
}

int connect_to(int port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) {
        give_up("connect: " + std::string(std::strerror(errno)));
    }
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

void send_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const auto sent = send(fd, text.data(), text.size(), MSG_NOSIGNAL);
        if (sent <= 0) {
            give_up("send: " + std::string(std::strerror(errno)));
        }
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
}

std::string read_exactly(int fd, std::size_t bytes) {
    std::string out(bytes, '\0');
    for (std::size_t at = 0; at < bytes;) {
        const auto got = recv(fd, out.data() + at, bytes - at, 0);
        if (got <= 0) {
            give_up("the server closed a connection that was being opened");
        }
        at += static_cast<std::size_t>(got);
    }
    return out;
}

/// Masked with zeros.
std::string frame(unsigned operation, std::string_view text) {
    std::string out(1, static_cast<char>(0x80U | operation));
    if (text.size() < 126) {
        out += static_cast<char>(0x80U | text.size());
    } else {
        out += static_cast<char>(0x80U | 126U);
        out += static_cast<char>(text.size() >> 8U);
        out += static_cast<char>(text.size() & 0xffU);
    }
    return out.append(4, '\0').append(text);
}

/// One WebSocket: where in its frames it is.
struct reader {
    int fd = -1;
    unsigned char head[10] = {};
    unsigned head_bytes = 0;
    std::uint64_t left = 0; ///< Of the payload.
};

struct poster {
    int fd = -1;
    bool waits = false;
    std::string answer;
};

class bench {
public:
    bench(int port, std::size_t connections, double seconds, double rate, std::string path)
        : port_(port), seconds_(seconds), rate_(rate), path_(std::move(path)), readers_(connections) {
        if (const char* key = std::getenv("BENCH_KEY")) {
            key_ = "Authorization: Bearer " + std::string(key) + "\r\n";
        }
        buffer_.resize(256 * 1024);
    }

    void connect_all(const std::string& subscribe) {
        poll_ = epoll_create1(EPOLL_CLOEXEC);
        for (std::size_t i = 0; i < readers_.size(); ++i) {
            readers_[i].fd = open_socket(subscribe);
            watch(readers_[i].fd, i);
        }
    }

    void post_to(std::vector<std::string> paths) {
        paths_ = std::move(paths);
        posters_.resize(posters);
        for (std::size_t i = 0; i < posters; ++i) {
            posters_[i].fd = connect_to(port_);
            watch(posters_[i].fd, readers_.size() + i);
        }
    }

    void run() {
        const auto began = now_us();
        measure_from_ = began + warm_up_us;
        const auto until = measure_from_ + static_cast<std::int64_t>(seconds_ * 1e6);
        std::vector<epoll_event> events(1024);
        for (auto now = began; now < until; now = now_us()) {
            if (now >= measure_from_ && !measuring_) {
                measuring_ = true;
                counted_from_ = now;
                delivered_ = bytes_ = 0;
            }
            publish(now, began);
            const int ready = epoll_wait(poll_, events.data(), static_cast<int>(events.size()), 1);
            for (int i = 0; i < ready; ++i) {
                const auto n = events[static_cast<std::size_t>(i)].data.u64;
                n < readers_.size() ? read_frames(readers_[n]) : read_answer(posters_[n - readers_.size()]);
            }
        }
        report((now_us() - counted_from_) / 1e6);
    }

private:
    int open_socket(const std::string& subscribe) {
        const int fd = connect_to(port_);
        send_all(fd, "GET " + path_ +
                         " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
                         key_ + "\r\n");
        std::string head;
        while (!head.ends_with("\r\n\r\n")) {
            head += read_exactly(fd, 1);
        }
        if (!head.starts_with("HTTP/1.1 101")) {
            give_up("the upgrade was answered with " + head.substr(0, head.find('\r')));
        }
        if (!subscribe.empty()) {
            send_all(fd, frame(1, subscribe));
            const auto start = read_exactly(fd, 2);
            const auto answer =
                read_exactly(fd, static_cast<unsigned char>(start[1]) < 126 ? static_cast<unsigned char>(start[1])
                                                                            : wide(read_exactly(fd, 2)));
            if (answer.find("\"subscribed\"") == std::string::npos) {
                give_up("not subscribed: " + answer);
            }
        }
        return fd;
    }
    static std::size_t wide(const std::string& two) {
        return static_cast<unsigned char>(two[0]) * 256U + static_cast<unsigned char>(two[1]);
    }

    void watch(int fd, std::size_t number) const {
        epoll_event e{};
        e.events = EPOLLIN;
        e.data.u64 = number;
        epoll_ctl(poll_, EPOLL_CTL_ADD, fd, &e);
    }

    void publish(std::int64_t now, std::int64_t began) {
        if (paths_.empty()) {
            return;
        }
        for (auto& p : posters_) {
            const auto due = rate_ > 0 ? static_cast<std::uint64_t>(static_cast<double>(now - began) / 1e6 * rate_)
                                       : all_delivered_ / readers_.size() + ahead_max;
            if (p.waits || posted_ >= due) {
                continue;
            }
            char stamp[32];
            std::snprintf(stamp, sizeof stamp, "@@%016lld", static_cast<long long>(now_us()));
            const auto body = R"({"content":")" + std::string(stamp) + std::string(182, 'x') + "\"}";
            send_all(p.fd, "POST " + paths_[posted_ % paths_.size()] + " HTTP/1.1\r\nHost: localhost\r\n" + key_ +
                               "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
                               "\r\n\r\n" + body);
            ++posted_;
            p.waits = true;
            p.answer.clear();
        }
    }

    /// Answers are small and have a length.
    void read_answer(poster& p) {
        char part[4096];
        const auto got = recv(p.fd, part, sizeof part, MSG_DONTWAIT);
        if (got <= 0) {
            give_up("a connection that posts was closed");
        }
        p.answer.append(part, static_cast<std::size_t>(got));
        const auto end = p.answer.find("\r\n\r\n");
        const auto length = p.answer.find("Content-Length: ");
        if (end != std::string::npos && length < end &&
            p.answer.size() >= end + 4 + std::strtoul(p.answer.c_str() + length + 16, nullptr, 10)) {
            if (!p.answer.starts_with("HTTP/1.1 2")) {
                give_up("a post was answered: " + p.answer);
            }
            p.waits = false;
        }
    }

    void read_frames(reader& r) {
        const auto got = recv(r.fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN) {
            return;
        }
        if (got <= 0) {
            ++lost_;
            epoll_ctl(poll_, EPOLL_CTL_DEL, r.fd, nullptr);
            return;
        }
        const auto now = now_us();
        for (std::string_view in(buffer_.data(), static_cast<std::size_t>(got)); !in.empty();) {
            if (r.left > 0) {
                const auto part = std::min<std::uint64_t>(r.left, in.size());
                in.remove_prefix(part);
                r.left -= part;
                continue;
            }
            r.head[r.head_bytes++] = static_cast<unsigned char>(in.front());
            in.remove_prefix(1);
            const unsigned length = r.head_bytes < 2 ? 0U : r.head[1];
            const unsigned whole = length < 126 ? 2 : length == 126 ? 4 : 10;
            if (r.head_bytes < whole) {
                continue;
            }
            r.left = length;
            if (whole > 2) {
                r.left = 0;
                for (unsigned i = 2; i < whole; ++i) {
                    r.left = r.left * 256 + r.head[i];
                }
            }
            r.head_bytes = 0;
            on_frame(r, in.substr(0, r.left), now);
        }
    }

    void on_frame(const reader& r, std::string_view text, std::int64_t now) {
        if (r.head[0] == 0x89) {
            send_all(r.fd, frame(10, text));
            return;
        }
        ++delivered_;
        ++all_delivered_;
        bytes_ += r.left;
        if (measuring_ && delivered_ % sample_every == 0 && text.size() == r.left) {
            if (const auto at = text.find("@@"); at != std::string_view::npos && at + 18 <= text.size()) {
                took_us_.push_back(now - std::strtoll(std::string(text.substr(at + 2, 16)).c_str(), nullptr, 10));
            }
        }
    }

    void report(double seconds) {
        std::sort(took_us_.begin(), took_us_.end());
        const auto at = [&](double part) {
            return took_us_.empty()
                       ? 0.0
                       : static_cast<double>(
                             took_us_[static_cast<std::size_t>(part * static_cast<double>(took_us_.size() - 1))]) /
                             1e3;
        };
        std::printf("{\"connections\":%zu,\"delivered_per_s\":%.0f,\"bytes_each\":%.0f,\"p50_ms\":%.2f,\"p99_ms\":%.2f,"
                    "\"max_ms\":%.2f,\"lost_connections\":%zu}\n",
                    readers_.size(), static_cast<double>(delivered_) / seconds,
                    delivered_ == 0 ? 0.0 : static_cast<double>(bytes_) / static_cast<double>(delivered_), at(0.5),
                    at(0.99), at(1), lost_);
        std::fflush(stdout);
    }

    int port_;
    double seconds_;
    double rate_;
    std::string path_;
    std::string key_;
    int poll_ = -1;
    std::vector<reader> readers_;
    std::vector<poster> posters_;
    std::vector<std::string> paths_;
    std::vector<char> buffer_;
    bool measuring_ = false;
    std::int64_t measure_from_ = 0;
    std::int64_t counted_from_ = 0;
    std::uint64_t posted_ = 0;
    std::uint64_t delivered_ = 0; ///< While measuring.
    std::uint64_t all_delivered_ = 0;
    std::uint64_t bytes_ = 0;
    std::size_t lost_ = 0;
    std::vector<std::int64_t> took_us_;
};

} // namespace

int main(int argc, char** argv) {
    if (argc < 6) {
        std::cerr << "usage: bench_fanout PORT CONNECTIONS SECONDS RATE PATH [SUBSCRIBE [POST_PATHS]]\n";
        return 2;
    }
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    bench b(std::atoi(argv[1]), std::strtoul(argv[2], nullptr, 10), std::atof(argv[3]), std::atof(argv[4]), argv[5]);
    b.connect_all(argc > 6 ? argv[6] : "");
    if (argc > 7) {
        std::vector<std::string> paths;
        std::ifstream in(argv[7]);
        for (std::string line; std::getline(in, line);) {
            paths.push_back(line);
        }
        b.post_to(std::move(paths));
    }
    std::cout << "{\"connected\":" << argv[2] << "}" << std::endl;
    std::string go;
    std::getline(std::cin, go);
    b.run();
    return 0;
}
