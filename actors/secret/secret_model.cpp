#include "actors/secret/secret_model.hpp"

#include "actors/common/model.hpp"
#include "actors/secret/secret_crypto.hpp"
#include "schemas/secret.hpp"

#include <algorithm>

namespace troupe::actors {
namespace {

using events = std::vector<secret_model::event>;
using decision_result = expected<events>;

bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

bool exists(const secret_values& s) { return !s.current.sealed.empty(); }

decision_result decide(const secret_values& s, const set_secret& c) {
    if (!is_secret_name(c.name) || (!s.name.empty() && s.name != c.name)) {
        return problem{code::invalid_request, "The command is not for this secret."};
    }
    if (c.version != s.current.version + 1 || c.sealed.empty()) {
        return problem{code::conflict, "The secret '" + c.name +
                                           "' was set by somebody else at this moment. Set it "
                                           "again if your value is the one that counts."};
    }
    return events{secret_set{c.name, c.version, c.sealed}};
}

decision_result decide(const secret_values& s, const reseal_secret& c) {
    const bool current = exists(s) && s.current.version == c.version && !c.sealed.empty();
    return current && s.current.sealed != c.sealed ? events{secret_resealed{c.version, c.sealed}} : events{};
}

decision_result decide(const secret_values& s, const delete_secret&) {
    if (!exists(s)) {
        return problem{code::not_found, "There is no such secret."};
    }
    return events{secret_deleted{}};
}

} // namespace

bool is_secret_name(std::string_view name) {
    return !name.empty() && name.size() <= secret_name_bytes_max && is_letter_or_digit(name.front()) &&
           std::ranges::all_of(name, [](char c) { return is_letter_or_digit(c) || c == '_' || c == '-' || c == '.'; });
}

entity_address secret_address(const uuid& organization, std::string_view name) {
    return {organization, std::string(secret_model::kind), derive_uuid({"secret", to_string(organization), name})};
}

expected<events> secret_model::decide(const state& s, const command& c, const runtime::context&) {
    return std::visit([&](const auto& each) { return actors::decide(s, each); }, c);
}

secret_values secret_model::apply(state s, const event& e, const runtime::event_context& at) {
    std::visit(visitor{[&](const secret_set& x) {
                           s.created_at = exists(s) ? s.created_at : at.time;
                           s.updated_at = at.time;
                           s.updated_by = at.principal;
                           s.name = x.name;
                           s.current = {x.version, x.sealed};
                       },
                       [&](const secret_resealed& x) {
                           s.current = {x.version, x.sealed};
                       },
                       // The version goes on counting: no two values are ever bound to the same one.
                       [&](const secret_deleted&) { s.current.sealed.clear(); }},
               e);
    return s;
}

std::vector<runtime::effect> secret_model::resume(const state&) { return {}; }

runtime::entity_view secret_model::view(const state& s, const runtime::view_context& at) {
    if (!exists(s)) {
        return {.document = "", .keys = {}, .exists = false};
    }
    const auto sort = runtime::sort_key(s.created_at);
    return {to_json(secret_document{at.id, s.name, s.current.version, data_key_of(s.current.sealed).value_or(0),
                                    s.updated_by, s.created_at, s.updated_at}),
            {{"", sort}},
            true};
}

std::vector<runtime::item> secret_model::items(const state& after, const event&, const runtime::event_context&) {
    return {{std::string(sealed_collection), std::string(sealed_key), to_json(after.current)}};
}

} // namespace troupe::actors
