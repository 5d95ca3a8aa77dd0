#include "actors/mcp/installation_keeper.hpp"

#include "actors/mcp/installation_model.hpp"
#include "schemas/base/log.hpp"
#include "storage/store.hpp"
#include "storage/views.hpp"

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>

namespace troupe::actors {
namespace {

constexpr std::chrono::milliseconds look_every{300};
constexpr std::size_t servers_max = 200;

/// All that makes another server of it.
std::string mark_of(const mcp_installation_document& d) {
    auto same = d;
    same.status = mcp_install_status::installed;
    same.error.reset();
    same.version.clear();
    same.updated_at = {};
    same.package.version.clear(); // an upgrade shows in the command
    return to_json(same);
}

} // namespace

runtime::mcp_server settings_of(const mcp_installation_document& installed) {
    runtime::mcp_server out;
    out.name = installed.id;
    out.command = installed.command;
    out.idempotent = installed.idempotent;
    out.network = installed.network;
    const bool remote = installed.package.type == mcp_package_type::remote;
    if (remote) {
        out.url = installed.package.identifier;
    }
    for (const auto& input : installed.package.inputs) {
        const auto given = installed.values.find(input.name);
        const auto& value = given == installed.values.end() ? input.fallback : given->second;
        if (value.empty()) {
            continue;
        }
        switch (input.kind) {
        case mcp_input_kind::environment:
            out.environment[input.name] = value;
            break;
        case mcp_input_kind::header:
            out.headers[input.name] = value;
            break;
        case mcp_input_kind::argument:
            if (input.named) {
                out.command.push_back(input.name);
            }
            out.command.push_back(value);
            break;
        }
    }
    return out;
}

struct installation_keeper::impl {
    impl(const runtime::services& s, mcp_hub& h)
        : services(s), hub(h), configured(h.configured().begin(), h.configured().end()) {}

    const runtime::services& services;
    mcp_hub& hub;
    const std::set<std::string> configured;
    std::map<std::string, std::string> there; ///< What the hub has of ours, by name.
    std::uint64_t seen = 0;
    bool stale = true;
    std::mutex mutex;
    std::condition_variable ends;
    bool ended = false;
    std::thread thread;

    [[nodiscard]] std::uint64_t applied() const {
        std::uint64_t out = 0;
        for (std::uint32_t shard = 0; shard < services.store->who().shards; ++shard) {
            out += services.store->applied(shard);
        }
        return out;
    }

    void run() {
        std::unique_lock lock(mutex);
        while (!ended) {
            lock.unlock();
            look();
            lock.lock();
            ends.wait_for(lock, look_every, [this] { return ended; });
        }
    }

    void look() {
        const auto now = applied();
        if (now == seen && !stale) {
            return;
        }
        storage::list_query query;
        query.organization = hub.organization();
        query.kind = installation_model::kind;
        query.limit = servers_max;
        const auto page = storage::read_list(*services.store, query);
        if (!page) {
            log_for("mcp").error("the installed servers cannot be read: {}", page.error().detail);
            return;
        }
        std::map<std::string, mcp_installation_document> wanted;
        for (const auto& item : page->items) {
            auto one = from_json<mcp_installation_document>(item.json, strictness::stored);
            if (one && one->enabled && one->installed_version && !configured.contains(one->id)) {
                wanted.emplace(one->id, std::move(*one));
            }
        }
        take(wanted);
        seen = now;
        stale = false;
    }

    void take(const std::map<std::string, mcp_installation_document>& wanted) {
        for (auto one = there.begin(); one != there.end();) {
            if (wanted.contains(one->first)) {
                ++one;
                continue;
            }
            hub.forget(one->first);
            one = there.erase(one);
        }
        for (const auto& [name, installed] : wanted) {
            auto mark = mark_of(installed);
            if (const auto before = there.find(name); before == there.end() || before->second != mark) {
                hub.add(settings_of(installed));
                there[name] = std::move(mark);
            }
        }
    }
};

installation_keeper::installation_keeper(const runtime::services& s, mcp_hub& hub)
    : impl_(std::make_unique<impl>(s, hub)) {
    impl_->thread = std::thread([me = impl_.get()] { me->run(); });
}

installation_keeper::~installation_keeper() {
    {
        const std::scoped_lock lock(impl_->mutex);
        impl_->ended = true;
    }
    impl_->ends.notify_all();
    impl_->thread.join();
    for (const auto& [name, mark] : impl_->there) { // whoever comes after this one begins anew
        impl_->hub.remove(name);
    }
}

} // namespace troupe::actors
