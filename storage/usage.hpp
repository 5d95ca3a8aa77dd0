#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"
#include "schemas/quota.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What organizations use: counted in the same write as the events that used it, so exactly once, and kept for ever,
/// whatever retention does to the events.
namespace troupe::storage {

class store;
class usage_ledger;

/// What a command took of its organization's plan before it is committed. Gives back in its destructor what was not
/// counted. Movable; one thread at a time.
class usage_claim {
public:
    usage_claim() = default;
    usage_claim(usage_claim&& other) noexcept { swap(other); }
    usage_claim& operator=(usage_claim&& other) noexcept {
        usage_claim(std::move(other)).swap(*this);
        return *this;
    }
    ~usage_claim() { give_back(0); }

    /// For `give_back`: a command that is refused gives back what it took, and not what those before it did.
    [[nodiscard]] std::size_t size() const { return taken_.size(); }
    void give_back(std::size_t down_to);

private:
    friend class usage_ledger;
    void swap(usage_claim& other) noexcept {
        std::swap(ledger_, other.ledger_);
        std::swap(organization_, other.organization_);
        std::swap(taken_, other.taken_);
    }
    usage_ledger* ledger_ = nullptr;
    uuid organization_;
    std::vector<usage_amount> taken_;
};

/// The use of all organizations on this node. It decides, before a command is, whether the plan has room (`take`), and
/// counts when it is committed (`count`). What is taken and not committed counts as used: no two commands get the last
/// place. Nothing of this is lost or left over in a crash: claims are in memory only, rows in the write of the events.
/// Thread-safe.
class usage_ledger {
public:
    /// The store outlives it.
    explicit usage_ledger(const store& s);
    ~usage_ledger();
    usage_ledger(const usage_ledger&) = delete;

    /// How to find what an organization may; without it nothing is limited. Before commands are decided. Called from
    /// any thread; its answers are remembered until `forget`.
    void allow(std::function<expected<allowance>(const uuid& organization)> reader);
    /// The organization's plan or limits have changed.
    void forget(const uuid& organization);

    /// Problems as of `judge_quota`, and of the disk.
    expected<void> take(usage_claim& into, const uuid& organization, std::string_view counts, std::int64_t amount,
                        timestamp now);
    /// As `take`, of a part (`part_of_count`) with a limit of its own. Problems as of `judge_part`. `no_quota` as
    /// limit: as `take`.
    expected<void> take_part(usage_claim& into, const uuid& organization, std::string_view counts, std::int64_t amount,
                             std::int64_t limit, timestamp now);

    /// What is used of what is limited, with what is taken and not committed: by `quota_kind::counts`.
    expected<std::map<std::string, std::int64_t>> standing(const uuid& organization, timestamp now);
    /// What holds for the organization.
    expected<allowance> allowed(const uuid& organization);

    /// For the committer, which is one thread: all that was counted is on disk.
    void all_written();
    /// Rows of that shard are as they are on disk: what was counted since is lost. The sums keep it until `reset`.
    void lost(std::uint32_t shard);
    /// Counts what an append used and what it holds more or less, and takes the claim off. Adds the rows.
    expected<void> count(std::uint32_t shard, const uuid& organization, timestamp at,
                         std::span<const usage_amount> used, std::span<const usage_amount> held, usage_claim& claim,
                         std::vector<std::pair<std::string, std::string>>& rows);
    /// A new committer begins: only what is on disk counts.
    void reset();

private:
    friend class usage_claim;
    struct impl;
    void note(usage_claim& into, const uuid& organization, std::string_view counts, std::int64_t amount);
    std::unique_ptr<impl> impl_;
};

/// Of one day, or of all.
struct usage_of_day {
    std::map<std::string, std::int64_t> used; ///< "tasks", "tokens_in:MODEL", …
    std::map<std::string, std::int64_t> held; ///< At its end.
    std::map<std::string, std::int64_t> most; ///< The most that was held in it.
};

/// The days from `first` to `last`, each with an entry.
expected<std::map<std::uint32_t, usage_of_day>> read_usage(const store& s, const uuid& organization,
                                                           std::uint32_t first, std::uint32_t last);

/// Whether what entities of that kind hold is counted in that shard.
expected<bool> counts_holdings(const store& s, std::uint32_t shard, std::string_view kind);
/// The rows of a shard in which these holdings count, too.
expected<void> add_holdings(const store& s, std::uint32_t shard, const std::map<uuid, std::vector<usage_amount>>& held,
                            std::vector<std::pair<std::string, std::string>>& rows);

} // namespace troupe::storage
