#include "net/cluster/link_tls.hpp"

#include "net/http/tls_context.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/log.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>

#include <fmt/format.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <mutex>
#include <utility>

namespace troupe::net {

namespace {

constexpr std::string_view group = "cluster.tls";
/// The files are looked at so often at most.
constexpr std::int64_t look_every_ms = 1'000;
/// OpenSSL's number for an alert of the peer is its own and this.
constexpr int alerts_from = 1000;

spdlog::logger& log() {
    static auto& logger = log_for("cluster");
    return logger;
}

SSL* ssl_of(const tls_session& of) { return static_cast<SSL*>(of.native()); }

using stamps = std::array<file_stamp, 3>;

stamps stamps_of(const link_tls_files& files) {
    return {stamp_of(files.ca_file), stamp_of(files.certificate_file), stamp_of(files.key_file)};
}

expected<tls_context_ptr> load_context(const link_tls_files& files) {
    auto out = load_tls_context(TLS_method(), group, files.certificate_file, files.key_file);
    if (!out)
        return out;
    auto* c = out->get();
    if (SSL_CTX_load_verify_locations(c, files.ca_file.c_str(), nullptr) != 1)
        return unusable_tls_file(group, "ca_file", files.ca_file,
                                 "no PEM certificate can be read: " + last_tls_error());
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    SSL_CTX_set_num_tickets(c, 0); // each connection shows its certificate
    SSL_CTX_set_options(c, SSL_OP_NO_TICKET);
    warn_of_dates(log(), c, group, files.certificate_file);
    return out;
}

bool is_about_certificates(int alert) {
    return (alert >= SSL_AD_BAD_CERTIFICATE && alert <= SSL_AD_CERTIFICATE_UNKNOWN) || alert == SSL_AD_UNKNOWN_CA ||
           alert == SSL_AD_CERTIFICATE_REQUIRED || alert == SSL_AD_ACCESS_DENIED || alert == SSL_AD_DECRYPT_ERROR;
}

} // namespace

struct link_identity::impl {
    link_tls_files files;
    std::mutex mutex; // of all below
    std::int64_t looked_at_ms = 0;
    tls_context_ptr context;
    stamps seen;

    /// With the mutex held.
    expected<void> load() {
        seen = stamps_of(files); // before they are read: what changes meanwhile shows the next time
        auto fresh = load_context(files);
        if (!fresh)
            return fresh.error();
        context = std::move(*fresh);
        return {};
    }

    tls_context_ptr current() {
        const std::lock_guard lock(mutex);
        const auto now_ms = monotonic_ms();
        if (now_ms - looked_at_ms < look_every_ms)
            return context;
        looked_at_ms = now_ms;
        if (seen == stamps_of(files))
            return context;
        if (auto loaded = load())
            log().info("{}: {} is in use from now on", group, files.certificate_file);
        else
            log().error("{} What was in use stays.", loaded.error().detail);
        return context;
    }
};

link_identity::link_identity(std::unique_ptr<impl> i) : impl_(std::move(i)) {}
link_identity::~link_identity() = default;

expected<std::unique_ptr<link_identity>> link_identity::load(link_tls_files files) {
    auto i = std::make_unique<impl>();
    i->files = std::move(files);
    i->looked_at_ms = monotonic_ms();
    if (auto loaded = i->load(); !loaded)
        return loaded.error();
    return std::unique_ptr<link_identity>(new link_identity(std::move(i)));
}

std::unique_ptr<tls_session> link_identity::begin(int socket, side as) {
    SSL* ssl = SSL_new(impl_->current().get()); // holds the context on its own
    if (ssl == nullptr)
        return nullptr;
    as == side::dials ? SSL_set_connect_state(ssl) : SSL_set_accept_state(ssl);
    auto out = std::make_unique<tls_session>(ssl);
    if (SSL_set_fd(ssl, socket) != 1)
        return nullptr;
    return out;
}

expected<void> check_certificate(const tls_session& of, const std::string& name) {
    const std::unique_ptr<X509, decltype(&X509_free)> shown(SSL_get1_peer_certificate(ssl_of(of)), X509_free);
    // A name that begins with a dot would match any in that domain; `is_node_name` lets none through.
    if (shown && X509_check_host(shown.get(), name.data(), name.size(),
                                 X509_CHECK_FLAG_ALWAYS_CHECK_SUBJECT | X509_CHECK_FLAG_NO_WILDCARDS, nullptr) == 1)
        return {};
    return problem{code::forbidden,
                   fmt::format("The certificate of {} is not made for that name: it needs DNS:{} among "
                               "its subject alternative names.",
                               name, name)};
}

std::string tls_failure(const tls_session& of, const boost::system::error_code& error) {
    if (const auto verdict = SSL_get_verify_result(ssl_of(of)); verdict != X509_V_OK)
        return fmt::format("its certificate is refused: {}", X509_verify_cert_error_string(verdict));
    if (error.category() != boost::asio::error::get_ssl_category())
        return error.message();
    const auto reason = ERR_GET_REASON(static_cast<unsigned long>(error.value()));
    if (is_about_certificates(reason - alerts_from))
        return fmt::format("it refuses the certificate of this node: {}", error.message());
    if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
        return "it shows no certificate: set cluster.tls on both";
    if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST)
        return "it has no TLS, and this node has: set cluster.tls on both";
    return fmt::format("TLS failed: {}", error.message());
}

} // namespace troupe::net
