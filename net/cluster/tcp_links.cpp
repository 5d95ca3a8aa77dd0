#include "net/cluster/tcp_links.hpp"

#include "net/cluster/link_dialer.hpp"
#include "net/cluster/link_hub.hpp"
#include "net/cluster/link_incoming.hpp"
#include "schemas/base/log.hpp"
#include "schemas/base/network.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <exception>
#include <map>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <utility>

namespace troupe::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using namespace runtime::cluster;

namespace {

constexpr int backlog = 256;
/// After an error of `accept`, as when no file descriptors are left.
constexpr auto accept_pause = std::chrono::milliseconds(100);
/// Of so many strangers is known what was logged of them, and so much of each.
constexpr std::size_t strangers_max = 256;
constexpr std::size_t said_max = 16;
constexpr std::array lanes{lane::journal, lane::bulk, lane::commands};

spdlog::logger& log() {
    static auto& logger = log_for("cluster");
    return logger;
}

std::string_view name_of(lane on) { return on == lane::journal ? "journal" : on == lane::bulk ? "bulk" : "commands"; }
std::size_t index_of(lane on) { return static_cast<std::size_t>(on); }

problem invalid(std::string_view property, std::string why) {
    return {code::config_invalid, fmt::format("cluster.{}: {}.", property, why)};
}

/// Notes it, and forgets what it knew when that has become much.
bool is_new(std::set<std::string>& said, const std::string& why) {
    if (said.size() >= said_max)
        said.clear();
    return said.insert(why).second;
}

expected<void> check(const tcp_links_settings& s, const node_card& mine) {
    if (!is_node_name(mine.name))
        return invalid("name", fmt::format("\"{}\" is no name of a node: letters, digits, '.', '-' and '_', at most 63",
                                           mine.name));
    if (to_json(link_hello{mine, lane::journal, mine.replica}).size() > card_bytes_max)
        return invalid("name", "the card of this node is too long");
    if (!s.tls.empty() && (s.tls.ca_file.empty() || s.tls.certificate_file.empty() || s.tls.key_file.empty()))
        return invalid("tls", "ca_file, certificate_file and key_file belong together");
    for (const auto window : {s.windows.journal_bytes, s.windows.bulk_bytes})
        if (window < window_bytes_min || window > window_bytes_max)
            return invalid("windows", fmt::format("each has {} to {} bytes", window_bytes_min, window_bytes_max));
    if (s.dial_again_ms_min < 1 || s.dial_again_ms_max < s.dial_again_ms_min || s.timings.ping_ms < 1 ||
        s.timings.silence_ms <= s.timings.ping_ms || s.timings.handshake_ms < 1)
        return invalid("timings", "a time is too short");
    return {};
}

} // namespace

/// What is known of a peer. On the journal's thread but for what says otherwise.
struct link_peer {
    peer_place place;                                                  // changes under the mutex of all peers
    std::array<std::shared_ptr<link_counters>, lanes.size()> counters; // any thread
    std::array<std::shared_ptr<link_dialer>, lanes.size()> dialers;    // any thread
    std::atomic<bool> up = false;                                      // any thread
    std::array<std::optional<node_card>, lanes.size()> open;           // who welcomed
    std::array<std::shared_ptr<link_incoming>, lanes.size()> incoming; // whom we have accepted
    std::set<std::string> said;                                        // what was logged since it was up
};

class tcp_links::impl final : public link_hub {
public:
    impl(tcp_links_settings s, node_card m)
        : link_hub(std::move(s), std::move(m)), acceptor_(journal.io()), pause_(journal.io()) {}

