#include "actors/mcp/mcp_usage_keeper.hpp"

#include "actors/mcp/mcp_usage_model.hpp"
#include "schemas/base/log.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

namespace troupe::actors {
namespace {

constexpr std::chrono::seconds store_every{10};

} // namespace

expected<void> store_mcp_usage(const runtime::services& s, mcp_hub& hub) {
    return hub.hand_over_usage([&](const mcp_hub::counted_day& one) {
        runtime::command c;
        c.to = {hub.organization(), std::string(mcp_usage_model::kind), mcp_usage_id(hub.organization(), one.day)};
        c.type = wire_name<add_mcp_usage>::value;
        c.payload = to_json(add_mcp_usage{one.day, one.rows});
        c.id = to_string(one.id);
        c.principal = "node";
        const auto done = runtime::ask(s, std::move(c));
        return done ? expected<void>() : expected<void>(done.error());
    });
}

struct mcp_usage_keeper::impl {
    impl(const runtime::services& s, mcp_hub& h) : services(s), hub(h) {}

    const runtime::services& services;
    mcp_hub& hub;
    std::mutex mutex;
    std::condition_variable ends;
    bool ended = false;
    bool failing = false; ///< Said already.
    std::thread thread;

    void run() {
        std::unique_lock lock(mutex);
        while (!ends.wait_for(lock, store_every, [this] { return ended; })) {
            lock.unlock();
            store();
            lock.lock();
        }
    }

    void store() {
        const auto done = store_mcp_usage(services, hub);
        if (!done && !std::exchange(failing, true)) {
            log_for("mcp").warn("what MCP tools were used for cannot be stored: {}", done.error().detail);
        }
        failing = failing && !done;
    }
};

mcp_usage_keeper::mcp_usage_keeper(const runtime::services& s, mcp_hub& hub) : impl_(std::make_unique<impl>(s, hub)) {
    impl_->thread = std::thread([me = impl_.get()] { me->run(); });
}

mcp_usage_keeper::~mcp_usage_keeper() {
    {
        const std::scoped_lock lock(impl_->mutex);
        impl_->ended = true;
    }
    impl_->ends.notify_all();
    impl_->thread.join();
}

} // namespace troupe::actors
