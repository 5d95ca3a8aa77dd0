#include "actors/kinds/browser/browser_desk.hpp"

#include "schemas/base/clock.hpp"
#include "schemas/base/durable_file.hpp"
#include "schemas/base/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <iterator>
#include <vector>

namespace troupe::actors {

namespace fs = std::filesystem;

namespace {

constexpr auto sweep_every = std::chrono::seconds(1);
constexpr auto turn_poll = std::chrono::milliseconds(50);

constexpr std::string_view idle_words = "it was not used for a while and was closed";
constexpr std::string_view end_words = "it ended";
constexpr std::string_view node_words = "the node stopped meanwhile";

/// Of what runs under the runner; the folder of the profile has the same last name.
std::string key_of(const uuid& run, const std::string& name) { return to_string(run) + "/browser/" + name; }

/// The run of a folder: "ORGANIZATION_RUN".
std::optional<entity_address> run_of(const fs::path& folder) {
    const auto name = folder.filename().string();
    const auto middle = name.find('_');
    const auto organization = parse_uuid(name.substr(0, middle));
    const auto run = middle == name.npos ? std::nullopt : parse_uuid(name.substr(middle + 1));
    return organization && run ? std::optional(entity_address{*organization, "run", *run}) : std::nullopt;
}

std::vector<fs::path> folders_in(const fs::path& folder) {
    std::vector<fs::path> out;
    std::error_code none;
    for (fs::directory_iterator at(folder, none), end; !none && at != end; at.increment(none)) {
        out.push_back(at->path());
    }
    return out;
}

void remove_whole(const fs::path& folder) {
    std::error_code failed;
    fs::remove_all(folder, failed);
    if (failed) {
        log_for("run").warn("cannot remove {}: {}", folder.native(), failed.message());
    }
}

} // namespace

struct browser_desk::slot {
    std::timed_mutex turn;
    std::shared_ptr<browser> held;
    std::string lost; ///< Why the one before is gone.
    std::int64_t used_ms = monotonic_ms();
    std::atomic<bool> open = false; ///< As `held`, for others.

    void end(std::string_view why) {
        held = nullptr;
        open = false;
        lost = why;
    }
};

browser_desk::browser_desk(settings s) : settings_(std::move(s)) {
    std::vector<fs::path> left;
    for (const auto& folder : folders_in(settings_.folder)) {
        left.push_back(folder);
        std::ranges::move(folders_in(folder), std::back_inserter(left));
    }
    keeper_ = std::jthread([this, left = std::move(left)](const std::stop_token& stop) {
        remove_leftovers(left, stop);
        keep(stop);
    });
}

browser_desk::~browser_desk() { stop(); }

void browser_desk::stop() {
    keeper_ = {}; // asks it to stop, and waits
    std::map<entity_address, std::shared_ptr<slot>> all;
    {
        const std::scoped_lock lock(mutex_);
        stopped_ = true;
        all.swap(slots_);
    }
    for (auto& [run, s] : all) {
        const std::scoped_lock lock(s->turn);
        s->end(node_words);
    }
}

fs::path browser_desk::folder_of(const entity_address& run) const {
    return settings_.folder / (to_string(run.organization) + "_" + to_string(run.id));
}

expected<browser_desk::turn> browser_desk::take(const entity_address& run, bool begin_one,
                                                const std::stop_token& stop) {
    std::shared_ptr<slot> mine;
    {
        const std::scoped_lock lock(mutex_);
        if (stopped_) {
            return problem{code::unavailable, "the node stops"};
        }
        auto& place = slots_[run];
        if (!place) {
            place = std::make_shared<slot>();
            std::error_code none;
            place->lost = fs::exists(folder_of(run), none) ? node_words : "";
        }
        mine = place;
    }
    turn out;
    out.lock_ = std::unique_lock(mine->turn, std::defer_lock);
    while (!out.lock_.try_lock_for(turn_poll)) {
        if (stop.stop_requested()) {
            return problem{code::cancelled, "the call was cancelled"};
        }
    }
    mine->used_ms = monotonic_ms();
    if (mine->held && !mine->held->is_alive()) {
        mine->end(end_words);
    }
    out.lost_ = mine->lost;
    if (!mine->held && begin_one) {
        if (auto begun = begin(*mine, run, stop); !begun) {
            return begun.error();
        }
        mine->lost.clear();
    }
    out.held_ = mine->held;
    out.slot_ = std::move(mine);
    return out;
}

expected<void> browser_desk::begin(slot& s, const entity_address& run, const std::stop_token& stop) {
    std::size_t others = 0;
    {
        const std::scoped_lock lock(mutex_);
        for (const auto& [who, other] : slots_) {
            others += other->open ? 1 : 0;
        }
    }
    if (others >= settings_.browsers_max) {
        return problem{code::overloaded, fmt::format("there are {} browsers at work on this node already; try again "
                                                     "later",
                                                     others)};
    }
    const auto name = to_string(make_uuid());
    auto started =
        browser::start(*settings_.commands, key_of(run.id, name), folder_of(run) / name, settings_.allowed, stop);
    if (!started) {
        return started.error();
    }
    s.held = std::move(*started);
    s.open = true;
    return {};
}

// ---- the keeper

void browser_desk::keep(const std::stop_token& stop) {
    std::mutex alone;
    std::condition_variable_any never;
    std::unique_lock lock(alone);
    while (!never.wait_for(lock, stop, sweep_every, [&] { return stop.stop_requested(); })) {
        sweep();
    }
}

/// Of a node that was killed: its browsers ended with it. An empty folder stays, by which the run is told so.
void browser_desk::remove_leftovers(const std::vector<fs::path>& left, const std::stop_token& stop) {
    for (const auto& folder : left) {
        if (stop.stop_requested()) {
            return;
        }
        if (const auto run = run_of(folder.parent_path())) {
            const auto key = key_of(run->id, folder.filename().string());
            (void)settings_.commands->end(key); // waits for a runner that is just ending
            settings_.commands->forget(key);
            remove_whole(folder);
        } else if (const auto ended = run_of(folder); !ended || settings_.has_ended(*ended)) {
            remove_whole(folder);
        }
    }
}

/// Ends what is used no more. A browser at work is left alone: its call is told when its run ends.
void browser_desk::sweep() {
    std::map<entity_address, std::shared_ptr<slot>> all;
    {
        const std::scoped_lock lock(mutex_);
        all = slots_;
    }
    for (auto& [run, s] : all) {
        const std::unique_lock lock(s->turn, std::try_to_lock);
        if (!lock) {
            continue;
        }
        const bool over = settings_.has_ended(run);
        if (over || (s->held && monotonic_ms() - s->used_ms > settings_.idle_ms)) {
            s->end(idle_words);
        }
        if (over) {
            remove_whole(folder_of(run));
            const std::scoped_lock table(mutex_);
            slots_.erase(run);
        }
    }
}

} // namespace troupe::actors
