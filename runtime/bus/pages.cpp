#include "runtime/bus/pages.hpp"

#include "runtime/bus/shown.hpp"
#include "schemas/base/described.hpp"
#include "storage/base.hpp"
#include "storage/log_reader.hpp"
#include "storage/sealing.hpp"

#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace troupe::runtime {

std::string own_channel(const entity_address& a) { return a.kind + "s/" + to_string(a.id); }

problem not_kept() {
    return {code::not_found, "events between this place and the one asked for are not kept any more; fetch the present "
                             "state, then go on from here"};
}

namespace {

/// The records of all shards after given positions, in the order of time: one record of each shard in hand.
class merged_feed {
public:
    merged_feed(const storage::store& s, std::vector<std::uint64_t> positions)
        : store_(s), positions_(std::move(positions)) {
        latest_.resize(positions_.size());
    }

    expected<void> start() {
        for (std::uint32_t shard = 0; shard < positions_.size(); ++shard) {
            if (auto taken = take(shard); !taken) {
                return taken;
            }
        }
        return {};
    }

    /// The next record, or nothing at the end.
    expected<std::optional<storage::record>> next() {
        if (heads_.empty()) {
            return std::optional<storage::record>();
        }
        auto node = heads_.extract(heads_.begin());
        auto r = std::move(node.mapped());
        positions_[r.shard] = r.seq;
        if (auto taken = take(r.shard); !taken) {
            return taken.error();
        }
        return std::optional(std::move(r));
    }
    [[nodiscard]] const std::vector<std::uint64_t>& positions() const { return positions_; }
    [[nodiscard]] bool at_end() const { return heads_.empty(); }

private:
    expected<void> take(std::uint32_t shard) {
        return storage::read_log(store_, shard, positions_[shard], [&](storage::record&& r) {
            // Two entities of a shard may commit in another order than they took their times.
            latest_[shard] = std::max(latest_[shard], r.time);
            heads_.emplace(std::pair(latest_[shard], shard), std::move(r));
            return false;
        });
    }

    const storage::store& store_;
    std::vector<std::uint64_t> positions_;
    std::vector<timestamp> latest_;
    std::map<std::pair<timestamp, std::uint32_t>, storage::record> heads_;
};

expected<event_page> read_once(const storage::store& s, const cursor_codec& cursors, const uuid& organization,
                               std::string_view after, std::size_t limit) {
    const auto shards = s.who().shards;
    auto positions = after == "start" ? expected<std::vector<std::uint64_t>>(std::vector<std::uint64_t>(shards, 0))
                                      : cursors.decode(after, shards);
    if (!positions) {
        return positions.error();
    }
    bool behind = false;
    for (std::uint32_t shard = 0; shard < shards; ++shard) {
        const auto base = storage::read_log_base(s, shard);
        if (!base) {
            return base.error();
        }
        behind = behind || (*positions)[shard] < base->at.seq;
        (*positions)[shard] = std::max((*positions)[shard], base->at.seq);
    }
    event_page out;
    if (behind && after != "start") {
        out.envelopes.push_back(to_envelope(
            {cursors.encode(*positions), system_now(), "*", "reset", to_problem_json(not_kept()), organization}));
    }
    merged_feed feed(s, std::move(*positions));
    if (auto started = feed.start(); !started) {
        return started.error();
    }
    while (out.envelopes.size() < limit) {
        auto r = feed.next();
        if (!r) {
            return r.error();
        }
        if (!*r) {
            return out;
        }
        if ((*r)->entity.organization == organization) {
            if (auto opened = storage::open_record(s, **r); !opened && opened.error().code == code::erased) {
                continue;
            } else if (!opened) {
                return opened.error();
            }
            out.envelopes.push_back(
                to_envelope({cursors.encode(feed.positions()), (*r)->time, own_channel((*r)->entity), (*r)->type,
                             std::string(shown_payload(**r)), organization}));
        }
    }
    if (!feed.at_end()) {
        out.next = cursors.encode(feed.positions());
    }
    return out;
}

} // namespace

expected<event_page> read_page(const storage::store& s, const cursor_codec& cursors, const uuid& organization,
                               std::string_view after, std::size_t limit) {
    auto page = read_once(s, cursors, organization, after, limit);
    for (int tries = 0; tries < tries_max && !page && page.error().code == code::not_found; ++tries) {
        page = read_once(s, cursors, organization, after, limit); // a log was trimmed meanwhile
    }
    return page;
}

} // namespace troupe::runtime
