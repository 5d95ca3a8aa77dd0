#include "actors/identity/admin_key.hpp"

#include "schemas/base/durable_file.hpp"
#include "schemas/base/ids.hpp"

#include <openssl/crypto.h>

namespace troupe::actors {

namespace {

constexpr std::size_t key_bytes_min = 20;
constexpr std::size_t file_bytes_max = 4096;
constexpr std::string_view name = "admin.key";

std::string hash_of(std::string_view key) {
    const auto digest = sha256(key);
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

} // namespace

expected<void> admin_key::make(const std::filesystem::path& file) {
    std::error_code unknown;
    if (std::filesystem::exists(file, unknown)) {
        return problem{code::already_exists, file.string() + " is there already: a key is never overwritten"};
    }
    return replace_file(file, "trp_" + make_secret() + "\n", 0600);
}

expected<admin_key> admin_key::open_copy(const std::filesystem::path& directory, const std::filesystem::path& of) {
    const auto text = read_whole_file(of, file_bytes_max);
    if (!text) {
        return text.error();
    }
    const auto mine = read_whole_file(directory / name, file_bytes_max);
    if (!mine || *mine != *text) {
        if (auto written = replace_file(directory / name, *text, 0600); !written) {
            return written.error();
        }
    }
    return open(directory);
}

expected<admin_key> admin_key::open(const std::filesystem::path& directory) {
    admin_key out;
    out.file_ = directory / name;
    auto text = read_whole_file(out.file_, file_bytes_max);
    if (!text && text.error().code == code::not_found) {
        if (auto made = make(out.file_); !made) {
            return made.error();
        }
        text = read_whole_file(out.file_, file_bytes_max);
    }
    if (!text) {
        return text.error();
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