    expected<void> listen();
    void start(links_listener& listener);
    void stop();
    void set_peers(std::vector<peer_place> peers);
    bool send(const uuid& to, lane on, shared_bytes frame);
    [[nodiscard]] std::vector<link_figures> figures() const;
    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] std::size_t accepted() const { return accepted_; }

    void opened(std::shared_ptr<link_dialer> by, node_card peer) override;
    void broke(std::shared_ptr<link_dialer> by, problem why, bool was_open) override;
    void frame_came(const uuid& from, lane on, std::string_view bytes) override;
    void incoming_ended(std::shared_ptr<link_incoming> which, problem why) override;
    void incoming_gone(const link_incoming& which) override;
    expected<void> judge(link_incoming& who, const link_hello& hello) override;
    std::shared_ptr<link_counters> incoming_opened(const std::shared_ptr<link_incoming>& which) override;

private:
    using peer_map = std::unordered_map<uuid, std::shared_ptr<link_peer>>;

    [[nodiscard]] std::shared_ptr<link_peer> find(const uuid& replica) const;
    /// The peer that this dialer is of; null: it was left.
    [[nodiscard]] std::shared_ptr<link_peer> peer_of(const link_dialer& by) const;
    /// Calls the listener; what it throws ends here.
    template <class Call>
    void tell(const Call& call);

    // On the journal's thread.

    void accept();
    void take_in(tcp_socket socket);
    void replace_peers(const std::vector<peer_place>& peers);
    void add_peer(const peer_place& place);
    void drop_peer(const std::shared_ptr<link_peer>& peer);
    void lane_opened(const std::shared_ptr<link_dialer>& by, const node_card& card);
    void lane_broke(const link_dialer& by, const problem& why, bool was_open);
    void lane_ended(const std::shared_ptr<link_incoming>& which, const problem& why);
    void say_of_stranger(const std::string& who, const std::string& why);

    std::uint16_t port_ = 0;
    asio::basic_socket_acceptor<tcp, asio::io_context::executor_type> acceptor_;
    asio::steady_timer pause_;
    tcp::endpoint next_from_;
    bool accept_fails_ = false;
    links_listener* listener_ = nullptr;
    std::atomic<bool> stopped_ = false;
    std::atomic<std::size_t> accepted_ = 0;
    std::atomic<std::size_t> shaking_ = 0;              // of them
    std::map<std::string, std::set<std::string>> said_; // of whom what was logged; on the journal's thread
    std::vector<peer_place> members_;                   // likewise

    mutable std::shared_mutex mutex_; // of the map; changed on the journal's thread only
    peer_map peers_;
};

// ---- beginning and end

expected<void> tcp_links::impl::listen() {
    error_code error;
    const auto address = asio::ip::make_address(settings.address, error);
    if (error)
        return invalid("address", fmt::format("\"{}\" is no IP address", settings.address));
    if (!identity && !settings.insecure && !address.is_loopback())
        return invalid("tls", fmt::format("without it nodes listen on loopback only, and not on {}: set it, or "
                                          "cluster.insecure if whoever reaches that address may be believed",
                                          settings.address));
    const tcp::endpoint where(address, settings.port);
    acceptor_.open(where.protocol(), error);
    if (!error)
        acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error)
        acceptor_.bind(where, error);
    if (!error)
        acceptor_.listen(backlog, error);
    const auto text = fmt::format("{}:{}", settings.address, settings.port);
    if (error == asio::error::address_in_use)
        return problem{code::address_in_use, fmt::format("Another process listens on {}: stop it, or choose another "
                                                         "port for the cluster (0 picks a free one).",
                                                         text)};
    if (error)
        return problem{code::listen_failed, fmt::format("The cluster cannot listen on {}: {}.", text, error.message())};
    port_ = acceptor_.local_endpoint(error).port();
    return {};
}

void tcp_links::impl::start(links_listener& listener) {
    listener_ = &listener;
    accept();
    bulk.start();
    journal.start();
}

void tcp_links::impl::stop() {
    if (stopped_.exchange(true))
        return;
    const auto goodbye = [](link_stream& stream) { stream.end_now({code::unavailable, "that node stops"}); };
    journal.stop(goodbye);
    bulk.stop(goodbye);
    error_code ignored;
    acceptor_.close(ignored);
    const std::unique_lock lock(mutex_);
    peers_.clear();
}

