#pragma once

#include "runtime/cluster/coordinator.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

/// The coordinator of a cluster: etcd from 3.4 on, over its JSON gateway.
namespace troupe::net {

struct etcd_settings {
    /// "http://HOST:PORT", "https://HOST:PORT", or "HOST:PORT", which is https when one of the files below is given.
    std::vector<std::string> endpoints;
    std::string prefix = "/troupe/"; ///< Of all keys. One for each cluster of Troupe; nobody else writes there.
    std::int64_t ttl_ms = 10'000;    ///< Of the lease: whole seconds, rounded up; etcd may make it longer.
    /// Of a commit, and of reading the map. Keepalives have a third of the lease's time, if that is less.
    std::int64_t request_time_out_ms = 3'000;
    std::string user; ///< Empty: none.
    std::string password;
    std::string ca_file;          ///< PEM; empty: the system's certificates.
    std::string certificate_file; ///< PEM, with `key_file`: what this node shows etcd.
    std::string key_file;
};

/// Connects to nobody yet. `config_invalid` names what is wrong.
///
/// One thread does everything. Its listener and `done` must not block. What the lease's time says is only true on this
/// node's monotonic clock; a lease whose time was over and that etcd still knew when it was reached again lives on,
/// with its keys: then nobody has seen it end.
expected<std::unique_ptr<runtime::cluster::coordinator>> make_etcd_coordinator(etcd_settings settings);

} // namespace troupe::net
