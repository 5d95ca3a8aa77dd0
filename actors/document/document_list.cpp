#include "actors/document/document_list.hpp"

#include "net/http/handlers.hpp"
#include "storage/views.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

// What all may read and what only some may read are two lists, each in order. A page is both of them, merged; its
// cursor holds a place in each.
namespace troupe::actors {
namespace {

using filter = std::pair<std::string, std::string>;

/// In a cursor, of a list of which nothing is left. No cursor of a list looks like it.
constexpr std::string_view at_end = "-";

struct found_document {
    document_document document;
    std::string json;
    std::size_t source = 0;
};

bool fits(const document_document& d, const filter& f) {
    const auto& [name, value] = f;
    if (name == "type") {
        return detail::enum_name(d.type) == value;
    }
    if (name == "task_id") {
        return d.task_id && to_string(*d.task_id) == value;
    }
    if (name == "project_id") {
        return d.project_id && to_string(*d.project_id) == value;
    }
    if (name == "created_by") {
        return d.created_by == value;
    }
    if (name == "label") {
        return std::ranges::find(d.labels, value) != d.labels.end();
    }
    return (d.is_template ? "true" : "false") == value;
}

storage::list_query list_of(const storage::list_query& base, std::string index, std::vector<filter> rest) {
    auto out = base;
    out.filter = std::move(index);
    for (const auto& [name, value] : rest) {
        out.kept += name + "=" + value + "\n";
    }
    if (!rest.empty()) {
        out.keep = [rest = std::move(rest)](const storage::stored_document& d) {
            const auto document = from_json<document_document>(d.json, strictness::stored);
            return document && std::ranges::all_of(rest, [&](const filter& f) { return fits(*document, f); });
        };
    }
    return out;
}

/// The lists that together are what the caller may read.
std::vector<storage::list_query> sources_of(const storage::list_query& base, const document_caller& caller,
                                            const std::vector<filter>& given) {
    const auto first = given.empty() ? std::string() : given.front().first + "=" + given.front().second;
    const std::vector<filter> others(given.empty() ? given.end() : given.begin() + 1, given.end());
    if (caller.manages) {
        return {list_of(base, first, others)};
    }
    return {list_of(base, first.empty() ? "organization" : "organization," + first, others),
            list_of(base, "reader=" + caller.name, given)};
}

/// The places in the sources, one a line.
expected<void> go_to(std::vector<storage::list_query>& sources, const std::string& cursor) {
    if (cursor.empty()) {
        return {};
    }
    auto text = storage::decode_cursor(cursor);
    std::size_t count = 0;
    for (auto rest = std::string_view(text ? *text : ""); text && count < sources.size(); ++count) {
        const auto end = rest.find('\n');
        if (end == std::string_view::npos) {
            break;
        }
        sources[count].cursor = rest.substr(0, end);
        rest.remove_prefix(end + 1);
    }
    return count == sources.size()
               ? expected<void>()
               : problem{code::invalid_request,
                         "The cursor is not one of this list. Take next_cursor of the page before, as it was.",
                         {{"cursor", "is not one of this list"}}};
}

/// The first items of all sources, in order.
expected<std::vector<found_document>> read_sources(const storage::store& s,
                                                   const std::vector<storage::list_query>& sources,
                                                   std::vector<std::string>& after) {
    std::vector<found_document> out;
    std::set<uuid> seen;
    for (std::size_t i = 0; i < sources.size(); ++i) {
        after.push_back(sources[i].cursor);
        if (sources[i].cursor == at_end) {
            continue;
        }
        auto page = storage::read_list(s, sources[i]);
        if (!page) {
            return page.error();
        }
        after.back() = page->next_cursor.value_or(std::string(at_end));
        for (auto& item : page->items) {
            auto document = from_json<document_document>(item.json, strictness::stored);
            if (!document) {
                return document.error();
            }
            if (seen.insert(item.id).second) { // one that became private just now may be in both
                out.push_back({std::move(*document), std::move(item.json), i});
            }
        }
    }
    std::ranges::stable_sort(out, [&](const found_document& a, const found_document& b) {
        const auto place = [](const found_document& d) { return std::tuple(d.document.created_at.ms, d.document.id); };
        return sources.front().descending ? place(b) < place(a) : place(a) < place(b);
    });
    return out;
}

/// The place of a source after so many of its items.
expected<std::string> place_after(const storage::store& s, storage::list_query source, std::size_t taken) {
    if (taken == 0) {
        return source.cursor;
    }
    source.limit = taken;
    const auto page = storage::read_list(s, source);
    return page ? expected<std::string>(page->next_cursor.value_or(std::string(at_end))) : page.error();
}

expected<std::string> merged_page(const storage::store& s, const std::vector<storage::list_query>& sources,
                                  std::size_t limit) {
    std::vector<std::string> after;
    auto found = read_sources(s, sources, after);
    if (!found) {
        return found.error();
    }
    if (found->size() > limit) {
        for (std::size_t i = 0; i < sources.size(); ++i) {
            const auto is_mine = [&](const found_document& d) { return d.source == i; };
            const auto taken =
                std::count_if(found->begin(), found->begin() + static_cast<std::ptrdiff_t>(limit), is_mine);
            if (taken == std::ranges::count_if(*found, is_mine)) {
                continue;
            }
            auto place = place_after(s, sources[i], static_cast<std::size_t>(taken));
            if (!place) {
                return place.error();
            }
            after[i] = std::move(*place);
        }
        found->resize(limit);
    }
    std::vector<std::string> items;
    for (auto& one : *found) {
        items.push_back(std::move(one.json));
    }
    std::string cursor;
    for (const auto& place : after) {
        cursor += place + "\n";
    }
    const bool more = std::ranges::any_of(after, [](const std::string& place) { return place != at_end; });
    return net::list_body(items, more ? std::optional(storage::encode_cursor(cursor)) : std::nullopt);
}

expected<std::string> page_of_documents(const runtime::services& s, const net::request& r,
                                        const document_caller& caller) {
    const auto limit = net::page_limit(r);
    if (!limit) {
        return limit.error();
    }
    const auto sort = r.query_value("sort").value_or("-created_at");
    if (sort != "created_at" && sort != "-created_at") {
        return problem{code::invalid_request,
                       "sort can be created_at or -created_at",
                       {{"sort", "can be created_at or -created_at"}}};
    }
    storage::list_query base;
    base.organization = r.who.organization;
    base.kind = document_kind;
    base.limit = *limit;
    base.descending = sort.front() == '-';
    std::vector<filter> given;
    for (const auto& name : document_filters()) {
        if (const auto value = r.query_value(name)) {
            given.emplace_back(name, *value);
        }
    }
    auto sources = sources_of(base, caller, given);
    if (auto there = go_to(sources, std::string(r.query_value("cursor").value_or(""))); !there) {
        return there.error();
    }
    return merged_page(*s.store, sources, *limit);
}

} // namespace

const std::vector<std::string>& document_filters() {
    static const std::vector<std::string> all{"task_id", "project_id", "label", "created_by", "type", "is_template"};
    return all;
}

net::response list_documents(const runtime::services& s, const net::request& r, const document_caller& caller) {
    auto page = page_of_documents(s, r, caller);
    return page ? net::response{.body = std::move(*page)} : net::to_response(page.error(), r);
}

} // namespace troupe::actors
