#include "actors/kinds/deployer/deploy_steps.hpp"

#include "actors/tool/project_folder.hpp"
#include "net/client/http_client.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/durable_file.hpp"
#include "schemas/base/limits.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace troupe::actors {

namespace fs = std::filesystem;

namespace {

constexpr std::uintmax_t release_bytes_max = 2ULL << 30;
constexpr std::size_t release_files_max = 50'000;
constexpr std::size_t releases_kept = 5;
constexpr std::int64_t health_every_ms = 250;
constexpr std::int64_t health_answer_ms_max = 3'000;
constexpr int healthy_needed = 3;    ///< One after the other, to count as healthy.
constexpr int unhealthy_allowed = 2; ///< One after the other, while it is watched: the third ends it.
constexpr std::size_t output_bytes_max = 2000;
constexpr int all_percent = 100;

/// The highest number of a folder or a part of one.
std::uint64_t highest_release(const fs::path& releases) {
    std::uint64_t highest = 0;
    std::error_code none;
    for (fs::directory_iterator at(releases, none), end; !none && at != end; at.increment(none)) {
        const auto name = at->path().filename().string();
        std::uint64_t number = 0;
        std::from_chars(name.data(), name.data() + name.size(), number);
        highest = std::max(highest, number);
    }
    return highest;
}

/// Copies files, folders and links as they are. Links lead nowhere outside: the process sees its release only.
expected<std::size_t> copy_tree(const fs::path& from, const fs::path& to, const std::stop_token& stop) {
    std::size_t files = 0;
    std::uintmax_t bytes = 0;
    std::error_code failed;
    fs::create_directories(to, failed);
    for (fs::recursive_directory_iterator at(from, failed), end; !failed && at != end; at.increment(failed)) {
        const auto name = at->path().filename();
        if (at.depth() == 0 && (name == git_data_name || name == limits::node_data_name)) {
            at.disable_recursion_pending();
            continue;
        }
        const auto place = to / at->path().lexically_relative(from);
        const auto status = at->symlink_status(failed);
        if (failed) {
            break;
        }
        if (fs::is_symlink(status)) {
            fs::copy_symlink(at->path(), place, failed);
        } else if (fs::is_directory(status)) {
            fs::create_directory(place, at->path(), failed);
        } else if (fs::is_regular_file(status)) {
            bytes += at->file_size(failed);
            if (++files > release_files_max || bytes > release_bytes_max) {
                return problem{code::payload_too_large, fmt::format("the release has more than {} files or {} MiB",
                                                                    release_files_max, release_bytes_max >> 20)};
            }
            fs::copy_file(at->path(), place, failed);
        }
        if (stop.stop_requested()) {
            return problem{code::cancelled, "the call was cancelled"};
        }
    }
    return failed ? expected<std::size_t>(file_problem("copy", from.native(), failed.value())) : files;
}

bool undoes(deploy_step step) {
    return step == deploy_step::change_back || step == deploy_step::withdraw || step == deploy_step::discard;
}

} // namespace

std::uint64_t deploy_steps::next_release(const runtime::deploy_target& target) {
    return highest_release(fs::path(target.folder) / "releases") + 1;
}

expected<std::string> deploy_steps::perform(const planned_step& step, std::size_t number) {
    if (where_.stop.stop_requested() && !undoes(step.step)) {
        return problem{code::cancelled, "the call was cancelled"};
    }
    switch (step.step) {
    case deploy_step::build:
        return run_in_project(target_.build, number, step);
    case deploy_step::test:
        return run_in_project(target_.test, number, step);
    case deploy_step::release:
        return put_aside();
    case deploy_step::prepare:
        return prepare(number, step);
    case deploy_step::check:
        return become_healthy();
    case deploy_step::change:
        return change(number, step);
    case deploy_step::watch:
        return stay_healthy();
    case deploy_step::retire:
        return retire(number, step);
    case deploy_step::change_back:
        return change_back(number, step);
    case deploy_step::withdraw:
        return withdraw();
    case deploy_step::discard:
        return discard();
    }
    return problem{code::internal, "there is no such step"};
}

// ---- commands

