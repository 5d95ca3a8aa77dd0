#include "actors/task/task_links.hpp"

#include "actors/common/stored.hpp"
#include "schemas/task.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::actors {
namespace {

constexpr std::size_t visited_max = 10'000;
constexpr std::size_t depth_max = 32;        ///< Of parts in parts.
constexpr std::ptrdiff_t way_names_max = 50; ///< Of a circle that are said.

class task_reader {
public:
    task_reader(const runtime::services& s, const uuid& organization) : services_(s), organization_(organization) {}

    expected<std::optional<task_document>> read(const uuid& id) const {
        return read_stored<task_document>(*services_.store, {organization_, "task", id});
    }
    expected<task_document> named(const uuid& id, std::string_view pointer) const {
        auto found = read(id);
        if (!found || !*found) {
            return found ? problem{code::invalid_request,
                                   "There is no task " + to_string(id) + ".",
                                   {{std::string(pointer), "names no task"}}}
                         : found.error();
        }
        return std::move(**found);
    }

private:
    const runtime::services& services_;
    uuid organization_;
};

std::string name_of(const task_document& t) { return t.key.value_or(to_string(t.id)); }

problem circle(std::string_view pointer, std::string_view what, const std::string& way) {
    return {code::conflict, fmt::format("{}: {}.", what, way), {{std::string(pointer), "closes a circle"}}};
}

/// From the parent up.
expected<void> check_parent(const task_reader& tasks, const std::optional<uuid>& self, const uuid& parent) {
    auto at = tasks.named(parent, "/parent_id");
    std::string way;
    for (std::size_t depth = 0; at; ++depth) {
        way += (way.empty() ? "" : " is a part of ") + name_of(*at);
        if (self && at->id == *self) {
            return circle("/parent_id", "A task cannot be a part of its own parts", way);
        }
        if (depth == depth_max) {
            return problem{code::limit_reached, fmt::format("Parts of parts go {} deep at most.", depth_max)};
        }
        if (!at->parent_id) {
            return {};
        }
        auto above = tasks.read(*at->parent_id);
        if (!above || !*above) {
            return above ? expected<void>() : above.error();
        }
        at = std::move(**above);
    }
    return at.error();
}

struct waited_for {
    uuid id;
    std::string name;
    std::vector<uuid> depends_on;
    std::size_t by = 0; ///< Which of them waits for it; the first: itself.
};

waited_for step_of(const task_document& t, std::size_t by) {
    return {t.id, name_of(t), t.depends_on.value_or(std::vector<uuid>()), by};
}

/// "TASK-2, that for TASK-3": from the first to that one.
std::string way_to(const std::vector<waited_for>& all, std::size_t at) {
    std::vector<std::string_view> names{all[at].name};
    for (; at != all[at].by; at = all[at].by) {
        names.emplace_back(all[all[at].by].name);
    }
    std::ranges::reverse(names);
    if (std::ssize(names) > way_names_max) {
        names.erase(names.begin() + way_names_max, names.end() - 1);
        names.insert(names.end() - 1, "…");
    }
    return fmt::format("{}", fmt::join(names, ", that for "));
}

/// Depth first through all that they wait for; each is read once.
expected<void> check_dependency(const task_reader& tasks, const uuid& self, const task_document& first,
                                std::set<uuid>& seen) {
    if (!seen.insert(first.id).second) {
        return {};
    }
    std::vector<waited_for> all{step_of(first, 0)};
    for (std::vector<std::size_t> open{0}; !open.empty();) {
        const auto at = open.back();
        open.pop_back();
        if (all[at].id == self) {
            const auto way = way_to(all, at);
            return circle("/depends_on", "Tasks would wait for each other", all[at].name + " waits for " + way);
        }
        for (const auto& id : std::vector(all[at].depends_on)) {
            if (!seen.insert(id).second) {
                continue;
            }
            if (seen.size() > visited_max) {
                return problem{code::limit_reached, fmt::format("It would wait for over {} tasks.", visited_max)};
            }
            const auto next = tasks.read(id);
            if (!next) {
                return next.error();
            }
            if (*next) {
                open.push_back(all.size());
                all.push_back(step_of(**next, at));
            }
        }
    }
    return {};
}

} // namespace

expected<void> check_task_links(const runtime::services& s, const uuid& organization, const std::optional<uuid>& self,
                                const std::optional<uuid>& parent, const std::vector<uuid>& depends_on) {
    const task_reader tasks(s, organization);
    if (parent && !parent->is_nil()) {
        if (auto sound = check_parent(tasks, self, *parent); !sound) {
            return sound;
        }
    }
    std::set<uuid> seen;
    for (const auto& id : depends_on) {
        const auto other = tasks.named(id, "/depends_on");
        if (!other) {
            return other.error();
        }
        if (auto sound = self ? check_dependency(tasks, *self, *other, seen) : expected<void>(); !sound) {
            return sound;
        }
    }
    return {};
}

} // namespace troupe::actors
