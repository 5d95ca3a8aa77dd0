#pragma once

#include "schemas/base/problem.hpp"

#include <spdlog/logger.h>

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

/// What the TLS of the edge and that of the links between nodes have in common. For their sources only.
namespace troupe::net {

using tls_context_ptr = std::shared_ptr<SSL_CTX>;

/// What OpenSSL noted last; its queue is empty afterwards.
std::string last_tls_error();

/// TLS 1.2 and later with good ciphers, and this certificate. `config_invalid` names the property of `group` and the
/// file.
expected<tls_context_ptr> load_tls_context(const SSL_METHOD* method, std::string_view group,
                                           const std::string& certificate_file, const std::string& key_file);

problem unusable_tls_file(std::string_view group, std::string_view property, const std::string& file,
                          const std::string& why);

/// Says it when the certificate has expired, or will soon.
void warn_of_dates(spdlog::logger& log, SSL_CTX* c, std::string_view group, const std::string& certificate_file);

/// What changes when a file is written or replaced.
struct file_stamp {
    std::int64_t inode = 0;
    std::int64_t bytes = 0;
    std::int64_t seconds = 0;
    std::int64_t nanoseconds = 0;
    bool operator==(const file_stamp&) const = default;
};
file_stamp stamp_of(const std::string& file);

} // namespace troupe::net
