#pragma once

#include "runtime/entity/messages.hpp"
#include "storage/committer.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace troupe::runtime {

/// Commands that an entity decides together, with their answers, which are given when the append is on disk.
struct decided_batch {
    struct decision {
        offer_msg of;
        std::optional<reply> answer;
        std::size_t same_as = 0; ///< Without an answer of its own: that of this decision (a repeat within the batch).
    };
    std::shared_ptr<storage::append> append = std::make_shared<storage::append>();
    std::vector<decision> decisions;
    std::unordered_map<std::string_view, std::size_t> by_id;
    std::size_t bytes = 0;

    /// While it is set, a crash of the entity is to be blamed on these commands.
    void mark(bool deciding) const {
        for (const auto& d : decisions) {
            d.of.held->deciding = deciding;
        }
    }

    void answer_all(const problem& why) const {
        for (const auto& d : decisions) {
            d.of.held->answer(why);
        }
    }

    void deliver() {
        for (auto& d : decisions) {
            if (!d.answer) {
                auto same = *decisions[d.same_as].answer;
                if (same) {
                    same->repeated = true;
                }
                d.of.held->answer(std::move(same));
            }
        }
        for (auto& d : decisions) {
            if (d.answer) {
                d.of.held->answer(std::move(*d.answer));
            }
        }
    }
};

} // namespace troupe::runtime
