#pragma once

// Links between the nodes of a test, in memory.

#include "runtime/cluster/links.hpp"
#include "runtime/cluster/memory_coordinator.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace troupe::test {

using namespace runtime::cluster;

class memory_links;

/// What connects them.
struct cables {
    run_queue frames;
    std::map<uuid, memory_links*> ends;
    std::set<uuid> cut;
    std::optional<uuid> silent; ///< Nothing that it says of commands arrives.
    using judge = std::function<bool(const uuid& from, const uuid& to, const std::string& frame)>;
    judge loses = {};   ///< Which frames get lost on the way.
    judge is_full = {}; ///< For which there is no credit.
    /// What becomes of a frame of the lane `bulk`; empty: it arrives.
    std::function<std::vector<std::string>(const uuid& from, const uuid& to, const std::string& frame)> bulk = {};

    [[nodiscard]] bool connects(const uuid& a, const uuid& b) const {
        return ends.contains(a) && ends.contains(b) && !cut.contains(a) && !cut.contains(b);
    }
    void plug_in(const uuid& end);
};

class memory_links final : public links {
public:
    memory_links(cables& all, node_card mine) : all_(all), mine_(std::move(mine)) {}

    void start(links_listener& listener) override {
        listener_ = &listener;
        all_.ends[mine_.replica] = this;
    }
    void stop() override { all_.ends.erase(mine_.replica); }
    void set_peers(std::vector<peer_place> peers) override { peers_ = std::move(peers); }
    bool send(const uuid& to, lane on, shared_bytes frame) override {
        const bool known = std::ranges::find(peers_, to, &peer_place::replica) != peers_.end();
        if (!known || !all_.connects(mine_.replica, to) || (all_.is_full && all_.is_full(mine_.replica, to, *frame))) {
            return false;
        }
        all_.frames.as_executor()([&all = all_, from = mine_.replica, to, on, frame] {
            if (!all.connects(from, to) || (on == lane::commands && from == all.silent) ||
                (all.loses && all.loses(from, to, *frame))) {
                return;
            }
            const bool whole = on != lane::bulk || !all.bulk;
            for (const auto& one : whole ? std::vector{*frame} : all.bulk(from, to, *frame)) {
                all.ends[to]->listener_->on_frame(from, on, one);
            }
        });
        return true;
    }
    void meet(const memory_links& other) const { listener_->on_up(other.mine_); }

private:
    cables& all_;
    node_card mine_;
    links_listener* listener_ = nullptr;
    std::vector<peer_place> peers_;
};

inline void cables::plug_in(const uuid& end) {
    cut.erase(end);
    for (const auto& [id, other] : ends) {
        if (id != end) {
            other->meet(*ends.at(end));
            ends.at(end)->meet(*other);
        }
    }
}

} // namespace troupe::test
