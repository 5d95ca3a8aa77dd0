#include "tests/net/cluster/links_fixture.hpp"

#include <poll.h>

#include <algorithm>
#include <atomic>
#include <list>
#include <random>
#include <thread>

using namespace troupe;
using namespace troupe::net;
using namespace troupe::net::test;

namespace {

/// Between a node and those who dial it: cuts connections, and turns bits of what it carries.
class bad_wire {
public:
    bad_wire(std::uint16_t to, std::uint32_t seed) : to_(to), random_(seed) {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        auto address = loopback(0);
        socklen_t size = sizeof address;
        BOOST_REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
        BOOST_REQUIRE(::listen(listener_, 64) == 0);
        BOOST_REQUIRE(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { run(); });
    }
    ~bad_wire() {
        over_ = true;
        thread_.join();
        ::close(listener_);
    }
    bad_wire(const bad_wire&) = delete;

    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] int mischief() const { return mischief_; }
    void behave() { good_ = true; }

private:
    struct pipe {
        int from;
        int to;
    };

    static sockaddr_in loopback(std::uint16_t port) {
        sockaddr_in out{};
        out.sin_family = AF_INET;
        out.sin_port = htons(port);
        out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return out;
    }

    void run() {
        while (!over_) {
            std::vector<pollfd> wanted{{listener_, POLLIN, 0}};
            for (const auto& [from, to] : pipes_)
                wanted.push_back({from, POLLIN, 0});
            ::poll(wanted.data(), wanted.size(), 10);
            std::vector<int> ready;
            for (std::size_t i = 1; i < wanted.size(); ++i)
                if (wanted[i].revents != 0)
                    ready.push_back(wanted[i].fd);
            for (const int fd : ready)
                carry(fd);
            if (wanted[0].revents != 0)
                connect();
        }
        while (!pipes_.empty())
            end(pipes_.front().from);
    }

    void connect() {
        const int here = ::accept(listener_, nullptr, nullptr);
        const int there = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const auto address = loopback(to_);
        ::connect(there, reinterpret_cast<const sockaddr*>(&address), sizeof address);
        pipes_.push_back({here, there});
        pipes_.push_back({there, here});
    }

    void carry(int from) {
        const auto found = std::find_if(pipes_.begin(), pipes_.end(), [&](const pipe& p) { return p.from == from; });
        if (found == pipes_.end())
            return; // its other half has ended
        std::array<char, 3000> bytes{};
        const auto count = ::recv(from, bytes.data(), bytes.size(), 0);
        const auto dice = good_ ? 1000 : random_() % 50;
        if (count <= 0 || dice == 0) {
            mischief_ += count > 0;
            return end(from);
        }
        if (dice == 1) {
            auto& victim = bytes[random_() % static_cast<std::size_t>(count)];
            victim = static_cast<char>(victim ^ (1 << random_() % 8));
            ++mischief_;
        }
        for (ssize_t at = 0; at < count;) {
            const auto put = ::send(found->to, bytes.data() + at, static_cast<std::size_t>(count - at), MSG_NOSIGNAL);
            if (put <= 0)
                return end(from);
            at += put;
        }
    }

    void end(int either) {
        for (auto at = pipes_.begin(); at != pipes_.end();) {
            if (at->from == either || at->to == either) {
                ::close(at->from); // each socket is the source of one
                at = pipes_.erase(at);
            } else {
                ++at;
            }
        }
    }

    std::uint16_t to_;
    std::minstd_rand random_;
    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::list<pipe> pipes_;
    std::atomic<bool> over_ = false;
    std::atomic<bool> good_ = false;
    std::atomic<int> mischief_ = 0;
    std::thread thread_;
};

std::string text_of(int number) {
    return std::to_string(number) + ":" + std::string(static_cast<std::size_t>(number % 3000), 'x');
}

/// What came is of what was sent, unharmed and in its order; some is lost.
void check(const std::vector<std::string>& came) {
    int last = -1;
    for (const auto& text : came) {
        const auto number = std::stoi(text);
        BOOST_REQUIRE(number > last);
        BOOST_REQUIRE(text == text_of(number));
        last = number;
    }
}

/// A length that was harmed makes a reader wait for more: silence has to end that.
tcp_links_settings impatient(link_tls_files tls = {}) {
    auto out = quick(std::move(tls));
    out.timings = {.ping_ms = 50, .silence_ms = 500, .handshake_ms = 500};
    return out;
}

void survive(const tcp_links_settings& first, const tcp_links_settings& second, std::uint32_t seed) {
    node a(1, first);
    node b(2, second);
    bad_wire wire(b.links->port(), seed);
    auto through = b.place();
    through.port = wire.port();
    a.links->set_peers({through});
    b.links->set_peers({a.place()});
    int next = 0;
    const auto chatter = [&] {
        a.send(b, lane::journal, text_of(next));
        a.send(b, lane::bulk, text_of(next));
        ++next;
        return false;
    };
    BOOST_TEST(eventually([&] { return chatter() || wire.mischief() >= 30; }));
    wire.behave();
    const auto before = b.heard.frames(a.id(), lane::journal).size();
    BOOST_TEST(eventually([&] { return chatter() || b.heard.frames(a.id(), lane::journal).size() > before + 100; }));
    BOOST_TEST(a.heard.ups(b.id()) > 1U);
    check(b.heard.frames(a.id(), lane::journal));
    check(b.heard.frames(a.id(), lane::bulk));
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(cluster_tcp_links_chaos, captured_log)

BOOST_AUTO_TEST_CASE(nothing_harmed_or_out_of_order_comes_over_a_bad_wire) {
    for (const std::uint32_t seed : {1U, 2U})
        survive(impatient(), impatient(), seed);
}

BOOST_AUTO_TEST_CASE(nor_with_tls) {
    authority ca;
    survive(impatient(ca.sign("n1")), impatient(ca.sign("n2")), 4);
}

BOOST_AUTO_TEST_SUITE_END()
