#pragma once

#include "net/cluster/link_hub.hpp"
#include "net/cluster/link_stream.hpp"

#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <random>

namespace troupe::net {

class link_outgoing;

/// How long to wait before the attempt after `failures`: doubled each time, and between half of that and all of it.
std::int64_t dial_again_ms(const tcp_links_settings& settings, unsigned failures, std::uint32_t random);

/// Keeps one lane to one peer connected. Thread-safe but for what says otherwise; work is done on the lane's thread.
class link_dialer : public std::enable_shared_from_this<link_dialer> {
public:
    link_dialer(link_hub& hub, runtime::cluster::lane on, uuid peer, std::shared_ptr<link_counters> counters);

    /// Dials there from now on. A connection to another place is left.
    void go(runtime::cluster::peer_place place);
    /// For good.
    void leave(std::string why);
    /// Ends the connection to any other process than this one. Dials at once if it waits.
    void peer_is(uuid incarnation);

    bool send(runtime::cluster::shared_bytes frame);
    [[nodiscard]] bool is_open() const;
    [[nodiscard]] std::uint64_t under_way() const;
    /// What went wrong last, since it was opened.
    [[nodiscard]] std::string why() const;
    [[nodiscard]] runtime::cluster::lane on() const { return on_; }
    [[nodiscard]] const uuid& peer() const { return peer_; }
    link_counters& counters() { return *counters_; }

private:
    friend class link_outgoing;

    // On the lane's thread.

    void dial();
    void dial_later();
    void outgoing_opened(const runtime::cluster::node_card& peer);
    void outgoing_ended(const link_outgoing* which, const problem& why, bool was_open);

    [[nodiscard]] std::shared_ptr<link_outgoing> current() const;

    link_hub& hub_;
    const runtime::cluster::lane on_;
    const uuid peer_;
    const std::shared_ptr<link_counters> counters_;

    mutable std::mutex mutex_; // of both
    std::shared_ptr<link_outgoing> current_;
    std::string why_;

    // On the lane's thread.
    runtime::cluster::peer_place place_;
    boost::asio::steady_timer timer_;
    std::minstd_rand random_;
    bool leaving_ = false;
    bool waiting_ = false; // for the next attempt
    unsigned failures_ = 0;
    std::int64_t opened_us_ = 0;
    uuid incarnation_;
};

} // namespace troupe::net
