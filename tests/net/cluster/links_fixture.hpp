#pragma once

#include "net/cluster/tcp_links.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/log.hpp"
#include "tests/net/cluster/authority.hpp"
#include "tests/runtime/cluster/cards.hpp"

#include <boost/test/unit_test.hpp>
#include <spdlog/sinks/ostream_sink.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::net::test {

using namespace runtime::cluster;
using runtime::cluster::test::card_of;
using runtime::cluster::test::id_of;

/// What the nodes of a test log, in place of showing it.
class captured_log {
public:
    captured_log() {
        auto& log = log_for("cluster");
        before_ = std::exchange(log.sinks(), {std::make_shared<spdlog::sinks::ostream_sink_mt>(text_)});
        level_ = log.level();
        log.set_level(spdlog::level::info); // other tests may have turned it off
    }
    ~captured_log() {
        log_for("cluster").sinks() = before_;
        log_for("cluster").set_level(level_);
    }
    captured_log(const captured_log&) = delete;

    /// After all nodes have ended.
    [[nodiscard]] std::string text() const { return text_.str(); }
    /// How many lines have this in them.
    [[nodiscard]] int count(std::string_view part) const {
        int out = 0;
        const auto all = text();
        for (auto at = all.find(part); at != std::string::npos; at = all.find(part, at + 1))
            ++out;
        return out;
    }

private:
    std::ostringstream text_;
    std::vector<spdlog::sink_ptr> before_;
    spdlog::level::level_enum level_ = spdlog::level::info;
};

/// Until a condition holds that nothing announces: looked at again and again. False: never, and the test fails.
inline bool eventually(const std::function<bool()>& holds) {
    std::mutex mutex;
    std::condition_variable never;
    std::unique_lock lock(mutex);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (std::chrono::steady_clock::now() < end) {
        if (holds())
            return true;
        never.wait_for(lock, std::chrono::milliseconds(1));
    }
    return false;
}

/// What one node heard.
class recorder : public links_listener {
public:
    void on_up(const node_card& peer) override {
        change([&] {
            ups_[peer.replica].push_back(peer);
            alternates_ = alternates_ && ups_[peer.replica].size() == downs_[peer.replica].size() + 1;
        });
        if (greet)
            greet(peer);
    }
    void on_down(const uuid& peer, const std::string& why) override {
        change([&] {
            downs_[peer].push_back(why);
            alternates_ = alternates_ && ups_[peer].size() == downs_[peer].size();
        });
    }
    void on_frame(const uuid& from, lane on, std::string_view bytes) override {
        std::function<void(const uuid&, lane, std::string_view)> answer;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [&] { return !held_; });
            frames_[{from, on}].emplace_back(keeps_ ? bytes : bytes.substr(0, 8));
            answer = answer_;
        }
        changed_.notify_all();
        if (answer)
            answer(from, on, bytes);
    }

    /// Called when a peer comes up. Set before the node knows any.
    std::function<void(const node_card&)> greet;

    /// Each frame is answered by this from now on.
    void answer_with(std::function<void(const uuid&, lane, std::string_view)> answer) {
        change([&] { answer_ = std::move(answer); });
    }
    /// Whether frames have to wait; who is in `on_frame` is stuck there.
    void hold(bool held) {
        change([&] { held_ = held; });
    }
    /// Only the first bytes of frames.
    void keep_little() {
        change([&] { keeps_ = false; });
    }

    bool up(const uuid& peer, std::size_t times = 1) {
        return until([&] { return ups_[peer].size() >= times; });
    }
    bool down(const uuid& peer, std::size_t times = 1) {
        return until([&] { return downs_[peer].size() >= times; });
    }
    bool came(const uuid& from, lane on, std::size_t count) {
        return until([&] { return frames_[{from, on}].size() >= count; });
    }
    std::vector<std::string> frames(const uuid& from, lane on) {
        const std::lock_guard lock(mutex_);
        return frames_[{from, on}];
    }
    /// Each peer came up before it went down, and not twice.
    bool alternates() {
        const std::lock_guard lock(mutex_);
        return alternates_;
    }
    std::size_t ups(const uuid& peer) {
        const std::lock_guard lock(mutex_);
        return ups_[peer].size();
    }
    node_card last_up(const uuid& peer) {
        const std::lock_guard lock(mutex_);
        return ups_[peer].back();
    }
    std::string last_down(const uuid& peer) {
        const std::lock_guard lock(mutex_);
        return downs_[peer].empty() ? "" : downs_[peer].back();
    }

