#include "actors/secret/secret_crypto.hpp"

#include <charconv>

namespace troupe::actors {
namespace {

constexpr std::string_view sealed_format = "s1";
constexpr std::size_t keys_max = 32; // of a key file: old ones are taken out when no backup needs them
constexpr std::size_t hex_digits_of_key = 2 * cipher_key_bytes;
constexpr std::size_t id_bytes = 8;

/// A part with its length before it: ("ab","c") and ("a","bc") differ.
void add_part(std::string& to, std::string_view part) { to += std::to_string(part.size()) + ":" + std::string(part); }

std::string place_of_key(const uuid& organization, std::uint32_t number, std::string_view master) {
    std::string out;
    for (const auto& part : {std::string("troupe data key 1"), to_string(organization), std::to_string(number)}) {
        add_part(out, part);
    }
    add_part(out, master);
    return out;
}

std::string place_of_value(const secret_place& p, std::uint32_t number) {
    std::string out;
    for (const auto& part : {std::string("troupe secret 1"), to_string(p.organization), p.name,
                             std::to_string(p.version), std::to_string(number)}) {
        add_part(out, part);
    }
    return out;
}

std::optional<std::string> key_bytes(std::string_view word) {
    auto bytes = word.size() == hex_digits_of_key ? from_hex(word) : from_base64(word);
    return bytes && bytes->size() == cipher_key_bytes ? bytes : std::nullopt;
}

/// The words of a key file, without comments.
std::vector<std::string_view> words_of(std::string_view text) {
    constexpr std::string_view between = " \t\r\n,";
    std::vector<std::string_view> out;
    while (!text.empty()) {
        const auto start = text.find_first_not_of(between);
        if (start == std::string_view::npos) {
            break;
        }
        text.remove_prefix(start);
        const bool comment = text.front() == '#';
        const auto end = std::min(comment ? text.find('\n') : text.find_first_of(between), text.size());
        if (!comment) {
            out.push_back(text.substr(0, end));
        }
        text.remove_prefix(end);
    }
    return out;
}

struct sealed_parts {
    std::uint32_t number = 0;
    std::string_view body;
};

std::optional<sealed_parts> split(std::string_view sealed) {
    const auto first = sealed.find('.');
    const auto second = first == std::string_view::npos ? first : sealed.find('.', first + 1);
    if (second == std::string_view::npos || sealed.substr(0, first) != sealed_format) {
        return std::nullopt;
    }
    sealed_parts out{0, sealed.substr(second + 1)};
    const auto digits = sealed.substr(first + 1, second - first - 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out.number);
    return error == std::errc() && end == digits.data() + digits.size() ? std::optional(out) : std::nullopt;
}

} // namespace

expected<master_keys> master_keys::parse(std::string_view text, std::string_view origin) {
    master_keys out;
    for (const auto word : words_of(text)) {
        auto bytes = key_bytes(word);
        if (!bytes) {
            return problem{code::config_invalid,
                           std::string(origin) + ": word " + std::to_string(out.keys_.size() + 1) +
                               " is no master key. One has 32 random bytes, as 43 characters of base64 or 64 "
                               "hexadecimal digits; `troupe secret new-key FILE` makes one"};
        }
        const auto digest = sha256("troupe master key" + *bytes);
        auto id = to_hex({reinterpret_cast<const char*>(digest.data()), id_bytes});
        if (!out.find(id)) {
            out.keys_.push_back({std::move(id), std::move(*bytes)});
        }
    }
    if (out.keys_.empty()) {
        return problem{code::config_invalid,
                       std::string(origin) +
                           " holds no master key; `troupe secret new-key FILE` makes a file with one"};
    }
    if (out.keys_.size() > keys_max) {
        return problem{code::config_invalid, std::string(origin) + " holds more than " + std::to_string(keys_max) +
                                                 " master keys; take old ones out, from its end, that no backup needs"};
    }
    return out;
}

const master_key* master_keys::find(std::string_view id) const {
    for (const auto& key : keys_) {
        if (key.id == id) {
            return &key;
        }
    }
    return nullptr;
}

master_keys master_keys::with(const master_keys& older) const {
    auto out = *this;
    for (const auto& key : older.keys_) {
        if (!find(key.id)) {
            out.keys_.push_back(key);
        }
    }
    return out;
}

std::string master_keys::ids() const {
    std::string out;
    for (const auto& key : keys_) {
        out += (out.empty() ? "" : ", ") + key.id;
    }
    return out;
}

std::string make_master_key() { return to_base64url(random_bytes(cipher_key_bytes)); }

wrapped_key wrap_key(const master_key& master, const uuid& organization, std::uint32_t number,
                     std::string_view data_key) {
    return {number, master.id,
            to_base64url(seal(master.bytes, data_key, place_of_key(organization, number, master.id)))};
}

expected<wiped_text> unwrap_key(const master_keys& masters, const uuid& organization, const wrapped_key& key) {
    const auto* master = masters.find(key.master);
    if (!master) {
        return problem{code::secrets_locked, "data key " + std::to_string(key.number) + " of the organization " +
                                                 to_string(organization) + " is wrapped with the master key " +
                                                 key.master + ", and this node has only " + masters.ids()};
    }
    const auto sealed = from_base64(key.wrapped);
    auto opened =
        sealed ? unseal(master->bytes, *sealed, place_of_key(organization, key.number, key.master)) : std::nullopt;
    if (!opened || opened->size() != cipher_key_bytes) {
        return problem{code::secrets_locked, "data key " + std::to_string(key.number) + " of the organization " +
                                                 to_string(organization) + " was changed on disk; restore a backup"};
    }
    return wiped_text(std::move(*opened));
}

std::string seal_secret(std::string_view data_key, std::uint32_t number, const secret_place& place,
                        std::string_view value) {
    return std::string(sealed_format) + "." + std::to_string(number) + "." +
           to_base64url(seal(data_key, value, place_of_value(place, number)));
}

std::optional<std::uint32_t> data_key_of(std::string_view sealed) {
    const auto parts = split(sealed);
    return parts ? std::optional(parts->number) : std::nullopt;
}

std::optional<std::string> open_secret(std::string_view data_key, const secret_place& place, std::string_view sealed) {
    const auto parts = split(sealed);
    const auto bytes = parts ? from_base64(parts->body) : std::nullopt;
    return bytes ? unseal(data_key, *bytes, place_of_value(place, parts->number)) : std::nullopt;
}

} // namespace troupe::actors
