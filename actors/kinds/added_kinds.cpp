#include "actors/kinds/kind.hpp"
#include "schemas/base/json.hpp"
#include "schemas/base/json_schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <utility>

/// All kinds of this process: those of the product, and those that programs added.
namespace troupe::actors {

namespace {

constexpr std::size_t name_bytes_max = 64;

/// A kind with the lists that its `agent_kind` refers to.
struct kept_kind {
    custom_kind own;
    std::vector<std::string_view> tools;
    std::vector<std::string_view> verified_by;

    explicit kept_kind(custom_kind k)
        : own(std::move(k)),
          tools(own.tools.begin(), own.tools.end()),
          verified_by(own.verified_by.begin(), own.verified_by.end()) {}

    [[nodiscard]] agent_kind shown() const {
        return {.name = own.name,
                .description = own.description,
                .instructions = own.instructions,
                .tools = tools,
                .verified_by = verified_by,
                .rehearsal = own.rehearsal,
                .added = &own};
    }
};

expected<void> check(const custom_kind& kind, std::span<const agent_kind> present) {
    const auto refused = [&](std::string_view why) {
        return problem{code::config_invalid, fmt::format("the kind '{}' cannot be added: {}", kind.name, why)};
    };
    if (kind.name.empty() || kind.name.size() > name_bytes_max || !std::ranges::all_of(kind.name, [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
        })) {
        return refused(fmt::format("its name has to be 1 to {} of a-z, 0-9 and _", name_bytes_max));
    }
    if (std::ranges::count(present, std::string_view(kind.name), &agent_kind::name) > 0) {
        return refused("there is one of that name; choose another name");
    }
    for (const auto& [what, schema] :
         {std::pair("parameters_schema", kind.parameters_schema), std::pair("result_schema", kind.result_schema)}) {
        if (auto read = schema.empty() ? json_schema_check() : json_schema_check::parse(schema); !read) {
            return refused(fmt::format("its {} {}", what, read.error().detail));
        }
    }
    return {};
}

/// Readers take the newest list without a lock. Older lists and removed kinds are kept: runs may still look at them.
class kinds {
public:
    kinds() { current_ = &lists_.emplace_back(product_kinds().begin(), product_kinds().end()); }

    [[nodiscard]] std::span<const agent_kind> all() const { return *current_.load(std::memory_order_acquire); }

    expected<std::shared_ptr<void>> add(std::vector<custom_kind> more) {
        const std::scoped_lock lock(mutex_);
        std::vector<agent_kind> list(all().begin(), all().end());
        std::vector<const custom_kind*> mine;
        for (auto& kind : more) {
            if (auto fits = check(kind, list); !fits) {
                return fits.error();
            }
            list.push_back(kept_.emplace_back(std::move(kind)).shown());
            mine.push_back(list.back().added);
        }
        show(std::move(list));
        return std::shared_ptr<void>(nullptr, [this, mine = std::move(mine)](void*) { remove(mine); });
    }

private:
    void remove(const std::vector<const custom_kind*>& mine) {
        const std::scoped_lock lock(mutex_);
        std::vector<agent_kind> list(all().begin(), all().end());
        std::erase_if(list, [&](const agent_kind& k) { return k.added && std::ranges::count(mine, k.added) > 0; });
        show(std::move(list));
    }

    void show(std::vector<agent_kind> list) {
        current_.store(&lists_.emplace_back(std::move(list)), std::memory_order_release);
    }

    std::mutex mutex_;
    std::deque<kept_kind> kept_;
    std::deque<std::vector<agent_kind>> lists_;
    std::atomic<const std::vector<agent_kind>*> current_{nullptr};
};

expected<void> check_for(const agent_kind& kind, std::string_view json) {
    if (!kind.added) {
        return kind.check_parameters ? kind.check_parameters(json) : expected<void>();
    }
    if (kind.added->parameters_schema.empty()) {
        return {};
    }
    const auto schema = json_schema_check::parse(kind.added->parameters_schema);
    auto fits = schema ? schema->check(json) : expected<void>(schema.error());
    if (fits) {
        return {};
    }
    auto wrong = fits.error();
    wrong.detail = fmt::format("The parameters are not what the kind '{}' takes.", kind.name);
    for (auto& e : wrong.errors) {
        e.pointer = "/parameters" + (e.pointer == "/" ? std::string() : e.pointer);
    }
    return wrong;
}

kinds& registry() {
    static auto& made = *new kinds; // never destroyed: threads of performers may outlive `main`
    return made;
}

} // namespace

std::span<const agent_kind> all_kinds() { return registry().all(); }

const agent_kind* find_kind(std::string_view name) {
    const auto all = all_kinds();
    const auto found = std::ranges::find(all, name, &agent_kind::name);
    return found == all.end() ? nullptr : &*found;
}

std::string parameters_schema_of(const agent_kind& kind) {
    return kind.added ? kind.added->parameters_schema : kind.parameters_schema ? kind.parameters_schema() : "";
}

std::string result_schema_of(const agent_kind& kind) {
    return kind.added ? kind.added->result_schema : kind.result_schema ? kind.result_schema() : "";
}

expected<void> check_parameters(std::string_view name, std::string_view json) {
    const auto bad = [](std::string why) {
        return problem{
            code::invalid_request, "The parameters cannot be used: they " + why + ".", {{"/parameters", why}}};
    };
    if (json.size() > parameters_bytes_max) {
        return bad(fmt::format("have {} bytes; at most {} can be given", json.size(), parameters_bytes_max));
    }
    const auto read = json::document::parse(json);
    if (!read || read->root().type() != json::kind::object) {
        return bad("have to be a JSON object");
    }
    const auto* kind = find_kind(name);
    return kind ? check_for(*kind, json) : expected<void>();
}

expected<std::shared_ptr<void>> add_kinds(std::vector<custom_kind> kinds) { return registry().add(std::move(kinds)); }

} // namespace troupe::actors
