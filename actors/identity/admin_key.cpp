#include "actors/identity/admin_key.hpp"

#include "schemas/base/durable_file.hpp"
#include "schemas/base/ids.hpp"

#include <openssl/crypto.h>

namespace troupe::actors {

namespace {

constexpr std::size_t key_bytes_min = 20;

std::string hash_of(std::string_view key) {
    const auto digest = sha256(key);
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

} // namespace

expected<admin_key> admin_key::open(const std::filesystem::path& directory) {
    admin_key out;
    out.file_ = directory / "admin.key";
    auto text = read_whole_file(out.file_, 4096);
    if (!text && text.error().code != code::not_found) {
        return text.error();
    }
    if (!text) {
        text = "trp_" + make_secret() + "\n";
        if (auto written = replace_file(out.file_, *text, 0600); !written) {
            return written.error();
        }
    }
    std::string_view key = *text;
    while (!key.empty() && (key.back() == '\n' || key.back() == '\r' || key.back() == ' ')) {
        key.remove_suffix(1);
    }
    if (key.size() < key_bytes_min) {
        return problem{code::data_dir_unusable, out.file_.string() + " holds no key of at least " +
                                                    std::to_string(key_bytes_min) +
                                                    " characters; remove the file and start again to get a new one"};
    }
    out.hash_ = hash_of(key);
    return out;
}

bool admin_key::matches(std::string_view key) const {
    const auto hash = hash_of(key);
    return CRYPTO_memcmp(hash.data(), hash_.data(), hash_.size()) == 0;
}

} // namespace troupe::actors
