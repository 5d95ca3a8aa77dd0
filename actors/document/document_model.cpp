#include "actors/document/document_model.hpp"

#include "actors/common/model.hpp"
#include "storage/blob_hash.hpp"

#include <fmt/format.h>

#include <algorithm>

// Decisions and what follows from them; what is shown is in document_views.cpp.
namespace troupe::actors {
namespace {

using events = std::vector<document_model::event>;
using decision_result = expected<events>;

constexpr std::size_t label_bytes_max = 100;

problem bad(const std::string& pointer, std::string what) { return {code::invalid_request, what, {{pointer, what}}}; }

bool is_line(const std::string& text) {
    return text.find_first_not_of(' ') != std::string::npos &&
           std::ranges::none_of(text, [](unsigned char c) { return c < ' ' || c == 0x7f; });
}

expected<void> check_title(const std::string& title) {
    return is_line(title) ? expected<void>()
                          : bad("/title", "A title is one line of text, without control characters.");
}

expected<void> check_labels(const std::vector<std::string>& labels) {
    for (std::size_t i = 0; i < labels.size(); ++i) {
        if (!is_line(labels[i]) || labels[i].size() > label_bytes_max) {
            return bad(fmt::format("/labels/{}", i),
                       fmt::format("A label has 1 to {} bytes and no control characters.", label_bytes_max));
        }
        if (std::ranges::count(labels, labels[i]) > 1) {
            return bad(fmt::format("/labels/{}", i), "A label stands there once.");
        }
    }
    return {};
}

std::int64_t kept_bytes(const document_state& s) {
    std::uint64_t out = 0;
    for (const auto& one : s.versions) {
        out += one.bytes;
    }
    return static_cast<std::int64_t>(out);
}

/// That it is a content, and that the organization has room for it beside what goes.
expected<void> check_content(const document_state& s, const document_content& content,
                             const runtime::context& context) {
    if (!storage::blob_hash_of(content.sha256)) {
        return bad("/content/sha256", "The hash of a content has 64 lower-case hexadecimal digits.");
    }
    const auto dropped = s.versions.size() >= document_versions_max ? s.versions.front().bytes : 0;
    const auto more = static_cast<std::int64_t>(content.bytes) - static_cast<std::int64_t>(dropped);
    return more > 0 ? context.take("storage_bytes", more) : expected<void>();
}

decision_result decide(const document_state& s, const create_document& c, const runtime::context& context) {
    if (!s.id.is_nil()) {
        return exists_already("document", context.self.id);
    }
    auto good = check_title(c.title);
    good = good ? check_labels(c.labels) : good;
    good = good ? check_content(s, c.content, context) : good;
    if (!good) {
        return good.error();
    }
    return events{document_created{context.self.organization, c.title, c.type, c.task_id, c.project_id, c.labels,
                                   c.organization_access, c.is_template, c.caller.name},
                  document_written{c.content, c.caller.name, {}}};
}

/// Whether anything is left to change.
bool keep_changes(const document_state& s, document_updated& e) {
    const auto news = [](auto& given, const auto& now) {
        if (given && *given == now) {
            given.reset();
        }
        return given.has_value();
    };
    bool any = news(e.title, s.title);
    any |= news(e.type, s.type);
    any |= news(e.labels, s.labels);
    any |= news(e.is_template, s.is_template);
    any |= news(e.task_id, s.task_id);
    any |= news(e.project_id, s.project_id);
    return any;
}

decision_result decide(const document_state& s, const update_document& c, const runtime::context& context) {
    document_updated changed{c.title, c.type, c.task_id, c.project_id, c.labels, c.is_template, c.caller.name};
    auto good = c.title ? check_title(*c.title) : expected<void>();
    good = good && c.labels ? check_labels(*c.labels) : good;
    const bool other_content = c.content && c.content->sha256 != s.versions.back().sha256;
    good = good && other_content ? check_content(s, *c.content, context) : good;
    if (!good) {
        return good.error();
    }
    events decided;
    if (keep_changes(s, changed)) {
        decided.emplace_back(changed);
    }
    if (other_content) {
        decided.emplace_back(document_written{*c.content, c.caller.name, {}});
    }
    return decided;
}

decision_result decide(const document_state& s, const restore_document& c, const runtime::context& context) {
    const auto oldest = oldest_document_version(s.newest);
    if (c.version < oldest || c.version > s.newest) {
        return problem{code::not_found, fmt::format("The document has the versions {} to {}, and no version {}.",
                                                    oldest, s.newest, c.version)};
    }
    const auto& content = s.versions[c.version - oldest];
    if (content.sha256 == s.versions.back().sha256) {
        return events{};
    }
    if (auto good = check_content(s, content, context); !good) {
        return good.error();
    }
    return events{document_written{content, c.caller.name, c.version}};
}

document_state with_shares(document_state s, const document_shared& e) {
    if (e.organization) {
        s.organization_access = e.access;
    }
    for (const auto& user : e.user_ids) {
        std::erase_if(s.shared_with, [&](const document_share& one) { return one.user_id == user; });
        if (e.access != document_access::none) {
            s.shared_with.push_back({user, e.access});
        }
    }
    return s;
}

decision_result decide(const document_state& s, const share_document& c, const runtime::context&) {
    const document_shared change{c.user_ids, c.organization, c.access, c.caller.name};
    if (c.user_ids.empty() && !c.organization) {
        return bad("/user_ids", "Say with whom: user_ids, or organization.");
    }
    const auto after = with_shares(s, change);
    if (after.shared_with.size() > document_shares_max) {
        return bad("/user_ids", fmt::format("A document is shared with at most {} people.", document_shares_max));
    }
    const auto shares = [](const document_state& of) {
        std::vector<std::string> out;
        for (const auto& one : of.shared_with) {
            out.push_back(to_json(one));
        }
        std::ranges::sort(out);
        return out;
    };
    const bool same = after.organization_access == s.organization_access && shares(after) == shares(s);
    return same ? events{} : events{change};
}

decision_result decide(const document_state&, const delete_document&, const runtime::context&) {
    return events{document_deleted{}};
}

/// Who may not see it learns nothing of it.
expected<void> check_access(const document_state& s, const document_caller& caller, const runtime::context& context) {
    const auto access = s.id.is_nil() || s.deleted
                            ? document_access::none
                            : access_of(caller, s.created_by, s.organization_access, s.shared_with);
    if (access == document_access::none) {
        return no_such("document", context.self.id);
    }
    return access == document_access::write
               ? expected<void>()
               : problem{code::forbidden, "The document is shared with you to be read. Ask " + s.created_by +
                                              " to share it with you to be written."};
}

void apply(document_state& s, const document_created& e, const runtime::event_context& at) {
    s.id = at.id;
    s.organization = e.organization;
    s.title = e.title;
    s.type = e.type;
    s.task_id = e.task_id;
    s.project_id = e.project_id;
    s.labels = e.labels;
    s.organization_access = e.organization_access;
    s.is_template = e.is_template;
    s.created_by = e.created_by;
    s.created_at = at.time;
    s.updated_by = e.created_by;
}

void apply(document_state& s, const document_written& e, const runtime::event_context&) {
    ++s.newest;
    s.versions.push_back(e.content);
    if (s.versions.size() > document_versions_max) {
        s.versions.erase(s.versions.begin());
    }
    s.updated_by = e.by;
}

void apply(document_state& s, const document_updated& e, const runtime::event_context&) {
    s.title = e.title.value_or(s.title);
    s.type = e.type.value_or(s.type);
    s.labels = e.labels.value_or(s.labels);
    s.is_template = e.is_template.value_or(s.is_template);
    s.task_id = e.task_id ? e.task_id : s.task_id;
    s.project_id = e.project_id ? e.project_id : s.project_id;
    s.updated_by = e.by;
}

void apply(document_state& s, const document_shared& e, const runtime::event_context&) {
    s = with_shares(std::move(s), e);
    s.updated_by = e.by;
}

void apply(document_state& s, const document_deleted&, const runtime::event_context&) {
    s.deleted = true;
    s.versions.clear();
}

} // namespace

expected<events> document_model::decide(const state& s, const command& c, const runtime::context& context) {
    return std::visit(
        [&]<class Command>(const Command& each) -> decision_result {
            if constexpr (std::is_same_v<Command, delete_document>) {
                if (s.deleted) {
                    return events{};
                }
            }
            if constexpr (!std::is_same_v<Command, create_document>) {
                if (auto may = check_access(s, each.caller, context); !may) {
                    return may.error();
                }
            }
            return actors::decide(s, each, context);
        },
        c);
}

document_state document_model::apply(state s, const event& e, const runtime::event_context& at) {
    std::visit([&](const auto& each) { actors::apply(s, each, at); }, e);
    s.updated_at = at.time;
    return s;
}

std::vector<runtime::effect> document_model::resume(const state&) { return {}; }

std::vector<std::string_view> document_model::blobs(const state& s) {
    std::vector<std::string_view> out;
    out.reserve(s.versions.size());
    for (const auto& one : s.versions) {
        out.emplace_back(one.sha256);
    }
    return out;
}

std::vector<usage_amount> document_model::holds(const state& s) {
    const auto bytes = kept_bytes(s);
    return bytes > 0 ? std::vector{usage_amount{"storage_bytes", bytes}} : std::vector<usage_amount>{};
}

std::uint64_t oldest_document_version(std::uint64_t newest) {
    return newest > document_versions_max ? newest - document_versions_max + 1 : 1;
}

} // namespace troupe::actors
