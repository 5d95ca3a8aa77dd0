#include "actors/audit/audit_stream.hpp"

#include "actors/audit/audit_text.hpp"
#include "actors/common/stored.hpp"
#include "runtime/metrics/metrics.hpp"
#include "schemas/base/log.hpp"
#include "storage/audit.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace troupe::actors {

namespace {

constexpr std::size_t lines_max = 500;
constexpr std::size_t bytes_max = 1 << 20;
constexpr std::int64_t look_every_ms = 1000;
constexpr std::int64_t back_off_max_ms = 300'000;

runtime::counter& failures() {
    static auto& out =
        runtime::metrics().make_counter("troupe_audit_stream_failures_total",
                                        "Attempts to pass lines of the audit log on that the other side refused.");
    return out;
}

runtime::counter& passed() {
    static auto& out = runtime::metrics().make_counter("troupe_audit_stream_lines_total",
                                                       "Lines of the audit log that an outside system has taken.");
    return out;
}

} // namespace

audit_stream::audit_stream(const runtime::services& s, std::string place, std::unique_ptr<audit_sink> sink)
    : services_(s),
      place_(std::move(place)),
      sink_(std::move(sink)),
      thread_([this](const std::stop_token& stop) { work(stop); }) {}

audit_stream::~audit_stream() {
    thread_.request_stop();
    thread_.join();
}

void audit_stream::wait(const std::stop_token& stop, std::int64_t ms) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, std::chrono::milliseconds(ms), [] { return false; });
}

void audit_stream::work(const std::stop_token& stop) {
    auto back_off_ms = look_every_ms;
    bool failing = false;
    while (!stop.stop_requested()) {
        const auto more = pass_on(stop);
        if (more) {
            if (std::exchange(failing, false)) {
                log_for("audit").warn("{} takes the audit log again", place_);
            }
            back_off_ms = look_every_ms;
            if (!*more) {
                wait(stop, look_every_ms);
            }
            continue;
        }
        failures().add();
        if (!std::exchange(failing, true)) { // once, not at every attempt
            log_for("audit").error("{} does not take the audit log: {}; it is tried until it does", place_,
                                   more.error().detail);
        }
        wait(stop, back_off_ms);
        back_off_ms = std::min(back_off_ms * 2, back_off_max_ms);
    }
}

/// One batch. True: there may be more at once.
expected<bool> audit_stream::pass_on(const std::stop_token& stop) {
    if (services_.owns && !services_.owns(audit_sink_address(place_))) {
        begun_ = false; // the node that owns the position passes it on
        return false;
    }
    if (!begun_) {
        const auto known = read_stored<audit_sink_state>(*services_.store, audit_sink_address(place_));
        if (!known) {
            return known.error();
        }
        positions_.assign(services_.store->who().shards, {});
        seen_.assign(positions_.size(), 0);
        for (const auto& p : *known ? (*known)->positions : std::vector<audit_position>()) {
            if (p.shard < positions_.size()) {
                positions_[p.shard] = p;
            }
        }
        begun_ = true;
    }
    std::vector<passed_line> lines;
    std::vector<audit_position> moved;
    std::vector<std::pair<std::uint32_t, std::uint64_t>> looked; ///< Shards of which all is in hand, and up to where.
    std::size_t bytes = 0;
    for (std::uint32_t shard = 0; shard < positions_.size() && lines.size() < lines_max && bytes < bytes_max; ++shard) {
        const auto& at = positions_[shard];
        const auto mark = storage::read_audit_mark(*services_.store, shard);
        if (!mark) {
            return mark.error();
        }
        if (mark->seq == seen_[shard]) {
            continue; // nothing new since the last look
        }
        const auto found =
            storage::read_audit_after(*services_.store, shard, {at.seq, at.time}, lines_max - lines.size());
        if (!found) {
            return found.error();
        }
        if (found->size() < lines_max - lines.size()) {
            looked.emplace_back(shard, mark->seq);
        }
        for (const auto& line : *found) {
            if (bytes >= bytes_max) {
                std::erase_if(looked, [&](const auto& l) { return l.first == shard; });
                break;
            }
            if (moved.empty() || moved.back().shard != shard) {
                moved.push_back({shard, 0, {}});
            }
            moved.back() = {shard, line.seq, line.time};
            if (line.entity.kind == sink_model::kind) { // that a line was passed on is passed on to nobody
                continue;
            }
            auto entry = entry_with_details(*services_.store, line);
            bytes += entry.details ? entry.details->text.size() : 0;
            lines.push_back({line.organization, shard, std::move(entry)});
        }
    }
    if (!lines.empty()) {
        if (auto taken = sink_->take(lines, stop); !taken) {
            return taken.error();
        }
        passed().add(lines.size());
        if (auto noted = remember(moved); !noted) {
            return noted.error(); // they come again
        }
    }
    for (const auto& p : moved) {
        positions_[p.shard] = p;
    }
    for (const auto& [shard, seq] : looked) {
        seen_[shard] = seq;
    }
    return lines.size() >= lines_max || bytes >= bytes_max;
}

expected<void> audit_stream::remember(const std::vector<audit_position>& moved) {
    runtime::command c;
    c.to = audit_sink_address(place_);
    c.type = wire_name<note_delivered>::value;
    c.payload = to_json(note_delivered{moved});
    c.principal = "node";
    const auto noted = runtime::ask(services_, std::move(c));
    return noted ? expected<void>() : expected<void>(noted.error());
}

} // namespace troupe::actors
