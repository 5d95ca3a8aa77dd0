#pragma once

#include "runtime/entity/kind.hpp"
#include "runtime/node.hpp"
#include "schemas/base/described.hpp"

#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

/// What the in-process benchmarks share: a small durable model, a driver that keeps N commands outstanding, and the
/// figures of this process. Each program prints one JSON line a case on stdout.
namespace troupe::bench {

// ---- a model of the shape of a task with messages: a short state, a document, an item for each event

struct add_notes {
    std::string text;
    std::uint32_t count = 1; ///< So many events in one command.
};
BOOST_DESCRIBE_STRUCT(add_notes, (), (text, count))
/// Wakes the entity and changes nothing.
struct touch {};
BOOST_DESCRIBE_STRUCT(touch, (), ())

struct note_added {
    std::string text;
};
BOOST_DESCRIBE_STRUCT(note_added, (), (text))

struct notebook_state {
    static constexpr std::uint16_t version = 1;
    std::uint64_t notes = 0;
    std::uint64_t bytes = 0;
    timestamp created_at;
    timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(notebook_state, (), (notes, bytes, created_at, updated_at))

} // namespace troupe::bench

TROUPE_NAMED(troupe::bench::add_notes)
TROUPE_NAMED(troupe::bench::touch)
TROUPE_NAMED(troupe::bench::note_added)

namespace troupe::bench {

struct notebook_model {
    static constexpr std::string_view kind = "notebook";
    using state = notebook_state;
    using command = std::variant<add_notes, touch>;
    using event = std::variant<note_added>;

    static expected<std::vector<event>> decide(const state&, const command& c, const runtime::context&) {
        std::vector<event> out;
        if (const auto* add = std::get_if<add_notes>(&c)) {
            out.assign(add->count, note_added{add->text});
        }
        return out;
    }
    static state apply(state s, const event& e, const runtime::event_context& ctx) {
        if (s.notes++ == 0) {
            s.created_at = ctx.time;
        }
        s.bytes += std::get<note_added>(e).text.size();
        s.updated_at = ctx.time;
        return s;
    }
    static std::vector<runtime::effect> resume(const state&) { return {}; }
    static runtime::entity_view view(const state& s, const runtime::view_context&) {
        return {to_json(s), {{"", runtime::sort_key(s.created_at)}}, true};
    }
    static std::vector<runtime::item> items(const state& after, const event& e, const runtime::event_context&) {
        return {{"notes", fmt::format("{:012}", after.notes), to_json(std::get<note_added>(e))}};
    }
};

// ---- the node

/// Ends the program: a benchmark that cannot run measures nothing.
[[noreturn]] inline void give_up(std::string_view why) {
    std::cerr << "bench: " << why << "\n";
    std::_Exit(1);
}

/// Never destroyed: a process of a benchmark ends as kill -9 would end it.
inline runtime::node& open_node(const runtime::config& settings) {
    auto opened = runtime::node::open(settings);
    if (!opened) {
        give_up(opened.error().detail);
    }
    return *opened->release();
}

inline void start_node(runtime::node& node) {
    runtime::kind_registry kinds;
    kinds.emplace(notebook_model::kind, runtime::make_kind<notebook_model>());
    if (auto started = node.start(std::move(kinds)); !started) {
        give_up(started.error().detail);
    }
}

/// The ids of the first entities: the same in every process.
inline std::vector<uuid> notebook_ids(std::uint64_t count) {
    std::vector<uuid> out;
    out.reserve(count);
    for (std::uint64_t n = 0; n < count; ++n) {
        out.push_back(derive_uuid({"notebook", std::to_string(n)}));
    }
    return out;
}

template <class Command>
runtime::command make_command(const uuid& id, const Command& c) {
    runtime::command out;
    out.to = {system_organization, std::string(notebook_model::kind), id};
    out.type = wire_name<Command>::value;
    out.payload = to_json(c);
    out.principal = "bench";
    return out;
}

// ---- time and this process

inline std::int64_t now_us() {
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

inline double seconds_since(std::int64_t began_us) { return static_cast<double>(now_us() - began_us) / 1e6; }

/// User and system time of all threads.
inline std::int64_t cpu_us() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1'000'000LL + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
}

/// Resident bytes, after what was freed went back to the system.
inline std::int64_t resident_bytes() {
    ::malloc_trim(0);
    std::ifstream statm("/proc/self/statm");
    std::int64_t total = 0;
    std::int64_t resident = 0;
    statm >> total >> resident;
    return resident * ::sysconf(_SC_PAGESIZE);
}

/// Runs `work` in a process of its own, which ends without any shutdown, as kill -9 would end it. Only before this
/// process has threads.
inline void in_process_of_its_own(const std::function<void()>& work) {
    std::cout.flush();
    const auto child = ::fork();
    if (child == 0) {
        work();
        std::cout.flush();
        std::_Exit(0);
    }
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child || status != 0) {
        give_up("a process of the benchmark failed");
    }
}

/// A folder for one run, removed at the end.
class scratch {
public:
    explicit scratch(const std::filesystem::path& parent) : path_(parent / ("bench-" + to_string(make_uuid()))) {
        std::filesystem::create_directories(path_);
    }
    ~scratch() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    scratch(const scratch&) = delete;
    [[nodiscard]] std::string path() const { return path_.string(); }

private:
    std::filesystem::path path_;
};

// ---- the driver

struct load_figures {
    std::uint64_t done = 0;
    std::uint64_t errors = 0;
    double seconds = 0;
    double p50_ms = 0;
    double p99_ms = 0;
    double cpu_us_each = 0;
    [[nodiscard]] double rate() const { return static_cast<double>(done) / seconds; }
};

/// Keeps `outstanding` commands in flight: the answer to one submits the next, from whatever thread answers.
class load {
public:
    /// `next(n)` makes the n-th command; it may be called from several threads.
    load(runtime::node& node, std::function<runtime::command(std::uint64_t)> next)
        : node_(node), next_(std::move(next)) {}