expected<std::string> deploy_steps::run(const std::vector<std::string>& command, std::size_t number,
                                        const planned_step& step) {
    if (where_.commands == nullptr) {
        return problem{code::sandbox_unavailable, "the node has no sandbox to run commands in"};
    }
    runtime::command_spec spec;
    spec.argv = command;
    spec.project = where_.project;
    spec.network = where_.network;
    spec.limits = where_.limits;
    spec.environment = {{"TROUPE_TARGET", target_.name},
                        {"TROUPE_RELEASE", std::to_string(header_.release)},
                        {"TROUPE_STEP", std::string(troupe::detail::enum_name(step.step))},
                        {"TROUPE_PERCENT", std::to_string(step.percent)}};
    if (port_ != 0) {
        spec.environment["TROUPE_PORT"] = std::to_string(port_);
    }
    const auto key = fmt::format("{}/deploy/{}", header_.id, number);
    const auto stop = undoes(step.step) ? std::stop_token() : where_.stop;
    auto done = where_.commands->run(key, spec, stop, where_.on_output);
    if (!done && done.error().code == code::unknown_outcome && undoes(step.step)) {
        done = where_.commands->run(key + "/again", spec, stop, where_.on_output); // to undo twice does no harm
    }
    if (!done) {
        return done.error();
    }
    const auto said = (done->out + done->err).substr(0, output_bytes_max);
    if (done->exit_code != 0 || done->timed_out || done->cancelled) {
        return problem{code::tool_failed, fmt::format("the command ended with {}{}: {}", done->exit_code,
                                                      done->timed_out ? " (time limit)" : "", said)};
    }
    return said;
}

expected<std::string> deploy_steps::run_in_project(const std::string& line, std::size_t number,
                                                   const planned_step& step) {
    return run({"sh", "-c", line}, number, step);
}

// ---- releases

expected<std::string> deploy_steps::put_aside() {
    const auto source = where_.project / target_.source;
    std::error_code failed;
    const auto inside = fs::canonical(source, failed);
    const auto project = failed ? fs::path() : fs::canonical(where_.project, failed);
    const auto relative = inside.lexically_relative(project);
    if (failed || relative.empty() || *relative.begin() == "..") {
        return problem{code::not_found, fmt::format("the project has no folder {}", target_.source)};
    }
    const auto to = release_folder(target_, header_.release);
    auto part = to;
    part += ".part";
    fs::remove_all(part, failed);
    fs::remove_all(to, failed); // of the same deployment, whose node died
    const auto files = copy_tree(inside, part, where_.stop);
    if (!files) {
        fs::remove_all(part, failed);
        return files.error();
    }
    fs::rename(part, to, failed);
    if (failed) {
        return file_problem("rename", part.native(), failed.value());
    }
    if (const unique_fd folder(::open(to.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)); folder) {
        ::syncfs(folder.get()); // many files at once
    }
    return fmt::format("release {}, {} files", header_.release, *files);
}

expected<std::string> deploy_steps::discard() {
    std::error_code failed;
    fs::remove_all(release_folder(target_, header_.release), failed);
    return failed ? expected<std::string>(file_problem("remove", target_.folder, failed.value())) : std::string();
}

/// The newest are kept, and whatever is served.
void deploy_steps::remove_old_releases(const target_state& state) const {
    const auto highest = highest_release(fs::path(target_.folder) / "releases");
    std::error_code ignored;
    for (std::uint64_t number = highest; number > 0; --number) {
        const bool served = state.active && state.active->release == number;
        if (highest - number >= releases_kept && !served && !fs::remove_all(release_folder(target_, number), ignored)) {
            return; // it and those before are gone already
        }
    }
}

// ---- what is in use

expected<std::string> deploy_steps::prepare(std::size_t number, const planned_step& step) {
    if (!target_.is_process()) {
        return run(target_.prepare, number, step);
    }
    auto state = deploy_desk::read(target_);
    if (!state) {
        return state.error();
    }
    const auto used = state->active ? state->active->port : std::uint16_t{0};
    state->candidate = served_release{header_.release, used == target_.ports[0] ? target_.ports[1] : target_.ports[0]};
    const auto done = desk_.write(target_, *state);
    return done ? expected<std::string>(fmt::format("on port {}", state->candidate->port)) : done.error();
}

expected<std::string> deploy_steps::change(std::size_t number, const planned_step& step) {
    percent_ = step.percent;
    if (!target_.is_process()) {
        return run(target_.change, number, step);
    }
    auto state = deploy_desk::read(target_);
    if (!state) {
        return state.error();
    }
    const bool beside = header_.strategy != deploy_strategy::all_at_once;
    const bool done_before = state->active && state->active->release == header_.release;
    port_ = done_before ? state->active->port : beside && state->candidate ? state->candidate->port : target_.ports[0];
    if (!target_.change.empty()) {
        if (auto told = run(target_.change, number, step); !told) {
            return told;
        }
    }
    if (step.percent == all_percent && !done_before) {
        if (!beside && state->active) {
            port_ = state->active->port;
        }
        state->before = state->active;
        state->before_runs = beside;
        state->active = served_release{header_.release, port_};
        state->candidate.reset();
        if (auto written = desk_.write(target_, *state); !written) {
            return written.error();
        }
    }
    return fmt::format("{} % to port {}", step.percent, port_);
}

