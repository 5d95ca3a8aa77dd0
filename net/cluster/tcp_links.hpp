#pragma once

#include "runtime/cluster/link_session.hpp"
#include "runtime/cluster/links.hpp"
#include "schemas/base/problem.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Connections between nodes over TCP, with mutual TLS.
namespace troupe::net {

/// PEM files; all or none.
struct link_tls_files {
    std::string ca_file;          ///< Of whose certificates nodes are.
    std::string certificate_file; ///< With the node's name as DNS name; for servers and clients, if it says for whom.
    std::string key_file;

    [[nodiscard]] bool empty() const { return ca_file.empty() && certificate_file.empty() && key_file.empty(); }
};

struct tcp_links_settings {
    std::string address = "127.0.0.1"; ///< An IP address; "::" is IPv4 too.
    std::uint16_t port = 0;            ///< 0: a free one.
    link_tls_files tls;
    bool insecure = false;             ///< Without TLS also beyond this machine. Whoever reaches the port is believed.
    std::size_t connections_max = 512; ///< Of those that were accepted; three for each peer.
    std::size_t handshakes_max = 256;  ///< Of them, that are not through with the handshake.
    std::int64_t dial_again_ms_min = 50;
    std::int64_t dial_again_ms_max = 2'000;
    runtime::cluster::link_timings timings;
    runtime::cluster::link_windows windows; ///< What may be under way to a peer, and from one: the lesser of both ends.
};

/// Of one lane to one peer, since it was named as a peer.
struct link_figures {
    uuid peer;
    std::string name;
    runtime::cluster::lane on = runtime::cluster::lane::journal;
    bool open = false;
    std::string why; ///< It ended last, or could not be opened. Empty: nothing was wrong since it was opened.
    std::uint64_t sent_frames = 0; ///< Accepted for sending.
    std::uint64_t sent_bytes = 0;
    std::uint64_t refused_sends = 0; ///< `send` was false.
    std::uint64_t received_frames = 0;
    std::uint64_t received_bytes = 0;
    std::uint64_t connects = 0;                ///< How often it was opened.
    std::uint64_t failed_connects = 0;         ///< Attempts that came to nothing.
    std::uint64_t under_way_bytes = 0;         ///< Of the window: sent, and not known to be taken.
    std::optional<std::int64_t> round_trip_us; ///< Of the last ping.
};

class tcp_links final : public runtime::cluster::links {
public:
    /// Listens from now on, and accepts after `start`. Problems: `config_invalid`, `address_in_use`, `listen_failed`.
    static expected<std::unique_ptr<tcp_links>> make(tcp_links_settings settings, runtime::cluster::node_card mine);
    ~tcp_links() override; ///< Stops.

    [[nodiscard]] std::uint16_t port() const;

    /// `on_frame` of a lane, `on_up` and `on_down` each come from one thread; bulk has one of its own. A thrown
    /// exception is logged and dropped.
    void start(runtime::cluster::links_listener& listener) override;
    /// Says goodbye to all. Nobody is called from then on, not for `on_down` either. Not from within the listener.
    void stop() override;

    void set_peers(std::vector<runtime::cluster::peer_place> peers) override;
    bool send(const uuid& to, runtime::cluster::lane on, runtime::cluster::shared_bytes frame) override;

    [[nodiscard]] std::vector<link_figures> figures() const;
    /// Accepted connections, handshakes included.
    [[nodiscard]] std::size_t accepted() const;

private:
    class impl;
    explicit tcp_links(std::unique_ptr<impl> i);
    std::unique_ptr<impl> impl_;
};

} // namespace troupe::net
