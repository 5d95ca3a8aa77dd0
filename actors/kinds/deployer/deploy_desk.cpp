#include "actors/kinds/deployer/deploy_desk.hpp"

#include "schemas/base/clock.hpp"
#include "schemas/base/durable_file.hpp"
#include "schemas/base/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <set>
#include <thread>

namespace troupe::actors {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t state_bytes_max = 64 << 10;
constexpr std::int64_t life_ms_max = 365LL * 24 * 3'600'000;
constexpr std::int64_t rest_ms_min = 500, rest_ms_max = 30'000;
constexpr std::int64_t steady_ms = 60'000; ///< Who lived so long is started again at once.

} // namespace

fs::path release_folder(const runtime::deploy_target& target, std::uint64_t release) {
    return fs::path(target.folder) / "releases" / std::to_string(release);
}

/// A command that is started again whenever it ends.
class deploy_desk::served_process {
public:
    served_process(const runtime::deploy_target& target, served_release what, runtime::sandbox& commands)
        : thread_(
              [this, &target, what, &commands](const std::stop_token& stop) { keep(target, what, commands, stop); }) {}

private:
    void keep(const runtime::deploy_target& target, served_release what, runtime::sandbox& commands,
              const std::stop_token& stop) {
        const auto key = fmt::format("deploy/{}/{}", target.name, what.port);
        runtime::command_spec spec;
        spec.argv = target.command;
        spec.project = release_folder(target, what.release);
        spec.environment = {{"PORT", std::to_string(what.port)}, {"TROUPE_RELEASE", std::to_string(what.release)}};
        spec.network = true;
        spec.ends_with_node = true;
        spec.limits.time_ms = life_ms_max;
        (void)commands.end(key); // what a node before this one left is ending
        auto rest_ms = rest_ms_min;
        while (!stop.stop_requested()) {
            commands.forget(key);
            const auto begin_ms = monotonic_ms();
            const auto done = commands.run(key, spec, stop, {});
            if (stop.stop_requested()) {
                break;
            }
            log_for("process").warn("release {} of the target {} ended: {}; it is started again", what.release,
                                    target.name,
                                    done ? fmt::format("code {} {}", done->exit_code, done->err) : done.error().detail);
            rest_ms = monotonic_ms() - begin_ms > steady_ms ? rest_ms_min : std::min(rest_ms * 2, rest_ms_max);
            std::mutex alone;
            std::condition_variable_any never;
            std::unique_lock lock(alone);
            never.wait_for(lock, stop, std::chrono::milliseconds(rest_ms), [] { return false; });
        }
        commands.forget(key);
    }

    std::jthread thread_; ///< Its end asks it to stop, and waits.
};

deploy_desk::deploy_desk(std::vector<runtime::deploy_target> targets, runtime::sandbox& commands)
    : targets_(std::move(targets)), commands_(commands) {
    for (const auto& target : targets_) {
        const auto state = target.is_process() ? read(target) : target_state();
        if (!state) {
            log_for("process").error("the target {} serves nothing: {}", target.name, state.error().detail);
            continue;
        }
        serve(target, *state);
    }
}

deploy_desk::~deploy_desk() { stop(); }

void deploy_desk::stop() {
    const std::scoped_lock lock(mutex_);
    stopped_ = true;
    processes_.clear();
}

const runtime::deploy_target* deploy_desk::find(std::string_view name) const {
    const auto found = std::ranges::find(targets_, name, &runtime::deploy_target::name);
    return found == targets_.end() ? nullptr : &*found;
}

expected<target_state> deploy_desk::read(const runtime::deploy_target& target) {
    const auto text = read_whole_file(fs::path(target.folder) / "state.json", state_bytes_max);
    if (!text) {
        return text.error().code == code::not_found ? expected<target_state>(target_state()) : text.error();
    }
    return from_json<target_state>(*text, strictness::stored);
}

expected<void> deploy_desk::write(const runtime::deploy_target& target, const target_state& state) {
    const fs::path folder(target.folder);
    if (auto written = replace_file(folder / "state.json", to_json(state), 0644); !written) {
        return written;
    }
    // In one step: whoever reads it finds the old release or the new one.
    std::error_code failed;
    const auto link = folder / "current";
    if (state.active) {
        const auto fresh = folder / ".current";
        fs::remove(fresh, failed);
        fs::create_directory_symlink(fs::path("releases") / std::to_string(state.active->release), fresh, failed);
        if (!failed) {
            fs::rename(fresh, link, failed);
        }
    } else {
        fs::remove(link, failed);
    }
    if (failed) {
        return file_problem("link", link.native(), failed.value());
    }
    if (auto synced = sync_folder(folder); !synced) {
        return synced;
    }
    serve(target, state);
    return {};
}

/// What ends has ended before something new begins: it may have its port.
void deploy_desk::serve(const runtime::deploy_target& target, const target_state& state) {
    std::set<served_release> wanted;
    for (const auto& one : {state.active, state.candidate, state.before_runs ? state.before : std::nullopt}) {
        if (one) {
            wanted.insert(*one);
        }
    }
    const std::scoped_lock lock(mutex_);
    std::erase_if(processes_, [&](const auto& entry) {
        return entry.first.first == target.name && !wanted.contains(entry.first.second);
    });
    for (const auto& one : wanted) {
        auto& place = processes_[{target.name, one}];
        if (!place && !stopped_) {
            place = std::make_unique<served_process>(target, one, commands_);
        }
    }
}

} // namespace troupe::actors
