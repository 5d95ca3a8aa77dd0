#pragma once

#include "runtime/bus/bus.hpp"
#include "runtime/supervision/tree.hpp"
#include "storage/record.hpp"
#include "storage/store.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The bus of a node: committed records of the journal and live-only events, to subscribers by channel.
namespace troupe::runtime {

/// An event as channels of many entities judge it.
struct seen_event {
    const entity_address& entity;
    std::string_view kind;
    std::string_view data; ///< JSON.
    bool live_only = false;
};

/// The channel on which an event is seen beside its entity's own channel "<kind>s/<id>", or nothing. Called from the
/// committer's thread and others, mostly under a lock.
using channel_alias = std::function<std::string(const seen_event&)>;

/// ED-3's channels of many entities, and "agents/<id>/logs": what the runs of an agent do.
std::vector<channel_alias> default_aliases(const storage::store& s);

class hub final : public bus {
public:
    /// Starts the thread that reads the past for new subscribers. The key is that of cursors, `cipher_key_bytes`, so
    /// that other nodes can open them; empty: one of this directory.
    static expected<std::unique_ptr<hub>> start(storage::store& s, std::vector<channel_alias> aliases,
                                                std::string cursor_key = {});
    ~hub() override;

    expected<std::unique_ptr<subscription>> subscribe(subscription_request request,
                                                      std::function<void(const live_event&)> sink) override;
    std::unique_ptr<subscription>
    observe(uuid organization, std::function<void(const entity_address& entity, std::string_view type)> told) override;
    void publish(live_event e) override;

    /// Called by the committer after each append, in commit order, when the records are applied (`store::applied`).
    void committed(const std::vector<storage::record>& records);
    /// Called by the committer, too, on `storage::records_committed`: publishes from the log what is applied of a shard
    /// and not published yet, because another node decided it.
    expected<void> applied(std::uint32_t shard);

    /// The feed as pages; see `node::events`.
    expected<event_page> read(const uuid& organization, std::string_view after, std::size_t limit);

    /// Without observers.
    [[nodiscard]] std::size_t subscribers() const;
    /// Of its reader: new subscribers whose past is still to be read.
    [[nodiscard]] std::shared_ptr<const actor_figures> figures() const;

private:
    struct state;
    explicit hub(std::shared_ptr<state> s);
    std::shared_ptr<state> state_;
};

/// Positions per shard as opaque text: sealed with the node's key, so that it shows nothing of other organizations.
class cursor_codec {
public:
    /// The key is kept in DIR/cursor.key (mode 600), made on first use.
    static expected<cursor_codec> open(const std::filesystem::path& directory);
    explicit cursor_codec(std::string key) : key_(std::move(key)) {}

    [[nodiscard]] std::string encode(std::span<const std::uint64_t> positions) const;
    /// `invalid_request` when the text is no cursor of this node.
    [[nodiscard]] expected<std::vector<std::uint64_t>> decode(std::string_view text, std::size_t shards) const;

private:
    std::string key_;
};

} // namespace troupe::runtime
