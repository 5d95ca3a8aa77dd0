#include "storage/usage.hpp"

#include "storage/bytes.hpp"
#include "storage/keys.hpp"
#include "storage/rocks.hpp"
#include "storage/store.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>

namespace troupe::storage {

namespace {

using keys::usage_form;

/// Rows that are remembered from write to write; those that change are few: a few for each shard and organization.
constexpr std::size_t rows_max = 100'000;

std::string encode_amount(std::int64_t amount) {
    std::string out;
    put_fixed(out, amount);
    return out;
}

expected<std::int64_t> decode_amount(std::string_view value) {
    byte_reader reader(value);
    const auto amount = reader.fixed<std::int64_t>();
    return reader.at_end() ? expected<std::int64_t>(amount)
                           : expected<std::int64_t>(problem{code::journal_damaged, "a row of usage cannot be read"});
}

/// A row's key behind its prefix.
struct row_name {
    std::uint32_t day = 0;
    usage_form form = usage_form::used;
    std::string_view what;
};

using visit_row = std::function<void(const row_name&, std::int64_t)>;

/// The rows of an organization in a shard from one day to another.
expected<void> each_row(const store& s, std::uint32_t shard, const uuid& organization, std::uint32_t first,
                        std::uint32_t last, const visit_row& visit) {
    std::string from;
    put_big_endian(from, first);
    prefix_scan scan(*s.db().db, s.db().derived, keys::usage_prefix(shard, organization), from);
    for (; scan.valid(); scan.next()) {
        const auto rest = scan.rest();
        constexpr std::size_t day_bytes = sizeof(std::uint32_t);
        if (rest.size() <= day_bytes) {
            return problem{code::journal_damaged, "a row of usage has a key that none has"};
        }
        const auto day = get_big_endian<std::uint32_t>(rest);
        if (day > last) {
            break;
        }
        const auto amount = decode_amount(scan.value());
        if (!amount) {
            return amount.error();
        }
        visit({day, static_cast<usage_form>(rest[day_bytes]), rest.substr(day_bytes + 1)}, *amount);
    }
    return scan.status().ok() ? expected<void>() : expected<void>(to_problem(scan.status(), "cannot read the usage"));
}

/// What is limited by the day is held only while it is reserved: of that there is no history.
bool has_history(std::string_view held) {
    const auto* kind = find_quota(whole_count(held));
    return kind == nullptr || !kind->daily;
}

} // namespace

struct usage_ledger::impl {
    explicit impl(const store& s) : from(s) {}

    struct standing {
        std::int64_t used = 0; ///< Today.
        std::int64_t held = 0;
        std::int64_t pending = 0; ///< Taken, and not committed.
        std::int64_t most = 0;    ///< Held, today.

        [[nodiscard]] std::int64_t all() const { return used + held + pending; }
    };
    struct organization {
        bool loaded = false;
        std::uint32_t today = 0;
        std::map<std::string, standing, std::less<>> by;
    };

    standing& at(organization& o, std::string_view what) {
        const auto found = o.by.find(what);
        return found == o.by.end() ? o.by[std::string(what)] : found->second;
    }

    /// What is on disk. All writes of it are over: `count` loads before it counts for the first time.
    expected<void> load(const uuid& id, organization& o, timestamp now) {
        const auto today = day_of(now);
        if (o.loaded && today <= o.today) {
            return {};
        }
        std::map<std::string, standing, std::less<>> fresh;
        for (const auto& [what, s] : o.by) {
            fresh[what] = {0, o.loaded ? s.held : 0, s.pending, o.loaded ? s.held : 0};
        }
        const auto note = [&](const row_name& row, std::int64_t amount) {
            auto& s = fresh[std::string(row.what)];
            s.held += row.form == usage_form::held && !o.loaded ? amount : 0;
            s.used += row.form == usage_form::used ? amount : 0;
            s.most = row.form == usage_form::most ? std::max(s.most, amount) : s.most;
        };
        for (std::uint32_t shard = 0; shard < from.who().shards; ++shard) {
            auto read = o.loaded ? expected<void>() : each_row(from, shard, id, 0, 0, note);
            read = read ? each_row(from, shard, id, today, today, note) : read;
            if (!read) {
                return read;
            }
        }
        for (auto& [what, s] : fresh) {
            s.most = std::max(s.most, s.held);
        }
        o.by = std::move(fresh);
        o.today = today;
        o.loaded = true;
        return {};
    }