template <class Call>
void tcp_links::impl::tell(const Call& call) {
    if (stopped_)
        return;
    try {
        call(*listener_);
    } catch (const std::exception& e) {
        log().error("a frame or a change of a link was not taken: {}", e.what());
    }
}

// ---- sending

std::shared_ptr<link_peer> tcp_links::impl::find(const uuid& replica) const {
    const std::shared_lock lock(mutex_);
    const auto found = peers_.find(replica);
    return found == peers_.end() ? nullptr : found->second;
}

bool tcp_links::impl::send(const uuid& to, lane on, shared_bytes frame) {
    const auto peer = find(to);
    if (!peer)
        return false;
    if (peer->up)
        return peer->dialers[index_of(on)]->send(std::move(frame));
    ++peer->counters[index_of(on)]->refused_sends;
    return false;
}

std::vector<link_figures> tcp_links::impl::figures() const {
    std::vector<link_figures> out;
    const std::shared_lock lock(mutex_);
    for (const auto& [replica, peer] : peers_) {
        for (const auto on : lanes) {
            const auto& c = *peer->counters[index_of(on)];
            const auto& dialer = *peer->dialers[index_of(on)];
            const auto round_trip_us = c.round_trip_us.load();
            out.push_back({.peer = replica,
                           .name = peer->place.name,
                           .on = on,
                           .open = dialer.is_open(),
                           .why = dialer.why(),
                           .sent_frames = c.sent_frames,
                           .sent_bytes = c.sent_bytes,
                           .refused_sends = c.refused_sends,
                           .received_frames = c.received_frames,
                           .received_bytes = c.received_bytes,
                           .connects = c.connects,
                           .failed_connects = c.failed_connects,
                           .under_way_bytes = dialer.under_way(),
                           .round_trip_us = round_trip_us < 0 ? std::nullopt : std::optional(round_trip_us)});
        }
    }
    return out;
}

// ---- peers

void tcp_links::impl::set_peers(std::vector<peer_place> peers) {
    journal.post([this, peers = std::move(peers)] { replace_peers(peers); });
}

void tcp_links::impl::replace_peers(const std::vector<peer_place>& peers) {
    std::unordered_map<uuid, const peer_place*> wanted;
    for (const auto& place : peers)
        if (place.replica != mine.replica)
            wanted[place.replica] = &place;
    std::vector<std::shared_ptr<link_peer>> left;
    for (const auto& [replica, peer] : peers_)
        if (!wanted.contains(replica))
            left.push_back(peer);
    members_.clear();
    for (const auto& [replica, place] : wanted)
        members_.push_back(*place);
    for (const auto& peer : left)
        drop_peer(peer);
    for (const auto& place : members_) {
        const auto known = find(place.replica);
        if (!known) {
            add_peer(place);
        } else if (known->place != place) {
            {
                const std::unique_lock lock(mutex_);
                known->place = place;
            }
            for (const auto& dialer : known->dialers)
                dialer->go(place);
        }
    }
}

void tcp_links::impl::add_peer(const peer_place& place) {
    auto peer = std::make_shared<link_peer>();
    peer->place = place;
    for (const auto on : lanes) {
        auto& counters = peer->counters[index_of(on)] = std::make_shared<link_counters>();
        peer->dialers[index_of(on)] = std::make_shared<link_dialer>(*this, on, place.replica, counters);
    }
    {
        const std::unique_lock lock(mutex_);
        peers_.emplace(place.replica, peer);
    }
    for (const auto& dialer : peer->dialers)
        dialer->go(place);
}

