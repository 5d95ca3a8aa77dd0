#pragma once

#include "runtime/cluster/cluster_core.hpp"
#include "runtime/cluster/forwarder.hpp"
#include "runtime/cluster/links.hpp"
#include "runtime/cluster/node_questions.hpp"
#include "runtime/cluster/read_index.hpp"
#include "runtime/entity/messages.hpp"
#include "storage/store.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::runtime::cluster {

/// What the commands of a cluster have of their node. All thread-safe; must not block.
struct command_ports {
    uuid self; ///< The replica here.
    const storage::store* store = nullptr;
    std::function<void(held_ptr)> take;            ///< To the router of a shard that this node owns.
    std::function<std::int64_t()> serves_until_ms; ///< As `host_services`.
    std::function<void(live_event)> publish = {};  ///< What another node published; may be empty.
    std::function<std::int64_t()> monotonic = monotonic_ms;
};

/// Commands and reads between a node and the others: commands go to the owners of their shards, reads wait for what
/// the owners have, and what one node alone knows is asked of it. Thread-safe.
class command_lane {
public:
    /// The links outlive it.
    command_lane(links& links, command_ports ports);

    /// Takes a command to where its shard is owned, here or elsewhere.
    void forward(held_ptr held);
    /// To the readers at other nodes: what is published live only.
    void tell_others(const live_event& e);
    /// See `read_index`.
    void wait_to_read(read_index::done then);
    /// See `node_questions`, as the next.
    void ask_node(const uuid& replica, std::string question, std::string parameters, question_done then);
    void answer_with(std::string question, question_handler handler);
    /// Whether this node owns the shard and may show it.
    [[nodiscard]] bool serves(std::uint32_t shard) const;
    [[nodiscard]] std::shared_ptr<const shard_leaders> leaders() const;

    struct counted {
        std::size_t peers = 0;         ///< That are connected.
        std::uint64_t sent = 0;        ///< Commands to other nodes, since the start.
        std::uint64_t taken = 0;       ///< Commands from them.
        std::uint64_t read_rounds = 0; ///< In which owners were asked.
    };
    [[nodiscard]] counted counts() const;

    // ---- from the driver's thread
    void on_ownership(std::uint32_t shard, bool owned);
    /// The tables have moved on.
    void on_applied();
    /// The registers may have changed.
    void note(const cluster_core& core);
    void on_tick();

    // ---- from the links
    void on_up(const uuid& peer);
    void on_down(const uuid& peer);
    void on_frame(const uuid& from, std::string_view bytes);

private:
    bool say(const uuid& to, const envelope& what);
    void take_envelope(const uuid& from, envelope what);
    void take_command(const uuid& from, command_envelope what);
    void answer(const uuid& to, answer_envelope what);
    void go_on();
    [[nodiscard]] forwarder_ports make_forwarder_ports();
    [[nodiscard]] read_index_ports make_read_ports();

    links& links_;
    const command_ports ports_;
    std::vector<std::atomic<bool>> owned_;
    std::atomic<std::uint64_t> sent_{0};
    std::atomic<std::uint64_t> taken_{0};
    mutable std::mutex mutex_;
    std::shared_ptr<const shard_leaders> leaders_;
    std::set<uuid> up_;                                    ///< Peers that are connected.
    std::vector<std::pair<uuid, answer_envelope>> unsaid_; ///< Answers for which the way was too full.
    forwarder forwarder_;
    read_index read_index_;
    node_questions questions_;
};

} // namespace troupe::runtime::cluster
