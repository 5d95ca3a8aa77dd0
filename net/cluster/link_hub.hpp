#pragma once

#include "net/cluster/link_loop.hpp"
#include "net/cluster/link_tls.hpp"
#include "net/cluster/tcp_links.hpp"
#include "runtime/cluster/link_session.hpp"
#include "runtime/cluster/links.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace troupe::net {

class link_dialer;
class link_incoming;

/// Of one lane to and from one peer.
struct link_counters {
    std::atomic<std::uint64_t> sent_frames = 0;
    std::atomic<std::uint64_t> sent_bytes = 0;
    std::atomic<std::uint64_t> refused_sends = 0;
    std::atomic<std::uint64_t> received_frames = 0;
    std::atomic<std::uint64_t> received_bytes = 0;
    std::atomic<std::uint64_t> connects = 0;
    std::atomic<std::uint64_t> failed_connects = 0;
    std::atomic<std::int64_t> round_trip_us = -1; ///< Negative: unknown.
};

/// What connections need of the links that they belong to. The functions are called on the thread that is named.
class link_hub {
public:
    link_hub(tcp_links_settings s, runtime::cluster::node_card m)
        : settings(std::move(s)), mine(std::move(m)), bulk(tick_ms(settings)), journal(tick_ms(settings)) {}
    virtual ~link_hub() = default;

    // Any thread.

    /// The link may carry frames, or does not any more.
    virtual void opened(std::shared_ptr<link_dialer> by, runtime::cluster::node_card peer) = 0;
    virtual void broke(std::shared_ptr<link_dialer> by, problem why, bool was_open) = 0;
    virtual void frame_came(const uuid& from, runtime::cluster::lane on, std::string_view bytes) = 0;
    virtual void incoming_ended(std::shared_ptr<link_incoming> which, problem why) = 0;
    /// Its socket is closed.
    virtual void incoming_gone(const link_incoming& which) = 0;

    // The journal's thread, where all handshakes of incoming connections are.

    virtual expected<void> judge(link_incoming& who, const runtime::cluster::link_hello& hello) = 0;
    /// It may carry frames, which count there.
    virtual std::shared_ptr<link_counters> incoming_opened(const std::shared_ptr<link_incoming>& which) = 0;

    link_loop& loop_of(runtime::cluster::lane on) { return on == runtime::cluster::lane::bulk ? bulk : journal; }
    static std::int64_t tick_ms(const tcp_links_settings& s) {
        return std::clamp<std::int64_t>(s.timings.ping_ms / 4, 1, 250);
    }

    const tcp_links_settings settings;
    const runtime::cluster::node_card mine;
    std::unique_ptr<link_identity> identity; ///< Null: no TLS. Set before anything begins.

protected:
    link_loop bulk; ///< Outlives the other: what waits there may hold connections of this one.
    link_loop journal;
};

} // namespace troupe::net
