#include "runtime/bus/filter.hpp"

#include "runtime/bus/bus.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/json.hpp"

#include <algorithm>

namespace troupe::runtime {

namespace {

constexpr std::string_view name_letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

/// Members of members are named with dots.
std::string pointer_to(std::string_view name) {
    std::string out = "/" + std::string(name);
    std::replace(out.begin(), out.end(), '.', '/');
    return out;
}

bool holds(const json::document& event, std::string_view condition) {
    const auto equals = condition.find('=');
    const auto member = event.root().pointer(pointer_to(condition.substr(0, equals)));
    if (!member) {
        return false;
    }
    const auto wanted = condition.substr(equals + 1);
    const auto text = member->as_string();
    return text ? *text == wanted : member->dump() == wanted;
}

problem refused(std::string_view list, std::string_view entry, std::string why) {
    return {code::invalid_request,
            "filter." + std::string(list) + ": \"" + std::string(entry.substr(0, 64)) + "\" " + why,
            {{"/filter/" + std::string(list), std::move(why)}}};
}

bool is_name(std::string_view name) {
    return !name.empty() && name.front() != '.' && name.back() != '.' && name.find("..") == std::string_view::npos &&
           name.find_first_not_of(std::string(name_letters) + ".") == std::string_view::npos;
}

bool is_kind(std::string_view kind) {
    if (kind.starts_with('$')) {
        kind.remove_prefix(1);
    }
    if (kind.ends_with('*')) {
        kind.remove_suffix(1);
    }
    return kind.find_first_not_of(name_letters) == std::string_view::npos;
}

} // namespace

bool event_filter::shows(std::string_view kind, std::string_view entity, std::string_view event) const {
    if (!kinds.empty() && std::none_of(kinds.begin(), kinds.end(), [&](const auto& k) {
            return k.ends_with('*') ? kind.starts_with(k.substr(0, k.size() - 1)) : k == kind;
        })) {
        return false;
    }
    if (!entities.empty() && std::find(entities.begin(), entities.end(), entity) == entities.end()) {
        return false;
    }
    if (where.empty()) {
        return true;
    }
    const auto document = json::document::parse(event);
    return document &&
           std::all_of(where.begin(), where.end(), [&](const auto& condition) { return holds(*document, condition); });
}

std::string event_filter::key() const {
    std::string out;
    for (const auto* list : {&kinds, &entities, &where}) {
        for (const auto& entry : *list) {
            out += std::to_string(entry.size()) + ":" + entry;
        }
        out += ';';
    }
    return out;
}

expected<void> check(const event_filter& f) {
    const std::pair<std::string_view, const std::vector<std::string>*> lists[] = {
        {"kinds", &f.kinds}, {"entities", &f.entities}, {"where", &f.where}};
    for (const auto& [name, list] : lists) {
        if (list->size() > event_filter::entries_max) {
            return problem{code::invalid_request,
                           "filter." + std::string(name) + ": at most " + std::to_string(event_filter::entries_max) +
                               " entries",
                           {{"/filter/" + std::string(name), "has too many entries"}}};
        }
        for (const auto& entry : *list) {
            if (entry.size() > event_filter::entry_bytes_max) {
                return refused(name, entry, "is longer than 256 bytes");
            }
        }
    }
    for (const auto& kind : f.kinds) {
        if (kind.empty() || !is_kind(kind)) {
            return refused("kinds", kind, "is no kind of event: letters, digits and _, with one * at the end at most");
        }
    }
    for (const auto& entity : f.entities) {
        const auto id = parse_uuid(entity);
        if (!id || to_string(*id) != entity) {
            return refused("entities", entity, "is no id of an entity");
        }
    }
    for (const auto& condition : f.where) {
        const auto equals = condition.find('=');
        if (equals == std::string::npos || !is_name(std::string_view(condition).substr(0, equals))) {
            return refused("where", condition, "is not MEMBER=VALUE, as in status=done or task.priority=high");
        }
    }
    return {};
}

} // namespace troupe::runtime