void tcp_links::impl::drop_peer(const std::shared_ptr<link_peer>& peer) {
    const std::string why = "it is no member any more";
    {
        const std::unique_lock lock(mutex_);
        peers_.erase(peer->place.replica);
    }
    for (const auto& dialer : peer->dialers)
        dialer->leave(why);
    for (const auto on : lanes)
        if (const auto in = std::exchange(peer->incoming[index_of(on)], nullptr))
            loop_of(on).post([in, why] { in->end({code::unavailable, why}); });
    if (peer->up.exchange(false))
        tell([&](auto& listener) { listener.on_down(peer->place.replica, why); });
}

std::shared_ptr<link_peer> tcp_links::impl::peer_of(const link_dialer& by) const {
    auto peer = find(by.peer());
    return peer && peer->dialers[index_of(by.on())].get() == &by ? peer : nullptr;
}

void tcp_links::impl::opened(std::shared_ptr<link_dialer> by, node_card peer) {
    journal.post([this, by = std::move(by), peer = std::move(peer)] { lane_opened(by, peer); });
}

void tcp_links::impl::lane_opened(const std::shared_ptr<link_dialer>& by, const node_card& card) {
    const auto peer = peer_of(*by);
    if (!peer)
        return;
    peer->open[index_of(by->on())] = card;
    for (const auto on : lanes) {
        const auto& other = peer->open[index_of(on)];
        if (other && other->incarnation != card.incarnation) // of a process that has ended, most likely
            return peer->dialers[index_of(on)]->peer_is(card.incarnation);
    }
    if (!std::ranges::all_of(peer->open, [](const auto& one) { return one.has_value(); }))
        return;
    peer->said.clear();
    peer->up = true;
    log().info("connected with {} ({}:{})", card.name, peer->place.address, peer->place.port);
    tell([&](auto& listener) { listener.on_up(card); });
}

void tcp_links::impl::broke(std::shared_ptr<link_dialer> by, problem why, bool was_open) {
    journal.post([this, by = std::move(by), why = std::move(why), was_open] { lane_broke(*by, why, was_open); });
}

void tcp_links::impl::lane_broke(const link_dialer& by, const problem& why, bool was_open) {
    const auto peer = peer_of(by);
    if (!peer || stopped_)
        return;
    if (was_open)
        peer->open[index_of(by.on())].reset();
    const auto sentence =
        fmt::format("{} ({}:{}): {}", peer->place.name, peer->place.address, peer->place.port, why.detail);
    if (is_new(peer->said, sentence)) // not with every attempt
        log().warn("{} the {} connection to {}", was_open ? "lost" : "cannot open", name_of(by.on()), sentence);
    if (peer->up.exchange(false))
        tell([&](auto& listener) { listener.on_down(peer->place.replica, sentence); });
}

// ---- those who come

void tcp_links::impl::accept() {
    acceptor_.async_accept(next_from_, [this](const error_code& error, tcp_socket socket) {
        if (error == asio::error::operation_aborted || stopped_)
            return;
        if (!error) {
            accept_fails_ = false;
            take_in(std::move(socket));
            return accept();
        }
        if (!std::exchange(accept_fails_, true))
            log().error("cannot accept a connection of another node: {}", error.message());
        pause_.expires_after(accept_pause);
        pause_.async_wait([this](const error_code& ended) {
            if (!ended)
                accept();
        });
    });
}

void tcp_links::impl::take_in(tcp_socket socket) {
    const auto from = next_from_.address().to_string();
    if (accepted_ >= settings.connections_max)
        return say_of_stranger(from, "there are as many connections as there may be");
    if (shaking_ >= settings.handshakes_max)
        return say_of_stranger(from, "too many connections have not shaken hands");
    ++accepted_;
    ++shaking_;
    std::make_shared<link_incoming>(*this, journal, std::move(socket), from)->start();
}