private:
    void change(const std::function<void()>& what) {
        {
            const std::lock_guard lock(mutex_);
            what();
        }
        changed_.notify_all();
    }
    bool until(const std::function<bool()>& holds) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(60), holds);
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<uuid, std::vector<node_card>> ups_;
    std::map<uuid, std::vector<std::string>> downs_;
    std::map<std::pair<uuid, lane>, std::vector<std::string>> frames_;
    std::function<void(const uuid&, lane, std::string_view)> answer_;
    bool alternates_ = true;
    bool held_ = false;
    bool keeps_ = true;
};

/// Node `n1`, and so on.
struct node {
    explicit node(std::uint8_t number, tcp_links_settings s = {}, const std::function<void(node_card&)>& change = {})
        : card(card_of(number)) {
        if (change)
            change(card);
        auto made = tcp_links::make(std::move(s), card);
        BOOST_REQUIRE_MESSAGE(made.has_value(), (made ? "" : made.error().detail));
        links = std::move(*made);
        links->start(heard);
    }
    ~node() { end(); }
    node(const node&) = delete;

    void end() {
        heard.hold(false);
        links.reset();
        BOOST_TEST(heard.alternates());
    }
    [[nodiscard]] peer_place place() const { return {card.replica, card.name, "127.0.0.1", links->port()}; }
    [[nodiscard]] const uuid& id() const { return card.replica; }
    bool send(const node& to, lane on, std::string text) const {
        return links->send(to.id(), on, std::make_shared<const std::string>(std::move(text)));
    }
    [[nodiscard]] link_figures figures(const node& of, lane on) const {
        for (auto& each : links->figures())
            if (each.peer == of.id() && each.on == on)
                return each;
        return {};
    }
    /// It tries to reach that one, and does not.
    [[nodiscard]] bool fails(const node& to, std::uint64_t times = 3) const {
        return eventually([&] { return figures(to, lane::journal).failed_connects >= times; }) && heard_nothing(to);
    }
    [[nodiscard]] bool heard_nothing(const node& of) const { return heard.ups(of.id()) == 0; }

    node_card card;
    mutable recorder heard;
    std::unique_ptr<tcp_links> links;
};

inline void introduce(const std::vector<node*>& all) {
    std::vector<peer_place> places;
    for (const auto* each : all)
        places.push_back(each->place());
    for (auto* each : all)
        each->links->set_peers(places);
}

inline bool connected(node& a, node& b) { return a.heard.up(b.id()) && b.heard.up(a.id()); }

/// Timings of tests that wait for silence or for another attempt.
inline tcp_links_settings quick(link_tls_files tls = {}) {
    tcp_links_settings out;
    out.tls = std::move(tls);
    out.dial_again_ms_min = 1;
    out.dial_again_ms_max = 20;
    return out;
}

/// A socket that says what a test wants, to a node.
class raw_peer {
public:
    explicit raw_peer(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const timeval patience{60, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        BOOST_REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    }
    raw_peer(const raw_peer&) = delete;
    ~raw_peer() { ::close(fd_); }

    void send(std::string_view bytes) const {
        while (!bytes.empty()) {
            const auto count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (count <= 0)
                return;
            bytes.remove_prefix(static_cast<std::size_t>(count));
        }
    }
    /// All that comes until the node closes.
    [[nodiscard]] std::string read_to_end() const {
        std::string out;
        std::array<char, 4096> piece{};
        for (ssize_t count = 0; (count = ::recv(fd_, piece.data(), piece.size(), 0)) > 0;)
            out.append(piece.data(), static_cast<std::size_t>(count));
        return out;
    }
    /// One whole frame; what is behind it may be lost.
    [[nodiscard]] std::string read_some() const {
        std::array<char, 4096> piece{};
        const auto count = ::recv(fd_, piece.data(), piece.size(), 0);
        return {piece.data(), static_cast<std::size_t>(count > 0 ? count : 0)};
    }

    void end_sending() const { ::shutdown(fd_, SHUT_WR); }
    [[nodiscard]] int socket() const { return fd_; }

private:
    int fd_;
};

inline std::string frame(frame_type type, std::string_view payload) {
    const auto head = frame_head(type, payload);
    return std::string(head.data(), head.size()).append(payload);
}

/// What the node of this card says first, to reach that one.
inline std::string hello_of(const node_card& card, const node& to, lane on = lane::journal) {
    return std::string(link_magic) + frame(frame_type::hello, to_json(link_hello{card, on, to.id()}));
}

} // namespace troupe::net::test
