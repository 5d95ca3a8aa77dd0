#pragma once

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include <unistd.h>

namespace troupe::net::test {

template <auto release>
struct releaser {
    void operator()(auto* p) const { release(p); }
};
using key_ptr = std::unique_ptr<EVP_PKEY, releaser<EVP_PKEY_free>>;
using certificate_ptr = std::unique_ptr<X509, releaser<X509_free>>;
using context_ptr = std::unique_ptr<SSL_CTX, releaser<SSL_CTX_free>>;
using ssl_ptr = std::unique_ptr<SSL, releaser<SSL_free>>;

/// A certificate for `name` ("DNS:localhost") that signs itself, as a server's context and as files.
struct identity {
    explicit identity(const std::string& name) {
        key_ptr key(EVP_EC_gen("P-256"));
        certificate_ptr certificate(X509_new());
        X509_set_version(certificate.get(), 2);
        ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
        X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
        X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
        X509_set_pubkey(certificate.get(), key.get());
        X509_NAME* subject = X509_get_subject_name(certificate.get());
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("troupe test"),
                                   -1, -1, 0);
        X509_set_issuer_name(certificate.get(), subject);
        X509_EXTENSION* names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, name.c_str());
        X509_add_ext(certificate.get(), names, -1);
        X509_EXTENSION_free(names);
        X509_sign(certificate.get(), key.get(), EVP_sha256());
        context.reset(SSL_CTX_new(TLS_server_method()));
        BOOST_REQUIRE(SSL_CTX_use_certificate(context.get(), certificate.get()) == 1);
        BOOST_REQUIRE(SSL_CTX_use_PrivateKey(context.get(), key.get()) == 1);
        static int next = 0;
        file =
            (std::filesystem::temp_directory_path() / fmt::format("troupe-tls-{}-{}.pem", ::getpid(), next++)).string();
        key_file = file + ".key";
        const std::unique_ptr<std::FILE, releaser<std::fclose>> out(std::fopen(file.c_str(), "w"));
        BOOST_REQUIRE(PEM_write_X509(out.get(), certificate.get()) == 1);
        const std::unique_ptr<std::FILE, releaser<std::fclose>> secret(std::fopen(key_file.c_str(), "w"));
        BOOST_REQUIRE(PEM_write_PrivateKey(secret.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
    }
    identity(const identity&) = delete;
    identity& operator=(const identity&) = delete;
    ~identity() {
        std::filesystem::remove(file);
        std::filesystem::remove(key_file);
    }

    context_ptr context;
    std::string file;
    std::string key_file;
};

} // namespace troupe::net::test