expected<void> tcp_links::impl::judge(link_incoming& who, const link_hello& hello) {
    const auto& card = hello.card;
    if (auto certified = who.check_name(card.name); !certified)
        return certified;
    if (auto member = find_member(members_, card); !member)
        return member;
    for (const auto& other : find(card.replica)->incoming)
        if (other && other->hello()->card.incarnation != card.incarnation)
            return problem{code::conflict,
                           fmt::format("{} is connected as another process of the same data directory: was it copied? "
                                       "A node that was cut off may have to wait for {} ms.",
                                       card.name, settings.timings.silence_ms)};
    return {};
}

std::shared_ptr<link_counters> tcp_links::impl::incoming_opened(const std::shared_ptr<link_incoming>& which) {
    --shaking_;
    const auto& hello = *which->hello();
    said_.erase(hello.card.name);
    const auto peer = find(hello.card.replica); // it was judged to be one
    if (const auto older = std::exchange(peer->incoming[index_of(hello.on)], which)) {
        // Before anything of the newer one is read, so that frames come in the order of what was sent.
        const problem why{code::unavailable, "a newer connection has taken its place"};
        hello.on == lane::bulk ? bulk.post([older, why] { older->end(why); }) : older->end(why);
    }
    for (const auto& dialer : peer->dialers) // it is there: no need to wait for it
        dialer->peer_is(hello.card.incarnation);
    return peer->counters[index_of(hello.on)];
}

void tcp_links::impl::incoming_ended(std::shared_ptr<link_incoming> which, problem why) {
    journal.post([this, which = std::move(which), why = std::move(why)] { lane_ended(which, why); });
}

void tcp_links::impl::lane_ended(const std::shared_ptr<link_incoming>& which, const problem& why) {
    if (!which->was_open())
        return say_of_stranger(which->who(), why.detail);
    const auto& hello = *which->hello();
    if (const auto peer = find(hello.card.replica)) {
        auto& place = peer->incoming[index_of(hello.on)];
        if (place == which)
            place.reset();
    }
    log().debug("the {} connection from {} has ended: {}", name_of(hello.on), hello.card.name, why.detail);
}

void tcp_links::impl::incoming_gone(const link_incoming& which) {
    --accepted_;
    if (!which.was_open())
        --shaking_;
}

/// Once for each reason, and not with every attempt.
void tcp_links::impl::say_of_stranger(const std::string& who, const std::string& why) {
    if (said_.size() >= strangers_max)
        said_.clear();
    if (!stopped_ && is_new(said_[who], why))
        log().warn("a connection from {} was refused: {}", who, why);
}

void tcp_links::impl::frame_came(const uuid& from, lane on, std::string_view bytes) {
    tell([&](auto& listener) { listener.on_frame(from, on, bytes); });
}

// ---- the interface

tcp_links::tcp_links(std::unique_ptr<impl> i) : impl_(std::move(i)) {}
tcp_links::~tcp_links() { impl_->stop(); }

expected<std::unique_ptr<tcp_links>> tcp_links::make(tcp_links_settings settings, node_card mine) {
    if (auto checked = check(settings, mine); !checked)
        return checked.error();
    auto i = std::make_unique<impl>(std::move(settings), std::move(mine));
    if (!i->settings.tls.empty()) {
        auto identity = link_identity::load(i->settings.tls);
        if (!identity)
            return identity.error();
        i->identity = std::move(*identity);
    }
    if (auto listens = i->listen(); !listens)
        return listens.error();
    return std::unique_ptr<tcp_links>(new tcp_links(std::move(i)));
}

std::uint16_t tcp_links::port() const { return impl_->port(); }
void tcp_links::start(links_listener& listener) { impl_->start(listener); }
void tcp_links::stop() { impl_->stop(); }
void tcp_links::set_peers(std::vector<peer_place> peers) { impl_->set_peers(std::move(peers)); }
bool tcp_links::send(const uuid& to, lane on, shared_bytes frame) { return impl_->send(to, on, std::move(frame)); }
std::vector<link_figures> tcp_links::figures() const { return impl_->figures(); }
std::size_t tcp_links::accepted() const { return impl_->accepted(); }

} // namespace troupe::net