    /// Until `count` were answered or, when that is 0, for so many seconds.
    load_figures run(std::size_t outstanding, std::uint64_t count, double seconds) {
        lanes_ = std::vector<lane_state>(outstanding);
        count_ = count;
        began_us_ = now_us();
        until_us_ = count > 0 ? INT64_MAX : began_us_ + static_cast<std::int64_t>(seconds * 1e6);
        running_ = outstanding;
        issued_ = 0;
        const auto cpu_before = cpu_us();
        for (auto& lane : lanes_) {
            submit(lane);
        }
        for (auto left = running_.load(); left > 0; left = running_.load()) {
            running_.wait(left);
        }
        return figures(cpu_us() - cpu_before);
    }

private:
    enum class handing : std::uint8_t { over, returned, answered };
    struct lane_state { ///< Touched by one command at a time.
        std::atomic<handing> state{handing::over};
        std::int64_t sent_us = 0;
        std::uint64_t errors = 0;
        std::vector<std::uint32_t> took_us;
    };

    /// Submits until one is not answered at once: its answer goes on from there.
    void submit(lane_state& lane) {
        do {
            lane.state = handing::over;
            lane.sent_us = now_us();
            const auto n = issued_.fetch_add(1, std::memory_order_relaxed);
            if ((count_ > 0 && n >= count_) || lane.sent_us >= until_us_) {
                --running_;
                running_.notify_one();
                return;
            }
            node_.parts().submit(next_(n), [this, &lane](const runtime::reply& r) { answered(lane, r); });
        } while (lane.state.exchange(handing::returned) == handing::answered);
    }

    void answered(lane_state& lane, const runtime::reply& r) {
        lane.took_us.push_back(static_cast<std::uint32_t>(now_us() - lane.sent_us));
        if (!r) {
            ++lane.errors;
            if (!told_.exchange(true)) {
                std::cerr << "bench: a command was refused: " << r.error().detail << "\n";
            }
        }
        if (lane.state.exchange(handing::answered) == handing::returned) {
            submit(lane);
        }
    }

    load_figures figures(std::int64_t cpu) const {
        load_figures out;
        out.seconds = seconds_since(began_us_);
        std::vector<std::uint32_t> all;
        for (const auto& l : lanes_) {
            all.insert(all.end(), l.took_us.begin(), l.took_us.end());
            out.errors += l.errors;
        }
        out.done = all.size() - out.errors;
        if (!all.empty()) {
            std::sort(all.begin(), all.end());
            out.p50_ms = all[all.size() / 2] / 1000.0;
            out.p99_ms = all[all.size() * 99 / 100] / 1000.0;
            out.cpu_us_each = static_cast<double>(cpu) / static_cast<double>(all.size());
        }
        return out;
    }

    runtime::node& node_;
    std::function<runtime::command(std::uint64_t)> next_;
    std::vector<lane_state> lanes_;
    std::atomic<std::size_t> running_{0};
    std::atomic<std::uint64_t> issued_{0};
    std::atomic<bool> told_{false};
    std::uint64_t count_ = 0;
    std::int64_t began_us_ = 0;
    std::int64_t until_us_ = 0;
};

/// Prints {"case":NAME,…}; `fields` is the inside of a JSON object.
inline void print_case(std::string_view name, std::string_view fields) {
    std::cout << "{\"case\":\"" << name << "\"," << fields << "}" << std::endl;
}

inline std::string to_fields(const load_figures& f) {
    return fmt::format(R"("ops_per_s":{:.0f},"p50_ms":{:.3f},"p99_ms":{:.3f},"errors":{},"cpu_us_per_op":{:.1f})",
                       f.rate(), f.p50_ms, f.p99_ms, f.errors, f.cpu_us_each);
}

} // namespace troupe::bench
