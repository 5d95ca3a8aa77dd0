#pragma once

#include "net/cluster/tcp_links.hpp"
#include "net/http/tls.hpp"
#include "schemas/base/problem.hpp"

#include <boost/system/error_code.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

/// Mutual TLS between nodes: each shows a certificate of one certificate authority, the cluster's own.
namespace troupe::net {

/// Certificate, key and authority of this node. Thread-safe.
class link_identity {
public:
    /// Problems are `config_invalid` and name the file.
    static expected<std::unique_ptr<link_identity>> load(link_tls_files files);
    ~link_identity();

    enum class side : std::uint8_t { dials, accepts };
    /// For a connection whose socket does not block. Looks first, at most once a second, whether the files have
    /// changed; changes that cannot be read are logged, and what was in use stays. Null: no memory.
    std::unique_ptr<tls_session> begin(int socket, side as);

private:
    struct impl;
    explicit link_identity(std::unique_ptr<impl> i);
    std::unique_ptr<impl> impl_;
};

/// Whether the certificate that was shown is that of the node `name`: among its DNS names, or as its common name, and
/// by no wildcard. `forbidden` says what it lacks.
expected<void> check_certificate(const tls_session& of, const std::string& name);

/// Why the handshake, or what follows it, failed; `tls_session::native` is asked as well.
std::string tls_failure(const tls_session& of, const boost::system::error_code& error);

} // namespace troupe::net
