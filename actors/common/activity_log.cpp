#include "actors/common/activity_log.hpp"

#include "actors/common/text.hpp"
#include "runtime/audit/audit_log.hpp"
#include "storage/audit.hpp"
#include "storage/base.hpp"
#include "storage/log_reader.hpp"
#include "storage/views.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace troupe::actors {
namespace {

/// What a reader brings up to date before it reads, and how long it waits for a writer that is at it.
constexpr std::size_t catch_up_lines = 1000;
constexpr std::int64_t catch_up_wait_ms = 200;
constexpr std::uint64_t history_piece = 200;
constexpr std::size_t goal_bytes_max = 60;
/// Of these nobody sees more than that they changed: their events hold hashes and ciphertext.
constexpr std::string_view private_kinds[] = {"user", "session", "api_key", "secret", "keyring", "linked_identity"};

/// How things are called now; each is looked up once for a page.
class names {
public:
    names(const storage::store& s, const uuid& organization) : store_(s), organization_(organization) {}

    std::string operator()(std::string_view kind, std::string_view id) {
        auto [place, fresh] = known_.try_emplace(std::string(kind) + "/" + std::string(id));
        if (fresh) {
            place->second = look_up(kind, id);
        }
        return place->second;
    }

private:
    std::string look_up(std::string_view kind, std::string_view id_text) const {
        const auto id = parse_uuid(id_text);
        if (!id || kind == "document") { // its title may be private
            return {};
        }
        const auto whose = kind == "user" || kind == "organization" ? system_organization : organization_;
        const auto found = storage::read_document(store_, {whose, std::string(kind), *id});
        const auto document = found && *found ? json::document::parse((*found)->json)
                                              : expected<json::document>(problem{code::not_found, ""});
        if (!document) {
            return {};
        }
        const auto root = document->root();
        const auto settings = root.find("settings");
        const auto name = [&](std::string_view member) { return std::string(root.text_or(member)); };
        if (kind == "task") {
            return name("key").empty() ? name("title") : name("key") + " " + name("title");
        }
        if (kind == "run") {
            return fmt::format("run {} ({})", id_text.substr(0, 8), utf8_prefix(root.text_or("goal"), goal_bytes_max));
        }
        if (kind == "agent") {
            return settings && settings->type() == json::kind::object ? std::string(settings->text_or("name")) : "";
        }
        return name("name").empty() ? name("title") : name("name");
    }

    const storage::store& store_;
    uuid organization_;
    std::map<std::string, std::string> known_;
};

std::string lower_case(std::string text) {
    std::ranges::transform(text, text.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return text;
}

activity_event event_of(const storage::store& s, const storage::audit_line& line) {
    activity_event e{line.entity, line.entity_seq, line.time, line.type, line.principal, {}};
    if (std::ranges::find(private_kinds, line.entity.kind) == std::end(private_kinds)) {
        if (auto details = storage::read_audit_details(s, line); details && *details) {
            e.payload = std::move(**details);
        }
    }
    return e;
}

/// The last event of a page; without a cursor the newest.
expected<std::uint64_t> last_of(const storage::store& s, const entity_address& a, const std::string& cursor) {
    if (cursor.empty()) {
        return storage::read_version(s, a);
    }
    std::uint64_t out = 0;
    const auto [end, error] = std::from_chars(cursor.data(), cursor.data() + cursor.size(), out);
    return error == std::errc() && end == cursor.data() + cursor.size() ? expected<std::uint64_t>(out)
                                                                        : problem{code::invalid_request,
                                                                                  "cursor: this is none of this list",
                                                                                  {{"cursor", "is none of this list"}}};
}

/// The events after one up to another.
expected<std::vector<activity_event>> read_piece(const storage::store& s, const entity_address& a, std::uint64_t after,
                                                 std::uint64_t last) {
    std::vector<activity_event> out;
    const auto read = storage::read_history(
        s, a, after,
        [&](storage::record&& x) -> expected<void> {
            out.push_back({x.entity, x.entity_seq, x.time, x.type, x.principal, x.payload});
            return {};
        },
        last);
    return read ? expected<std::vector<activity_event>>(std::move(out)) : read.error();
}

} // namespace

bool activity_filter::shows(const activity_document& a) const {
    return std::ranges::all_of(equal,
                               [&](const auto& wanted) {
                                   const auto& [name, value] = wanted;
                                   return name == "type"         ? detail::enum_name(a.type) == value
                                          : name == "severity"   ? detail::enum_name(a.severity) == value
                                          : name == "event_type" ? a.event_type == value
                                          : name == "kind"       ? a.kind == value
                                                                 : a.actor == value;
                               }) &&
           (words.empty() || lower_case(a.text).find(lower_case(words)) != std::string::npos);
}

expected<activity_page> read_activities(const runtime::services& s, const uuid& organization,
                                        const activity_query& query) {
    (void)s.audit->catch_up(catch_up_lines, catch_up_wait_ms);
    names naming(*s.store, organization);
    const auto shown = [&](const storage::audit_line& line) {
        return activity_of(event_of(*s.store, line), [&](auto kind, auto id) { return naming(kind, id); });
    };
    storage::audit_query lines;
    lines.organization = organization;
    lines.limit = query.limit;
    lines.cursor = query.cursor;
    lines.keep = [&](const storage::audit_line& line) {
        return is_activity(line.entity.kind, line.type) && query.filter.shows(shown(line));
    };
    const auto page = storage::read_audit(*s.store, lines);
    if (!page) {
        return page.error();
    }
    activity_page out{{}, page->next_cursor};
    for (const auto& line : page->lines) {
        out.items.push_back(shown(line));
    }
    return out;
}

expected<activity_page> read_activities_of(const runtime::services& s, const entity_address& a,
                                           const activity_query& query) {
    const auto newest = last_of(*s.store, a, query.cursor);
    const auto base =
        newest ? storage::read_base(*s.store, a) : expected<std::optional<storage::history_base>>(newest.error());
    if (!base) {
        return base.error();
    }
    names naming(*s.store, a.organization);
    const std::uint64_t oldest = *base ? (*base)->version : 0;
    activity_page out;
    std::uint64_t last = *newest;
    while (last > oldest && out.items.size() < query.limit) {
        const auto after = std::max(oldest, last > history_piece ? last - history_piece : 0);
        const auto piece = read_piece(*s.store, a, after, last);
        if (!piece) {
            return piece.error();
        }
        last = after;
        for (auto e = piece->rbegin(); e != piece->rend() && out.items.size() < query.limit; ++e) {
            auto one = activity_of(*e, [&](auto kind, auto id) { return naming(kind, id); });
            if (is_activity(e->entity.kind, e->type) && query.filter.shows(one)) {
                out.items.push_back(std::move(one));
                last = out.items.size() == query.limit ? e->number - 1 : last;
            }
        }
    }
    if (last > oldest) {
        out.next_cursor = std::to_string(last);
    }
    return out;
}

} // namespace troupe::actors
