#include "actors/application/live_figures.hpp"

#include "runtime/bus/bus.hpp"
#include "runtime/entity/troubles.hpp"
#include "runtime/metrics/process.hpp"
#include "runtime/supervision/dead_letters.hpp"
#include "schemas/base/clock.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace troupe::actors {

namespace {

constexpr std::chrono::seconds look_every{1};
constexpr int looks_a_figure = 5;
/// More at once are only counted.
constexpr std::size_t letters_max = 100;

system_figures figures_of(runtime::node& node, std::size_t connections) {
    const auto process = runtime::read_process();
    const auto counts = node.statistics();
    return {.resident_bytes = process.resident_bytes,
            .processor_s = process.cpu_seconds,
            .connections = connections,
            .subscribers = counts.subscribers,
            .entities_active = counts.entities_active,
            .entities_in_trouble = node.parts().troubles->entities(),
            .commands_accepted = counts.commands_accepted,
            .commands_refused = counts.commands_refused,
            .commands_outstanding = counts.commands_outstanding,
            .commits = counts.commits,
            .effects_performing = counts.performing};
}

} // namespace

struct live_figures::impl {
    impl(runtime::node& n, std::function<std::size_t()> c) : node(n), connections(std::move(c)) {
        const auto newest = node.parts().letters->list(1);
        last_letter = newest.empty() ? 0 : newest.front().number;
    }

    void publish(const std::string& channel, const std::string& kind, std::string data) const {
        node.parts().live->publish(
            {{}, system_now(), channel, kind, std::move(data), node.parts().store->who().default_organization});
    }

    void tell_letters() {
        auto newest = node.parts().letters->list(letters_max);
        for (auto letter = newest.rbegin(); letter != newest.rend(); ++letter) {
            if (letter->number > last_letter) {
                last_letter = letter->number;
                publish("system_alerts", "dead_letter", to_json(*letter));
            }
        }
    }

    void tell_troubles() {
        const auto now = node.parts().troubles->entities();
        if (std::exchange(in_trouble, now) != now) {
            publish("system_alerts", "troubles",
                    troupe::to_json(trouble_alert{
                        now, std::to_string(now) + " entities crashed, cannot be read, or try an effect again"}));
        }
    }

    void run() {
        std::unique_lock lock(mutex);
        for (int looks = 0; !changed.wait_for(lock, look_every, [&] { return stopping; }); ++looks) {
            tell_letters();
            tell_troubles();
            if (looks % looks_a_figure == 0) {
                publish("system_metrics", "metrics", troupe::to_json(figures_of(node, connections())));
            }
        }
    }

    runtime::node& node;
    const std::function<std::size_t()> connections;
    std::uint64_t last_letter = 0;
    std::size_t in_trouble = 0;
    std::mutex mutex;
    std::condition_variable changed;
    bool stopping = false;
    std::thread thread;
};

live_figures::live_figures(runtime::node& node, std::function<std::size_t()> connections)
    : impl_(std::make_unique<impl>(node, std::move(connections))) {
    impl_->thread = std::thread([me = impl_.get()] { me->run(); });
}

live_figures::~live_figures() {
    {
        const std::lock_guard lock(impl_->mutex);
        impl_->stopping = true;
    }
    impl_->changed.notify_all();
    impl_->thread.join();
}

} // namespace troupe::actors
