#include "actors/common/members.hpp"

#include "actors/common/stored.hpp"
#include "schemas/name_messages.hpp"
#include "schemas/organization.hpp"
#include "schemas/user.hpp"

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <utility>

namespace troupe::actors {
namespace {

constexpr std::size_t mentions_max = 50;    ///< Of one text.
constexpr std::size_t name_bytes_max = 200; ///< The longest that is looked for.
constexpr std::size_t members_read_max = 10'000;

entity_address address_of(const uuid& organization) { return {system_organization, "organization", organization}; }

bool is_word(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool is_of_name(char c) { return is_word(c) || c == '-' || c == '.' || c == ':' || c == '@' || c == '+'; }

/// The text with blanks for what stands in code: between equal runs of backticks.
std::string without_code(std::string_view text) {
    std::string out(text);
    for (std::size_t i = 0; i < out.size();) {
        if (out[i] != '`') {
            ++i;
            continue;
        }
        const auto run = std::min(out.find_first_not_of('`', i), out.size()) - i;
        auto end = out.find(std::string(run, '`'), i + run);
        while (end != std::string::npos && end + run < out.size() && out[end + run] == '`') {
            end = out.find(std::string(run, '`'), std::min(out.find_first_not_of('`', end), out.size()));
        }
        if (end == std::string::npos) {
            i += run;
            continue;
        }
        std::fill(out.begin() + static_cast<std::ptrdiff_t>(i), out.begin() + static_cast<std::ptrdiff_t>(end + run),
                  ' ');
        i = end + run;
    }
    return out;
}

std::optional<uuid> find_agent(const storage::store& s, const uuid& organization, const std::string& name) {
    storage::list_query query;
    query.organization = organization;
    query.kind = "agent";
    query.limit = 1;
    query.filter = "name=" + fold_name(name);
    const auto found = storage::read_list(s, query);
    return found && !found->items.empty() ? std::optional(found->items.front().id) : std::nullopt;
}

/// The names by which a person is mentioned.
std::vector<std::string> names_of(const user_document& u) {
    auto named = fold_name(u.name);
    std::ranges::replace(named, ' ', '-');
    const auto address = fold_name(u.email);
    return {address, address.substr(0, address.find('@')), std::move(named)};
}

/// All people of an organization by their names; one that two have is nobody's.
expected<std::map<std::string, std::optional<uuid>>> people_by_name(const storage::store& s, const uuid& organization) {
    std::map<std::string, std::optional<uuid>> out;
    storage::item_query query{address_of(organization), std::string(members_collection), false, 500, {}};
    for (std::size_t read = 0; read < members_read_max;) {
        const auto page = storage::read_items(s, query);
        if (!page) {
            return page.error();
        }
        for (const auto& json : page->items) {
            const auto member = from_json<member_record>(json, strictness::stored);
            const auto user = member && !member->removed
                                  ? read_stored<user_document>(s, {system_organization, "user", member->user_id})
                                  : expected<std::optional<user_document>>(std::nullopt);
            if (!user) {
                return user.error();
            }
            if (!*user) {
                continue;
            }
            for (const auto& name : names_of(**user)) {
                auto& who = out.try_emplace(name, (*user)->id).first->second;
                who = who == (*user)->id ? who : std::nullopt;
            }
        }
        read += page->items.size();
        if (!page->next_cursor) {
            break;
        }
        query.cursor = *page->next_cursor;
    }
    return out;
}

} // namespace

expected<bool> is_member(const storage::store& s, const uuid& organization, const uuid& user) {
    const auto member = read_stored<member_record>(s, address_of(organization), members_collection, to_string(user));
    return member ? expected<bool>(*member && !(*member)->removed) : member.error();
}

expected<void> check_members(const storage::store& s, const uuid& organization, const std::vector<uuid>& users,
                             std::string_view pointer) {
    for (const auto& user : users) {
        const auto there = is_member(s, organization, user);
        if (!there) {
            return there.error();
        }
        if (!*there) {
            return problem{code::invalid_request,
                           "There is no member " + to_string(user) + ". See GET /organizations/{id}/members.",
                           {{std::string(pointer), "names no member"}}};
        }
    }
    return {};
}

std::vector<std::string> names_mentioned(std::string_view text) {
    std::vector<std::string> out;
    const auto plain = without_code(text);
    for (std::size_t at = plain.find('@'); at != std::string::npos && out.size() < mentions_max;
         at = plain.find('@', at + 1)) {
        if (at > 0 && (is_of_name(plain[at - 1]) || plain[at - 1] == '/')) {
            continue;
        }
        auto end = at + 1;
        while (end < plain.size() && end - at <= name_bytes_max && is_of_name(plain[end])) {
            ++end;
        }
        while (end > at + 1 && !is_word(plain[end - 1])) {
            --end; // the end of the sentence
        }
        auto name = plain.substr(at + 1, end - at - 1);
        if (!name.empty() && std::ranges::find(out, name) == out.end()) {
            out.push_back(std::move(name));
        }
    }
    return out;
}

expected<std::vector<mention>> find_mentioned(const storage::store& s, const uuid& organization,
                                              std::string_view text) {
    std::vector<mention> out;
    std::optional<std::map<std::string, std::optional<uuid>>> people;
    for (const auto& name : names_mentioned(text)) {
        if (const auto agent = find_agent(s, organization, name)) {
            out.push_back({mentioned_kind::agent, *agent, name});
            continue;
        }
        if (!people) {
            auto read = people_by_name(s, organization);
            if (!read) {
                return read.error();
            }
            people = std::move(*read);
        }
        if (const auto found = people->find(fold_name(name)); found != people->end() && found->second) {
            out.push_back({mentioned_kind::user, *found->second, name});
        }
    }
    return out;
}

} // namespace troupe::actors
