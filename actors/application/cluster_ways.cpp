#include "actors/application/cluster_ways.hpp"

#include "net/cluster/tcp_links.hpp"
#include "net/etcd/etcd_coordinator.hpp"
#include "schemas/base/log.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <string>
#include <string_view>
#include <utility>

namespace troupe::actors {

namespace cluster = runtime::cluster;

namespace {

struct host_and_port {
    std::string host; ///< Without brackets.
    std::uint16_t port = 0;
};

/// Of what the configuration has checked.
host_and_port parts_of(std::string_view text) {
    const auto colon = text.rfind(':');
    host_and_port out{std::string(text.substr(0, colon)), 0};
    std::from_chars(text.data() + colon + 1, text.data() + text.size(), out.port);
    if (out.host.starts_with('[') && out.host.ends_with(']')) {
        out.host = out.host.substr(1, out.host.size() - 2);
    }
    return out;
}

net::etcd_settings etcd_of(const cluster::cluster_file& file) {
    net::etcd_settings out;
    out.endpoints = file.etcd.endpoints;
    out.prefix = file.etcd.prefix;
    out.ttl_ms = file.lease_ms;
    out.user = file.etcd.user;
    out.password = file.etcd.password;
    out.ca_file = file.etcd.ca_file;
    out.certificate_file = file.etcd.certificate_file;
    out.key_file = file.etcd.key_file;
    return out;
}

net::tcp_links_settings links_of(const cluster::cluster_file& file, const host_and_port& listen) {
    net::tcp_links_settings out;
    out.address = listen.host;
    out.port = listen.port;
    out.tls = {file.links.ca_file, file.links.certificate_file, file.links.key_file};
    out.insecure = file.links.insecure;
    return out;
}

expected<cluster::connections> connect(const cluster::cluster_file& file, const std::string& listen,
                                       const std::string& advertise, const cluster::node_card& self) {
    auto agreed = net::make_etcd_coordinator(etcd_of(file));
    if (!agreed) {
        return agreed.error();
    }
    auto peers = net::tcp_links::make(links_of(file, parts_of(listen)), self);
    if (!peers) {
        return peers.error();
    }
    const auto port = (*peers)->port();
    auto place = parts_of(advertise.empty() ? listen : advertise);
    if (place.port == 0 || advertise.empty()) {
        place.port = port;
    }
    return cluster::connections{std::move(*agreed), std::move(*peers), std::move(place.host), place.port};
}

problem wrong(std::string_view property, const std::string& what) {
    return {code::config_invalid, std::string(property) + ": " + what, {{std::string(property), what}}};
}

} // namespace

expected<std::optional<cluster::cluster_place>> find_cluster(runtime::config& settings) {
    if (!cluster::is_node_name(settings.cluster_name)) {
        return wrong("cluster.name",
                     "has to be of letters, digits, '.', '-' and '_', at most 63, a letter or digit first");
    }
    if (settings.cluster_file.empty()) {
        return std::optional<cluster::cluster_place>();
    }
    auto file = cluster::read_cluster_file(settings.cluster_file);
    if (!file) {
        return file.error();
    }
    if (!file->secrets_key_file.empty() && settings.secrets_key.empty() && settings.secrets_key_file.empty()) {
        settings.secrets_key_file = file->secrets_key_file;
    }
    if (settings.secrets_key.empty() && settings.secrets_key_file.empty()) {
        return wrong("secrets.key_file", "all nodes of a cluster need the same master key: give each of them the file "
                                         "that `troupe cluster init` made");
    }
    const auto& listen = settings.cluster_listen;
    const auto& advertise = settings.cluster_advertise;
    const auto any = parts_of(listen).host;
    if (advertise.empty() && (any == "0.0.0.0" || any == "::")) {
        return wrong("cluster.advertise", "cluster.listen takes connections at every address: say at which one the "
                                          "other nodes reach this one, as HOST:PORT");
    }
    cluster::cluster_place out{*file, settings.cluster_name, false, {}, nullptr};
    out.connect = [file = std::move(*file), listen, advertise](const cluster::node_card& self) {
        return connect(file, listen, advertise, self);
    };
    return std::optional(std::move(out));
}

bool is_of_this_node(std::string_view target) {
    static constexpr std::array prefixes = {"/health",          "/ready",    "/metrics", "/docs",
                                            "/openapi",         "/asyncapi", "/status",  "/supervision",
                                            "/system/failures", "/load",     "/cluster"};
    constexpr std::string_view api = "/api/v1";
    if (target.starts_with(api)) {
        target.remove_prefix(api.size());
    }
    return std::ranges::any_of(prefixes, [&](std::string_view p) { return target.starts_with(p); });
}

namespace {

bool is_told_to_end() {
    sigset_t pending;
    return ::sigpending(&pending) == 0 &&
           (::sigismember(&pending, SIGTERM) == 1 || ::sigismember(&pending, SIGINT) == 1);
}

} // namespace

expected<void> wait_for_cluster(const runtime::services& s) {
    for (std::string said; !is_told_to_end();) {
        const auto reads = runtime::wait_to_read(s);
        if (reads) {
            return {};
        }
        if (std::exchange(said, reads.error().detail) != said) {
            log_for("cluster").warn("waiting for the cluster: {}", said);
        }
    }
    return problem{code::unavailable, "told to end while it waited for the cluster"};
}

} // namespace troupe::actors
