#include "actors/tool/tool_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <utility>

namespace troupe::actors {

namespace {

/// What providers take as a name.
constexpr std::size_t name_bytes_max = 64;

struct table {
    std::vector<tool_info> infos; ///< The product's first.
    std::vector<const custom_tool*> added;
};

/// Readers take the newest table without a lock. Older tables and removed tools are kept: runs that are just ending may
/// still look at them.
class tables {
public:
    tables() { current_ = &made_of({}); }

    const table& current() const { return *current_.load(std::memory_order_acquire); }

    expected<std::shared_ptr<void>> add(std::vector<custom_tool> tools) {
        const std::scoped_lock lock(mutex_);
        auto added = current().added;
        std::vector<const custom_tool*> mine;
        for (auto& tool : tools) {
            if (auto fits = check(tool, added); !fits) {
                return fits.error();
            }
            mine.push_back(&kept_tools_.emplace_back(std::move(tool)));
            added.push_back(mine.back());
        }
        current_.store(&made_of(std::move(added)), std::memory_order_release);
        return std::shared_ptr<void>(nullptr, [this, mine = std::move(mine)](void*) { remove(mine); });
    }

private:
    void remove(const std::vector<const custom_tool*>& mine) {
        const std::scoped_lock lock(mutex_);
        auto left = current().added;
        std::erase_if(left, [&](const custom_tool* tool) { return std::ranges::find(mine, tool) != mine.end(); });
        current_.store(&made_of(std::move(left)), std::memory_order_release);
    }

    const table& made_of(std::vector<const custom_tool*> added) {
        table out{{product_tools().begin(), product_tools().end()}, std::move(added)};
        for (const auto* tool : out.added) {
            out.infos.push_back({.name = tool->name,
                                 .description = tool->description,
                                 .safety = tool->safety,
                                 .writes = tool->writes,
                                 .needs_project = tool->needs_project,
                                 .permission = tool->permission,
                                 .added = tool,
                                 .organization = tool->organization});
        }
        return kept_tables_.emplace_back(std::move(out));
    }

    static expected<void> check(const custom_tool& tool, const std::vector<const custom_tool*>& added) {
        const auto refused = [&](std::string_view why) {
            return problem{code::config_invalid, fmt::format("the tool '{}' cannot be added: {}", tool.name, why)};
        };
        const auto has_its_name = [&](const auto& other) { return other.name == tool.name; };
        if (tool.name.empty() || tool.name.size() > name_bytes_max || !std::ranges::all_of(tool.name, [](char c) {
                return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
            })) {
            return refused(fmt::format("its name has to be 1 to {} of a-z, 0-9 and _", name_bytes_max));
        }
        if (std::ranges::any_of(product_tools(), has_its_name) ||
            std::ranges::any_of(added, [&](const auto* other) { return has_its_name(*other); })) {
            return refused("there is one of that name; choose another name");
        }
        if (tool.runs_command ? tool.safety != repeat_safety::recorded
                              : tool.safety != repeat_safety::once && tool.safety != repeat_safety::idempotent) {
            return refused("its safety has to be `once` or `idempotent`, and `recorded` if it runs a command");
        }
        if (tool.writes && !tool.needs_project) {
            return refused("it writes to the project, so it needs one: set `needs_project`");
        }
        if (!tool.schema || !tool.check || !tool.perform) {
            return refused("it lacks `schema`, `check` or `perform`; `make_tool` gives all three");
        }
        return {};
    }

    std::mutex mutex_;
    std::deque<custom_tool> kept_tools_;
    std::deque<table> kept_tables_;
    std::atomic<const table*> current_{nullptr};
};

tables& all() {
    static auto& made = *new tables; // never destroyed: threads of performers may outlive `main`
    return made;
}

} // namespace

std::string tool_info::schema() const { return added ? added->schema() : product_schema(); }

expected<void> tool_info::check(std::string_view arguments) const {
    return added ? added->check(arguments) : product_check(arguments);
}

std::span<const tool_info> all_tools() { return all().current().infos; }

const tool_info* find_tool(std::string_view name) {
    const auto tools = all_tools();
    const auto found = std::ranges::find(tools, name, &tool_info::name);
    return found == tools.end() ? nullptr : &*found;
}

const custom_tool* find_added(std::string_view name) {
    const auto& added = all().current().added;
    const auto found = std::ranges::find(added, name, [](const auto* tool) { return std::string_view(tool->name); });
    return found == added.end() ? nullptr : *found;
}

expected<std::shared_ptr<void>> add_tools(std::vector<custom_tool> tools) { return all().add(std::move(tools)); }

} // namespace troupe::actors
