#include "schemas/base/sha256.hpp"

#include <openssl/evp.h>

namespace troupe {

struct sha256_stream::context {
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> hash{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
};

sha256_stream::sha256_stream() : context_(std::make_unique<context>()) {
    EVP_DigestInit_ex(context_->hash.get(), EVP_sha256(), nullptr);
}

sha256_stream::~sha256_stream() = default;

void sha256_stream::add(std::string_view bytes) { EVP_DigestUpdate(context_->hash.get(), bytes.data(), bytes.size()); }

std::string sha256_stream::finish() {
    std::string digest(32, '\0');
    EVP_DigestFinal_ex(context_->hash.get(), reinterpret_cast<unsigned char*>(digest.data()), nullptr);
    return digest;
}

} // namespace troupe
