#include "net/http/tls_context.hpp"

#include <fmt/format.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <sys/stat.h>

#include <cstring>
#include <ctime>

namespace troupe::net {

namespace {

constexpr std::time_t expires_soon_s = 14 * 24 * 3600;
/// Of TLS 1.2; those of TLS 1.3 are all good.
constexpr const char* ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";

/// Nobody is there to be asked for a pass phrase.
int no_pass_phrase(char*, int, int, void*) { return -1; }

tls_context_ptr make_context(const SSL_METHOD* method) {
    tls_context_ptr out(SSL_CTX_new(method), [](SSL_CTX* c) { SSL_CTX_free(c); });
    if (!out)
        return out;
    auto* c = out.get();
    SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(c, ciphers);
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF); // clients keep their tickets
    SSL_CTX_set_default_passwd_cb(c, no_pass_phrase);
    return out;
}

} // namespace

std::string last_tls_error() {
    const auto number = ERR_peek_last_error();
    const char* reason = number != 0 ? ERR_reason_error_string(number) : nullptr;
    std::string out = reason != nullptr          ? reason
                      : ERR_SYSTEM_ERROR(number) ? std::strerror(ERR_GET_REASON(number))
                                                 : "it cannot be read";
    ERR_clear_error();
    return out;
}

problem unusable_tls_file(std::string_view group, std::string_view property, const std::string& file,
                          const std::string& why) {
    return {code::config_invalid, fmt::format("{}.{}: {}: {}.", group, property, file, why)};
}

void warn_of_dates(spdlog::logger& log, SSL_CTX* c, std::string_view group, const std::string& file) {
    const auto* until = X509_get0_notAfter(SSL_CTX_get0_certificate(c));
    std::time_t soon = std::time(nullptr) + expires_soon_s;
    if (X509_cmp_current_time(until) < 0)
        log.warn("{}.certificate_file: {}: the certificate has expired", group, file);
    else if (X509_cmp_time(until, &soon) < 0)
        log.warn("{}.certificate_file: {}: the certificate expires in less than 14 days", group, file);
}

expected<tls_context_ptr> load_tls_context(const SSL_METHOD* method, std::string_view group,
                                           const std::string& certificate_file, const std::string& key_file) {
    ERR_clear_error();
    auto out = make_context(method);
    if (!out)
        return problem{code::internal, "TLS cannot begin: " + last_tls_error()};
    if (SSL_CTX_use_certificate_chain_file(out.get(), certificate_file.c_str()) != 1)
        return unusable_tls_file(group, "certificate_file", certificate_file,
                                 "no PEM certificate can be read: " + last_tls_error());
    if (SSL_CTX_use_PrivateKey_file(out.get(), key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
        const bool foreign = ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH;
        const auto reason = last_tls_error();
        return unusable_tls_file(group, "key_file", key_file,
                                 foreign ? "this key does not belong to the certificate in " + certificate_file
                                         : "no PEM key without pass phrase can be read: " + reason);
    }
    return out;
}

file_stamp stamp_of(const std::string& file) {
    struct stat found = {};
    if (::stat(file.c_str(), &found) != 0)
        return {};
    return {static_cast<std::int64_t>(found.st_ino), found.st_size, found.st_mtim.tv_sec, found.st_mtim.tv_nsec};
}

} // namespace troupe::net