    expected<std::int64_t> stored(const std::string& key) const {
        std::string value;
        const auto status = from.db().db->Get({}, from.db().derived, key, &value);
        if (!status.ok() && !status.IsNotFound()) {
            return to_problem(status, "cannot read the usage");
        }
        return status.ok() ? decode_amount(value) : expected<std::int64_t>(0);
    }

    using row_list = std::vector<std::pair<std::string, std::string>>;
    expected<void> add(std::string key, std::int64_t amount, row_list& out) {
        const auto [row, is_new] = rows.try_emplace(key, 0);
        if (is_new) {
            const auto before = stored(key);
            if (!before) {
                return before.error(); // the end of the process
            }
            row->second = *before;
        }
        row->second += amount;
        out.emplace_back(std::move(key), encode_amount(row->second));
        return {};
    }

    /// What an organization may; null: nothing is limited. Read without a lock, as it is a document.
    expected<std::shared_ptr<const allowance>> allowed(const uuid& id) {
        std::function<expected<allowance>(const uuid&)> read;
        std::uint64_t generation = 0;
        {
            const std::shared_lock lock(allowed_mutex);
            if (!reader) {
                return std::shared_ptr<const allowance>();
            }
            if (const auto known = allowances.find(id); known != allowances.end()) {
                return known->second;
            }
            read = reader;
            generation = forgotten;
        }
        auto found = read(id);
        if (!found) {
            return found.error();
        }
        auto out = std::make_shared<const allowance>(std::move(*found));
        const std::unique_lock lock(allowed_mutex);
        if (forgotten == generation) { // else it may be out of date already: good for this command only
            allowances.insert_or_assign(id, out);
        }
        return out;
    }

