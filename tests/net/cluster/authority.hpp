#pragma once

#include "net/cluster/tcp_links.hpp"
#include "tests/net/test_identity.hpp"
#include "tests/temporary_directory.hpp"

#include <string>

namespace troupe::net::test {

/// A certificate authority for tests, and what it signs, as files.
class authority {
public:
    struct wish {
        std::string name;       ///< Of the node: as DNS name,
        bool as_common = false; ///< or as common name only.
        bool expired = false;
        std::string use = {}; ///< "serverAuth": for nothing else.
    };

    authority() : key_(EVP_EC_gen("P-256")), own_(make("troupe test authority", key_.get(), nullptr, {})) {
        write(ca_file(), own_.get(), nullptr);
    }

    /// Files of a node with this certificate.
    link_tls_files sign_as(const wish& w) {
        const key_ptr key(EVP_EC_gen("P-256"));
        const auto certificate = make(w.as_common ? w.name : "a node", key.get(), own_.get(), w);
        const auto base = (folder_.path / std::to_string(next_++)).string();
        write(base + ".pem", certificate.get(), nullptr);
        write(base + ".key", nullptr, key.get());
        return {ca_file(), base + ".pem", base + ".key"};
    }
    link_tls_files sign(const std::string& name) { return sign_as({.name = name}); }

    [[nodiscard]] std::string ca_file() const { return (folder_.path / "ca.pem").string(); }

private:
    certificate_ptr make(const std::string& common, EVP_PKEY* key, X509* issuer, const wish& w) {
        certificate_ptr out(X509_new());
        auto* c = out.get();
        X509_set_version(c, 2);
        ASN1_INTEGER_set(X509_get_serialNumber(c), ++serial_);
        X509_gmtime_adj(X509_getm_notBefore(c), -7200);
        X509_gmtime_adj(X509_getm_notAfter(c), w.expired ? -3600 : 3600);
        X509_set_pubkey(c, key);
        X509_NAME* subject = X509_get_subject_name(c);
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(common.c_str()),
                                   -1, -1, 0);
        X509_set_issuer_name(c, issuer != nullptr ? X509_get_subject_name(issuer) : subject);
        if (issuer == nullptr)
            extend(c, NID_basic_constraints, "critical,CA:TRUE");
        else if (!w.as_common)
            extend(c, NID_subject_alt_name, "DNS:" + w.name);
        if (!w.use.empty())
            extend(c, NID_ext_key_usage, w.use);
        X509_sign(c, key_.get(), EVP_sha256());
        return out;
    }

    static void extend(X509* c, int what, const std::string& value) {
        X509_EXTENSION* e = X509V3_EXT_conf_nid(nullptr, nullptr, what, value.c_str());
        BOOST_REQUIRE(e != nullptr);
        X509_add_ext(c, e, -1);
        X509_EXTENSION_free(e);
    }

    static void write(const std::string& file, X509* certificate, EVP_PKEY* key) {
        const std::unique_ptr<std::FILE, releaser<std::fclose>> out(std::fopen(file.c_str(), "w"));
        BOOST_REQUIRE(out);
        if (certificate != nullptr)
            BOOST_REQUIRE(PEM_write_X509(out.get(), certificate) == 1);
        if (key != nullptr)
            BOOST_REQUIRE(PEM_write_PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
    }

    troupe::test::temporary_directory folder_;
    int next_ = 0;
    long serial_ = 0;
    key_ptr key_;
    certificate_ptr own_;
};

} // namespace troupe::net::test
