#include "actors/tool/process_desk.hpp"

#include "actors/tool/background_command.hpp"
#include "schemas/base/clock.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <limits.h>
#include <utility>
#include <vector>

namespace troupe::actors {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kept_bytes_max = 256 << 10;
constexpr auto sweep_every = std::chrono::seconds(1);

} // namespace

struct process_desk::process {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::string kept;          ///< The last of what it wrote.
    std::uint64_t written = 0; ///< In all.
    std::optional<std::string> ended;
    std::atomic<std::int64_t> used_ms = monotonic_ms();
    std::shared_ptr<background_command> command; ///< Ends first: it tells the others. Null: it was ended.

    void hear(std::string_view text) {
        const std::scoped_lock lock(mutex);
        kept += text;
        written += text.size();
        if (kept.size() > 2 * kept_bytes_max) {
            kept.erase(0, kept.size() - kept_bytes_max);
        }
        changed.notify_all();
    }

    void hear_end(std::string how) {
        const std::scoped_lock lock(mutex);
        ended = std::move(how);
        changed.notify_all();
    }

    [[nodiscard]] std::string_view from(std::uint64_t since) const {
        const auto begin = written - kept.size();
        return std::string_view(kept).substr(since <= begin ? 0 : std::min<std::uint64_t>(since - begin, kept.size()));
    }

    [[nodiscard]] process_output part(std::uint64_t since, std::size_t bytes_max) const {
        auto text = from(since);
        text.remove_prefix(text.size() - std::min(text.size(), bytes_max));
        const auto begin = written - text.size();
        return {std::string(text), begin - std::min(since, begin), written, ended};
    }
};

process_desk::process_desk(settings s) : settings_(std::move(s)) {
    std::error_code none;
    fs::remove_all(settings_.folder, none);
    keeper_ = std::jthread([this](const std::stop_token& stop) { keep(stop); });
}

process_desk::~process_desk() { stop(); }

void process_desk::stop() {
    keeper_ = {}; // asks it to stop, and waits
    table all;
    const std::scoped_lock lock(mutex_);
    stopped_ = true;
    all.swap(processes_);
}

expected<void> process_desk::check_room(const entity_address& run, const std::string& name) const {
    std::size_t of_run = 0;
    std::size_t of_node = 0;
    for (const auto& [key, p] : processes_) {
        const std::scoped_lock lock(p->mutex);
        if (p->ended) {
            continue;
        }
        if (key == std::pair(run, name)) {
            return problem{code::conflict, fmt::format("The process {} is at work already. Stop it first, or choose "
                                                       "another name.",
                                                       name)};
        }
        of_run += key.first == run ? 1 : 0;
        ++of_node;
    }
    if (of_run >= settings_.run_max || of_node >= settings_.node_max) {
        return problem{code::overloaded, fmt::format("{} processes are at work already. Stop one that is not needed.",
                                                     of_run >= settings_.run_max ? of_run : of_node)};
    }
    return {};
}

expected<void> process_desk::start(const entity_address& run, const std::string& name, runtime::command_spec spec) {
    std::shared_ptr<process> before; // ends outside of the lock
    const std::scoped_lock lock(mutex_);
    if (stopped_) {
        return problem{code::unavailable, "The node stops."};
    }
    if (auto room = check_room(run, name); !room) {
        return room;
    }
    auto made = std::make_shared<process>();
    auto* told = made.get();
    auto started = background_command::start(*settings_.commands,
                                             to_string(run.id) + "/process/" + to_string(make_uuid()), std::move(spec),
                                             {[told](bool, std::string_view text) { told->hear(text); },
                                              [told](std::string how) { told->hear_end(std::move(how)); }},
                                             settings_.folder);
    if (!started) {
        return started.error();
    }
    made->command = std::move(*started);
    before = std::exchange(processes_[{run, name}], std::move(made));
    return {};
}

expected<std::shared_ptr<process_desk::process>> process_desk::find(const entity_address& run,
                                                                    const std::string& name) {
    const std::scoped_lock lock(mutex_);
    if (const auto found = processes_.find({run, name}); found != processes_.end()) {
        found->second->used_ms = monotonic_ms();
        return found->second;
    }
    std::string names;
    for (const auto& [key, p] : processes_) {
        names += key.first == run ? (names.empty() ? "" : ", ") + key.second : "";
    }
    return problem{code::not_found,
                   names.empty() ? fmt::format("There is no process {}; none is at work. Those of before end when "
                                               "the node does, or half an hour after their last call.",
                                               name)
                                 : fmt::format("There is no process {}. There are: {}.", name, names)};
}

expected<process_output> process_desk::read(const entity_address& run, const std::string& name, std::uint64_t since,
                                            const process_wait& until, std::size_t bytes_max,
                                            const std::stop_token& stop) {
    const auto found = find(run, name);
    if (!found) {
        return found.error();
    }
    auto& p = **found;
    std::unique_lock lock(p.mutex);
    p.changed.wait_for(lock, stop, std::chrono::milliseconds(until.time_ms), [&] {
        return p.ended || (!until.text.empty() && p.from(since).find(until.text) != std::string_view::npos);
    });
    return p.part(since, bytes_max);
}

expected<void> process_desk::write(const entity_address& run, const std::string& name, std::string_view text) {
    const auto found = find(run, name);
    if (!found) {
        return found.error();
    }
    if (text.size() > PIPE_BUF) { // more may be taken in part
        return problem{code::invalid_request, fmt::format("At most {} bytes are written at a time.", PIPE_BUF)};
    }
    std::shared_ptr<background_command> command;
    {
        const std::scoped_lock lock((*found)->mutex);
        command = (*found)->command;
        if ((*found)->ended || !command) {
            return problem{code::conflict, fmt::format("The process {} has ended: {}.", name,
                                                       (*found)->ended.value_or("it was ended"))};
        }
    }
    const auto written = command->write(text);
    if (!written) {
        return written.error();
    }
    return *written > 0 ? expected<void>{}
                        : problem{code::overloaded, fmt::format("The process {} does not read its input now.", name)};
}

expected<process_output> process_desk::end(const entity_address& run, const std::string& name, std::size_t bytes_max) {
    auto found = find(run, name);
    if (!found) {
        return found.error();
    }
    const auto p = std::move(*found);
    {
        const std::scoped_lock lock(mutex_);
        const auto now = processes_.find({run, name});
        if (now != processes_.end() && now->second == p) {
            processes_.erase(now);
        }
    }
    std::shared_ptr<background_command> command;
    {
        const std::scoped_lock guard(p->mutex);
        command = std::move(p->command);
    }
    command.reset(); // without the lock, which its thread takes
    const std::scoped_lock lock(p->mutex);
    return p->part(0, bytes_max);
}

void process_desk::keep(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    while (!never.wait_for(lock, stop, sweep_every, [&stop] { return stop.stop_requested(); })) {
        sweep();
    }
}

void process_desk::sweep() {
    table all;
    {
        const std::scoped_lock lock(mutex_);
        all = processes_;
    }
    std::map<entity_address, bool> over;
    for (auto& [key, p] : all) {
        const auto known = over.find(key.first);
        const bool ended = known != over.end() ? known->second : settings_.has_ended(key.first);
        over[key.first] = ended;
        if (!ended && monotonic_ms() - p->used_ms <= settings_.idle_ms) {
            continue;
        }
        const std::scoped_lock lock(mutex_);
        const auto now = processes_.find(key);
        if (now != processes_.end() && now->second == p) {
            processes_.erase(now);
        }
    } // the last ones end here, without a lock
}

} // namespace troupe::actors