    const store& from;
    /// Of the next three: commands of organizations without limits take nothing else, and never wait for the committer.
    std::shared_mutex allowed_mutex;
    std::function<expected<allowance>(const uuid&)> reader;
    std::unordered_map<uuid, std::shared_ptr<const allowance>> allowances;
    std::uint64_t forgotten = 0; ///< So often.
    std::mutex mutex;            ///< Of the sums.
    std::unordered_map<uuid, organization> organizations;
    std::unordered_map<std::string, std::int64_t> rows; ///< As of all that was counted.
};

void usage_claim::give_back(std::size_t down_to) {
    if (ledger_ == nullptr || taken_.size() <= down_to) {
        return;
    }
    const std::lock_guard lock(ledger_->impl_->mutex);
    auto& o = ledger_->impl_->organizations[organization_];
    for (; taken_.size() > down_to; taken_.pop_back()) {
        ledger_->impl_->at(o, taken_.back().what).pending -= taken_.back().amount;
    }
}

usage_ledger::usage_ledger(const store& s) : impl_(std::make_unique<impl>(s)) {}
usage_ledger::~usage_ledger() = default;

void usage_ledger::allow(std::function<expected<allowance>(const uuid&)> reader) {
    const std::unique_lock lock(impl_->allowed_mutex);
    impl_->reader = std::move(reader);
    impl_->allowances.clear();
    ++impl_->forgotten;
}

void usage_ledger::forget(const uuid& organization) {
    const std::unique_lock lock(impl_->allowed_mutex);
    impl_->allowances.erase(organization);
    ++impl_->forgotten;
}

expected<void> usage_ledger::take(usage_claim& into, const uuid& organization, std::string_view counts,
                                  std::int64_t amount, timestamp now) {
    if (organization == system_organization) {
        return {};
    }
    const auto may = impl_->allowed(organization);
    if (!may || !*may) {
        return may ? expected<void>() : may.error();
    }
    const auto* kind = find_quota(counts);
    if (!(*may)->suspended && (kind == nullptr || ((*may)->limits.*kind->member).value_or(no_quota) == no_quota)) {
        return {}; // the hot path of an organization without limits
    }
    const std::lock_guard lock(impl_->mutex);
    auto& o = impl_->organizations[organization];
    if (auto loaded = impl_->load(organization, o, now); !loaded) {
        return loaded;
    }
    if (auto judged = judge_quota(**may, counts, impl_->at(o, counts).all(), amount, now); !judged) {
        return judged;
    }
    note(into, organization, counts, amount);
    return {};
}

expected<void> usage_ledger::take_part(usage_claim& into, const uuid& organization, std::string_view counts,
                                       std::int64_t amount, std::int64_t limit, timestamp now) {
    if (limit == no_quota) {
        return take(into, organization, counts, amount, now);
    }
    const std::lock_guard lock(impl_->mutex);
    auto& o = impl_->organizations[organization];
    if (auto loaded = impl_->load(organization, o, now); !loaded) {
        return loaded;
    }
    if (auto judged = judge_part(counts, limit, impl_->at(o, counts).all(), amount, now); !judged) {
        return judged;
    }
    note(into, organization, counts, amount);
    return {};
}

void usage_ledger::note(usage_claim& into, const uuid& organization, std::string_view counts, std::int64_t amount) {
    if (amount <= 0) {
        return;
    }
    impl_->at(impl_->organizations[organization], counts).pending += amount;
    into.ledger_ = this;
    into.organization_ = organization;
    into.taken_.push_back({std::string(counts), amount});
}

expected<std::map<std::string, std::int64_t>> usage_ledger::standing(const uuid& organization, timestamp now) {
    const std::lock_guard lock(impl_->mutex);
    auto& o = impl_->organizations[organization];
    if (auto loaded = impl_->load(organization, o, now); !loaded) {
        return loaded.error();
    }
    std::map<std::string, std::int64_t> out;
    for (const auto& kind : quota_kinds()) {
        out.emplace(kind.counts, impl_->at(o, kind.counts).all());
    }
    return out;
}

expected<allowance> usage_ledger::allowed(const uuid& organization) {
    const auto may = impl_->allowed(organization);
    if (!may) {
        return may.error();
    }
    return *may ? **may : allowance{};
}

void usage_ledger::all_written() {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->rows.size() > rows_max) {
        impl_->rows.clear();
    }
}

void usage_ledger::lost(std::uint32_t shard) {
    const auto prefix = keys::log_begin(shard);
    const std::lock_guard lock(impl_->mutex);
    std::erase_if(impl_->rows, [&](const auto& row) { return row.first.starts_with(prefix); });
}

expected<void> usage_ledger::count(std::uint32_t shard, const uuid& organization, timestamp at,
                                   std::span<const usage_amount> used, std::span<const usage_amount> held,
                                   usage_claim& claim, std::vector<std::pair<std::string, std::string>>& rows) {
    auto& me = *impl_;
    const std::lock_guard lock(me.mutex);
    auto& o = me.organizations[organization];
    if (auto loaded = me.load(organization, o, at); !loaded) {
        return loaded;
    }
    const auto day = day_of(at);
    for (const auto& u : used) {
        if (auto added = me.add(keys::usage(shard, organization, day, usage_form::used, u.what), u.amount, rows);
            !added) {
            return added;
        }
        me.at(o, u.what).used += day == o.today ? u.amount : 0; // a shard's time may be behind, at midnight
    }
    for (const auto& h : held) {
        auto& s = me.at(o, h.what);
        s.held += h.amount;
        auto added = me.add(keys::usage(shard, organization, 0, usage_form::held, h.what), h.amount, rows);
        if (added && has_history(h.what)) {
            added = me.add(keys::usage(shard, organization, day, usage_form::change, h.what), h.amount, rows);
            if (s.held > s.most) {
                s.most = s.held;
                auto key = keys::usage(shard, organization, day, usage_form::most, h.what);
                me.rows[key] = s.most;
                rows.emplace_back(std::move(key), encode_amount(s.most));
            }
        }
        if (!added) {
            return added;
        }
    }
    for (const auto& taken : claim.taken_) {
        me.at(o, taken.what).pending -= taken.amount;
    }
    claim.taken_.clear();
    return {};
}

