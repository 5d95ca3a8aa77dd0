#include "net/client/oauth_wire.hpp"

#include "net/http/text.hpp"
#include "schemas/base/cipher.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/json.hpp"

#include <algorithm>

namespace troupe::net {

std::string form_encoded(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                           c == '.' || c == '_' || c == '~';
        if (plain) {
            out += c;
        } else {
            out += {'%', digits[byte >> 4U], digits[byte & 15U]};
        }
    }
    return out;
}

std::string form_of(const std::vector<std::pair<std::string, std::string>>& fields) {
    std::string out;
    for (const auto& [name, value] : fields) {
        out += (out.empty() ? "" : "&") + form_encoded(name) + "=" + form_encoded(value);
    }
    return out;
}

expected<std::map<std::string, std::string>> read_form(std::string_view text) {
    std::map<std::string, std::string> out;
    while (!text.empty()) {
        const auto end = std::min(text.find('&'), text.size());
        const auto field = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (field.empty()) {
            continue;
        }
        const auto equals = std::min(field.find('='), field.size());
        const auto name = percent_decode(field.substr(0, equals), true);
        const auto value = percent_decode(field.substr(std::min(equals + 1, field.size())), true);
        if (!name || !value) {
            return problem{code::invalid_request, "a field is not encoded as a form wants it"};
        }
        if (!out.emplace(*name, *value).second) {
            return problem{code::invalid_request, "a field comes twice"};
        }
    }
    return out;
}

std::string with_query(std::string_view url, const std::vector<std::pair<std::string, std::string>>& fields) {
    return std::string(url) + (url.find('?') == url.npos ? "?" : "&") + form_of(fields);
}

std::string basic_authorization(std::string_view client_id, std::string_view client_secret) {
    auto out = to_base64url(form_encoded(client_id) + ":" + form_encoded(client_secret));
    std::replace(out.begin(), out.end(), '-', '+');
    std::replace(out.begin(), out.end(), '_', '/');
    out.append((4 - out.size() % 4) % 4, '='); // HTTP wants the padding
    return "Basic " + out;
}

std::string pkce_challenge(std::string_view verifier) {
    const auto digest = sha256(verifier);
    return to_base64url({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

std::string oauth_error(std::string_view json) {
    const auto parsed = json::document::parse(json);
    const auto word = parsed ? parsed->root().text_or("error") : std::string();
    const bool plain = std::all_of(word.begin(), word.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
    return plain && word.size() <= 64 ? word : std::string();
}

} // namespace troupe::net
