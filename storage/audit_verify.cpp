#include "storage/audit.hpp"
#include "storage/audit_chain.hpp"
#include "storage/bytes.hpp"
#include "storage/keys.hpp"
#include "storage/log_reader.hpp"
#include "storage/rocks.hpp"

#include <algorithm>

namespace troupe::storage {

namespace {

constexpr std::size_t named_max = 20;
constexpr std::uint64_t progress_lines = 100'000;

class shard_verifier {
public:
    shard_verifier(const store& s, std::uint32_t shard, const std::vector<audit_head>& known, audit_verification& out,
                   const std::stop_token& stop)
        : store_(s), shard_(shard), known_(known), out_(out), stop_(stop) {}

    void run(const std::optional<uuid>& organization, const std::function<void(std::uint64_t)>& progress) {
        const auto mark = read_audit_mark(store_, shard_);
        const auto base = read_log_base(store_, shard_);
        if (!mark || !base) {
            return bad((mark ? base.error() : mark.error()).detail);
        }
        base_ = base->at.seq;
        has_line_.assign(mark->seq > base_ ? mark->seq - base_ : 0, false);
        const auto prefix =
            organization ? keys::audit_prefix(shard_, *organization) : keys::shard_table(shard_, keys::table::audit);
        prefix_scan scan(*store_.db().db, store_.db().derived, prefix);
        for (; scan.valid() && !stop_.stop_requested(); scan.next()) {
            check(scan.key(), scan.value());
            if (++out_.lines % progress_lines == 0) {
                progress(out_.lines);
            }
        }
        if (!scan.status().ok()) {
            bad(to_problem(scan.status(), "cannot read it").detail);
        }
        end_chain();
        if (stop_.stop_requested()) {
            return;
        }
        check_known_chains(organization);
        check_log(organization, mark->seq);
    }

private:
    void bad(const std::string& what) {
        if (out_.bad.size() < named_max) {
            out_.bad.push_back("shard " + std::to_string(shard_) + ": " + what);
        }
        ++out_.bad_count;
    }

    static std::string where(const audit_line& line) {
        return "line " + std::to_string(line.number) + " of " + to_string(line.organization) + " (record " +
               std::to_string(line.seq) + ", " + to_string(line.time) + ")";
    }

    void check(std::string_view key, std::string_view value) {
        const auto line = decode_audit_line(shard_, key, value);
        if (!line) {
            return bad("a line cannot be read");
        }
        if (!at_ || at_->organization != line->organization) {
            end_chain();
            at_ = audit_head{line->organization, shard_, 0, {}};
        }
        if (line->number != at_->number + 1) {
            bad("line " + std::to_string(at_->number + 1) + " of " + to_string(line->organization) +
                " is missing: " + where(*line) + " follows");
        } else if (line->chain != next_in_chain(at_->chain, key, value)) {
            bad(where(*line) + " does not continue its chain: it, or the line before it, was changed");
        }
        at_->number = line->number;
        at_->chain = line->chain;
        for (const auto& each : known_) {
            if (each.shard == shard_ && each.organization == line->organization && each.number == line->number &&
                each.chain != line->chain) {
                bad(where(*line) + " is not the one that the anchor names");
            }
        }
        compare(*line);
    }

    /// With the record, while the log still has it.
    void compare(const audit_line& line) {
        if (line.seq <= base_) {
            return;
        }
        if (line.seq - base_ <= has_line_.size()) {
            has_line_[line.seq - base_ - 1] = true;
        }
        std::string bytes;
        const auto status = store_.db().db->Get({}, store_.db().log, keys::log(shard_, line.seq), &bytes);
        if (status.IsNotFound() && was_trimmed(line.seq)) {
            return;
        }
        if (!status.ok()) {
            bad("the record of " + where(line) + " is not in the log");
        } else if (sha256(bytes) != line.record) {
            bad("the record of " + where(line) + " is another one than when the line was written");
        } else {
            ++out_.compared;
        }
    }

    /// Since the verification began: retention works beside it.
    [[nodiscard]] bool was_trimmed(std::uint64_t seq) const {
        const auto base = read_log_base(store_, shard_);
        return base && base->at.seq >= seq;
    }

    void end_chain() {
        if (!at_) {
            return;
        }
        ++out_.chains;
        ended_.push_back(*at_);
        at_.reset();
    }

    void check_known_chains(const std::optional<uuid>& organization) {
        for (const auto& each : known_) {
            if (each.shard != shard_) {
                continue;
            }
            if (organization && each.organization != *organization) {
                bad("the anchor names the log of " + to_string(each.organization) + ", which is another one");
                continue;
            }
            ++out_.anchored;
            const auto found = std::ranges::find(ended_, each.organization, &audit_head::organization);
            if (found == ended_.end() || found->number < each.number) {
                bad("the chain of " + to_string(each.organization) + " ends before line " +
                    std::to_string(each.number) + ", which the anchor names");
            }
        }
    }

    void check_log(const std::optional<uuid>& organization, std::uint64_t marked) {
        const auto read = read_log(store_, shard_, base_, [&](record&& r) {
            if (r.entity_seq == 0 || (organization && audited_organization(r) != *organization)) {
                return !stop_.stop_requested();
            }
            if (r.seq > marked) {
                ++out_.pending;
            } else if (!has_line_[r.seq - base_ - 1]) {
                bad("record " + std::to_string(r.seq) + " (" + r.type + " of " + to_string(r.entity) + ", " +
                    to_string(r.time) + ") has no line");
            }
            return true;
        });
        if (!read && (read.error().code != code::not_found || !was_trimmed(base_ + 1))) {
            bad(read.error().detail);
        }
    }

    const store& store_;
    std::uint32_t shard_;
    const std::vector<audit_head>& known_;
    audit_verification& out_;
    const std::stop_token& stop_;
    std::uint64_t base_ = 0;
    std::vector<bool> has_line_; ///< Of the records after the base.
    std::optional<audit_head> at_;
    std::vector<audit_head> ended_;
};

} // namespace

audit_verification verify_audit(const store& s, const std::optional<uuid>& organization,
                                const std::vector<audit_head>& known,
                                const std::function<void(std::uint64_t lines)>& progress, std::stop_token stop) {
    audit_verification out;
    for (const auto& each : known) {
        if (each.shard >= s.who().shards) {
            out.bad.push_back("the anchor names shard " + std::to_string(each.shard) + ", which is not there");
            ++out.bad_count;
        }
    }
    for (std::uint32_t shard = 0; shard < s.who().shards; ++shard) {
        shard_verifier(s, shard, known, out, stop).run(organization, progress);
    }
    out.complete = !stop.stop_requested();
    return out;
}

} // namespace troupe::storage