void usage_ledger::reset() {
    const std::lock_guard lock(impl_->mutex);
    impl_->rows.clear();
    for (auto& [id, o] : impl_->organizations) {
        o.loaded = false;
    }
}

expected<bool> counts_holdings(const store& s, std::uint32_t shard, std::string_view kind) {
    std::string value;
    const auto status = s.db().db->Get({}, s.db().derived, keys::usage_kind(shard, kind), &value);
    return status.ok() || status.IsNotFound() ? expected<bool>(status.ok())
                                              : expected<bool>(to_problem(status, "cannot read the usage"));
}

expected<void> add_holdings(const store& s, std::uint32_t shard, const std::map<uuid, std::vector<usage_amount>>& held,
                            std::vector<std::pair<std::string, std::string>>& rows) {
    for (const auto& [organization, amounts] : held) {
        std::map<std::string, std::int64_t> all;
        for (const auto& a : amounts) {
            all[a.what] += a.amount;
        }
        auto read = each_row(s, shard, organization, 0, 0, [&](const row_name& row, std::int64_t amount) {
            if (const auto found = all.find(std::string(row.what)); found != all.end()) {
                found->second += amount;
            }
        });
        if (!read) {
            return read;
        }
        for (const auto& [what, amount] : all) {
            rows.emplace_back(keys::usage(shard, organization, 0, usage_form::held, what), encode_amount(amount));
        }
    }
    return {};
}

expected<std::map<std::uint32_t, usage_of_day>> read_usage(const store& s, const uuid& organization,
                                                           std::uint32_t first, std::uint32_t last) {
    std::map<std::uint32_t, usage_of_day> out;
    for (auto day = first; day <= last; ++day) {
        out[day];
    }
    // What was held at the end of a day is what is held now without what changed since.
    std::map<std::string, std::int64_t> held;
    std::map<std::uint32_t, std::map<std::string, std::int64_t>> changes;
    constexpr auto no_end = std::numeric_limits<std::uint32_t>::max();
    for (std::uint32_t shard = 0; shard < s.who().shards; ++shard) {
        // A commit between two shards is seen in one and not in the other, as anywhere else in lists.
        auto read = each_row(s, shard, organization, 0, 0,
                             [&](const row_name& row, std::int64_t amount) { held[std::string(row.what)] += amount; });
        read = read ? each_row(s, shard, organization, first, no_end,
                               [&](const row_name& row, std::int64_t amount) {
                                   const std::string what(row.what);
                                   if (row.form == usage_form::change) {
                                       changes[row.day][what] += amount;
                                   } else if (row.day <= last && row.form == usage_form::used) {
                                       out[row.day].used[what] += amount;
                                   } else if (row.day <= last && row.form == usage_form::most) {
                                       auto& most = out[row.day].most[what];
                                       most = std::max(most, amount);
                                   }
                               })
                    : read;
        if (!read) {
            return read.error();
        }
    }
    std::erase_if(held, [](const auto& h) { return !has_history(h.first); });
    const auto back = [&](const std::map<std::string, std::int64_t>& changed) {
        for (const auto& [what, amount] : changed) {
            held[what] -= amount;
        }
    };
    for (auto later = changes.rbegin(); later != changes.rend() && later->first > last; ++later) {
        back(later->second);
    }
    for (auto day = out.rbegin(); day != out.rend(); ++day) {
        day->second.held = held;
        if (const auto changed = changes.find(day->first); changed != changes.end()) {
            back(changed->second);
        }
        for (const auto& [what, amount] : held) { // at the day's beginning
            day->second.most[what] = std::max({day->second.most[what], amount, day->second.held[what]});
        }
    }
    return out;
}

} // namespace troupe::storage