expected<std::string> deploy_steps::change_back(std::size_t number, const planned_step& step) {
    if (!target_.is_process()) {
        return run(target_.roll_back, number, step);
    }
    auto state = deploy_desk::read(target_);
    if (!state) {
        return state.error();
    }
    if (state->active && state->active->release == header_.release) {
        state->candidate = header_.strategy == deploy_strategy::all_at_once ? std::nullopt : state->active;
        state->active = std::exchange(state->before, std::nullopt);
        state->before_runs = false;
        if (auto written = desk_.write(target_, *state); !written) {
            return written.error();
        }
    }
    if (!target_.change.empty() && state->active) {
        port_ = state->active->port;
        return run(target_.change, number, {step.step, all_percent});
    }
    return state->active ? fmt::format("release {} is in use", state->active->release) : "nothing was in use before";
}

/// A command target's `roll_back` ends what was prepared; where nothing was changed yet it is asked now.
expected<std::string> deploy_steps::withdraw() {
    if (!target_.is_process()) {
        return percent_ > 0 ? expected<std::string>(std::string())
                            : run(target_.roll_back, 1000, {deploy_step::withdraw, 0});
    }
    auto state = deploy_desk::read(target_);
    if (!state) {
        return state.error();
    }
    state->candidate.reset();
    const auto done = desk_.write(target_, *state);
    return done ? expected<std::string>(std::string()) : done.error();
}

expected<std::string> deploy_steps::retire(std::size_t number, const planned_step& step) {
    if (!target_.is_process()) {
        return target_.retire.empty() ? expected<std::string>(std::string()) : run(target_.retire, number, step);
    }
    auto state = deploy_desk::read(target_);
    if (!state) {
        return state.error();
    }
    state->before.reset();
    state->before_runs = false;
    if (auto written = desk_.write(target_, *state); !written) {
        return written.error();
    }
    remove_old_releases(*state);
    return std::string();
}

// ---- health

expected<std::string> deploy_steps::health_url() const {
    if (!target_.is_process()) {
        const bool beside = header_.strategy != deploy_strategy::all_at_once && percent_ < all_percent;
        return beside ? target_.prepared_health : target_.health;
    }
    const auto state = deploy_desk::read(target_);
    if (!state) {
        return state.error();
    }
    for (const auto& one : {state->candidate, state->active}) {
        if (one && one->release == header_.release) {
            return fmt::format("http://127.0.0.1:{}{}", one->port, target_.health);
        }
    }
    return problem{code::conflict, "the release is not served"};
}

expected<void> deploy_steps::ask_health() const {
    const auto url = health_url();
    if (!url) {
        return url.error();
    }
    net::client_request request;
    request.url = *url;
    request.time_out_ms = health_answer_ms_max;
    request.reply_bytes_max = 1 << 20;
    const auto reply = net::fetch(request, where_.stop);
    if (!reply) {
        return reply.error();
    }
    return reply->status / 100 == 2 ? expected<void>()
                                    : problem{code::tool_failed, fmt::format("{} answers {}", *url, reply->status)};
}

expected<std::string> deploy_steps::become_healthy() {
    const auto begin_ms = monotonic_ms();
    std::string last = "it was never asked";
    for (int healthy = 0; monotonic_ms() - begin_ms < target_.start_ms && !where_.stop.stop_requested();) {
        const auto now = ask_health();
        healthy = now ? healthy + 1 : 0;
        if (healthy == healthy_needed) {
            return fmt::format("healthy after {} ms", monotonic_ms() - begin_ms);
        }
        last = now ? last : now.error().detail;
        rest(health_every_ms);
    }
    return problem{where_.stop.stop_requested() ? code::cancelled : code::deadline_exceeded,
                   fmt::format("it did not become healthy within {} ms: {}", target_.start_ms, last)};
}

expected<std::string> deploy_steps::stay_healthy() {
    const auto end_ms = monotonic_ms() + target_.watch_ms;
    int asked = 0, unhealthy = 0;
    while (monotonic_ms() < end_ms) {
        if (where_.stop.stop_requested()) {
            return problem{code::cancelled, "the call was cancelled"};
        }
        const auto now = ask_health();
        ++asked;
        unhealthy = now ? 0 : unhealthy + 1;
        if (unhealthy > unhealthy_allowed) {
            return problem{code::tool_failed, fmt::format("it is not healthy any more: {}", now.error().detail)};
        }
        rest(health_every_ms);
    }
    return fmt::format("healthy for {} ms, asked {} times", target_.watch_ms, asked);
}

void deploy_steps::rest(std::int64_t time_ms) const {
    std::mutex alone;
    std::condition_variable_any never;
    std::unique_lock lock(alone);
    never.wait_for(lock, where_.stop, std::chrono::milliseconds(time_ms), [] { return false; });
}

} // namespace troupe::actors
