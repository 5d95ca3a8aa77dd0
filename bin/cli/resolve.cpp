#include "bin/cli/resolve.hpp"

#include "actors/common/task_numbers.hpp"

#include "schemas/agent.hpp"
#include "schemas/approval.hpp"
#include "schemas/auth.hpp"
#include "schemas/chat.hpp"
#include "schemas/document.hpp"
#include "schemas/goal.hpp"
#include "schemas/name_messages.hpp"
#include "schemas/organization.hpp"
#include "schemas/project.hpp"
#include "schemas/run.hpp"
#include "schemas/task.hpp"
#include "schemas/user.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <set>
#include <utility>

namespace troupe::cli {
namespace {

/// How far a list is searched for a shortened id: beyond, the whole id is asked for.
constexpr std::size_t searched_max = 1000;
constexpr std::size_t uuid_length = 36;

template <class Document>
expected<uuid> resolve(api& node, std::string_view what, std::string_view path, std::string_view word,
                       const std::function<std::string(const Document&)>& name_of, bool named_by_filter = false) {
    if (const auto id = parse_uuid(word)) {
        return *id;
    }
    if (named_by_filter) {
        const std::set<std::string> spellings{std::string(word), fold_name(word)};
        for (const auto& name : spellings) {
            auto named = node.list<Document>(path, {{"name", name}}, 2);
            if (named && named->items.size() == 1) {
                return named->items.front().id;
            }
        }
    }
    auto list = node.list<Document>(path, {}, searched_max);
    if (!list) {
        return list.error();
    }
    std::vector<candidate> candidates;
    for (const auto& item : list->items) {
        candidates.push_back({item.id, name_of ? name_of(item) : std::string()});
    }
    auto chosen = choose(what, word, candidates);
    if (!chosen && chosen.error().code == code::not_found && list->more) {
        return problem{code::not_found, fmt::format("No {} among the newest {} begins with \"{}\": give the whole id.",
                                                    what, searched_max, word)};
    }
    return chosen;
}

/// Which command lists them.
std::string list_command(std::string_view what) {
    return what == "session"      ? "sessions"
           : what == "document"   ? "doc list"
           : what == "invitation" ? "org invitations"
                                  : fmt::format("{} list", what);
}

} // namespace

expected<uuid> choose(std::string_view what, std::string_view word, const std::vector<candidate>& candidates) {
    const auto wanted = fold_name(word);
    std::vector<const candidate*> fits;
    const auto look_for = [&](const auto& is_meant) {
        for (const auto& c : candidates) {
            if (is_meant(c)) {
                fits.push_back(&c);
            }
        }
    };
    look_for([&](const candidate& c) { return !c.name.empty() && c.name == word; });
    if (fits.empty()) { // names are unique without regard to case
        look_for([&](const candidate& c) { return !c.name.empty() && fold_name(c.name) == wanted; });
    }
    if (fits.empty() && word.size() >= prefix_min) {
        look_for([&](const candidate& c) { return to_string(c.id).starts_with(wanted); });
    }
    if (fits.size() == 1) {
        return fits.front()->id;
    }
    if (fits.empty()) {
        return problem{code::not_found,
                       word.size() < prefix_min &&
                               word.find_first_not_of("0123456789abcdefABCDEF-") == std::string_view::npos
                           ? fmt::format("No {} is \"{}\". The beginning of an id needs at least {} characters.", what,
                                         word, prefix_min)
                           : fmt::format("No {} is \"{}\". See `troupe {}`.", what, word, list_command(what))};
    }
    problem several{code::conflict,
                    fmt::format("\"{}\" fits {} {}s: give more characters of the id.", word, fits.size(), what)};
    constexpr std::size_t shown_max = 5;
    for (const auto* c : fits) {
        if (several.errors.size() < shown_max) {
            several.errors.push_back({to_string(c->id), c->name.empty() ? std::string(what) : c->name});
        }
    }
    return several;
}

std::size_t short_length(const std::vector<uuid>& ids) {
    constexpr std::size_t time_length = 13;
    std::vector<std::string> texts;
    for (const auto& id : ids) {
        texts.push_back(to_string(id));
    }
    std::ranges::sort(texts);
    std::size_t length = time_length;
    for (std::size_t i = 1; i < texts.size(); ++i) {
        const auto [a, b] = std::ranges::mismatch(texts[i - 1], texts[i]);
        length = std::max(length, static_cast<std::size_t>(a - texts[i - 1].begin()) + 1);
    }
    return std::min(length, uuid_length);
}

std::string short_id(const uuid& id, std::size_t length) { return to_string(id).substr(0, length); }

expected<uuid> resolve_run(api& node, std::string_view word) {
    return resolve<run_document>(node, "run", "/runs", word, {});
}

expected<uuid> resolve_task(api& node, std::string_view word) {
    if (const auto number = actors::task_number_in(word)) {
        const auto found = node.list<task_document>("/tasks", {{"key", actors::task_key(*number)}}, 1);
        return !found ? expected<uuid>(found.error())
               : found->items.empty()
                   ? expected<uuid>(problem{code::not_found, fmt::format("There is no task {}.", word)})
                   : expected<uuid>(found->items.front().id);
    }
    return resolve<task_document>(node, "task", "/tasks", word, [](const task_document& t) { return t.title; });
}

expected<uuid> resolve_document(api& node, std::string_view word) {
    return resolve<document_document>(node, "document", "/documents", word,
                                      [](const document_document& d) { return d.title; });
}

expected<uuid> resolve_goal(api& node, std::string_view word) {
    return resolve<goal_document>(node, "goal", "/goals", word, [](const goal_document& g) { return g.title; });
}

expected<uuid> resolve_chat(api& node, std::string_view word) {
    return resolve<chat_document>(node, "chat", "/chats", word, [](const chat_document& c) { return c.title; });
}

expected<uuid> resolve_agent(api& node, std::string_view word) {
    return resolve<agent_document>(
        node, "agent", "/agents", word, [](const agent_document& a) { return a.settings.name; }, true);
}

expected<uuid> resolve_project(api& node, std::string_view word) {
    return resolve<project_document>(
        node, "project", "/projects", word, [](const project_document& p) { return p.name; }, true);
}

expected<uuid> resolve_approval(api& node, std::string_view word) {
    return resolve<approval_document>(node, "approval", "/approvals", word, {});
}

expected<uuid> resolve_user(api& node, std::string_view word) {
    if (word.find('@') != std::string_view::npos) {
        const auto user = node.get_as<user_document>("/users/" + encode_segment(word));
        return user ? expected<uuid>(user->id) : user.error();
    }
    return resolve<user_document>(node, "user", "/users", word, [](const user_document& u) { return u.email; });
}

expected<uuid> resolve_key(api& node, std::string_view word) {
    return resolve<api_key_document>(node, "key", "/api-keys", word, [](const api_key_document& k) { return k.name; });
}

expected<uuid> resolve_session(api& node, std::string_view word) {
    return resolve<session_document>(node, "session", "/auth/sessions", word, {});
}

expected<uuid> resolve_invitation(api& node, std::string_view organization_path, std::string_view word) {
    return resolve<invitation_document>(node, "invitation", std::string(organization_path) + "/invitations", word,
                                        [](const invitation_document& i) { return i.email; });
}

namespace {

constexpr std::array<std::pair<std::string_view, expected<uuid> (*)(api&, std::string_view)>, 5> kinds = {
    {{"run", resolve_run},
     {"task", resolve_task},
     {"agent", resolve_agent},
     {"approval", resolve_approval},
     {"project", resolve_project}}};

/// Whether there is an entity of that kind; a whole id is not looked up by `resolve`.
expected<bool> exists(api& node, std::string_view kind, const uuid& id) {
    const auto found = node.get(fmt::format("/{}s/{}", kind, to_string(id)));
    return found || found.error().code == code::not_found ? expected<bool>(found.has_value())
                                                          : expected<bool>(found.error());
}

} // namespace

expected<uuid> resolve_of_kind(api& node, std::string_view kind, std::string_view word) {
    const auto found = std::ranges::find(kinds, kind, [](const auto& k) { return k.first; });
    return found == kinds.end()
               ? expected<uuid>(problem{code::invalid_request,
                                        fmt::format("\"{}\" is no kind: run, task, agent, approval or project.", kind)})
               : found->second(node, word);
}

expected<entity_named> resolve_anything(api& node, std::string_view word) {
    std::vector<entity_named> fits;
    for (const auto& [kind, resolve_one] : kinds) {
        const auto id = resolve_one(node, word);
        if (!id && id.error().code != code::not_found) {
            return id.error();
        }
        const auto there = id && parse_uuid(word) ? exists(node, kind, *id) : expected<bool>(id.has_value());
        if (!there) {
            return there.error();
        }
        if (*there) {
            fits.push_back({std::string(kind), *id});
        }
    }
    if (fits.size() == 1) {
        return fits.front();
    }
    if (fits.empty()) {
        return problem{code::not_found,
                       fmt::format("No run, task, agent, approval or project is \"{}\", or begins with it.", word)};
    }
    problem several{code::conflict, fmt::format("\"{}\" fits {} things: say the kind, as in `{} {}`.", word,
                                                fits.size(), fits.front().kind, word)};
    for (const auto& fit : fits) {
        several.errors.push_back({fit.kind, to_string(fit.id)});
    }
    return several;
}

} // namespace troupe::cli
